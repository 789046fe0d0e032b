"""How a channel does, and what each message that it takes, fails to take or refuses makes of that."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from ecr_warden.errors import ChannelError

# The most that one message tells of.
MOST: Final = 1000
# After so many failures in a row, the channel is down; after so many refusals, it is not the messages' fault.
_DOWN: Final = 5
_LONGEST_BACKOFF: Final = 900
# After a request whose end nobody knows, the next try is not at once: it may be told twice.
_UNKNOWN: Final = 60


@dataclass(frozen=True)
class ChannelState:
    """How a channel does.

    Attributes
    ----------
    failures, last_error
        How often in a row it failed, and why the last time.
    next_try
        Until when nobody is to try, for its pace or after a failure.
    refusals
        How many outcomes in a row it refused for what they are.
    most
        How many outcomes one message may have: half as many after one was refused, and more again when one is
        taken.
    suspect, suspect_failures
        The id of the first outcome of the message that failed last, and how often that one did.

    """

    failures: int = 0
    next_try: datetime | None = None
    last_error: str = ""
    refusals: int = 0
    most: int = MOST
    suspect: str = ""
    suspect_failures: int = 0

    @property
    def is_down(self) -> bool:
        """Whether it is hardly worth trying."""
        return self.failures >= _DOWN

    @property
    def has_just_gone_down(self) -> bool:
        """Whether the last failure is the one that makes it down."""
        return self.failures == _DOWN

    @property
    def refuses_all(self) -> bool:
        """Whether it refused so many in a row that the next refusal is a failure of its own."""
        return self.refusals >= _DOWN


def after_told(state: ChannelState, first: str, now: datetime, pause: float) -> ChannelState:
    """Go on after a message was taken, whose first outcome has an id, at the channel's pace in seconds."""
    was_suspect = first == state.suspect
    return ChannelState(
        next_try=now + timedelta(seconds=pause),
        most=min(2 * state.most, MOST),
        suspect="" if was_suspect else state.suspect,
        suspect_failures=0 if was_suspect else state.suspect_failures,
    )


def after_failure(
    state: ChannelState, error: ChannelError, first: str, now: datetime, jitter: Callable[[float], float]
) -> ChannelState:
    """Let the channel rest: for as long as it asks, or twice as long as the last time.

    ``jitter`` takes the longest of a time in seconds, and gives one up to it by chance.
    """
    # Also where it asks for a pause: one that refuses however long it is waited for is down, too.
    failures = state.failures + 1
    if error.retry_after is not None:
        seconds = float(error.retry_after)
    else:
        longest = min(2**failures, _LONGEST_BACKOFF)
        seconds = max(longest / 2 + jitter(longest / 2), 0 if error.surely_failed else _UNKNOWN)
    return replace(
        state,
        failures=failures,
        last_error=str(error),
        next_try=now + timedelta(seconds=seconds),
        suspect=first,
        suspect_failures=1 + (state.suspect_failures if first == state.suspect else 0),
    )


def after_refusal(state: ChannelState, count: int, now: datetime, pause: float) -> ChannelState:
    """Go on after a message was refused for what it is: with half as many outcomes, to find which it is."""
    paced = replace(state, next_try=now + timedelta(seconds=pause))
    if count > 1:
        return replace(paced, most=count // 2)
    return replace(paced, refusals=state.refusals + 1)


def is_to_blame(state: ChannelState, first: str) -> bool:
    """Tell whether it is this message that fails, again and again, while others were taken in between."""
    return first == state.suspect and not state.failures and state.suspect_failures >= 2 * _DOWN
