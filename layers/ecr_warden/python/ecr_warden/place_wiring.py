"""What looking at a registry and repairing it acts through, in whatever account and Region it is."""

import time
from collections.abc import Callable, Collection
from datetime import datetime
from threading import Lock
from typing import Any, Final

from ecr_warden.adapters.ecr import EcrRegistry
from ecr_warden.adapters.ecr_repositories import EcrRepositories
from ecr_warden.adapters.ecr_settings import EcrSettings
from ecr_warden.adapters.usage import AwsUsage
from ecr_warden.domain.places import Place
from ecr_warden.ports import Journal, Locks, Registry, Repositories, SettingsRegistry, Usage
from ecr_warden.wiring import utc_now


class ReadingPorts:
    """A registry's ports for looking alone; built at once, as several threads use them.

    ``client`` gives the client of a service, in the registry's account and Region.
    """

    def __init__(self, client: Callable[[str], Any], place: Place) -> None:
        ecr, account, region = client("ecr"), place.account, place.region
        self.repositories: Repositories = EcrRepositories(
            ecr, lambda: client("resourcegroupstaggingapi"), place
        )
        self.settings: SettingsRegistry = EcrSettings(ecr, account=account, region=region)


# Seconds for which what runs is not listed again: a run asks about many images. A deletion asks afresh.
_REMEMBERED: Final = 300.0


class PlacePorts(ReadingPorts):
    """A registry's ports; ``journal`` and ``locks`` are the stack's, wherever the registry is."""

    now: Callable[[], datetime] = staticmethod(utc_now)
    pause: Callable[[float], None] = staticmethod(time.sleep)

    def __init__(self, client: Callable[[str], Any], place: Place, *, journal: Journal, locks: Locks) -> None:
        super().__init__(client, place)
        self.registry: Registry = EcrRegistry(client("ecr"), account=place.account, region=place.region)
        self.journal = journal
        self.locks = locks
        # Its clients are built when it is first asked.
        self.usage: Usage = UsageOfPlace(client, place)


class UsageOfPlace:
    """Who runs an image of a registry; asked of nobody where nothing is taken from people."""

    def __init__(self, client: Callable[[str], Any], place: Place) -> None:
        self._client = client
        self._place = place
        self._lock = Lock()
        self._usage: AwsUsage | None = None

    def who_uses(
        self,
        repository_name: str,
        image_digests: Collection[str],
        image_tags: Collection[str],
        *,
        afresh: bool = False,
    ) -> tuple[str, ...]:
        """Name the workloads that use an image by one of its digests or tags."""
        with self._lock:
            if self._usage is None:
                self._usage = AwsUsage.of(self._client, self._place, remembered=_REMEMBERED)
            usage = self._usage
        return usage.who_uses(repository_name, image_digests, image_tags, afresh=afresh)
