"""Who subscribes to the stack's topics: people by e-mail, and Amazon Q Developer in chat applications.

Both are shown all that was published: what one subscriber gets of it is a part.
"""

import json
from typing import Any, Final

from moto.sns import sns_backends

from ecr_warden.domain.policy import ChannelType
from ecr_warden_cli.caused import Message
from ecr_warden_cli.local.stack import LocalStack

_TOPICS: Final = ("OutcomeTopic", "ChatTopic")


def read_topics(stack: LocalStack) -> list[Message]:
    """Give what was published since the last time."""
    published = []
    for name in _TOPICS:
        topic = sns_backends[stack.account][stack.region].topics[stack.physical[name]]
        taken, topic.sent_notifications = topic.sent_notifications, []
        published += [_read(body, subject, attributes or {}) for _, body, subject, attributes, _ in taken]
    return published


def _read(body: str, subject: str | None, attributes: dict[str, dict[str, str]]) -> Message:
    content = _object(body)
    if content.get("source") == "custom":
        channel = content.get("metadata", {}).get("additionalContext", {}).get("channel", "")
        return Message(channel, ChannelType.AMAZON_Q, content["content"]["description"], content)
    sent = {
        name: {"DataType": value["Type"], "StringValue": value["Value"]} for name, value in attributes.items()
    }
    # A message for each protocol, of which people get that for e-mail.
    message: Any = content if "default" in content else body
    text = str(message.get("email", message["default"]) if isinstance(message, dict) else message)
    channel = sent.get("channel", {}).get("StringValue", "")
    return Message(
        channel, ChannelType.SNS, text, {"subject": subject, "message": message, "attributes": sent}
    )


def _object(body: str) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
