"""Whether a push keeps the policy's tag rules: a pure decision with its reason."""

from dataclasses import dataclass, replace
from datetime import UTC, date

from ecr_warden.domain.artifacts import Artifact, classify
from ecr_warden.domain.events import ImageAction
from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.policy import Mode, Policy, RuleReference, Severity, TagAction, TagException, TagRules
from ecr_warden.domain.quarantine import is_quarantine_tag
from ecr_warden.domain.resolution import resolve_tags
from ecr_warden.domain.tag_patterns import matches_tag


@dataclass(frozen=True)
class NotJudged:
    """The policy's tag rules have nothing to say about this event."""

    reason: str


@dataclass(frozen=True)
class Allowed:
    """The tag passes."""

    reason: str


@dataclass(frozen=True)
class Violation:
    """The tag breaks a rule. ``action`` is what the rule asks for, whatever the mode."""

    image_tag: str
    reason: str
    allowed: tuple[str, ...]
    rule: RuleReference
    mode: Mode
    action: TagAction
    severity: Severity


def judge_push(push: ImageAction, policy: Policy) -> NotJudged | Allowed | Violation:
    """Judge a push by the policy; exceptions count up to the day, in UTC, on which it happened."""
    artifact = classify(push)
    tag = push.image_tag
    if (ignored := _not_a_push(push)) is not None:
        return NotJudged(ignored)
    if tag is None:
        return NotJudged("an untagged push breaks no tag rule")
    if is_quarantine_tag(push.image_digest, tag):
        return NotJudged("a quarantine tag is ECR Warden's own")
    if artifact is Artifact.REFERRER:
        return NotJudged("signatures, SBOMs and attestations are never judged")
    return _judge_tag(push, tag, artifact, policy)


def is_allowed(push: ImageAction, image_tag: str, policy: Policy) -> bool:
    """Tell whether the policy allows another tag of the image; one that it does not judge, it does not."""
    return isinstance(judge_push(replace(push, image_tag=image_tag), policy), Allowed)


def _not_a_push(push: ImageAction) -> str | None:
    if push.action_type != "PUSH":
        return f"{push.action_type} is not a push"
    if push.result != "SUCCESS":
        return f"the push ended as {push.result}"
    return None


def _judge_tag(
    push: ImageAction, tag: str, artifact: Artifact, policy: Policy
) -> NotJudged | Allowed | Violation:
    resolution = resolve_tags(policy, push.repository_name, artifact)
    if resolution.rules is None or resolution.rule is None:
        return NotJudged(f"no rule has tags for {artifact} artifacts in {push.repository_name}")
    day = push.event_time.astimezone(UTC).date()
    exception = find_exception(policy, push.repository_name, tag, day)
    if exception is not None:
        return Allowed(f"excepted until {exception.until} ({exception.reason})")
    broken = tag_problem(tag, resolution.rules)
    if broken is None:
        return Allowed(f"the tag {tag} keeps {resolution.rule.file}:{resolution.rule.line}")
    return Violation(
        image_tag=tag,
        reason=broken,
        allowed=resolution.rules.allow,
        rule=resolution.rule,
        mode=resolution.mode,
        action=resolution.rules.on_violation,
        severity=resolution.rules.severity,
    )


def find_exception(policy: Policy, repository_name: str, tag: str, day: date) -> TagException | None:
    """Find the first exception that is in force on a day for a repository's tag."""
    for exception in policy.exceptions:
        if (
            day <= exception.until
            and matches_glob(exception.repository, repository_name)
            and matches_tag(exception.tag, tag)
        ):
            return exception
    return None


def tag_problem(tag: str, rules: TagRules) -> str | None:
    """Say which pattern a tag breaks, or ``None`` if it breaks none."""
    for pattern in rules.deny:
        if matches_tag(pattern, tag):
            return f"the tag {tag} is denied by the pattern {pattern}"
    if rules.allow and not any(matches_tag(pattern, tag) for pattern in rules.allow):
        return f"the tag {tag} matches none of the allowed patterns: {', '.join(rules.allow)}"
    return None
