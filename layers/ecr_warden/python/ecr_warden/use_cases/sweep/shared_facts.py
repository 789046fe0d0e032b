"""What all repositories of a registry have in common: its documents, read once, and what they come to."""

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from ecr_warden.domain.resolution import Decided
from ecr_warden.domain.settings.current import RegistryScanning, ReplicationRule
from ecr_warden.domain.settings.decide import Planned
from ecr_warden.errors import AwsError, RefusedError
from ecr_warden.ports import SettingsRegistry

_Document = TypeVar("_Document")


class SharedFacts:
    """The registry's documents, for all threads that look at its repositories."""

    def __init__(self, settings: SettingsRegistry) -> None:
        self._settings = settings
        self._lock = Lock()
        self._read: dict[str, object] = {}
        self._planned: dict[tuple[object, ...], tuple[Planned, ...]] = {}

    def replication(self) -> tuple[ReplicationRule, ...]:
        """Give the registry's replication rules."""
        return self._once("replication", self._settings.replication)

    def scanning(self) -> RegistryScanning:
        """Give the registry's scanning configuration."""
        return self._once("scanning", self._settings.scanning)

    def _once(self, name: str, read: Callable[[], _Document]) -> _Document:
        """Read a document, or raise again what reading it raised: a thousand repositories ask for it."""
        with self._lock:
            if name not in self._read:
                try:
                    self._read[name] = read()
                except (AwsError, RefusedError) as error:
                    self._read[name] = error
            found = self._read[name]
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[return-value]  # what its own reader gave

    def planned(self, decided: Decided, plan: Callable[[], tuple[Planned, ...]]) -> tuple[Planned, ...]:
        """Give what a rule comes to that says the same for each of its repositories, planned once."""
        key = (decided.section, decided.rule, decided.mode, decided.override)
        found = self._planned.get(key)
        if found is None:
            found = self._planned[key] = plan()
        return found
