"""Writes to DynamoDB that happen together or not at all; where it is busy, they are tried again."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, translated
from ecr_warden.adapters.dynamodb_items import PAUSES
from ecr_warden.adapters.parts import in_parts
from ecr_warden.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ACTIONS_A_CALL: Final = 100
_CANCELLED: Final = "TransactionCanceledException"
_FINE: Final = "None"
_REFUSED: Final = "ConditionalCheckFailed"
# Another transaction has one of the items in hand, or the table is throttled: a moment later it will do.
_BUSY: Final = frozenset({"TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"})

# As TransactWriteItems takes it: {"Put": …}, {"Update": …}, {"Delete": …}.
Action = Mapping[str, Any]


def transact(
    client: "DynamoDBClient",
    steps: Sequence[Sequence[Action]],
    what: str,
    pause: Callable[[float], None],
) -> dict[int, Mapping[str, Any]]:
    """Do steps, the actions of each together; give the items that refused some, by the step's index.

    An action whose condition refuses it takes those of its step that stand after it with it, and leaves those
    before it and the other steps. ``what`` says what is being tried, as in "moving outcomes". Raises
    ``AwsError`` where DynamoDB did not do it: steps before may then be done, and all can be tried again.
    """
    refused: dict[int, Mapping[str, Any]] = {}
    longest = max(map(len, steps), default=1)
    for part in in_parts(list(enumerate(steps)), _ACTIONS_A_CALL // longest):
        refused |= _transact_part(client, {index: list(step) for index, step in part}, what, pause)
    return refused


def _transact_part(
    client: "DynamoDBClient", steps: dict[int, list[Action]], what: str, pause: Callable[[float], None]
) -> dict[int, Mapping[str, Any]]:
    """Do steps that fit into one call."""
    refused: dict[int, Mapping[str, Any]] = {}
    pauses = iter(PAUSES)
    while any(steps.values()):
        reasons = _attempt(client, [action for step in steps.values() for action in step], what)
        if reasons is None:
            break
        codes = {reason.get("Code", _FINE) for reason in reasons} - {_FINE, _REFUSED}
        if codes:
            seconds = next(pauses, None) if codes <= _BUSY else None
            if seconds is None:
                raise AwsError(f"{what}: DynamoDB cancelled it: {', '.join(sorted(codes))}")
            pause(seconds)
        refused |= _without_refused(steps, reasons)
    return refused


def _attempt(client: "DynamoDBClient", actions: list[Any], what: str) -> list[Mapping[str, Any]] | None:
    """Do actions; give, where none was done, the reason of each, in their order."""
    with translated(what):
        try:
            client.transact_write_items(TransactItems=actions)
        except ClientError as error:
            reasons: Any = error.response.get("CancellationReasons")
            if code_of(error) != _CANCELLED or not reasons:
                raise
            return list(reasons)
    return None


def _without_refused(
    steps: dict[int, list[Action]], reasons: Sequence[Mapping[str, Any]]
) -> dict[int, Mapping[str, Any]]:
    """Take what was refused out of steps; give the items that refused it."""
    refused: dict[int, Mapping[str, Any]] = {}
    start = 0
    for index, step in steps.items():
        own = reasons[start : start + len(step)]
        start += len(step)
        for position, reason in enumerate(own):
            if reason.get("Code") == _REFUSED:
                refused[index] = reason.get("Item", {})
                del step[position:]
                break
    return refused
