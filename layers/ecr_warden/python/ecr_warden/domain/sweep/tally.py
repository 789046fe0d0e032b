"""What a run's rows come to, counted one by one."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ecr_warden.domain.places import Place
from ecr_warden.domain.sweep.judgements import Standing
from ecr_warden.domain.sweep.rows import RepositoryRow, SectionRow
from ecr_warden.domain.sweep.summary import RunSummary, Unseen

# More are counted, registry by registry: a report that names a hundred thousand is not read.
_NAMED: Final = 100


@dataclass
class Tally:
    """Numbers that grow with each row; memory does not, but for what was not looked at."""

    repositories: int = 0
    standings: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)
    _unseen: list[Unseen] = field(default_factory=list)
    _more: Counter[str] = field(default_factory=Counter)
    _documents: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, row: RepositoryRow) -> None:
        """Count one more repository; one that is gone was not looked at, and nothing is missing."""
        self.repairs.update(row.repair_counts)
        if row.is_gone:
            return
        self.repositories += 1
        for section in row.sections:
            if self._is_new(row, section):
                self.standings[section.standing.value] += section.count
        if why := _why_unseen(row):
            place = str(Place(row.account, row.region))
            if len(self._unseen) < _NAMED:
                self._unseen.append(Unseen(place, row.repository, why, 1))
            else:
                self._more[place] += 1

    def _is_new(self, row: RepositoryRow, section: SectionRow) -> bool:
        """Tell whether something was not counted before: many repositories stand for the registry's one."""
        if not section.is_registrys:
            return True
        found = (section.setting, section.standing.value, section.before, section.after)
        key = (row.account, row.region, *found)
        if key in self._documents:
            return False
        self._documents.add(key)
        return True

    def summary(
        self,
        run: str,
        *,
        started_at: datetime,
        ended_at: datetime,
        places: Iterable[Place],
        unseen: Iterable[Unseen],
    ) -> RunSummary:
        """Give the run's summary; ``unseen`` is what of registries and batches was not looked at at all."""
        return RunSummary(
            run=run,
            started_at=started_at,
            ended_at=ended_at,
            places=tuple(map(str, places)),
            repositories=self.repositories,
            standings=dict(self.standings),
            repairs=dict(self.repairs),
            unseen=(*unseen, *self._unseen, *self._others()),
        )

    def _others(self) -> Iterator[Unseen]:
        for place, number in sorted(self._more.items()):
            yield Unseen(place, "other repositories", "each one's row of the report says why", number)


def _why_unseen(row: RepositoryRow) -> str:
    unread = (
        f"{one.section}: {one.what}" if one.what else one.section
        for one in row.sections
        if one.standing is Standing.UNREAD
    )
    return row.problem or "; ".join(unread)
