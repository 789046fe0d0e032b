"""How ECR knows repositories in a registry's documents: by prefixes in one, by wildcards in the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ecr_warden.domain.languages import TooEntangledError
from ecr_warden.domain.policy import Destination, Mode, Policy, Rule, ScanFrequency
from ecr_warden.domain.settings.filters import filter_problem, prefix_of, prefix_problem, wildcards_of
from ecr_warden.domain.settings.overlap import Overlap


@dataclass(frozen=True)
class FilterKind:
    """How ECR knows repositories in one of a registry's documents.

    ``as_wildcard`` gives a filter with its ``*``. ``shortfall`` says what a rule that decides for a
    repository lacks of another whose filter takes it, or ``None``.
    """

    section: str
    knows: str
    noun: str
    nouns: str
    remedy: str
    reword: str
    filter_of: Callable[[str], str]
    refusal_of: Callable[[str], str | None]
    as_wildcard: Callable[[str], str]
    shortfall: Callable[[Rule, Rule], str | None]
    has: Callable[[Rule], bool]


def deciding_rules(policy: Policy, kind: FilterKind) -> list[Rule]:
    """Give the rules that decide what is kept in one of a registry's documents."""
    return [rule for rule in policy.rules if kind.has(rule)]


def is_right(policy: Policy, rules: Sequence[Rule], rule: Rule, wildcard: str, kind: FilterKind) -> bool:
    """Tell whether all that a wildcard takes may be treated as a rule says; ``False`` if it is not known."""
    try:
        misjudged = Overlap(rules, [wildcard]).misjudged(
            wildcard, lambda other: shortfall(policy, other, rule, kind) is None
        )
    except TooEntangledError:
        return False
    return misjudged is None


def shortfall(policy: Policy, deciding: Rule, rule: Rule, kind: FilterKind) -> str | None:
    """Say what a repository that another rule decides lacks of what a rule wants, or ``None``."""
    # A rule that is only audited is not written, and so replaces none that is.
    is_told_only = policy.mode_of(deciding) is Mode.AUDIT and policy.mode_of(rule) is Mode.ENFORCE
    return "in audit mode" if is_told_only else kind.shortfall(deciding, rule)


def _destinations_missing(deciding: Rule, rule: Rule) -> str | None:
    there = deciding.replicate_to.destinations if deciding.replicate_to else ()
    wanted = rule.replicate_to.destinations if rule.replicate_to else ()
    missing = [_text(each) for each in wanted if each not in there]
    return f"without {', '.join(missing)}" if missing else None


def _text(destination: Destination) -> str:
    return f"{destination.account}/{destination.region}" if destination.account else destination.region


def frequency_of(rule: Rule) -> ScanFrequency | None:
    """Give how often a rule wants the registry to scan, ``None`` where it leaves that alone."""
    return rule.scanning.frequency if rule.scanning else None


def _lower_frequency(deciding: Rule, rule: Rule) -> str | None:
    # Where several of its filters match, ECR takes the most frequent.
    order: list[ScanFrequency | None] = [None, *ScanFrequency]
    frequency = frequency_of(deciding)
    return f"with {frequency}" if order.index(frequency) < order.index(frequency_of(rule)) else None


PREFIXES: Final = FilterKind(
    section="replicate_to",
    knows="replicates by prefix alone",
    noun="prefix",
    nouns="prefixes",
    remedy="replicate it too, or name prefixes that leave it out",
    reword="name other prefixes",
    filter_of=prefix_of,
    refusal_of=prefix_problem,
    as_wildcard="{}*".format,
    shortfall=_destinations_missing,
    has=lambda rule: rule.replicate_to is not None,
)
WILDCARDS: Final = FilterKind(
    section="scanning",
    knows="scans by wildcards, whose * takes / too",
    noun="filter",
    nouns="wildcards",
    remedy="scan it so too, or write globs that leave it out as a wildcard",
    reword="write another glob",
    filter_of=wildcards_of,
    refusal_of=filter_problem,
    as_wildcard="{}".format,
    shortfall=_lower_frequency,
    has=lambda rule: frequency_of(rule) is not None,
)
