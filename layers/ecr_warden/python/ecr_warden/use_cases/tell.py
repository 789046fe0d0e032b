"""An outcome is told in every channel that the policy's routes name, once in each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.policy import Channel as ChannelOfPolicy
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.routing import channels_for
from ecr_warden.errors import ChannelError
from ecr_warden.ports import Channel, Claim, Deliveries, Metrics


@dataclass
class Outages:
    """Channels that hung or asked for a pause within one batch; what follows does not knock again."""

    until_retry: dict[str, ChannelError] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """The channels that were told now, had been told before, and those where it failed."""

    told: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    failed: Mapping[str, ChannelError] = field(default_factory=dict)

    @property
    def retry_after(self) -> int | None:
        """Give the longest pause that a channel asked for, in seconds."""
        return max((error.retry_after for error in self.failed.values() if error.retry_after), default=None)


@dataclass(frozen=True)
class TellPorts:
    """What telling needs. ``channel`` builds a channel when it is first needed."""

    channel: Callable[[ChannelOfPolicy], Channel]
    deliveries: Deliveries
    metrics: Metrics
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def tell(outcome: Outcome, *, policy: Policy, ports: TellPorts, outages: Outages) -> Told:
    """Tell an outcome in each of its channels; a channel that fails does not keep the others from it.

    Raises
    ------
    AwsError
        Where the record of deliveries did not answer.

    """
    told: list[str] = []
    before: list[str] = []
    failed: dict[str, ChannelError] = {}
    for channel in channels_for(policy, outcome):
        try:
            was_told_before = _tell_in(channel, outcome, ports, outages)
        except ChannelError as error:
            ports.metrics.count("MessagesFailed", channel=channel.name)
            failed[channel.name] = error
            continue
        (before if was_told_before else told).append(channel.name)
    return Told(tuple(told), tuple(before), failed)


def _tell_in(channel: ChannelOfPolicy, outcome: Outcome, ports: TellPorts, outages: Outages) -> bool:
    """Tell in one channel, unless that is done; give whether it was."""
    if (error := outages.until_retry.get(channel.name)) is not None:
        raise error
    match ports.deliveries.claim(outcome.id, channel.name):
        case Claim.TOLD:
            return True
        case Claim.HELD:
            raise ChannelError(f"{channel.name}: another delivery of this outcome is under way")
        case Claim.MINE:
            _send(channel, outcome, ports, outages)
    return False


def _send(channel: ChannelOfPolicy, outcome: Outcome, ports: TellPorts, outages: Outages) -> None:
    try:
        ports.channel(channel).send(outcome)
    except ChannelError as error:
        if error.surely_failed:
            ports.deliveries.release(outcome.id, channel.name)
        # One that hangs would use up the function's time, message by message.
        if error.retry_after or not error.surely_failed:
            outages.until_retry[channel.name] = error
        raise
    ports.deliveries.told(outcome.id, channel.name)
    ports.metrics.count("MessagesSent", channel=channel.name)
    # CloudTrail tells of a new repository minutes later: that would hide how late pushes are told.
    if outcome.image_digest is not None:
        late = ports.now() - outcome.event_time
        ports.metrics.milliseconds("PushToMessageLatency", late.total_seconds() * 1000)
