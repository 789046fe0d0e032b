"""What waits in a channel is told there: in order, no faster than the channel takes it, each once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from traceback import extract_tb
from typing import Final

from ecr_warden.domain.channel_state import (
    MOST,
    ChannelState,
    after_failure,
    after_refusal,
    after_told,
    is_to_blame,
)
from ecr_warden.domain.digests import message_of
from ecr_warden.domain.gathering import Parcel, Plan, each, gather
from ecr_warden.domain.messages import Message, Posted, Thread, story_of
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.policy import Channel as ChannelOfPolicy
from ecr_warden.domain.policy import Policy
from ecr_warden.errors import ChannelError, EcrWardenError
from ecr_warden.ports import Channel
from ecr_warden.use_cases.tell import LONGEST_DELAY, TellPorts, Told

# What is read at once for a machine, which gets each by itself.
_READ_BY_MACHINES: Final = 100
# A pause between messages that is no longer is waited for on the spot.
_SHORT: Final = 3.0
# Somebody else tells in the channel: it is looked at again after this.
_BUSY: Final = timedelta(seconds=5)
# A wake-up may come a little before its time, by another clock.
_EARLY: Final = timedelta(seconds=30)
# Seconds; by then what is moved to a fallback is there.
_AFTER_A_MOVE: Final = 30


@dataclass(frozen=True)
class Delivered:
    """When to look at the channel again, ``None`` where nothing waits; and the channel that tells instead."""

    next_at: datetime | None
    moved_to: str | None = None


def deliver(of_policy: ChannelOfPolicy, *, policy: Policy, ports: TellPorts, until: datetime) -> Delivered:
    """Tell what is due in a channel, as far as time allows.

    Raises
    ------
    AwsError
        Where a table did not answer well. What was told until then is recorded, but for one message.

    """
    channel = ports.channel(of_policy)
    # Before anything is read: what is put from now on finds no alarm, and sets its own.
    ports.outbox.clear_alarm(of_policy.name, ports.now() + _EARLY)
    holder = ports.new_holder()
    state = ports.outbox.acquire(of_policy.name, holder)
    if state is None:
        return Delivered(ports.now() + _BUSY)
    delivery = _Delivery(of_policy, channel, policy, ports, until, state)
    try:
        return delivery.run()
    finally:
        ports.outbox.release(of_policy.name, holder, delivery.state)


class _Delivery:
    """One holder's work in one channel."""

    def __init__(  # noqa: PLR0913, PLR0917  # what a channel is, and who tells in it
        self,
        of_policy: ChannelOfPolicy,
        channel: Channel,
        policy: Policy,
        ports: TellPorts,
        until: datetime,
        state: ChannelState,
    ) -> None:
        self._name = of_policy.name
        self._fallback = of_policy.fallback
        self._channel = channel
        self._policy = policy
        self._ports = ports
        self._until = until
        self.state = state

    def run(self) -> Delivered:
        """Tell message after message, until nothing is due or the channel wants a pause."""
        moved_to: str | None = None
        while True:
            plan, identified = self._plan()
            if not plan.parcels:
                return Delivered(self._look_again(plan), moved_to)
            at = self._tell_all(plan.parcels, identified)
            if at is None:
                continue
            if self._fallback is None or not self.state.is_down:
                return Delivered(at, moved_to)
            # Everything that is due, part by part, for the fallback to gather it.
            self._move(plan.parcels, self._fallback, is_first=moved_to is None)
            moved_to = self._fallback
            if self._ports.now() >= self._until:
                return Delivered(at, moved_to)

    def _plan(self) -> tuple[Plan, Mapping[str, str]]:
        """Read what waits, and plan; give who pushed, too."""
        if self._channel.takes_each:
            return each(self._ports.outbox.waiting(self._name, _READ_BY_MACHINES)), {}
        waiting = self._ports.outbox.waiting(self._name, MOST)
        now = self._ports.now()
        asked = [
            one.outcome
            for one in waiting
            if one.outcome.image_digest is not None and (one.due <= now or one.due_identified is not None)
        ]
        identified = self._ports.identities.found(asked) if asked else {}
        return gather(waiting, now=now, messages=self._policy.messages, identified=identified), identified

    def _look_again(self, plan: Plan) -> datetime | None:
        """Give when something is due; what cannot be read is looked at every quarter of an hour."""
        unread = self._ports.outbox.unread(self._name)
        if unread is None:
            return plan.next_at
        now = self._ports.now()
        self._ports.metrics.seconds("OverdueSeconds", max((now - unread).total_seconds(), 0))
        return min(now + LONGEST_DELAY, plan.next_at or now + LONGEST_DELAY)

    def _tell_all(self, parcels: Sequence[Parcel], identified: Mapping[str, str]) -> datetime | None:
        """Tell parcels, until all are told, or what waits is to be read anew; or give when to go on."""
        for place, parcel in enumerate(ordered := self._in_order(parcels)):
            if (at := self._not_before()) is not None:
                self._count_overdue(ordered[place:])
                return at
            # What is left of one comes first again: nothing is to overtake it.
            if not self._tell(parcel, identified):
                break
        return None

    def _in_order(self, parcels: Sequence[Parcel]) -> Sequence[Parcel]:
        """Let another than the one that fails all the time try whether the channel is up."""
        failing = next((one for one in parcels if _first(one) == self.state.suspect), None)
        if failing is None or not self.state.is_down:
            return parcels
        stories = _stories(failing)
        return [
            *(one for one in parcels if stories.isdisjoint(_stories(one))),
            *(one for one in parcels if not stories.isdisjoint(_stories(one))),
        ]

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

    def _move(self, parcels: Sequence[Parcel], fallback: str, *, is_first: bool) -> None:
        """Leave what is due to the channel that tells instead, as this one is down."""
        if is_first:
            # It is told by whoever moved it; but if that one dies, nobody else knows.
            self._ports.wake_ups.wake(fallback, _AFTER_A_MOVE)
        waiting = [one for parcel in parcels for one in parcel.waiting]
        now = self._ports.now()
        why = f"{self._name}, which is down: {self.state.last_error}"
        moved = [replace(one, due=now, is_held=False, due_identified=None, instead_of=why) for one in waiting]
        self._ports.outbox.move(self._name, fallback, moved)
        self._ports.said(Told(self._name, tuple(one.outcome for one in waiting), moved_to=fallback))

    def _count_overdue(self, parcels: Sequence[Parcel]) -> None:
        oldest = min(one.due for parcel in parcels for one in parcel.waiting)
        self._ports.metrics.seconds("OverdueSeconds", max((self._ports.now() - oldest).total_seconds(), 0))

    def _tell(self, parcel: Parcel, identified: Mapping[str, str]) -> bool:
        """Tell a parcel, or as much of it as one message may have; ``False`` where anything of it is left."""
        part, thread = self._in_one_thread(self._cut(parcel))
        digest = _digest_id(part) if part.is_digest else None
        try:
            link = "" if digest is None else self._ports.link(digest, self._ports.now())
            message = message_of(part, identified, link)
            posted = self._channel.send(message, thread)
        except ChannelError as error:
            if error.is_refused or is_to_blame(self.state, _first(part)):
                self._refused(part, error)
            else:
                self._failed(part, error)
            return False
        except EcrWardenError:
            raise
        # The edge of a message: one that cannot be built keeps none of the others from being told, and waits
        # with the dead letters, with where it failed.
        except Exception as error:  # noqa: BLE001
            self._refused(part, error)
            return False
        self._told(part, digest)
        self._keep_thread(message, thread, posted)
        return len(part.waiting) == len(parcel.waiting)

    def _cut(self, parcel: Parcel) -> Parcel:
        part = parcel.waiting[: self.state.most]
        return Parcel(part, is_digest=parcel.is_digest and len(part) > 1)

    def _in_one_thread(self, parcel: Parcel) -> tuple[Parcel, Thread | None]:
        """Give what of a parcel goes below one message, and that message; or all of it."""
        if not self._channel.has_threads or parcel.is_digest:
            return parcel, None
        threads = {story: self._ports.outbox.thread(self._name, [story]) for story in _stories(parcel)}
        found = [threads[story_of(one.outcome)] for one in parcel.waiting]
        root = next((thread for thread in found if thread is not None), None)
        if root is None:
            return parcel, None
        part = tuple(
            one
            for one, thread in zip(parcel.waiting, found, strict=True)
            if thread is None or thread.posted == root.posted
        )
        return Parcel(part), root

    def _told(self, parcel: Parcel, digest: str | None) -> None:
        now = self._ports.now()
        outcomes = tuple(one.outcome for one in parcel.waiting)
        self._ports.outbox.told(self._name, [outcome.id for outcome in outcomes])
        self.state = after_told(self.state, _first(parcel), now, self._channel.pause)
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

    def _failed(self, parcel: Parcel, error: ChannelError) -> None:
        self.state = after_failure(self.state, error, _first(parcel), self._ports.now(), self._ports.jitter)
        self._ports.metrics.count("MessagesFailed", channel=self._name)
        if self.state.has_just_gone_down:
            self._ports.metrics.count("ChannelsDown", channel=self._name)
        outcomes = tuple(one.outcome for one in parcel.waiting)
        self._ports.said(Told(self._name, outcomes, why=str(error)))

    def _refused(self, parcel: Parcel, error: Exception) -> None:
        """Set aside what the channel never takes; of several, half as many are told next."""
        if isinstance(error, ChannelError) and self.state.refuses_all:
            self._failed(parcel, error)
            return
        if len(parcel.waiting) == 1:
            self._give_up(parcel.waiting[0].outcome, error)
        self.state = after_refusal(self.state, len(parcel.waiting), self._ports.now(), self._channel.pause)

    def _give_up(self, outcome: Outcome, error: Exception) -> None:
        why = str(error) if isinstance(error, ChannelError) else _where(error)
        # First the letter, then the record: one that is there twice is redriven once more, and told once.
        self._ports.dead_letters.put(outcome, self._name, why)
        self._ports.outbox.given_up(self._name, [outcome.id])
        self._ports.metrics.count("MessagesFailed", channel=self._name)
        self._ports.said(Told(self._name, (outcome,), why=why, is_given_up=True))


def _first(parcel: Parcel) -> str:
    return parcel.waiting[0].outcome.id


def _stories(parcel: Parcel) -> set[str]:
    return {story_of(one.outcome) for one in parcel.waiting}


def _where(error: Exception) -> str:
    """Say where an error of our own came from; not its words, which may quote a secret."""
    frame = extract_tb(error.__traceback__)[-1]
    return f"it could not be told: {type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"


def _digest_id(parcel: Parcel) -> str:
    return sha256("\n".join(one.outcome.id for one in parcel.waiting).encode()).hexdigest()[:12]
