"""Amazon Q Developer in chat applications (once AWS Chatbot), by its custom notifications, through SNS.

The schema is https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html: ``version`` "1.0",
``source`` "custom" and ``content.description`` must be there, a title has at most 250 characters and a
description 8,000. What does not keep to it is dropped, and nobody is told. ``client-markdown``, the one text
type, is rendered in the markdown of the chat, which may be Slack's or that of Microsoft Teams: what means
something in either is made to mean nothing, and links are bare addresses, which both make links of.

Messages with the same ``threadId`` are one thread, if the channel's preferences allow it
(``@Amazon Q preferences``). An ``eventType`` is what custom actions choose notifications by: letters, digits
and hyphens.
"""

import json
import re
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from ecr_warden.adapters.plain_text import inert, letter
from ecr_warden.adapters.topics import publish
from ecr_warden.domain.console import repository_arn
from ecr_warden.domain.content import Content, content
from ecr_warden.domain.messages import Message, Posted, Thread
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.texts import cut_at_word
from ecr_warden.ports import Rendered

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

_TITLE_LENGTH: Final = 250
_DESCRIPTION_LENGTH: Final = 8_000
# The documentation bounds neither of these lists: as many as one reads in a chat.
_LISTED: Final = 10
_ITEM_LENGTH: Final = 250
_THREAD_ID_LENGTH: Final = 32
# As a chat shows it: what it takes for code means nothing.
_BACKTICK: Final = inert("`")
# What a variable of a custom action takes.
_VARIABLE: Final = re.compile(r"[\x21-\x7e]{1,1024}")


class AmazonQ:
    """The topic of the channels that Amazon Q Developer posts to."""

    # It posts to Slack, which takes one message a second in a channel, and does not tell what it dropped.
    pause: float = 1.0
    takes_each: bool = False
    # Threads go by their id: nothing of a message need be kept, and none can be changed.
    has_threads: bool = False

    def __init__(self, client: "SNSClient", topic_arn: str, channel_name: str) -> None:
        self._client = client
        self._topic_arn = topic_arn
        self._channel_name = channel_name

    def render(self, message: Message) -> Rendered:
        """Give the custom notification."""
        text = letter(message, _DESCRIPTION_LENGTH, is_inert=True)
        said = content(message)
        outcome = message.outcomes[0]
        notification = {
            "version": "1.0",
            "source": "custom",
            "id": outcome.id,
            "content": {
                "textType": "client-markdown",
                "title": _title(said),
                "description": text,
                "nextSteps": _distinct(_next_step(one.next_step) for one in said.notices),
                "keywords": _distinct(
                    _item(text) for text in (said.severity, *(one.kind for one in message.outcomes))
                ),
            },
            "metadata": _metadata(message, said, self._channel_name),
        }
        return Rendered(text, notification)

    def send(self, message: Message, thread: Thread | None = None) -> Posted | None:  # noqa: ARG002  # by its id
        """Publish a message, or raise ``ChannelError``."""
        notification = self.render(message).payload
        publish(self._client, TopicArn=self._topic_arn, Message=json.dumps(notification, ensure_ascii=False))
        return None


def _title(said: Content) -> str:
    return cut_at_word(f"[{said.severity.upper()}] {inert(said.headline)}", _TITLE_LENGTH)


def _metadata(message: Message, said: Content, channel_name: str) -> dict[str, Any]:
    outcomes = message.outcomes
    kind = "digest" if message.digest else outcomes[0].kind.value
    metadata: dict[str, Any] = {
        "summary": _title(said),
        "eventType": f"ecr-warden-{kind}".replace("_", "-"),
        "relatedResources": _distinct(_item(_arn(outcome)) for outcome in outcomes),
        "additionalContext": _variables(outcomes[0], channel_name),
    }
    if message.stories:
        # A story's name is longer than an id may be, and has other characters.
        metadata["threadId"] = sha256(message.stories[0].encode()).hexdigest()[:_THREAD_ID_LENGTH]
    return metadata


def _arn(outcome: Outcome) -> str:
    return repository_arn(outcome.account, outcome.region, outcome.repository)


def _variables(outcome: Outcome, channel_name: str) -> dict[str, str]:
    values = {
        "channel": channel_name,
        "account": outcome.account,
        "region": outcome.region,
        "repository": outcome.repository,
        "imageDigest": outcome.image_digest or "",
        "imageTag": outcome.image_tag or "",
        "outcomeId": outcome.id,
    }
    return {name: value for name, value in values.items() if _VARIABLE.fullmatch(value)}


def _next_step(text: str) -> str:
    """Give what to do, with its commands whole or not at all: the description has all of it.

    Half a command may be one as well, that does something else.
    """
    shown = _item(text)
    is_within_command = shown.count(_BACKTICK) % 2 == 1
    if shown == inert(text) or not is_within_command:
        return shown
    before = shown[: shown.rindex(_BACKTICK)].rstrip()
    return before and f"{before} …"


def _item(text: str) -> str:
    return cut_at_word(inert(text), _ITEM_LENGTH)


def _distinct(texts: Iterable[str]) -> list[str]:
    """Give the first of some texts, each once, and none that is empty."""
    return [text for text in dict.fromkeys(texts) if text][:_LISTED]
