"""Filters for one repository: the shortest that takes it and none that the policy decides otherwise.

They are for globs of which something is taken out. ECR has no exclusions, but a filter that begins like one
repository may well take none of the others.
"""

from collections.abc import Iterable
from dataclasses import replace

from ecr_warden.domain.policy import Destination, Policy, Rule
from ecr_warden.domain.settings.coverage import CoverageProblem, replication_problems, scanning_problems
from ecr_warden.domain.settings.filter_kinds import PREFIXES, WILDCARDS, FilterKind, deciding_rules, is_right
from ecr_warden.domain.settings.filters import filter_problem, prefix_problem
from ecr_warden.domain.settings.grouping import Wanted
from ecr_warden.domain.settings.overlap import Overlap
from ecr_warden.domain.settings.replication import Written, at


def narrowed(policy: Policy) -> Policy:
    """Note in a policy which globs no filter of their own can express: their repositories get theirs."""
    replication = _globs(replication_problems(policy))
    scanning = _globs(scanning_problems(policy))
    return replace(
        policy,
        rules=tuple(
            replace(
                rule,
                replicate_to=rule.replicate_to
                and replace(rule.replicate_to, narrow=replication.get(place, ())),
                scanning=rule.scanning and replace(rule.scanning, narrow=scanning.get(place, ())),
            )
            for place, rule in ((id(rule), rule) for rule in policy.rules)
        ),
    )


def _globs(problems: Iterable[CoverageProblem]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for problem in problems:
        if problem.globs:
            # By identity: rules that are the same are equal, and only one of them may have the problem.
            found[id(problem.rule)] = (*found.get(id(problem.rule), ()), *problem.globs)
    return found


def own_prefix(policy: Policy, repository_name: str) -> str | None:
    """Give the shortest prefix of a repository that replicates nothing otherwise than the policy says."""
    return _own(policy, repository_name, PREFIXES)


def own_wildcard(policy: Policy, repository_name: str) -> str | None:
    """Give the shortest scanning filter of a repository, likewise."""
    prefix = _own(policy, repository_name, WILDCARDS)
    return None if prefix is None else f"{prefix}*"


def _own(policy: Policy, repository_name: str, kind: FilterKind) -> str | None:
    rules = deciding_rules(policy, kind)
    rule = Overlap(rules, ()).deciding(repository_name)
    if rule is None or not _is_right(policy, rules, rule, repository_name, kind):
        return None
    # A longer prefix takes less, so that from the shortest right one on all are.
    wrong, right = 0, len(repository_name)
    while right - wrong > 1:
        middle = (wrong + right) // 2
        if _is_right(policy, rules, rule, repository_name[:middle], kind):
            right = middle
        else:
            wrong = middle
    return repository_name[:right]


def _is_right(policy: Policy, rules: list[Rule], rule: Rule, prefix: str, kind: FilterKind) -> bool:
    if prefix_problem(prefix) is not None or filter_problem(f"{prefix}*") is not None:
        return False
    return is_right(policy, rules, rule, f"{prefix}*", kind)


def written_by(policy: Policy, wanted: Wanted, account: str) -> Written:
    """Give what tells for which destinations a policy writes a prefix, for a rule's globs or by itself."""
    return lambda prefix: wanted.get(prefix, frozenset()) | at(_own_destinations(policy, prefix), account)


def _own_destinations(policy: Policy, prefix: str) -> frozenset[Destination]:
    """Give the destinations for which a prefix is one that ``own_prefix`` gives to some repository."""
    rules = deciding_rules(policy, PREFIXES)
    return frozenset(
        destination
        for rule in rules
        if rule.replicate_to is not None
        and rule.replicate_to.narrow
        and _is_right(policy, rules, rule, prefix, PREFIXES)
        # A longer one than need be is somebody else's.
        and not _is_right(policy, rules, rule, prefix[:-1], PREFIXES)
        for destination in rule.replicate_to.destinations
    )
