"""What people are told of a sweep: of each repository that is not as the policy wants it, and of the run."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ecr_warden.domain.console import s3_object_url
from ecr_warden.domain.outcomes import Outcome, OutcomeKind, SettingOutcome, SettingStatus, outcome_id
from ecr_warden.domain.places import REGISTRY, Place
from ecr_warden.domain.policy import Mode, Severity
from ecr_warden.domain.runs import event_id_of
from ecr_warden.domain.settings.said import next_steps, sentences, worst_of
from ecr_warden.domain.sweep.judgements import TAGS, Judgement, Standing, TagProblem
from ecr_warden.domain.sweep.summary import RunSummary, Unseen
from ecr_warden.domain.sweep.visits import Repair, RepairStatus, Visit
from ecr_warden.domain.texts import cut, some

_TAGS_SHOWN: Final = 5
_UNSEEN_SHOWN: Final = 5
_TEXT_LENGTH: Final = 300
_SHORT_DIGEST: Final = 19
_UNDO_SHOWN: Final = 3
# An event on the bus holds 256 KB; a repository may have ten thousand tags.
_CHANGES_KEPT: Final = 100
_SETTING_SEVERITIES: Final = {
    SettingStatus.FAILED: Severity.HIGH,
    SettingStatus.VIOLATION: Severity.MEDIUM,
    SettingStatus.CHANGED: Severity.LOW,
    SettingStatus.WOULD_CHANGE: Severity.LOW,
}
_DECISIONS: Final = {
    SettingStatus.FAILED: "failed",
    SettingStatus.VIOLATION: "violation",
    SettingStatus.CHANGED: "repaired",
    SettingStatus.WOULD_CHANGE: "would_repair",
}


def drift_outcome(
    visit: Visit, repairs: Sequence[Repair], *, run: str, event_time: datetime
) -> Outcome | None:
    """Give the one outcome about a repository, or ``None`` where nothing is to be told.

    What is only found, or could not be read, has the same id in every run: it is told once, not each night.
    What was changed, or could not be, has an id of the run.

    Parameters
    ----------
    visit
        What was found. Its judgements of another repository, such as ``REGISTRY``, are left out.
    repairs
        What came of those that were to be applied, and what an earlier try of the run had changed.
    run
        The run's id.
    event_time
        When the repository was looked at.

    """
    drifts = tuple(_drifts(visit, repairs))
    found = tuple(_outcomes(drifts))
    worst = worst_of(found)
    if worst is None:
        return None
    deciding = next(one for one in found if one.status is worst)
    changes = tuple(dict.fromkeys(one.change_id for one in drifts if one.change_id is not None))
    event_id = event_id_of(run, visit.place)
    return Outcome(
        id=_id(visit, drifts, event_id),
        kind=OutcomeKind.DRIFT_FOUND,
        account=visit.place.account,
        region=visit.place.region,
        repository=visit.repository.name,
        image_digest=None,
        image_tag=None,
        mode=deciding.mode,
        decision=_DECISIONS[worst],
        action="configure",
        changed=bool(changes),
        reason=" ".join(sentences(found)),
        next_step=" ".join(_next_steps(found, changes, run)),
        rule=deciding.rule,
        severity=min((one.severity for one in drifts), key=lambda severity: severity.rank),
        event_id=event_id,
        event_time=event_time,
        change_ids=changes[:_CHANGES_KEPT],
        settings=found,
        owner=visit.owner,
    )


@dataclass(frozen=True)
class _Drift:
    """What is to be told of one judgement; ``what`` and ``next_step`` are sentences without stops."""

    judgement: Judgement
    status: SettingStatus
    what: str
    next_step: str = ""
    change_id: str | None = None
    was_tried: bool = False

    @property
    def is_of_this_run(self) -> bool:
        # What could not be read is found so each night, in each repository.
        return self.was_tried or self.change_id is not None

    @property
    def is_tag(self) -> bool:
        return self.judgement.image_tag is not None

    @property
    def severity(self) -> Severity:
        if self.status is SettingStatus.FAILED:
            return Severity.HIGH
        ground = self.judgement.ground
        if isinstance(ground, TagProblem):
            return ground.violation.severity
        return _SETTING_SEVERITIES[self.status]

    @property
    def key(self) -> str:
        """What tells it apart from other drift; who uses an image, say, changes without being news."""
        one = self.judgement
        said = "" if self.is_tag else one.what
        subject = (one.setting, one.image_digest, one.image_tag, self.status.value, said)
        return json.dumps([*subject, one.before, one.after], sort_keys=True, default=str)


def _drifts(visit: Visit, repairs: Sequence[Repair]) -> Iterator[_Drift]:
    own = [one for one in visit.judgements if one.repository == visit.repository.name]
    came_of = {_subject(repair.judgement): repair for repair in repairs}
    for judgement in own:
        drift = _drift(judgement, came_of.pop(_subject(judgement), None))
        if drift is not None:
            yield drift
    # A tag that an earlier try of the run took is not there to be judged any more.
    for repair in came_of.values():
        if repair.judgement.repository == visit.repository.name:
            drift = _drift(repair.judgement, repair)
            if drift is not None:
                yield drift


def _subject(judgement: Judgement) -> tuple[str, ...]:
    # Of the registry's one document, several rules may want something.
    rule = f"{judgement.rule.file}:{judgement.rule.line}" if judgement.of_registry else ""
    return (
        judgement.repository,
        judgement.setting,
        judgement.image_digest or "",
        judgement.image_tag or "",
        rule,
    )


def _drift(judgement: Judgement, repair: Repair | None) -> _Drift | None:
    if repair is not None:
        return _of_repair(judgement, repair)
    match judgement.standing:
        case Standing.DIFFERS:
            return _Drift(judgement, SettingStatus.WOULD_CHANGE, judgement.what)
        case Standing.VIOLATION:
            return _Drift(judgement, SettingStatus.VIOLATION, judgement.what, judgement.next_step)
        case Standing.KEPT if judgement.image_tag is not None:
            # Nobody chose that it breaks the rule: whoever uses it has to be moved first.
            return _Drift(judgement, SettingStatus.VIOLATION, judgement.what, judgement.next_step)
        case Standing.UNREAD:
            return _Drift(judgement, SettingStatus.FAILED, judgement.what, judgement.next_step)
    return None


def _of_repair(judgement: Judgement, repair: Repair) -> _Drift | None:
    match repair.status:
        case RepairStatus.CHANGED:
            what = judgement.what or repair.said
            # What else was to follow, such as a backfill, is in what is said of the repair.
            if judgement.image_tag is None and repair.said:
                what = repair.said
            return _Drift(judgement, SettingStatus.CHANGED, what, change_id=repair.change_id, was_tried=True)
        case RepairStatus.FAILED:
            what = repair.said or judgement.what
            return _Drift(
                judgement,
                SettingStatus.FAILED,
                what,
                judgement.next_step,
                repair.change_id,
                was_tried=True,
            )
        case RepairStatus.KEPT if judgement.image_tag is not None:
            # A person must act: whatever pulls it by this tag has to be moved first.
            return _Drift(judgement, SettingStatus.VIOLATION, repair.said, judgement.next_step)
        case _:
            return None


def _outcomes(drifts: Iterable[_Drift]) -> Iterator[SettingOutcome]:
    """Give what came of each setting, and of all tags together that are the same way."""
    tags: dict[tuple[object, ...], list[_Drift]] = {}
    for drift in drifts:
        judgement = drift.judgement
        if drift.is_tag:
            key = (drift.status, judgement.rule, judgement.mode, judgement.after is None)
            tags.setdefault(key, []).append(drift)
        else:
            what = cut(drift.what.rstrip("."), _TEXT_LENGTH)
            yield SettingOutcome(
                judgement.section, drift.status, what, judgement.rule, judgement.mode, drift.next_step
            )
    for alike in tags.values():
        first = alike[0]
        yield SettingOutcome(
            TAGS,
            first.status,
            _tags(alike),
            first.judgement.rule,
            first.judgement.mode,
            "" if first.status in {SettingStatus.CHANGED, SettingStatus.WOULD_CHANGE} else first.next_step,
        )


def _tags(alike: Sequence[_Drift]) -> str:
    first = alike[0]
    shown = some([_tag(one) for one in alike], _TAGS_SHOWN, "; ")
    number = "1 tag" if len(alike) == 1 else f"{len(alike)} tags"
    match first.status:
        case SettingStatus.CHANGED | SettingStatus.WOULD_CHANGE:
            done = "deleted" if first.judgement.after is None else "quarantined"
            return f"{number} {done}: {shown}"
        case SettingStatus.VIOLATION:
            return f"{number} against the rule: {shown}"
        case _:
            return f"{number} could not be taken away: {shown}"


def _tag(drift: _Drift) -> str:
    one = drift.judgement
    named = f"{one.image_tag} ({(one.image_digest or '')[:_SHORT_DIGEST]})"
    if drift.status in {SettingStatus.VIOLATION, SettingStatus.FAILED}:
        return f"{named}, {cut(drift.what.rstrip('.'), _TEXT_LENGTH)}"
    return named


def _id(visit: Visit, drifts: Sequence[_Drift], event_id: str) -> str:
    kind, name = OutcomeKind.DRIFT_FOUND, visit.repository.name
    if any(one.is_of_this_run for one in drifts):
        # Fewer that fail, at another try of the run, are news.
        failed = sorted(one.key for one in drifts if one.status is SettingStatus.FAILED)
        return outcome_id(kind, event_id=event_id, repository=name, about=tuple(failed))
    about = (str(visit.place), *sorted(one.key for one in drifts))
    return outcome_id(kind, event_id="", repository=name, about=about)


def _next_steps(found: Sequence[SettingOutcome], changes: Sequence[str], run: str) -> Iterator[str]:
    statuses = {one.status for one in found}
    if SettingStatus.FAILED in statuses:
        yield (
            "Mend what ECR's answer names; if it denies, the permissions of the sweep's role there. "
            "The next sweep tries it again."
        )
    yield from next_steps(found)
    if changes:
        yield (
            f"`{_undo(changes, run)}` takes it back; the next sweep changes it again, unless the policy says "
            "otherwise by then or the repository is exempt."
        )
    if SettingStatus.WOULD_CHANGE in statuses:
        yield "Set the rule's mode to enforce if this is what you want."


def _undo(changes: Sequence[str], run: str) -> str:
    if len(changes) <= _UNDO_SHOWN:
        return f"ecr-warden undo {' '.join(changes)}"
    # Of more, whoever reads the message would have to copy them all.
    return f"ecr-warden undo --run {run}"


def finished_outcome(summary: RunSummary, *, home: Place, report: str | None) -> Outcome:
    """Give the outcome that ends a run.

    Parameters
    ----------
    summary
        What it came to.
    home
        Where the stack is.
    report
        The report's place, as ``s3://bucket/key`` or a file's path; ``None`` where there is none.

    """
    event_id = event_id_of(summary.run, home)
    changed = summary.repairs.get(RepairStatus.CHANGED, 0)
    return Outcome(
        id=outcome_id(OutcomeKind.SWEEP_FINISHED, event_id=event_id, repository=REGISTRY),
        kind=OutcomeKind.SWEEP_FINISHED,
        account=home.account,
        region=home.region,
        repository=REGISTRY,
        image_digest=None,
        image_tag=None,
        mode=Mode.ENFORCE if changed else Mode.AUDIT,
        decision="partial" if summary.is_partial else "complete",
        action="notify",
        changed=changed > 0,
        reason=" ".join((*_numbers(summary), *_unseen(summary.unseen))),
        next_step=" ".join(_after(summary, home, report)),
        rule=None,
        severity=Severity.HIGH if summary.is_partial else Severity.INFO,
        event_id=event_id,
        event_time=summary.ended_at,
    )


_STANDINGS: Final = (
    (Standing.COMPLIANT, "as the policy wants it"),
    (Standing.DIFFERS, "otherwise"),
    (Standing.VIOLATION, "for somebody to act on"),
    (Standing.KEPT, "left as somebody chose"),
    (Standing.EXEMPT, "exempt"),
    (Standing.UNREAD, "not to be read"),
)
_REPAIRS: Final = (
    (RepairStatus.CHANGED, "made"),
    (RepairStatus.FAILED, "failed"),
    (RepairStatus.ALREADY, "not needed any more"),
    (RepairStatus.KEPT, "left, as something uses it or it is exempt"),
    (RepairStatus.SKIPPED, "left, as somebody changed it meanwhile"),
    (RepairStatus.GONE, "of what is gone by now"),
)


def _numbers(summary: RunSummary) -> Iterator[str]:
    places = _counted(len(summary.places), "registry", "registries")
    repositories = _counted(summary.repositories, "repository was", "repositories were")
    yield f"{repositories} compared with the policy in {places}."
    standings = _listed(summary.standings, _STANDINGS)
    if standings:
        yield f"Of their settings and tags: {standings}."
    repairs = _listed(summary.repairs, _REPAIRS)
    if repairs:
        yield f"Changes: {repairs}."
    elif not summary.unseen:
        yield "Nothing was changed."


def _listed(counts: Mapping[str, int], names: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{counts[key]:,} {name}" for key, name in names if counts.get(key))


def _counted(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _unseen(unseen: Sequence[Unseen]) -> Iterator[str]:
    if unseen:
        yield f"Not looked at: {some([_one_unseen(one) for one in unseen], _UNSEEN_SHOWN, '; ')}."


def _one_unseen(one: Unseen) -> str:
    number = (
        "" if one.repositories is None else f" ({_counted(one.repositories, 'repository', 'repositories')})"
    )
    place = "" if one.place in one.what else f" in {one.place}"
    return f"{one.what}{place}{number}: {cut(one.why.rstrip('.'), _TEXT_LENGTH)}"


def _after(summary: RunSummary, home: Place, report: str | None) -> Iterator[str]:
    if summary.unseen:
        yield "Mend what keeps it from being looked at; the next sweep looks at everything again."
        yield f"What was changed there all the same: `ecr-warden history --run {summary.run}`."
    failed = summary.repairs.get(RepairStatus.FAILED, 0)
    if failed:
        failures = _counted(failed, "change", "changes")
        yield f"{failures} failed: each repository's own message has the reason."
    if report is not None:
        yield f"The report: {s3_object_url(home.region, report) or report}"
    if summary.repairs.get(RepairStatus.CHANGED):
        yield f"`ecr-warden undo --run {summary.run}` takes the changes of this run back."
    elif not summary.is_partial and report is None:
        yield "Nothing is left to do."
