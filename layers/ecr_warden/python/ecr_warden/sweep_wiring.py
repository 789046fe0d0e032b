"""What the sweep's four functions are made of; each is built at the cold start, and kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol
from uuid import uuid4

from ecr_warden.adapters.accounts import Accounts
from ecr_warden.adapters.aws import client
from ecr_warden.adapters.compiled_policy import load_policy
from ecr_warden.adapters.dynamodb import DynamoJournal, DynamoLocks
from ecr_warden.adapters.dynamodb_scans import DynamoScanStates
from ecr_warden.adapters.ecr_repositories import EcrRepositories
from ecr_warden.adapters.ecr_scans import EcrScans
from ecr_warden.adapters.ecr_storage import EcrStorage
from ecr_warden.adapters.metrics import CloudWatchMetrics
from ecr_warden.adapters.organization import accounts_of
from ecr_warden.adapters.outcome_bus import EventBridgePublisher
from ecr_warden.adapters.rate import SWEEP_CONFIG, AdaptiveRate, attach
from ecr_warden.adapters.sweep_store import BatchItem, PlaceItem, SweepStore, read_item
from ecr_warden.adapters.sweeping import Limits, begin_run, finish_run, list_place, sweep_item
from ecr_warden.domain.places import Place
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.rows import RepositoryRow
from ecr_warden.errors import RefusedError
from ecr_warden.place_wiring import PlacePorts
from ecr_warden.ports import Metrics, OutcomePublisher
from ecr_warden.sweep_settings import (
    SweepBatchSettings,
    SweepFinishSettings,
    SweepListSettings,
    SweepPlacesSettings,
    number,
    words,
)
from ecr_warden.use_cases.sweep.sweep_batch import sweep_batch
from ecr_warden.wiring import utc_now

# One change, telling and writing are done in less, even where ECR throttles most calls.
_ENOUGH_MS: Final = 180_000
# Workers side by side change a registry's document in the name of one run.
_WORKER: Final = uuid4().hex


class LambdaContext(Protocol):
    """What Lambda says of an invocation, as far as it matters here."""

    def get_remaining_time_in_millis(self) -> int:
        """Give how long the function may still run."""


class Places:
    """What SweepPlacesFunction does."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._settings = settings = SweepPlacesSettings.read(environment)
        self._store = SweepStore(client("s3"), settings.report_bucket_name)
        self._limits = Limits(
            places_at_once=number(settings.sweep_places_at_once, "sweep_places_at_once"),
            batches_at_once=number(settings.sweep_batches_at_once, "sweep_batches_at_once"),
            tolerated_failure_percentage=number(
                settings.sweep_tolerated_failure_percentage, "sweep_tolerated_failure_percentage"
            ),
        )

    def begin(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Write which registries a run looks at."""
        return begin_run(event, self._places(), limits=self._limits, store=self._store)

    def _places(self) -> list[Place]:
        settings = self._settings
        units = words(settings.sweep_organizational_units)
        named = words(settings.sweep_accounts)
        found = accounts_of(client("organizations"), units) if units else ()
        accounts = tuple(dict.fromkeys((*named, *found)))
        if not accounts and units:
            # Nobody asked for the stack's own account.
            raise RefusedError(
                f"there is no active account in {', '.join(units)}: name other units in the parameter "
                "SweepOrganizationalUnits, or accounts in SweepAccounts"
            )
        accounts = accounts or (settings.account,)
        regions = words(settings.sweep_regions) or (settings.region,)
        return [Place(account, region) for account in accounts for region in regions]


class Lister:
    """What SweepListFunction does."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        settings = SweepListSettings.read(environment)
        self._store = SweepStore(client("s3"), settings.report_bucket_name)
        self._size = number(settings.sweep_batch_size, "sweep_batch_size")
        self._accounts = Accounts(
            settings.home, settings.member_role_name, settings.external_id, config=SWEEP_CONFIG
        )

    def list_place(self, event: Mapping[str, Any]) -> dict[str, int]:
        """Write a registry's repositories in batches."""
        item: PlaceItem = read_item(event, PlaceItem)
        of_place = partial(self._accounts.client, place=item.place)
        repositories = EcrRepositories(
            of_place("ecr"), lambda: of_place("resourcegroupstaggingapi"), item.place
        )
        return list_place(item, repositories=repositories, batch_size=self._size, store=self._store)


class _SweepPorts(PlacePorts):
    """What sweeping a registry acts through; what is remembered and told is the stack's."""

    def __init__(
        self,
        of_place: Callable[[str], Any],
        place: Place,
        *,
        settings: SweepBatchSettings,
        publisher: OutcomePublisher,
        metrics: Metrics,
    ) -> None:
        dynamodb = client("dynamodb")
        super().__init__(
            of_place,
            place,
            journal=DynamoJournal(dynamodb, settings.journal_table_name),
            locks=DynamoLocks(dynamodb, settings.journal_table_name, utc_now, worker=_WORKER),
        )
        self.publisher = publisher
        self.metrics = metrics
        self.storage = EcrStorage(of_place("ecr"))
        self.scans = EcrScans(of_place("ecr"), lambda: of_place("inspector2"))
        self.states = DynamoScanStates(dynamodb, settings.scan_table_name, utc_now)


class BatchSweeper:
    """What SweepBatchFunction does."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._settings = settings = SweepBatchSettings.read(environment)
        self._policy = load_policy(settings.policy_path)
        self._store = SweepStore(client("s3"), settings.report_bucket_name)
        self._accounts = Accounts(
            settings.home, settings.member_role_name, settings.external_id, config=SWEEP_CONFIG
        )
        self._publisher = EventBridgePublisher(client("events"), settings.outcome_bus_name)
        self._metrics = CloudWatchMetrics(settings.metrics_namespace)
        self._rates: dict[Place, AdaptiveRate] = {}

    def sweep(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, int]:
        """Sweep a batch, as far as there is time."""
        item: BatchItem = read_item(event, BatchItem)

        def is_over() -> bool:
            return context.get_remaining_time_in_millis() < _ENOUGH_MS

        sweep = partial(self._swept, item, is_over=is_over)
        return sweep_item(item, sweep=sweep, store=self._store, is_over=is_over)

    def _swept(
        self,
        item: BatchItem,
        repositories: Sequence[Repository],
        owners: Mapping[str, Mapping[str, str]] | None,
        *,
        is_repeat: bool,
        is_over: Callable[[], bool],
    ) -> Iterator[RepositoryRow]:
        ports = self._ports(item.place)
        return sweep_batch(
            repositories,
            run=item.run,
            policy=self._policy,
            place=item.place,
            ports=ports,
            owners=owners,
            now=utc_now(),
            scan_ports=ports,
            is_repeat=is_repeat,
            is_over=is_over,
        )

    def _ports(self, place: Place) -> _SweepPorts:
        of_place = partial(self._accounts.client, place=place)
        if place not in self._rates:
            # One function's threads share what ECR bears; functions side by side each find it out.
            self._rates[place] = AdaptiveRate()
            attach(of_place("ecr"), self._rates[place])
        return _SweepPorts(
            of_place, place, settings=self._settings, publisher=self._publisher, metrics=self._metrics
        )


class _FinishPorts:
    def __init__(self, settings: SweepFinishSettings) -> None:
        self.publisher: OutcomePublisher = EventBridgePublisher(client("events"), settings.outcome_bus_name)
        self.metrics: Metrics = CloudWatchMetrics(settings.metrics_namespace)


class Finisher:
    """What SweepFinishFunction does."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._settings = settings = SweepFinishSettings.read(environment)
        self._store = SweepStore(client("s3"), settings.report_bucket_name)
        self._ports = _FinishPorts(settings)

    def finish(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Write the report, and tell what the run came to."""
        return finish_run(event, store=self._store, ports=self._ports, home=self._settings.home, now=utc_now)
