"""What an outcome says to a person, before any channel gives it a form."""

from collections.abc import Iterator
from dataclasses import dataclass

from ecr_warden.domain.console import console_url
from ecr_warden.domain.finding_summary import FindingChanges, FindingShown, FindingsSummary
from ecr_warden.domain.outcomes import Outcome, OutcomeKind, name_of
from ecr_warden.domain.places import REGISTRY
from ecr_warden.domain.policy import TagAction
from ecr_warden.domain.texts import some

_DONE = {TagAction.QUARANTINE: "Tag quarantined", TagAction.DELETE: "Tag deleted"}
_REPOSITORY = {
    "configured": "New repository configured",
    "incomplete": "New repository is incomplete",
    "would_configure": "New repository differs from the policy",
}
_BY_DECISION = {
    (OutcomeKind.DRIFT_FOUND, "failed"): "Drift could not be repaired",
    (OutcomeKind.DRIFT_FOUND, "repaired"): "Drift repaired",
    (OutcomeKind.SWEEP_FINISHED, "partial"): "Sweep is partial",
}
_QUARANTINED = {
    OutcomeKind.IMAGE_VULNERABLE: "it fails the scan gate",
    OutcomeKind.SCAN_FAILED: "it could not be scanned",
    OutcomeKind.IMAGE_NOT_SCANNED: "it is not scanned",
}
_TITLES = {
    OutcomeKind.IMAGE_VULNERABLE: "Image fails the scan gate",
    OutcomeKind.IMAGE_RECOVERED: "Image passes the scan gate again",
    OutcomeKind.SCAN_FAILED: "Image could not be scanned",
    OutcomeKind.REPLICATION_FAILED: "Image was not replicated",
    OutcomeKind.PULL_THROUGH_CACHE_FAILED: "Image could not be cached",
    OutcomeKind.LIFECYCLE_RAN: "Lifecycle policy ran",
}
_DIGEST_SHOWN = 12
_CHANGES_SHOWN = 10
_SCANS = frozenset({OutcomeKind.IMAGE_VULNERABLE, OutcomeKind.IMAGE_RECOVERED, OutcomeKind.SCAN_FAILED})


@dataclass(frozen=True)
class Notice:
    """A headline, what happened, what to do, the facts by their labels, and where to look.

    ``lines`` are what does not fit into a fact, such as a list: the first says what the others are.
    """

    headline: str
    reason: str
    next_step: str
    facts: tuple[tuple[str, str], ...]
    link: str
    lines: tuple[str, ...] = ()


def notice(outcome: Outcome) -> Notice:
    """Put an outcome in words."""
    return Notice(
        headline=_headline(outcome),
        reason=outcome.reason,
        next_step=outcome.next_step,
        facts=tuple(_facts(outcome)),
        link=console_url(outcome.account, outcome.region, outcome.repository, outcome.image_digest),
        lines=tuple(_lines(outcome)),
    )


def _headline(outcome: Outcome) -> str:
    if outcome.repository != REGISTRY:
        return f"{title(outcome)}: {_image(outcome)}"
    # A run is over several registries, perhaps; anything else is of one.
    is_of_all = outcome.kind is OutcomeKind.SWEEP_FINISHED
    return title(outcome) + ("" if is_of_all else ": the registry as a whole")


def title(outcome: Outcome) -> str:
    """Say in a few words what happened, without what it happened to."""
    if outcome.changed and outcome.kind in _QUARANTINED:
        return f"Image quarantined: {_QUARANTINED[outcome.kind]}"
    match outcome.kind:
        case OutcomeKind.TAG_VIOLATION:
            return _DONE[TagAction(outcome.action)] if outcome.changed else "Tag breaks the policy"
        case OutcomeKind.REPOSITORY_CONFIGURED | OutcomeKind.REPOSITORY_INCOMPLETE:
            return _REPOSITORY[outcome.decision]
        case OutcomeKind.IMAGE_NOT_SCANNED:
            # One image cannot be scanned, or a repository's are not any more.
            return "Images are not scanned" if outcome.image_digest is None else "Image is not scanned"
        case kind:
            named = _TITLES.get(kind, kind.replace("_", " ").capitalize())
            return _BY_DECISION.get((kind, outcome.decision), named)


def _image(outcome: Outcome) -> str:
    digest = outcome.image_digest
    if digest is not None:
        algorithm, _, hashed = digest.partition(":")
        digest = f"{algorithm}:{hashed[:_DIGEST_SHOWN]}"
    return name_of(outcome.repository, outcome.image_tag, digest)


def _facts(outcome: Outcome) -> list[tuple[str, str]]:
    findings = outcome.findings
    facts = [
        ("Severity", outcome.severity.value),
        ("Findings", "" if findings is None else _counts(findings)),
        ("Changes", "" if findings is None or findings.changes is None else _changes(findings.changes)),
        ("Owner", outcome.owner or ""),
        ("Account and Region", f"{outcome.account} {outcome.region}"),
        ("Digest", outcome.image_digest or ""),
        ("Rule", _rule(outcome)),
        # Without a rule nothing was to be done, in no mode.
        ("Mode", "" if outcome.rule is None else outcome.mode.value),
        (_when(outcome.kind), outcome.event_time.isoformat()),
        ("Created by", outcome.created_by or ""),
        ("Pushed by", outcome.pushed_by or ""),
        ("Change", some(outcome.change_ids, _CHANGES_SHOWN)),
    ]
    return [(label, value) for label, value in facts if value]


def _when(kind: OutcomeKind) -> str:
    match kind:
        case OutcomeKind.TAG_VIOLATION:
            return "Pushed at"
        case OutcomeKind.REPOSITORY_CONFIGURED | OutcomeKind.REPOSITORY_INCOMPLETE:
            return "Created at"
        case _:
            return "Seen at" if kind in _SCANS else "Happened at"


def _rule(outcome: Outcome) -> str:
    if outcome.rule is None:
        return ""
    return f"{outcome.rule.file}:{outcome.rule.line} ({', '.join(outcome.rule.match)})"


def _counts(findings: FindingsSummary) -> str:
    return ", ".join(_count(name, findings) for name, count in findings.counts.items() if count) or "none"


def _count(severity: str, findings: FindingsSummary) -> str:
    """Say how many there are of a severity, how many of them count, and how many may be."""
    count, counted = findings.counts[severity], findings.counted.get(severity, 0)
    limit = findings.allowed.get(severity)
    said = f"{severity} {count}"
    if limit is None:
        return said
    if counted != count:
        at_least = "" if findings.is_complete else "at least "
        said += f", of which {at_least}{counted} count"
    return f"{said} (at most {limit})"


def _changes(changes: FindingChanges) -> str:
    said = (
        f"{changes.new} new, {changes.fixed} fixed, {changes.still_there} still there since "
        f"{changes.compared_with}"
    )
    for label, ids, count in (
        ("new", changes.new_ids, changes.new),
        ("fixed", changes.fixed_ids, changes.fixed),
    ):
        if ids:
            more = f", and {count - len(ids)} more" if count > len(ids) else ""
            said += f"; {label}: {', '.join(ids)}{more}"
    return said


def _lines(outcome: Outcome) -> Iterator[str]:
    if outcome.findings is None or not outcome.findings.worst:
        return
    yield "Worst findings"
    for finding in outcome.findings.worst:
        # A text of somebody else's does not begin a line of its own.
        yield " ".join(_finding(finding).split())


def _finding(finding: FindingShown) -> str:
    said = f"{finding.id} {finding.severity}"
    if finding.package is not None:
        fix = f"→ {finding.fixed_version}" if finding.fixed_version else "(no fix known)"
        said += f" {finding.package} {finding.installed_version or ''} {fix}"
    if finding.more_packages:
        said += f" and {finding.more_packages} more package{'s' if finding.more_packages > 1 else ''}"
    if finding.exploit_available:
        said += ", exploit known"
    if finding.epss is not None:
        said += f", EPSS {finding.epss:.5g}"
    return f"{said} {finding.url or ''}"
