"""A plan of what ECR is to do by itself, in words: what changes, what stays, what is not native."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from ecr_warden.domain.policy import RuleReference
from ecr_warden.domain.settings.native import (
    CREATION_TEMPLATE,
    KeptSetting,
    NativeChange,
    NativePlan,
    NotNative,
)
from ecr_warden.domain.settings.templates import PLAIN_ENCRYPTION

Sign: TypeAlias = Literal["+", "-", "~", "!", "=", "?", ""]
_NOTHING: Final = "none"
_REGISTRY_WORDS: Final = {
    "scanning": "scanning of the registry",
    "replicate_to": "replication of the registry",
}
_COUNTED: Final = {
    "imageCountMoreThan": "beyond the newest {}",
    "sinceImagePushed": "{} days after their push",
    "sinceImagePulled": "not pulled for {} days",
    "sinceImageTransitioned": "{} days after they were archived",
}


@dataclass(frozen=True)
class Line:
    """One line of a diff; ``sign`` says what it adds, takes away or changes."""

    sign: Sign
    text: str
    depth: int = 0

    def __str__(self) -> str:
        """Give the line as it is shown."""
        return f"{'    ' * self.depth}{self.sign + ' ' if self.sign else ''}{self.text}"


def plan_lines(plan: NativePlan) -> Iterator[Line]:
    """Say what a plan changes, keeps and leaves; the counts come last."""
    for change in plan.changes:
        yield from change_lines(change)
        yield Line("", "")
    yield from _section("Kept as somebody chose:", [_kept(each) for each in plan.kept])
    not_native = [_not_native(each) for each in plan.not_native]
    yield from _section("Not native (RepositoryCreatedFunction does these):", not_native)
    yield Line("", _counts(plan))


def _section(title: str, texts: Sequence[str]) -> Iterator[Line]:
    if texts:
        yield Line("", title)
        yield from (Line("", text, 1) for text in texts)
        yield Line("", "")


def _kept(kept: KeptSetting) -> str:
    name = name_of(kept.section, kept.prefix)
    about = name if kept.setting == kept.section else f"{name}: {kept.setting}"
    return f"{_place(kept.rule)} {about}: {kept.reason}"


def _not_native(not_native: NotNative) -> str:
    sections = ", ".join(not_native.sections)
    where = {None: "", "*": " of the registry"}.get(not_native.prefix, f" of {not_native.prefix}")
    return f"{_place(not_native.rule)} {sections}{where}: {not_native.reason}"


def _place(rule: RuleReference) -> str:
    return f"{rule.file}:{rule.line}"


def _counts(plan: NativePlan) -> str:
    created = sum(change.before is None for change in plan.changes)
    changed = len(plan.changes) - created
    beside = f"{len(plan.kept)} kept, {len(plan.not_native)} not native."
    if not plan.changes:
        return f"Nothing to do: ECR has all that it can do by itself; {beside}"
    return f"{created} to create, {changed} to change, {beside}"


def name_of(section: str, prefix: str) -> str:
    """Name what a change is about."""
    return f"creation template {prefix}" if section == CREATION_TEMPLATE else _REGISTRY_WORDS[section]


def change_lines(change: NativeChange) -> Iterator[Line]:
    """Say what a change is, its parts indented."""
    name = name_of(change.section, change.prefix)
    if change.section != CREATION_TEMPLATE:
        yield Line("~", f"{name} ({_place(change.rule)})")
        yield from _registry_lines(change)
        return
    yield Line("~" if change.before else "+", f"{name} ({', '.join(change.after['appliedFor'])})")
    if change.in_place_of is not None:
        yield Line("", f"begins as the template {change.in_place_of} is, in whose place ECR takes it", 1)
    yield from _template_lines(change.before or {}, change.after)


def _template_lines(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Line]:
    if before:
        yield from _changed("appliedFor", ", ".join(before["appliedFor"]), ", ".join(after["appliedFor"]))
    yield from _changed("imageTagMutability", _mutability(before), _mutability(after))
    yield from _changed("encryptionConfiguration", _encryption(before), _encryption(after))
    yield from _listed("lifecyclePolicy", _rules(before), _rules(after))
    yield from _listed("repositoryPolicy", _statements(before), _statements(after))
    yield from _listed("resourceTags", _tags(before), _tags(after))
    for name in ("customRoleArn", "description"):
        yield from _changed(name, before.get(name, _NOTHING), after.get(name, _NOTHING))


def setting_lines(section: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Line]:
    """Say what a document of many parts loses and gains; nothing of a setting of another kind."""
    say = _DOCUMENTS.get(section)
    return [] if say is None else [*_removed_and_added(say(before), say(after), depth=0)]


def _changed(name: str, before: str, after: str) -> Iterator[Line]:
    if before != after:
        yield Line("", f"{name}: {before} → {after}", 1)


def _listed(name: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    lines = [*_removed_and_added(before, after, depth=2)]
    if lines:
        yield Line("", f"{name}:", 1)
        yield from lines


def _removed_and_added(before: Sequence[str], after: Sequence[str], *, depth: int) -> Iterator[Line]:
    yield from (Line("-", text, depth) for text in before if text not in after)
    yield from (Line("+", text, depth) for text in after if text not in before)


def _mutability(template: Mapping[str, Any]) -> str:
    excluded = template.get("imageTagMutabilityExclusionFilters")
    return str(template.get("imageTagMutability", "MUTABLE")) + (
        f" ({', '.join(excluded)})" if excluded else ""
    )


def _encryption(template: Mapping[str, Any]) -> str:
    encryption = template.get("encryptionConfiguration", {})
    key = encryption.get("kmsKey")
    return str(encryption.get("encryptionType", PLAIN_ENCRYPTION)) + (f" ({key})" if key else "")


def _tags(template: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in sorted(template.get("resourceTags", {}).items())]


def _statements(template: Mapping[str, Any]) -> list[str]:
    statements = template.get("repositoryPolicy", {}).get("Statement", [])
    return [_compact(each) for each in (statements if isinstance(statements, list) else [statements])]


def _rules(template: Mapping[str, Any]) -> list[str]:
    rules = template.get("lifecyclePolicy", {}).get("rules", [])
    return [_rule(rule) for rule in sorted(rules, key=lambda rule: int(rule["rulePriority"]))]


def _rule(rule: Mapping[str, Any]) -> str:
    """Say what a lifecycle rule does; one that ECR learns to take later, as it is."""
    selection = rule["selection"]
    counted = _COUNTED.get(selection["countType"])
    does = {"expire": "expire", "transition": "go to the archive"}.get(rule["action"]["type"])
    if counted is None or does is None:
        return _compact(rule)
    tags = [
        *selection.get("tagPatternList", []),
        *(f"{each}*" for each in selection.get("tagPrefixList", [])),
    ]
    tagged = f"{selection['tagStatus']} images" + (f" {' and '.join(tags)}" if tags else "")
    archived = "archived, " if selection.get("storageClass") == "archive" else ""
    when = counted.format(selection["countNumber"])
    return f"{rule['rulePriority']}: {archived}{tagged} {does} {when}"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _registry_lines(change: NativeChange) -> Iterator[Line]:
    before = change.before or {}
    if change.section == "scanning":
        yield from _changed("scanType", str(before.get("scanType", _NOTHING)), change.after["scanType"])
        yield from _removed_and_added(_filters(before), _filters(change.after), depth=1)
        return
    yield from _removed_and_added(_replicated(before), _replicated(change.after), depth=1)
    for destination in change.backfill:
        yield Line("+", f"backfill to {destination}, of what was pushed before", 1)


def _filters(scanning: Mapping[str, Any]) -> list[str]:
    return [
        f"{rule['scanFrequency']} {each['filter']}"
        for rule in scanning.get("rules", [])
        for each in rule["repositoryFilters"]
    ]


def _replicated(replication: Mapping[str, Any]) -> list[str]:
    lines = []
    for rule in replication.get("rules", []):
        prefixes = ", ".join(each["filter"] for each in rule.get("repositoryFilters", [])) or "everything"
        places = ", ".join(f"{each['registryId']}/{each['region']}" for each in rule["destinations"])
        lines.append(f"{prefixes} to {places}")
    return lines


_DOCUMENTS: Final[Mapping[str, Callable[[Mapping[str, Any]], list[str]]]] = {
    "lifecycle": lambda document: _rules({"lifecyclePolicy": document}),
    "scanning": _filters,
    "replicate_to": _replicated,
}
