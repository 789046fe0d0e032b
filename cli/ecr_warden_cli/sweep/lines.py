"""What a plan found and what was done about it, in words."""

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ecr_warden.domain.policy import Mode, RuleReference
from ecr_warden.domain.settings.native import REGISTRY
from ecr_warden.domain.sweep.judgements import TAGS, Judgement, Standing
from ecr_warden.domain.sweep.summary import Unseen
from ecr_warden.domain.sweep.visits import Repair, RepairStatus
from ecr_warden_cli.native_diff import Line, Sign, setting_lines

COLOURS: Final = {"+": "green", "-": "red", "~": "yellow", "!": "magenta", "?": "red"}
# A person reads no more; JSON has all.
_MOST: Final = 24
# Of a value in one line.
_LONGEST: Final = 80
_SIGNS: Final[dict[RepairStatus, Sign]] = {
    RepairStatus.CHANGED: "+",
    RepairStatus.ALREADY: "=",
    RepairStatus.KEPT: "=",
    RepairStatus.GONE: "=",
    RepairStatus.SKIPPED: "!",
    RepairStatus.FAILED: "-",
}


def heading(judgement: Judgement) -> Line:
    """Say what a judgement and those after it are about."""
    return Line("", f"{judgement.place} {name_of(judgement)}")


def name_of(judgement: Judgement) -> str:
    """Name the repository that a judgement is about."""
    return "the registry" if judgement.repository == REGISTRY else judgement.repository


def judgement_lines(judgement: Judgement) -> Iterator[Line]:
    """Say what was found, why, and by which rule; the parts indented."""
    match judgement.standing:
        case Standing.DIFFERS:
            yield from _change_lines(judgement)
        case Standing.VIOLATION:
            yield Line("!", f"{judgement.section}: {judgement.what}", 1)
        case _:
            yield Line("=", f"{judgement.section}: {judgement.what}", 1)
    if judgement.next_step:
        yield from _next_step_lines(judgement.next_step)
    yield Line("", rule_text(judgement.rule), 2)


def _next_step_lines(text: str) -> Iterator[Line]:
    """Say what a person can do; the command in it, between backticks, as a shell takes it from here."""
    said, _, command = text.partition(": `")
    if not command:
        yield Line("", f"{text}.", 2)
        return
    yield Line("", f"{said}:", 2)
    # An option a line, so that no terminal cuts a word at its edge.
    first, *options = command.rstrip("`").split(" --")
    parts = [first, *(f"--{option}" for option in options)]
    for number, part in enumerate(parts, 1):
        yield Line("", part if number == len(parts) else f"{part} \\", 3)


def rule_text(rule: RuleReference) -> str:
    """Name a rule by its place in the policy, and by what it is for."""
    return f"{rule.file}:{rule.line} ({', '.join(rule.match)})"


def _change_lines(judgement: Judgement) -> Iterator[Line]:
    audit = " (audit: told, not changed)" if judgement.mode is Mode.AUDIT else ""
    if judgement.section == TAGS:
        yield Line("-", f"{_tag_text(judgement)}{audit}", 1)
        yield Line("", judgement.what, 2)
        return
    yield Line("+" if judgement.before is None else "~", f"{judgement.what}{audit}", 1)
    before, after = judgement.before or {}, judgement.after or {}
    lines = [*_parts(judgement.setting, before, after)]
    yield from (Line(line.sign, line.text, 2) for line in lines[:_MOST])
    if len(lines) > _MOST:
        yield Line("", _more(len(lines) - _MOST), 2)


def _tag_text(judgement: Judgement) -> str:
    digest = (judgement.image_digest or "")[:19]
    if judgement.after is None:
        return f"tag {judgement.image_tag} ({digest}): deleted, and the image with its last tag"
    return f"tag {judgement.image_tag} ({digest}) → {judgement.after.get('image_tag')}"


def _parts(setting: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Line]:
    """Say what of a setting changes, where its one line does not."""
    match setting:
        case "lifecycle" | "scanning" | "replicate_to":
            lines = setting_lines(setting, before, after)
            # What differs in something that has no words, as in a description.
            yield from lines or _json_diff(before, after)
        case "repository_policy":
            yield from _json_diff(before, after)
        case "resource_tags" if before:
            yield from (
                Line("", f"{key}: {before.get(key, 'none')} → {value}")
                for key, value in after.items()
                if before.get(key) != value
            )


def value_lines(setting: str, value: Mapping[str, Any]) -> Iterator[str]:
    """Say what a setting is, as a plan says it."""
    # A registry's scanning has its type, too, which is in none of the lines.
    lines = [] if setting == "scanning" else [line.text for line in setting_lines(setting, {}, value)]
    if not lines:
        text = json.dumps(value)
        lines = [text] if len(text) <= _LONGEST else json.dumps(value, indent=2).splitlines()
    yield from lines[:_MOST]
    if len(lines) > _MOST:
        yield _more(len(lines) - _MOST)


def _more(number: int) -> str:
    return f"… and {number} lines more, which --json has"


def _json_diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Line]:
    """Say which lines of a document differ, with one line around them."""
    old, new = (json.dumps(each, indent=2).splitlines() if each else [] for each in (before, after))
    for line in [*difflib.unified_diff(old, new, n=1, lineterm="")][2:]:
        match line[0]:
            case "+":
                yield Line("+", line[1:])
            case "-":
                yield Line("-", line[1:])
            case "@":
                yield Line("", "  …")
            case _:
                yield Line("", f" {line}")


def unseen_lines(unseen: Unseen) -> Iterator[Line]:
    """Say what could not be looked at, why, and what to do."""
    yield Line("?", f"{unseen.place} {unseen.what}", 1)
    yield Line("", f"{unseen.why}.", 2)
    yield Line("", advice(unseen.why), 2)


def advice(why: str) -> str:
    """Say what to do against a failed call, by what AWS says of it."""
    if any(word in why for word in ("AccessDenied", "not authorized", "Organization")):
        return (
            "Let these credentials, or the role, make this call: docs/accounts.md has the role's permissions."
        )
    if any(word in why for word in ("Expired", "credentials", "InvalidClientToken", "UnrecognizedClient")):
        return "Renew the credentials, then run it again."
    if any(word in why for word in ("Throttl", "Rate exceeded", "TooManyRequests")):
        return "Run it again when fewer others call ECR."
    if any(
        word in why for word in ("InvalidParameter", "InvalidTag", "Validation", "LimitExceeded", "TooMany")
    ):
        return "Mend what ECR says is wrong, in the policy or in the repository, then plan again."
    if any(word in why for word in ("Could not connect", "timeout on endpoint", "a web page")):
        return (
            "See whether there is such a Region, whether AWS can be reached from here, and what "
            "AWS_ENDPOINT_URL is."
        )
    return "Run it again."


def repair_lines(repair: Repair) -> Iterator[Line]:
    """Say what came of one change."""
    judgement = repair.judgement
    tag = f" {judgement.image_tag}" if judgement.image_tag else ""
    about = f"{judgement.place} {name_of(judgement)} {judgement.setting}{tag}"
    yield Line(_SIGNS[repair.status], f"{repair.status} {about}")
    said = repair.said or judgement.what
    if said:
        yield Line("", f"{said}.", 1)
    if repair.status is RepairStatus.FAILED:
        yield Line("", advice(repair.said), 1)
