"""The time of the local AWS. Waiting is not simulated: time jumps."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from threading import Lock
from unittest.mock import patch

from ecr_warden import wiring


class Clock:
    """The real time, and what nobody waited for. It never goes back."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._lock = Lock()

    @property
    def ahead(self) -> float:
        """The seconds that nobody waited for."""
        return self._ahead

    def seconds(self) -> float:
        """Tell the seconds since 1970."""
        return time.time() + self._ahead

    def milliseconds(self) -> float:
        """Tell the milliseconds since 1970."""
        return self.seconds() * 1000

    def now(self) -> datetime:
        """Tell the time, in UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)

    def pause(self, seconds: float) -> None:
        """Let seconds pass at once, or raise ``ValueError``, as ``time.sleep`` does."""
        if seconds < 0:
            raise ValueError("a pause must be non-negative")
        # Calls of other processes move it too, where the local AWS is served.
        with self._lock:
            self._ahead += seconds

    def jump_to(self, seconds: float) -> None:
        """Let it be so many seconds since 1970, unless it is later."""
        with self._lock:
            self._ahead += max(seconds - self.seconds(), 0)

    @contextmanager
    def in_functions(self) -> Iterator[None]:
        """Let the product's functions see this clock, and pause on it, while the context lasts."""
        with ExitStack() as parts:
            parts.enter_context(patch.multiple(wiring, utc_now=self.now, pause=self.pause))
            for ports in (wiring.ImageActionPorts, wiring.ImageScanPorts, wiring.RepositoryCreatedPorts):
                parts.enter_context(patch.multiple(ports, now=self.now, pause=self.pause))
            yield

    @contextmanager
    def in_queues(self) -> Iterator[None]:
        """Let moto's queues go by this clock while the context lasts."""
        with patch.multiple("moto.sqs.models", unix_time=self.seconds, unix_time_millis=self.milliseconds):
            yield
