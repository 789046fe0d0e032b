"""Whether EventBridge gives an event to a rule: moto's judgement, and what it lacks."""

from collections.abc import Iterator, Mapping
from typing import Any

from moto.events.models import EventPattern

_WITH_ALL = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
ENABLED_STATES = frozenset({"ENABLED", _WITH_ALL})


def is_enabled(state: str, event: Mapping[str, Any]) -> bool:
    """Tell whether a rule in a state sees an event.

    A rule that is only ENABLED does not see the read-only management events that CloudTrail delivers.
    """
    detail = event.get("detail")
    is_read_only = (
        str(event.get("detail-type")).endswith(" via CloudTrail")
        and isinstance(detail, Mapping)
        and detail.get("readOnly") is True
    )
    return state == _WITH_ALL if is_read_only else state in ENABLED_STATES


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Tell whether an event matches a rule's pattern.

    As EventBridge does, and moto does not, it looks into the objects of a list: one of them is enough. Unlike
    EventBridge, it does not ask that two fields of a pattern be found in the same object.
    """
    return bool(_Pattern(None, pattern).matches_event(event))


class _Pattern(EventPattern):  # type: ignore[misc]  # moto has no types here
    @staticmethod
    def _flatten_dict(node: Any, prefix: str = "", result: dict[str, Any] | None = None) -> dict[str, Any]:  # noqa: ANN401  # moto's signature
        """Give the values by their dotted paths; those within lists of objects together, as a list."""
        flat: dict[str, Any] = {} if result is None else result
        for path, value in _leaves(node, prefix):
            if path not in flat:
                flat[path] = value
            else:
                flat[path] = [*_as_list(flat[path]), *_as_list(value)]
        return flat


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  # any JSON
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(node, list) and any(isinstance(item, dict) for item in node):
        for item in node:
            yield from _leaves(item, path)
    else:
        yield path, node


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401  # any JSON
    return value if isinstance(value, list) else [value]
