"""Slack, by an incoming webhook."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from ecr_warden.adapters.http_failures import (
    REQUEST_FAILURES,
    may_have_told,
    request_failure,
    retry_after,
)
from ecr_warden.adapters.http_post import HttpAnswer
from ecr_warden.adapters.slack import (
    PAUSE_SECONDS,
    TIMEOUT_SECONDS,
    code_in,
    mentions_of,
    post_json,
    secret_of,
)
from ecr_warden.adapters.slack_blocks import slack_payload
from ecr_warden.errors import ChannelError
from ecr_warden.ports import Rendered

if TYPE_CHECKING:
    from ecr_warden.adapters.secrets import SecretsManager
    from ecr_warden.domain.messages import Message, Thread
    from ecr_warden.domain.policy import Channel

# The webhook was revoked, or its URL rotated.
_STALE: Final = frozenset({401, 403, 404, 410})
_REFUSED: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
# What no other message would change.
_WHAT_TO_DO: Final = {
    "user_not_found": "whom the webhook writes to is gone: make another webhook",
    "channel_not_found": "the channel is gone: make a webhook for another",
    "channel_is_archived": "the channel is archived: bring it back, or make a webhook for another",
    "action_prohibited": "the workspace's administrators do not allow it",
    "posting_to_general_channel_denied": "the workspace does not let apps post in this channel",
    "team_disabled": "the workspace is switched off",
    "no_team": "the workspace is gone",
    "no_service": "the webhook was removed: make another, and store its URL",
    "no_service_id": "this is not the whole URL of a webhook: store it again",
    "no_active_hooks": "the webhook is switched off: make another, and store its URL",
    "invalid_token": "the webhook's URL is not valid any more: make another, and store its URL",
}


class SlackWebhook:
    """One Slack channel."""

    pause = PAUSE_SECONDS
    takes_each = False
    has_threads = False

    def __init__(
        self, of_policy: "Channel", secrets: "SecretsManager", *, timeout_seconds: int = TIMEOUT_SECONDS
    ) -> None:
        self._secret = secret_of(of_policy)
        self._mentions = mentions_of(of_policy)
        self._secrets = secrets
        self._timeout_seconds = timeout_seconds

    def render(self, message: "Message") -> Rendered:
        """Give what is posted."""
        payload = slack_payload(message, mentions=self._mentions)
        return Rendered(payload["text"], payload)

    def send(self, message: "Message", thread: "Thread | None" = None) -> None:  # noqa: ARG002  # a webhook has none
        """Post a message, or raise ``ChannelError``, which never holds the URL."""
        answer = self._post(message)
        code = code_in(answer.text)
        if answer.status == HTTPStatus.OK:
            if _is_taken(answer.text):
                return
            said = "as no webhook does: store the URL that Slack shows for the webhook"
        elif answer.is_redirect:
            said = "- it leads elsewhere, which is not followed: store the URL that it leads to"
        else:
            said = " ".join(word for word in (code, _what_to_do(code, answer.status)) if word)
        if answer.is_redirect or answer.status in _STALE:
            self._secrets.forget(self._secret)
        raise ChannelError(
            f"Slack answered {answer.status} {said} (the webhook of the secret {self._secret})",
            retry_after=retry_after(answer.status, answer.headers),
            surely_failed=not may_have_told(answer.status),
            is_refused=answer.status in _REFUSED and code not in _WHAT_TO_DO,
        )

    def _post(self, message: "Message") -> HttpAnswer:
        url = self._secrets.url(self._secret)
        try:
            return post_json(url, self.render(message).payload, self._timeout_seconds)
        except REQUEST_FAILURES as error:
            failure = request_failure(f"Slack, by the webhook of the secret {self._secret}", error)
        # Not within the handler: the other error's words may quote the URL.
        raise failure


def _is_taken(body: str) -> bool:
    """Tell whether an answer is a webhook's own; those of other chats that take Slack's messages say more.

    Slack sends those who ask at an address that is no webhook's to a page that explains webhooks.
    """
    return not body.lstrip().startswith("<") and '"ok":false' not in "".join(body.split())


def _what_to_do(code: str, status: int) -> str:
    if code in _WHAT_TO_DO:
        return f"- {_WHAT_TO_DO[code]}"
    return "- the webhook is gone, or its URL was changed: store the new one" if status in _STALE else ""
