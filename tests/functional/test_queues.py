"""A FIFO queue with a delay between a rule and a function, in the local AWS."""

import json

import boto3
import pytest

from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION
from ecr_warden_cli.local.functions import LocalFunction
from ecr_warden_cli.local.stack import QueueReader

CODE = """
import json

STATE = {"batches": [], "failing": {}}


def handler(event, context):
    bodies = [json.loads(record["body"]) for record in event["Records"]]
    counts = [record["attributes"]["ApproximateReceiveCount"] for record in event["Records"]]
    STATE["batches"].append([(body["id"], count) for body, count in zip(bodies, counts)])
    failed, decisions = [], []
    for record, body in zip(event["Records"], bodies):
        if STATE["failing"].get(body["id"], 0) > 0 or failed:
            STATE["failing"][body["id"]] = STATE["failing"].get(body["id"], 0) - 1
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            decisions.append({"decision": "configured", "reason": body["id"]})
    answer = {"batchItemFailures": failed, "decisions": decisions}
    if failed:
        answer["failures"] = [{"type": "RefusedError", "message": "not yet"}]
    return answer
"""
PATTERN = {"source": ["test"]}


@pytest.fixture
def reader(aws, tmp_path):
    """Put a rule, a FIFO queue that delays, and a function that reads it into the stack."""
    sqs, events, stack = aws.client("sqs"), aws.client("events"), aws.stack
    dead = sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})
    urls = {"Dead": dead["QueueUrl"]}
    redrive = {"deadLetterTargetArn": stack.queue_arn(urls["Dead"]), "maxReceiveCount": 3}
    settings = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "DelaySeconds": "60"}
    urls["Queue"] = sqs.create_queue(
        QueueName="queue.fifo", Attributes=settings | {"RedrivePolicy": json.dumps(redrive)}
    )["QueueUrl"]
    events.put_rule(Name="rule", EventPattern=json.dumps(PATTERN), State="ENABLED")
    arn = stack.queue_arn(urls["Queue"])
    target = {"Id": "queue", "Arn": arn, "SqsParameters": {"MessageGroupId": "registry"}}
    events.put_targets(Rule="rule", Targets=[target])
    (tmp_path / "app.py").write_text(CODE)
    stack.physical = {**stack.physical, **urls}
    stack.functions["Reader"] = LocalFunction("Reader", tmp_path, {})
    stack.readers.append(QueueReader(urls["Queue"], "Reader", 2, "Dead"))
    # The function's module is loaded at its first event.
    aws.state = lambda: stack.functions["Reader"]._handler.__globals__["STATE"]  # noqa: SLF001
    return aws


def event(name):
    return {
        "id": name,
        "source": "test",
        "account": DEFAULT_ACCOUNT,
        "region": DEFAULT_REGION,
        "detail-type": "Test",
        "detail": {},
    }


def send(aws, *names):
    def act():
        for name in names:
            aws.aws.broker.put(event(name))

    return aws.watch(act)


def test_delayed_messages_come_at_once_in_their_order_in_batches(reader):
    caused = send(reader, "a", "b", "c")
    assert reader.state()["batches"] == [[("a", "1"), ("b", "1")], [("c", "1")]]
    assert caused.functions == ["Reader"]
    assert [decision["reason"] for decision in caused.decisions] == ["a", "b", "c"]
    assert caused.error is None


def test_a_repetition_is_dropped_and_noted_even_after_the_first_was_read(reader):
    send(reader, "a", "a")
    assert reader.aws.broker.trace.repeated == ["a"]
    caused = send(reader, "a")
    assert reader.aws.broker.trace.repeated == ["a"]
    assert caused.functions == []
    assert [decision["decision"] for decision in caused.decisions] == ["Repeated"]
    assert reader.state()["batches"] == [[("a", "1")]]


def test_what_failed_stays_first_and_comes_again_counted(reader):
    send(reader, "start")
    reader.state()["failing"]["a"] = 1
    caused = send(reader, "a", "b", "c")
    assert reader.state()["batches"][1:] == [[("a", "1"), ("b", "1")], [("a", "2"), ("b", "2")], [("c", "1")]]
    # A later try went well.
    assert caused.error is None
    assert [decision["reason"] for decision in caused.decisions] == ["a", "b", "c"]


def test_what_goes_on_failing_is_set_aside_and_said(reader):
    send(reader, "start")
    reader.state()["failing"]["a"] = 99
    caused = send(reader, "a")
    assert caused.error == {"type": "RefusedError", "message": "not yet"}
    assert reader.stack.waiting("Dead") == 1
    assert [count for batch in reader.state()["batches"][1:] for _, count in batch] == ["1", "2", "3"]
    assert "a message went to Dead" in reader.aws.broker.trace.undelivered[0]
    assert send(reader, "b").error is None


def test_a_queues_record_has_what_lambda_gives(reader):
    send(reader, "a")
    (invocation,) = [item for item in reader.aws.broker.trace.invocations if item.function == "Reader"]
    (record,) = invocation.event["Records"]
    assert record["attributes"]["MessageGroupId"] == "registry"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].endswith(":queue.fifo")


def test_a_seeded_repository_is_in_no_event(aws, sample):
    aws.aws.broker.trace.events.clear()
    aws.aws.seed(sample("eventbridge_cloudtrail_CreateRepository"))
    assert aws.aws.broker.trace.events == []
    ecr = boto3.client("ecr", region_name="us-east-2")
    assert ecr.describe_repositories(repositoryNames=["testrepo"])["repositories"]
