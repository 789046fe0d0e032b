"""What one replayed event caused: the object that `replay --json` prints."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """What people got: the channel's name in the policy, its type, the text, and all that was sent."""

    channel: str
    type: str
    text: str
    payload: Any


@dataclass(frozen=True)
class Caused:
    """One event's functions (logical ids reached), outcomes, changes, messages, and its error if it failed.

    ``decisions`` has what each function answered: ``decision``, ``reason`` and ``outcome_id``.
    """

    event_id: str | None
    detail_type: str | None
    functions: list[str] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    error: dict[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the object that is printed; its names are a contract."""
        return asdict(self)


def error_as_json(error: BaseException) -> dict[str, str]:
    """Give an error as ``Caused`` has it."""
    return {"type": type(error).__name__, "message": str(error)}
