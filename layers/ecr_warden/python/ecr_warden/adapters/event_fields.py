"""Reading what an event's dictionaries promise: each field, or a ``MalformedEventError`` that names it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict

from ecr_warden.errors import MalformedEventError


class EventFields(TypedDict):
    """What EventBridge's envelope says of every event."""

    event_id: str
    event_time: datetime
    account: str
    region: str
    detail_type: str


def open_envelope(event: object, sources: Mapping[str, str]) -> Mapping[str, Any]:
    """Take an event for one of some detail-types, each with its source."""
    envelope = mapping(event, "event")
    detail_type = text(envelope, "detail-type")
    source = sources.get(detail_type)
    if source is None:
        raise MalformedEventError("detail-type", f"expected one of {', '.join(sources)}, got {detail_type!r}")
    if envelope.get("source") != source:
        raise MalformedEventError("source", f"expected {source!r}, got {envelope.get('source')!r}")
    return envelope


def envelope_fields(envelope: Mapping[str, Any]) -> EventFields:
    """Read the envelope."""
    return EventFields(
        event_id=text(envelope, "id"),
        event_time=time(text(envelope, "time")),
        account=text(envelope, "account"),
        region=text(envelope, "region"),
        detail_type=text(envelope, "detail-type"),
    )


def mapping(value: object, field: str) -> Mapping[str, Any]:
    """Take a value for an object."""
    if not isinstance(value, Mapping):
        raise MalformedEventError(field, f"expected an object, got {type(value).__name__}")
    return value


def optional_mapping(value: object, field: str) -> Mapping[str, Any]:
    """Take a value for an object; one that is absent or null is empty."""
    return {} if value is None else mapping(value, field)


def listed(value: object, field: str) -> list[Any]:
    """Take a value for a list; one that is absent or null is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedEventError(field, f"expected a list, got {type(value).__name__}")
    return value


def mappings(value: object, field: str) -> list[tuple[Mapping[str, Any], str]]:
    """Take a value for a list of objects; give each with its field's name."""
    found = [(one, f"{field}[{number}]") for number, one in enumerate(listed(value, field))]
    return [(mapping(one, name), name) for one, name in found]


def texts(value: object, field: str) -> tuple[str, ...]:
    """Take a value for a list of texts; those that are null or empty say nothing."""
    found = [(one, f"{field}[{number}]") for number, one in enumerate(listed(value, field))]
    return tuple(as_text(one, name) for one, name in found if one is not None and one != "")


def as_text(value: object, field: str) -> str:
    """Take a value for text that is not empty and can be printed."""
    if not isinstance(value, str) or not value:
        raise MalformedEventError(field, f"expected text, got {value!r}")
    # No field that is read here may hold a control character or half a surrogate pair in ECR.
    if not value.isprintable():
        raise MalformedEventError(field, f"expected printable text, got {value!r}")
    return value


def text(fields: Mapping[str, Any], name: str, parent: str = "") -> str:
    """Read a field that must be text; ``parent`` ends in a dot where there is one."""
    return as_text(fields.get(name), parent + name)


def optional_text(fields: Mapping[str, Any], name: str, parent: str = "detail.") -> str | None:
    """Read a field that is text, or absent, null or empty."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    return text(fields, name, parent)


def whole_number(value: object, field: str) -> int:
    """Take a value for a whole number that is not negative."""
    # In Python, True is a number too.
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MalformedEventError(field, f"expected a whole number that is not negative, got {value!r}")
    return value


def time(value: str) -> datetime:
    """Read the envelope's time."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise MalformedEventError("time", f"expected an ISO 8601 time, got {value!r}") from error
    if found.tzinfo is None:
        raise MalformedEventError("time", f"expected a time with its zone, got {value!r}")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise MalformedEventError("time", f"expected a time of this era, got {value!r}") from error


def printable(said: str) -> str:
    """Give a text of somebody else's on one line, with what cannot be printed replaced."""
    one_line = " ".join(said.split())
    return "".join(character if character.isprintable() else "\ufffd" for character in one_line)
