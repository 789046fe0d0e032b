"""Time in the local AWS: nobody waits, and messages come when they should."""

import json
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from ecr_warden import wiring
from ecr_warden_cli.local.clock import Clock
from ecr_warden_cli.local.errors import LocalAwsError
from ecr_warden_cli.local.functions import LocalFunction
from ecr_warden_cli.local.stack import QueueReader

CODE = """
import json
from ecr_warden import wiring
from ecr_warden.adapters.aws import client

CAME = []


def handler(event, context):
    failed = []
    for record in event["Records"]:
        body = json.loads(record["body"])
        CAME.append((body["name"], wiring.utc_now(), record))
        wiring.pause(body.get("pause", 0))
        queue = {"QueueUrl": body["queue"]}
        for delay, sent in body.get("send", []):
            message = json.dumps({**sent, "queue": body["queue"]})
            client("sqs").send_message(**queue, MessageBody=message, DelaySeconds=delay)
        if "again" in body:
            message = json.dumps(body)
            client("sqs").send_message(**queue, MessageBody=message, DelaySeconds=body["again"])
        if int(record["attributes"]["ApproximateReceiveCount"]) <= body.get("fail", 0):
            failed.append({"itemIdentifier": record["messageId"]})
            if "hide" in body:
                handle = {"ReceiptHandle": record["receiptHandle"], "VisibilityTimeout": body["hide"]}
                client("sqs").change_message_visibility(**queue, **handle)
    return {"batchItemFailures": failed}
"""
SECOND, MINUTE, HOUR = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours"))


class Reader:
    """A queue of the stack, and a function that reads it and does what its messages say."""

    def __init__(self, world, folder):
        self._world, self._sqs = world, world.client("sqs")
        dead = self._sqs.create_queue(QueueName="dead")["QueueUrl"]
        redrive = {"deadLetterTargetArn": world.stack.queue_arn(dead), "maxReceiveCount": 3}
        settings = {"RedrivePolicy": json.dumps(redrive)}
        self.url = self._sqs.create_queue(QueueName="queue", Attributes=settings)["QueueUrl"]
        (folder / "app.py").write_text(CODE)
        world.stack.physical = {**world.stack.physical, "Dead": dead}
        world.stack.functions["Reader"] = LocalFunction("Reader", folder, {"AWS_DEFAULT_REGION": "us-east-1"})
        world.stack.readers.append(QueueReader(self.url, "Reader", 10, "Dead"))
        self.clock = world.aws.broker.clock

    def watch(self, *bodies, **message):
        """Send messages, let time pass until nothing is left, and give what came when, after the start."""

        def act():
            for body in bodies:
                text = json.dumps({**body, "queue": self.url})
                self._sqs.send_message(QueueUrl=self.url, MessageBody=text, **message)

        begun, known = self.clock.now(), len(self._came())
        self._world.watch(act)
        return [(name, at - begun) for name, at, _ in self._came()[known:]]

    def counts(self):
        return [record["attributes"]["ApproximateReceiveCount"] for _, _, record in self._came()]

    def records(self):
        return [record for _, _, record in self._came()]

    def _came(self):
        # The module is loaded when its first message comes.
        handler = self._world.stack.functions["Reader"]._handler  # noqa: SLF001  # see above
        return handler.__globals__["CAME"] if handler else []


@pytest.fixture
def reader(aws, tmp_path):
    return Reader(aws, tmp_path)


def test_a_delayed_message_comes_when_its_time_has_come_and_nobody_waits(reader):
    real = time.monotonic()
    ((name, after),) = reader.watch({"name": "late"}, DelaySeconds=900)
    assert name == "late"
    assert 900 * SECOND <= after < 905 * SECOND
    assert time.monotonic() - real < 30


def test_messages_come_in_the_order_of_their_times_and_what_can_be_read_comes_first(reader):
    came = reader.watch(
        {"name": "a", "send": [(600, {"name": "c"}), (60, {"name": "b", "send": [(30, {"name": "b2"})]})]}
    )
    assert [name for name, _ in came] == ["a", "b", "b2", "c"]
    assert [round(after / MINUTE) for _, after in came] == [0, 1, 2, 10]
    assert all(earlier <= later for (_, earlier), (_, later) in pairwise(came))


def test_what_was_sent_in_one_second_comes_in_one_batch(reader, aws):
    reader.watch(*({"name": str(number)} for number in range(5)), DelaySeconds=60)
    assert len([item for item in aws.aws.broker.trace.invocations if item.function == "Reader"]) == 1


def test_time_never_goes_back_from_one_event_to_the_next(reader):
    first = reader.clock.now()
    reader.watch({"name": "a"}, DelaySeconds=900)
    second = reader.clock.now()
    reader.watch({"name": "b"})
    assert second - first >= 900 * SECOND
    assert reader.clock.now() >= second


def test_what_failed_comes_again_at_once_and_is_counted(reader):
    came = reader.watch({"name": "a", "fail": 2})
    assert reader.counts() == ["1", "2", "3"]
    assert all(after < 5 * SECOND for _, after in came)


def test_what_failed_and_was_hidden_comes_again_when_it_is_visible(reader, aws):
    came = reader.watch({"name": "a", "fail": 2, "hide": 3600}, {"name": "b"})
    assert [name for name, _ in came] == ["a", "b", "a", "a"]
    assert [round(after / HOUR) for _, after in came] == [0, 0, 1, 2]
    assert reader.counts() == ["1", "1", "2", "3"]
    assert aws.stack.waiting("Dead") == 0


def test_what_is_hidden_each_time_goes_to_the_dead_letters_at_last(reader, aws):
    came = reader.watch({"name": "a", "fail": 99, "hide": 3600})
    assert len(came) == 3
    assert aws.stack.waiting("Dead") == 1
    assert "a message went to Dead" in aws.aws.broker.trace.undelivered[0]


def test_a_function_that_pauses_moves_the_clock_and_loses_no_message(reader):
    real = time.monotonic()
    came = reader.watch({"name": "a", "pause": 3600, "fail": 1}, {"name": "b"})
    assert [(name, round(after / HOUR)) for name, after in came] == [("a", 0), ("b", 1), ("a", 1)]
    assert time.monotonic() - real < 30


def test_a_function_that_wakes_itself_after_a_time_without_end_is_stopped(reader):
    with pytest.raises(LocalAwsError, match="nothing ends in 8 days"):
        reader.watch({"name": "a", "again": 900})


def test_a_function_that_pauses_longer_than_anything_lasts_is_stopped(reader):
    with pytest.raises(LocalAwsError, match="nothing ends in 8 days"):
        reader.watch({"name": "a", "pause": 9 * 86400})


def test_a_function_that_wakes_itself_at_once_without_end_is_stopped(reader, monkeypatch):
    monkeypatch.setattr("ecr_warden_cli.local.broker._MOST_ROUNDS", 20)
    with pytest.raises(LocalAwsError, match="without end"):
        reader.watch({"name": "a", "again": 0})


def test_a_message_that_waits_for_days_is_no_endless_one(reader):
    body = {"name": "end"}
    for _ in range(100):
        body = {"name": "on", "send": [(900, body)]}
    *_, (name, after) = reader.watch(body)
    assert name == "end"
    assert round(after / HOUR) == 25


def test_a_message_in_a_queue_that_nobody_reads_makes_no_time_pass(reader, aws):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="unread")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=900)
    before = reader.clock.ahead
    reader.watch({"name": "a"})
    assert reader.clock.ahead == before


def test_queues_read_by_others_go_by_the_same_clock(reader, aws):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="unread")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=600)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    reader.watch({"name": "a"}, DelaySeconds=900)
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "x"


def test_a_record_has_its_messages_attributes_and_times(reader):
    attributes = {"channel": {"DataType": "String", "StringValue": "ops"}}
    reader.watch({"name": "a"}, MessageAttributes=attributes, DelaySeconds=60)
    (record,) = reader.records()
    assert record["messageAttributes"] == {"channel": {"dataType": "String", "stringValue": "ops"}}
    sent, received = (
        int(record["attributes"][name]) / 1000
        for name in ("SentTimestamp", "ApproximateFirstReceiveTimestamp")
    )
    assert 60 <= received - sent < 65


def test_a_repetition_is_dropped_for_five_minutes_of_this_clock(aws):
    queues, queue = aws.aws.broker._queues, aws.stack.arn("RepositoryCreatedQueue")  # noqa: SLF001  # what drops

    def send():
        return queues.send(aws.stack, queue, "{}", group="registry")

    assert [send(), send()] == [True, False]
    aws.aws.broker.clock.pause(301)
    assert send()


def test_events_of_the_registry_have_this_clocks_time(aws):
    aws.aws.broker.clock.pause(7200)
    aws.watch(lambda: aws.push("v1.0.0"))
    at = datetime.fromisoformat(aws.aws.broker.trace.sent[0]["time"])
    assert timedelta(hours=1.9) < at - datetime.now(UTC) < timedelta(hours=2.1)


def test_a_clock_only_goes_on():
    clock = Clock()
    with pytest.raises(ValueError, match="non-negative"):
        clock.pause(-1)
    clock.jump_to(clock.seconds() - 100)
    assert clock.ahead == 0
    clock.jump_to(clock.seconds() + 100)
    assert clock.ahead == pytest.approx(100, abs=1)


def test_functions_have_the_clock_only_while_they_run():
    clock = Clock()
    clock.pause(86400)
    before = wiring.utc_now, wiring.pause, wiring.ImageScanPorts.now, wiring.ImageScanPorts.pause
    with clock.in_functions():
        for now in (wiring.utc_now, wiring.ImageActionPorts.now, wiring.RepositoryCreatedPorts.now):
            assert now() - datetime.now(UTC) > timedelta(hours=23)
        wiring.pause(3600)
    after = wiring.utc_now, wiring.pause, wiring.ImageScanPorts.now, wiring.ImageScanPorts.pause
    assert before == after
    assert clock.ahead == 90000
