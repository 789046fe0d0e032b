"""The registries that a plan is of, in the accounts and Regions that are asked for, and their journal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.ecr_repositories import EcrRepositories
from ecr_warden.adapters.ecr_settings import EcrSettings
from ecr_warden.adapters.organization import accounts_of
from ecr_warden.adapters.rate import SWEEP_CONFIG, AdaptiveRate, attach
from ecr_warden.domain.places import Place
from ecr_warden.errors import EcrWardenError
from ecr_warden.place_wiring import PlacePorts
from ecr_warden.ports import Journal, Locks, Repositories, SettingsRegistry
from ecr_warden.use_cases.sweep.ports import RepairPorts, VisitPorts
from ecr_warden_cli.account.journal import open_journal
from ecr_warden_cli.account.reach import Reach
from ecr_warden_cli.account.stack import account_of, check_region, open_session


class NoRoleError(EcrWardenError):
    """Report that nothing says which role to take in other accounts."""


@dataclass(frozen=True)
class Asked:
    """Which registries are asked for; without accounts and units, those of the credentials' account."""

    regions: tuple[str, ...]
    accounts: tuple[str, ...]
    organizational_units: tuple[str, ...]
    role_name: str | None
    external_id: str | None


@dataclass(frozen=True)
class _ReadPorts:
    repositories: Repositories
    settings: SettingsRegistry


class SweepAccounts:
    """The registries, each opened when it is come to.

    Raises
    ------
    NoRegionError, NoSuchRegionError, NoRoleError
        Where something was not said that is needed, or is none.
    AwsError, RefusedError
        Where the account or the organization could not be asked for.

    """

    def __init__(self, asked: Asked, *, planned: Sequence[Place] | None = None) -> None:
        """Find the registries; ``planned`` are those of a plan's file, among which they are."""
        self._asked = asked
        self._session, region = open_session(asked.regions[0] if asked.regions else None)
        for other in asked.regions:
            check_region(self._session, other)
        self.home = Place(account_of(self._session), region)
        self._reach = Reach(
            self.home,
            self._session,
            SWEEP_CONFIG,
            role_name=asked.role_name,
            external_id=asked.external_id,
        )
        # All that look at a registry and change it share its rate.
        self._ecr = cache(self._opened_ecr)
        self.places = self._places() if planned is None else self._of_plan(planned)
        others = sorted({place.account for place in self.places if not self._reach.has(place.account)})
        if others:
            raise NoRoleError(
                f"these credentials are of the account {self.home.account}: give --role-name, the role to "
                f"take in {', '.join(others)}"
            )

    def _places(self) -> tuple[Place, ...]:
        regions = dict.fromkeys(self._asked.regions or (self.home.region,))
        accounts = self._named_accounts() or {self.home.account: None}
        return tuple(Place(account, region) for account in accounts for region in regions)

    def _of_plan(self, planned: Sequence[Place]) -> tuple[Place, ...]:
        accounts, regions = self._named_accounts(), self._asked.regions
        return tuple(
            place
            for place in planned
            if (not accounts or place.account in accounts) and (not regions or place.region in regions)
        )

    def _named_accounts(self) -> dict[str, None]:
        named = dict.fromkeys(self._asked.accounts)
        if self._asked.organizational_units:
            with translated("opening AWS Organizations"):
                client = self._session.client("organizations", config=SWEEP_CONFIG)
            named |= dict.fromkeys(accounts_of(client, self._asked.organizational_units))
        return named

    def looking(self, place: Place) -> VisitPorts:
        """Give what looking at a registry needs; raises ``AwsError`` and ``RefusedError``."""
        client = self._ecr(place)
        return _ReadPorts(
            EcrRepositories(client, lambda: self._reach.client("resourcegroupstaggingapi", place), place),
            EcrSettings(client, account=place.account, region=place.region),
        )

    def _client(self, service: str, place: Place) -> Any:  # noqa: ANN401  # each adapter names the client's type
        return self._ecr(place) if service == "ecr" else self._reach.client(service, place)

    def _opened_ecr(self, place: Place) -> Any:  # noqa: ANN401  # the SDK builds its classes as it runs
        client = self._reach.client("ecr", place)
        attach(client, AdaptiveRate())
        return client

    @contextmanager
    def changing(
        self, stack_name: str, say: Callable[[str], None]
    ) -> Iterator[Callable[[Place], RepairPorts]]:
        """Give what opens a registry to change it; it raises ``AwsError`` and ``RefusedError``.

        The changes of all are in one journal: that of the stack, in the first Region.
        """
        with ExitStack() as parts:

            @cache
            def journal_and_locks() -> tuple[Journal, Locks]:
                return parts.enter_context(open_journal(self._session, stack_name, self.home.region, say))

            def opened(place: Place) -> RepairPorts:
                # Here, so that what goes wrong is said of each change, and another try is made.
                journal, locks = journal_and_locks()
                return PlacePorts(
                    lambda service: self._client(service, place), place, journal=journal, locks=locks
                )

            yield opened
