"""Telling, with everything that it needs, on one clock that nothing waits for."""

from datetime import timedelta

from fakes import (
    FakeChannel,
    FakeClock,
    FakeDeadLetters,
    FakeIdentities,
    FakeMetrics,
    FakeOutbox,
    FakeWakeUps,
)

from ecr_warden.use_cases.deliver import deliver
from ecr_warden.use_cases.tell import TellPorts, arm, take


class TellingWorld:
    """The channels of a policy by name, and the ports of telling."""

    def __init__(self, policy, **channels):
        self.policy = policy
        self.clock = FakeClock()
        self.channels = {of_policy.name: FakeChannel() for of_policy in policy.channels} | channels
        self.outbox = FakeOutbox(self.clock)
        self.wake_ups = FakeWakeUps(self.clock)
        self.dead_letters = FakeDeadLetters()
        self.identities = FakeIdentities()
        self.metrics = FakeMetrics()
        self.said = []
        self._holders = 0
        self.ports = TellPorts(
            channel=lambda of_policy: self.channels[of_policy.name],
            outbox=self.outbox,
            wake_ups=self.wake_ups,
            dead_letters=self.dead_letters,
            identities=self.identities,
            metrics=self.metrics,
            link=lambda digest, _at: f"https://log/{digest}",
            said=self.said.append,
            now=self.clock.now,
            pause=self.clock.pause,
            jitter=lambda longest: longest,
            new_holder=self._holder,
        )

    def _holder(self):
        self._holders += 1
        return str(self._holders)

    def take(self, outcome):
        """Let an outcome come, and tell where it is due at once."""
        for name in take(outcome, policy=self.policy, ports=self.ports):
            self.wake(name)

    def wake(self, name):
        """Wake a channel, and those that it leaves its outcomes to."""
        of_policy = next(channel for channel in self.policy.channels if channel.name == name)
        until = self.clock.now() + timedelta(seconds=40)
        delivered = deliver(of_policy, policy=self.policy, ports=self.ports, until=until)
        if delivered.next_at is not None:
            arm(name, delivered.next_at, self.ports)
        if delivered.moved_to is not None:
            self.wake(delivered.moved_to)

    def run(self, until=None):
        """Let time pass until nobody is to be woken any more, or until a time."""
        while self.wake_ups.asked:
            at, name = min(self.wake_ups.asked)
            if until is not None and at > until:
                break
            self.wake_ups.asked.remove((at, name))
            self.clock.at = max(self.clock.at, at)
            self.wake(name)
