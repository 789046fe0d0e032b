"""The explain command: which rules decide for a repository, and whether a tag would pass."""

import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from ecr_warden.domain.artifacts import Artifact
from ecr_warden.domain.exemption import EXEMPT_TAG
from ecr_warden.domain.policy import Destination, Mode, Route, Severity, TagAction
from ecr_warden_cli.commands.common import json_option, policy_option, read_policy, to_json
from ecr_warden_cli.explanation import (
    MEDIA_TYPES,
    Explanation,
    MatchingException,
    MatchingVulnerability,
    Section,
    Verdict,
    explain_push,
)

# CreateRepository's own constraint.
_REPOSITORY_NAME: Final = re.compile(
    r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*", re.ASCII
)
_REGISTRY: Final = re.compile(r"^\d{12}\.dkr[.-]ecr[^/]*/")


@click.command()
@click.argument("image", metavar="REPOSITORY[:TAG]")
@policy_option
@click.option(
    "--artifact",
    type=click.Choice([artifact.value for artifact in MEDIA_TYPES]),
    default=Artifact.IMAGE.value,
    show_default=True,
    help="What is pushed.",
)
@json_option
def explain(image: str, policy: Path, artifact: str, *, as_json: bool) -> None:
    """Say which rules decide for a repository, and whether a tag would pass if it were pushed now.

    The exit status is 1 for a tag that would not pass. A repository's ecr-warden:exempt resource tag is not
    looked up.
    """
    repository, tag = _parsed(image)
    explanation = explain_push(
        read_policy(policy), repository, tag, artifact=Artifact(artifact), now=datetime.now(UTC)
    )
    click.echo(to_json(explanation) if as_json else "\n".join(_lines(explanation, str(policy))))
    sys.exit(explanation.verdict is not None and not explanation.verdict.passes)


def _parsed(image: str) -> tuple[str, str | None]:
    # People paste what docker push takes.
    repository, colon, tag = _REGISTRY.sub("", image).partition(":")
    if not _REPOSITORY_NAME.fullmatch(repository):
        raise click.UsageError(
            f"{repository!r} is no repository's name: give it as ECR does, as in prod/api, without a digest"
        )
    if colon and (not tag or "/" in tag):
        raise click.UsageError(
            f"{tag!r} is no tag: a tag is not empty and has no /; leave out the registry's host and port"
        )
    return repository, tag or None


def _lines(explanation: Explanation, file: str) -> Iterator[str]:
    """Say it for people: the verdict first, then what it rests on."""
    if explanation.verdict is not None:
        image = f"{explanation.repository}:{explanation.tag} ({explanation.artifact})"
        yield from _verdict_lines(explanation.verdict, image)
        yield ""
    for name, section in explanation.sections.items():
        yield from _section_lines(name, section, explanation, file)
        yield ""
    yield "exceptions of tags:" if explanation.exceptions else "exceptions of tags: none"
    for exception in explanation.exceptions:
        what = f"{exception.tag} in {exception.repository}"
        yield f"  {file}:{exception.line} {what}: {_state(exception)}"
    yield ""
    yield "who is told:" if explanation.routes else "who is told: nobody, no route is for the repository"
    for route in explanation.routes:
        yield f"  {file}:{route.line} {', '.join(route.to)}: {_what_is_told(route)}"


def _what_is_told(route: Route) -> str:
    """Say what a route takes, of what happens in a repository that it is for, and when it is told."""
    kinds = _shown(route.outcomes) or "all"
    severity = "" if route.min_severity is Severity.INFO else f", {route.min_severity} or worse"
    only = "".join(
        f", {name} {shown}"
        for name in ("mode", "accounts", "regions", "owners", "digest")
        if (shown := _shown(getattr(route, name)))
    )
    quiet = route.quiet_hours
    hours = (
        "" if quiet is None else f", quiet_hours {quiet.start:%H:%M} to {quiet.end:%H:%M} {quiet.time_zone}"
    )
    return f"{kinds}{severity}{only}{hours}"


def _verdict_lines(verdict: Verdict, image: str) -> Iterator[str]:
    if verdict.mode is None or verdict.action is None:
        yield f"PASSES  {image}: {verdict.reason}"
        return
    yield f"DOES NOT PASS  {image}: {verdict.reason}"
    yield f"  what happens: {_what_happens(verdict.mode, verdict.action)}"
    yield f"  unless the repository's resource tag {EXEMPT_TAG} has tags or all; it is not looked up here"


def _what_happens(mode: Mode, action: TagAction) -> str:
    effects = {
        TagAction.NOTIFY: "people are told, and nothing is changed",
        TagAction.QUARANTINE: "people are told, and the image is kept under a quarantine tag instead",
        TagAction.DELETE: "people are told, and the tag is deleted, unless its image may be in use",
    }
    if mode is Mode.ENFORCE or action is TagAction.NOTIFY:
        return f"{effects[action]} ({mode} mode: {action})"
    return f"{effects[TagAction.NOTIFY]} ({mode} mode; in enforce mode: {action})"


def _section_lines(name: str, section: Section, explanation: Explanation, file: str) -> Iterator[str]:
    if section.rule is None or section.settings is None:
        what = f"{explanation.artifact} artifacts in " if name == "tags" else ""
        yield f"{name}: no rule decides for {what}{explanation.repository}"
    else:
        where = f"{file}:{section.rule.line} {', '.join(section.rule.match)}"
        override = ", and overrides what somebody chose" if section.override else ""
        yield f"{name}: {where} decides, in {section.mode} mode{override}"
        yield from _settings_lines(section.settings)
        if name == "scan_gate":
            yield from _excepted_lines(explanation, file)
    for passed in section.passed_over:
        yield f"  passed over: {file}:{passed.line} {', '.join(passed.match)}: {passed.reason}"


def _excepted_lines(explanation: Explanation, file: str) -> Iterator[str]:
    if not explanation.vulnerability_exceptions:
        yield "  exceptions of vulnerabilities: none"
    for exception in explanation.vulnerability_exceptions:
        package = "" if exception.package is None else f" of {exception.package}"
        repository = "" if exception.repository is None else f" in {exception.repository}"
        what = f"{exception.vulnerability}{package}{repository}"
        yield f"  excepted: {file}:{exception.line} {what}: {_state(exception)}"


def _state(exception: MatchingException | MatchingVulnerability) -> str:
    state = "in force until" if exception.in_force else "over since the end of"
    return f"{state} {exception.until} ({exception.reason})"


def _settings_lines(settings: Any) -> Iterator[str]:  # noqa: ANN401  # each section has a type of its own
    for setting in fields(settings):
        shown = _shown(getattr(settings, setting.name))
        # The first is said before; narrow is for the functions, and check says it; what a gate ignores is
        # said with the policy's exceptions.
        if shown and setting.name not in {"line", "narrow", "ignore"}:
            yield f"  {setting.name}: {shown}"


def _shown(value: object) -> str:
    """Give a setting's value as the policy has it; empty where the policy is silent."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case Destination(region, account):
            return region if account is None else f"{account}/{region}"
        case frozenset():
            # A set has no order.
            return ", ".join(sorted(map(_shown, value)))
        case tuple():
            # The order of patterns is the file's.
            return ", ".join(
                ": ".join(map(str, one)) if isinstance(one, tuple) else _shown(one) for one in value
            )
        case _:
            return str(value)
