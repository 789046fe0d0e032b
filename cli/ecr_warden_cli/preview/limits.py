"""How much of what a channel takes a message uses."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ecr_warden.domain.policy import ChannelType

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Used:
    """How much of something a message uses, and the most of it that the channel takes."""

    what: str
    used: int
    most: int

    def __str__(self) -> str:
        """Say it as people do."""
        return f"{self.what} {self.used:,} of {self.most:,}"


def limits(channel_type: ChannelType, payload: Json) -> tuple[Used, ...]:
    """Measure a payload; empty for a channel that says nothing about limits."""
    measure = _MEASURES.get(channel_type)
    return () if measure is None else tuple(measure(payload))


def _slack(payload: Json) -> Iterator[Used]:
    blocks = payload.get("blocks", [])
    texts = [text["text"] for block in blocks for text in _texts(block)]
    yield Used("blocks", len(blocks), 50)
    yield Used("characters", sum(map(_characters, (payload.get("text", ""), *texts))), 12_000)


def _texts(block: Json) -> Iterator[Json]:
    for text in (block.get("text"), *block.get("fields", ()), *block.get("elements", ())):
        if isinstance(text, dict) and isinstance(text.get("text"), str):
            yield text


def _characters(text: str) -> int:
    """Count as Slack's clients do: what is beyond the first plane is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _sns(payload: Json) -> Iterator[Used]:
    yield Used("subject", len(payload["subject"]), 99)
    attributes = payload.get("attributes", {}).items()
    of_attributes = sum(len((name + "".join(value.values())).encode()) for name, value in attributes)
    yield Used("bytes", len(payload["subject"]) + of_attributes + _bytes(payload["message"]), 262_144)


def _amazon_q(payload: Json) -> Iterator[Used]:
    yield Used("title", len(payload["content"]["title"]), 250)
    yield Used("description", len(payload["content"]["description"]), 8_000)


def _webhook(payload: Json) -> Iterator[Used]:
    # What CloudEvents asks everybody on the way to take.
    yield Used("bytes", _bytes(payload), 65_536)


def _bytes(payload: Json) -> int:
    return len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode())


_MEASURES: Final[dict[ChannelType, Callable[[Json], Iterator[Used]]]] = {
    ChannelType.SLACK: _slack,
    ChannelType.SNS: _sns,
    ChannelType.AMAZON_Q: _amazon_q,
    ChannelType.WEBHOOK: _webhook,
}
