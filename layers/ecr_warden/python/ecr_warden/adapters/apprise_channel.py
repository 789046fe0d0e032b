"""Everything else, through Apprise: Teams, Discord, PagerDuty, Opsgenie, e-mail and a hundred more."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ecr_warden.adapters.http_failures import may_have_told
from ecr_warden.adapters.plain_text import inert, letter
from ecr_warden.domain.content import Content, content
from ecr_warden.domain.messages import Message, Posted, Thread
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Channel, Severity
from ecr_warden.domain.texts import cut_at_word
from ecr_warden.errors import ChannelError
from ecr_warden.ports import Rendered

if TYPE_CHECKING:
    from apprise import NotifyBase

    from ecr_warden.adapters.secrets import SecretsManager

_TIMEOUT_SECONDS: Final = 10
# Of one message in all; a URL may name several people, and each is a request.
_SERVICE_TIMEOUT_SECONDS: Final = 30
_PAUSE_SECONDS: Final = 1.0
_TITLE_LENGTH: Final = 250
_BODY_LENGTH: Final = 8_000
_TYPES: Final = {
    Severity.CRITICAL: "failure",
    Severity.HIGH: "failure",
    Severity.MEDIUM: "warning",
    Severity.LOW: "info",
    Severity.INFO: "info",
}
# What Apprise's plugins log of an answer: all else that they log may hold a part of the URL.
_STATUS: Final = re.compile(r"error=(\d{3})\b")
# PagerDuty, Pushover and Opsgenie answer 400 or 422 for a key that is not, or no longer, valid.
_STALE: Final = frozenset({400, 401, 403, 404, 410, 422})
_REFUSED: Final = frozenset({413})
_TOO_MANY: Final = 429
# Apprise does not give the Retry-After of an answer.
_BUSY_SECONDS: Final = 30
# The most that Apprise puts around a title, where that is a part of the text.
_AROUND_TITLE: Final = 24
_APPRISE_LOG: Final = logging.getLogger("apprise")


class _OnlyStatuses(logging.Filter):
    """Takes from what Apprise logs all but the statuses that were answered."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record, and let it pass."""
        statuses = _STATUS.findall(record.getMessage())
        record.msg = (
            " ".join(f"error={status}" for status in statuses) or "not shown: it may hold a secret URL"
        )
        record.args = record.exc_info = record.exc_text = record.stack_info = None
        return True


_ONLY_STATUSES: Final = _OnlyStatuses()


class Apprise:
    """One service, by the Apprise URL in a secret."""

    takes_each: bool = False
    has_threads: bool = False

    def __init__(
        self, of_policy: Channel, secrets: "SecretsManager", timeout: float = _TIMEOUT_SECONDS
    ) -> None:
        if of_policy.secret is None:
            raise ChannelError(f"the channel {of_policy.name} names no secret: give it one in the policy")
        self._name = of_policy.name
        self._secret = of_policy.secret
        self._secrets = secrets
        self._timeout = timeout
        # Of every service, until its URL is read: then what Apprise knows of that service.
        self.pause: float = _PAUSE_SECONDS

    def render(self, message: Message) -> Rendered:
        """Give the title, the text and the type, before they are cut to what the service takes."""
        said = content(message)
        text = letter(message, _BODY_LENGTH, is_inert=True)
        payload = {"title": _title(said, _TITLE_LENGTH), "body": text, "type": _notify_type(message)}
        return Rendered(text, payload)

    def send(self, message: Message, thread: Thread | None = None) -> Posted | None:  # noqa: ARG002  # has none
        """Tell the service, or raise ``ChannelError``, which never holds the URL."""
        service = self._service()
        title, body = _fitting(message, service)
        result = _told(service, title, body, _notify_type(message))
        if not result.is_told:
            raise self._error(result, is_one=len(service) == 1)
        return None

    def _service(self) -> "NotifyBase":
        service = _service(self._url(), self._timeout)
        if service is None:
            # It may have been mended since.
            self._secrets.forget(self._secret)
            raise ChannelError(
                f"the secret {self._secret} holds no URL that Apprise knows, or one of a service for which "
                'a package is missing: store one, as https://appriseit.com lists them, or {"url": "…"}'
            )
        # The planner keeps the service's rate, so that Apprise, whose rate is each object's own, need not
        # sleep in a function that is paid by the second.
        self.pause = max(_PAUSE_SECONDS, float(service.request_rate_per_sec))
        return service

    def _url(self) -> str:
        text = self._secrets.text(self._secret)
        return self._secrets.fields(self._secret).get("url", "") if text.startswith("{") else text

    def _error(self, result: "_Result", *, is_one: bool) -> ChannelError:
        if _STALE & result.statuses:
            self._secrets.forget(self._secret)
        about = f"for the URL in {self._secret}"
        if not result.statuses:
            # It may have come while its answer did not.
            cause = "did not answer in time" if result.is_late else "could not be reached, or hung up"
            return ChannelError(f"Apprise: the service {cause} {about}", surely_failed=False)
        answered = ", ".join(str(status) for status in sorted(result.statuses))
        return ChannelError(
            f"Apprise: the service answered {answered} {about}",
            retry_after=_BUSY_SECONDS if _TOO_MANY in result.statuses else None,
            # Of several people, some may have been told.
            surely_failed=is_one and not any(map(may_have_told, result.statuses)),
            is_refused=is_one and result.statuses <= _REFUSED,
        )


@dataclass(frozen=True)
class _Result:
    """What came of a message: the statuses that were answered, where it was not told."""

    is_told: bool
    is_late: bool
    statuses: frozenset[int]


def _service(url: str, timeout: float) -> "NotifyBase | None":
    """Make Apprise's object for a URL, which sends at once, once, and to that very host, or ``None``."""
    _silence()
    # It loads all of its plugins.
    from apprise import Apprise as Library  # noqa: PLC0415  # where nothing is told by it, it costs nothing
    from apprise import AppriseAsset, OverflowMode, PersistentStoreMode  # noqa: PLC0415  # the same

    asset = AppriseAsset(
        app_id="ECR Warden",
        app_desc="ECR Warden",
        app_url="",
        async_mode=False,
        http_redirects=False,
        interpret_emojis=False,
        interpret_escapes=False,
        service_timeout=_SERVICE_TIMEOUT_SECONDS,
        storage_mode=PersistentStoreMode.MEMORY.value,
    )
    service = Library.instantiate(url, asset=asset)
    if service is None:
        return None
    # What the URL says of these does not count: the queue retries, and knows when; Lambda waits for no one;
    # a redirect may lead into the network of the function; whoever is in between may read, and be, what is
    # not verified; a message is one message.
    service.service_retry = 0
    service.socket_connect_timeout = min(timeout, float(service.socket_connect_timeout or timeout))
    service.socket_read_timeout = min(timeout, float(service.socket_read_timeout or timeout))
    service.redirects = False
    service.verify_certificate = True
    service.interpret_emojis = False
    service.optional = False
    service.overflow_mode = OverflowMode.TRUNCATE
    return service


def _silence() -> None:
    # Apprise logs URLs, and so do the HTTP clients below it. Of a message that failed, Apprise gives its
    # warnings back: only there are statuses to be found, so that they are not switched off.
    _APPRISE_LOG.addFilter(_ONLY_STATUSES)
    _APPRISE_LOG.propagate = False
    _APPRISE_LOG.setLevel(logging.WARNING)
    for name in ("urllib3", "requests", "oauthlib", "requests_oauthlib"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _told(service: "NotifyBase", title: str, body: str, notify_type: str) -> _Result:
    from apprise import Apprise as Library  # noqa: PLC0415  # as above
    from apprise import AppriseResultStatus, NotifyFormat  # noqa: PLC0415  # as above

    with Library([service], asset=service.asset).notify(
        title=title,
        body=body,
        notify_type=notify_type,
        body_format=NotifyFormat.TEXT,
        interpret_escapes=False,
    ) as result:
        said = " ".join(entry.message for entry in result.logs())
        return _Result(
            is_told=bool(result),
            is_late=result.status is AppriseResultStatus.TIMEOUT,
            statuses=frozenset(int(status) for status in _STATUS.findall(said)),
        )


def _fitting(message: Message, service: "NotifyBase") -> tuple[str, str]:
    """Give the title and the text in what a service takes, cut at a word: Apprise would cut them anywhere."""
    title = _title(content(message), min(_TITLE_LENGTH, service.title_maxlen or _TITLE_LENGTH))
    room, size = int(service.body_maxlen), _size_as_sent(service)
    if not service.title_maxlen:
        # Apprise puts it above the text, as a part of that.
        title = cut_at_word(title, room // 2, size)
        room -= size(title) + _AROUND_TITLE
    elif service.overflow_amalgamate_title:
        # The two have one room, and Apprise keeps some of it for numbers.
        room -= len(title) + service.overflow_max_display_count_width + service.overflow_buffer
    text = letter(message, _BODY_LENGTH, is_inert=True)
    return title, text if size(text) <= room else letter(message, room, is_inert=True, size=size)


def _size_as_sent(service: "NotifyBase") -> Callable[[str], int]:
    """Give what measures a text as the service gets it.

    Apprise makes HTML of it for some, in which a space alone is six characters, CommonMark for others, with
    a stroke before all that means something, and then the dialect of the service; it cuts after each.
    """
    from apprise import NotifyFormat  # noqa: PLC0415  # as above
    from apprise.conversion import convert_between  # noqa: PLC0415  # as above

    taken = service.resolve_format(NotifyFormat.TEXT)

    def size(text: str) -> int:
        converted = convert_between(NotifyFormat.TEXT, taken, text)  # type: ignore[no-untyped-call]  # as it is
        return max(len(text), len(converted), len(service.dialect_convert(converted, taken)))

    return size


def _title(said: Content, most: int) -> str:
    return cut_at_word(f"[{said.severity.upper()}] {inert(said.headline)}", most)


def _notify_type(message: Message) -> str:
    if (
        all(outcome.kind is OutcomeKind.IMAGE_RECOVERED for outcome in message.outcomes)
        and not message.digest
    ):
        return "success"
    return _TYPES[message.severity]
