"""What goes wrong with a request over HTTP, as a channel's error that quotes no secret."""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from typing import Final
from urllib.error import URLError

from ecr_warden.errors import ChannelError

# The last: a host whose name cannot be one.
REQUEST_FAILURES: Final = (OSError, HTTPException, ValueError)
_NOT_TAKEN: Final = frozenset({HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.SERVICE_UNAVAILABLE})
_WITHOUT_A_WORD_SECONDS: Final = 30
_LONGEST_SECONDS: Final = 3600
_LONGEST_NUMBER: Final = 9


def request_failure(what: str, error: Exception) -> ChannelError:
    """Say why there is no answer to a request of urllib's; ``what`` names who was asked.

    The words of most errors may quote the URL, so that they are not given.
    """
    if isinstance(error, URLError):
        # urllib wraps what goes wrong until the request is sent in whole, and nothing after that.
        return ChannelError(f"{what}: {_reason(error.reason)}")
    said = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return ChannelError(f"{what}: {said}; whether it was told is not known", surely_failed=False)


def may_have_told(status: int) -> bool:
    """Tell whether a message may have been taken though the answer says that it failed.

    A gateway does not know. That something is not implemented, or not available, comes before it is taken.
    """
    is_servers = status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _NOT_TAKEN
    return status == HTTPStatus.REQUEST_TIMEOUT or is_servers


def retry_after(status: int, headers: Mapping[str, str], now: datetime | None = None) -> int | None:
    """Give the seconds that an answer says to wait; at most an hour, ``None`` where it says nothing.

    Retry-After is a number of seconds, or a date (RFC 9110, 10.2.3).
    """
    value = {name.lower(): value for name, value in headers.items()}.get("retry-after", "").strip()
    seconds = _seconds(value, now or datetime.now(UTC))
    if seconds is None:
        return _WITHOUT_A_WORD_SECONDS if status == HTTPStatus.TOO_MANY_REQUESTS else None
    return max(1, min(seconds, _LONGEST_SECONDS))


def _seconds(value: str, now: datetime) -> int | None:
    if value.isdecimal():
        return int(value) if len(value) <= _LONGEST_NUMBER else _LONGEST_SECONDS
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # A date in no zone is in UTC.
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return int((date - now).total_seconds()) + 1


def _reason(reason: object) -> str:
    match reason:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not valid: {reason.verify_message}"
        case ssl.SSLError():
            return f"no TLS connection: {reason.reason}"
        case TimeoutError():
            return "no connection in time"
        case OSError() if reason.strerror:
            return f"no connection: {reason.strerror}"
        case _:
            return f"no connection: {type(reason).__name__}"
