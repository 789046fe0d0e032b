"""Lifecycle documents and lists of images in files."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from ecr_warden.domain.lifecycle_simulation import SimulatedImage
from ecr_warden.domain.settings.lifecycle_rules import lifecycle_problems
from ecr_warden.domain.simulation.values import StorageClass
from ecr_warden.errors import EcrWardenError
from ecr_warden_cli.simulation.listing import Listing

_NEEDED: Final = ("digest", "pushed_at")
_CLASSES: Final = ("standard", "archive")


class InputError(EcrWardenError):
    """Report a file that says something wrong. A person must mend it."""


def read_lifecycle(path: Path) -> Mapping[str, Any]:
    """Read a policy document; raises ``InputError`` with all that ECR would not take in it."""
    return checked_lifecycle(_parsed(path), str(path))


def checked_lifecycle(document: object, name: str) -> Mapping[str, Any]:
    """Give a policy document that ECR takes; raises ``InputError`` with each problem on a line."""
    problems = lifecycle_problems(document)
    if problems:
        said = (f"{name} is not a lifecycle policy that ECR takes:", *(f"  {one}" for one in problems))
        raise InputError("\n".join(said))
    return cast("Mapping[str, Any]", document)


def read_images(path: Path) -> Listing:
    """Read a list of images; raises ``InputError`` that says at which place of it something is wrong."""
    entries = _parsed(path)
    if not isinstance(entries, list):
        raise InputError(f"{path} is not a list of images, as in [{{...}}, {{...}}], but {_kind(entries)}")
    images: dict[str, SimulatedImage] = {}
    places: dict[str, int] = {}
    sizes = {}
    for place, entry in enumerate(entries, 1):
        image = _image(entry, f"{path}: the image at place {place}")
        if image.digest in images:
            both = f"the images at places {places[image.digest]} and {place}"
            raise InputError(f"{path}: {both} have the same digest {image.digest}: name each image once")
        images[image.digest], places[image.digest] = image, place
        if entry.get("size") is not None:
            sizes[image.digest] = _size(entry["size"], f"{path}: the image at place {place} has a size that")
    return Listing(tuple(images.values()), sizes)


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 time; one without a zone is in UTC. Raises ``ValueError``."""
    found = datetime.fromisoformat(text)
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} is out of range") from error


def _parsed(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error


def _image(entry: object, name: str) -> SimulatedImage:
    if not isinstance(entry, dict):
        raise InputError(f"{name} is not an object, but {_kind(entry)}")
    for key in entry:
        if key not in _READERS and key not in {"digest", "size"}:
            raise InputError(f"{name} has the unknown key {key!r}: known are {', '.join(_KNOWN)}")
    # What is null is as good as left out.
    given = {key: value for key, value in entry.items() if value is not None}
    for key in _NEEDED:
        if key not in given:
            raise InputError(f"{name} has no {key}")
    digest = _text(given.pop("digest"), f"{name} has a digest that")
    given.pop("size", None)
    values = {key: _READERS[key](value, f"{name} has a {key} that") for key, value in given.items()}
    return SimulatedImage(**({"digest": digest, "tags": ()} | values))


def _text(value: object, wrong: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"{wrong} is no text: {json.dumps(value)}")
    return value


def _texts(value: object, wrong: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise InputError(f"{wrong} is no list of texts: {json.dumps(value)}")
    return tuple(value)


def _time(value: object, wrong: str) -> datetime:
    try:
        return parse_time(_text(value, wrong))
    except ValueError as error:
        raise InputError(f"{wrong} is no time as in 2026-01-31T12:00:00Z: {json.dumps(value)}") from error


def _class(value: object, wrong: str) -> StorageClass:
    # ECR's API writes it in capitals, its lifecycle policies do not.
    found = value.lower() if isinstance(value, str) else None
    if found not in _CLASSES:
        raise InputError(f"{wrong} is neither standard nor archive: {json.dumps(value)}")
    return cast("StorageClass", found)


def _size(value: object, wrong: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError(f"{wrong} is no number of bytes: {json.dumps(value)}")
    return value


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


_READERS: Final[Mapping[str, Callable[[object, str], Any]]] = {
    "tags": _texts,
    "pushed_at": _time,
    "pulled_at": _time,
    "storage_class": _class,
    "archived_at": _time,
    "activated_at": _time,
    "referenced_by": _texts,
    "subject": _text,
}
_KNOWN: Final = ("digest", *_READERS, "size")
