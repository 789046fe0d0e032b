"""What people are told of an image that fails its scan gate, or passes it again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from ecr_warden.domain.finding_summary import FindingChanges, FindingSeverity, FindingShown, FindingsSummary
from ecr_warden.domain.findings import Finding, Package
from ecr_warden.domain.outcomes import Outcome, OutcomeKind, name_of, outcome_id
from ecr_warden.domain.policy import Mode, RuleReference, ScanAction, ScanGate, Severity
from ecr_warden.domain.scan_events import ScanEvent
from ecr_warden.domain.scan_gate import Gate, Judgement, rank_of
from ecr_warden.domain.scan_state import ImageState
from ecr_warden.domain.texts import cut, some

_IDS_SHOWN: Final = 10
_FIXES_SHOWN: Final = 3
# Texts come from packages' authors: none may crowd out the others.
_TEXT_LENGTH: Final = 300
_SEVERITIES: Final = {
    FindingSeverity.CRITICAL.value: Severity.CRITICAL,
    FindingSeverity.HIGH.value: Severity.HIGH,
    FindingSeverity.MEDIUM.value: Severity.MEDIUM,
    FindingSeverity.LOW.value: Severity.LOW,
    FindingSeverity.INFORMATIONAL.value: Severity.LOW,
    FindingSeverity.UNDEFINED.value: Severity.MEDIUM,
}


@dataclass(frozen=True)
class GateRule:
    """The rule whose gate decides: what it says, in which mode, and as it is for the repository now."""

    rules: ScanGate
    mode: Mode
    rule: RuleReference
    gate: Gate


def is_news(state: ImageState, judgement: Judgement, gate: Gate) -> bool:
    """Tell whether an image that fails has anything that people were not told of.

    Where not all was read, there must be more findings of a severity that counts than there were.
    """
    if not state.has_failed:
        return True
    if judgement.marks is not None and state.marks is not None:
        return not set(judgement.marks) <= set(state.marks)
    return any(
        count > state.counts.get(severity, 0)
        for severity, count in judgement.counts.items()
        if gate.limits_severity(severity)
    )


def compare(
    marks: tuple[str, ...] | None, before: tuple[str, ...] | None, compared_with: str
) -> FindingChanges | None:
    """Say what is otherwise than before; ``None`` where either is not known in full."""
    if marks is None or before is None:
        return None
    now, then = set(marks), set(before)
    new = [mark for mark in marks if mark not in then]
    fixed = [mark for mark in before if mark not in now]
    return FindingChanges(
        compared_with=compared_with,
        new=len(new),
        fixed=len(fixed),
        still_there=len(now & then),
        new_ids=tuple(cut(mark, _TEXT_LENGTH) for mark in new[:_IDS_SHOWN]),
        fixed_ids=tuple(cut(mark, _TEXT_LENGTH) for mark in fixed[:_IDS_SHOWN]),
    )


@dataclass(frozen=True)
class GateNews:
    """What there is to tell of an image.

    Attributes
    ----------
    state
        What was known of the image before.
    changes
        What is otherwise than in another scan, if that is known.
    unlisted
        Why the findings themselves are not known, if they are not.
    owner
        Whose the repository is.

    """

    event: ScanEvent
    judgement: Judgement
    gated: GateRule
    state: ImageState
    changes: FindingChanges | None = None
    unlisted: str | None = None
    owner: str | None = None


def vulnerable(news: GateNews) -> Outcome:
    """Give the outcome about an image that fails, before anything is done about it."""
    judgement, gate = news.judgement, news.gated.gate
    exceeded = gate.exceeded(judgement.counted)
    said = [
        f"{image_name(news.event)} fails the scan gate: {_too_many(exceeded, judgement, gate)}.",
        _filters(gate),
    ]
    unlisted = news.unlisted
    if unlisted is None and not judgement.worst:
        unlisted = "ECR counts them, and lists none"
    if unlisted is not None:
        said.append(f"Which ones they are is not known: {unlisted}.")
    elif not judgement.is_complete:
        said.append("Not all findings could be looked at, and these are too many already.")
    return _outcome(
        OutcomeKind.IMAGE_VULNERABLE,
        news,
        reason=_with_changes(said, news.changes),
        next_step=_next_step(judgement),
        severity=_severity(exceeded, judgement),
    )


def recovered(news: GateNews) -> Outcome:
    """Give the outcome about an image that failed and passes again."""
    next_step = "Nothing is left to do."
    if news.state.change_ids:
        ids = " ".join(news.state.change_ids)
        next_step = f"If it is quarantined still, `ecr-warden undo {ids}` lets it be pulled again."
    return _outcome(
        OutcomeKind.IMAGE_RECOVERED,
        news,
        reason=_with_changes([f"{image_name(news.event)} passes the scan gate again."], news.changes),
        next_step=next_step,
        severity=Severity.INFO,
    )


def _outcome(
    kind: OutcomeKind, news: GateNews, *, reason: str, next_step: str, severity: Severity
) -> Outcome:
    judgement, gated = news.judgement, news.gated
    findings = FindingsSummary(
        counts=_worst_first(judgement.counts),
        counted=_worst_first(judgement.counted),
        allowed=dict(gated.gate.limits),
        worst=tuple(_shown(finding) for finding in judgement.worst),
        changes=news.changes,
        is_complete=judgement.is_complete,
    )
    told = Told(
        kind=kind,
        decision="failed" if judgement.has_failed else "passed",
        action=gated.rules.on_failure,
        reason=reason,
        next_step=next_step,
        severity=severity,
        # What was found is a part of the id, so that nothing new is taken for told where the memory of an
        # image was lost.
        about=(str(news.state.told + 1), _found(judgement)),
    )
    return replace(image_outcome(news.event, gated, told, news.owner), findings=findings)


def _found(judgement: Judgement) -> str:
    return sha256(repr((judgement.marks, sorted(judgement.counts.items()))).encode()).hexdigest()


@dataclass(frozen=True)
class Told:
    """What there is to say of an image; ``about`` tells its outcomes of one kind apart."""

    kind: OutcomeKind
    decision: str
    action: ScanAction
    reason: str
    next_step: str
    severity: Severity
    about: tuple[str, ...]


def image_outcome(event: ScanEvent, gated: GateRule, told: Told, owner: str | None) -> Outcome:
    """Give the outcome about an image, before anything is done about it.

    Its id does not depend on which event led to it, but for what ``about`` has. Images that are replicated
    have one digest in several Regions.
    """
    return Outcome(
        id=outcome_id(
            told.kind,
            event_id="",
            repository=event.repository_name,
            image_digest=event.image_digest,
            about=(event.account, event.region, *told.about),
        ),
        kind=told.kind,
        account=event.account,
        region=event.region,
        repository=event.repository_name,
        image_digest=event.image_digest,
        image_tag=event.image_tags[0] if event.image_tags else None,
        mode=gated.mode,
        decision=told.decision,
        action=told.action.value,
        changed=False,
        reason=told.reason,
        next_step=told.next_step,
        rule=gated.rule,
        severity=told.severity,
        event_id=event.event_id,
        event_time=event.event_time,
        owner=owner,
    )


def image_name(event: ScanEvent) -> str:
    """Name an image as people would pull it."""
    tag = event.image_tags[0] if event.image_tags else None
    return name_of(event.repository_name, tag, event.image_digest)


def _too_many(exceeded: Iterable[str], judgement: Judgement, gate: Gate) -> str:
    unknown = {name: count for name, count in judgement.counted.items() if rank_of(name) < 0 and count}
    parts = [
        f"{judgement.counted[name]} {name} ({gate.limits[name]} allowed)"
        for name in exceeded
        if judgement.counted.get(name)
    ]
    parts += [f"{count} of the unknown severity {name}" for name, count in sorted(unknown.items())]
    return ("" if judgement.is_complete else "at least ") + ", ".join(parts)


def _filters(gate: Gate) -> str:
    """Say what does not count; what the scanner does not say of a finding does."""
    what = []
    if gate.fixable_only:
        what.append("have no fix")
    if gate.exploitable_only:
        what.append("have no known exploit")
    if gate.min_epss is not None:
        what.append(f"have an EPSS score under {gate.min_epss:g}")
    if gate.grace:
        what.append("are in their days of grace")
    return f"Not counted are findings that {', or '.join(what)}." if what else ""


def _with_changes(said: list[str], changes: FindingChanges | None) -> str:
    if changes is not None:
        numbers = f"{changes.new} new, {changes.fixed} fixed, {changes.still_there} still there"
        said = [*said, f"Compared with {changes.compared_with}: {numbers}."]
    return " ".join(text for text in said if text)


def _severity(exceeded: Iterable[str], judgement: Judgement) -> Severity:
    if any(rank_of(name) < 0 and count for name, count in judgement.counted.items()):
        return Severity.CRITICAL
    return next((_SEVERITIES[name] for name in exceeded), Severity.MEDIUM)


def _next_step(judgement: Judgement) -> str:
    fixes = [
        f"{package.name} to {package.fixed_version} ({finding.id})"
        for finding in judgement.worst
        for package in finding.packages[:1]
        if package.fixed_version is not None
    ]
    fixes = [cut(fix, _TEXT_LENGTH) for fix in dict.fromkeys(fixes)]
    if fixes:
        first = f"Update {some(fixes, _FIXES_SHOWN)}, build the image again and push it."
    else:
        first = "Build the image again on a base image without these findings, and push it."
    excepted = (
        "Where a finding is no risk here, add an exception to the policy, with a reason and an end date."
    )
    return f"{first} {excepted}"


def _shown(finding: Finding) -> FindingShown:
    # The package that can be updated says more than one that cannot.
    packages = sorted(finding.packages, key=lambda package: package.fixed_version is None)
    first = packages[0] if packages else Package("")
    return FindingShown(
        id=cut(finding.id, _TEXT_LENGTH),
        severity=cut(finding.severity, _TEXT_LENGTH),
        package=cut(first.name, _TEXT_LENGTH) or None,
        installed_version=cut(first.installed_version or "", _TEXT_LENGTH) or None,
        fixed_version=cut(first.fixed_version or "", _TEXT_LENGTH) or None,
        more_packages=max(len(packages) - 1, 0),
        # A link that was cut would lead nowhere.
        url=finding.url if finding.url is not None and len(finding.url) <= _TEXT_LENGTH else None,
        exploit_available=finding.exploit_available,
        epss=finding.epss,
    )


def _worst_first(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts, key=lambda name: (rank_of(name), name))}
