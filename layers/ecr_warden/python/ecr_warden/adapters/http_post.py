"""A POST that is bounded in all that the other side decides: no redirect, a deadline, so much of an answer.

The standard library's client: it takes the environment's proxies, checks certificates, and logs nothing.
"""

import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
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


def post(url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> HttpAnswer:
    """Post, and give the answer, of any status; its first 64 KB.

    Raises
    ------
    OSError, HTTPException, ValueError
        What urllib raises: ``URLError`` until the request is sent in whole. ``TimeoutError`` where there is
        no whole answer within the time. Their words may quote the URL.

    """
    watch = _Watch(seconds)
    request = _Request(url, body, headers, watch)
    timer = Timer(seconds, watch.hang_up)
    timer.start()
    try:
        with _open(request, seconds) as response:
            answer = HttpAnswer(response.status, dict(response.headers.items()), _read(response))
    except URLError:
        # Whoever is hung up on says so in many ways.
        if watch.is_over:
            raise URLError(TimeoutError()) from None
        raise
    except (OSError, HTTPException):
        if watch.is_over:
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
    if watch.is_over:
        raise TimeoutError
    return answer


@cache
def _opener() -> OpenerDirector:
    # One for all: it and its handlers refer to each other, so that each would wait for the garbage collector.
    return build_opener(_NoRedirect(), _Http(), _Https())


def _open(request: Request, seconds: float) -> Any:  # noqa: ANN401  # urllib's own
    try:
        return _opener().open(request, timeout=seconds)
    except HTTPError as error:
        # Every other status is an answer, too.
        return error


def _read(response: HTTPResponse) -> str:
    read = b""
    while part := response.read1(_LARGEST_ANSWER - len(read)):
        read += part
    return read.decode(errors="replace")


class _Watch:
    """The sockets of a request, and whether its time is over."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._sockets: list[socket.socket] = []
        self.is_over = False

    def hang_up(self) -> None:
        """Let whoever waits for a byte have none."""
        self.is_over = True
        for one in self._sockets:
            # The other side, or an error, may have closed it.
            with suppress(OSError):
                # Not an SSL socket's own, which takes its state away from under who reads.
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    def take(self, one: socket.socket) -> None:
        """Hang up on this one, too; at once where the time is over."""
        self._sockets.append(one)
        one.settimeout(self._left())
        if self.is_over:
            self.hang_up()

    def connect(self, address: tuple[str, int], *_: object) -> socket.socket:
        """Connect to a host's first address that takes it; those left share the time that is left."""
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
        places = [(str(place[0]), place[1]) for *_, place in found]
        while True:
            seconds = self._left() / len(places)
            try:
                connected = socket.create_connection(places.pop(0), seconds)
            except OSError:
                if not places or self.is_over:
                    raise
            else:
                self.take(connected)
                return connected

    def _left(self) -> float:
        # Nought would mean not to wait at all, which raises another error.
        return max(self._until - time.monotonic(), 0.001)


class _Watched(HTTPConnection):
    """A connection that is watched from its beginning."""

    def __init__(self, *arguments: Any, watch: _Watch, **named: Any) -> None:  # noqa: ANN401  # http.client's own
        super().__init__(*arguments, **named)
        self._watch = watch
        # http.client's own gives each of a host's addresses all of the time.
        self._create_connection = watch.connect

    def connect(self) -> None:
        """Connect, and watch what came of it: TLS puts another socket in the place of the first."""
        super().connect()
        self._watch.take(self.sock)


class _WatchedTls(_Watched, HTTPSConnection):
    """The same, of TLS."""


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow none: it would carry a token, or a message, to another host."""


class _Request(Request):
    """A POST, and the watch on it."""

    def __init__(self, url: str, body: bytes, headers: Mapping[str, str], watch: _Watch) -> None:
        # The URL is https, or of loopback: secrets.is_url.
        super().__init__(url, body, dict(headers), method="POST")
        self.watch = watch


class _Http(HTTPHandler):
    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_Watched, watch=_watch_of(req)), req)


class _Https(HTTPSHandler):
    def https_open(self, req: Request) -> HTTPResponse:
        # Made anew each time, for the certificates that are trusted by then.
        context = ssl.create_default_context()
        return self.do_open(partial(_WatchedTls, watch=_watch_of(req)), req, context=context)


def _watch_of(request: Request) -> _Watch:
    watch: _Watch = request.watch  # type: ignore[attr-defined]  # no other request comes to this opener
    return watch
