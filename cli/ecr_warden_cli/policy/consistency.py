"""What is wrong between a policy's entries, each of which is sound by itself."""

from collections.abc import Iterator, Mapping
from datetime import date

from ecr_warden.domain.policy import Rule
from ecr_warden.domain.reachability import unreachable_settings, unreachable_tags
from ecr_warden.domain.resolution import REPOSITORY_SECTIONS
from ecr_warden_cli.policy.model import ExceptionModel
from ecr_warden_cli.policy.problems import Problem
from ecr_warden_cli.policy.source import Source


def rule_problems(rules: Mapping[int, Rule], source: Source, file: str) -> Iterator[Problem]:
    """Find rules that do nothing; ``rules`` has them by their place in the file."""
    ordered = tuple(rules.values())
    found = {"tags": unreachable_tags(ordered)}
    found |= {section: unreachable_settings(ordered, section) for section in REPOSITORY_SECTIONS}
    for section, unreachable in ((name, one) for name, several in found.items() for one in several):
        # By identity: rules that are the same, on one line, are equal.
        place = next(place for place, rule in rules.items() if rule is unreachable.rule)
        position = source.position(("rules", place, section))
        yield Problem(file, *position, _unreachable(section, unreachable.shadowed_by))
    for place, rule in rules.items():
        if rule.tags is None and all(getattr(rule, section) is None for section in REPOSITORY_SECTIONS):
            message = (
                "the rule has no section, so it does nothing, and later rules decide for what it matches: "
                "give it tags, settings or scan_gate, or remove it"
            )
            yield Problem(file, *source.position(("rules", place)), message, "warning")


def _unreachable(section: str, shadowed_by: tuple[Rule, ...]) -> str:
    if not shadowed_by:
        return (
            f"{section} is unreachable: no repository's name matches this rule that its except does not take "
            "out; make match wider or except narrower, or remove the rule"
        )
    lines = [str(rule.line) for rule in shadowed_by]
    if len(lines) == 1:
        deciding = f"the rule of line {lines[0]} decides"
    else:
        deciding = f"the rules of lines {', '.join(lines[:-1])} and {lines[-1]} decide"
    return (
        f"{section} is unreachable: {deciding} for all that this rule matches; "
        f"move this rule above line {lines[0]}, or remove it"
    )


def exception_problems(
    exceptions: Mapping[int, ExceptionModel], source: Source, file: str, today: date
) -> Iterator[Problem]:
    """Find exceptions that are over."""
    for place, exception in exceptions.items():
        if exception.until < today:
            message = f"the exception ended on {exception.until}: remove it, or give it a later end"
            yield Problem(file, *source.position(("exceptions", place, "until")), message, "warning")
