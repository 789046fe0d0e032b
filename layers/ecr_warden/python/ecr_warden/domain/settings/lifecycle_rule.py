"""What ECR's documentation lets one rule of a lifecycle policy be."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

LEAST_ARCHIVED_DAYS: Final = 90
_MOST_WILDCARDS: Final = 4
_NEEDED_OF_A_RULE: Final = ("rulePriority", "selection", "action")
_NEEDED_OF_A_SELECTION: Final = ("tagStatus", "countType", "countNumber")
_LISTS: Final = (("tagPatternList", "pattern"), ("tagPrefixList", "prefix"))
_SELECTION_KEYS: Final = (
    *_NEEDED_OF_A_SELECTION,
    "tagPatternList",
    "tagPrefixList",
    "storageClass",
    "countUnit",
)
_DAYS_SINCE: Final = ("sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned")
# The count types that go with one action only.
_ACTION_OF: Final = {"sinceImagePulled": "transition", "sinceImageTransitioned": "expire"}
_TAG_TEXT: Final = {
    "pattern": re.compile(r"[A-Za-z0-9_.*-]*", re.ASCII),
    "prefix": re.compile(r"[A-Za-z0-9_.-]*", re.ASCII),
}


@dataclass(frozen=True)
class Named:
    """A part of a policy document, JSON of any kind until it is checked, and what sentences call it."""

    name: str
    fields: Any


def is_object(value: object) -> bool:
    """Tell whether a JSON value is an object."""
    return isinstance(value, dict)


def is_count(value: object) -> bool:
    """Tell whether a JSON value is a whole number from 1."""
    # Python takes true for 1.
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def key_problems(named: Named, *, needed: Iterable[str], optional: Iterable[str] = ()) -> Iterator[str]:
    """Say which keys an object should not have, and which it lacks."""
    known = {*needed, *optional}
    yield from (f"{named.name} has the unknown key {key!r}" for key in named.fields if key not in known)
    yield from (f"{named.name} has no {key}" for key in needed if key not in named.fields)


def _value_problems(named: Named, key: str, values: tuple[str, ...]) -> Iterator[str]:
    if key in named.fields and named.fields[key] not in values:
        yield f"{named.name} has the {key} {json.dumps(named.fields[key])}: expected {' or '.join(values)}"


def _count_problems(named: Named, key: str) -> Iterator[str]:
    if key in named.fields and not is_count(named.fields[key]):
        yield f"{named.name} has the {key} {json.dumps(named.fields[key])}: expected a whole number from 1"


def rule_problems(rule: Named) -> Iterator[str]:
    """Say what ECR would not take in one rule, which may be any JSON; sentences without their stops."""
    if not is_object(rule.fields):
        yield f"{rule.name} is not an object"
        return
    yield from key_problems(rule, needed=_NEEDED_OF_A_RULE, optional=("description",))
    yield from _count_problems(rule, "rulePriority")
    if not isinstance(rule.fields.get("description", ""), str):
        yield f"{rule.name} has a description that is not text"
    for article, key, problems in (
        ("a", "selection", _selection_problems),
        ("an", "action", _action_problems),
    ):
        part = rule.fields.get(key, {})
        if not is_object(part):
            yield f"{rule.name} has {article} {key} that is not an object"
        elif key in rule.fields:
            yield from problems(Named(rule.name, part))
    yield from _pairing_problems(rule)


def _selection_problems(selection: Named) -> Iterator[str]:
    yield from key_problems(selection, needed=_NEEDED_OF_A_SELECTION, optional=_SELECTION_KEYS)
    yield from _value_problems(selection, "tagStatus", ("tagged", "untagged", "any"))
    yield from _tag_problems(selection)
    yield from _value_problems(selection, "storageClass", ("standard", "archive"))
    yield from _value_problems(selection, "countType", ("imageCountMoreThan", *_DAYS_SINCE))
    yield from _unit_problems(selection)
    yield from _count_problems(selection, "countNumber")
    yield from _archive_problems(selection)


def _tag_problems(selection: Named) -> Iterator[str]:
    status = selection.fields.get("tagStatus")
    given = [key for key, _ in _LISTS if key in selection.fields]
    if status == "tagged" and len(given) != 1:
        has = "has both" if given else "needs one of"
        yield f"{selection.name} {has} tagPatternList and tagPrefixList: tagged goes with exactly one of them"
    if status in ("untagged", "any"):
        yield from (
            f"{selection.name} has a {key}, which goes with tagged only, not {status}" for key in given
        )
    for key, noun in _LISTS:
        yield from _tag_list_problems(selection, key, noun)


def _tag_list_problems(selection: Named, key: str, noun: str) -> Iterator[str]:
    texts = selection.fields.get(key, [""])
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        yield f"{selection.name} has a {key} that is not a list of at least one text"
        return
    for text in texts if key in selection.fields else []:
        if not text:
            yield f"{selection.name} has an empty {noun}"
        elif not _TAG_TEXT[noun].fullmatch(text):
            yield f"{selection.name} has the {noun} {text!r}: a tag has letters, digits, '_', '.', '-' only"
        if noun == "pattern" and text.count("*") > _MOST_WILDCARDS:
            yield f"{selection.name} has the pattern {text!r}: ECR takes at most {_MOST_WILDCARDS} '*' in one"


def _unit_problems(selection: Named) -> Iterator[str]:
    count_type = selection.fields.get("countType")
    if count_type == "imageCountMoreThan" and "countUnit" in selection.fields:
        yield f"{selection.name} has a countUnit, which imageCountMoreThan does not take"
    if count_type in _DAYS_SINCE:
        if "countUnit" not in selection.fields:
            yield f"{selection.name} has no countUnit: {count_type} needs days"
        yield from _value_problems(selection, "countUnit", ("days",))


def _archive_problems(selection: Named) -> Iterator[str]:
    fields = selection.fields
    count_type, storage_class = fields.get("countType"), fields.get("storageClass", "standard")
    if count_type == "sinceImageTransitioned":
        if storage_class == "standard":
            yield f"{selection.name} needs the storageClass archive, which sinceImageTransitioned is for"
        days = fields.get("countNumber")
        if is_count(days) and days < LEAST_ARCHIVED_DAYS:
            least = f"{LEAST_ARCHIVED_DAYS} days at the earliest"
            yield f"{selection.name} has the countNumber {days}: archived images can be deleted after {least}"
    elif storage_class == "archive":
        yield f"{selection.name} has the storageClass archive, which goes with sinceImageTransitioned only"


def _action_problems(action: Named) -> Iterator[str]:
    yield from key_problems(action, needed=("type",), optional=("targetStorageClass",))
    yield from _value_problems(action, "type", ("expire", "transition"))
    target = "targetStorageClass"
    if action.fields.get("type") == "expire" and target in action.fields:
        yield f"{action.name} has a targetStorageClass, which expire does not take"
    if action.fields.get("type") == "transition":
        if target not in action.fields:
            yield f"{action.name} has no targetStorageClass: transition needs archive"
        yield from _value_problems(action, target, ("archive",))


def _pairing_problems(rule: Named) -> Iterator[str]:
    selection, action = rule.fields.get("selection"), rule.fields.get("action")
    if isinstance(selection, dict) and isinstance(action, dict):
        for count_type, only in _ACTION_OF.items():
            if selection.get("countType") == count_type and action.get("type") in {"expire", "transition"} - {
                only
            }:
                yield f"{rule.name} has the countType {count_type}, which goes with the action {only} only"
