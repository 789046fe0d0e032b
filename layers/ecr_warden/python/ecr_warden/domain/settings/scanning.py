"""A registry's scanning: what the policy wants of it, and what to add to the filters that are there."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ecr_warden.domain.policy import Policy, Rule, ScanFrequency, ScanType
from ecr_warden.domain.settings.current import RegistryScanning, ScanningRule
from ecr_warden.domain.settings.filters import includes, wildcards_of
from ecr_warden.domain.settings.plans import Compliant, Kept, Plan, Put, Violation

MOST_SCANNING_FILTERS: Final = 100
FREQUENCIES: Final[Mapping[ScanType, tuple[ScanFrequency, ...]]] = {
    ScanType.BASIC: (ScanFrequency.MANUAL, ScanFrequency.SCAN_ON_PUSH),
    ScanType.ENHANCED: (ScanFrequency.SCAN_ON_PUSH, ScanFrequency.CONTINUOUS_SCAN),
}
# Least first, as ECR takes the most frequent where several filters match.
_RANK: Final = {frequency: rank for rank, frequency in enumerate(ScanFrequency)}


@dataclass(frozen=True)
class WantedScanning:
    """What the policy wants of a registry's scanning; ``type`` is ``None`` where any will do.

    ``rules`` has one for each frequency but MANUAL, which is what repositories without a filter have.
    """

    type: ScanType | None = None
    rules: tuple[ScanningRule, ...] = ()


def wanted_scanning(policy: Policy) -> WantedScanning | None:
    """Give what the policy's enforced rules want of the registry's scanning, ``None`` if nothing.

    The filters take just what the rules decide where the policy has no coverage problems.
    """
    rules = [
        rule
        for rule in policy.enforced
        if rule.scanning is not None and (rule.scanning.type or rule.scanning.frequency)
    ]
    if not rules:
        return None
    types = [rule.scanning.type for rule in rules if rule.scanning and rule.scanning.type]
    filters = scanning_filters(rules)
    # BASIC knows no continuous scanning, so that asking for it asks for the type too.
    is_continuous = any(rule.frequency is ScanFrequency.CONTINUOUS_SCAN for rule in filters)
    return WantedScanning(next(iter(types), ScanType.ENHANCED if is_continuous else None), filters)


def with_filter(wanted: WantedScanning, frequency: ScanFrequency, text: str) -> WantedScanning:
    """Want one filter more."""
    filters = [*_flat(wanted.rules), _Filter(frequency, text)]
    return replace(wanted, rules=_by_frequency(filters))


def is_scanned(rules: Iterable[ScanningRule], repository_name: str, frequency: ScanFrequency) -> bool:
    """Tell whether some filters scan a repository at least as often."""
    # MANUAL is what a repository has that no filter takes.
    if frequency is ScanFrequency.MANUAL:
        return True
    exactly = _Filter(frequency, f"{repository_name}*")
    return any(_includes(each, exactly) for each in _flat(rules))


def scanning_filters(rules: Iterable[Rule]) -> tuple[ScanningRule, ...]:
    """Give the filters that some policy rules come to, without those that others of them include."""
    filters = {
        _Filter(rule.scanning.frequency, wildcards_of(glob))
        for rule in rules
        if rule.scanning and rule.scanning.frequency not in {None, ScanFrequency.MANUAL}
        for glob in rule.match
        if glob not in rule.scanning.narrow
    }
    kept: list[_Filter] = []
    for each in sorted(filters, key=_width):
        if not any(_includes(wide, each) for wide in kept):
            kept.append(each)
    return _by_frequency(sorted(kept, key=lambda each: each.text))


def plan_registry_scanning(current: RegistryScanning, wanted: WantedScanning, *, override: bool) -> Plan:
    """Add the filters that are wanted and not covered; filters that are there stay.

    A registry's type is changed where it is ECR's default, or with ``override``: scan results of the
    other type are no longer to be had then. Filters at a frequency that the new type lacks become
    SCAN_ON_PUSH; MANUAL ones, which say that nothing is scanned, are left out.
    """
    scan_type = wanted.type or current.type
    reason = _reason_to_keep(current, wanted, scan_type, override=override)
    if reason is not None:
        return Kept(reason)
    there = list(_carried(current.rules, scan_type))
    lacking = [each for each in _flat(wanted.rules) if not any(_includes(wide, each) for wide in there)]
    if scan_type is current.type and not lacking:
        return Compliant()
    after = RegistryScanning(scan_type, _by_frequency([*there, *lacking]))
    return _excess(there, after) or Put(scanning_json(current), scanning_json(after))


def _reason_to_keep(
    current: RegistryScanning, wanted: WantedScanning, scan_type: ScanType, *, override: bool
) -> str | None:
    # Without a filter, BASIC is what every registry begins with.
    is_chosen = current.type is not ScanType.BASIC or any(rule.filters for rule in current.rules)
    if scan_type is not current.type and is_chosen and not override:
        return (
            f"the registry's scanning is {current.type}, and the policy wants {scan_type}; with override: "
            "true it is switched, and the results of earlier scans are no longer available"
        )
    for rule in wanted.rules:
        if rule.frequency not in FREQUENCIES[scan_type]:
            return (
                f"the registry's scanning is {scan_type}, which has no {rule.frequency}; "
                "scanning.type in the policy says which type is wanted"
            )
    return None


def _carried(rules: Iterable[ScanningRule], scan_type: ScanType) -> Iterator["_Filter"]:
    """Give the filters that are there, each at a frequency that a type has."""
    for each in _flat(rules):
        if each.frequency in FREQUENCIES[scan_type]:
            yield each
        elif each.frequency is not ScanFrequency.MANUAL:
            yield _Filter(ScanFrequency.SCAN_ON_PUSH, each.text)


def _excess(there: Sequence["_Filter"], after: RegistryScanning) -> Violation | None:
    for rule in after.rules:
        if len(rule.filters) > MOST_SCANNING_FILTERS:
            foreign = len({each.text for each in there if each.frequency is rule.frequency})
            return Violation(
                f"the registry's scanning would have {len(rule.filters)} filters at {rule.frequency}, and "
                f"ECR takes {MOST_SCANNING_FILTERS}; {foreign} of them are there already",
                "Remove filters that nobody needs, or match repositories by fewer and wider globs",
            )
    return None


@dataclass(frozen=True)
class _Filter:
    frequency: ScanFrequency
    text: str


def _flat(rules: Iterable[ScanningRule]) -> Iterator[_Filter]:
    return (_Filter(rule.frequency, text) for rule in rules for text in rule.filters)


def _by_frequency(filters: Iterable[_Filter]) -> tuple[ScanningRule, ...]:
    by_frequency: dict[ScanFrequency, dict[str, None]] = defaultdict(dict)
    for each in filters:
        by_frequency[each.frequency][each.text] = None
    return tuple(
        ScanningRule(frequency, tuple(by_frequency[frequency]))
        for frequency in ScanFrequency
        if frequency in by_frequency
    )


def _includes(wide: _Filter, narrow: _Filter) -> bool:
    # Where several filters match, ECR takes the most frequent.
    is_as_frequent = _RANK[wide.frequency] >= _RANK[narrow.frequency]
    return is_as_frequent and includes(wide.text, narrow.text)


def _width(each: _Filter) -> tuple[int, int, int, str]:
    """Order filters so that none includes one before it: what includes another has no more to match."""
    stars = each.text.count("*")
    return -_RANK[each.frequency], len(each.text) - stars, -stars, each.text


def scanning_json(scanning: RegistryScanning) -> dict[str, Any]:
    """Give a scanning configuration as ECR's API has it."""
    return {
        "scanType": scanning.type.value,
        "rules": [
            {
                "scanFrequency": rule.frequency.value,
                "repositoryFilters": [{"filter": text, "filterType": "WILDCARD"} for text in rule.filters],
            }
            for rule in scanning.rules
        ],
    }


def registry_scanning(json: Mapping[str, Any]) -> RegistryScanning:
    """Give a scanning configuration from what ECR's API has; without a type, it is BASIC."""
    return RegistryScanning(
        ScanType(json.get("scanType", ScanType.BASIC)),
        tuple(
            ScanningRule(
                ScanFrequency(rule["scanFrequency"]),
                tuple(each["filter"] for each in rule.get("repositoryFilters", ())),
            )
            for rule in json.get("rules", ())
        ),
    )
