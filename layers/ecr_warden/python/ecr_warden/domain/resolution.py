"""Which rule decides a section for a repository, and why the ones before it do not."""

from collections.abc import Iterator
from dataclasses import dataclass

from ecr_warden.domain.artifacts import Artifact
from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.policy import Mode, Policy, Rule, RuleReference, TagRules


@dataclass(frozen=True)
class PassedOver:
    """A rule that did not decide, and why."""

    line: int
    match: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class TagResolution:
    """The tag rules that decide, in their mode; ``rules`` is ``None`` where no rule has any."""

    rules: TagRules | None
    mode: Mode
    rule: RuleReference | None
    passed_over: tuple[PassedOver, ...]


def resolve_tags(policy: Policy, repository_name: str, artifact: Artifact = Artifact.IMAGE) -> TagResolution:
    """Find the first rule that matches a repository and has tag rules for this kind of artifact."""
    passed_over: list[PassedOver] = []
    for rule in policy.rules:
        decides = _tags_or_reason(rule, repository_name, artifact)
        if isinstance(decides, TagRules):
            reference = RuleReference(policy.file, decides.line, rule.match)
            return TagResolution(decides, rule.mode or policy.mode, reference, tuple(passed_over))
        passed_over.append(PassedOver(rule.line, rule.match, decides))
    return TagResolution(None, policy.mode, None, tuple(passed_over))


def _tags_or_reason(rule: Rule, repository_name: str, artifact: Artifact) -> TagRules | str:
    """Give the rule's tag rules if they decide, or else why they do not."""
    if not any(_matching(rule.match, repository_name)):
        return f"its match has no glob for {repository_name}"
    for glob in _matching(rule.excluded, repository_name):
        return f"its except has {glob}"
    if rule.tags is None:
        return "it has no tags section"
    if artifact not in rule.tags.artifacts:
        return f"its tags section is for {', '.join(sorted(rule.tags.artifacts))}, not {artifact}"
    return rule.tags


def _matching(globs: tuple[str, ...], repository_name: str) -> Iterator[str]:
    return (glob for glob in globs if matches_glob(glob, repository_name))
