"""What waits to be told, and who pushed what, in DynamoDB; and the queues that go with it."""

import json
import logging
import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from fakes import NOW, OUTCOME
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from ecr_warden.adapters.dead_letters import DeadLetterQueue
from ecr_warden.adapters.dynamodb_channels import KEPT, LARGEST_THREAD, LEASE
from ecr_warden.adapters.dynamodb_identities import IDENTITY_KEPT, TRAIL_KEPT, DynamoIdentities
from ecr_warden.adapters.dynamodb_outbox import DynamoOutbox
from ecr_warden.adapters.outcome_bus import SOURCE, read_outcome_event
from ecr_warden.adapters.source_queue import LONGEST_DELAY, QueueClock
from ecr_warden.domain.channel_state import ChannelState
from ecr_warden.domain.events import Push
from ecr_warden.domain.messages import Message, Posted, Thread, story_of
from ecr_warden.domain.waiting import Waiting
from ecr_warden.errors import AwsError
from ecr_warden_cli.local.template import load_template

DELIVERIES, OUTBOX = "deliveries", "outbox"
MINUTE = timedelta(minutes=1)


@cache
def template():
    return load_template()


def make_table(client, name, logical_id):
    properties = template().resources[logical_id]["Properties"]
    schema = {key: properties[key] for key in ("AttributeDefinitions", "KeySchema", "BillingMode")}
    client.create_table(TableName=name, **schema)


def empty(client):
    for table, keys in ((DELIVERIES, ("outcome_id", "channel")), (OUTBOX, ("channel", "item"))):
        for item in client.scan(TableName=table)["Items"]:
            client.delete_item(TableName=table, Key={key: item[key] for key in keys})


@pytest.fixture
def dynamodb(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        make_table(client, DELIVERIES, "DeliveryTable")
        make_table(client, OUTBOX, "OutboxTable")
        yield client


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.time = NOW
        self.pauses = []

    def now(self):
        return self.time

    def pause(self, seconds):
        self.pauses.append(seconds)


@pytest.fixture
def clock():
    return Clock()


def outbox_on(client, clock):
    return DynamoOutbox(client, DELIVERIES, OUTBOX, clock.now, pause=clock.pause)


@pytest.fixture
def outbox(dynamodb, clock):
    return outbox_on(dynamodb, clock)


def one(outcome_id="outcome-1", minutes=1, **fields):
    """Give an outcome that waits so many minutes."""
    outcome = replace(OUTCOME, id=outcome_id)
    return Waiting(outcome, since=NOW, due=NOW + minutes * MINUTE, **fields)


def ids(waiting):
    return [item.outcome.id for item in waiting]


def record(client, outcome_id, channel):
    key = {"outcome_id": {"S": outcome_id}, "channel": {"S": channel}}
    return client.get_item(TableName=DELIVERIES, Key=key).get("Item", {})


def items_of(client, channel):
    answer = client.query(
        TableName=OUTBOX,
        KeyConditionExpression="channel = :channel",
        ExpressionAttributeValues={":channel": {"S": channel}},
    )
    return answer["Items"]


# ---------------------------------------------------------------- what waits


def test_what_is_put_waits_with_all_that_is_known_of_it_until_it_is_due(outbox):
    held = one(is_held=True, instead_of="team, which is down", due_identified=NOW + 5 * MINUTE)
    assert outbox.put("ops", held) == held.due
    assert outbox.waiting("ops", 10) == (held,)
    assert outbox.waiting("team", 10) == ()


def test_what_is_put_again_goes_on_as_it_did(outbox):
    first = one(minutes=5)
    outbox.put("ops", first)
    assert outbox.put("ops", one(minutes=1)) == first.due
    assert outbox.waiting("ops", 10) == (first,)


def test_what_waits_is_given_by_when_it_is_due_whatever_zone_and_fraction_of_a_second_it_is_written_in(
    outbox,
):
    times = [
        NOW,
        NOW + timedelta(microseconds=1),
        (NOW + timedelta(seconds=1)).astimezone(datetime.strptime("+0530", "%z").tzinfo),
        NOW + timedelta(seconds=1, microseconds=500),
        (NOW + timedelta(seconds=2)).astimezone(datetime.strptime("-0800", "%z").tzinfo),
    ]
    for number in (3, 0, 4, 2, 1):
        outbox.put("ops", replace(one(f"outcome {number}"), due=times[number]))
    found = outbox.waiting("ops", 10)
    assert ids(found) == [f"outcome {number}" for number in range(5)]
    assert [item.due for item in found] == times


def test_no_more_is_given_than_is_asked_for_and_pages_make_no_difference(outbox):
    # An answer of DynamoDB's has a megabyte at most.
    reason = "x" * 200_000
    for number in range(12):
        waiting = one(f"outcome-{number:02}", minutes=number)
        outbox.put("ops", replace(waiting, outcome=replace(waiting.outcome, reason=reason)))
    assert ids(outbox.waiting("ops", 12)) == [f"outcome-{number:02}" for number in range(12)]
    assert ids(outbox.waiting("ops", 3)) == ["outcome-00", "outcome-01", "outcome-02"]


def test_what_waits_has_no_end_and_what_is_told_is_forgotten_in_time(outbox, dynamodb):
    outbox.put("ops", one())
    assert "expires_at" not in record(dynamodb, "outcome-1", "ops")
    assert ["expires_at" in item for item in items_of(dynamodb, "ops")] == [False]
    outbox.waiting("ops", 10)
    outbox.told("ops", ["outcome-1"])
    assert int(record(dynamodb, "outcome-1", "ops")["expires_at"]["N"]) == int((NOW + KEPT).timestamp())
    assert items_of(dynamodb, "ops") == []


def test_what_was_told_is_not_told_again_and_is_elsewhere(outbox):
    outbox.put("ops", one())
    outbox.put("team", one())
    outbox.told("ops", ["outcome-1"])
    assert outbox.put("ops", one()) is None
    assert outbox.waiting("ops", 10) == ()
    assert ids(outbox.waiting("team", 10)) == ["outcome-1"]


def test_what_was_told_is_known_after_a_restart_and_by_a_run_that_never_read_it(outbox, dynamodb, clock):
    for number in range(3):
        outbox.put("ops", one(f"outcome {number}"))
    outbox_on(dynamodb, clock).told("ops", ["outcome 0", "outcome 2"])
    assert ids(outbox.waiting("ops", 10)) == ["outcome 1"]
    # Recorded again, as after a crash, it is as it was.
    outbox_on(dynamodb, clock).told("ops", ["outcome 0", "outcome 2"])
    assert ids(outbox.waiting("ops", 10)) == ["outcome 1"]


def test_a_digest_of_many_is_told_in_few_calls_each_within_dynamodbs_limit(dynamodb, clock):
    client = Watched(dynamodb)
    outbox = outbox_on(client, clock)
    names = [f"outcome-{number:03}" for number in range(110)]
    for name in names:
        outbox.put("ops", one(name))
    outbox.waiting("ops", 1000)
    client.calls.clear()
    outbox.told("ops", [*names, *names[:10]])
    sizes = [len(arguments["TransactItems"]) for name, arguments in client.calls]
    assert [name for name, _ in client.calls] == ["transact_write_items"] * 3
    assert max(sizes) <= 100
    assert sum(sizes) == 2 * 110
    assert outbox.waiting("ops", 10) == ()


def test_what_was_given_up_is_not_told_until_it_is_put_anew(outbox):
    outbox.put("ops", one())
    outbox.given_up("ops", ["outcome-1"])
    assert outbox.waiting("ops", 10) == ()
    again = one(minutes=9)
    assert outbox.put("ops", again) == again.due
    assert outbox.waiting("ops", 10) == (again,)


def test_what_was_told_meanwhile_is_not_given_up(outbox):
    outbox.put("ops", one())
    outbox.told("ops", ["outcome-1"])
    outbox.given_up("ops", ["outcome-1"])
    assert outbox.put("ops", one()) is None


# ---------------------------------------------------------------- fallbacks


def test_what_is_moved_waits_in_the_fallback_and_not_where_it_was(outbox):
    outbox.put("team", one())
    outbox.put("team", one("outcome-2", minutes=2))
    (first, second) = outbox.waiting("team", 10)
    moved = replace(first, due=NOW, instead_of="team, which is down: 500")
    outbox.move("team", "ops", [moved])
    assert outbox.waiting("team", 10) == (second,)
    assert outbox.waiting("ops", 10) == (moved,)
    assert outbox.put("team", one()) is None
    outbox.told("ops", ["outcome-1"])
    assert outbox.put("team", one()) is None


@pytest.mark.parametrize("was", ["waits", "was told"])
def test_what_waits_in_the_fallback_or_was_told_there_is_not_disturbed_by_what_is_moved(outbox, was):
    own = one(minutes=30, is_held=True)
    outbox.put("ops", own)
    if was == "was told":
        outbox.told("ops", ["outcome-1"])
    for name in ("outcome-1", "outcome-2"):
        outbox.put("team", one(name))
    outbox.move("team", "ops", outbox.waiting("team", 10))
    assert outbox.waiting("team", 10) == ()
    assert outbox.put("team", one()) is None
    (moved, *others) = outbox.waiting("ops", 10)
    assert moved.outcome.id == "outcome-2"
    assert others == ([own] if was == "waits" else [])


def test_what_was_told_where_it_was_in_between_is_not_moved(outbox, dynamodb, clock):
    outbox.put("team", one())
    waiting = outbox.waiting("team", 10)
    outbox_on(dynamodb, clock).told("team", ["outcome-1"])
    outbox.move("team", "ops", waiting)
    assert outbox.waiting("ops", 10) == ()
    assert record(dynamodb, "outcome-1", "team")["status"] == {"S": "told"}


def test_what_goes_there_and_back_between_two_channels_that_are_down_is_never_lost(outbox):
    outbox.put("team", one())
    for source, target in [("team", "ops"), ("ops", "team"), ("team", "ops")]:
        outbox.move(source, target, outbox.waiting(source, 10))
        assert ids(outbox.waiting(target, 10)) == ["outcome-1"]
        assert outbox.waiting(source, 10) == ()


def test_what_was_given_up_in_the_fallback_waits_anew_where_it_belongs(outbox):
    # The dead letter comes back by the routes, and the fallback is in none of them.
    outbox.put("team", one())
    outbox.move("team", "ops", outbox.waiting("team", 10))
    outbox.move("ops", "pager", outbox.waiting("ops", 10))
    outbox.given_up("pager", ["outcome-1"])
    again = one(minutes=7)
    assert outbox.put("team", again) == again.due
    assert outbox.waiting("team", 10) == (again,)


def test_many_are_moved_at_once(outbox):
    for number in range(60):
        outbox.put("team", one(f"outcome-{number:03}"))
        if number % 7 == 0:
            outbox.put("ops", one(f"outcome-{number:03}"))
    outbox.move("team", "ops", outbox.waiting("team", 1000))
    assert outbox.waiting("team", 10) == ()
    assert len(set(ids(outbox.waiting("ops", 1000)))) == len(outbox.waiting("ops", 1000)) == 60


# ---------------------------------------------------------------- other versions


@pytest.mark.parametrize(("status", "is_told"), [("told", True), ("sending", False)])
def test_what_the_version_before_told_is_told_and_what_it_was_about_to_tell_is_not(
    outbox, dynamodb, status, is_told
):
    item = {
        "outcome_id": {"S": "outcome-1"},
        "channel": {"S": "ops"},
        "status": {"S": status},
        "held_until": {"N": str((NOW + MINUTE).timestamp())},
        "expires_at": {"N": str(int((NOW + KEPT).timestamp()))},
    }
    dynamodb.put_item(TableName=DELIVERIES, Item=item)
    assert outbox.put("ops", one()) == (None if is_told else one().due)
    assert ids(outbox.waiting("ops", 10)) == ([] if is_told else ["outcome-1"])
    # What waits must not be forgotten by the end that the version before had given it.
    assert ("expires_at" in record(dynamodb, "outcome-1", "ops")) is is_told


def test_a_status_of_a_newer_version_is_an_error_and_never_taken_for_told(outbox, dynamodb):
    outbox.put("ops", one())
    dynamodb.update_item(
        TableName=DELIVERIES,
        Key={"outcome_id": {"S": "outcome-1"}, "channel": {"S": "ops"}},
        UpdateExpression="SET #status = :new",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":new": {"S": "postponed"}},
    )
    with pytest.raises(AwsError, match="'postponed' is of another version"):
        outbox.put("ops", one())


def test_what_cannot_be_read_keeps_none_of_the_others_and_stays_until_it_can_be(outbox, dynamodb, caplog):
    for number in range(4):
        outbox.put("ops", one(f"outcome-{number}", minutes=number))
    item = items_of(dynamodb, "ops")[0]
    known = item["waiting"]["S"]
    newer = json.loads(known)
    newer["outcome"]["kind"] = "image_teleported"
    dynamodb.put_item(TableName=OUTBOX, Item=item | {"waiting": {"S": json.dumps(newer)}})
    with caplog.at_level(logging.ERROR):
        assert ids(outbox.waiting("ops", 3)) == ["outcome-1", "outcome-2", "outcome-3"]
    (logged,) = [line for line in caplog.records if "cannot be read" in line.message]
    assert logged.item == item["item"]["S"]
    assert outbox.unread("ops") == one(minutes=0).due, "so that somebody looks again, and hears of it"
    outbox.told("ops", ["outcome-1", "outcome-2", "outcome-3"])
    dynamodb.put_item(TableName=OUTBOX, Item=item)
    assert ids(outbox.waiting("ops", 3)) == ["outcome-0"]
    assert outbox.unread("ops") is None


# ---------------------------------------------------------------- trouble


class Watched:
    """A client that notes its calls, and fails one of them before or after its effect."""

    def __init__(self, client, fails_at=None, *, after_effect=False):
        self._client = client
        self._fails_at = fails_at
        self._after_effect = after_effect
        self.calls = []

    def __getattr__(self, name):
        def call(**arguments):
            self.calls.append((name, arguments))
            is_now = len(self.calls) == self._fails_at
            if is_now and not self._after_effect:
                raise ReadTimeoutError(endpoint_url="https://dynamodb")
            answer = getattr(self._client, name)(**arguments)
            if is_now:
                raise ReadTimeoutError(endpoint_url="https://dynamodb")
            return answer

        return call


def cancelled(*codes):
    reasons = [{"Code": code} for code in codes]
    answer = {
        "Error": {"Code": "TransactionCanceledException", "Message": "…"},
        "CancellationReasons": reasons,
    }
    return ClientError(answer, "TransactWriteItems")


class Cancelling:
    """A client that cancels so many transactions."""

    def __init__(self, client, *errors):
        self._client = client
        self._errors = list(errors)

    def transact_write_items(self, **arguments):
        if self._errors:
            raise self._errors.pop(0)
        return self._client.transact_write_items(**arguments)

    def __getattr__(self, name):
        return getattr(self._client, name)


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_that_comes_at_a_bad_time_is_done_a_moment_later(dynamodb, clock, code):
    outbox = outbox_on(Cancelling(dynamodb, cancelled(code, "None"), cancelled("None", code)), clock)
    assert outbox.put("ops", one()) == one().due
    assert ids(outbox.waiting("ops", 10)) == ["outcome-1"]
    assert 0 < clock.pauses[0] < clock.pauses[1] < 1


def test_a_transaction_that_never_comes_at_a_good_time_is_an_error_and_nothing_is_done(dynamodb, clock):
    outbox = outbox_on(Cancelling(dynamodb, *[cancelled("TransactionConflict", "None")] * 5), clock)
    with pytest.raises(AwsError, match="cancelled it: TransactionConflict"):
        outbox.put("ops", one())
    assert outbox.waiting("ops", 10) == ()
    assert sum(clock.pauses) < 2


@pytest.mark.parametrize(
    "codes", [("None", "ValidationError"), ("ConditionalCheckFailed", "ValidationError")]
)
def test_a_transaction_that_is_wrong_is_not_tried_again_nor_taken_for_done(dynamodb, clock, codes):
    outbox = outbox_on(Cancelling(dynamodb, cancelled(*codes)), clock)
    with pytest.raises(AwsError, match="ValidationError"):
        outbox.put("ops", one())
    assert clock.pauses == []


def test_a_refusal_that_comes_with_a_conflict_is_known_for_what_it_is(dynamodb, clock):
    others = outbox_on(dynamodb, clock)
    others.put("ops", one("outcome-2"))
    for name in ("outcome-1", "outcome-2"):
        others.put("team", one(name))
    mixed = ["TransactionConflict", "None", "None", "None", "None", "None", "ConditionalCheckFailed", "None"]
    outbox = outbox_on(Cancelling(dynamodb, cancelled(*mixed)), clock)
    outbox.move("team", "ops", outbox.waiting("team", 10))
    assert outbox.waiting("team", 10) == ()
    assert sorted(ids(outbox.waiting("ops", 10))) == ["outcome-1", "outcome-2"]


def test_a_table_that_is_not_there_is_an_error_in_our_words(dynamodb, clock):
    outbox = DynamoOutbox(dynamodb, "none", "none", clock.now, pause=clock.pause)
    for call in (
        lambda: outbox.put("ops", one()),
        lambda: outbox.waiting("ops", 1),
        lambda: outbox.told("ops", ["outcome-1"]),
        lambda: outbox.given_up("ops", ["outcome-1"]),
        lambda: outbox.move("ops", "team", [one()]),
        lambda: outbox.acquire("ops", "me"),
        lambda: outbox.release("ops", "me", ChannelState()),
        lambda: outbox.alarm("ops"),
        lambda: outbox.set_alarm("ops", NOW),
        lambda: outbox.clear_alarm("ops", NOW),
        lambda: outbox.thread("ops", ["a"]),
        lambda: outbox.keep_thread("ops", ["a"], THREAD),
    ):
        with pytest.raises(AwsError):
            call()


def tell_all(outbox, sent, *, is_refused):
    """Do as who tells does: outcomes arrive, one is refused, the rest is told by the fallback."""
    names = ["outcome-1", "outcome-2", "outcome-3"]
    for name in names:
        if name not in sent:
            outbox.put("team", one(name))
    waiting = outbox.waiting("team", 10)
    if is_refused and "outcome-1" in ids(waiting):
        outbox.given_up("team", ["outcome-1"])
        sent["outcome-1"] = sent.get("outcome-1", 0)
    left = [item for item in outbox.waiting("team", 10) if item.outcome.id != "outcome-1"]
    outbox.move("team", "ops", left)
    for channel in ("team", "ops"):
        for item in outbox.waiting(channel, 10):
            sent[item.outcome.id] = sent.get(item.outcome.id, 0) + 1
            # What was sent is recorded, whatever it takes: a run that dies right between is told of twice.
            for _ in range(2):
                with suppress(AwsError):
                    outbox.told(channel, [item.outcome.id])
                    break


@pytest.mark.parametrize("after_effect", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("is_refused", [False, True], ids=["all are taken", "one is refused"])
def test_a_run_that_dies_at_any_call_loses_nothing_and_tells_nothing_twice(
    dynamodb, clock, after_effect, is_refused
):
    counted = Watched(dynamodb)
    tell_all(outbox_on(counted, clock), {}, is_refused=is_refused)
    calls = len(counted.calls)
    assert calls > 8
    for fails_at in range(1, calls + 1):
        empty(dynamodb)
        sent = {}
        with suppress(AwsError):
            tell_all(
                outbox_on(Watched(dynamodb, fails_at, after_effect=after_effect), clock),
                sent,
                is_refused=is_refused,
            )
        # The queue brings what was not handled again, to another run.
        tell_all(outbox_on(dynamodb, clock), sent, is_refused=is_refused)
        expected = {"outcome-1": 0 if is_refused else 1, "outcome-2": 1, "outcome-3": 1}
        assert sent == expected, f"the call {fails_at}, {counted.calls[fails_at - 1][0]}"
        outbox = outbox_on(dynamodb, clock)
        assert outbox.waiting("team", 10) == outbox.waiting("ops", 10) == ()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "tell", "give up", "move"]),
        st.sampled_from(["team", "ops"]),
        st.integers(0, 2),
        st.sampled_from([None, "before", "after"]),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_done_and_fails_an_outcome_waits_in_a_channel_once_or_not_at_all(dynamodb, clock, steps):
    empty(dynamodb)
    told, was_put = set(), set()
    for number, (action, channel, which, fails) in enumerate(steps):
        # The call that writes: all but a put read first.
        fails_at = None if fails is None else 1 if action == "put" else 2
        outbox = outbox_on(Watched(dynamodb, fails_at, after_effect=fails == "after"), clock)
        name = f"outcome-{which}"
        with suppress(AwsError):
            if action == "put":
                outbox.put(channel, one(name, minutes=number))
                was_put.add(name)
                continue
            waiting = [item for item in outbox.waiting(channel, 10) if item.outcome.id == name]
            if not waiting:
                continue
            assert (name, channel) not in told
            if action == "tell":
                outbox.told(channel, [name])
                told.add((name, channel))
            elif action == "give up":
                outbox.given_up(channel, [name])
            else:
                outbox.move(channel, "ops" if channel == "team" else "team", waiting)
    became = {name: set() for name in was_put}
    for item in dynamodb.scan(TableName=DELIVERIES)["Items"]:
        name, status = item["outcome_id"]["S"], item["status"]["S"]
        # The two tables never say different things.
        waits = ids(outbox_on(dynamodb, clock).waiting(item["channel"]["S"], 100))
        assert waits.count(name) == int(status == "waiting")
        became.setdefault(name, set()).add(status)
    # What was only ever moved would be lost.
    assert all(statuses & {"waiting", "told", "given up"} for statuses in became.values())


def test_what_was_written_just_before_is_always_read(dynamodb, clock):
    client = Watched(dynamodb)
    outbox, identities = outbox_on(client, clock), identities_on(client, clock)
    outbox.put("ops", one())
    outbox.waiting("ops", 10)
    outbox.alarm("ops")
    outbox.thread("ops", [STORY])
    identities.found([OUTCOME])
    identities.expects(OUTCOME.account, OUTCOME.region)
    # Moved, so that what became of it elsewhere is read.
    outbox.move("ops", "team", outbox.waiting("ops", 10))
    outbox.put("ops", one())
    reads = [
        arguments.get("ConsistentRead")
        or all(table["ConsistentRead"] for table in arguments["RequestItems"].values())
        for name, arguments in client.calls
        if name in ("query", "get_item", "batch_get_item")
    ]
    assert len(reads) >= 7
    assert all(reads)


# ---------------------------------------------------------------- one sender at a time


def test_one_alone_has_the_right_to_tell_until_it_gives_it_back(outbox):
    assert outbox.acquire("ops", "one") == ChannelState()
    assert outbox.acquire("ops", "two") is None
    assert outbox.acquire("team", "two") == ChannelState()
    outbox.release("ops", "one", ChannelState())
    assert outbox.acquire("ops", "two") == ChannelState()


def test_how_a_channel_does_is_known_to_the_next_one(outbox):
    state = ChannelState(3, NOW + MINUTE, "Slack answered 500", 2, 125, "outcome-7", 11)
    outbox.acquire("ops", "one")
    outbox.release("ops", "one", state)
    assert outbox.acquire("ops", "two") == state
    outbox.release("ops", "two", ChannelState())
    assert outbox.acquire("ops", "three") == ChannelState()


def test_a_long_error_is_cut_and_kept(outbox):
    outbox.acquire("ops", "one")
    outbox.release("ops", "one", ChannelState(failures=1, last_error="x" * 500_000))
    assert outbox.acquire("ops", "two").last_error.startswith("xxx")


def test_a_right_that_a_dead_run_left_ends_by_itself(outbox, clock):
    outbox.acquire("ops", "dead")
    clock.time = NOW + LEASE
    assert outbox.acquire("ops", "one") is None
    clock.time += timedelta(seconds=1)
    assert outbox.acquire("ops", "one") == ChannelState()


def test_who_took_too_long_gives_nobody_elses_right_back(outbox, clock):
    outbox.acquire("ops", "slow")
    clock.time = NOW + LEASE + timedelta(seconds=1)
    outbox.acquire("ops", "quick")
    outbox.release("ops", "slow", ChannelState(failures=9))
    assert outbox.acquire("ops", "third") is None
    outbox.release("ops", "quick", ChannelState())
    assert outbox.acquire("ops", "third") == ChannelState()


# ---------------------------------------------------------------- alarms


def test_an_alarm_is_known_until_it_has_rung(outbox):
    assert outbox.alarm("ops") is None
    outbox.set_alarm("ops", NOW + MINUTE)
    assert outbox.alarm("ops") == NOW + MINUTE
    assert outbox.alarm("team") is None
    outbox.clear_alarm("ops", NOW + MINUTE)
    assert outbox.alarm("ops") is None
    outbox.clear_alarm("ops", NOW + MINUTE)


def test_an_alarm_that_is_still_to_ring_is_not_forgotten_with_an_earlier_one(outbox):
    later = NOW + timedelta(microseconds=500)
    outbox.set_alarm("ops", later.astimezone(datetime.strptime("-0800", "%z").tzinfo))
    outbox.clear_alarm("ops", NOW)
    assert outbox.alarm("ops") == later


# ---------------------------------------------------------------- threads

STORY = story_of(OUTCOME)
THREAD = Thread(Posted("C0123ABCD", "1700000000.000100"), Message((OUTCOME,)))


def test_a_thread_is_found_by_any_of_its_stories_until_it_is_forgotten(outbox, clock):
    assert outbox.thread("team", [STORY]) is None
    outbox.keep_thread("team", [STORY, "another"], THREAD)
    assert outbox.thread("team", ["unknown", "another"]) == THREAD
    assert outbox.thread("ops", [STORY]) is None
    assert outbox.thread("team", []) is None
    # DynamoDB takes its time to remove what is over.
    clock.time = NOW + KEPT
    assert outbox.thread("team", [STORY]) is None


def test_a_thread_that_is_followed_up_is_kept_for_longer(outbox, clock):
    outbox.keep_thread("team", [STORY], THREAD)
    clock.time = NOW + KEPT - MINUTE
    followed = replace(THREAD, since=(replace(OUTCOME, id="outcome-2"),))
    outbox.keep_thread("team", [STORY], followed)
    clock.time = NOW + KEPT + MINUTE
    assert outbox.thread("team", [STORY]) == followed


def test_of_several_threads_the_first_storys_counts(outbox):
    other = replace(THREAD, posted=Posted("C0123ABCD", "2"))
    outbox.keep_thread("team", ["a"], other)
    outbox.keep_thread("team", ["b"], THREAD)
    assert outbox.thread("team", ["b", "a"]) == THREAD
    assert outbox.thread("team", ["a", "b"]) == other


def test_a_thread_that_is_too_long_forgets_what_was_told_first(outbox):
    since = tuple(replace(OUTCOME, id=f"{number}", reason="é" * 10_000) for number in range(60))
    outbox.keep_thread("team", [STORY], replace(THREAD, since=since))
    kept = outbox.thread("team", [STORY])
    assert kept.root == THREAD.root
    assert kept.since == since[-len(kept.since) :]
    assert 0 < len(msgspec.json.encode(kept)) <= LARGEST_THREAD


def test_a_thread_whose_first_message_is_too_large_is_not_kept_and_keeps_nobody_from_telling(outbox, caplog):
    large = replace(THREAD, root=Message((replace(OUTCOME, reason="x" * 500_000),)))
    outbox.keep_thread("team", [STORY], large)
    assert outbox.thread("team", [STORY]) is None
    assert "too large" in caplog.text


def test_a_thread_of_another_version_is_begun_anew(outbox, dynamodb, caplog):
    outbox.keep_thread("team", [STORY], THREAD)
    (item,) = items_of(dynamodb, "team")
    dynamodb.put_item(TableName=OUTBOX, Item=item | {"thread": {"S": '{"posted": 1}'}})
    assert outbox.thread("team", [STORY]) is None
    assert "not of this version" in caplog.text


def test_a_story_of_any_length_has_a_thread_of_its_own(outbox):
    long = STORY + "é" * 5000
    outbox.keep_thread("team", [long], THREAD)
    assert outbox.thread("team", [long]) == THREAD
    assert outbox.thread("team", [f"{long}!"]) is None


def test_what_is_remembered_of_a_channel_is_never_taken_for_what_waits(outbox):
    outbox.put("team", one())
    outbox.keep_thread("team", [STORY], THREAD)
    outbox.set_alarm("team", NOW)
    outbox.acquire("team", "me")
    assert ids(outbox.waiting("team", 10)) == ["outcome-1"]


# ---------------------------------------------------------------- who pushed

PUSH = Push(
    event_id="event-9",
    event_time=NOW,
    account=OUTCOME.account,
    region=OUTCOME.region,
    repository_name=OUTCOME.repository,
    image_digest=OUTCOME.image_digest,
    image_tag=OUTCOME.image_tag,
    pushed_by="ci/build-7",
    error_code=None,
)


def identities_on(client, clock):
    return DynamoIdentities(client, DELIVERIES, clock.now, pause=clock.pause)


@pytest.fixture
def identities(dynamodb, clock):
    return identities_on(dynamodb, clock)


def test_who_pushed_an_image_is_found_by_what_is_told_of_it(identities):
    assert identities.found([OUTCOME]) == {}
    assert identities.record(PUSH) == ()
    of_scan = replace(OUTCOME, id="scan", image_tag=None)
    others = [
        replace(OUTCOME, id="tag", image_tag="other"),
        replace(OUTCOME, id="digest", image_digest="sha256:" + "cd" * 32),
        replace(OUTCOME, id="repository", repository="team/other"),
        replace(OUTCOME, id="region", region="eu-west-2"),
        replace(OUTCOME, id="account", account="210987654321"),
        replace(OUTCOME, id="none", image_digest=None, image_tag=None),
    ]
    assert identities.found([OUTCOME, of_scan, *others]) == {OUTCOME.id: "ci/build-7", "scan": "ci/build-7"}
    assert identities.found([]) == {}


def test_an_untagged_push_is_of_its_image_alone(identities):
    identities.record(replace(PUSH, image_tag=None))
    untagged = replace(OUTCOME, id="untagged", image_tag=None)
    assert identities.found([OUTCOME, untagged]) == {"untagged": "ci/build-7"}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_tag_is_whose_who_gave_it_last_and_an_image_whose_who_pushed_it_first(identities, order):
    pushes = [
        replace(PUSH, pushed_by="alice"),
        replace(PUSH, pushed_by="bob", image_tag="prod", event_time=NOW + MINUTE),
        replace(PUSH, pushed_by="carol", event_time=NOW + 2 * MINUTE),
    ]
    for place in order:
        identities.record(pushes[place])
    prod, scan = replace(OUTCOME, id="prod", image_tag="prod"), replace(OUTCOME, id="scan", image_tag=None)
    assert identities.found([OUTCOME, prod, scan]) == {OUTCOME.id: "carol", "prod": "bob", "scan": "alice"}


@pytest.mark.parametrize("changes", [{"pushed_by": None}, {"error_code": "AccessDenied"}])
def test_a_push_that_says_nobody_or_failed_is_not_remembered(identities, changes):
    identities.want(OUTCOME, "team")
    assert identities.record(replace(PUSH, **changes)) == ()
    assert identities.found([OUTCOME]) == {}
    assert not identities.expects(PUSH.account, PUSH.region)


def test_the_channels_that_want_to_know_are_named_also_when_the_event_comes_twice(identities):
    identities.want(OUTCOME, "team")
    identities.want(OUTCOME, "ops")
    identities.want(OUTCOME, "ops")
    identities.want(replace(OUTCOME, image_tag=None), "pager")
    identities.want(replace(OUTCOME, image_digest=None), "never")
    assert set(identities.record(PUSH)) == {"team", "ops", "pager"}
    # After a crash before anybody was woken, the event comes again.
    assert set(identities.record(PUSH)) == {"team", "ops", "pager"}
    assert identities.found([OUTCOME]) == {OUTCOME.id: "ci/build-7"}


def test_whether_to_wait_is_known_by_what_came_lately(identities, dynamodb, clock):
    assert not identities.expects(PUSH.account, PUSH.region)
    identities_on(dynamodb, clock).record(PUSH)
    # Asked anew after five minutes, and not for each outcome of a burst.
    assert not identities.expects(PUSH.account, PUSH.region)
    clock.time += 5 * MINUTE
    assert identities.expects(PUSH.account, PUSH.region)
    assert not identities.expects(PUSH.account, "eu-west-2")
    clock.time = NOW + TRAIL_KEPT + MINUTE
    assert not identities.expects(PUSH.account, PUSH.region)


def test_a_burst_of_pushes_writes_once_an_hour_that_there_is_a_trail(dynamodb, clock):
    client = Watched(dynamodb)
    identities = identities_on(client, clock)
    for number in range(10):
        identities.record(replace(PUSH, image_tag=f"v{number}"))
    assert [name for name, _ in client.calls].count("put_item") == 1
    clock.time += timedelta(hours=1)
    identities.record(PUSH)
    assert [name for name, _ in client.calls].count("put_item") == 2


def test_who_pushed_is_forgotten_in_a_day(identities, dynamodb):
    identities.record(PUSH)
    identities.want(replace(OUTCOME, image_tag="other"), "team")
    ends = {
        int(item["expires_at"]["N"])
        for item in dynamodb.scan(TableName=DELIVERIES)["Items"]
        if item["outcome_id"]["S"].startswith("push ")
    }
    assert ends == {int((NOW + IDENTITY_KEPT).timestamp())}


class Leaving:
    """A DynamoDB that leaves all but some keys of each call for later."""

    def __init__(self, client, at_once):
        self._client = client
        self._at_once = at_once
        self.asked = []

    def batch_get_item(self, *, RequestItems):  # noqa: N803  # the API's own name
        ((table, asked),) = RequestItems.items()
        self.asked.append(len(asked["Keys"]))
        now, later = asked["Keys"][: self._at_once], asked["Keys"][self._at_once :]
        answer = self._client.batch_get_item(RequestItems={table: asked | {"Keys": now}})
        return answer | {"UnprocessedKeys": {table: {"Keys": later}} if later else {}}


def test_who_pushed_hundreds_is_asked_in_hundreds_and_again_for_what_was_left_out(dynamodb, clock):
    recorded = identities_on(dynamodb, clock)
    outcomes = [replace(OUTCOME, id=f"{number}", image_tag=f"v{number}") for number in range(130)]
    for outcome in outcomes:
        recorded.record(replace(PUSH, image_tag=outcome.image_tag, pushed_by=f"by {outcome.id}"))
    client = Leaving(dynamodb, 60)
    assert identities_on(client, clock).found([*outcomes, *outcomes]) == {
        outcome.id: f"by {outcome.id}" for outcome in outcomes
    }
    assert client.asked == [100, 40, 30]
    assert len(clock.pauses) == 1


def test_what_is_left_out_for_good_is_an_error_and_not_taken_for_nobody(dynamodb, clock):
    outcomes = [replace(OUTCOME, id=f"{number}", image_tag=f"v{number}") for number in range(100)]
    with pytest.raises(AwsError, match="for some of them only"):
        identities_on(Leaving(dynamodb, 1), clock).found(outcomes)


def test_a_tag_or_digest_of_any_length_keeps_none_of_the_others_from_being_found(identities):
    long = replace(OUTCOME, id="long", image_tag="é" * 5000)
    identities.record(replace(PUSH, image_tag=long.image_tag))
    identities.record(PUSH)
    assert identities.found([OUTCOME, long]).keys() == {OUTCOME.id, "long"}


# ---------------------------------------------------------------- queues


@pytest.fixture
def queue(dynamodb):  # noqa: ARG001  # moto is at work while it is there
    client = boto3.client("sqs", region_name="eu-west-1")
    url = client.create_queue(QueueName="queue")["QueueUrl"]
    return client, url


@pytest.mark.parametrize(("seconds", "delay"), [(-1, 0), (0, 0), (60, 60), (900, 900), (86_400, 900)])
def test_a_channel_is_woken_after_so_many_seconds_or_the_most_that_sqs_can(queue, seconds, delay):
    client, url = queue
    watched = Watched(client)
    QueueClock(watched, url).wake("team", seconds)
    ((_, sent),) = watched.calls
    assert sent["DelaySeconds"] == delay <= LONGEST_DELAY
    assert json.loads(sent["MessageBody"]) == {"wake": "team"}


# What SQS's reference lets a message and an attribute have.
LEGAL = re.compile("[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")


@pytest.mark.parametrize(
    "reason", ["The tag is denied.", "\0\x07\x1b[31m\ufffe\uffff", '<!channel> \u202e é 😀 \\ "quoted"\n']
)
def test_an_outcome_among_the_dead_letters_is_read_back_as_it_was(queue, reason):
    client, url = queue
    outcome = replace(OUTCOME, reason=reason)
    DeadLetterQueue(client, url).put(outcome, "team", "Slack answered 400 invalid_blocks")
    (letter,) = client.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert read_outcome_event(letter["Body"]) == outcome
    assert LEGAL.fullmatch(letter["Body"])
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert said == {"channel": "team", "why": "Slack answered 400 invalid_blocks"}
    event = json.loads(letter["Body"])
    assert (event["source"], event["detail-type"], event["id"]) == (SOURCE, outcome.kind.value, outcome.id)
    assert datetime.fromisoformat(event["time"]) == outcome.event_time.astimezone(UTC)


@pytest.mark.parametrize("why", ["", "\0", "x" * 300_000, "a\ufffeb\x00c"])
def test_what_a_channel_says_of_any_form_and_length_stands_with_the_dead_letter(queue, why):
    client, url = queue
    watched = Watched(client)
    DeadLetterQueue(watched, url).put(OUTCOME, "team", why)
    ((_, sent),) = watched.calls
    said = sent["MessageAttributes"]["why"]["StringValue"]
    assert LEGAL.fullmatch(said)
    assert len(said) <= 1000


def test_a_queue_that_is_not_there_is_an_error_in_our_words(queue):
    client, url = queue
    for call in (
        lambda: QueueClock(client, f"{url}-none").wake("team", 1),
        lambda: DeadLetterQueue(client, f"{url}-none").put(OUTCOME, "team", "why"),
    ):
        with pytest.raises(AwsError):
            call()
