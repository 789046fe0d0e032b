"""Ports that do their work and remember it, so that a command can show what it did."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, cast

from ecr_warden.adapters.outcome_bus import outcome_as_json
from ecr_warden.domain.images import Change, RecordedChange
from ecr_warden.domain.messages import Message as MessageTold
from ecr_warden.domain.messages import Posted, Thread
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.policy import Channel as ChannelOfPolicy
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.waiting import Waiting
from ecr_warden.ports import Channel, Journal, Outbox, OutcomePublisher, Progress
from ecr_warden.use_cases.deliver import deliver
from ecr_warden.use_cases.tell import TellPorts, Told, arm, take
from ecr_warden_cli.caused import Message

logger = logging.getLogger(__name__)
# How long somebody at a terminal waits for a channel.
_PATIENCE: Final = timedelta(seconds=20)


class NoMetrics:
    """A command's work is not the functions'; it counts for no alarm."""

    def count(self, name: str, **dimensions: str) -> None:
        """Count nothing."""

    def milliseconds(self, name: str, value: float) -> None:
        """Record nothing."""

    def seconds(self, name: str, value: float) -> None:
        """Record nothing."""


class RecordingJournal:
    """A journal that remembers the changes that were made."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._begun: dict[str, Change] = {}
        self.changes: list[dict[str, Any]] = []

    def begin(self, change: Change) -> Progress:
        """Record a change that is about to be made."""
        self._begun[change.id] = change
        return self._journal.begin(change)

    def progress(self, change_id: str) -> Progress:
        """Tell how far a change is."""
        return self._journal.progress(change_id)

    def progress_of(self, change_ids: Collection[str]) -> Mapping[str, Progress]:
        """Tell how far some changes are."""
        return self._journal.progress_of(change_ids)

    def find(self, change_id: str) -> RecordedChange | None:
        """Give a change that is recorded."""
        return self._journal.find(change_id)

    def finish(self, change_id: str) -> None:
        """Record that a change is made."""
        self._journal.finish(change_id)
        if (change := self._begun.get(change_id)) is not None:
            names = ("id", "repository", "section", "before", "after")
            self.changes.append({name: getattr(change, name) for name in names})

    def cancel(self, change_id: str) -> None:
        """Forget a change."""
        self._journal.cancel(change_id)


@dataclass
class RecordingPublisher:
    """Tells an outcome and then puts it on the bus, where there are channels and a bus."""

    policy: Policy
    bus: OutcomePublisher | None = None
    ports: TellPorts | None = None
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    def publish(self, outcome: Outcome) -> None:
        """Tell first: the stack's NotifyFunction then finds it told, and tells what failed here."""
        if self.ports is not None:
            _tell(outcome, self.policy, self.ports)
        if self.bus is not None:
            self.bus.publish(outcome)
        self.outcomes.append(outcome_as_json(outcome))

    def publish_all(self, outcomes: Sequence[Outcome]) -> None:
        """Tell and put each."""
        for outcome in outcomes:
            self.publish(outcome)


class _OfOne:
    """An outbox in which one outcome alone waits: what else is due is NotifyFunction's, with its log."""

    def __init__(self, outbox: Outbox, outcome_id: str) -> None:
        self._outbox = outbox
        self._outcome_id = outcome_id

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever an outbox has
        return getattr(self._outbox, name)

    def waiting(self, channel: str, most: int) -> tuple[Waiting, ...]:
        """Give the outcome, if it waits."""
        waiting = self._outbox.waiting(channel, most)
        return tuple(one for one in waiting if one.outcome.id == self._outcome_id)


def _tell(outcome: Outcome, policy: Policy, ports: TellPorts) -> None:
    """Tell an outcome at once; what a channel does not take now waits for the stack's NotifyFunction."""
    ports = replace(ports, outbox=cast("Outbox", _OfOne(ports.outbox, outcome.id)))
    by_name = {channel.name: channel for channel in policy.channels}
    names = list(take(outcome, policy=policy, ports=ports, at_once=True))
    for name in names:
        until = ports.now() + _PATIENCE
        delivered = deliver(by_name[name], policy=policy, ports=ports, until=until)
        if delivered.next_at is not None:
            arm(name, delivered.next_at, ports)
        if delivered.moved_to is not None:
            names.append(delivered.moved_to)


class _RecordingChannel:
    def __init__(self, of_policy: ChannelOfPolicy, channel: Channel, messages: list[Message]) -> None:
        self._of_policy = of_policy
        self._channel = channel
        self._messages = messages
        self.pause = channel.pause
        self.takes_each = channel.takes_each
        self.has_threads = channel.has_threads
        self.render = channel.render

    def send(self, message: MessageTold, thread: Thread | None = None) -> Posted | None:
        posted = self._channel.send(message, thread)
        rendered = self.render(message)
        self._messages.append(
            Message(self._of_policy.name, self._of_policy.type, rendered.text, rendered.payload)
        )
        return posted


def recording_ports(ports: TellPorts, messages: list[Message]) -> TellPorts:
    """Give ports for telling whose messages are remembered once they are sent, and failures said."""
    return replace(
        ports,
        channel=lambda channel: _RecordingChannel(channel, ports.channel(channel), messages),
        metrics=NoMetrics(),
        said=_warn,
    )


def _warn(told: Told) -> None:
    if told.why is not None:
        logger.warning("%s was not told: %s", told.channel, told.why)
