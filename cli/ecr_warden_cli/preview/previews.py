"""What each channel would send of some outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ecr_warden.domain.content import content
from ecr_warden.domain.messages import Message
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.policy import Channel as ChannelOfPolicy
from ecr_warden.domain.policy import Severity
from ecr_warden.domain.stories import settled
from ecr_warden.ports import Channel
from ecr_warden_cli.preview.messages import Gathered, messages
from ecr_warden_cli.preview.renderers import channel_renderers
from ecr_warden_cli.preview.threads import Answered, answered


@dataclass(frozen=True)
class Preview:
    """One message in one channel: its text, and all that would be sent.

    ``root`` is what the message above it is changed to, where it stands below one.
    """

    channel: ChannelOfPolicy
    message: Message
    text: str
    payload: dict[str, Any]
    root: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Give what is printed; the names are those of a message in the contract."""
        return {
            "channel": self.channel.name,
            "type": self.channel.type.value,
            "text": self.text,
            "payload": self.payload,
        }


@dataclass(frozen=True)
class Told:
    """What is told at once, and how each channel says it."""

    headline: str
    severity: Severity
    kinds: tuple[str, ...]
    previews: tuple[Preview, ...]


def previews(
    outcomes: Sequence[Outcome], channels: Sequence[ChannelOfPolicy], gathered: Gathered
) -> tuple[Told, ...]:
    """Give each message with what every channel would send of it."""
    renderers = channel_renderers(channels)
    found = messages(outcomes, gathered)
    answers = answered(found)
    return tuple(
        Told(
            headline=content(message).headline,
            severity=message.severity,
            kinds=tuple(dict.fromkeys(outcome.kind.value for outcome in message.outcomes)),
            previews=tuple(
                _preview(channel, renderers[channel.name], part, answers.get(place))
                for channel in channels
                for part in _parts(message, outcomes, renderers[channel.name])
            ),
        )
        for place, message in enumerate(found)
    )


def _parts(message: Message, outcomes: Sequence[Outcome], renderer: Channel) -> tuple[Message, ...]:
    """Give a message as a channel gets it: a machine gets each outcome, those of a digest as well."""
    if not renderer.takes_each:
        return (message,)
    return messages(outcomes if message.digest else message.outcomes, Gathered.EACH)


def _preview(
    channel: ChannelOfPolicy, renderer: Channel, message: Message, answer: Answered | None
) -> Preview:
    rendered = renderer.render(message)
    root = _changed_root(channel, answer) if answer is not None and renderer.has_threads else None
    return Preview(channel, message, rendered.text, rendered.payload, root)


def _changed_root(channel: ChannelOfPolicy, answer: Answered) -> dict[str, Any]:
    """Give what a thread's first message says by then, as a Slack bot changes it."""
    # Slack alone has threads.
    from ecr_warden.adapters.slack import mentions_of  # noqa: PLC0415  # only where there are any
    from ecr_warden.adapters.slack_blocks import slack_payload  # noqa: PLC0415  # the same

    return slack_payload(
        answer.root,
        mentions=mentions_of(channel),
        settled=settled(answer.root.outcomes, answer.since),
    )
