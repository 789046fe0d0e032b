"""Telling people, against a Slack on loopback and the local AWS."""

import json
import time

import boto3
import pytest
from fakes import OUTCOME
from http_double import closed_port

from ecr_warden.adapters import aws as clients
from ecr_warden.adapters.outcome_bus import EventBridgePublisher, outcome_as_json, read_outcome_event
from ecr_warden.adapters.source_queue import SourceQueue, batch_response, read_batch
from ecr_warden.errors import AwsError, MalformedEventError
from ecr_warden_cli.local.loopback import Answer


def test_a_slack_that_is_down_for_a_while_gets_each_message_once_and_sns_too(aws):
    aws.aws.people.answers = [Answer(503), Answer(500), Answer(429, {"Retry-After": "2"})]
    caused = aws.watch(lambda: aws.push("latest"))
    assert sorted(message.channel for message in caused.messages) == ["ops", "team"]
    assert caused.error is None


def test_a_message_that_slack_refuses_waits_in_the_dead_letters_and_the_cause_is_said(aws):
    aws.aws.people.answers = [Answer(400, body="invalid_blocks")]
    caused = aws.watch(lambda: aws.push("latest"))
    assert [message.channel for message in caused.messages] == ["ops"]
    assert aws.stack.waiting("NotifyDeadLetterQueue") == 1
    assert caused.error["type"] == "UndeliveredError"
    assert "Slack answered 400 invalid_blocks" in caused.error["message"]


def test_a_dead_letter_that_is_put_back_is_told_where_it_was_not(aws):
    aws.aws.people.answers = [Answer(400, body="invalid_blocks")]
    aws.watch(lambda: aws.push("latest"))
    sqs, stack = aws.client("sqs"), aws.stack
    (letter,) = sqs.receive_message(QueueUrl=stack.physical["NotifyDeadLetterQueue"])["Messages"]
    queue = stack.physical["NotifyQueue"]
    caused = aws.watch(lambda: sqs.send_message(QueueUrl=queue, MessageBody=letter["Body"]))
    assert [message.channel for message in caused.messages] == ["team"]


def test_a_message_that_is_no_outcome_waits_in_the_dead_letters(aws):
    queue = aws.stack.physical["NotifyQueue"]
    aws.watch(lambda: aws.client("sqs").send_message(QueueUrl=queue, MessageBody='{"detail": {"id": 7}}'))
    assert aws.stack.waiting("NotifyDeadLetterQueue") == 1
    assert aws.stack.waiting("NotifyQueue") == 0


def test_an_outcome_goes_over_the_bus_and_comes_back_whole(aws):
    EventBridgePublisher(aws.client("events"), "ecr-warden-outcomes").publish(OUTCOME)
    (event,) = [event for event in aws.aws.broker.trace.events if event["source"] == "ecr-warden"]
    assert event["detail-type"] == "tag_violation"
    assert event["detail"] == outcome_as_json(OUTCOME)
    assert read_outcome_event(json.dumps(event)) == OUTCOME


def test_an_entry_that_the_bus_did_not_take_is_an_error():
    class Refusing:
        def put_events(self, **_):
            return {
                "FailedEntryCount": 1,
                "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "slow"}],
            }

    with pytest.raises(AwsError, match="ThrottlingException: slow"):
        EventBridgePublisher(Refusing(), "bus").publish(OUTCOME)


@pytest.mark.parametrize(
    ("body", "field"),
    [("", "$"), ("[]", "$"), ('{"detail": {}}', "$.detail"), ('{"detail": {"id": 7}}', "$.detail.id")],
)
def test_what_is_no_outcome_is_malformed_and_its_field_named(body, field):
    with pytest.raises(MalformedEventError) as raised:
        read_outcome_event(body)
    assert raised.value.field == field


@pytest.mark.parametrize(
    "event", [None, {}, {"Records": None}, {"Records": [{"body": "x"}]}, {"Records": [7]}]
)
def test_what_is_no_batch_is_malformed(event):
    with pytest.raises(MalformedEventError):
        read_batch(event)


def test_a_message_is_put_back_for_as_long_as_a_channel_asks(aws):
    client, queue = aws.client("sqs"), aws.stack.physical["NotifyQueue"]
    client.send_message(QueueUrl=queue, MessageBody="x")
    (message,) = client.receive_message(QueueUrl=queue)["Messages"]
    record = read_batch(
        {
            "Records": [
                {"messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": "x"}
            ]
        }
    )[0]
    SourceQueue(client, queue).retry_in(record, 1)
    assert "Messages" not in client.receive_message(QueueUrl=queue)
    time.sleep(1.1)
    assert "Messages" in client.receive_message(QueueUrl=queue)
    assert batch_response(["a"]) == {"batchItemFailures": [{"itemIdentifier": "a"}]}


@pytest.mark.usefixtures("aws")
def test_the_errors_of_the_sdk_come_as_our_own():
    with pytest.raises(AwsError, match=r"asking: .*NonExistentQueue"), clients.translated("asking"):
        boto3.client("sqs", region_name="us-east-1").get_queue_url(QueueName="none")
    unreachable = boto3.client(
        "sqs", endpoint_url=f"http://127.0.0.1:{closed_port()}", region_name="us-east-1"
    )
    with pytest.raises(AwsError, match="asking"), clients.translated("asking"):
        unreachable.list_queues()
