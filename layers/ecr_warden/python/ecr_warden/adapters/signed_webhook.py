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
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.exceptions import (
    TimeoutError as RequestTimeoutError,
)

from ecr_warden.adapters.http_failures import retry_after
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
_REDIRECTS: Final = range(300, 400)
_TAKEN: Final = range(200, 300)
_STALE: Final = frozenset({401, 403, 404, 410})
_REFUSED: Final = frozenset({400, 413, 415, 422})
_BUSY: Final = frozenset({429, 503})

# It logs the URL's path at DEBUG, and in warnings.
logging.getLogger("urllib3").setLevel(logging.ERROR)


def is_genuine(body: bytes, timestamp: str, signature: str, key: str, now: float) -> bool:
    """Tell a receiver whether a request is ECR Warden's, and not an old one sent again.

    ``body`` is what came, byte by byte; ``now`` is ``time.time()``.
    """
    tolerance = 300
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > tolerance:
        return False
    signed = timestamp.encode() + b"." + body
    expected = "v1=" + hmac.new(key.encode(), signed, sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


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
        # It checks certificates by itself. The queue retries, and knows when; a redirect may lead into the
        # network of the function, with a signature.
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(total=timeout), retries=False)

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
        fields = self._secrets.fields(self._secret)
        url, key = fields.get("url", ""), fields.get("key", "")
        if is_url(url) and len(key) >= _KEY_LENGTH:
            return url, key
        # It may have been mended since.
        self._secrets.forget(self._secret)
        raise ChannelError(
            f'the secret {self._secret} holds no https URL and key: store {{"url": "https://…", "key": "…"}} '
            f"with a key of {_KEY_LENGTH} characters or more"
        )

    def _post(self, url: str, key: str, event: dict[str, Any]) -> None:
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/cloudevents+json; charset=UTF-8",
            "User-Agent": "ecr-warden",
            **signature_headers(body, key, self._now()),
        }
        failure: ChannelError | None = None
        try:
            answer = self._http.request("POST", url, body=body, headers=headers, redirect=False)
        except HTTPError as error:
            failure = self._failed(error)
        if failure is not None:
            # Not within the handler: its error, which would be chained, quotes the URL.
            raise failure
        if answer.status not in _TAKEN:
            raise self._not_taken(answer.status, answer.headers)

    def _failed(self, error: HTTPError) -> ChannelError:
        problem, was_never_sent = _described(error)
        return ChannelError(f"the webhook of {self._secret} {problem}", surely_failed=was_never_sent)

    def _not_taken(self, status: int, headers: Mapping[str, str]) -> ChannelError:
        is_redirect = status in _REDIRECTS
        if is_redirect or status in _STALE:
            self._secrets.forget(self._secret)
        next_step = (
            ", a redirect, which is not followed: store the URL that it leads to" if is_redirect else ""
        )
        return ChannelError(
            f"the webhook of {self._secret} answered {status}{next_step}",
            retry_after=retry_after(status, headers, self._now()) if status in _BUSY else None,
            is_refused=status in _REFUSED,
        )


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


def _described(error: HTTPError) -> tuple[str, bool]:
    """Say without the URL what went wrong, and whether the request was surely not sent."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "could not be trusted: its certificate is not good for that host", True
    match error:
        case NameResolutionError():
            return "has a host that is not known", True
        case NewConnectionError() | ConnectTimeoutError():
            return "could not be reached", True
        case RequestTimeoutError():
            return "did not answer in time", False
        case _:
            return f"hung up: {type(error).__name__}", False
