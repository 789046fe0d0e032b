"""A registry's replication: what the policy wants of it, and what to append to the rules that are there."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from ecr_warden.domain.policy import Destination, Policy, Rule
from ecr_warden.domain.settings.current import RegistryDestination, ReplicationRule
from ecr_warden.domain.settings.filters import prefix_of
from ecr_warden.domain.settings.grouping import (
    MOST_DESTINATIONS,
    MOST_FILTERS,
    MOST_RULES,
    Destinations,
    Wanted,
    given,
    grouped,
    lacking,
    ordered,
    wanted_for,
)
from ecr_warden.domain.settings.plans import Compliant, Plan, Put, Violation

# Gives the destinations for which the policy itself writes a prefix; it has no other word for its rules.
Written: TypeAlias = Callable[[str], Destinations]


def wanted_replication(policy: Policy, *, account: str, region: str) -> Wanted:
    """Give the destinations of each prefix that the policy's enforced rules replicate.

    The registry itself, ``account`` in ``region``, is no destination: one policy is for several Regions.
    The prefixes take just what the rules decide where the policy has no coverage problems.
    """
    itself = RegistryDestination(region, account)
    wanted = prefixes_of(policy.enforced, account=account)
    return {prefix: rest for prefix, destinations in wanted.items() if (rest := destinations - {itself})}


def at(destinations: Iterable[Destination], account: str) -> Destinations:
    """Give the policy's destinations as an account's registry has them."""
    return frozenset(RegistryDestination(each.region, each.account or account) for each in destinations)


def prefixes_of(rules: Iterable[Rule], *, account: str) -> Wanted:
    """Give the destinations of each prefix that some rules replicate, but for what prefixes cannot say."""
    wanted: dict[str, Destinations] = defaultdict(frozenset)
    for rule in rules:
        if rule.replicate_to is None:
            continue
        for glob in set(rule.match).difference(rule.replicate_to.narrow):
            wanted[prefix_of(glob)] |= at(rule.replicate_to.destinations, account)
    return dict(sorted(wanted.items()))


def plan_replication(
    current: tuple[ReplicationRule, ...], wanted: Wanted, written: Written | None = None
) -> Plan:
    """Add what no rule gives yet, by as few rules as can be; nothing that is there is removed.

    Rules that have nothing but what the policy itself writes are extended where that comes to fewer rules.
    Others are put back as they were.

    Parameters
    ----------
    current
        The registry's rules.
    wanted
        Prefixes, and where they are to be replicated to.
    written
        Gives for which destinations the policy itself writes a prefix; without it, by ``wanted``.

    """
    lacks = lacking(current, wanted)
    if not lacks:
        return Compliant()
    own = written or (lambda prefix: wanted.get(prefix, frozenset()))
    appended = (*current, *grouped(lacks))
    extended = _extended(current, wanted, lacks, own)
    after = extended if len(extended) < len(appended) else appended
    return _excess(current, own, after) or Put(replication_json(current), replication_json(after))


def _extended(
    current: Sequence[ReplicationRule], wanted: Wanted, lacks: Wanted, own: Written
) -> tuple[ReplicationRule, ...]:
    todo, rules = dict(lacks), []
    for rule in current:
        fitting = _fitting(rule, wanted, todo) if _is_of_the_policy(rule, own) and rule.prefixes else []
        rules.append(replace(rule, prefixes=(*rule.prefixes, *fitting)))
        todo |= {prefix: todo[prefix].difference(rule.destinations) for prefix in fitting}
    return (*rules, *grouped(lacks, todo))


def _fitting(rule: ReplicationRule, wanted: Wanted, todo: Wanted) -> list[str]:
    """Give the prefixes that a rule is to have too, as far as there is room for them."""
    fitting = [
        prefix
        for prefix, missing in sorted(todo.items())
        if prefix
        and not missing.isdisjoint(rule.destinations)
        and wanted_for(wanted, prefix).issuperset(rule.destinations)
    ]
    return fitting[: max(0, MOST_FILTERS - len(rule.prefixes))]


def _is_of_the_policy(rule: ReplicationRule, own: Written) -> bool:
    return (
        rule.delete_replication is None
        and len(rule.destinations) > 0
        and all(own(prefix).issuperset(rule.destinations) for prefix in rule.prefixes or ("",))
    )


def _excess(
    current: Sequence[ReplicationRule], own: Written, after: Sequence[ReplicationRule]
) -> Violation | None:
    others = [rule for rule in current if not _is_of_the_policy(rule, own)]
    if len(after) > MOST_RULES:
        return Violation(
            f"the registry's replication would have {len(after)} rules, and ECR takes {MOST_RULES}; "
            f"{len(others)} of them are not the policy's",
            "Remove replication rules that nobody needs, or replicate to fewer sets of destinations",
        )
    destinations = {each for rule in after for each in rule.destinations}
    if len(destinations) > MOST_DESTINATIONS:
        foreign = {each for rule in others for each in rule.destinations}
        return Violation(
            f"the registry's replication would have {len(destinations)} different destinations, and ECR "
            f"takes {MOST_DESTINATIONS}; {len(foreign)} of them are in rules that are not the policy's",
            "Remove replication rules that nobody needs, or replicate to fewer destinations",
        )
    return None


def backfill_destinations(
    before: Sequence[ReplicationRule], after: Sequence[ReplicationRule]
) -> tuple[RegistryDestination, ...]:
    """Give the destinations to which more repositories are replicated than before."""
    grown = [
        destination
        for rule in after
        for prefix in rule.prefixes or ("",)
        for destination in frozenset(rule.destinations) - given(before, prefix)
    ]
    return ordered(frozenset(grown))


def replication_json(rules: Sequence[ReplicationRule]) -> dict[str, Any]:
    """Give a replication configuration as ECR's API has it."""
    return {"rules": [_rule_json(rule) for rule in rules]}


def _rule_json(rule: ReplicationRule) -> dict[str, Any]:
    json: dict[str, Any] = {
        "destinations": [
            {"region": each.region, "registryId": each.registry_id} for each in rule.destinations
        ]
    }
    if rule.prefixes:
        json["repositoryFilters"] = [
            {"filter": prefix, "filterType": "PREFIX_MATCH"} for prefix in rule.prefixes
        ]
    if rule.delete_replication is not None:
        json["deleteReplication"] = {"enabled": rule.delete_replication}
    return json


def replication_rules(json: Mapping[str, Any]) -> tuple[ReplicationRule, ...]:
    """Give the rules of a replication configuration as ECR's API has it."""
    return tuple(
        ReplicationRule(
            tuple(RegistryDestination(each["region"], each["registryId"]) for each in rule["destinations"]),
            tuple(each["filter"] for each in rule.get("repositoryFilters") or ()),
            (rule.get("deleteReplication") or {}).get("enabled"),
        )
        for rule in json.get("rules", ())
    )
