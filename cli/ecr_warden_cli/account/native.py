"""The registry of a real account in one Region, as planning and applying what is native need it."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime

import boto3
from botocore.config import Config

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.dynamodb import DynamoJournal, DynamoLocks
from ecr_warden.adapters.ecr_settings import EcrSettings
from ecr_warden.adapters.ecr_templates import EcrTemplates
from ecr_warden.ports import Journal, Locks, SettingsRegistry, TemplatesRegistry
from ecr_warden.use_cases.plan_native import Place
from ecr_warden.wiring import utc_now
from ecr_warden_cli.account.journal import FileJournal, journal_path
from ecr_warden_cli.account.stack import account_of, find_stack

_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 5})


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
            client = session.client("ecr", region_name=region, config=_CONFIG)
        settings = EcrSettings(client, account=self.place.account, region=region)
        self.ports = ReadPorts(EcrTemplates(client), settings)

    @contextmanager
    def writing(self, stack_name: str, say: Callable[[str], None]) -> Iterator[WritePorts]:
        """Give what writes; the journal is the stack's, or where none is deployed, a file of this machine."""
        region = self.place.region
        stack = find_stack(self._session, stack_name, region)
        if stack is not None:
            client = self._session.client("dynamodb", region_name=region, config=_CONFIG)
            locks = DynamoLocks(client, stack.journal_table, utc_now)
            yield self._writing(DynamoJournal(client, stack.journal_table), locks)
            return
        say(f"no stack {stack_name} in {region}: changes are recorded in {journal_path()}")
        with closing(FileJournal(journal_path())) as file:
            yield self._writing(file, file)

    def _writing(self, journal: Journal, locks: Locks) -> WritePorts:
        return WritePorts(self.ports.templates, self.ports.settings, journal, locks)


def open_account(region: str | None) -> NativeAccount | None:
    """Open the account in a Region, or else in the session's; ``None`` if neither says which."""
    with translated("reading the AWS configuration"):
        session = boto3.session.Session()
        found = region or session.region_name
    return None if found is None else NativeAccount(session, found)
