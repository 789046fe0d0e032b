"""What a plan asks to change is changed: the registries' documents one by one, repositories at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.sweep.judgements import Judgement
from ecr_warden.domain.sweep.visits import Repair, RepairStatus
from ecr_warden.errors import AwsError, CredentialsError, RefusedError
from ecr_warden.use_cases.sweep.in_order import in_order
from ecr_warden.use_cases.sweep.ports import RepairPorts
from ecr_warden.use_cases.sweep.repair_repository import Repairer

THREADS: Final = 16


@dataclass(frozen=True)
class _Group:
    """The changes of one repository."""

    place: Place
    repository: str
    changes: tuple[Judgement, ...]


@dataclass
class Changing:
    """One run of changes.

    Attributes
    ----------
    open_place
        Gives what changing a registry needs; raises ``AwsError`` and ``RefusedError``.
    is_stopped
        Whether somebody asked to stop: then nothing new is begun, and what was not has no repair.

    """

    policy: Policy
    run: str
    open_place: Callable[[Place], RepairPorts]
    is_stopped: Callable[[], bool]
    _repairers: dict[Place, Repairer] = field(default_factory=dict)
    _closed: dict[Place, str] = field(default_factory=dict)

    def documents(self, changes: Iterable[Judgement]) -> Iterator[Repair]:
        """Change what registries have one of, one after the other."""
        for group in self._groups(changes):
            yield from self._repaired(group)

    def repositories(self, changes: Iterable[Judgement]) -> Iterator[Repair]:
        """Change many repositories at once; give what came of each in the order of the changes."""
        with ThreadPoolExecutor(THREADS) as pool:
            for repairs in in_order(pool, self._repaired, self._groups(changes), ahead=2 * THREADS):
                yield from repairs

    def _groups(self, changes: Iterable[Judgement]) -> Iterator[_Group]:
        for (place, repository), group in groupby(changes, lambda one: (one.place, one.repository)):
            if self.is_stopped():
                return
            # Here, as this is one thread alone.
            self._open(place)
            yield _Group(place, repository, tuple(group))

    def _open(self, place: Place) -> None:
        if place in self._repairers or place in self._closed:
            return
        try:
            ports = self.open_place(place)
        except (AwsError, RefusedError) as error:
            self._closed[place] = str(error).rstrip(".")
        else:
            self._repairers[place] = Repairer(policy=self.policy, place=place, run=self.run, ports=ports)

    def _repaired(self, group: _Group) -> list[Repair]:
        """Change one repository; where the credentials are over, so is the registry."""
        repairs: list[Repair] = []
        if (why := self._closed.get(group.place)) is not None:
            return _all_failed(group.changes, why)
        try:
            # One after the other, so that a change is never broken off, and none begun once it is to stop.
            found = self._repairers[group.place].repair(group.repository, group.changes)
            while not self.is_stopped() and (repair := next(found, None)) is not None:
                repairs.append(repair)
        except CredentialsError as error:
            why = self._closed[group.place] = str(error).rstrip(".")
            repairs += _all_failed(group.changes[len(repairs) :], why)
        return repairs


def _all_failed(changes: Sequence[Judgement], why: str) -> list[Repair]:
    return [Repair(one, RepairStatus.FAILED, why) for one in changes]
