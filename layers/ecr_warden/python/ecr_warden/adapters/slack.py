"""What Slack's two ways in have in common."""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from ecr_warden.adapters.http_post import HttpAnswer, post
from ecr_warden.adapters.slack_blocks import mention
from ecr_warden.domain.policy import Channel
from ecr_warden.errors import PolicyError

logger = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 10
# A server's words may repeat what was asked, the secret path of a webhook among it: only codes are told.
_CODE: Final = re.compile(r"[a-z]+(?:_[a-z]+){0,8}")
_LONGEST_CODE: Final = 60


def secret_of(channel: Channel) -> str:
    """Give the name of a channel's secret, or raise ``PolicyError``."""
    if channel.secret is None:
        raise PolicyError(f"the channel {channel.name} has no secret: name the one of its webhook or token")
    return channel.secret


def mentions_of(channel: Channel) -> Mapping[str, str]:
    """Give whom a channel's messages mention, by owner; what is no id of Slack's mentions nobody."""
    for owner, slack_id in channel.mentions:
        if mention(slack_id) is None:
            logger.warning(
                "a mention is no id of a Slack user or user group",
                extra={"channel": channel.name, "owner": owner},
            )
    return dict(channel.mentions)


def code_in(answer: object) -> str:
    """Give the code that an answer of Slack's consists of; empty where it is something else."""
    text = answer.strip() if isinstance(answer, str) else ""
    return text if len(text) <= _LONGEST_CODE and _CODE.fullmatch(text) else ""


def post_json(url: str, payload: Mapping[str, Any], seconds: float, **headers: str) -> HttpAnswer:
    """Post JSON; raises what ``http_post.post`` raises."""
    body = json.dumps(payload).encode()
    return post(url, body, {"Content-Type": "application/json; charset=utf-8", **headers}, seconds)
