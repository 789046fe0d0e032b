"""How fast AWS is asked: as fast as it answers, until it says that it is too fast.

Where a call is throttled, all callers of the registry together go on at four fifths of what AWS took in the
last second, and from then on a little faster with each answer: additive increase, multiplicative decrease.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from botocore.config import Config

# Standard mode, whose waits after a throttled call come on top: see docs/adr/0010-sweep.md.
SWEEP_CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 10},
    connect_timeout=3,
    read_timeout=10,
    tcp_keepalive=True,
    max_pool_connections=32,
)

_THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_TOO_MANY_REQUESTS: Final = 429

# Seconds over which it is measured what AWS takes.
_MEASURED: Final = 1.0
_CUT: Final = 0.8
# Calls a second.
_LEAST: Final = 0.5
# Calls a second that each answer adds, and the seconds without throttling in which that doubles.
_RISE: Final = 0.02
_DOUBLES: Final = 5.0
# Seconds that are not worth waiting for.
_AT_ONCE: Final = 1e-6


class AdaptiveRate:
    """The rate of all calls to one registry from this process. Any thread may use it.

    Parameters
    ----------
    monotonic, sleep
        The clock, in seconds.

    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._answered: deque[float] = deque()
        self._rate: float | None = None
        # Turns pass at the rate: how many had passed at a time, and the last that a caller has.
        self._turns = 0.0
        self._since = 0.0
        self._last = 0.0
        self._cut_at = 0.0
        self._is_first_cut = False

    @property
    def calls_a_second(self) -> float | None:
        """The rate; ``None`` until AWS throttles."""
        return self._rate

    def turn(self) -> float:
        """Take a place in the queue of all callers; ``left`` says how long it waits."""
        with self._lock:
            if self._rate is None:
                return 0.0
            self._last = max(self._passed(self._monotonic()), self._last + 1)
            return self._last

    def left(self, turn: float) -> float:
        """Give the seconds until a turn, as the rate is now; ``0`` where it is there."""
        with self._lock:
            if self._rate is None:
                return 0.0
            left = (turn - self._passed(self._monotonic())) / self._rate
        return left if left > _AT_ONCE else 0.0

    def wait(self) -> float:
        """Wait for the next turn, and give the time at which the call is sent."""
        turn = self.turn()
        # Outside the lock, and again: answers come while callers wait, and may make the rate lower.
        while (left := self.left(turn)) > 0:
            self._sleep(left)
        return self._monotonic()

    def succeeded(self, sent_at: float) -> None:
        """Take note that AWS took a call which was sent at a time that ``wait`` gave."""
        now = self._monotonic()
        with self._lock:
            if self._rate is None:
                self._answered.append(now)
                self._forget(now)
            elif sent_at > self._cut_at:
                self._go_on(now, self._rate + _RISE * (1 + (now - self._cut_at) / _DOUBLES))
            elif self._is_first_cut:
                # It was under way when AWS throttled another one, and so is part of what AWS takes.
                self._go_on(now, self._rate + _CUT / _MEASURED)

    def throttled(self, sent_at: float) -> None:
        """Take note that AWS throttled a call."""
        now = self._monotonic()
        with self._lock:
            if self._rate is None:
                self._forget(now)
                self._go_on(now, max(_LEAST, _CUT * len(self._answered) / _MEASURED))
                self._answered.clear()
                self._is_first_cut = True
            elif sent_at > self._cut_at:
                self._go_on(now, max(_LEAST, _CUT * self._rate))
                self._is_first_cut = False
            else:
                # It was sent before the cut, which is there because of such calls.
                return
            self._cut_at = now

    def _passed(self, now: float) -> float:
        """Give how many turns have passed by now."""
        return self._turns + (now - self._since) * (self._rate or 0)

    def _go_on(self, now: float, rate: float) -> None:
        self._turns, self._since = self._passed(now), now
        self._rate = rate

    def _forget(self, now: float) -> None:
        while self._answered and self._answered[0] < now - _MEASURED:
            self._answered.popleft()


def attach(client: Any, rate: AdaptiveRate) -> None:  # noqa: ANN401  # the client of any service
    """Let every call of a client, and each of its retries, wait for its turn."""
    # A call is sent and its answer judged in one thread, and the SDK's two events share nothing else.
    own = threading.local()

    def wait(**_: object) -> None:
        own.sent_at = rate.wait()

    def note(response: Any, **_: object) -> None:  # noqa: ANN401  # the SDK's: an HTTP answer and what it says
        if response is None:
            # No answer came: that says nothing of the rate.
            return
        if _is_throttled(*response):
            rate.throttled(own.sent_at)
        else:
            rate.succeeded(own.sent_at)

    client.meta.events.register_first("before-send", wait, unique_id="ecr-warden-wait")
    client.meta.events.register("needs-retry", note, unique_id="ecr-warden-note")


def _is_throttled(http: Any, said: dict[str, Any]) -> bool:  # noqa: ANN401  # the SDK's
    code = said.get("Error", {}).get("Code")
    return code in _THROTTLED or http.status_code == _TOO_MANY_REQUESTS
