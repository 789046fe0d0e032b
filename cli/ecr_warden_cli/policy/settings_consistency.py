"""What ECR would refuse of a policy's settings, or do otherwise than one may think."""

from collections.abc import Iterator, Mapping
from typing import Literal

from ecr_warden.domain.policy import Lifecycle, Mode, Policy, Rule
from ecr_warden.domain.settings.coverage import replication_problems, scanning_problems
from ecr_warden.domain.settings.lifecycle import combination_problems, lifecycle_document, lifecycle_warnings
from ecr_warden.domain.settings.lifecycle_rules import lifecycle_problems
from ecr_warden_cli.policy.problems import Problem
from ecr_warden_cli.policy.source import Source


def lifecycle_section_problems(rules: Mapping[int, Rule], source: Source, file: str) -> Iterator[Problem]:
    """Find lifecycle sections that ECR refuses; ``rules`` has them by their place in the file."""
    for place, rule in rules.items():
        if rule.lifecycle is None:
            continue
        position = source.position(("rules", place, "lifecycle"))
        for message in _lifecycle_problems(rule.lifecycle):
            yield Problem(file, *position, f"lifecycle: {message}")
        for message in lifecycle_warnings(rule.lifecycle):
            yield Problem(file, *position, f"lifecycle: {message}", "warning")


def _lifecycle_problems(lifecycle: Lifecycle) -> list[str]:
    problems = combination_problems(lifecycle)
    if not problems and lifecycle.document is not None:
        return lifecycle_problems(lifecycle_document(lifecycle))
    return problems


def registry_problems(rules: Mapping[int, Rule], mode: Mode, source: Source, file: str) -> Iterator[Problem]:
    """Find what a registry's one document about replication, or scanning, cannot express."""
    policy = Policy(file, mode, tuple(rules.values()))
    for section, find in (("replicate_to", replication_problems), ("scanning", scanning_problems)):
        for problem in find(policy):
            # By identity: rules that are the same, on one line, are equal.
            place = next(place for place, rule in rules.items() if rule is problem.rule)
            severity: Literal["error", "warning"] = "warning" if problem.is_partial else "error"
            yield Problem(file, *source.position(("rules", place, section)), problem.message, severity)
