"""The registries that one's own credentials reach, and by a role, those of other accounts."""

from typing import Any

import boto3
from botocore.config import Config

from ecr_warden.adapters.accounts import Accounts
from ecr_warden.domain.places import Place


class Reach:
    """Clients of any account and Region; threads may share it.

    The own account is reached by the own credentials in every Region: the functions take a role there, as
    theirs allow one Region alone.

    Parameters
    ----------
    home
        The account that the credentials are of, and the Region that is asked where no other is named.
    role_name, external_id
        The role in every other account, and what its trust asks for; ``None`` where there is none.

    """

    def __init__(
        self,
        home: Place,
        session: boto3.session.Session,
        config: Config,
        *,
        role_name: str | None,
        external_id: str | None,
    ) -> None:
        self.home = home
        self._has_role = bool(role_name)
        self._own = Accounts(home, None, None, session, config)
        self._others = Accounts(home, role_name, external_id, session, config)

    def has(self, account: str) -> bool:
        """Tell whether there are credentials for an account, or a role to ask for them."""
        return self._has_role or account == self.home.account

    def client(self, service: str, place: Place) -> Any:  # noqa: ANN401  # each adapter names the client's type
        """Give the client of a service in a place; raises as ``Accounts.client`` does."""
        accounts = self._own if place.account == self.home.account else self._others
        return accounts.client(service, place)
