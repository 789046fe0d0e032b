"""How a message of each type looks on a terminal."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from ecr_warden.domain.policy import ChannelType
from ecr_warden_cli.caused import Message

_SLACK_LINK: Final = re.compile(r"<(https://[^|>]+)\|([^>]+)>")
_SLACK_MENTION: Final = re.compile(r"<(?:!subteam\^|@)([A-Z0-9]+)>")


def heading(message: Message, others: Sequence[Message] = ()) -> str:
    """Name a message's channel, and where in it the message stands; ``others`` are shown with it."""
    place = _place(message, others) if message.type == ChannelType.SLACK else ""
    return f"{message.channel} ({message.type}{place})"


def title(message: Message) -> str:
    """Give the first that readers see of a message."""
    match message.type:
        case ChannelType.SNS:
            return str(message.payload["subject"])
        case ChannelType.AMAZON_Q:
            return str(message.payload["content"]["title"])
        case ChannelType.APPRISE:
            return str(message.payload["title"])
        case ChannelType.WEBHOOK:
            return ", ".join(_cloud_events(message.payload))
        case _:
            return _header(message) or html.unescape(message.text.partition("\n")[0])


def text(message: Message) -> str:
    """Give a message as its readers see it."""
    match message.type:
        case ChannelType.SLACK:
            return "\n".join(_blocks(message.payload.get("blocks", []))) or html.unescape(message.text)
        case ChannelType.SNS:
            return f"Subject: {title(message)}\n\n{message.text}".strip()
        case ChannelType.WEBHOOK:
            return "\n".join(_cloud_events(message.payload))
        case _:
            return f"{title(message)}\n\n{message.text}".strip()


def _place(message: Message, others: Iterable[Message]) -> str:
    if "ts" in message.payload:
        return ", changed in place"
    if (root := message.payload.get("thread_ts")) is None:
        return ""
    # A thread's first message is told again where this one settles it.
    roots = [other for other in others if other.type == ChannelType.SLACK and other.payload.get("ts") == root]
    return f", in the thread of “{title(roots[0])}”" if roots else ", in its thread"


def _header(message: Message) -> str:
    """Give a Slack message's first header, which is shorter than the text of its notification."""
    blocks = message.payload.get("blocks", ())
    return next((block["text"]["text"] for block in blocks if block["type"] == "header"), "")


def _cloud_events(payload: dict[str, Any]) -> list[str]:
    events = payload.get("events", [payload])
    return [f"CloudEvent {event['type']} of {event.get('subject', '-')}" for event in events]


def _blocks(blocks: Iterable[dict[str, Any]]) -> Iterator[str]:
    for block in blocks:
        if "text" in block:
            yield _readable(block["text"])
        # A field's first line is what it is called.
        yield from (_readable(part).replace("\n", ": ", 1) for part in block.get("fields", ()))
        yield from (_readable(part) for part in block.get("elements", ()))


def _readable(part: dict[str, str]) -> str:
    """Give plain text as it is, and markup as it looks."""
    if part["type"] != "mrkdwn":
        return part["text"]
    return html.unescape(_SLACK_MENTION.sub(r"@\1", _SLACK_LINK.sub(r"\2: \1", part["text"])))
