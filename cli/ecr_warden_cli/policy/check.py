"""Checking a policy file: every problem at once, each with its place and its remedy."""

import difflib
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ecr_warden.domain.policy import (
    Channel,
    Policy,
    Route,
    Rule,
    TagException,
    TagRules,
)
from ecr_warden_cli.policy.model import (
    SECTIONS_TO_COME,
    PolicyModel,
    RuleModel,
    SlackModel,
    TagRulesModel,
    json_schema,
)
from ecr_warden_cli.policy.problems import Problem
from ecr_warden_cli.policy.source import Path, Source, read_source


@dataclass(frozen=True)
class Checked:
    """The policy, if there was no error, and every problem in the order of the file."""

    policy: Policy | None
    problems: tuple[Problem, ...]


def check_policy(text: str, file: str) -> Checked:
    """Check a policy's text; ``file`` is the name that problems and decisions give."""
    source = read_source(text, file)
    if source.problems:
        return Checked(None, tuple(sorted(source.problems)))
    try:
        model = PolicyModel.model_validate(source.data, by_alias=True, by_name=False)
    except ValidationError as error:
        found = {_problem(details, source, file) for details in error.errors()}
        return Checked(None, tuple(sorted(found)))
    policy = _policy(model, source, file)
    problems = tuple(sorted(_routing_problems(policy)))
    has_errors = any(problem.severity == "error" for problem in problems)
    return Checked(None if has_errors else policy, problems)


def _problem(details: ErrorDetails, source: Source, file: str) -> Problem:
    # A discriminated union puts the tag's value into the path; no place in the file has it.
    path: Path = tuple(part for part in details["loc"] if part not in ("slack", "sns"))
    line, column = source.position(path)
    return Problem(file, line, column, _message(details, path))


def _message(details: ErrorDetails, path: Path) -> str:
    name = str(path[-1]) if path else "the policy"
    match details["type"]:
        case "extra_forbidden":
            return _unknown_key(name, details["loc"])
        case "missing":
            return f"{name} is missing" + (": every exception ends" if name == "until" else "")
        case "value_error":
            return str(details["ctx"]["error"])
        case _:
            return f"{name}: {details['msg'][0].lower()}{details['msg'][1:]}, got {details['input']!r}"


def _unknown_key(name: str, loc: tuple[int | str, ...]) -> str:
    if name in SECTIONS_TO_COME and loc[0] == "rules":
        return f"{name} is not supported by this version: remove it, so that nobody rests on it"
    if name == "vulnerability" and loc[0] == "exceptions":
        return "exceptions by vulnerability are not supported by this version: name a tag"
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
    if "anyOf" in node:
        node = next(choice for choice in node["anyOf"] if "$ref" in choice)
    if "$ref" in node:
        return cast("dict[str, Any]", schema["$defs"][node["$ref"].rpartition("/")[2]])
    return node


def _policy(model: PolicyModel, source: Source, file: str) -> Policy:
    def line(*path: str | int) -> int:
        return source.position(path)[0]

    return Policy(
        file=file,
        mode=model.mode,
        rules=tuple(
            _rule(rule, line("rules", i), line("rules", i, "tags")) for i, rule in enumerate(model.rules)
        ),
        exceptions=tuple(
            TagException(line("exceptions", i), item.repository, item.tag, item.until, item.reason)
            for i, item in enumerate(model.exceptions)
        ),
        channels=tuple(
            Channel(name, line("channels", name), c.type, c.secret if isinstance(c, SlackModel) else None)
            for name, c in model.channels.items()
        ),
        routes=tuple(
            Route(line("routes", i), tuple(route.to), frozenset(route.outcomes), route.min_severity)
            for i, route in enumerate(model.routes)
        ),
    )


def _rule(rule: RuleModel, line: int, tags_line: int) -> Rule:
    tags = None if rule.tags is None else _tag_rules(rule.tags, tags_line)
    return Rule(line, tuple(rule.match), tuple(rule.excluded), rule.mode, tags)


def _tag_rules(tags: TagRulesModel, line: int) -> TagRules:
    return TagRules(
        line=line,
        allow=tuple(tags.allow),
        deny=tuple(tags.deny),
        on_violation=tags.on_violation,
        artifacts=frozenset(tags.artifacts),
        severity=tags.severity,
    )


def _routing_problems(policy: Policy) -> list[Problem]:
    names = [channel.name for channel in policy.channels]
    problems = []
    for route in policy.routes:
        for name in route.to:
            if name not in names:
                nearest = difflib.get_close_matches(name, names, n=1)
                hint = f"did you mean {nearest[0]}?" if nearest else "add it under channels"
                problems.append(Problem(policy.file, route.line, 1, f"no channel is named {name}: {hint}"))
    named = {name for route in policy.routes for name in route.to}
    problems += [
        Problem(policy.file, channel.line, 1, f"no route names the channel {channel.name}", "warning")
        for channel in policy.channels
        if channel.name not in named
    ]
    return problems
