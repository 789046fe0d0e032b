"""The dead letters of a deployed stack's NotifyQueue, looked at and sent back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.parts import in_parts
from ecr_warden.errors import AwsError, EcrWardenError
from ecr_warden.wiring import utc_now
from ecr_warden_cli.account.channels import ChannelReport, channel_reports
from ecr_warden_cli.account.letters import Letter, read_letter
from ecr_warden_cli.account.stack import CLIENT_CONFIG, DeployedStack, find_stack, open_session

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

# What SQS takes in one call, and gives.
_A_CALL: Final = 10
_BYTES_A_CALL: Final = 262_144
# Seconds for which nobody else gets what is being looked at: reading all that may be held takes less.
_HIDDEN: Final = 900
# Seconds; with any wait SQS asks all its servers: an answer without messages means that there are none.
_WAIT: Final = 1
# Below the 120,000 messages that a queue may hide at a time.
MOST_HELD: Final = 50_000


class NoStackError(EcrWardenError):
    """Report that there is no stack whose dead letters are meant."""


@dataclass(frozen=True)
class Redriven:
    """How many letters were sent back, and how many should have been and stay."""

    sent: int
    failed: int


class DeadLetters:
    """The queue of dead letters. What is read of it is hidden from other readers until it is released.

    Of what it holds, it remembers ids and receipts alone.
    """

    def __init__(self, client: "SQSClient", url: str, *, most: int = MOST_HELD) -> None:
        self._client = client
        self._url = url
        self._most = most
        self._receipts: dict[str, str] = {}

    @property
    def is_full(self) -> bool:
        """Tell whether it holds as many as it may: there may be more in the queue."""
        return len(self._receipts) >= self._most

    @contextmanager
    def reading(self) -> Iterator[Iterator[list[Letter]]]:
        """Give the letters in pages, until there are no more or it is full; release what stays at the end."""
        try:
            yield self._pages()
        finally:
            self._release()

    def _pages(self) -> Iterator[list[Letter]]:
        while not self.is_full:
            with translated("reading the dead letters"):
                answer = self._client.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=_A_CALL,
                    MessageAttributeNames=["All"],
                    VisibilityTimeout=_HIDDEN,
                    WaitTimeSeconds=_WAIT,
                )
            messages = answer.get("Messages", [])
            if not messages:
                return
            # SQS may give a message twice, and then takes the last receipt.
            new = [read_letter(one) for one in messages if one["MessageId"] not in self._receipts]
            self._receipts |= {one["MessageId"]: one["ReceiptHandle"] for one in messages}
            yield new

    def delete(self, letters: Sequence[Letter]) -> None:
        """Delete letters that it holds; raises ``AwsError`` where any of them is not deleted."""
        what = "deleting dead letters that were sent back"
        for some in in_parts(letters, _A_CALL):
            with translated(what):
                answer: Any = self._client.delete_message_batch(
                    QueueUrl=self._url,
                    Entries=[{"Id": one.id, "ReceiptHandle": self._receipts[one.id]} for one in some],
                )
            for entry in answer.get("Successful", []):
                del self._receipts[entry["Id"]]
            _check_all(what, answer)

    def _release(self) -> None:
        """Let others read what it holds, or raise ``AwsError``."""
        held = list(self._receipts.items())
        self._receipts.clear()
        what = f"releasing the dead letters that stay, which are hidden for {_HIDDEN // 60} minutes now"
        for some in in_parts(held, _A_CALL):
            with translated(what):
                answer = self._client.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": message_id, "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                        for message_id, receipt in some
                    ],
                )
            _check_all(what, answer)


def _check_all(what: str, answer: Any) -> None:  # noqa: ANN401  # the answer of any call for a batch
    # SQS answers with status 200 even where it did nothing.
    for failed in answer.get("Failed", [])[:1]:
        raise AwsError(f"{what}: {failed['Code']}: {failed.get('Message', 'SQS does not say why')}")


class RedriveAccount:
    """A stack's queues, and what waits in its channels."""

    def __init__(
        self,
        sqs: "SQSClient",
        dynamodb: "DynamoDBClient",
        stack: DeployedStack,
        *,
        most: int = MOST_HELD,
    ) -> None:
        self._sqs = sqs
        self._dynamodb = dynamodb
        self._stack = stack
        self._most = most

    def channels(self) -> tuple[ChannelReport, ...]:
        """Tell how each channel does; a stack of a version without an outbox cannot say."""
        if not self._stack.outbox_table:
            return ()
        return channel_reports(self._dynamodb, self._stack.outbox_table, utc_now())

    def hidden(self) -> int:
        """Count the letters that somebody else holds, about."""
        with translated("counting the dead letters"):
            answer = self._sqs.get_queue_attributes(
                QueueUrl=self._stack.dead_letter_queue_url,
                AttributeNames=["ApproximateNumberOfMessagesNotVisible"],
            )
        return int(answer.get("Attributes", {}).get("ApproximateNumberOfMessagesNotVisible", 0))

    def letters(self) -> DeadLetters:
        """Give the dead letters, to be read once."""
        return DeadLetters(self._sqs, self._stack.dead_letter_queue_url, most=self._most)

    def send_back(self, wanted: set[str]) -> Redriven:
        """Send the letters of some ids back to be told, and only then delete them.

        Whoever was told already is not told again: the record of deliveries knows. ``wanted`` loses each id
        that is done, so that a letter which comes again meanwhile is not sent twice.

        Raises
        ------
        AwsError
            Where the queues did not answer, or a letter that was sent is not deleted.

        """
        count, sent = len(wanted), 0
        letters = self.letters()
        with letters.reading() as pages:
            for page in pages:
                done = self._send([one for one in page if one.id in wanted and one.can_be_sent])
                letters.delete(done)
                wanted -= {one.id for one in done}
                sent += len(done)
                if not wanted:
                    break
        return Redriven(sent, count - sent)

    def _send(self, letters: Sequence[Letter]) -> list[Letter]:
        """Send letters, and give those that the queue took."""
        taken: list[Letter] = []
        for some in _parts(letters):
            with translated("sending dead letters back"):
                answer = self._sqs.send_message_batch(
                    QueueUrl=self._stack.queue_url,
                    Entries=[{"Id": one.id, "MessageBody": one.body} for one in some],
                )
            ids = {entry["Id"] for entry in answer.get("Successful", [])}
            taken += [one for one in some if one.id in ids]
        return taken


def _parts(letters: Sequence[Letter]) -> Iterator[list[Letter]]:
    """Give letters in parts that SQS takes in one call: together they may not be too large."""
    part: list[Letter] = []
    size = 0
    for letter in letters:
        length = len(letter.body.encode())
        if part and size + length > _BYTES_A_CALL:
            yield part
            part, size = [], 0
        part.append(letter)
        size += length
    if part:
        yield part


def open_account(region: str | None, stack_name: str) -> RedriveAccount:
    """Open the stack in a Region, or else in the session's.

    Raises ``NoRegionError``, ``NoStackError`` and ``AwsError``.
    """
    session, region = open_session(region)
    stack = find_stack(session, stack_name, region)
    if stack is None or not stack.dead_letter_queue_url:
        raise NoStackError(
            f"no stack {stack_name} with dead letters in {region}: give --stack-name or --region"
        )
    with translated(f"opening SQS and DynamoDB in {region}"):
        sqs = session.client("sqs", region_name=region, config=CLIENT_CONFIG)
        dynamodb = session.client("dynamodb", region_name=region, config=CLIENT_CONFIG)
    return RedriveAccount(sqs, dynamodb, stack)
