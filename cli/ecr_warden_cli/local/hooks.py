"""Who takes what is posted to them: a service that Apprise tells, and a receiver of signed webhooks."""

import json
from http import HTTPStatus

from ecr_warden.adapters.signed_webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, is_genuine
from ecr_warden.domain.policy import ChannelType
from ecr_warden_cli.caused import Message
from ecr_warden_cli.local.loopback import Answer, Request


def from_apprise(channel: str, request: Request) -> Message | Answer:
    """Read what Apprise posts to a ``json://`` service, or refuse it."""
    try:
        sent = json.loads(request.body)
        payload = {"title": sent["title"], "body": sent["message"], "type": sent["type"]}
    except (KeyError, TypeError, ValueError):
        return Answer(HTTPStatus.BAD_REQUEST)
    return Message(channel, ChannelType.APPRISE, payload["body"], payload)


def from_webhook(channel: str, request: Request, key: str, now: float) -> Message | Answer:
    """Read a CloudEvent that is signed with a key, or refuse it; ``now`` is in seconds since 1970."""
    timestamp, signature = (
        request.headers.get(name.lower(), "") for name in (TIMESTAMP_HEADER, SIGNATURE_HEADER)
    )
    if not is_genuine(request.body, timestamp, signature, key, now):
        return Answer(HTTPStatus.UNAUTHORIZED)
    try:
        event = json.loads(request.body)
        return Message(channel, ChannelType.WEBHOOK, event["data"]["reason"], event)
    except (KeyError, TypeError, ValueError):
        return Answer(HTTPStatus.BAD_REQUEST)
