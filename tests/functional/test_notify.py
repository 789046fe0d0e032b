"""Telling people, against a Slack on loopback and the local AWS."""

import heapq
import json
import logging
import socket
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
from fakes import OUTCOME, FakeDeliveries, FakeMetrics

from ecr_warden.adapters import aws as clients
from ecr_warden.adapters.dynamodb import CLAIM_HELD, DynamoDeliveries
from ecr_warden.adapters.outcome_bus import EventBridgePublisher, outcome_as_json, read_outcome_event
from ecr_warden.adapters.secrets import SecretsManager
from ecr_warden.adapters.slack import SlackWebhook
from ecr_warden.adapters.sns import SnsTopic
from ecr_warden.adapters.source_queue import QueueRecord, SourceQueue, batch_response, read_batch
from ecr_warden.adapters.telling import Teller
from ecr_warden.domain.policy import Channel, Policy, Route
from ecr_warden.errors import AwsError, ChannelError, MalformedEventError
from ecr_warden.ports import Claim
from ecr_warden.use_cases.tell import TellPorts

SECRET = "ecr-warden/slack/team"


def test_a_slack_that_is_down_for_a_while_gets_each_message_once_and_sns_too(aws):
    aws.aws.slack.answers = [(503, {}), (500, {}), (429, {"Retry-After": "2"})]
    caused = aws.watch(lambda: aws.push("latest"))
    assert sorted(message.channel for message in caused.messages) == ["ops", "team"]
    assert caused.error is None


def test_a_message_that_slack_never_takes_waits_in_the_dead_letters_and_the_cause_is_said(aws):
    aws.aws.slack.answers = [(404, {})] * 100
    caused = aws.watch(lambda: aws.push("latest"))
    assert [message.channel for message in caused.messages] == ["ops"]
    assert aws.stack.waiting("NotifyDeadLetterQueue") == 1
    assert caused.error["type"] == "UndeliveredError"
    assert "Slack answered 404" in caused.error["message"]
    assert len(aws.aws.slack.answers) == 70


def test_a_message_that_is_no_outcome_waits_in_the_dead_letters(aws):
    queue = aws.stack.physical["NotifyQueue"]
    aws.watch(lambda: aws.client("sqs").send_message(QueueUrl=queue, MessageBody='{"detail": {"id": 7}}'))
    assert aws.stack.waiting("NotifyDeadLetterQueue") == 1
    assert aws.stack.waiting("NotifyQueue") == 0


@pytest.fixture
def secrets(aws):
    return SecretsManager(aws.client("secretsmanager"))


def refused(channel):
    with pytest.raises(ChannelError) as raised:
        channel.send(OUTCOME)
    return raised.value


@pytest.mark.parametrize(
    ("answer", "retry_after"),
    [
        ((429, {"Retry-After": "17"}), 17),
        ((429, {"retry-after": "17"}), 17),
        ((429, {"Retry-After": "soon"}), 30),
        ((429, {}), 30),
        ((500, {}), None),
        ((404, {}), None),
    ],
)
def test_what_slack_answers_says_when_to_try_again_and_never_holds_the_url(aws, secrets, answer, retry_after):
    aws.aws.slack.answers = [answer]
    error = refused(SlackWebhook(SECRET, secrets))
    assert error.retry_after == retry_after
    assert error.surely_failed
    assert "http" not in str(error)
    assert str(answer[0]) in str(error)


def test_a_webhook_that_was_rotated_is_read_again(aws, secrets):
    channel = SlackWebhook(SECRET, secrets)
    channel.send(OUTCOME)
    manager = aws.client("secretsmanager")
    manager.put_secret_value(SecretId=SECRET, SecretString=json.dumps({"url": aws.aws.slack.url("rotated")}))
    channel.send(OUTCOME)
    aws.aws.slack.answers = [(404, {})]
    refused(channel)
    channel.send(OUTCOME)
    assert [message.channel for message in aws.aws.slack.take()] == ["team", "team", "rotated"]


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "hooks.slack.com/x",
        "http://example.com/x",
        "https://hooks.slack.com/a b",
        "https://hooks.slack.com/\u00e9",
        "https://[x/",
        "{",
        '{"url": 7}',
        "{}",
    ],
)
def test_a_secret_that_is_no_url_is_refused_without_showing_it(aws, secrets, secret):
    aws.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=secret or " ")
    error = refused(SlackWebhook(SECRET, secrets))
    assert "holds no https URL" in str(error)
    assert "example.com" not in str(error)
    assert "hooks.slack.com" not in str(error)


def test_a_secret_that_is_missing_is_named(secrets):
    assert "ecr-warden/none" in str(refused(SlackWebhook("ecr-warden/none", secrets)))


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_connection_that_was_never_made_surely_told_nobody(aws, secrets):
    url = f"http://127.0.0.1:{closed_port()}/x"
    aws.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=url)
    assert refused(SlackWebhook(SECRET, secrets)).surely_failed


class HangingUp(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_):
        pass


def test_a_connection_that_broke_after_the_request_may_have_told(aws, secrets):
    with HTTPServer(("127.0.0.1", 0), HangingUp) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/x"
        aws.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=url)
        assert refused(SlackWebhook(SECRET, secrets)).surely_failed is False
        thread.join()


def test_a_topic_that_is_gone_is_a_channels_error(aws):
    topic = SnsTopic(aws.client("sns"), "arn:aws:sns:us-east-1:123456789012:none", "ops")
    assert "SNS" in str(refused(topic))


def test_a_delivery_is_claimed_by_one_and_taken_over_when_its_reader_died(aws):
    table = aws.stack.physical["DeliveryTable"]
    now = [OUTCOME.event_time]
    deliveries = DynamoDeliveries(aws.client("dynamodb"), table, lambda: now[0])
    assert deliveries.claim("o", "ops") is Claim.MINE
    assert deliveries.claim("o", "ops") is Claim.HELD
    assert deliveries.claim("o", "team") is Claim.MINE
    now[0] += CLAIM_HELD * 1.01
    assert deliveries.claim("o", "ops") is Claim.MINE
    deliveries.release("o", "ops")
    assert deliveries.claim("o", "ops") is Claim.MINE
    deliveries.told("o", "ops")
    now[0] += CLAIM_HELD * 2
    assert deliveries.claim("o", "ops") is Claim.TOLD


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


def test_the_sdk_never_logs_a_secret_at_debug(aws, secrets, caplog):
    aws.client("secretsmanager").put_secret_value(
        SecretId=SECRET, SecretString="https://127.0.0.1/SECRETSECRET"
    )
    with caplog.at_level(logging.DEBUG):
        refused(SlackWebhook(SECRET, secrets))
    assert "SECRETSECRET" not in caplog.text


def burst(number):
    """Tell a burst through a channel that takes one message a second; give those that used up their tries."""
    clock, taken_until, receives, tries = 0, 0, [], {}

    class Slow:
        def send(self, outcome):
            nonlocal taken_until
            if clock < taken_until:
                raise ChannelError("429", retry_after=1)
            taken_until = clock + 1
            told.append(outcome.id)

    class Queue:
        def retry_in(self, record, seconds):
            heapq.heappush(receives, (clock + seconds, record.message_id))

    told, lost, slow = [], [], Slow()
    ports = TellPorts(lambda _: slow, FakeDeliveries(), FakeMetrics(), lambda: OUTCOME.event_time)
    policy = Policy("p", channels=(Channel("ops", 1, "sns"),), routes=(Route(1, ("ops",)),))
    teller = Teller(policy, ports, Queue())
    receives.extend((0, str(one)) for one in range(number))
    while receives:
        clock = max(clock, receives[0][0])
        batch = []
        while receives and receives[0][0] <= clock and len(batch) < 10:
            message_id = heapq.heappop(receives)[1]
            tries[message_id] = tries.get(message_id, 0) + 1
            if tries[message_id] > 30:
                lost.append(message_id)
                continue
            body = json.dumps({"detail": outcome_as_json(replace(OUTCOME, id=message_id))})
            batch.append(QueueRecord(message_id, "", body, tries[message_id]))
        teller.tell_batch(batch)
    return told, lost


@pytest.mark.parametrize("number", [30, 300])
def test_a_burst_reaches_a_channel_that_takes_one_message_a_second_without_dead_letters(number):
    told, lost = burst(number)
    assert lost == []
    assert sorted(told) == sorted(str(one) for one in range(number))
