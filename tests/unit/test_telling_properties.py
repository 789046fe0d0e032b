"""Whatever comes, and fails: nothing is lost, nothing is told twice, and order is kept."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from fakes import NOW, OUTCOME, FakeChannel, FaultError
from hypothesis import given, settings
from hypothesis import strategies as st
from telling_world import TellingWorld

from ecr_warden.adapters.outcome_bus import outcome_as_json
from ecr_warden.adapters.source_queue import QueueRecord
from ecr_warden.adapters.telling import Teller
from ecr_warden.domain.messages import story_of
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Channel, ChannelType, Policy, Route, Severity
from ecr_warden.errors import ChannelError

CHANNELS = (
    Channel("team", 1, ChannelType.SLACK, secret="s", fallback="ops"),
    Channel("bot", 2, ChannelType.SLACK, secret="b", conversation="C12345678"),
    Channel("ops", 3, ChannelType.SNS),
    Channel("siem", 4, ChannelType.WEBHOOK, secret="w"),
)
POLICY = Policy("p", channels=CHANNELS, routes=(Route(9, ("team", "bot", "siem")),))


class Queue:
    """SQS as NotifyFunction sees it: at least once, in no order, a message that failed comes again."""

    def __init__(self, clock):
        self.clock = clock
        self.messages = []
        self.dead = []

    def send(self, body, seconds=0):
        self.messages.append([self.clock.now() + timedelta(seconds=seconds), body, 0])

    def wake(self, channel, seconds):
        self.send(json.dumps({"wake": channel}), seconds)

    def batch(self, size):
        """Take what is visible, a batch at most; where nothing is, let time pass."""
        self.messages.sort(key=lambda message: message[0])
        self.clock.at = max(self.clock.at, self.messages[0][0])
        taken = [message for message in self.messages if message[0] <= self.clock.now()][:size]
        for message in taken:
            self.messages.remove(message)
            message[2] += 1
        return taken

    def back(self, message):
        message[0] = self.clock.now() + timedelta(seconds=360)
        self.messages.append(message)


def run(queue, tell, size=10):
    """Let the function handle batch after batch until the queue is empty."""
    for _ in range(10_000):
        if not queue.messages:
            return
        taken = queue.batch(size)
        records = [QueueRecord(str(place), "receipt", body) for place, (_, body, _) in enumerate(taken)]
        failed = tell.tell_batch(records)
        for place in failed:
            queue.back(taken[int(place)])
    raise AssertionError("the queue does not come to an end")


def body(outcome):
    return json.dumps({"detail": outcome_as_json(outcome)})


KINDS = (OutcomeKind.TAG_VIOLATION, OutcomeKind.IMAGE_VULNERABLE, OutcomeKind.IMAGE_RECOVERED)
OUTCOMES = st.builds(
    lambda repository, digest, kind, severity: replace(
        OUTCOME, repository=repository, image_digest=digest, kind=kind, severity=severity
    ),
    st.sampled_from("abcdefgh"),
    st.sampled_from(["sha256:1", "sha256:2"]),
    st.sampled_from(KINDS),
    st.sampled_from([Severity.CRITICAL, Severity.LOW]),
)
FAILURES = st.sampled_from(
    [
        None,
        None,
        ChannelError("500"),
        ChannelError("429", retry_after=1),
        ChannelError("429", retry_after=400),
        ChannelError("invalid_blocks", is_refused=True),
    ]
)
SEQUENCES = st.lists(st.tuples(OUTCOMES, st.integers(0, 100), st.integers(1, 3)), min_size=1, max_size=25)


def channels(data):
    def channel(**kind):
        return FakeChannel(data.draw(st.lists(FAILURES, max_size=12)), **kind)

    return {
        "team": channel(pause=1.0),
        "bot": channel(pause=1.0, has_threads=True),
        "ops": channel(),
        "siem": channel(takes_each=True),
    }


def send_all(queue, sequence):
    """Send each outcome so often, after so many seconds; give them in the order in which they were sent."""
    sent = []
    for number, (outcome, _, times) in enumerate(sequence):
        numbered = replace(outcome, id=f"{number:03}", event_time=NOW + timedelta(seconds=number))
        sent.append(numbered)
        for _ in range(times):
            queue.send(body(numbered), sum(pause for _, pause, _ in sequence[: number + 1]))
    return sent


def told_in(world, name):
    """Give the ids of all that a channel was told, those that a digest only counts too."""
    return [
        one.id
        for said in world.said
        if said.channel == name and said.why is None and said.moved_to is None
        for one in said.outcomes
    ]


@settings(deadline=None)
@given(sequence=SEQUENCES, size=st.integers(1, 10), data=st.data())
def test_nothing_is_lost_nothing_is_told_twice_and_threads_keep_their_order(sequence, size, data):
    world = TellingWorld(POLICY, **channels(data))
    queue = Queue(world.clock)
    sent = send_all(queue, sequence)
    run(queue, Teller(POLICY, replace(world.ports, wake_ups=queue)), size)
    dead = Counter((outcome_id, channel) for outcome_id, channel, _ in world.dead_letters.letters)
    for name in ("team", "bot", "siem"):
        told = told_in(world, name) + (told_in(world, "ops") if name == "team" else [])
        assert len(told) == len(set(told))
        # One that comes again after it was given up is tried anew, and is told and a dead letter then.
        given_up = {outcome_id for outcome_id, of in dead if of == name or (name, of) == ("team", "ops")}
        assert sorted({*told, *given_up}) == [one.id for one in sent]
        assert all(not waits for waits in world.outbox.waits.values())
    # What a channel took is what is said, to the last outcome.
    for name, channel in world.channels.items():
        assert sum(m.digest.total if m.digest else len(m.outcomes) for m, _ in channel.sent) == len(
            told_in(world, name)
        )
    by_id = {one.id: one for one in sent}
    for name in ("bot", "siem"):
        for story in {story_of(one) for one in sent}:
            in_thread = [one for one in told_in(world, name) if story_of(by_id[one]) == story]
            assert in_thread == sorted(in_thread)


class _Faults:
    """Which calls of which methods fail, by their numbers, every other one after its effect; ``hit`` did."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.calls = Counter()
        self.hit = Counter()


class _Breaking:
    def __init__(self, port, faults):
        self._port = port
        self._faults = faults

    def __getattr__(self, name):
        method = getattr(self._port, name)

        def call(*arguments, **named):
            self._faults.calls[name] += 1
            number = self._faults.calls[name]
            if (name, number) not in self._faults.numbers:
                return method(*arguments, **named)
            self._faults.hit[name] += 1
            if number % 2:
                method(*arguments, **named)
            raise FaultError(name)

        return call


METHODS = (
    *(
        "put",
        "waiting",
        "told",
        "given_up",
        "move",
        "acquire",
        "release",
        "alarm",
        "set_alarm",
        "clear_alarm",
    ),
    *("thread", "keep_thread", "wake", "found"),
)
# Whether a channel is down, so that its outcomes move; and which calls fail.
FAULTS = st.tuples(st.booleans(), st.sets(st.tuples(st.sampled_from(METHODS), st.integers(1, 6)), max_size=8))


@settings(deadline=None)
@given(sequence=SEQUENCES, faults=FAULTS, data=st.data())
def test_calls_that_fail_before_or_after_their_effect_lose_nothing(sequence, faults, data):
    world = TellingWorld(POLICY, **channels(data))
    is_down, faults = faults
    if is_down:
        world.channels["team"].errors = [ChannelError("500")] * 100
    queue = Queue(world.clock)
    counter = _Faults(faults)
    ports = replace(
        world.ports,
        outbox=_Breaking(world.outbox, counter),
        dead_letters=_Breaking(world.dead_letters, counter),
        identities=_Breaking(world.identities, counter),
    )
    sent = send_all(queue, sequence)
    tell = Teller(POLICY, replace(ports, wake_ups=_Breaking(queue, counter)))
    run(queue, tell)
    dead = {(outcome_id, channel) for outcome_id, channel, _ in world.dead_letters.letters}
    for name in ("team", "bot", "siem"):
        for one in sent:
            was_told = world.outbox.status.get((one.id, name)) in {"told", "moved"}
            assert was_told or (one.id, name) in dead
            if world.outbox.status.get((one.id, name)) == "moved":
                assert world.outbox.status[one.id, "ops"] == "told" or (one.id, "ops") in dead
    # A message whose record failed is told again; nothing else is.
    heard = sum(
        m.digest.total if m.digest else len(m.outcomes) for c in world.channels.values() for m, _ in c.sent
    )
    settled = sum(status == "told" for status in world.outbox.status.values())
    if not counter.hit["told"]:
        assert heard <= settled + len(dead)
