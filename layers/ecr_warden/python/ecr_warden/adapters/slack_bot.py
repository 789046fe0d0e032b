"""Slack, by a bot's token: threads, and messages that are changed when what they tell of is settled."""

import json
import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from ecr_warden.adapters.http_failures import (
    REQUEST_FAILURES,
    may_have_told,
    request_failure,
    retry_after,
)
from ecr_warden.adapters.http_post import HttpAnswer
from ecr_warden.adapters.secrets import is_url
from ecr_warden.adapters.slack import (
    PAUSE_SECONDS,
    TIMEOUT_SECONDS,
    code_in,
    mentions_of,
    post_json,
    secret_of,
)
from ecr_warden.adapters.slack_blocks import slack_payload
from ecr_warden.domain.messages import Posted
from ecr_warden.domain.policy import Severity
from ecr_warden.domain.stories import settled
from ecr_warden.errors import ChannelError, PolicyError
from ecr_warden.ports import Rendered

if TYPE_CHECKING:
    from ecr_warden.adapters.secrets import SecretsManager
    from ecr_warden.domain.messages import Message, Thread
    from ecr_warden.domain.policy import Channel

logger = logging.getLogger(__name__)

_SLACK: Final = "https://slack.com/api/"
_TOKEN: Final = re.compile(r"xox[a-z][A-Za-z0-9.-]+")
# A conversation's own id: what a name or a user's id stands for is known to Slack alone.
_CONVERSATION: Final = re.compile(r"[CGD][A-Z0-9]{2,20}")
_STALE: Final = frozenset(
    {"invalid_auth", "token_revoked", "token_expired", "account_inactive", "not_authed"}
)
_REFUSED: Final = frozenset(
    {
        "invalid_arg_name",
        "invalid_arguments",
        "invalid_array_arg",
        "invalid_blocks",
        "invalid_blocks_format",
        "markdown_text_conflict",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
    }
)
# Slack's reference says of these that some of it may have been done.
_UNKNOWN: Final = frozenset({"fatal_error", "internal_error"})
# Somebody deleted the message, or Slack does not let it be changed any more: the rest is told all the same.
_UNCHANGEABLE: Final = frozenset(
    {"message_not_found", "cant_update_message", "edit_window_closed", "is_inactive"}
)
_NO_THREAD: Final = frozenset(
    {
        "cannot_reply_to_message",
        "invalid_thread_ts",
        "message_not_found",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
        "restricted_action_thread_only_channel",
        "thread_not_found",
    }
)
# What the workspace does not let apps do with that one message.
_RESTRICTED: Final = "restricted_action"
_RATE_LIMITED: Final = frozenset({"ratelimited", "rate_limited"})
_TOO_MANY: Final = 429
_INVITE: Final = "invite the bot into the conversation (/invite), or mend `conversation` in the policy"
_WHAT_TO_DO: Final = {
    "channel_not_found": _INVITE,
    "not_in_channel": _INVITE,
    "is_archived": "bring the conversation back, or name another in the policy",
    "missing_scope": "give the app the scope chat:write, and install it again",
    "restricted_action": "the workspace does not let apps post there: ask its administrators",
    **dict.fromkeys(_STALE, "install the app again, and store its new token"),
}


class _SlackRefusalError(ChannelError):
    """What Slack said in an answer of its own, with the code for it."""

    code = ""


class SlackBot:
    """One Slack conversation."""

    pause = PAUSE_SECONDS
    takes_each = False
    has_threads = True

    def __init__(
        self, of_policy: "Channel", secrets: "SecretsManager", *, timeout_seconds: int = TIMEOUT_SECONDS
    ) -> None:
        if of_policy.conversation is None:
            raise PolicyError(f"the channel {of_policy.name} has no conversation for its bot to post in")
        self._conversation = of_policy.conversation
        self._secret = secret_of(of_policy)
        self._mentions = mentions_of(of_policy)
        self._secrets = secrets
        self._timeout_seconds = timeout_seconds

    def render(self, message: "Message") -> Rendered:
        """Give what is posted, but for the thread."""
        payload = slack_payload(message, mentions=self._mentions)
        return Rendered(payload["text"], {"channel": self._conversation, **payload})

    def send(self, message: "Message", thread: "Thread | None" = None) -> Posted:
        """Post a message, below its thread's root; raises ``ChannelError``, which never holds the token."""
        payload = self.render(message).payload
        if thread is None or not self._is_here(thread.posted):
            return self._post(payload)
        self._change(thread, message)
        below = {
            "thread_ts": thread.posted.timestamp,
            "reply_broadcast": message.severity is Severity.CRITICAL,
        }
        try:
            return self._post(payload | below)
        except _SlackRefusalError as error:
            if error.code not in _NO_THREAD:
                raise
            logger.warning("a message that others follow up on is gone", extra={"code": error.code})
        return self._post(payload)

    def _is_here(self, root: Posted) -> bool:
        """Tell whether a thread is in this conversation, and not in the one that the policy named before."""
        return root.conversation == self._conversation or not _CONVERSATION.fullmatch(self._conversation)

    def _credentials(self) -> tuple[str, str]:
        text = self._secrets.text(self._secret)
        fields = self._secrets.fields(self._secret) if text.startswith("{") else {"token": text}
        token, url = fields.get("token", ""), fields.get("url", _SLACK)
        # A header takes no other characters, and the error for it would quote them.
        if not _TOKEN.fullmatch(token) or not is_url(url):
            raise ChannelError(
                f"the secret {self._secret} holds no bot token: store the token, which begins with xoxb-, or "
                '{"token": "xoxb-…", "url": "https://slack-gov.com/api/"}'
            )
        return token, url

    def _post(self, payload: Mapping[str, Any]) -> Posted:
        answer = self._call("chat.postMessage", payload)
        conversation, timestamp = answer.get("channel"), answer.get("ts")
        if not isinstance(conversation, str) or not isinstance(timestamp, str):
            raise ChannelError("Slack's answer does not say where the message is", surely_failed=False)
        return Posted(conversation, timestamp)

    def _change(self, thread: "Thread", message: "Message") -> None:
        """Let the root say which of its outcomes are settled, if that is other than it says already."""
        root = thread.root.outcomes
        now_settled = settled(root, (*thread.since, *message.outcomes))
        if now_settled == settled(root, thread.since):
            return
        payload = slack_payload(thread.root, mentions=self._mentions, settled=now_settled)
        where = {"channel": thread.posted.conversation, "ts": thread.posted.timestamp}
        # chat.update unfolds no links, and knows no words for it.
        changed = {name: value for name, value in payload.items() if not name.startswith("unfurl")}
        try:
            self._call("chat.update", changed | where)
        except _SlackRefusalError as error:
            is_restricted = error.code.startswith(_RESTRICTED)
            if not (error.code in _UNCHANGEABLE or is_restricted or error.is_refused):
                # The message itself is not sent yet, and the same change again does no harm.
                error.surely_failed = True
                raise
            logger.warning("a message that is settled could not be changed", extra={"code": error.code})
        except ChannelError as error:
            error.surely_failed = True
            raise

    def _call(self, method: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call a method of Slack's Web API, and give its answer; raises ``ChannelError``."""
        token, url = self._credentials()
        where = f"{url.rstrip('/')}/{method}"
        try:
            answer = post_json(where, payload, self._timeout_seconds, Authorization=f"Bearer {token}")
        except REQUEST_FAILURES as error:
            failure = request_failure(f"Slack, by the bot of the secret {self._secret}", error)
        else:
            said = _json(answer.text)
            if answer.status == HTTPStatus.OK and said.get("ok") is True:
                return said
            failure = self._refusal(answer, code_in(said.get("error")))
        # Not within the handler: the other error's words may quote what was asked.
        raise failure

    def _refusal(self, answer: HttpAnswer, code: str) -> ChannelError:
        if code in _STALE or answer.is_redirect:
            self._secrets.forget(self._secret)
        what_to_do = f" - {_WHAT_TO_DO[code]}" if code in _WHAT_TO_DO else ""
        if answer.is_redirect:
            what_to_do = " - it leads elsewhere, which is not followed: store the url that it leads to"
        status = _TOO_MANY if code in _RATE_LIMITED else answer.status
        # An answer that is not Slack's does not say what became of the message.
        is_known = bool(code) or answer.status != HTTPStatus.OK
        failure = _SlackRefusalError(
            f"Slack answered {answer.status} {code or 'without a code'}{what_to_do} (the conversation "
            f"{self._conversation}, the bot of the secret {self._secret})",
            retry_after=retry_after(status, answer.headers),
            surely_failed=code not in _UNKNOWN and is_known and not may_have_told(answer.status),
            is_refused=code in _REFUSED,
        )
        failure.code = code
        return failure


def _json(text: str) -> Mapping[str, Any]:
    """Read an object; anything else says nothing."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
