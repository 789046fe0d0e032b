"""Clients of other accounts and Regions, by a role in each account that is assumed with an external id."""

from collections.abc import Callable, Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher
from botocore.exceptions import ClientError
from botocore.session import Session

from ecr_warden.adapters.aws import CONFIG, code_of, translated
from ecr_warden.domain.console import partition
from ecr_warden.domain.places import Place
from ecr_warden.errors import RefusedError

if TYPE_CHECKING:
    from botocore.config import Config

# Who looks into CloudTrail in a member account finds the calls under this name.
SESSION_NAME: Final = "ecr-warden"
# What a person must mend: the role, its trust, the external id, or whether STS is on in the Region.
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "RegionDisabledException"})


class Accounts:
    """The accounts and Regions that may be acted in, each by clients of its own.

    It may be used by several threads at once.

    Parameters
    ----------
    home
        Where the own credentials are of.
    role_name
        The role that every other account has; ``None`` or empty where there is one account only.
    external_id
        What the trust of the role asks for, if it does.
    session
        Has the own credentials; without it, those of the environment.
    config
        Of every client: retries, and the size of its pool of connections.

    """

    def __init__(
        self,
        home: Place,
        role_name: str | None,
        external_id: str | None,
        session: boto3.session.Session | None = None,
        config: "Config | None" = None,
    ) -> None:
        self._home = home
        self._role_name = role_name
        self._external_id = external_id
        self._session = session or boto3.session.Session(region_name=home.region)
        self._config = config or CONFIG
        # Building a client is not safe in several threads; using one is.
        self._lock = RLock()
        self._clients: dict[tuple[str, Place], Any] = {}
        self._members: dict[str, _Member] = {}

    def client(self, service: str, place: Place) -> Any:  # noqa: ANN401  # each adapter names the client's type
        """Give the client of a service in a place; it is built once, and its credentials renew themselves.

        Raises
        ------
        RefusedError
            Where there is no role for the account, or it may not be assumed: a client of another account is
            never given in its stead.
        CredentialsError
            Where AWS does not take the own credentials.
        AwsError
            Where STS does not answer well.

        """
        member = self._member(place)
        if member is not None:
            # Before the first call, so that what is wrong with the role is not taken for ECR's answer.
            member.check()
        session = self._session if member is None else member.session
        with self._lock:
            key = (service, place)
            if key not in self._clients:
                self._clients[key] = self._built(session, service, place.region)
            return self._clients[key]

    def _member(self, place: Place) -> "_Member | None":
        """Give who an account's role makes us; ``None`` where we are ourselves."""
        if place == self._home:
            return None
        if not self._role_name:
            if place.account == self._home.account:
                return None
            raise no_member_role(place)
        with self._lock:
            if place.account not in self._members:
                role = f"arn:{partition(place.region)}:iam::{place.account}:role/{self._role_name}"
                self._members[place.account] = _Member(self._session, self._sts(), role, self._external_id)
            return self._members[place.account]

    def _sts(self) -> Any:  # noqa: ANN401  # STS's
        # Of the Region's own endpoint: a Region that one opts into takes no credentials of the global one.
        key = ("sts", self._home)
        if key not in self._clients:
            self._clients[key] = self._built(self._session, "sts", self._home.region)
        return self._clients[key]

    def _built(self, session: boto3.session.Session, service: str, region: str) -> Any:  # noqa: ANN401  # as above
        build: Callable[..., Any] = session.client
        return build(service, region_name=region, config=self._config)


def no_member_role(place: Place) -> RefusedError:
    """Give the error that says why nothing is done in another account or Region."""
    return RefusedError(
        f"nothing was done in {place}: it is another account or Region than the stack's, and the stack's "
        "parameter MemberRoleName is not set. See docs/accounts.md"
    )


class _Member:
    """Another account, acted in by a role; its credentials are fetched when they are first needed."""

    def __init__(self, own: boto3.session.Session, sts: Any, role: str, external_id: str | None) -> None:  # noqa: ANN401  # as above
        self._role = role
        self._external_id = external_id
        asked = {"RoleArn": role, "RoleSessionName": SESSION_NAME}
        if external_id:
            asked["ExternalId"] = external_id
        self._refresh: Callable[[], Mapping[str, Any]] = create_assume_role_refresher(sts, asked)
        self._credentials = DeferredRefreshableCredentials(self._assumed, "assume-role")
        inner = Session()
        # The descriptions of services are large: all accounts share what one has loaded.
        inner.register_component("data_loader", own._session.get_component("data_loader"))  # noqa: SLF001  # no public way
        # Nor is there one to give a session credentials that renew themselves.
        inner._credentials = self._credentials  # type: ignore[attr-defined]  # noqa: SLF001  # the same
        self.session = boto3.session.Session(botocore_session=inner)

    def check(self) -> None:
        """Have credentials, or raise as ``Accounts.client`` does."""
        self._credentials.get_frozen_credentials()

    def _assumed(self) -> Mapping[str, Any]:
        """Assume the role; botocore calls it, in any thread, before the credentials end."""
        what = f"assuming the role {self._role}"
        with translated(what):
            try:
                return self._refresh()
            except ClientError as error:
                if code_of(error) in _DENIED:
                    raise RefusedError(f"{what}: {error}. {self._advice}") from error
                raise

    @property
    def _advice(self) -> str:
        external_id = "the one given here" if self._external_id else "none, as none is given here"
        return (
            "That account must have the role, with a trust that names the account that asks, and whose "
            f"external id is {external_id}. See docs/accounts.md"
        )
