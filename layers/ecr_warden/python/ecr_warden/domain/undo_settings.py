"""Taking a change of a setting back: judged on what is there now, which somebody may have changed since."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ecr_warden.domain.images import Change
from ecr_warden.domain.settings.current import RegistryScanning
from ecr_warden.domain.settings.plans import Setting
from ecr_warden.domain.settings.scanning import registry_scanning
from ecr_warden.domain.undoing import AsBefore, Decision, Impossible, PutBack

_NAMES: Final = {
    Setting.TAG_MUTABILITY: "tag mutability",
    Setting.LIFECYCLE: "lifecycle policy",
    Setting.REGISTRY_SCANNING: "scanning of the registry",
    Setting.SCAN_ON_PUSH: "scan on push",
    Setting.REPLICATION: "replication of the registry",
    Setting.RESOURCE_TAGS: "resource tags",
    Setting.REPOSITORY_POLICY: "repository policy",
}
# What is written anew as long as a rule asks for it.
_POLICY: Final = (
    "Change the policy too: a sweep, or the next new repository, sets it again as long as a rule asks for it."
)
_AFTERMATH: Final = {
    Setting.LIFECYCLE: "Images that the policy has deleted do not come back, and those archived stay so.",
    Setting.REPLICATION: "Images that were replicated stay there, and a backfill that was started goes on.",
}

Value = Mapping[str, Any] | None


def written_setting(change: Change) -> Setting | None:
    """Give the setting that a change wrote; ``None`` where it is of another kind, or of a later version."""
    if change.after is None:
        return None
    if change.section == Setting.REGISTRY_SCANNING.value:
        # One section of the policy has two settings, of the registry and of a repository.
        return Setting.SCAN_ON_PUSH if "scan_on_push" in change.after else Setting.REGISTRY_SCANNING
    found = next((one for one in _NAMES if one.value == change.section), None)
    is_needed = found in {Setting.TAG_MUTABILITY, Setting.REPLICATION}
    return None if is_needed and change.before is None else found


def decide_setting(setting: Setting, change: Change, now: Value) -> Decision:
    """Decide on a setting that was written; ``now`` is what it is, as the journal keeps it."""
    name = _NAMES[setting]
    # A setting that was not changed at all is as it was after, too.
    if _same(setting, now, change.before):
        return AsBefore(f"The {name} is as it was before.")
    if _same(setting, now, change.after):
        was = "removed, as there was none before" if change.before is None else "as it was before"
        return PutBack(f"The {name} is {was}.", _next_step(setting))
    return changed_since(name, now)


def decide_document(name: str, change: Change, now: Value) -> Decision:
    """Decide on a document that is taken as it is, and whose name people are told."""
    if now == change.before:
        return AsBefore(f"The {name} is as it was before.")
    if now == change.after:
        was = "removed, as there was none before" if change.before is None else "as it was before"
        return PutBack(f"The {name} is {was}.", _POLICY)
    return changed_since(name, now)


def changed_since(name: str, now: Value) -> Impossible:
    """Say of what somebody changed since that it stays."""
    stays = "there is none, which stays so" if now is None else "it stays as it is"
    return Impossible(
        f"Somebody has changed the {name} since: {stays}.",
        'If it is still to be as before, put it so as docs/runbook.md says in "Take a setting back".',
        now,
    )


@dataclass(frozen=True)
class TagsBack:
    """What is to be done to resource tags: values to put, and keys to remove."""

    put: Mapping[str, str]
    remove: tuple[str, ...]


def tags_back(change: Change, now: Mapping[str, str]) -> TagsBack:
    """Give what puts resource tags back, of those that the change has set and that are not back already."""
    before: Mapping[str, Any] = change.before or {}
    after: Mapping[str, Any] = change.after or {}
    return TagsBack(
        {key: before[key] for key in after if key in before and now.get(key) != before[key]},
        tuple(key for key in after if key not in before and key in now),
    )


def decide_tags(change: Change, now: Mapping[str, str]) -> Decision:
    """Decide on resource tags that were set; others are nobody's business here.

    Removing some and putting others are two calls: an earlier try may have ended between them.
    """
    before, after = change.before or {}, change.after or {}
    others = {
        key: now.get(key)
        for key in after
        if now.get(key) not in (after[key], before.get(key)) or (key not in now and key in before)
    }
    if others:
        return changed_since(f"resource tags {', '.join(sorted(others))}", others)
    if tags_back(change, now) == TagsBack({}, ()):
        return AsBefore("The resource tags are as they were before.")
    return PutBack("The resource tags are as they were before.", _next_step(Setting.RESOURCE_TAGS))


def _next_step(setting: Setting) -> str:
    return " ".join(text for text in (_AFTERMATH.get(setting), _POLICY) if text)


def _same(setting: Setting, one: Value, other: Value) -> bool:
    if one is None or other is None:
        return one is other
    match setting:
        case Setting.TAG_MUTABILITY:
            # Exclusions have no order.
            return _mutability(one) == _mutability(other)
        case Setting.REGISTRY_SCANNING:
            return _scanning(registry_scanning(one)) == _scanning(registry_scanning(other))
    return one == other


def _mutability(value: Mapping[str, Any]) -> tuple[object, frozenset[str]]:
    return value.get("mode"), frozenset(value.get("except", ()))


def _scanning(scanning: RegistryScanning) -> tuple[object, frozenset[tuple[object, frozenset[str]]]]:
    """Give what matters of a scanning configuration: neither rules nor filters have an order."""
    return scanning.type, frozenset((rule.frequency, frozenset(rule.filters)) for rule in scanning.rules)
