"""What a change of a setting is, in words."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ecr_warden.domain.settings.plans import Put, Setting


def change_text(setting: Setting, put: Put) -> str:
    """Say from what to what a setting changes, without a stop."""
    name, say = _WORDS[setting]
    if setting is Setting.RESOURCE_TAGS:
        # What they were before is nothing to anybody.
        return f"{name} {say(put.after)}"
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


def _scanning(value: Mapping[str, Any] | None) -> str:
    value = value or {}
    rules = (
        f"{rule['scanFrequency']} {', '.join(one['filter'] for one in rule['repositoryFilters'])}"
        for rule in value.get("rules", [])
    )
    return "; ".join((str(value.get("scanType")), *rules))


def _replication(value: Mapping[str, Any] | None) -> str:
    return "; ".join(map(_replication_rule, (value or {}).get("rules", []))) or "none"


def _replication_rule(rule: Mapping[str, Any]) -> str:
    prefixes = ", ".join(one["filter"] for one in rule.get("repositoryFilters", [])) or "everything"
    places = ", ".join(f"{one['registryId']}/{one['region']}" for one in rule["destinations"])
    return f"{prefixes} to {places}"


_WORDS: Final[dict[Setting, tuple[str, Callable[[Mapping[str, Any] | None], str]]]] = {
    Setting.TAG_MUTABILITY: ("tag mutability", _mutability),
    Setting.LIFECYCLE: ("lifecycle policy", _rules),
    Setting.REGISTRY_SCANNING: ("registry scanning", _scanning),
    Setting.SCAN_ON_PUSH: ("scan on push", _on),
    Setting.REPLICATION: ("replication of the registry", _replication),
    Setting.RESOURCE_TAGS: ("resource tags", _tags),
    Setting.REPOSITORY_POLICY: ("repository policy", _statements),
}
