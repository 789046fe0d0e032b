"""An outcome comes to wait in each channel that the policy's routes name, until it is told there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from ecr_warden.domain.channel_state import MOST
from ecr_warden.domain.outcomes import Outcome, OutcomeKind
from ecr_warden.domain.policy import Channel as ChannelOfPolicy
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.routing import Routed, routed
from ecr_warden.domain.schedule import MACHINES, due
from ecr_warden.domain.waiting import Waiting
from ecr_warden.ports import Channel, DeadLetters, Identities, Metrics, Outbox, WakeUps

# SQS delays a message by no more.
LONGEST_DELAY: Final = timedelta(minutes=15)
# An alarm that is so much over will not ring any more: whoever was to be woken is gone.
_LOST: Final = timedelta(minutes=15)
# What a push leads to; of others, who pushed says nothing.
_OF_PUSHES: Final = frozenset(
    {
        OutcomeKind.TAG_VIOLATION,
        OutcomeKind.IMAGE_VULNERABLE,
        OutcomeKind.SCAN_FAILED,
        OutcomeKind.IMAGE_NOT_SCANNED,
    }
)


@dataclass(frozen=True)
class Told:
    """What came of a message: its outcomes told, or not, and why.

    Attributes
    ----------
    digest
        The id under which the outcomes of a digest are listed; ``None`` of other messages.
    why
        Why it was not told, ``None`` if it was.
    is_given_up
        Whether nobody will try again: it is in the dead letters.
    moved_to
        The channel that is to tell it instead.

    """

    channel: str
    outcomes: tuple[Outcome, ...]
    digest: str | None = None
    why: str | None = None
    is_given_up: bool = False
    moved_to: str | None = None


@dataclass(frozen=True)
class TellPorts:
    """What telling needs.

    Attributes
    ----------
    channel
        Builds a channel, or gives the one that is built.
    link
        Gives where the outcomes of a digest are listed, by its id and the time.
    said
        Is given what came of each message.
    jitter
        Takes the longest of a time in seconds, and gives one up to it by chance.
    new_holder
        Gives a name that nobody has, for who tells.

    """

    channel: Callable[[ChannelOfPolicy], Channel]
    outbox: Outbox
    wake_ups: WakeUps
    dead_letters: DeadLetters
    identities: Identities
    metrics: Metrics
    link: Callable[[str, datetime], str]
    said: Callable[[Told], None]
    now: Callable[[], datetime]
    pause: Callable[[float], None]
    jitter: Callable[[float], float]
    new_holder: Callable[[], str]


def take(outcome: Outcome, *, policy: Policy, ports: TellPorts, at_once: bool = False) -> tuple[str, ...]:
    """Let an outcome wait in each of its channels, and see to it that somebody tells it there.

    With ``at_once`` it is due in all of them now. It may be taken any number of times.

    Returns
    -------
    tuple[str, ...]
        The channels in which it is due now, for the caller to tell.

    Raises
    ------
    AwsError
        Where a table or the queue did not answer well: take it again.

    """
    due_now = []
    for route in routed(policy, outcome):
        now = ports.now()
        waiting = _waiting(outcome, route, policy, ports, now)
        if at_once:
            waiting = Waiting(outcome, since=now, due=now)
        name = route.channel.name
        at = ports.outbox.put(name, waiting)
        if at is None:
            continue
        if waiting.due_identified is not None:
            ports.identities.want(outcome, name)
        if at_once or at <= now:
            due_now.append(name)
        else:
            arm(name, at, ports)
    return tuple(due_now)


def arm(channel: str, at: datetime, ports: TellPorts) -> None:
    """See to it that a channel is woken at a time, or before it."""
    now = ports.now()
    at = min(at, now + LONGEST_DELAY)
    alarm = ports.outbox.alarm(channel)
    if alarm is not None and now - _LOST < alarm <= at:
        return
    # First the message, then the note of it: one message too many does no harm, one too few does.
    ports.wake_ups.wake(channel, max(ceil((at - now).total_seconds()), 0))
    ports.outbox.set_alarm(channel, at)


def reroute(name: str, *, policy: Policy, ports: TellPorts) -> tuple[str, ...]:
    """Let what waits in a channel that the policy does not have any more wait where it sends it now.

    What it sends nowhere goes into the dead letters. Gives the channels to look at, and raises ``AwsError``.
    """
    names: list[str] = []
    while waiting := ports.outbox.waiting(name, MOST):
        for one in waiting:
            now_named = [route.channel.name for route in routed(policy, one.outcome)]
            if not now_named:
                why = f"the policy has no channel {name} any more, and no route for it"
                ports.dead_letters.put(one.outcome, name, why)
                ports.outbox.given_up(name, [one.outcome.id])
                continue
            for other in now_named[1:]:
                ports.outbox.put(other, one)
            ports.outbox.move(name, now_named[0], [one])
            names += now_named
    return tuple(dict.fromkeys(names))


def _waiting(outcome: Outcome, route: Routed, policy: Policy, ports: TellPorts, now: datetime) -> Waiting:
    told_at = due(route, outcome.severity, now, policy.messages.gather_seconds)
    if told_at.is_held or not _waits_for_identity(outcome, route, policy, ports):
        return Waiting(outcome, since=now, due=told_at.at, is_held=told_at.is_held)
    until = now + timedelta(seconds=policy.messages.identity_wait_seconds)
    return Waiting(outcome, since=now, due=max(told_at.at, until), due_identified=told_at.at)


def _waits_for_identity(outcome: Outcome, route: Routed, policy: Policy, ports: TellPorts) -> bool:
    """Wait for who pushed where it is asked for, not known, and may come to be known."""
    is_for_people = route.channel.type not in MACHINES
    is_asked_for = policy.messages.identity_wait_seconds and is_for_people
    if not (is_asked_for and outcome.kind in _OF_PUSHES and outcome.image_digest):
        return False
    return not ports.identities.found([outcome]) and ports.identities.expects(outcome.account, outcome.region)
