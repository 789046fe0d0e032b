"""What of a rule, taken by itself, ECR cannot do: whatever the registry has and other rules say."""

from collections.abc import Iterator
from typing import Final

from ecr_warden.domain.globs import ANY_SEGMENTS
from ecr_warden.domain.policy import Mode, Policy, Rule, RuleReference
from ecr_warden.domain.settings.native import REGISTRY, NotNative, reference
from ecr_warden.domain.settings.template_regions import template_prefix, template_sections
from ecr_warden.domain.settings.templates import fixed_tags

# The sections that are for the registry as a whole, and how each knows repositories.
_REGISTRY_FILTERS: Final = {"scanning": "filter", "replicate_to": "prefix"}


def limits_of(policy: Policy) -> Iterator[NotNative]:
    """Give what is not native of each rule."""
    for rule in policy.rules:
        if policy.mode_of(rule) is Mode.AUDIT:
            yield from _audited(policy, rule)
        else:
            yield from _globs(policy, rule)
            yield from _tags(policy, rule)
            yield from _narrow(policy, rule)
            yield from _scanning(policy, rule)


def _audited(policy: Policy, rule: Rule) -> Iterator[NotNative]:
    others = [section for section in _REGISTRY_FILTERS if getattr(rule, section) is not None]
    for section in (*template_sections(rule), *others):
        yield NotNative(reference(policy, rule, section), (section,), "the rule is in audit mode")


def _globs(policy: Policy, rule: Rule) -> Iterator[NotNative]:
    sections = template_sections(rule)
    for glob in dict.fromkeys(rule.match) if sections else ():
        if template_prefix(glob) is None:
            where = RuleReference(policy.file, rule.line, rule.match)
            reason = (
                f"{glob} is no prefix as ECR's templates have it, which are for all that is below one, as in "
                f"prod/{ANY_SEGMENTS}"
            )
            yield NotNative(where, sections, reason)


def _tags(policy: Policy, rule: Rule) -> Iterator[NotNative]:
    if rule.resource_tags is None:
        return
    where = reference(policy, rule, "resource_tags")
    fixed = fixed_tags(rule.resource_tags.set)
    other = [key for key, _ in rule.resource_tags.set if key not in fixed]
    if other:
        reason = f"{', '.join(other)}: a template's tags are the same for every repository and every creator"
        yield NotNative(where, ("resource_tags",), reason)
    if rule.resource_tags.require:
        required = ", ".join(rule.resource_tags.require)
        yield NotNative(where, ("resource_tags",), f"{required}: what is required is told, not set")


def _narrow(policy: Policy, rule: Rule) -> Iterator[NotNative]:
    for section, kind in _REGISTRY_FILTERS.items():
        found = getattr(rule, section)
        for glob in found.narrow if found is not None else ():
            reason = (
                f"no {kind} takes just what the policy decides so of {glob}: each repository gets one of its "
                "own when it is created"
            )
            yield NotNative(reference(policy, rule, section), (section,), reason, REGISTRY)


def _scanning(policy: Policy, rule: Rule) -> Iterator[NotNative]:
    if rule.scanning is not None and rule.scanning.scan_on_push is not None:
        reason = "scan_on_push is a repository's own setting, which templates do not have"
        yield NotNative(reference(policy, rule, "scanning"), ("scanning",), reason)
