"""What a report says of one repository: small enough that there may be a hundred thousand."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from ecr_warden.domain.policy import Mode, Policy, RuleReference
from ecr_warden.domain.resolution import resolve
from ecr_warden.domain.settings.lifecycle import lifecycle_document
from ecr_warden.domain.sweep.image_totals import ImageTotals, LifecycleEffect, image_totals, lifecycle_effect
from ecr_warden.domain.sweep.judgements import Judgement, Standing
from ecr_warden.domain.sweep.visits import Repair, RepairStatus, Visit
from ecr_warden.domain.sweep.vulnerabilities import Vulnerabilities, vulnerabilities
from ecr_warden.domain.texts import cut

# Of what a repository may have thousands of, so many are told, and the rest counted.
_MOST_TEXTS: Final = 3
_MOST_REPAIRS: Final = 20
# Longer than nearly every setting is as JSON; a report need not have the whole of a policy.
_LONGEST: Final = 2_000
_DONE: Final = (RepairStatus.CHANGED, RepairStatus.ALREADY)


class State(StrEnum):
    """How a section of a repository is after the run, or the repository itself: the worst of its sections."""

    FAILED = "failed"
    UNREAD = "unread"
    VIOLATION = "violation"
    DIFFERS = "differs"
    KEPT = "kept"
    REPAIRED = "repaired"
    EXEMPT = "exempt"
    COMPLIANT = "compliant"
    UNDECIDED = "undecided"
    GONE = "gone"

    @property
    def is_well(self) -> bool:
        """Whether the repository is as the policy wants it."""
        return self in (State.COMPLIANT, State.REPAIRED)

    @property
    def is_judged(self) -> bool:
        """Whether it counts in how many are well: the policy is for it, and it was looked at."""
        return self not in (State.UNDECIDED, State.EXEMPT, State.UNREAD, State.GONE)


@dataclass(frozen=True)
class SectionRow:
    """What was found of a setting, or of all the tags that are the same way.

    Attributes
    ----------
    rule
        As file:line.
    what, next_step
        Sentences; of many tags the first few.
    before, after
        JSON, cut where it is long; empty where there is nothing to show.
    count
        How many judgements it is made of: of tags, how many.
    repairs
        How many of those were changed, by ``RepairStatus``.
    is_registrys
        Whether it is the registry's, for which many repositories may stand.

    """

    section: str
    setting: str
    standing: Standing
    mode: Mode
    rule: str
    what: str = ""
    next_step: str = ""
    before: str = ""
    after: str = ""
    count: int = 1
    repairs: Mapping[str, int] = field(default_factory=dict)
    is_registrys: bool = False

    @property
    def state(self) -> State:
        """How it is after the run."""
        if self.repairs.get(RepairStatus.FAILED):
            return State.FAILED
        if self.standing is Standing.DIFFERS and sum(self.repairs.get(one, 0) for one in _DONE) >= self.count:
            return State.REPAIRED
        return State(self.standing.value)


@dataclass(frozen=True)
class RepairRow:
    """What came of changing one thing."""

    section: str
    status: RepairStatus
    said: str = ""
    change_id: str | None = None


@dataclass(frozen=True)
class RepositoryRow:
    """One repository.

    Attributes
    ----------
    sections
        What was found, section by section in the policy's order.
    repairs
        The first few, failed ones before others; ``repair_counts`` has all, by ``RepairStatus``.
    images, vulnerabilities
        ``None`` where its images were not listed.
    lifecycle
        ``None`` where the images were not listed, or no rule of the policy has a lifecycle for it.
    problem
        Why it could not be looked at (further); empty where it was.
    is_unfinished
        Whether it was left half-way, and another try is to go on with it.

    """

    account: str
    region: str
    repository: str
    owner: str | None = None
    created_at: datetime | None = None
    sections: tuple[SectionRow, ...] = ()
    repairs: tuple[RepairRow, ...] = ()
    repair_counts: Mapping[str, int] = field(default_factory=dict)
    images: ImageTotals | None = None
    lifecycle: LifecycleEffect | None = None
    vulnerabilities: Vulnerabilities | None = None
    problem: str = ""
    is_gone: bool = False
    is_unfinished: bool = False

    @property
    def state(self) -> State:
        """The worst of its sections' states; ``UNDECIDED`` where no rule is for it."""
        if self.is_gone:
            return State.GONE
        if self.repair_counts.get(RepairStatus.FAILED):
            return State.FAILED
        if self.problem:
            return State.UNREAD
        order = tuple(State)
        return min((one.state for one in self.sections), key=order.index, default=State.UNDECIDED)

    @property
    def has_drifted(self) -> bool:
        """Whether something was found to be otherwise than the policy wants it, be it repaired by now."""
        return any(one.standing in (Standing.DIFFERS, Standing.VIOLATION) for one in self.sections)


def row_of(visit: Visit, repairs: Sequence[Repair], *, policy: Policy, now: datetime) -> RepositoryRow:
    """Say in a row what a visit found and what came of repairing it."""
    images = visit.images
    return RepositoryRow(
        account=visit.place.account,
        region=visit.place.region,
        repository=visit.repository.name,
        owner=visit.owner,
        created_at=visit.repository.created_at,
        sections=tuple(_sections(visit.judgements, repairs)),
        repairs=tuple(_repair_rows(repairs)),
        repair_counts=_counted(repairs),
        images=None if images is None else image_totals(images),
        lifecycle=_lifecycle(visit, policy, now),
        vulnerabilities=None if images is None else vulnerabilities(images, now),
        problem=visit.problem,
        is_gone=visit.is_gone,
    )


def _lifecycle(visit: Visit, policy: Policy, now: datetime) -> LifecycleEffect | None:
    found = resolve(policy, visit.repository.name, "lifecycle")
    is_exempt = any(
        one.section == "lifecycle" and one.standing is Standing.EXEMPT for one in visit.judgements
    )
    if visit.images is None or found.rules is None or found.rule is None or is_exempt:
        return None
    document = lifecycle_document(found.rules)
    return lifecycle_effect(visit.images, document, rule=_at(found.rule), now=now)


def _sections(judgements: Sequence[Judgement], repairs: Sequence[Repair]) -> Iterator[SectionRow]:
    by_kind: dict[tuple[object, ...], list[Judgement]] = {}
    for one in judgements:
        by_kind.setdefault(_kind(one), []).append(one)
    for kind, alike in by_kind.items():
        yield _section(alike, [one for one in repairs if _kind(one.judgement) == kind])


def _kind(judgement: Judgement) -> tuple[object, ...]:
    """Give what judgements have in common that make one section's row."""
    return (judgement.setting, judgement.standing, judgement.mode, judgement.rule)


def _section(alike: Sequence[Judgement], repairs: Sequence[Repair]) -> SectionRow:
    first = alike[0]
    is_one = len(alike) == 1
    return SectionRow(
        section=first.section,
        setting=first.setting,
        standing=first.standing,
        mode=first.mode,
        rule=_at(first.rule),
        what=_some([one.what for one in alike]),
        next_step=cut(first.next_step, _LONGEST),
        before=_json(first.before) if is_one else "",
        after=_json(first.after) if is_one else "",
        count=len(alike),
        repairs=_counted(repairs),
        is_registrys=first.of_registry,
    )


def _some(texts: Sequence[str]) -> str:
    shown = "; ".join(cut(text, _LONGEST // _MOST_TEXTS) for text in texts[:_MOST_TEXTS])
    left = len(texts) - _MOST_TEXTS
    return f"{shown}; and {left} more" if left > 0 else shown


def _json(value: Mapping[str, object] | None) -> str:
    return "" if value is None else cut(json.dumps(value, ensure_ascii=False), _LONGEST)


def _at(rule: RuleReference) -> str:
    return f"{rule.file}:{rule.line}"


def _counted(repairs: Sequence[Repair]) -> dict[str, int]:
    return dict(Counter(one.status.value for one in repairs))


def _repair_rows(repairs: Sequence[Repair]) -> Iterator[RepairRow]:
    for one in sorted(repairs, key=lambda one: one.status is not RepairStatus.FAILED)[:_MOST_REPAIRS]:
        yield RepairRow(one.judgement.section, one.status, cut(one.said, _LONGEST), one.change_id)


def encode_row(row: RepositoryRow) -> str:
    """Write a row as one line of JSON, in ASCII."""
    return json.dumps(asdict(row), default=datetime.isoformat, separators=(",", ":"))


def decode_row(text: str) -> RepositoryRow:
    """Read what ``encode_row`` wrote."""
    plain: dict[str, Any] = json.loads(text)
    plain["created_at"] = _time(plain["created_at"])
    plain["sections"] = tuple(map(_decoded_section, plain["sections"]))
    plain["repairs"] = tuple(
        RepairRow(**one | {"status": RepairStatus(one["status"])}) for one in plain["repairs"]
    )
    plain["images"] = plain["images"] and _decoded_totals(plain["images"])
    plain["lifecycle"] = plain["lifecycle"] and LifecycleEffect(**plain["lifecycle"])
    plain["vulnerabilities"] = plain["vulnerabilities"] and _decoded_counts(plain["vulnerabilities"])
    return RepositoryRow(**plain)


def _decoded_section(plain: dict[str, Any]) -> SectionRow:
    return SectionRow(**plain | {"standing": Standing(plain["standing"]), "mode": Mode(plain["mode"])})


def _decoded_totals(plain: dict[str, Any]) -> ImageTotals:
    times = ("oldest_push", "last_push", "last_pull")
    return ImageTotals(**plain | {name: _time(plain[name]) for name in times})


def _decoded_counts(plain: dict[str, Any]) -> Vulnerabilities:
    counts = {severity: tuple(numbers) for severity, numbers in plain["counts"].items()}
    return Vulnerabilities(**plain | {"counts": counts})


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
