"""What of the policy is too much for a registry's one document, and what excludes each other in it.

Each is found with the rule to which it is told. Rules that are only audited count too: they are to be
enforced one day.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from ecr_warden.domain.policy import Rule, ScanFrequency, ScanType
from ecr_warden.domain.settings.grouping import MOST_DESTINATIONS, MOST_RULES, grouped, lacking
from ecr_warden.domain.settings.replication import prefixes_of
from ecr_warden.domain.settings.scanning import FREQUENCIES, MOST_SCANNING_FILTERS, scanning_filters

# The frequencies of one type alone.
_TYPES: Final = {
    ScanFrequency.MANUAL: ScanType.BASIC,
    ScanFrequency.CONTINUOUS_SCAN: ScanType.ENHANCED,
}


def replication_excess(rules: Sequence[Rule]) -> Iterator[tuple[Rule, str]]:
    """Find what makes the policy's replication alone too much; it is told to the last of the rules."""
    wanted = prefixes_of(rules, account="")
    needed = len(grouped(lacking((), wanted)))
    if needed > MOST_RULES:
        message = (
            f"replicate_to cannot be expressed: the policy comes to {needed} replication rules, and ECR "
            f"takes {MOST_RULES}; replicate to fewer sets of destinations, or by fewer prefixes"
        )
        yield rules[-1], message
    destinations = len({each for some in wanted.values() for each in some})
    if destinations > MOST_DESTINATIONS:
        message = (
            f"replicate_to cannot be expressed: the policy has {destinations} different destinations, and "
            f"ECR takes {MOST_DESTINATIONS}; replicate to fewer"
        )
        yield rules[-1], message


def scanning_excess(rules: Sequence[Rule]) -> Iterator[tuple[Rule, str]]:
    """Find frequencies with too many filters; each is told to the last rule that asks for it."""
    for each in scanning_filters(rules):
        if len(each.filters) > MOST_SCANNING_FILTERS:
            asking = [rule for rule in rules if rule.scanning and rule.scanning.frequency is each.frequency]
            message = (
                f"scanning cannot be expressed: the policy comes to {len(each.filters)} filters at "
                f"{each.frequency}, and ECR takes {MOST_SCANNING_FILTERS}; match by fewer and wider globs"
            )
            yield asking[-1], message


def scan_type_problems(rules: Sequence[Rule]) -> Iterator[tuple[Rule, str]]:
    """Find rules that ask for another type than the first, and frequencies that the type lacks."""
    first = wanted_scan_type(rules)
    if first is None:
        return
    line, wanted = first
    for rule in rules:
        if rule.scanning is None:
            continue
        own, frequency = rule.scanning.type or wanted, rule.scanning.frequency
        if own is not wanted:
            message = (
                f"scanning cannot be {own} here and {wanted} by line {line}: a registry has one type; "
                "give all rules the same"
            )
            yield rule, message
        if frequency is not None and frequency not in FREQUENCIES[own]:
            source = "" if rule.scanning.type else f", which line {line} asks for"
            message = (
                f"scanning has no {frequency} with the type {own}{source}: it takes "
                f"{' and '.join(FREQUENCIES[own])}; change the frequency or the type"
            )
            yield rule, message


def wanted_scan_type(rules: Sequence[Rule]) -> tuple[int, ScanType] | None:
    """Give the type that the first rule with one asks for, or else implies, and that rule's line."""
    scanning = [rule.scanning for rule in rules if rule.scanning is not None]
    for each in scanning:
        if each.type is not None:
            return each.line, each.type
    for each in scanning:
        if each.frequency in _TYPES:
            return each.line, _TYPES[each.frequency]
    return None
