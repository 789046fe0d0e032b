"""The queue that a function reads: Lambda's batches of records, and how long a message waits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ecr_warden.adapters.aws import translated
from ecr_warden.errors import MalformedEventError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# An hour, whatever a channel asks for: the queue must reach its dead letters within its retention.
LONGEST_WAIT: Final = 3600
# What SQS can hold a message back for at most.
LONGEST_DELAY: Final = 900


@dataclass(frozen=True)
class QueueRecord:
    """One message of a batch."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int = 1


def read_batch(event: object) -> tuple[QueueRecord, ...]:
    """Read the records of a batch that Lambda took from a queue, or raise ``MalformedEventError``.

    An event of EventBridge by itself is taken for a batch of one: people give it to ``sam local invoke``.
    """
    if isinstance(event, Mapping) and "detail-type" in event:
        return (QueueRecord(str(event.get("id")), "", json.dumps(event)),)
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list):
        raise MalformedEventError("Records", "expected the batch of an SQS event source")
    return tuple(_record(record) for record in records)


def read_message(body: str) -> Mapping[str, Any]:
    """Read a message's JSON object, or raise ``MalformedEventError``."""
    try:
        message = json.loads(body)
    except ValueError as error:
        raise MalformedEventError("$", f"it is no JSON: {error}") from error
    if not isinstance(message, dict):
        raise MalformedEventError("$", f"expected an event, got {type(message).__name__}")
    return message


def _record(record: Mapping[str, Any]) -> QueueRecord:
    try:
        count = record.get("attributes", {}).get("ApproximateReceiveCount", "1")
        return QueueRecord(record["messageId"], record["receiptHandle"], record["body"], int(count))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedEventError("Records", f"a record lacks {error}") from error


def batch_response(failed: list[str]) -> dict[str, list[dict[str, str]]]:
    """Tell Lambda which messages stay in the queue."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


class SourceQueue:
    """The queue that the batches come from."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def retry_in(self, record: QueueRecord, seconds: int) -> None:
        """Let a message come back after so many seconds."""
        with translated(f"delaying the message {record.message_id}"):
            self._client.change_message_visibility(
                QueueUrl=self._queue_url,
                ReceiptHandle=record.receipt_handle,
                VisibilityTimeout=min(seconds, LONGEST_WAIT),
            )


class QueueClock:
    """The queue as a clock: it wakes a channel by a message that it holds back."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def wake(self, channel: str, seconds: int) -> None:
        """Let a message come after so many seconds, or the most that the queue can; raises ``AwsError``."""
        with translated(f"setting an alarm for {channel}"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=json.dumps({"wake": channel}),
                DelaySeconds=max(0, min(seconds, LONGEST_DELAY)),
            )
