"""An outcome comes to wait in its channels, and somebody is woken to tell it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import NOW, OUTCOME, FakeChannel
from telling_world import TellingWorld

from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Channel, ChannelType, Messages, Policy, QuietHours, Route, Severity
from ecr_warden.use_cases.tell import take

OPS = Channel("ops", 1, ChannelType.SNS)
TEAM = Channel("team", 2, ChannelType.SLACK, secret="s")
SIEM = Channel("siem", 3, ChannelType.WEBHOOK, secret="w")
ALL = Route(9, ("ops", "team", "siem"))


def world(*routes, messages=None, **channels):
    policy = Policy("p", channels=(OPS, TEAM, SIEM), routes=routes or (ALL,), messages=messages or Messages())
    return TellingWorld(policy, **({"siem": FakeChannel(takes_each=True)} | channels))


def outcome(number, **others):
    return replace(OUTCOME, id=f"outcome-{number}", **others)


def test_an_outcome_is_told_once_in_each_of_its_channels_however_often_it_comes():
    told = world()
    for _ in range(3):
        told.take(OUTCOME)
        told.run()
    assert [channel.heard for channel in told.channels.values()] == [[OUTCOME.id]] * 3


def test_people_are_told_after_a_minute_and_machines_at_once():
    told = world()
    told.take(OUTCOME)
    assert told.channels["siem"].heard == [OUTCOME.id]
    told.run(until=NOW + timedelta(seconds=59))
    assert told.channels["ops"].heard == []
    told.run()
    assert told.channels["ops"].heard == [OUTCOME.id]
    assert told.clock.now() == NOW + timedelta(seconds=60)


def test_what_is_given_directly_is_due_at_once():
    told = world()
    assert take(OUTCOME, policy=told.policy, ports=told.ports, at_once=True) == ("ops", "team", "siem")
    told.wake("ops")
    assert told.channels["ops"].heard == [OUTCOME.id]


def test_many_outcomes_wake_a_channel_once():
    told = world(Route(9, ("ops",)))
    for number in range(100):
        told.take(outcome(number))
    assert len(told.wake_ups.asked) == 1


def test_an_earlier_time_wakes_a_channel_earlier():
    night = QuietHours((NOW - timedelta(hours=1)).time(), (NOW + timedelta(hours=5)).time(), "UTC")
    told = world(Route(9, ("ops",), quiet_hours=night))
    told.take(OUTCOME)
    told.take(outcome(2, severity=Severity.CRITICAL))
    told.run(until=NOW + timedelta(seconds=60))
    assert told.channels["ops"].heard == ["outcome-2"]
    told.run()
    assert told.channels["ops"].heard == ["outcome-2", OUTCOME.id], "held, not dropped"
    assert told.clock.now() == NOW + timedelta(hours=5)


def test_what_is_held_for_hours_wakes_nobody_more_than_every_quarter_of_an_hour():
    night = QuietHours((NOW - timedelta(hours=1)).time(), (NOW + timedelta(hours=5)).time(), "UTC")
    told = world(Route(9, ("ops",), quiet_hours=night))
    woken = []
    told.wake, wake = lambda name: (woken.append(name), wake(name)), told.wake
    for number in range(50):
        told.take(outcome(number))
    told.run()
    assert len(woken) == 5 * 4
    (message, _) = told.channels["ops"].sent[0]
    assert message.digest.total == 50


def test_an_alarm_that_never_rang_is_set_anew():
    told = world(Route(9, ("ops",)))
    told.take(OUTCOME)
    told.wake_ups.asked.clear()
    told.clock.pause(60 + 15 * 60 - 61)
    told.take(outcome(2))
    assert told.wake_ups.asked == [], "it may yet ring"
    told.clock.pause(120)
    told.take(outcome(3))
    told.run()
    assert sorted(told.channels["ops"].heard) == ["outcome-1", "outcome-2", "outcome-3"]


def test_nobody_is_woken_for_an_outcome_that_no_route_takes():
    told = world(Route(9, ("ops",), min_severity=Severity.CRITICAL))
    told.take(OUTCOME)
    assert told.wake_ups.asked == []
    assert told.outbox.status == {}


WAITING = Messages(identity_wait_seconds=300)


def test_a_push_waits_for_who_pushed_where_there_is_a_trail():
    told = world(messages=WAITING)
    told.identities.has_trail = True
    told.take(OUTCOME)
    assert told.channels["siem"].heard == [OUTCOME.id], "a machine does not wait"
    told.run(until=NOW + timedelta(seconds=299))
    assert told.channels["team"].heard == []
    told.run()
    assert told.clock.now() == NOW + timedelta(seconds=300)
    assert told.channels["team"].sent[0][0].outcomes[0].pushed_by is None


def test_a_push_is_told_with_who_pushed_as_soon_as_that_is_known():
    told = world(messages=WAITING)
    told.identities.has_trail = True
    told.take(OUTCOME)
    assert told.identities.wanted == [(OUTCOME.id, "ops"), (OUTCOME.id, "team")]
    told.clock.pause(100)
    told.identities.known[OUTCOME.id] = "deploy/GitHubActions"
    told.wake("team")
    (message, _) = told.channels["team"].sent[0]
    assert message.outcomes[0].pushed_by == "deploy/GitHubActions"


@pytest.mark.parametrize(
    ("messages", "has_trail", "known", "others"),
    [
        (Messages(), True, {}, {}),
        (WAITING, False, {}, {}),
        (WAITING, True, {OUTCOME.id: "mary"}, {}),
        (WAITING, True, {}, {"kind": OutcomeKind.REPOSITORY_CONFIGURED, "image_digest": None}),
        (WAITING, True, {}, {"kind": OutcomeKind.REPLICATION_FAILED}),
    ],
    ids=["not asked for", "no trail", "known", "no push", "not of a push"],
)
def test_nothing_waits_for_who_pushed_where_it_is(messages, has_trail, known, others):
    told = world(messages=messages)
    told.identities.has_trail = has_trail
    told.identities.known = known
    told.take(replace(OUTCOME, **others))
    told.run(until=NOW + timedelta(seconds=60))
    assert told.channels["team"].heard == [OUTCOME.id]
    assert told.channels["team"].sent[0][0].outcomes[0].pushed_by == known.get(OUTCOME.id)
