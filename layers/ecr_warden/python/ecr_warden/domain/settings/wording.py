"""What a change of a setting is, in words."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ecr_warden.domain.settings.plans import Put, Setting


def change_text(setting: Setting, put: Put) -> str:
    """Say from what to what a setting changes, without a stop."""
    # A registry's documents are long, and mostly somebody else's.
    match setting:
        case Setting.REPLICATION:
            return f"replication of the registry: {_added_replication(put.before or {}, put.after)}"
        case Setting.REGISTRY_SCANNING:
            return f"scanning of the registry: {_added_scanning(put.before or {}, put.after)}"
        case Setting.RESOURCE_TAGS:
            # What they were before is nothing to anybody.
            return f"resource tags {_tags(put.after)}"
    name, say = _WORDS[setting]
    return f"{name} {say(put.before)} → {say(put.after)}"


def _tags(value: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{key}={text}" for key, text in sorted((value or {}).items()))


def _mutability(value: Mapping[str, Any] | None) -> str:
    value = value or {}
    excluded = value.get("except")
    return f"{value.get('mode')}" + (f" (except {', '.join(excluded)})" if excluded else "")


def _rules(value: Mapping[str, Any] | None) -> str:
    return _counted(value, "rules", "rule")


def _statements(value: Mapping[str, Any] | None) -> str:
    return _counted(value, "Statement", "statement")


def _counted(value: Mapping[str, Any] | None, key: str, what: str) -> str:
    if value is None:
        return "none"
    found = value.get(key, [])
    number = len(found) if isinstance(found, list) else 1
    return f"{number} {what}{'' if number == 1 else 's'}"


def _on(value: Mapping[str, Any] | None) -> str:
    return "on" if value and value.get("scan_on_push") else "off"


def _added_scanning(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    there = {pair for rule in before.get("rules", []) for pair in _filters(rule)}
    added = [pair for rule in after.get("rules", []) for pair in _filters(rule) if pair not in there]
    parts = [f"{text} at {frequency} added" for frequency, text in added]
    if before.get("scanType") != after.get("scanType"):
        parts.insert(0, f"{before.get('scanType')} → {after.get('scanType')}")
    return ", ".join(parts)


def _filters(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((rule["scanFrequency"], one["filter"]) for one in rule.get("repositoryFilters", []))


def _added_replication(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    there = {pair for rule in before.get("rules", []) for pair in _pairs(rule)}
    added: dict[str, list[str]] = {}
    for rule in after.get("rules", []):
        for prefix, place in _pairs(rule):
            if (prefix, place) not in there:
                added.setdefault(prefix, []).append(place)
    return ", ".join(f"{prefix} to {' and '.join(places)} added" for prefix, places in added.items())


def _pairs(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    prefixes = [one["filter"] for one in rule.get("repositoryFilters") or ()] or ["everything"]
    places = [f"{one['registryId']}/{one['region']}" for one in rule["destinations"]]
    return ((prefix, place) for prefix in prefixes for place in places)


_WORDS: Final[dict[Setting, tuple[str, Callable[[Mapping[str, Any] | None], str]]]] = {
    Setting.TAG_MUTABILITY: ("tag mutability", _mutability),
    Setting.LIFECYCLE: ("lifecycle policy", _rules),
    Setting.SCAN_ON_PUSH: ("scan on push", _on),
    Setting.REPOSITORY_POLICY: ("repository policy", _statements),
}
