"""Replication rules, as few as can be, that give each prefix its destinations."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final, TypeAlias

from ecr_warden.domain.settings.current import RegistryDestination, ReplicationRule

# ECR's limits; the first two are for a registry's whole document, the third for a rule.
MOST_RULES: Final = 10
MOST_DESTINATIONS: Final = 25
MOST_FILTERS: Final = 100
# Beyond, the combinations take longer than a function should.
_MOST_CLOSED_SETS: Final = 16

Destinations: TypeAlias = frozenset[RegistryDestination]
_NOWHERE: Final[Destinations] = frozenset()
# Prefixes, the empty one for every repository, and where the repositories that begin so are replicated to.
Wanted: TypeAlias = Mapping[str, Destinations]
# A rule to be: its destinations, and its prefixes.
_Group: TypeAlias = tuple[Destinations, list[str]]
# Prefixes by the destinations that they may have, and those that they must have.
_Classes: TypeAlias = dict[tuple[Destinations, Destinations], list[str]]


def given(rules: Iterable[ReplicationRule], prefix: str) -> Destinations:
    """Give where every repository that begins with a prefix is replicated to by some rules."""
    return frozenset(
        destination
        for rule in rules
        if not rule.prefixes or any(prefix.startswith(each) for each in rule.prefixes)
        for destination in rule.destinations
    )


def wanted_for(wanted: Wanted, prefix: str) -> Destinations:
    """Give where every repository that begins with a prefix is wanted."""
    return _NOWHERE.union(*(wanted[each] for each in wanted if prefix.startswith(each)))


def lacking(rules: Sequence[ReplicationRule], wanted: Wanted) -> dict[str, Destinations]:
    """Give the wanted prefixes that some rules do not give, but those that a shorter wanted one brings."""
    lacks = {}
    for prefix, destinations in sorted(wanted.items()):
        shorter = {each: wanted[each] for each in wanted if each != prefix}
        missing = destinations - wanted_for(shorter, prefix) - given(rules, prefix)
        if missing:
            lacks[prefix] = missing
    return lacks


def grouped(needed: Wanted, todo: Wanted | None = None) -> tuple[ReplicationRule, ...]:
    """Give the fewest rules, and of those the fewest prefixes, that give each prefix its destinations.

    ``todo`` is what the rules must give of what they may give, ``needed``; without it, all. The empty
    prefix has a rule of its own, as a rule has no prefixes where it is for every repository. The rules
    are the fewest as long as there are at most 16 sets of destinations to choose from and no rule has
    more prefixes than ECR takes.
    """
    todo = needed if todo is None else todo
    everywhere = todo.get("", _NOWHERE)
    groups = _fewest(needed, {prefix: rest for prefix, rest in todo.items() if prefix and rest})
    rules = [ReplicationRule(ordered(everywhere))] if everywhere else []
    rules += [rule for group in groups for rule in _rules(*group)]
    return tuple(sorted(rules, key=_order))


def _fewest(needed: Wanted, todo: Wanted) -> list[_Group]:
    # Prefixes that may and must have the same are dealt with as one.
    classes: _Classes = defaultdict(list)
    for prefix in sorted(todo):
        classes[needed[prefix], todo[prefix]].append(prefix)
    choices = _closed_sets({may for may, _ in classes})
    if choices is None:
        return _by_equal_sets(todo)
    essential = _essential(classes, choices)
    others = [each for each in choices if each not in essential]
    found: list[list[_Group]] = []
    for size in range(len(others) + 1):
        chosen = ([*essential, *some] for some in combinations(others, size))
        found += filter(None, (_assigned(classes, each) for each in chosen))
        found = sorted(found, key=_cost)[:1]
        # More sets may still come to fewer rules, where those so far have more prefixes than a rule takes.
        if found and len(essential) + size >= _cost(found[0])[0]:
            break
    return found[0] if found else []


def _closed_sets(destination_sets: Collection[Destinations]) -> list[Destinations] | None:
    """Give the sets of destinations that a rule which cannot have more of them has; ``None``: too many.

    These are the prefixes' own sets, and what several of them have in common. A rule with fewer
    destinations than such a set is never needed: with the whole set it may have the same prefixes.
    """
    closed: set[Destinations] = set()
    for each in sorted(destination_sets, key=_ordered_keys):
        closed |= {each} | {common for other in closed if (common := each & other)}
        if len(closed) > _MOST_CLOSED_SETS:
            return None
    return sorted(closed, key=_ordered_keys)


def _essential(classes: _Classes, choices: Sequence[Destinations]) -> list[Destinations]:
    """Give the sets without which some prefix has not what it must have."""
    essential: set[Destinations] = set()
    for may, must in classes:
        for destination in must:
            giving = [each for each in choices if destination in each and each <= may]
            essential.update(giving if len(giving) == 1 else ())
    return sorted(essential, key=_ordered_keys)


def _assigned(classes: _Classes, chosen: Sequence[Destinations]) -> list[_Group] | None:
    """Put each prefix in as few of the chosen sets as give it what it must have; ``None``: they do not."""
    groups: dict[Destinations, list[str]] = defaultdict(list)
    for (may, must), prefixes in classes.items():
        fitting = [each for each in chosen if each <= may]
        if not must <= _NOWHERE.union(*fitting):
            return None
        for each in next(some for some in _by_size(fitting) if must <= _NOWHERE.union(*some)):
            groups[each] += prefixes
    return list(groups.items())


def _by_size(sets: Sequence[Destinations]) -> Iterator[tuple[Destinations, ...]]:
    return (some for size in range(1, len(sets) + 1) for some in combinations(sets, size))


def _by_equal_sets(todo: Wanted) -> list[_Group]:
    """Group prefixes with the same destinations, or destinations with the same prefixes."""
    by_destinations: dict[Destinations, list[str]] = defaultdict(list)
    prefixes: dict[RegistryDestination, list[str]] = defaultdict(list)
    for prefix in sorted(todo):
        by_destinations[todo[prefix]].append(prefix)
        for destination in todo[prefix]:
            prefixes[destination].append(prefix)
    by_prefixes: dict[tuple[str, ...], set[RegistryDestination]] = defaultdict(set)
    for destination, some in prefixes.items():
        by_prefixes[tuple(some)].add(destination)
    turned = [(frozenset(destinations), list(some)) for some, destinations in by_prefixes.items()]
    return min(list(by_destinations.items()), turned, key=_cost)


def _cost(groups: Iterable[_Group]) -> tuple[int, int]:
    """Give how many rules the groups come to, and how many prefixes."""
    sizes = [len(prefixes) for _, prefixes in groups]
    return sum(-(-size // MOST_FILTERS) for size in sizes), sum(sizes)


def _rules(destinations: Destinations, prefixes: list[str]) -> Iterator[ReplicationRule]:
    in_order = sorted(prefixes)
    for start in range(0, len(in_order), MOST_FILTERS):
        yield ReplicationRule(ordered(destinations), tuple(in_order[start : start + MOST_FILTERS]))


def ordered(destinations: Destinations) -> tuple[RegistryDestination, ...]:
    """Give destinations in the order of their Regions."""
    return tuple(sorted(destinations, key=lambda each: (each.region, each.registry_id)))


def _ordered_keys(destinations: Destinations) -> list[tuple[str, str]]:
    return [(each.region, each.registry_id) for each in ordered(destinations)]


def _order(rule: ReplicationRule) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    return rule.prefixes, _ordered_keys(frozenset(rule.destinations))
