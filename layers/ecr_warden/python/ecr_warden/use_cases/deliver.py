"""What waits in a channel is told there: in order, no faster than the channel takes it, each once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from traceback import extract_tb
from typing import Final

from ecr_warden.domain.digests import message_of
from ecr_warden.domain.gathering import Parcel, Plan, each, gather
from ecr_warden.domain.messages import Message, Posted, Thread
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.policy import Channel as ChannelOfPolicy
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.waiting import Waiting
from ecr_warden.errors import ChannelError, EcrWardenError
from ecr_warden.ports import Channel, ChannelState
from ecr_warden.use_cases.tell import TellPorts, Told

# What is read at once, and so the most that one message tells of: some megabytes.
_READ: Final = 1000
_READ_BY_MACHINES: Final = 100
# A pause between messages that is no longer is waited for on the spot.
_SHORT: Final = 3.0
# Somebody else tells in the channel: it is looked at again after this.
_BUSY: Final = timedelta(seconds=5)
# After so many failures in a row, the channel is down.
_DOWN: Final = 5
_LONGEST_BACKOFF: Final = 900
# After a request whose end nobody knows, the next try is not at once: it may be told twice.
_UNKNOWN: Final = 60
# A wake-up may come a little before its time, by another clock.
_EARLY: Final = timedelta(seconds=30)


@dataclass(frozen=True)
class Delivered:
    """When to look at the channel again, ``None`` where nothing waits; and the channels that tell instead."""

    next_at: datetime | None
    moved_to: str | None = None


def deliver(of_policy: ChannelOfPolicy, *, policy: Policy, ports: TellPorts, until: datetime) -> Delivered:
    """Tell what is due in a channel, as far as time allows.

    Raises
    ------
    AwsError
        Where a table did not answer well. What was told until then is recorded, but for one message.

    """
    # Before anything is read: what is put from now on finds no alarm, and sets its own.
    ports.outbox.clear_alarm(of_policy.name, ports.now() + _EARLY)
    holder = ports.new_holder()
    state = ports.outbox.acquire(of_policy.name, holder)
    if state is None:
        return Delivered(ports.now() + _BUSY)
    delivery = _Delivery(of_policy, policy, ports, until, state)
    try:
        return delivery.run()
    finally:
        ports.outbox.release(of_policy.name, holder, delivery.state)


class _Delivery:
    """One holder's work in one channel."""

    def __init__(
        self,
        of_policy: ChannelOfPolicy,
        policy: Policy,
        ports: TellPorts,
        until: datetime,
        state: ChannelState,
    ) -> None:
        self._of_policy = of_policy
        self._name = of_policy.name
        self._policy = policy
        self._ports = ports
        self._until = until
        self._channel: Channel = ports.channel(of_policy)
        self.state = state

    def run(self) -> Delivered:
        """Tell parcel after parcel, until nothing is due or the channel wants a pause."""
        while True:
            waiting = self._ports.outbox.waiting(
                self._name, _READ_BY_MACHINES if self._channel.takes_each else _READ
            )
            identified = self._identified(waiting)
            plan = self._plan(waiting, identified)
            if not plan.parcels:
                return Delivered(plan.next_at)
            for place, parcel in enumerate(plan.parcels):
                if (at := self._not_before()) is not None:
                    return self._postponed(plan.parcels[place:], at)
                # What failed comes first again: nothing is to overtake it.
                if not self._tell(parcel, identified):
                    break

    def _identified(self, waiting: Sequence[Waiting]) -> Mapping[str, str]:
        """Ask who pushed, of what is told now or waits to know it."""
        now = self._ports.now()
        asked = [
            one.outcome
            for one in waiting
            if one.outcome.image_digest is not None and (one.due <= now or one.identity_until is not None)
        ]
        return self._ports.identities.found(asked) if asked and not self._channel.takes_each else {}

    def _plan(self, waiting: Sequence[Waiting], identified: Mapping[str, str]) -> Plan:
        if self._channel.takes_each:
            return each(waiting)
        return gather(waiting, now=self._ports.now(), messages=self._policy.messages, identified=identified)

    def _not_before(self) -> datetime | None:
        """Give the time before which nothing more is told; a short pause between messages is made here.

        One after a failure is not: other channels would wait for it.
        """
        now = self._ports.now()
        wait = 0.0 if self.state.next_try is None else (self.state.next_try - now).total_seconds()
        if now + timedelta(seconds=max(wait, 0)) >= self._until:
            return max(self.state.next_try or now, now)
        if wait > (0 if self.state.failures else _SHORT):
            return self.state.next_try
        if wait > 0:
            self._ports.pause(wait)
        return None

    def _postponed(self, parcels: Sequence[Parcel], at: datetime) -> Delivered:
        """Leave what is due for later; or to another channel, where this one is down."""
        fallback = self._of_policy.fallback
        self._count_overdue(parcels)
        if fallback is None or self.state.failures < _DOWN:
            return Delivered(at)
        waiting = [one for parcel in parcels for one in parcel.waiting]
        now = self._ports.now()
        why = f"{self._name}, which is down: {self.state.last_error}"
        moved = [replace(one, due=now, is_held=False, identity_until=None, instead_of=why) for one in waiting]
        self._ports.outbox.move(self._name, fallback, moved)
        self._ports.said(Told(self._name, tuple(one.outcome for one in waiting), moved_to=fallback))
        return Delivered(at, moved_to=fallback)

    def _count_overdue(self, parcels: Sequence[Parcel]) -> None:
        oldest = min(one.due for parcel in parcels for one in parcel.waiting)
        self._ports.metrics.seconds("OverdueSeconds", max((self._ports.now() - oldest).total_seconds(), 0))

    def _tell(self, parcel: Parcel, identified: Mapping[str, str]) -> bool:
        """Tell, or set aside what is refused; ``False`` where it must be tried again."""
        outcomes = tuple(one.outcome for one in parcel.waiting)
        digest = _digest_id(outcomes) if parcel.is_digest else None
        try:
            link = "" if digest is None else self._ports.link(digest, self._ports.now())
            message = message_of(parcel, identified, link)
            thread, posted = self._send(message)
        except ChannelError as error:
            if error.is_refused:
                return self._refused(parcel, identified, error)
            self._failed(outcomes, error)
            return False
        except EcrWardenError:
            raise
        # The edge of a message: one that cannot be built keeps none of the others from being told, and waits
        # with the dead letters, with the cause in the log.
        except Exception as error:  # noqa: BLE001
            return self._refused(parcel, identified, error)
        self._told(parcel, digest)
        self._keep_thread(message, thread, posted)
        return True

    def _send(self, message: Message) -> tuple[Thread | None, Posted | None]:
        thread = None
        if self._channel.has_threads and message.stories:
            thread = self._ports.outbox.thread(self._name, message.stories)
        return thread, self._channel.send(message, thread)

    def _told(self, parcel: Parcel, digest: str | None) -> None:
        now = self._ports.now()
        outcomes = tuple(one.outcome for one in parcel.waiting)
        self._ports.outbox.told(self._name, [outcome.id for outcome in outcomes])
        self.state = ChannelState(next_try=now + timedelta(seconds=self._channel.pause))
        self._ports.metrics.count("MessagesSent", channel=self._name)
        self._count_latency(parcel, now)
        self._ports.said(Told(self._name, outcomes, digest=digest))

    def _keep_thread(self, message: Message, thread: Thread | None, posted: Posted | None) -> None:
        if thread is not None:
            thread = replace(thread, since=thread.since + message.outcomes)
        elif posted is not None and message.stories:
            thread = Thread(posted, message)
        if thread is not None:
            stories = dict.fromkeys((*thread.root.stories, *message.stories))
            self._ports.outbox.keep_thread(self._name, tuple(stories), thread)

    def _count_latency(self, parcel: Parcel, now: datetime) -> None:
        """Count how late pushes are told. What is held, and CloudTrail's late news, would hide it."""
        fresh = [
            one.outcome.event_time
            for one in parcel.waiting
            if one.outcome.image_digest is not None and not one.is_held
        ]
        if fresh:
            late = now - min(fresh)
            self._ports.metrics.milliseconds("PushToMessageLatency", late.total_seconds() * 1000)

    def _failed(self, outcomes: tuple[Outcome, ...], error: ChannelError) -> None:
        """Let the channel rest: for as long as it asks, or twice as long as the last time."""
        # Also where it asks for a pause: one that refuses however long it is waited for is down, too.
        failures = self.state.failures + 1
        seconds = float(error.retry_after or 0)
        if error.retry_after is None:
            longest = min(2**failures, _LONGEST_BACKOFF)
            seconds = max(
                longest / 2 + self._ports.jitter(longest / 2), 0 if error.surely_failed else _UNKNOWN
            )
        self.state = ChannelState(failures, self._ports.now() + timedelta(seconds=seconds), str(error))
        self._ports.metrics.count("MessagesFailed", channel=self._name)
        if failures == _DOWN:
            self._ports.metrics.count("ChannelsDown", channel=self._name)
        self._ports.said(Told(self._name, outcomes, why=str(error)))

    def _refused(self, parcel: Parcel, identified: Mapping[str, str], error: Exception) -> bool:
        """Set aside what the channel never takes; of several, halves are told, until the one is found."""
        if (count := len(parcel.waiting)) > 1:
            halves = (parcel.waiting[: count // 2], parcel.waiting[count // 2 :])
            return all(
                self._not_before() is None
                and self._tell(Parcel(half, is_digest=parcel.is_digest and len(half) > 1), identified)
                for half in halves
            )
        (outcome,) = (one.outcome for one in parcel.waiting)
        why = str(error) if isinstance(error, ChannelError) else _where(error)
        # First the letter, then the record: one that is there twice is redriven once more, and told once.
        self._ports.dead_letters.put(outcome, self._name, why)
        self._ports.outbox.given_up(self._name, [outcome.id])
        self._ports.metrics.count("MessagesFailed", channel=self._name)
        self._ports.said(Told(self._name, (outcome,), why=why, is_given_up=True))
        return True


def _where(error: Exception) -> str:
    """Say where an error of our own came from; not its words, which may quote a secret."""
    frame = extract_tb(error.__traceback__)[-1]
    return f"it could not be told: {type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"


def _digest_id(outcomes: Sequence[Outcome]) -> str:
    return sha256("\n".join(outcome.id for outcome in outcomes).encode()).hexdigest()[:12]
