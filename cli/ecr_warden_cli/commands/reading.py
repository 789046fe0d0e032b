"""Events in files, as EventBridge would send them."""

import json
from pathlib import Path
from typing import Any

from ecr_warden.errors import MalformedEventError

_ENVELOPE = ("account", "region")


def read_event(path: Path) -> dict[str, Any]:
    """Read an event as EventBridge would send it; what every event has must be there."""
    try:
        event = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MalformedEventError(str(path), f"not JSON: {error}") from error
    if not isinstance(event, dict):
        raise MalformedEventError(str(path), f"expected an event's object, got {type(event).__name__}")
    for field in _ENVELOPE:
        if not isinstance(event.get(field), str) or not event[field]:
            raise MalformedEventError(field, f"expected text, as in every event, got {event.get(field)!r}")
    return event
