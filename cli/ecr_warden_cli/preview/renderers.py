"""The channels' adapters, with nothing to send by: rendering needs neither a client nor a secret."""

from collections.abc import Sequence
from typing import Any, Final, NoReturn

from ecr_warden.domain.policy import Channel as ChannelOfPolicy
from ecr_warden.domain.policy import ChannelType
from ecr_warden.ports import Channel
from ecr_warden.wiring import channel_of

_TOPIC: Final = "arn:aws:sns:eu-west-1:123456789012:preview"

# One of each type: what a policy could have.
EXAMPLES: Final = (
    ChannelOfPolicy("example-slack", 0, ChannelType.SLACK, secret="preview"),  # noqa: S106  # names none
    ChannelOfPolicy(
        "example-slack-bot",
        0,
        ChannelType.SLACK,
        secret="preview",  # noqa: S106  # names none
        conversation="C0123ABCD",
    ),
    ChannelOfPolicy("example-sns", 0, ChannelType.SNS),
    ChannelOfPolicy("example-amazon-q", 0, ChannelType.AMAZON_Q),
    ChannelOfPolicy("example-apprise", 0, ChannelType.APPRISE, secret="preview"),  # noqa: S106  # names none
    ChannelOfPolicy("example-webhook", 0, ChannelType.WEBHOOK, secret="preview"),  # noqa: S106  # names none
)


class NothingHereError(Exception):
    """Report that rendering a message wanted what a preview has not: a defect of the channel."""


class _Nothing:
    """What stands in for a client, or for secrets."""

    def __getattr__(self, name: str) -> NoReturn:
        raise NothingHereError(
            f"rendering a message asked for {name}: a preview sends nothing and reads no secret"
        )


def with_every_type(channels: tuple[ChannelOfPolicy, ...]) -> tuple[ChannelOfPolicy, ...]:
    """Add an example of each type, and each kind of Slack channel, that is not among some channels."""
    there = {_kind(channel) for channel in channels}
    return (*channels, *(example for example in EXAMPLES if _kind(example) not in there))


def _kind(channel: ChannelOfPolicy) -> tuple[ChannelType, bool]:
    return channel.type, channel.conversation is not None


def channel_renderers(channels: Sequence[ChannelOfPolicy]) -> dict[str, Channel]:
    """Give each channel's adapter by the channel's name: it renders, and cannot send."""
    return {channel.name: _renderer(channel) for channel in channels}


def _renderer(channel: ChannelOfPolicy) -> Channel:
    nothing: Any = _Nothing()
    return channel_of(
        channel,
        secrets=lambda: nothing,
        sns=lambda: nothing,
        topic_arn=_TOPIC,
        chat_topic_arn=_TOPIC,
    )
