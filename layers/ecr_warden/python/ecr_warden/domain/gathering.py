"""What of all that waits in a channel is told now, and together: pure, by the clock that it is given."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ecr_warden.domain.policy import Messages, Severity
from ecr_warden.domain.waiting import Waiting

# More than these would not be read: they are a digest.
MOST_TOGETHER: Final = 10
# A burst that goes on is told after so many times the time for which a push is gathered.
_LONGEST_BURST: Final = 10


@dataclass(frozen=True)
class Parcel:
    """Outcomes that are told in one message, in the order in which they came."""

    waiting: tuple[Waiting, ...]
    is_digest: bool = False


@dataclass(frozen=True)
class Plan:
    """What is told now, in this order, and when to look again; ``None`` if nothing else waits."""

    parcels: tuple[Parcel, ...]
    next_at: datetime | None


@dataclass(frozen=True)
class _Group:
    """What is told together, or not yet: then ``at`` is when."""

    waiting: tuple[Waiting, ...]
    at: datetime
    is_digest: bool = False


def each(waiting: Sequence[Waiting]) -> Plan:
    """Plan for a machine: each by itself, at once."""
    return Plan(tuple(Parcel((one,)) for one in waiting), None)


def gather(
    waiting: Sequence[Waiting], *, now: datetime, messages: Messages, identified: Mapping[str, str]
) -> Plan:
    """Plan for people: what one push caused is one message, and so is a burst, and what was held.

    Parameters
    ----------
    waiting
        What waits, or the first of it.
    identified
        Who pushed, by outcome id: these need not wait for it any more.

    """
    told_at = _TimeOf(identified)
    groups = [
        *_held([one for one in waiting if one.is_held]),
        *_fresh([one for one in waiting if not one.is_held], told_at, messages),
    ]
    ready = sorted((group for group in groups if group.at <= now), key=lambda group: group.waiting[0].since)
    return Plan(
        tuple(_parcel(group) for group in ready),
        min((group.at for group in groups if group.at > now), default=None),
    )


@dataclass(frozen=True)
class _TimeOf:
    """When an outcome is told: earlier if it waits for who pushed, and that is known."""

    identified: Mapping[str, str]

    def __call__(self, one: Waiting) -> datetime:
        is_early = one.due_identified is not None and one.outcome.id in self.identified
        return one.due_identified if is_early and one.due_identified is not None else one.due


def _parcel(group: _Group) -> Parcel:
    return Parcel(group.waiting, is_digest=group.is_digest or len(group.waiting) > MOST_TOGETHER)


def _held(held: Sequence[Waiting]) -> list[_Group]:
    """Make one message of what is held until the same time; of several repositories, a digest."""
    by_time: dict[tuple[datetime, str], list[Waiting]] = defaultdict(list)
    for one in held:
        by_time[one.due, _place(one)].append(one)
    return [
        _Group(_in_order(those), at, is_digest=len(_repositories(those)) > 1)
        for (at, _), those in by_time.items()
    ]


def _fresh(
    fresh: Sequence[Waiting], told_at: Callable[[Waiting], datetime], messages: Messages
) -> list[_Group]:
    """One message for each repository; where very many have outcomes of one kind, one for all of them."""
    by_place: dict[str, list[Waiting]] = defaultdict(list)
    for one in fresh:
        by_place[_place(one)].append(one)
    return [group for those in by_place.values() for group in _of_place(those, told_at, messages)]


def _of_place(
    fresh: Sequence[Waiting], told_at: Callable[[Waiting], datetime], messages: Messages
) -> list[_Group]:
    by_repository: dict[tuple[str, str, str], list[Waiting]] = defaultdict(list)
    for one in fresh:
        by_repository[_repository(one)].append(one)
    kinds = _bursting({one.outcome.kind for one in fresh}, list(by_repository.values()), messages.burst)
    burst: list[Waiting] = []
    groups = []
    for those in by_repository.values():
        if any(one.outcome.kind in kinds for one in those):
            burst += those
        else:
            groups.append(_Group(_in_order(those), min(map(told_at, those))))
    if burst:
        groups.append(_burst(burst, min(map(told_at, burst)), timedelta(seconds=messages.gather_seconds)))
    return groups


def _bursting(kinds: set[str], groups: Sequence[Sequence[Waiting]], burst: int) -> set[str]:
    """Find the kinds of which more repositories than a few have an outcome."""
    return {
        kind
        for kind in kinds
        if sum(any(one.outcome.kind == kind for one in those) for those in groups) > burst
    }


def _burst(burst: Sequence[Waiting], at: datetime, gather_time: timedelta) -> _Group:
    """Wait until a burst is over, but not for ever; where anything is critical, no longer than ever."""
    if all(one.outcome.severity is not Severity.CRITICAL for one in burst):
        since = [one.since for one in burst]
        at = max(at, min(max(since) + gather_time, min(since) + _LONGEST_BURST * gather_time))
    return _Group(_in_order(burst), at, is_digest=True)


def _place(one: Waiting) -> str:
    """Name the channel that it is told instead of; why that one is down may change from one to the next."""
    return "" if one.instead_of is None else one.instead_of.partition(",")[0]


def _repository(one: Waiting) -> tuple[str, str, str]:
    return one.outcome.account, one.outcome.region, one.outcome.repository


def _repositories(those: Sequence[Waiting]) -> set[tuple[str, str, str]]:
    return {_repository(one) for one in those}


def _in_order(those: Sequence[Waiting]) -> tuple[Waiting, ...]:
    return tuple(sorted(those, key=lambda one: (one.since, one.outcome.event_time, one.outcome.id)))
