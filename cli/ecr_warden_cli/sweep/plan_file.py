"""A plan as a file: one JSON document, written and read an item a line, so that it may be of any size."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Mode, RuleReference
from ecr_warden.domain.sweep.judgements import Judgement, Standing
from ecr_warden.errors import EcrWardenError

VERSION: Final = 1
CHANGES: Final = "changes"
# What the errors of values that are not as they should be are.
_WRONG: Final = (AttributeError, KeyError, TypeError, ValueError)


class PlanFileError(EcrWardenError):
    """Report a file that is no plan, or not a whole one. A new plan is to be made."""


class Document:
    """One JSON object, written to several files at once: members first, then arrays, then members again."""

    def __init__(self, files: Sequence[TextIO]) -> None:
        self._files = files
        self._count = 0
        self._is_array_open = False

    def begin(self, members: Mapping[str, Any]) -> None:
        """Write what is known before anything is found; never nothing."""
        self._write(f"{json.dumps(members)[:-1]},\n")

    def begin_array(self, name: str) -> None:
        """Begin an array, and end the one before it."""
        self._end_array()
        self._write(f'"{name}": [\n')
        self._is_array_open, self._count = True, 0

    def add(self, item: Mapping[str, Any]) -> None:
        """Write one item of the array."""
        self._write((",\n" if self._count else "") + json.dumps(item))
        self._count += 1

    def add_array(self, name: str, items: Iterable[Mapping[str, Any]]) -> None:
        """Write a whole array."""
        self.begin_array(name)
        for item in items:
            self.add(item)

    def end(self, members: Mapping[str, Any]) -> None:
        """Write what is known at last."""
        self._end_array()
        self._write(f"{json.dumps(members)[1:]}\n")

    def _end_array(self) -> None:
        if self._is_array_open:
            self._write("\n],\n" if self._count else "],\n")
            self._is_array_open = False

    def _write(self, text: str) -> None:
        for file in self._files:
            file.write(text)


@contextmanager
def written_at_once(path: Path, *, newline: str | None = None) -> Iterator[TextIO]:
    """Write a file that is there whole, or not at all: an error leaves what was there before.

    ``newline`` is as ``open`` takes it.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        # Its own text names the file that is there for moments alone.
        raise PlanFileError(f"{path} cannot be written: {error.strerror or error}") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline=newline) as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def encode_judgement(judgement: Judgement) -> dict[str, Any]:
    """Give a judgement as plain JSON."""
    rule = judgement.rule
    return {
        "place": str(judgement.place),
        "account": judgement.place.account,
        "region": judgement.place.region,
        "repository": judgement.repository,
        "section": judgement.section,
        "setting": judgement.setting,
        "standing": judgement.standing.value,
        "mode": judgement.mode.value,
        "rule": {"file": rule.file, "line": rule.line, "match": list(rule.match)},
        "reason": judgement.what,
        "next_step": judgement.next_step,
        "before": judgement.before,
        "after": judgement.after,
        "image_digest": judgement.image_digest,
        "image_tag": judgement.image_tag,
    }


def decode_judgement(item: Mapping[str, Any]) -> Judgement:
    """Read a judgement as ``encode_judgement`` gives it; raises ``PlanFileError``."""
    try:
        rule = item["rule"]
        return Judgement(
            place=Place(_text(item, "account"), _text(item, "region")),
            repository=_text(item, "repository"),
            section=_text(item, "section"),
            setting=_text(item, "setting"),
            standing=Standing(item["standing"]),
            mode=Mode(item["mode"]),
            rule=RuleReference(_text(rule, "file"), int(rule["line"]), tuple(map(str, rule["match"]))),
            what=_text(item, "reason"),
            next_step=_text(item, "next_step"),
            before=_document(item, "before"),
            after=_document(item, "after"),
            image_digest=item["image_digest"],
            image_tag=item["image_tag"],
        )
    except _WRONG as error:
        raise PlanFileError(f"this is no change of a plan: {json.dumps(item)[:200]} ({error!r})") from error


def _text(item: Mapping[str, Any], name: str) -> str:
    if not isinstance(item[name], str):
        raise TypeError(f"{name} is no text")
    return str(item[name])


def _document(item: Mapping[str, Any], name: str) -> Mapping[str, object] | None:
    value = item[name]
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{name} is no object")
    return value


@dataclass(frozen=True)
class PlanHead:
    """What a plan says before its changes: the policy's file and what it was, and the registries."""

    policy: str
    places: tuple[Place, ...]
    policy_digest: str | None = None


def read_head(path: Path) -> PlanHead:
    """Read what a plan says first; raises ``PlanFileError``."""
    head = _whole(path) if (own := _own_head(path)) is None else own
    version = head.get("version")
    if version != VERSION:
        raise PlanFileError(
            f"{path} is a plan of version {version!r}, and this command reads version {VERSION}: plan again"
        )
    try:
        places = tuple(Place(*each.split("/")) for each in head["places"])
        digest = _text(head, "policy_digest") if "policy_digest" in head else None
        return PlanHead(_text(head, "policy"), places, digest)
    except _WRONG as error:
        raise PlanFileError(f"{path} is no plan: {error!r}") from error


def read_items(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each item of a plan's arrays, with the array's name.

    What ``Document`` wrote is read line by line; the same JSON in another form, whole. Raises
    ``PlanFileError`` where the plan is not whole, at its end at the latest.
    """
    if _own_head(path) is not None:
        yield from _own_items(path)
        return
    for name, value in _whole(path).items():
        if isinstance(value, list) and name != "places":
            yield from ((name, item) for item in value)


def _own_head(path: Path) -> dict[str, Any] | None:
    """Read the first line as ``Document`` writes it, or give ``None`` where it is otherwise."""
    with _opened(path) as file:
        line = file.readline()
    if not line.endswith(",\n"):
        return None
    try:
        found = json.loads(f"{line[:-2]}}}")
    except ValueError:
        return None
    return found if isinstance(found, dict) and "version" in found else None


def _own_items(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    array = None
    with _opened(path) as file:
        file.readline()
        for number, line in enumerate(file, start=2):
            try:
                if array is None and line.endswith(": [\n"):
                    array = str(json.loads(line[: -len(": [\n")]))
                elif array is None:
                    # The members that come last.
                    json.loads(f"{{{line}")
                    return
                elif line == "],\n":
                    array = None
                else:
                    yield array, json.loads(line.rstrip().rstrip(","))
            except ValueError as error:
                raise PlanFileError(f"{path}:{number} is no line of a plan: plan again ({error})") from error
    raise PlanFileError(f"{path} ends in the middle, so that it is not the whole plan: plan again")


def _whole(path: Path) -> dict[str, Any]:
    with _opened(path) as file:
        try:
            found = json.load(file)
        except ValueError as error:
            raise PlanFileError(
                f"{path} is no plan: make one with ecr-warden plan --out FILE ({error})"
            ) from error
    if not isinstance(found, dict) or not isinstance(found.get(CHANGES), list):
        raise PlanFileError(f"{path} is no plan: make one with ecr-warden plan --out FILE")
    return found


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(encoding="utf-8") as file:
            yield file
    except (OSError, UnicodeDecodeError) as error:
        raise PlanFileError(f"{path} cannot be read: {error}") from error
