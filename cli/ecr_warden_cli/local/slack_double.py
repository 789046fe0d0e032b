"""Slack, as far as messages need it: incoming webhooks, and ``chat.postMessage`` and ``chat.update``.

What Slack refuses is refused: an unknown token, conversation or message, no text, blocks over their limits.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from ecr_warden_cli.local.loopback import Answer, Request

_BLOCKS: Final = 50
_HEADER: Final = 150
_SECTION: Final = 3000
_FIELD: Final = 2000
_FIELDS: Final = 10
_TEXT: Final = 40_000
Payload = dict[str, Any]


@dataclass
class SlackDouble:
    """One workspace.

    Attributes
    ----------
    hear
        Gets the channel's name in the policy, and what was posted.
    tokens
        Those of its bots.
    conversations
        The channel's name in the policy, by the conversation's id.

    """

    hear: Callable[[str, Payload], Answer | None]
    tokens: set[str] = field(default_factory=set)
    conversations: dict[str, str] = field(default_factory=dict)
    _posted: set[tuple[str, str]] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def webhook(self, channel: str, request: Request) -> Answer:
        """Take what is posted to an incoming webhook."""
        if (payload := _read(request)) is None:
            return Answer(400, body="invalid_payload")
        if (problem := problem_of(payload)) is not None:
            return Answer(400, body=problem)
        return self.hear(channel, payload) or Answer(body="ok")

    def api(self, method: str, request: Request) -> Answer:
        """Take a call of the Web API, which answers what is wrong with the status 200."""
        payload = _read(request)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _refusal("invalid_auth")
        if payload is None:
            return _refusal("invalid_json")
        if method not in {"chat.postMessage", "chat.update"}:
            return _refusal("unknown_method")
        conversation = str(payload.get("channel"))
        if conversation not in self.conversations:
            return _refusal("channel_not_found")
        if (problem := problem_of(payload)) is not None:
            return _refusal(problem)
        return self._take(conversation, payload, is_new=method == "chat.postMessage")

    def _take(self, conversation: str, payload: Payload, *, is_new: bool) -> Answer:
        about = payload.get("thread_ts") if is_new else payload.get("ts")
        if about is not None and (conversation, about) not in self._posted:
            return _refusal("cannot_reply_to_message" if is_new else "message_not_found")
        if not is_new and about is None:
            return _refusal("message_not_found")
        if (refused := self.hear(self.conversations[conversation], payload)) is not None:
            return refused
        timestamp = f"1767225600.{next(self._numbers):06d}" if is_new else str(about)
        self._posted.add((conversation, timestamp))
        return Answer(body=json.dumps({"ok": True, "channel": conversation, "ts": timestamp}))


def _refusal(error: str) -> Answer:
    return Answer(body=json.dumps({"ok": False, "error": error}))


def _read(request: Request) -> Payload | None:
    """Read JSON, or the form that the Web API takes too; ``None`` if it is neither."""
    try:
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            form: Payload = dict(parse_qsl(request.body.decode()))
            return form | ({"blocks": json.loads(form["blocks"])} if "blocks" in form else {})
        read = json.loads(request.body)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def problem_of(payload: Payload) -> str | None:
    """Give the error by which Slack refuses a message, or ``None``."""
    if not payload.get("text"):
        return "no_text"
    if len(payload["text"]) > _TEXT:
        return "msg_too_long"
    blocks = payload.get("blocks", [])
    return "invalid_blocks" if len(blocks) > _BLOCKS or not all(map(_is_sound, blocks)) else None


def _is_sound(block: Payload) -> bool:
    match block:
        case {"type": "header", "text": {"type": "plain_text", "text": text}}:
            return 0 < len(text) <= _HEADER
        case {"type": "section"}:
            fields = block.get("fields", [])
            text = block.get("text", {}).get("text", "")
            return (
                bool(text or fields)
                and len(text) <= _SECTION
                and len(fields) <= _FIELDS
                and all(0 < len(one["text"]) <= _FIELD for one in fields)
            )
        case {"type": "context", "elements": elements}:
            return 0 < len(elements) <= _FIELDS
        case {"type": "divider" | "actions" | "rich_text" | "markdown"}:
            return True
    return False
