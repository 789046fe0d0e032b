"""A webhook for machines: each outcome as a CloudEvent, signed.

A request is a POST of one CloudEvent 1.0 in structured mode (``application/cloudevents+json``). Its ``data``
is the outcome as it is on the bus, its ``id`` the outcome's: the same event may come twice, and has the same
id then. Two headers prove who sent it, and when: ``X-Ecr-Warden-Timestamp`` has Unix seconds, and
``X-Ecr-Warden-Signature`` is ``v1=`` and the HMAC-SHA256, in hex, of the timestamp, a full stop and the
body's bytes, with the key in the secret. ``is_genuine`` below is what a receiver does, and needs the standard
library alone: copy it.
"""

import hmac
import json
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from ecr_warden.adapters.http_failures import (
    REQUEST_FAILURES,
    may_have_told,
    request_failure,
    retry_after,
)
from ecr_warden.adapters.http_post import HttpAnswer, post
from ecr_warden.adapters.outcome_bus import outcome_as_json
from ecr_warden.adapters.secrets import SecretsManager, is_url
from ecr_warden.domain.messages import Message, Posted, Thread
from ecr_warden.domain.outcomes import Outcome, name_of
from ecr_warden.domain.policy import Channel
from ecr_warden.domain.texts import one_line
from ecr_warden.errors import ChannelError
from ecr_warden.ports import Rendered

TIMESTAMP_HEADER: Final = "X-Ecr-Warden-Timestamp"
SIGNATURE_HEADER: Final = "X-Ecr-Warden-Signature"
_TIMEOUT_SECONDS: Final = 10
_KEY_LENGTH: Final = 32
_TAKEN: Final = range(200, 300)
_STALE: Final = frozenset({400, 401, 403, 404, 410, 422})
# What no later try would change. 400 and 422 are what many answer to a wrong key or URL.
_REFUSED: Final = frozenset({413, 415})
_BUSY: Final = frozenset({429, 503})


def is_genuine(body: bytes, timestamp: str, signature: str, key: str, now: float) -> bool:
    """Tell a receiver whether a request is ECR Warden's, and not an old one sent again.

    ``body`` is what came, byte by byte; ``now`` is ``time.time()``.
    """
    tolerance, digits = 300, 12
    is_number = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= digits
    if not is_number or abs(now - int(timestamp)) > tolerance:
        return False
    signed = timestamp.encode() + b"." + body
    expected = "v1=" + hmac.new(key.encode(), signed, sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))


class SignedWebhook:
    """One receiver, by the URL and the key in a secret."""

    pause: float = 0.0
    takes_each: bool = True
    has_threads: bool = False

    def __init__(
        self,
        of_policy: Channel,
        secrets: SecretsManager,
        now: Callable[[], datetime],
        timeout: float = _TIMEOUT_SECONDS,
    ) -> None:
        if of_policy.secret is None:
            raise ChannelError(f"the channel {of_policy.name} names no secret: give it one in the policy")
        self._secret = of_policy.secret
        self._secrets = secrets
        self._now = now
        self._timeout = timeout

    def render(self, message: Message) -> Rendered:
        """Give the CloudEvent, or in a list those of more outcomes than one."""
        events = [cloud_event(outcome, message.instead_of) for outcome in message.outcomes]
        payload = events[0] if len(events) == 1 else {"events": events}
        return Rendered("\n".join(outcome.reason for outcome in message.outcomes), payload)

    def send(self, message: Message, thread: Thread | None = None) -> Posted | None:  # noqa: ARG002  # has none
        """Post each outcome, or raise ``ChannelError``, which never holds the URL or the key."""
        url, key = self._read_secret()
        for outcome in message.outcomes:
            self._post(url, key, cloud_event(outcome, message.instead_of))
        return None

    def _read_secret(self) -> tuple[str, str]:
        # Of anything else than an object, this channel says better what it needs.
        is_object = self._secrets.text(self._secret).startswith("{")
        fields = self._secrets.fields(self._secret) if is_object else {}
        url, key = fields.get("url", ""), fields.get("key", "")
        if is_url(url) and len(key) >= _KEY_LENGTH and _is_utf8(key):
            return url, key
        # It may have been mended since.
        self._secrets.forget(self._secret)
        raise ChannelError(
            f'the secret {self._secret} holds no https URL and key: store {{"url": "https://…", "key": "…"}} '
            f"with a URL without user and password, and a key of {_KEY_LENGTH} characters or more, in UTF-8"
        )

    def _post(self, url: str, key: str, event: dict[str, Any]) -> None:
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/cloudevents+json; charset=UTF-8",
            "User-Agent": "ecr-warden",
            **signature_headers(body, key, self._now()),
        }
        try:
            answer = post(url, body, headers, self._timeout)
        except REQUEST_FAILURES as error:
            failure = request_failure(f"the webhook of {self._secret}", error)
        else:
            if answer.status in _TAKEN:
                return
            failure = self._not_taken(answer)
        # Not within the handler: the other error's words may quote the URL.
        raise failure

    def _not_taken(self, answer: HttpAnswer) -> ChannelError:
        if answer.is_redirect or answer.status in _STALE:
            self._secrets.forget(self._secret)
        next_step = (
            ", a redirect, which is not followed: store the URL that it leads to"
            if answer.is_redirect
            else ""
        )
        is_busy = answer.status in _BUSY
        return ChannelError(
            f"the webhook of {self._secret} answered {answer.status}{next_step}",
            retry_after=retry_after(answer.status, answer.headers, self._now()) if is_busy else None,
            surely_failed=not may_have_told(answer.status),
            is_refused=answer.status in _REFUSED,
        )


def _is_utf8(text: str) -> bool:
    # Half a surrogate pair: the error that it would be quotes all of the text.
    return not any("\ud800" <= character <= "\udfff" for character in text)


def cloud_event(outcome: Outcome, instead_of: str | None = None) -> dict[str, Any]:
    """Give an outcome as a CloudEvent 1.0.

    ``insteadof``, an extension, is there where the channel that should have told it is down, and says which.
    """
    event = {
        "specversion": "1.0",
        "id": outcome.id,
        "source": f"/ecr-warden/{quote(outcome.account, safe='')}/{quote(outcome.region, safe='')}",
        "type": f"ecr-warden.{outcome.kind.value}",
        # CloudEvents allow neither control characters nor an empty text.
        "subject": one_line(name_of(outcome.repository, outcome.image_tag, outcome.image_digest)) or "-",
        "time": outcome.event_time.isoformat(),
        "datacontenttype": "application/json",
        "data": outcome_as_json(outcome),
    }
    return event if instead_of is None else event | {"insteadof": one_line(instead_of) or "-"}


def signature_headers(body: bytes, key: str, at: datetime) -> dict[str, str]:
    """Sign a body."""
    timestamp = str(int(at.timestamp()))
    signature = hmac.new(key.encode(), f"{timestamp}.".encode() + body, sha256).hexdigest()
    return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: f"v1={signature}"}
