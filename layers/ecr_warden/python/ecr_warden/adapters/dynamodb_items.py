"""What DynamoDB's adapters have in common: refused conditions, many keys at once, times, keys of any text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, translated
from ecr_warden.adapters.parts import in_parts
from ecr_warden.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Seconds before each further call for what DynamoDB has left out, or was too busy for.
PAUSES: Final = (0.1, 0.2, 0.4, 0.8)
_REFUSED: Final = "ConditionalCheckFailedException"
_KEYS_A_CALL: Final = 100
# DynamoDB takes 1,024 bytes of a range key: the rest is for what stands before a text, and for its hash.
_LONGEST_TEXT: Final = 800


def is_refused(error: ClientError) -> bool:
    """Tell whether an item was not written for its condition, and for nothing else."""
    return code_of(error) == _REFUSED


def read_items(
    client: "DynamoDBClient",
    table_name: str,
    keys: Sequence[Mapping[str, Any]],
    what: str,
    pause: Callable[[float], None],
) -> Iterator[Mapping[str, Any]]:
    """Give the items of keys, each of which is named once, in no order, without those that are not there.

    ``what`` says what is being tried, as in "reading changes". Raises ``AwsError`` also where DynamoDB goes
    on leaving out some.
    """
    for some in in_parts(keys, _KEYS_A_CALL):
        yield from _read_part(client, table_name, some, what, pause)


def _read_part(
    client: "DynamoDBClient",
    table_name: str,
    keys: Sequence[Mapping[str, Any]],
    what: str,
    pause: Callable[[float], None],
) -> Iterator[Mapping[str, Any]]:
    for seconds in (*PAUSES, None):
        with translated(what):
            answer = client.batch_get_item(RequestItems={table_name: {"Keys": keys, "ConsistentRead": True}})
        yield from answer["Responses"].get(table_name, [])
        # What is more than an answer may have, or came while the table was throttled, is left out.
        left = answer.get("UnprocessedKeys", {}).get(table_name)
        if not left:
            return
        keys = left["Keys"]
        if seconds is not None:
            pause(seconds)
    raise AwsError(f"{what}: DynamoDB answered for some of them only")


def as_number(time: datetime) -> dict[str, str]:
    """Give a time as the attribute by which DynamoDB forgets an item: in whole seconds."""
    return {"N": str(int(time.timestamp()))}


def is_over(item: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether an item's time is over: DynamoDB may take two days to remove it."""
    return "expires_at" in item and int(item["expires_at"]["N"]) <= now.timestamp()


def sortable(time: datetime) -> str:
    """Give a time as a text that sorts as times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def fitting(text: str) -> str:
    """Give a text that fits into a key: itself, or its beginning with a hash of all of it."""
    encoded = text.encode()
    if len(encoded) <= _LONGEST_TEXT:
        return text
    return f"{encoded[:_LONGEST_TEXT].decode(errors='ignore')} {sha256(encoded).hexdigest()}"
