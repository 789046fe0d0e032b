"""Dead letters of NotifyQueue: what each is about, in which channel it failed, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from ecr_warden.adapters.event_fields import printable
from ecr_warden.adapters.outcome_bus import read_outcome_event
from ecr_warden.adapters.push_parsing import PUSH_SOURCES, parse_push
from ecr_warden.adapters.source_queue import read_message
from ecr_warden.domain.outcomes import name_of
from ecr_warden.domain.texts import cut
from ecr_warden.errors import MalformedEventError

_SHOWN: Final = 300


class About(StrEnum):
    """What a letter is about."""

    OUTCOME = "outcome"
    PUSH = "push"
    WAKE_UP = "wake-up"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Letter:
    """One dead letter.

    Attributes
    ----------
    subject
        What happened: an outcome's kind, or words.
    image
        The image or repository; empty where the letter is about none.
    happened_at
        When; ``None`` where the letter does not say.
    channel
        Where it could not be told; ``None`` where the whole message failed.
    why
        Why it is here; empty where nobody said.

    """

    id: str
    body: str
    about: About
    subject: str
    image: str = ""
    repository: str = ""
    severity: str = ""
    happened_at: datetime | None = None
    channel: str | None = None
    why: str = ""

    @property
    def can_be_sent(self) -> bool:
        """Tell whether NotifyFunction would know what to do with it."""
        return self.about is not About.UNREADABLE


def read_letter(message: Mapping[str, Any]) -> Letter:
    """Read a message of SQS, as ReceiveMessage gives it; one that is nothing we know is unreadable."""
    body = message["Body"]
    attributes = message.get("MessageAttributes", {})
    channel = _said(attributes, "channel") or None
    why = _said(attributes, "why")
    try:
        about, fields = _read(body)
    except MalformedEventError as error:
        about, fields = About.UNREADABLE, {"subject": "a message that cannot be read"}
        why = "; ".join(text for text in (why, _shown(str(error))) if text)
    # A wake-up is for one channel by itself.
    channel = fields.pop("channel", None) or channel
    return Letter(id=message["MessageId"], body=body, about=about, channel=channel, why=why, **fields)


def _said(attributes: Mapping[str, Any], name: str) -> str:
    return _shown(attributes.get(name, {}).get("StringValue", ""))


def _shown(said: str) -> str:
    return cut(printable(said), _SHOWN)


def _read(body: str) -> tuple[About, dict[str, Any]]:
    event = read_message(body)
    if "wake" in event:
        if not isinstance(event["wake"], str):
            raise MalformedEventError("wake", f"expected a channel's name, got {event['wake']!r}")
        return About.WAKE_UP, {"subject": "wake-up", "channel": _shown(event["wake"])}
    # It may be anything: only a text can be one of these.
    if str(event.get("detail-type")) in PUSH_SOURCES:
        push = parse_push(event)
        image = name_of(push.repository_name, push.image_tag, push.image_digest or None)
        return About.PUSH, {
            "subject": "push",
            "image": image,
            "repository": push.repository_name,
            "happened_at": push.event_time,
        }
    outcome = read_outcome_event(body)
    return About.OUTCOME, {
        "subject": outcome.kind.value,
        "image": _shown(name_of(outcome.repository, outcome.image_tag, outcome.image_digest)),
        "repository": _shown(outcome.repository),
        "severity": outcome.severity.value,
        "happened_at": outcome.event_time,
    }
