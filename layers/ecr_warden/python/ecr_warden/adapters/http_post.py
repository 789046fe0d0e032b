"""A POST that is bounded in all that the other side decides: no redirect, a deadline, so much of an answer.

The standard library's client: it takes the environment's proxies, checks certificates, and logs nothing.
"""

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Timer
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    build_opener,
)

# More than any answer that is looked at; what is longer is cut.
_LARGEST_ANSWER: Final = 65_536


@dataclass(frozen=True)
class HttpAnswer:
    """What came back; ``text`` is not in the words for it, as it may repeat what was asked."""

    status: int
    headers: Mapping[str, str]
    text: str = field(repr=False)

    @property
    def is_redirect(self) -> bool:
        """Whether it leads elsewhere, which is not followed: what was sent is for whom it was sent to."""
        return 300 <= self.status < 400  # noqa: PLR2004  # HTTP's own numbers

    @property
    def may_have_been_taken(self) -> bool:
        """Whether it may have been taken though the answer says that it failed: a gateway does not know."""
        return self.status == 408 or (self.status >= 500 and self.status not in {501, 503})  # noqa: PLR2004  # see above


def post(url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> HttpAnswer:
    """Post, and give the answer, of any status; its first 64 KB.

    Raises
    ------
    OSError, HTTPException, ValueError
        What urllib raises: ``URLError`` until the request is sent in whole. ``TimeoutError`` where there is
        no whole answer within the time. Their words may quote the URL.

    """
    watch = _Watch()
    opener = build_opener(_NoRedirect(), _Http(watch), _Https(watch))
    request = Request(url, body, dict(headers), method="POST")  # noqa: S310  # the URL is https, or of loopback: secrets.is_url
    deadline = time.monotonic() + seconds
    timer = Timer(seconds, watch.hang_up)
    timer.start()
    try:
        with _open(opener, request, seconds) as response:
            text = _read(response, deadline)
        answer = HttpAnswer(response.status, dict(response.headers.items()), text)
    except URLError:
        raise
    except (OSError, HTTPException):
        # Whoever is hung up on says so in many ways.
        if watch.is_over:
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
    if watch.is_over:
        raise TimeoutError
    return answer


def _open(opener: OpenerDirector, request: Request, seconds: float) -> Any:  # noqa: ANN401  # urllib's own
    try:
        return opener.open(request, timeout=seconds)
    except HTTPError as error:
        # Every other status is an answer, too.
        return error


def _read(response: HTTPResponse, deadline: float) -> str:
    read = b""
    while len(read) < _LARGEST_ANSWER:
        part = response.read1(_LARGEST_ANSWER - len(read))
        if not part:
            break
        if time.monotonic() > deadline:
            raise TimeoutError
        read += part
    return read.decode(errors="replace")


class _Watch:
    """The connections of a request, and whether its time is over."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self.is_over = False

    def hang_up(self) -> None:
        """Let whoever waits for a byte have none."""
        self.is_over = True
        for one in self.sockets:
            # The other side, or an error, may have closed it.
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def connection(self, kind: type[HTTPConnection]) -> Callable[..., HTTPConnection]:
        """Give what builds a connection that is watched from when it is made."""
        sockets = self.sockets

        class Watched(kind):  # type: ignore[misc,valid-type]  # either of http.client's two
            def connect(self) -> None:
                super().connect()
                sockets.append(self.sock)

        return Watched


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow none: it would carry a token, or a message, to another host."""


class _Http(HTTPHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(self._watch.connection(HTTPConnection), req)


class _Https(HTTPSHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def https_open(self, req: Request) -> HTTPResponse:
        context = ssl.create_default_context()
        return self.do_open(self._watch.connection(HTTPSConnection), req, context=context)
