"""The registries of real accounts, and the journal, as taking changes back and looking at them need them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from ecr_warden.adapters.ecr import EcrRegistry
from ecr_warden.adapters.ecr_storage import EcrStorage
from ecr_warden.adapters.ecr_undoing import RemovableEcrSettings, RestorableEcrTemplates
from ecr_warden.domain.places import Place
from ecr_warden.ports import (
    History,
    ImageStorage,
    Journal,
    Locks,
    Registry,
    RemovableSettings,
    RestorableTemplates,
)
from ecr_warden.wiring import utc_now
from ecr_warden_cli.account.journal import open_records
from ecr_warden_cli.account.reach import Reach
from ecr_warden_cli.account.stack import CLIENT_CONFIG, account_of, open_session

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


@dataclass(frozen=True)
class OneRegistry:
    """A registry in which changes are taken back."""

    registry: Registry
    storage: ImageStorage
    settings: RemovableSettings
    templates: RestorableTemplates


@dataclass(frozen=True)
class UndoAccount:
    """The journal, and the registries that the credentials reach."""

    reach: Reach
    journal: Journal
    locks: Locks
    history: History
    now: Callable[[], datetime] = utc_now
    pause: Callable[[float], None] = time.sleep
    _known: dict[Place, OneRegistry] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Whose credentials are used."""
        return self.reach.home

    def at(self, place: Place) -> OneRegistry | None:
        """Give a registry; other accounts are reached by a role alone, own ones in every Region."""
        if not self.reach.has(place.account):
            return None
        if place not in self._known:
            client: ECRClient = self.reach.client("ecr", place)
            named = {"account": place.account, "region": place.region}
            self._known[place] = OneRegistry(
                EcrRegistry(client, **named),
                EcrStorage(client),
                RemovableEcrSettings(client, **named),
                RestorableEcrTemplates(client),
            )
        return self._known[place]


@contextmanager
def open_account(
    region: str | None,
    stack_name: str,
    say: Callable[[str], None],
    *,
    role_name: str | None = None,
    external_id: str | None = None,
) -> Iterator[UndoAccount]:
    """Open the stack's Region, or else the session's; raises ``NoRegionError`` and ``AwsError``."""
    session, region = open_session(region)
    place = Place(account_of(session), region)
    reach = Reach(place, session, CLIENT_CONFIG, role_name=role_name, external_id=external_id)
    with open_records(session, stack_name, region, say) as records:
        yield UndoAccount(reach, records.journal, records.locks, records.history)
