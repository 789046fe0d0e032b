"""What SQS and Lambda's reader of a queue do that moto does not.

Simulated: the name that CloudFormation gives a FIFO queue; its deduplication by content for five minutes,
also of messages that are read by then; the batches of a queue's reader and what it may read of each
message; partial responses, after which what failed comes again in its place: at once, or when its function
wanted it to. A message that its sender or its queue delays is there when its time has come on the broker's
clock.
"""

import copy
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from moto.sqs import sqs_backends
from moto.sqs.models import Message, Queue

from ecr_warden_cli.local.clock import Clock
from ecr_warden_cli.local.stack import LocalStack, QueueReader

_DEDUPLICATED: Final = 300.0
_IN_FLIGHT: Final = 30


class Queues:
    """The queues of every stack, as those see them who send and who read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: dict[tuple[str, str], float] = {}

    def send(
        self,
        stack: LocalStack,
        queue_arn: str,
        body: str,
        *,
        group: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> bool:
        """Send a message; tell whether the queue took it, and did not drop it as a repetition."""
        backend, name = sqs_backends[stack.account][stack.region], queue_arn.rpartition(":")[2]
        if self._is_repetition(backend.get_queue(name), body):
            return False
        backend.send_message(
            queue_name=name,
            message_body=body,
            message_attributes={
                key: {"DataType": "String", "StringValue": value} for key, value in (attributes or {}).items()
            },
            group_id=group,
        )
        return True

    def _is_repetition(self, queue: Queue, body: str) -> bool:
        if queue.attributes.get("ContentBasedDeduplication") != "true":
            return False
        key, now = (queue.queue_arn, hashlib.sha256(body.encode()).hexdigest()), self._clock.seconds()
        # moto forgets a message that was deleted; SQS does not, within these five minutes.
        if now - self._sent.get(key, now - _DEDUPLICATED) < _DEDUPLICATED:
            return True
        self._sent[key] = now
        return False


def receive(stack: LocalStack, reader: QueueReader) -> list[Message]:
    """Take a batch from a reader's queue, of what is there by now."""
    backend, name = sqs_backends[stack.account][stack.region], _name(reader)
    messages: list[Message] = backend.receive_message(name, reader.batch_size, 0, _IN_FLIGHT, ["All"])
    return messages


def comes_next(stack: LocalStack, reader: QueueReader, now: float) -> float | None:
    """Give when the next message comes that is not there yet, in seconds since 1970, or ``None``."""
    times = [max(message.delayed_until, message.visible_at) / 1000 for message in _messages(stack, reader)]
    return min((time for time in times if time >= now), default=None)


def record_of(stack: LocalStack, reader: QueueReader, message: Message) -> dict[str, Any]:
    """Give a message as Lambda gives it to a function."""
    attributes = {
        "ApproximateReceiveCount": message.approximate_receive_count,
        "SentTimestamp": message.sent_timestamp,
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": message.approximate_first_receive_timestamp,
        "MessageGroupId": message.group_id,
        "MessageDeduplicationId": message.deduplication_id,
    }
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {key: str(value) for key, value in attributes.items() if value is not None},
        "messageAttributes": {
            name: {"stringValue": value.get("StringValue"), "dataType": value["DataType"]}
            for name, value in message.message_attributes.items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": stack.queue_arn(reader.queue_url),
        "awsRegion": stack.region,
    }


def settle(stack: LocalStack, reader: QueueReader, messages: list[Message], failed: set[str]) -> None:
    """Delete what was done of a batch; what failed is there again, where it was in the queue.

    It is there at once, unless the function changed its visibility, and then at that time.
    """
    backend, name = sqs_backends[stack.account][stack.region], _name(reader)
    for message in messages:
        if message.id not in failed:
            backend.delete_message(name, message.receipt_handle)
    pending = backend.get_queue(name).pending_messages
    # What was received are copies, of what was then.
    received = {message.id: message.visible_at for message in messages}
    for message in _messages(stack, reader):
        if message.id in failed and message.visible_at == received[message.id]:
            message.visible_at = 0.0
            pending.discard(message)


def _messages(stack: LocalStack, reader: QueueReader) -> list[Message]:
    # moto shows neither the delayed ones nor those that are in flight.
    queue = sqs_backends[stack.account][stack.region].get_queue(_name(reader))
    return list(queue._messages)  # noqa: SLF001  # see above


def _name(reader: QueueReader) -> str:
    return reader.queue_url.rpartition("/")[2]


@contextmanager
def named_by_cloudformation() -> Iterator[None]:
    """Let a stack's FIFO queue end in ``.fifo``, as CloudFormation names it and moto does not."""
    create = Queue.create_from_cloudformation_json

    def named(
        resource_name: str, cloudformation_json: dict[str, Any], *arguments: str, **others: object
    ) -> Queue:
        document = copy.deepcopy(cloudformation_json)
        is_fifo = str(document["Properties"].get("FifoQueue")).lower() == "true"
        if is_fifo and not resource_name.endswith(".fifo"):
            resource_name = f"{resource_name[:75]}.fifo"
        return create(resource_name, document, *arguments, **others)

    with patch.object(Queue, "create_from_cloudformation_json", staticmethod(named)):
        yield
