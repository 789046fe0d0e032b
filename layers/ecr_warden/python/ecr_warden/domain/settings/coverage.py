"""What of the policy ECR itself can express, where it keeps one document for a whole registry.

There it knows repositories by prefixes or wildcards alone. A rule can be expressed where its filters take no
repository that another rule decides otherwise, or none.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.languages import TooEntangledError
from ecr_warden.domain.policy import Mode, Policy, Rule, ScanFrequency
from ecr_warden.domain.settings.capacity import replication_excess, scan_type_problems, scanning_excess
from ecr_warden.domain.settings.filter_kinds import (
    PREFIXES,
    WILDCARDS,
    FilterKind,
    deciding_rules,
    frequency_of,
    is_right,
    shortfall,
)
from ecr_warden.domain.settings.filters import is_exact
from ecr_warden.domain.settings.overlap import Overlap


@dataclass(frozen=True)
class CoverageProblem:
    """A rule that ECR cannot keep as it is written, and why; the message says what to do.

    With ``is_partial``, repositories of the globs can have filters of their own, each when it is created.
    """

    rule: Rule
    message: str
    globs: tuple[str, ...] = ()
    is_partial: bool = False


def replication_problems(policy: Policy) -> list[CoverageProblem]:
    """Find the rules that ECR cannot replicate by, and a policy that has too many for it."""
    return _of(policy, _replication_problems)


def scanning_problems(policy: Policy) -> list[CoverageProblem]:
    """Find the rules that ECR cannot scan by, types and frequencies that exclude each other, and excess.

    A rule that asks for no frequency leaves the registry's configuration to the rules after it.
    """
    return _of(policy, _scanning_problems)


_Found: TypeAlias = tuple[tuple[int, CoverageProblem], ...]


def _of(policy: Policy, find: Callable[[tuple[Rule, ...], Mode], _Found]) -> list[CoverageProblem]:
    """Give what was found of a policy's rules, with these very rules: equal ones may stand on one line."""
    return [replace(problem, rule=policy.rules[place]) for place, problem in find(policy.rules, policy.mode)]


# A policy is asked about more than once while it is checked, and the walk through its globs takes a while.
@lru_cache(maxsize=4)
def _replication_problems(all_rules: tuple[Rule, ...], mode: Mode) -> _Found:
    policy = Policy("", mode, all_rules)
    rules = deciding_rules(policy, PREFIXES)
    problems = [
        *_misjudging(policy, rules, rules, PREFIXES),
        *(CoverageProblem(*each) for each in replication_excess(rules)),
    ]
    return _placed(problems, all_rules)


@lru_cache(maxsize=4)
def _scanning_problems(all_rules: tuple[Rule, ...], mode: Mode) -> _Found:
    policy = Policy("", mode, all_rules)
    rules = deciding_rules(policy, WILDCARDS)
    # MANUAL needs no filter: it is what a repository has that none takes.
    filtered = [rule for rule in rules if frequency_of(rule) is not ScanFrequency.MANUAL]
    others = (*scan_type_problems(all_rules), *scanning_excess(filtered))
    problems = [
        *_misjudging(policy, rules, filtered, WILDCARDS),
        *(CoverageProblem(*each) for each in others),
    ]
    return _placed(problems, all_rules)


def _placed(problems: Iterable[CoverageProblem], rules: Sequence[Rule]) -> _Found:
    places = {id(rule): place for place, rule in enumerate(rules)}
    return tuple((places[id(problem.rule)], problem) for problem in problems)


def _misjudging(
    policy: Policy, rules: Sequence[Rule], filtered: Sequence[Rule], kind: FilterKind
) -> Iterator[CoverageProblem]:
    """Find the rules whose filters take more than they decide; all of ``rules`` decide."""
    wildcards = [
        kind.as_wildcard(kind.filter_of(glob)) for rule in filtered for glob in dict.fromkeys(rule.match)
    ]
    overlap = Overlap(rules, wildcards)
    for rule in filtered:
        # Globs that come to one filter are one problem.
        by_filter: dict[str, list[str]] = {}
        for glob in rule.match:
            by_filter.setdefault(kind.filter_of(glob), []).append(glob)
        for filter_, globs in by_filter.items():
            written = _Written(filter_, tuple(globs))
            found = _refused(written, kind) or _overreaching(policy, rule, written, overlap, kind)
            if found is not None:
                yield _problem(policy, rules, rule, written, found, kind)


@dataclass(frozen=True)
class _Written:
    """A filter, and the globs of a rule that come to it."""

    filter: str
    globs: tuple[str, ...]


@dataclass(frozen=True)
class _Reason:
    """Why a filter cannot be, and what to do."""

    why: str
    remedy: str
    is_known: bool = True


def _problem(  # noqa: PLR0913, PLR0917  # what a problem is about
    policy: Policy, rules: Sequence[Rule], rule: Rule, written: _Written, found: _Reason, kind: FilterKind
) -> CoverageProblem:
    """Tell whether repositories of a glob can have filters of their own, by the first one that there is."""
    if not found.is_known:
        message = f"{kind.section} cannot be checked: {found.why}; {found.remedy}"
        return CoverageProblem(rule, message, written.globs)
    if any(_has_own(policy, rules, rule, (written.filter, glob), kind) for glob in written.globs):
        message = (
            f"{kind.section} cannot be expressed by one {kind.noun}: {found.why}; so each repository gets a "
            f"{kind.noun} of its own when it is created, and one that can have none is told"
        )
        return CoverageProblem(rule, message, written.globs, is_partial=True)
    message = f"{kind.section} cannot be expressed: {found.why}; {found.remedy}"
    return CoverageProblem(rule, message, written.globs)


def _has_own(
    policy: Policy, rules: Sequence[Rule], rule: Rule, written: tuple[str, str], kind: FilterKind
) -> bool:
    filter_, glob = written
    wildcard = kind.as_wildcard(filter_)
    try:
        name = Overlap(rules, [wildcard]).example(rule, glob, wildcard)
    except TooEntangledError:
        return False
    return name is not None and is_right(policy, rules, rule, f"{name}*", kind)


def _refused(written: _Written, kind: FilterKind) -> _Reason | None:
    refusal = kind.refusal_of(written.filter)
    if refusal is None:
        return None
    return _Reason(
        f"{written.globs[0]} comes to the {kind.noun} {written.filter}, and {refusal}", kind.reword
    )


def _overreaching(
    policy: Policy, rule: Rule, written: _Written, overlap: Overlap, kind: FilterKind
) -> _Reason | None:
    glob = written.globs[0]
    named = f"{kind.noun} {written.filter}" if written.filter else f"empty {kind.noun}"
    try:
        name = overlap.misjudged(
            kind.as_wildcard(written.filter), lambda other: shortfall(policy, other, rule, kind) is None
        )
    except TooEntangledError:
        why = f"the policy's globs are too entangled to tell what else the {named} of {glob} takes"
        return _Reason(why, "write them with fewer * and ?", is_known=False)
    if name is None:
        return None
    knows = f"knows no exact names, only {kind.nouns}" if is_exact(glob) else kind.knows
    deciding = overlap.deciding(name)
    if deciding is not None:
        lacks = shortfall(policy, deciding, rule, kind)
        why = f"for which the rule of line {deciding.line} decides, {lacks}"
    elif any(matches_glob(each, name) for each in rule.match):
        why = "which except takes out"
    else:
        why = f"for which no rule has {kind.section}"
    return _Reason(f"ECR {knows}, and the {named} of {glob} takes {name} too, {why}", kind.remedy)
