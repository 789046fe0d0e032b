"""What of the policy ECR itself can express, where it keeps one document for a whole registry.

There it knows repositories by prefixes or wildcards alone. A rule can be expressed where its filters take no
repository that another rule decides otherwise, or none.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.languages import TooEntangledError
from ecr_warden.domain.policy import Destination, Mode, Policy, Rule, ScanFrequency
from ecr_warden.domain.settings.capacity import replication_excess, scan_type_problems, scanning_excess
from ecr_warden.domain.settings.filters import (
    filter_problem,
    is_exact,
    prefix_of,
    prefix_problem,
    wildcards_of,
)
from ecr_warden.domain.settings.overlap import Overlap

__all__ = ["CoverageProblem", "prefix_of", "replication_problems", "scanning_problems", "wildcards_of"]


@dataclass(frozen=True)
class CoverageProblem:
    """A rule that ECR cannot keep as it is written, and why; the message says what to do.

    With ``is_partial``, repositories of the glob can have filters of their own, each when it is created.
    """

    rule: Rule
    message: str
    glob: str | None = None
    is_partial: bool = False


@dataclass(frozen=True)
class Native:
    """How ECR knows repositories in one of a registry's documents.

    ``as_wildcard`` gives a filter with its ``*``. ``shortfall`` says what a rule that decides for a
    repository lacks of another whose filter takes it, or ``None``.
    """

    section: str
    knows: str
    kind: str
    kinds: str
    remedy: str
    reword: str
    filter_of: Callable[[str], str]
    refusal_of: Callable[[str], str | None]
    as_wildcard: Callable[[str], str]
    shortfall: Callable[[Rule, Rule], str | None]
    has: Callable[[Rule], bool]


def replication_problems(policy: Policy) -> list[CoverageProblem]:
    """Find the rules that ECR cannot replicate by, and a policy that has too many for it."""
    rules = deciding_rules(policy, PREFIXES)
    problems = list(_misjudging(policy, rules, rules, PREFIXES))
    return problems + [CoverageProblem(*each) for each in replication_excess(rules)]


def scanning_problems(policy: Policy) -> list[CoverageProblem]:
    """Find the rules that ECR cannot scan by, types and frequencies that exclude each other, and excess.

    A rule that asks for no frequency leaves the registry's configuration to the rules after it.
    """
    rules = deciding_rules(policy, WILDCARDS)
    # MANUAL needs no filter: it is what a repository has that none takes.
    filtered = [rule for rule in rules if _frequency(rule) is not ScanFrequency.MANUAL]
    problems = list(_misjudging(policy, rules, filtered, WILDCARDS))
    others = (*scan_type_problems(policy.rules), *scanning_excess(filtered))
    return problems + [CoverageProblem(*each) for each in others]


def deciding_rules(policy: Policy, native: Native) -> list[Rule]:
    """Give the rules that decide what is kept in one of a registry's documents."""
    return [rule for rule in policy.rules if native.has(rule)]


def _misjudging(
    policy: Policy, rules: Sequence[Rule], filtered: Sequence[Rule], native: Native
) -> Iterator[CoverageProblem]:
    """Find the rules whose filters take more than they decide; all of ``rules`` decide."""
    wildcards = [
        native.as_wildcard(native.filter_of(glob)) for rule in filtered for glob in dict.fromkeys(rule.match)
    ]
    overlap = Overlap(rules, wildcards)
    for rule in filtered:
        # Globs that come to one filter are one problem.
        globs = {native.filter_of(glob): glob for glob in reversed(rule.match)}
        for filter_, glob in reversed(globs.items()):
            written = (filter_, glob)
            message = _refused(*written, native) or _overreaching(policy, rule, written, overlap, native)
            if message is not None:
                yield _problem(policy, rules, rule, written, f"{native.section} cannot be {message}", native)


def _problem(  # noqa: PLR0913, PLR0917  # what a problem is about
    policy: Policy, rules: Sequence[Rule], rule: Rule, written: tuple[str, str], message: str, native: Native
) -> CoverageProblem:
    """Tell whether repositories of a glob can have filters of their own, by the first one that there is."""
    filter_, glob = written
    wildcard = native.as_wildcard(filter_)
    try:
        name = Overlap(rules, [wildcard]).example(rule, glob, wildcard)
    except TooEntangledError:
        name = None
    is_partial = name is not None and is_right(policy, rules, rule, f"{name}*", native)
    if is_partial:
        message = (
            f"{message}. Until then each repository gets a {native.kind} of its own when it is created, and "
            f"one that can have none is told"
        )
    return CoverageProblem(rule, message, glob, is_partial)


def is_right(policy: Policy, rules: Sequence[Rule], rule: Rule, wildcard: str, native: Native) -> bool:
    """Tell whether all that a wildcard takes may be treated as a rule says; ``False`` if it is not known."""
    try:
        misjudged = Overlap(rules, [wildcard]).misjudged(
            wildcard, lambda other: shortfall(policy, other, rule, native) is None
        )
    except TooEntangledError:
        return False
    return misjudged is None


def _refused(filter_: str, glob: str, native: Native) -> str | None:
    refusal = native.refusal_of(filter_)
    if refusal is None:
        return None
    return f"expressed: {glob} comes to the {native.kind} {filter_}, and {refusal}; {native.reword}"


def _overreaching(
    policy: Policy, rule: Rule, written: tuple[str, str], overlap: Overlap, native: Native
) -> str | None:
    filter_, glob = written
    named = f"{native.kind} {filter_}" if filter_ else f"empty {native.kind}"

    try:
        name = overlap.misjudged(
            native.as_wildcard(filter_), lambda other: shortfall(policy, other, rule, native) is None
        )
    except TooEntangledError:
        return (
            f"checked: the policy's globs are too entangled to tell what else the {named} of {glob} takes; "
            "write them with fewer * and ?"
        )
    if name is None:
        return None
    knows = f"knows no exact names, only {native.kinds}" if is_exact(glob) else native.knows
    deciding = overlap.deciding(name)
    if deciding is not None:
        why = (
            f"for which the rule of line {deciding.line} decides, {shortfall(policy, deciding, rule, native)}"
        )
    elif any(matches_glob(each, name) for each in rule.match):
        why = "which except takes out"
    else:
        why = f"for which no rule has {native.section}"
    return f"expressed: ECR {knows}, and the {named} of {glob} takes {name} too, {why}; {native.remedy}"


def shortfall(policy: Policy, deciding: Rule, rule: Rule, native: Native) -> str | None:
    """Say what a repository that another rule decides lacks of what a rule wants, or ``None``."""
    # A rule that is only audited is not written, and so replaces none that is.
    is_told_only = _mode(policy, deciding) is Mode.AUDIT and _mode(policy, rule) is Mode.ENFORCE
    return "in audit mode" if is_told_only else native.shortfall(deciding, rule)


def _mode(policy: Policy, rule: Rule) -> Mode:
    return rule.mode or policy.mode


def _destinations_missing(deciding: Rule, rule: Rule) -> str | None:
    there = deciding.replicate_to.destinations if deciding.replicate_to else ()
    wanted = rule.replicate_to.destinations if rule.replicate_to else ()
    missing = [_text(each) for each in wanted if each not in there]
    return f"without {', '.join(missing)}" if missing else None


def _text(destination: Destination) -> str:
    return f"{destination.account}/{destination.region}" if destination.account else destination.region


def _frequency(rule: Rule) -> ScanFrequency | None:
    return rule.scanning.frequency if rule.scanning else None


def _lower_frequency(deciding: Rule, rule: Rule) -> str | None:
    # Where several of its filters match, ECR takes the most frequent.
    order: list[ScanFrequency | None] = [None, *ScanFrequency]
    frequency = _frequency(deciding)
    return f"with {frequency}" if order.index(frequency) < order.index(_frequency(rule)) else None


PREFIXES: Final = Native(
    section="replicate_to",
    knows="replicates by prefix alone",
    kind="prefix",
    kinds="prefixes",
    remedy="replicate it too, or name prefixes that leave it out",
    reword="name other prefixes",
    filter_of=prefix_of,
    refusal_of=prefix_problem,
    as_wildcard="{}*".format,
    shortfall=_destinations_missing,
    has=lambda rule: rule.replicate_to is not None,
)
WILDCARDS: Final = Native(
    section="scanning",
    knows="scans by wildcards, whose * takes / too",
    kind="filter",
    kinds="wildcards",
    remedy="scan it so too, or write globs that leave it out as a wildcard",
    reword="write another glob",
    filter_of=wildcards_of,
    refusal_of=filter_problem,
    as_wildcard="{}".format,
    shortfall=_lower_frequency,
    has=lambda rule: _frequency(rule) is not None,
)
