"""The registry of a real account in one Region, and its journal, as taking a change back needs them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.ecr import EcrRegistry
from ecr_warden.adapters.ecr_storage import EcrStorage
from ecr_warden.ports import ImageStorage, Journal, Registry
from ecr_warden.domain.places import Place
from ecr_warden.wiring import utc_now
from ecr_warden_cli.account.journal import open_journal
from ecr_warden_cli.account.stack import CLIENT_CONFIG, account_of, open_session


@dataclass(frozen=True)
class UndoAccount:
    """Where changes are taken back, and through what."""

    place: Place
    registry: Registry
    storage: ImageStorage
    journal: Journal
    now: Callable[[], datetime] = utc_now


@contextmanager
def open_account(region: str | None, stack_name: str, say: Callable[[str], None]) -> Iterator[UndoAccount]:
    """Open the account in a Region, or else in the session's; raises ``NoRegionError`` and ``AwsError``."""
    session, region = open_session(region)
    place = Place(account_of(session), region)
    with translated(f"opening ECR in {region}"):
        client = session.client("ecr", region_name=region, config=CLIENT_CONFIG)
    registry = EcrRegistry(client, account=place.account, region=region)
    with open_journal(session, stack_name, region, say) as (journal, _):
        yield UndoAccount(place, registry, EcrStorage(client), journal)
