"""NotifyFunction's batches: what each message in the queue leads to."""

import json
import logging
from dataclasses import replace
from datetime import timedelta

from fakes import NOW, OUTCOME
from telling_world import TellingWorld

from ecr_warden.adapters.outcome_bus import outcome_as_json
from ecr_warden.adapters.source_queue import QueueRecord
from ecr_warden.adapters.telling import Teller, log_told
from ecr_warden.domain.policy import Channel, ChannelType, Policy, Route
from ecr_warden.domain.waiting import Waiting
from ecr_warden.errors import AwsError, ChannelError

TEAM = Channel("team", 1, ChannelType.SLACK, secret="s", fallback="ops")
OPS = Channel("ops", 2, ChannelType.SNS)
POLICY = Policy("p", channels=(TEAM, OPS), routes=(Route(9, ("team",)),))


def record(body, receive_count=1):
    return QueueRecord(
        "message-1", "receipt", body if isinstance(body, str) else json.dumps(body), receive_count
    )


def world(policy=POLICY):
    return TellingWorld(policy)


def handle(told, *records):
    return Teller(told.policy, told.ports).tell_batch(records)


def waits(channel, *ids):
    def fill(told):
        for one in ids:
            told.outbox.put(channel, Waiting(replace(OUTCOME, id=one), since=NOW, due=NOW))
        return told

    return fill


def test_a_wake_up_tells_what_is_due(caplog):
    told = waits("team", "outcome-1")(world())
    with caplog.at_level(logging.INFO):
        assert handle(told, record({"wake": "team"})) == []
    assert told.channels["team"].heard == ["outcome-1"]


def test_a_wake_up_of_a_channel_that_the_policy_does_not_have_yet_comes_again():
    told = waits("new", "outcome-1")(world())
    assert handle(told, record({"wake": "new"})) == ["message-1"]
    assert told.outbox.status["outcome-1", "new"] == "waiting"


def test_what_waits_in_a_channel_that_was_renamed_is_told_where_the_policy_sends_it_now():
    told = waits("old", "outcome-1", "outcome-2")(world())
    assert handle(told, record({"wake": "old"}, receive_count=2)) == []
    assert told.channels["team"].heard == ["outcome-1", "outcome-2"]
    assert told.outbox.waits["old"] == {}


def test_what_waits_in_a_channel_that_is_gone_and_has_no_route_waits_in_the_dead_letters():
    told = waits("old", "outcome-1")(world(replace(POLICY, routes=())))
    assert handle(told, record({"wake": "old"}, receive_count=2)) == []
    assert told.dead_letters.letters == [
        ("outcome-1", "old", "the policy has no channel old any more, and no route for it")
    ]


def test_one_message_that_cannot_be_read_and_one_channel_that_fails_keep_no_other(caplog):
    told = waits("ops", "outcome-2")(waits("team", "outcome-1")(world()))
    told.ports = replace(told.ports, channel=lambda of: told.channels["ops"] if of.name == "ops" else 1 / 0)
    records = [
        replace(record("{"), message_id="broken"),
        replace(record({"wake": "team"}), message_id="team"),
        replace(record({"wake": "ops"}), message_id="ops"),
    ]
    assert handle(told, *records) == ["broken", "team"]
    assert told.channels["ops"].heard == ["outcome-2"]
    assert "a channel was not told" in caplog.text


def test_what_a_channel_that_is_down_leaves_is_told_in_the_same_run_even_if_the_next_alarm_cannot_be_set():
    told = waits("team", "outcome-1")(world())
    told.channels["team"].errors = [ChannelError("500")] * 5

    def refuse(*_):
        raise AwsError("throttled")

    for _ in range(5):
        handle(told, record({"wake": "team"}))
        told.clock.pause(60)
        told.outbox.set_alarm = refuse
    assert told.channels["ops"].heard == ["outcome-1"]


def test_a_digest_is_listed_in_the_log_with_the_text_that_its_link_searches_for(caplog):
    told = waits("ops")(world())
    for number in range(20):
        outcome = replace(OUTCOME, id=f"outcome-{number}", repository=f"team/{number}")
        told.outbox.put("ops", Waiting(outcome, since=NOW - timedelta(minutes=5), due=NOW))

    told.ports = replace(told.ports, said=log_told)
    with caplog.at_level(logging.INFO):
        handle(told, record({"wake": "ops"}))
    (message, _) = told.channels["ops"].sent[0]
    digest = message.digest.link.rpartition("/")[2]
    listed = [
        line
        for line in caplog.records
        if getattr(line, "digest", None) == digest and hasattr(line, "repository")
    ]
    assert sorted(line.repository for line in listed) == sorted(f"team/{number}" for number in range(20))


def test_an_outcome_is_taken_and_nothing_of_it_but_what_names_it_is_logged(caplog):
    told = world()
    with caplog.at_level(logging.INFO):
        handle(told, record({"detail": outcome_as_json(replace(OUTCOME, next_step="SECRET"))}))
    assert told.outbox.status[OUTCOME.id, "team"] == "waiting"
    assert "SECRET" not in "".join(str(vars(line)) for line in caplog.records)
