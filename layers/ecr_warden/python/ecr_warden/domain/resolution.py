"""Which rule decides a section for a repository, and why the ones before it do not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from ecr_warden.domain.artifacts import Artifact
from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.policy import Mode, Policy, Rule, RuleReference, TagRules

SCAN_GATE: Final = "scan_gate"
# The sections about a repository's settings, in the order in which people are told of them.
SETTINGS_SECTIONS: Final = (
    "tag_mutability",
    "lifecycle",
    "scanning",
    "replicate_to",
    "resource_tags",
    "repository_policy",
    "encryption",
)
# The sections for which a rule is whatever kind of artifact is in the repository.
REPOSITORY_SECTIONS: Final = (*SETTINGS_SECTIONS, SCAN_GATE)
Section_co = TypeVar("Section_co", covariant=True)


@dataclass(frozen=True)
class PassedOver:
    """A rule that did not decide, and why."""

    line: int
    match: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Resolution(Generic[Section_co]):
    """What a section says for a repository, in its mode; ``rules`` is ``None`` where no rule has it."""

    rules: Section_co | None
    mode: Mode
    rule: RuleReference | None
    passed_over: tuple[PassedOver, ...]
    override: bool = False


@dataclass(frozen=True)
class Decided:
    """A section that some rule decides: what it says, in which mode, and which rule."""

    section: str
    settings: Any
    mode: Mode
    override: bool
    rule: RuleReference


def resolve_tags(
    policy: Policy, repository_name: str, artifact: Artifact = Artifact.IMAGE
) -> Resolution[TagRules]:
    """Find the first rule that matches a repository and has tag rules for this kind of artifact."""

    def tags(rule: Rule) -> TagRules | str:
        if rule.tags is None:
            return "it has no tags section"
        if artifact not in rule.tags.artifacts:
            return f"its tags section is for {', '.join(sorted(rule.tags.artifacts))}, not {artifact}"
        return rule.tags

    return _resolve(policy, repository_name, tags)


def resolve(policy: Policy, repository_name: str, section: str) -> Resolution[Any]:
    """Find the first rule that matches a repository and has a section, one of ``REPOSITORY_SECTIONS``."""

    def settings(rule: Rule) -> Any:  # noqa: ANN401  # each section has a type of its own
        found = getattr(rule, section)
        return f"it has no {section} section" if found is None else found

    return _resolve(policy, repository_name, settings)


def decided_settings(policy: Policy, repository_name: str) -> dict[str, Decided]:
    """Give what the policy says of a repository's settings, by section; those without a rule are left out."""
    found = {}
    for section in SETTINGS_SECTIONS:
        resolution = resolve(policy, repository_name, section)
        if resolution.rule is not None:
            found[section] = Decided(
                section, resolution.rules, resolution.mode, resolution.override, resolution.rule
            )
    return found


def _resolve(
    policy: Policy, repository_name: str, section_of: Callable[[Rule], Section_co | str]
) -> Resolution[Section_co]:
    """Find the deciding rule; ``section_of`` gives a rule's section, or why it does not decide."""
    passed_over: list[PassedOver] = []
    for rule in policy.rules:
        reason = _not_for(rule, repository_name)
        found = section_of(rule) if reason is None else reason
        if not isinstance(found, str):
            reference = RuleReference(policy.file, found.line, rule.match)  # type: ignore[attr-defined]  # as all sections have
            return Resolution(found, policy.mode_of(rule), reference, tuple(passed_over), rule.override)
        passed_over.append(PassedOver(rule.line, rule.match, found))
    return Resolution(None, policy.mode, None, tuple(passed_over))


def _not_for(rule: Rule, repository_name: str) -> str | None:
    """Say why a rule is not for a repository, or ``None`` if it is."""
    if not any(_matching(rule.match, repository_name)):
        return f"its match has no glob for {repository_name}"
    for glob in _matching(rule.excluded, repository_name):
        return f"its except has {glob}"
    return None


def _matching(globs: tuple[str, ...], repository_name: str) -> Iterator[str]:
    return (glob for glob in globs if matches_glob(glob, repository_name))
