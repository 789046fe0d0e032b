"""What a policy says of a repository and of a tag in it, by the functions that judge a real push."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, assert_never

from ecr_warden.domain.artifacts import Artifact, classify
from ecr_warden.domain.events import ImageAction
from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.policy import (
    IgnoredVulnerability,
    Mode,
    Policy,
    Route,
    RuleReference,
    ScanGate,
    Severity,
    TagAction,
    TagException,
)
from ecr_warden.domain.quarantine import quarantined_digest
from ecr_warden.domain.resolution import REPOSITORY_SECTIONS, PassedOver, Resolution, resolve, resolve_tags
from ecr_warden.domain.routing import is_for_repository
from ecr_warden.domain.tag_patterns import matches_tag
from ecr_warden.domain.tag_rules import Allowed, NotJudged, Violation, judge_push

# What an event says was pushed, for each kind of artifact that a rule may be for.
MEDIA_TYPES: Final = {
    Artifact.IMAGE: "application/vnd.oci.image.config.v1+json",
    Artifact.HELM_CHART: "application/vnd.cncf.helm.config.v1+json",
    Artifact.BUILD_CACHE: "application/vnd.buildkit.cacheconfig.v0",
    Artifact.OTHER: "application/vnd.wasm.config.v0+json",
}


@dataclass(frozen=True)
class Section:
    """Which rule decides a section, what it says, and the rules that were passed over."""

    rule: RuleReference | None
    mode: Mode
    override: bool
    settings: Any
    passed_over: tuple[PassedOver, ...]


@dataclass(frozen=True)
class MatchingException:
    """An exception that is for the repository, and for the tag if one was named."""

    line: int
    repository: str
    tag: str
    until: date
    reason: str
    in_force: bool


@dataclass(frozen=True)
class MatchingVulnerability:
    """An exception by vulnerability for the gate of the repository: the policy's, or the section's own."""

    line: int
    vulnerability: str
    package: str | None
    repository: str | None
    until: date
    reason: str
    in_force: bool


@dataclass(frozen=True)
class Verdict:
    """Whether a tag would pass; what a rule asks for is ``None`` where it would."""

    passes: bool
    decision: str
    reason: str
    rule: RuleReference | None = None
    mode: Mode | None = None
    action: TagAction | None = None
    severity: Severity | None = None


@dataclass(frozen=True)
class Explanation:
    """All that the policy says of a repository, and of a tag in it."""

    repository: str
    tag: str | None
    artifact: Artifact
    date: date
    verdict: Verdict | None
    sections: dict[str, Section]
    exceptions: tuple[MatchingException, ...]
    vulnerability_exceptions: tuple[MatchingVulnerability, ...]
    routes: tuple[Route, ...]


def explain_push(
    policy: Policy, repository: str, tag: str | None, *, artifact: Artifact, now: datetime
) -> Explanation:
    """Explain what the policy says of a push at a time, in UTC, or without a tag of any push."""
    push = _push(repository, tag, artifact, now)
    # A signature is told by its tag, whatever is said to be pushed.
    pushed = classify(push)
    return Explanation(
        repository=repository,
        tag=tag,
        artifact=pushed,
        date=now.date(),
        verdict=None if tag is None else _verdict(judge_push(push, policy)),
        sections={
            "tags": _section(resolve_tags(policy, repository, pushed)),
            **{
                name: _section(resolve(policy, repository, name))
                for name in REPOSITORY_SECTIONS
                # What the whole policy is silent about needs no saying.
                if any(getattr(rule, name) is not None for rule in policy.rules)
            },
        },
        exceptions=tuple(_exceptions(policy, repository, tag, now.date())),
        vulnerability_exceptions=tuple(_vulnerability_exceptions(policy, repository, now.date())),
        routes=tuple(route for route in policy.routes if is_for_repository(route, repository)),
    )


def _push(repository: str, tag: str | None, artifact: Artifact, now: datetime) -> ImageAction:
    """Make the event that ECR would send."""
    return ImageAction(
        event_id="explain",
        event_time=now,
        account="",
        region="",
        detail_type="ECR Image Action",
        action_type="PUSH",
        result="SUCCESS",
        repository_name=repository,
        # A quarantine tag is judged as the tag of the image that it names.
        image_digest=quarantined_digest(tag or "") or "",
        image_tag=tag,
        manifest_media_type=None,
        artifact_media_type=MEDIA_TYPES[artifact],
    )


def _verdict(decision: NotJudged | Allowed | Violation) -> Verdict:
    match decision:
        case NotJudged(reason):
            return Verdict(passes=True, decision="not_judged", reason=reason)
        case Allowed(reason):
            return Verdict(passes=True, decision="allowed", reason=reason)
        case Violation():
            return Verdict(
                passes=False,
                decision="violation",
                reason=decision.reason,
                rule=decision.rule,
                mode=decision.mode,
                action=decision.action,
                severity=decision.severity,
            )
        case never:  # pragma: no cover  # mypy proves it
            assert_never(never)


def _section(resolution: Resolution[Any]) -> Section:
    return Section(
        resolution.rule, resolution.mode, resolution.override, resolution.rules, resolution.passed_over
    )


def _exceptions(policy: Policy, repository: str, tag: str | None, day: date) -> Iterator[MatchingException]:
    for exception in policy.exceptions:
        if matches_glob(exception.repository, repository) and _is_for_tag(exception, tag):
            yield MatchingException(
                line=exception.line,
                repository=exception.repository,
                tag=exception.tag,
                until=exception.until,
                reason=exception.reason,
                in_force=day <= exception.until,
            )


def _vulnerability_exceptions(policy: Policy, repository: str, day: date) -> Iterator[MatchingVulnerability]:
    gate: ScanGate | None = resolve(policy, repository, "scan_gate").rules
    if gate is None:
        return
    for entry in (*gate.ignore, *policy.vulnerability_exceptions):
        if _is_for_repository(entry, repository):
            yield MatchingVulnerability(
                line=entry.line,
                vulnerability=entry.vulnerability,
                package=entry.package,
                repository=entry.repository,
                until=entry.until,
                reason=entry.reason,
                in_force=day <= entry.until,
            )


def _is_for_repository(entry: IgnoredVulnerability, repository: str) -> bool:
    return entry.repository is None or matches_glob(entry.repository, repository)


def _is_for_tag(exception: TagException, tag: str | None) -> bool:
    return tag is None or matches_tag(exception.tag, tag)
