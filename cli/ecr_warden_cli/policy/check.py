"""Checking a policy file: every problem at once, each with its place and its remedy."""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from ecr_warden.domain.policy import (
    ChannelType,
    IgnoredVulnerability,
    Mode,
    Policy,
    Rule,
    TagException,
    TagRules,
)
from ecr_warden.domain.settings.narrowing import narrowed
from ecr_warden_cli.policy import settings_values, telling_values
from ecr_warden_cli.policy.base import WHOLE_NUMBER
from ecr_warden_cli.policy.consistency import exception_problems, rule_problems
from ecr_warden_cli.policy.model import (
    ExceptionModel,
    PolicyModel,
    RuleModel,
    TagRulesModel,
    json_schema,
)
from ecr_warden_cli.policy.problems import Problem
from ecr_warden_cli.policy.scan_gate_consistency import scan_gate_problems
from ecr_warden_cli.policy.scan_gate_values import scan_gate
from ecr_warden_cli.policy.settings_consistency import lifecycle_section_problems, registry_problems
from ecr_warden_cli.policy.source import Path, Source, read_source
from ecr_warden_cli.policy.telling_consistency import (
    channel_problems,
    fallback_problems,
    route_problems,
    secret_problems,
    timing_problems,
)
from ecr_warden_cli.policy.telling_model import KEYS_OF_SOME_CHANNELS, AnyChannel, RouteModel
from ecr_warden_cli.policy.telling_places import place_problems

Entry = TypeVar("Entry", bound=BaseModel)
_CHANNEL: Final[TypeAdapter[AnyChannel]] = TypeAdapter(AnyChannel)
# What pydantic calls a section that is not one.
_NO_SECTION: Final = frozenset({"dict_type", "list_type", "model_type", "model_attributes_type"})
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_-]{1,40}")
# What YAML reads in brackets without quotes as it stands.
_PLAIN_ITEMS: Final = re.compile(r"[A-Za-z][\w, ./*-]*", re.ASCII)


@dataclass(frozen=True)
class Checked:
    """The policy, if there was no error, and every problem in the order of the file."""

    policy: Policy | None
    problems: tuple[Problem, ...]


def check_policy(text: str, file: str, *, today: date | None = None) -> Checked:
    """Check a policy's text.

    Parameters
    ----------
    text
        What the file says.
    file
        The name that problems and decisions give.
    today
        The day on which exceptions are over or not; without it, today's in UTC.

    """
    source = read_source(text, file)
    if source.problems:
        return Checked(None, tuple(sorted(source.problems)))
    problems = set(_consistency_problems(source, file, today or datetime.now(UTC).date()))
    policy = None
    try:
        model = PolicyModel.model_validate(source.data, by_alias=True, by_name=False)
        policy = narrowed(_policy(model, source, file))
        problems |= set(secret_problems(policy, source))
    except ValidationError as error:
        problems |= {_problem(details, source, file) for details in error.errors()}
    has_errors = any(problem.severity == "error" for problem in problems)
    return Checked(None if has_errors else policy, tuple(sorted(problems)))


def _consistency_problems(source: Source, file: str, today: date) -> Iterator[Problem]:
    """Find what is wrong between the entries that are sound, whatever is wrong with the others."""
    data = source.data if isinstance(source.data, dict) else {}
    rules = {
        place: _rule(rule, source, place) for place, rule in _sound(RuleModel, data.get("rules")).items()
    }
    yield from rule_problems(rules, source, file)
    yield from lifecycle_section_problems(rules, source, file)
    # Whatever is written there: what cannot be in a set, too.
    mode = Mode(data["mode"]) if data.get("mode") in tuple(Mode) else Mode.AUDIT
    yield from registry_problems(rules, mode, source, file)
    yield from scan_gate_problems(rules, source, file, today)
    yield from exception_problems(_sound(ExceptionModel, data.get("exceptions")), source, file, today)
    if isinstance(data.get("routes", []), list) and isinstance(data.get("channels", {}), dict):
        yield from _telling_problems(data.get("channels", {}), data.get("routes", []), source, file)


def _telling_problems(
    entries: dict[Any, object], route_entries: Sequence[object], source: Source, file: str
) -> Iterator[Problem]:
    # A channel that has an error is there all the same.
    names = [str(name) for name in entries]
    channels = _sound_channels(entries)
    routes = _sound(RouteModel, route_entries)
    yield from fallback_problems(channels, names, source, file)
    yield from place_problems(channels, routes.values(), source, file)
    yield from route_problems(routes, names, source, file)
    yield from timing_problems(routes, channels, source, file)
    if len(routes) == len(route_entries) and len(channels) == len(names):
        # A route that has an error may be the one that names a channel, as may a channel's fallback.
        yield from channel_problems(names, channels, routes, source, file)


def _sound_channels(entries: dict[Any, object]) -> dict[str, AnyChannel]:
    sound = {}
    for name, entry in entries.items():
        with suppress(ValidationError):
            sound[str(name)] = _CHANNEL.validate_python(entry, by_alias=True, by_name=False)
    return sound


def _sound(kind: type[Entry], entries: object) -> dict[int, Entry]:
    """Give the entries of a list that are sound, by their place in it."""
    sound = {}
    for place, entry in enumerate(entries if isinstance(entries, list) else ()):
        with suppress(ValidationError):
            sound[place] = kind.model_validate(entry, by_alias=True, by_name=False)
    return sound


def _problem(details: ErrorDetails, source: Source, file: str) -> Problem:
    path: Path = details["loc"]
    if path[-1:] == ("[key]",):
        # A key's own place is not below it, and has its text, though YAML may have taken it for a number.
        path = (*path[:-2], str(path[-2]))
    if path[:1] == ("channels",):
        # A discriminated union puts the type's name behind the channel's; no place in the file has it.
        path = path[:2] + path[3:]
    line, column = source.position(path)
    return Problem(file, line, column, _message(details, path))


def _message(details: ErrorDetails, path: Path) -> str:
    # An item of a list has no name of its own, nor has an empty key.
    name = next((part for part in reversed(path) if isinstance(part, str) and part), "the policy")
    if details["type"] == WHOLE_NUMBER:
        # A severity alone does not say of what: several keys have one.
        name = ".".join(map(str, path[-2:]))
    match details["type"]:
        case "extra_forbidden":
            return _unknown_key(name, details["loc"])
        case "missing":
            return f"{name} is missing" + (": every exception ends" if name == "until" else "")
        case "union_tag_invalid":
            return f"{name}: no channel is of this type: give one of {_types(details)}"
        case "value_error":
            return str(details["ctx"]["error"])
        case kind if kind == "union_tag_not_found" or (
            kind == "model_attributes_type" and not details["input"]
        ):
            return f"{name} has no type: give one of {_types(details)}"
        case _:
            return f"{name}{_wrong_value(details, path)}"


def _wrong_value(details: ErrorDetails, path: Path) -> str:
    """Say, behind a name, that what stands there is of another kind, and how YAML comes to take it so."""
    kind, value = details["type"], details["input"]
    if value is None and kind in _NO_SECTION and isinstance(path[-1], str):
        return " is empty: remove it, or give it entries"
    if kind == "list_type" and isinstance(value, str) and not _may_be_secret(path):
        return f": give a list, as in [{_items(value)}]"
    if kind == "string_type" and isinstance(value, bool | int | float):
        taken_for = "true or false" if isinstance(value, bool) else "a number"
        return f": put it in quotes: without them YAML takes it for {taken_for}"
    return f": {details['msg'][0].lower()}{details['msg'][1:]}, got {_got(details, path)}"


def _may_be_secret(path: Path) -> bool:
    """Tell whether somebody may have written a secret there instead of its name."""
    return path[:1] in {(), ("channels",)}


def _items(text: str) -> str:
    return text if _PLAIN_ITEMS.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _got(details: ErrorDetails, path: Path) -> str:
    value = details["input"]
    if isinstance(value, list | dict):
        return f"{'a' if value else 'an empty'} {'list' if isinstance(value, list) else 'mapping'}"
    if _may_be_secret(path):
        return "a text" if isinstance(value, str) else "a number"
    if isinstance(value, bool) and details["type"] == "enum":
        return (
            "true, as which YAML takes on and yes too"
            if value
            else "false, as which YAML takes off and no too"
        )
    return repr(value)


def _types(details: ErrorDetails) -> str:
    # Pydantic quotes them only where the type is wrong, not where there is none.
    return str(
        details.get("ctx", {}).get("expected_tags", ", ".join(repr(channel.value) for channel in ChannelType))
    )


def _unknown_key(name: str, loc: tuple[int | str, ...]) -> str:
    if loc[0] == "channels" and name in KEYS_OF_SOME_CHANNELS:
        return f"{name}: {KEYS_OF_SOME_CHANNELS[name]}"
    if loc[0] == "channels" and not _PLAIN_KEY.fullmatch(name):
        name = "this"
    known = _known_keys(loc[:-1])
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known here: {', '.join(known)}"
    return f"{name} is not a known key: {hint}"


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    schema = json_schema()
    node = schema
    for part in loc:
        node = _resolved(_child(node, part), schema)
    return list(node["properties"])


def _child(node: dict[str, Any], part: int | str) -> dict[str, Any]:
    if isinstance(part, int):
        child = node["items"]
    elif "discriminator" in node:
        # Pydantic puts the chosen channel type into an error's path.
        child = {"$ref": node["discriminator"]["mapping"][part]}
    else:
        child = node.get("properties", {}).get(part) or node["additionalProperties"]
    return cast("dict[str, Any]", child)


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "anyOf" in node or "$ref" in node:
        if "$ref" in node:
            node = cast("dict[str, Any]", schema["$defs"][node["$ref"].rpartition("/")[2]])
        else:
            # A section may be absent, and some have a shorthand: what has keys is the object.
            node = next(choice for choice in node["anyOf"] if "$ref" in choice or "properties" in choice)
    return node


def _policy(model: PolicyModel, source: Source, file: str) -> Policy:
    def line(*path: str | int) -> int:
        return source.position(path)[0]

    return Policy(
        file=file,
        mode=model.mode,
        rules=tuple(_rule(rule, source, place) for place, rule in enumerate(model.rules)),
        exceptions=tuple(
            TagException(line("exceptions", i), item.repository, item.tag, item.until, item.reason)
            for i, item in enumerate(model.exceptions)
            if item.tag is not None
        ),
        vulnerability_exceptions=tuple(
            IgnoredVulnerability(
                line("exceptions", i),
                item.vulnerability,
                item.until,
                item.reason,
                item.repository,
                item.package,
            )
            for i, item in enumerate(model.exceptions)
            if item.vulnerability is not None
        ),
        channels=tuple(
            telling_values.channel(name, channel, line("channels", name))
            for name, channel in model.channels.items()
        ),
        routes=tuple(telling_values.route(route, line("routes", i)) for i, route in enumerate(model.routes)),
        messages=telling_values.messages(model.messages),
    )


def _rule(rule: RuleModel, source: Source, place: int) -> Rule:
    def line(*path: str | int) -> int:
        return source.position(("rules", place, *path))[0]

    sections: dict[str, Any] = {
        name: value(getattr(rule, name), line(name))
        for name, value in _SECTIONS.items()
        if getattr(rule, name) is not None
    }
    if rule.scan_gate is not None:
        # Its parts have lines of their own.
        sections["scan_gate"] = scan_gate(rule.scan_gate, partial(line, "scan_gate"))
    return Rule(
        line=source.position(("rules", place))[0],
        match=tuple(rule.match),
        excluded=tuple(rule.excluded),
        mode=rule.mode,
        override=rule.override,
        **sections,
    )


def _tag_rules(tags: TagRulesModel, line: int) -> TagRules:
    return TagRules(
        line=line,
        allow=tuple(tags.allow),
        deny=tuple(tags.deny),
        on_violation=tags.on_violation,
        artifacts=frozenset(tags.artifacts),
        severity=tags.severity,
    )


_SECTIONS: Final[dict[str, Callable[[Any, int], object]]] = {
    "tags": _tag_rules,
    "tag_mutability": settings_values.tag_mutability,
    "lifecycle": settings_values.lifecycle,
    "scanning": settings_values.scanning,
    "replicate_to": settings_values.replication,
    "resource_tags": settings_values.resource_tags,
    "repository_policy": settings_values.repository_policy,
    "encryption": settings_values.encryption,
}
