"""Slack, by an incoming webhook."""

import logging
from collections.abc import Sequence
from http.client import HTTPException
from typing import Any, Final
from urllib.error import URLError

from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.webhook import WebhookClient

from ecr_warden.adapters.secrets import SecretsManager
from ecr_warden.domain.notices import Notice, notice
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.policy import Severity
from ecr_warden.domain.texts import cut
from ecr_warden.errors import AwsError, ChannelError
from ecr_warden.ports import Rendered

_HEADER_LENGTH: Final = 150
_SECTION_LENGTH: Final = 3000
_FIELD_LENGTH: Final = 2000
_FIELDS: Final = 10
_TIMEOUT_SECONDS: Final = 10
_OK: Final = 200
_TOO_MANY: Final = 429
# The webhook was revoked, or its URL rotated.
_STALE: Final = frozenset({401, 403, 404, 410})
_MARKS: Final = {
    Severity.CRITICAL: "🔴",
    Severity.HIGH: "🟠",
    Severity.MEDIUM: "🟡",
    Severity.LOW: "🔵",
    Severity.INFO: "⚪",
}

# The client logs its URL, which is a secret, at DEBUG, and in the words of errors.
logging.getLogger("slack_sdk").setLevel(logging.CRITICAL)


class SlackWebhook:
    """One Slack channel."""

    def __init__(self, secret: str, secrets: SecretsManager) -> None:
        self._secret = secret
        self._secrets = secrets

    def render(self, outcome: Outcome) -> Rendered:
        """Give the message."""
        payload = slack_payload(outcome)
        return Rendered(payload["text"], payload)

    def send(self, outcome: Outcome) -> None:
        """Post an outcome, or raise ``ChannelError``, which never holds the URL."""
        try:
            url = self._secrets.url(self._secret)
        except AwsError as error:
            raise ChannelError(str(error)) from error
        # The queue retries, and knows when: the client must not.
        client = WebhookClient(url, timeout=_TIMEOUT_SECONDS, retry_handlers=[])
        try:
            answer = client.send_dict(self.render(outcome).payload)
        except URLError as error:
            # A connection that was never made surely told nobody.
            never_sent = isinstance(error.reason, ConnectionRefusedError)
            raise ChannelError(f"Slack: {error.reason}", surely_failed=never_sent) from error
        except (OSError, HTTPException, ValueError) as error:
            # Its words may quote the URL, so that it is not chained either.
            raise ChannelError(f"Slack: {type(error).__name__}", surely_failed=False) from None
        if answer.status_code == _OK:
            return
        if answer.status_code in _STALE:
            self._secrets.forget(self._secret)
        raise ChannelError(
            f"Slack answered {answer.status_code} {answer.body[:200]} for the webhook of {self._secret}",
            retry_after=_retry_after(answer.status_code, answer.headers),
        )


def _retry_after(status_code: int, headers: dict[str, Any]) -> int | None:
    if status_code != _TOO_MANY:
        return None
    value = str({name.lower(): value for name, value in headers.items()}.get("retry-after", ""))
    return int(value) if value.isdecimal() else 30


def slack_payload(outcome: Outcome) -> dict[str, Any]:
    """Build the message: blocks for people, and a text for their notifications.

    Whatever came from an event or a policy stands in plain-text objects, which Slack does not interpret;
    in the notification's text the three characters that Slack gives a meaning are escaped.
    """
    said = notice(outcome)
    headline = f"{_MARKS[outcome.severity]} {said.headline}"
    blocks: list[Block] = [
        HeaderBlock(text=_plain(headline, _HEADER_LENGTH)),
        SectionBlock(text=_plain(said.reason, _SECTION_LENGTH)),
        SectionBlock(text=_plain(f"What to do: {said.next_step}", _SECTION_LENGTH)),
    ]
    if said.lines:
        blocks.append(SectionBlock(text=_plain(_listed(said.lines), _SECTION_LENGTH)))
    facts = [_plain(f"{label}\n{value}", _FIELD_LENGTH) for label, value in said.facts]
    blocks += [SectionBlock(fields=facts[start : start + _FIELDS]) for start in range(0, len(facts), _FIELDS)]
    link = f"<{said.link}|Open it in the ECR console>"
    # A link that was cut would lead nowhere.
    if len(link) <= _SECTION_LENGTH:
        blocks.append(ContextBlock(elements=[MarkdownTextObject(text=link)]))
    return {"text": _escaped(_fallback(headline, said)), "blocks": [block.to_dict() for block in blocks]}


def _fallback(headline: str, said: Notice) -> str:
    return cut(f"{headline}. {said.reason}", _SECTION_LENGTH)


def _listed(lines: Sequence[str]) -> str:
    """Give as many lines as a section takes, each whole, and say how many it does not."""
    shown = list(lines)
    while len(text := "\n".join((*shown, *_and_more(len(lines) - len(shown))))) > _SECTION_LENGTH:
        shown.pop()
    return text


def _and_more(count: int) -> tuple[str, ...]:
    return (f"and {count} more",) if count else ()


def _plain(text: str, length: int) -> PlainTextObject:
    # Slack refuses an empty text.
    return PlainTextObject(text=cut(text, length) or "-", emoji=False)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
