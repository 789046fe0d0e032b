from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fakes import NOW, OUTCOME, FakeChannel, FakeDeliveries, FakeMetrics
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.policy import Channel, Policy, Route, Severity
from ecr_warden.domain.routing import channels_for
from ecr_warden.errors import ChannelError
from ecr_warden.use_cases.tell import Outages, TellPorts, tell

CHANNELS = (Channel("ops", 1, "sns"), Channel("team", 2, "slack", "secret"))
POLICY = Policy("p", channels=CHANNELS, routes=(Route(3, ("ops", "team")),))


@pytest.fixture
def world():
    class World:
        def __init__(self):
            self.channels = {"ops": FakeChannel(), "team": FakeChannel()}
            self.deliveries, self.metrics, self.outages = FakeDeliveries(), FakeMetrics(), Outages()

        def tell(self, outcome=OUTCOME):
            ports = TellPorts(
                lambda channel: self.channels[channel.name], self.deliveries, self.metrics, lambda: NOW
            )
            return tell(outcome, policy=POLICY, ports=ports, outages=self.outages)

    return World()


def test_an_outcome_is_told_in_each_of_its_channels_and_timed(world):
    assert world.tell().told == ("ops", "team")
    assert world.channels["ops"].heard == world.channels["team"].heard == ["outcome-1"]
    assert ("PushToMessageLatency", 2000) in world.metrics.times
    assert ("MessagesSent", {"channel": "ops"}) in world.metrics.counted


def test_an_outcome_that_comes_again_is_not_told_again(world):
    world.tell()
    again = world.tell()
    assert (again.told, again.before) == ((), ("ops", "team"))
    assert world.channels["ops"].heard == ["outcome-1"]


def test_a_channel_that_fails_keeps_no_other_from_telling_and_is_told_by_the_next_delivery(world):
    world.channels["ops"].errors = [ChannelError("down")]
    first = world.tell()
    assert (first.told, set(first.failed)) == (("team",), {"ops"})
    assert ("MessagesFailed", {"channel": "ops"}) in world.metrics.counted
    second = world.tell()
    assert (second.told, second.before) == (("ops",), ("team",))
    assert [channel.heard for channel in world.channels.values()] == [["outcome-1"], ["outcome-1"]]


def test_what_may_have_been_told_is_held_back_until_its_claim_has_ended(world):
    world.channels["ops"].errors = [ChannelError("timed out", surely_failed=False)]
    world.tell()
    assert set(world.tell().failed) == {"ops"}
    assert world.channels["ops"].heard == []


def test_a_channel_that_asks_for_a_pause_is_not_asked_again_in_the_same_batch(world):
    world.channels["team"].errors = [ChannelError("429", retry_after=30)]
    assert world.tell().retry_after == 30
    second = world.tell(replace(OUTCOME, id="outcome-2"))
    assert second.retry_after == 30
    assert world.channels["team"].heard == []
    assert world.channels["ops"].heard == ["outcome-1", "outcome-2"]
    world.outages = Outages()
    assert world.tell().told == ("team",)


def test_a_channel_that_hangs_is_not_waited_for_again_in_the_same_batch(world):
    world.channels["team"].errors = [ChannelError("timed out", surely_failed=False)]
    world.tell()
    assert set(world.tell(replace(OUTCOME, id="outcome-2")).failed) == {"team"}
    assert world.channels["team"].heard == []
    world.outages = Outages()
    assert world.tell(replace(OUTCOME, id="outcome-2")).told == ("team",)


def test_an_outcome_without_a_route_is_told_to_nobody():
    told = tell(OUTCOME, policy=Policy("p"), ports=TellPorts(None, None, FakeMetrics()), outages=Outages())
    assert (told.told, told.failed, told.retry_after) == ((), {}, None)


@pytest.mark.parametrize(
    ("route", "names"),
    [
        (Route(1, ("ops",)), ["ops"]),
        (Route(1, ("ops", "team", "ops")), ["ops", "team"]),
        (Route(1, ("ops",), min_severity=Severity.HIGH), ["ops"]),
        (Route(1, ("ops",), min_severity=Severity.CRITICAL), []),
        (Route(1, ("ops",), outcomes=frozenset({"tag_violation"})), ["ops"]),
        (Route(1, ("ops",), outcomes=frozenset({"drift_found"})), []),
    ],
)
def test_a_route_takes_its_kinds_from_its_severity_up(route, names):
    policy = Policy("p", channels=CHANNELS, routes=(route,))
    assert [channel.name for channel in channels_for(policy, OUTCOME)] == names


def test_a_channel_of_two_routes_is_told_once():
    policy = Policy("p", channels=CHANNELS, routes=(Route(1, ("team",)), Route(2, ("ops", "team"))))
    assert [channel.name for channel in channels_for(policy, OUTCOME)] == ["team", "ops"]


@given(
    failures=st.dictionaries(
        st.sampled_from(["ops", "team"]), st.lists(st.sampled_from(["down", "busy"]), max_size=4), max_size=2
    ),
    ids=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=12),
)
def test_whatever_fails_and_comes_again_each_outcome_is_told_once_in_each_channel(failures, ids):
    channels = {
        name: FakeChannel([ChannelError(kind, retry_after=5 if kind == "busy" else None) for kind in kinds])
        for name, kinds in ({"ops": [], "team": []} | failures).items()
    }
    ports = TellPorts(lambda channel: channels[channel.name], FakeDeliveries(), FakeMetrics(), lambda: NOW)
    waiting = list(ids)
    for _ in range(100):
        outages = Outages()
        waiting = [
            one
            for one in waiting
            if tell(replace(OUTCOME, id=one), policy=POLICY, ports=ports, outages=outages).failed
        ]
        if not waiting:
            break
    assert waiting == []
    for channel in channels.values():
        assert sorted(channel.heard) == sorted(set(ids))


def test_the_clock_of_the_ports_is_utc():
    now = TellPorts(None, None, None).now()
    assert now.tzinfo is UTC
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)
