"""The registry of a real account in one Region, as planning and applying what is native need it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import boto3

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.ecr_settings import EcrSettings
from ecr_warden.adapters.ecr_templates import EcrTemplates
from ecr_warden.domain.places import Place
from ecr_warden.ports import Journal, Locks, SettingsRegistry, TemplatesRegistry
from ecr_warden.wiring import utc_now
from ecr_warden_cli.account.journal import open_journal
from ecr_warden_cli.account.stack import CLIENT_CONFIG, account_of, open_session


@dataclass(frozen=True)
class ReadPorts:
    """What planning reads."""

    templates: TemplatesRegistry
    settings: SettingsRegistry


@dataclass(frozen=True)
class WritePorts:
    """What applying acts through."""

    templates: TemplatesRegistry
    settings: SettingsRegistry
    journal: Journal
    locks: Locks
    now: Callable[[], datetime] = utc_now
    pause: Callable[[float], None] = time.sleep


class NativeAccount:
    """The account that the usual credentials are of, in a Region; raises ``AwsError``."""

    def __init__(self, session: boto3.session.Session, region: str) -> None:
        self._session = session
        self.place = Place(account_of(session), region)
        with translated(f"opening ECR in {region}"):
            client = session.client("ecr", region_name=region, config=CLIENT_CONFIG)
        settings = EcrSettings(client, account=self.place.account, region=region)
        self.ports = ReadPorts(EcrTemplates(client), settings)

    @contextmanager
    def writing(self, stack_name: str, say: Callable[[str], None]) -> Iterator[WritePorts]:
        """Give what writes; the journal is the stack's, or where none is deployed, a file of this machine."""
        with open_journal(self._session, stack_name, self.place.region, say) as (journal, locks):
            yield WritePorts(self.ports.templates, self.ports.settings, journal, locks)


def open_account(region: str | None) -> NativeAccount:
    """Open the account in a Region, or else in the session's; raises ``NoRegionError``."""
    return NativeAccount(*open_session(region))
