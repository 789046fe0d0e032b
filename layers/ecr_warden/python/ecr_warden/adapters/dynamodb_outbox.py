"""What waits to be told, and what was told, in DynamoDB: each change of both is one transaction.

DeliveryTable has, by outcome and channel, what became of it: it waits, was told, was moved to another
channel, or was given up. OutboxTable has what waits, by channel, sorted by when it is due. As the two are
only written together, a run that dies between any two calls leaves nothing half done.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.dynamodb_channels import KEPT, DynamoChannels, item_key
from ecr_warden.adapters.dynamodb_items import as_number, sortable
from ecr_warden.adapters.dynamodb_transactions import Action, transact
from ecr_warden.domain.waiting import Waiting
from ecr_warden.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)
_WAITING: Final = "waiting"
_TOLD: Final = "told"
_MOVED: Final = "moved"
_GIVEN_UP: Final = "given up"
# What the version before wrote of an outcome that it was about to tell. Whether it did is not known.
_SENDING: Final = "sending"
_STATUSES: Final = (_WAITING, _TOLD, _MOVED, _GIVEN_UP, _SENDING)
_NEW: Final = "attribute_not_exists(outcome_id)"
# What the keys of items begin with that wait: then come when they are due, and of what.
WAITING_ITEM: Final = f"{_WAITING} "
_KEYS_A_PAGE: Final = 1000


class DynamoOutbox(DynamoChannels):
    """What waits, with all else that is known of channels."""

    def __init__(
        self,
        client: "DynamoDBClient",
        delivery_table: str,
        outbox_table: str,
        now: Callable[[], datetime],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(client, outbox_table, now, pause=pause)
        self._deliveries = delivery_table
        # By channel, the keys under which outcomes wait, as they were read last; and when the first was due
        # that could not be read.
        self._known: dict[str, dict[str, str]] = {}
        self._unread: dict[str, datetime] = {}

    def put(self, channel: str, waiting: Waiting) -> datetime | None:
        """Let an outcome wait, and give until when; ``None`` if it was told there, or elsewhere in its place.

        One that waits already goes on as it did. One that was given up, there or where it was moved to, waits
        anew.
        """
        item = self._put(channel, waiting, _only_if(_GIVEN_UP, _SENDING))
        if item is None:
            return waiting.due
        status = _status(item)
        if status == _WAITING:
            return datetime.fromisoformat(item["due"]["S"])
        if status == _MOVED and self._is_given_up_elsewhere(channel, waiting.outcome.id, item):
            if self._put(channel, waiting, _only_if(_MOVED)) is not None:
                raise AwsError(
                    f"{_putting(waiting, channel)}: another delivery of it did so at the same time"
                )
            return waiting.due
        if status in (_TOLD, _MOVED):
            return None
        raise AwsError(f"{_putting(waiting, channel)}: its status {status!r} is of another version")

    def _put(self, channel: str, waiting: Waiting, condition: str) -> Mapping[str, Any] | None:
        """Let an outcome wait; give the record that stands against it."""
        step = self._wait(channel, waiting, condition)
        refused = transact(self._client, [step], _putting(waiting, channel), self._pause)
        return refused.get(0)

    def _wait(self, channel: str, waiting: Waiting, condition: str) -> list[Action]:
        due = sortable(waiting.due)
        record = _key(waiting.outcome.id, channel) | {"status": {"S": _WAITING}, "due": {"S": due}}
        item = item_key(channel, f"{WAITING_ITEM}{due} {waiting.outcome.id}")
        return [
            {
                "Put": {
                    "TableName": self._deliveries,
                    "Item": record,
                    "ConditionExpression": condition,
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    **_naming(condition),
                }
            },
            {
                "Put": {
                    "TableName": self._outbox,
                    "Item": item | {"waiting": {"S": msgspec.json.encode(waiting).decode()}},
                }
            },
        ]

    def _is_given_up_elsewhere(self, channel: str, outcome_id: str, item: Mapping[str, Any]) -> bool:
        """Tell whether an outcome that was moved neither waits nor was told in the end."""
        passed = {channel}
        while _status(item) == _MOVED:
            channel = item["moved_to"]["S"]
            if channel in passed:
                return True
            passed.add(channel)
            with translated(f"reading what became of the outcome {outcome_id} in {channel}"):
                answer = self._client.get_item(
                    TableName=self._deliveries, Key=_key(outcome_id, channel), ConsistentRead=True
                )
            item = answer.get("Item", {})
        return _status(item) not in (_WAITING, _TOLD)

    def waiting(self, channel: str, most: int) -> tuple[Waiting, ...]:
        """Give the outcomes that wait, the first that is due first. What was put before is there.

        One that cannot be read, as it is of another version, stays where it is, until that version or a newer
        one runs: it keeps none of the others, and each reading logs an error.
        """
        found: list[Waiting] = []
        known: dict[str, str] = {}
        self._unread.pop(channel, None)
        for item in self._query(channel, most):
            waiting = _read(item)
            if waiting is None:
                self._unread.setdefault(channel, due_of(item["item"]["S"]))
                continue
            found.append(waiting)
            known[waiting.outcome.id] = item["item"]["S"]
            if len(found) == most:
                break
        self._known[channel] = known
        return tuple(found)

    def unread(self, channel: str) -> datetime | None:
        """Give when the first was due of what ``waiting`` could not read the last time, if there was any."""
        return self._unread.get(channel)

    def _query(self, channel: str, most: int) -> Iterator[Mapping[str, Any]]:
        """Give the items of what waits, page by page, the first that is due first."""
        start: dict[str, Any] = {}
        while True:
            with translated(f"reading what waits for {channel}"):
                answer = self._client.query(
                    TableName=self._outbox,
                    ConsistentRead=True,
                    KeyConditionExpression="channel = :channel AND begins_with(#item, :beginning)",
                    ExpressionAttributeNames={"#item": "item"},
                    ExpressionAttributeValues={":channel": {"S": channel}, ":beginning": {"S": WAITING_ITEM}},
                    Limit=most,
                    **start,
                )
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def told(self, channel: str, outcome_ids: Sequence[str]) -> None:
        """Record that outcomes which waited are told."""
        self._settle(channel, outcome_ids, _TOLD, None)

    def given_up(self, channel: str, outcome_ids: Sequence[str]) -> None:
        """Record that outcomes which waited are not told there any more, unless they were."""
        self._settle(channel, outcome_ids, _GIVEN_UP, f"{_NEW} OR #status <> :{_TOLD}")

    def _settle(self, channel: str, outcome_ids: Sequence[str], status: str, condition: str | None) -> None:
        ids = tuple(dict.fromkeys(outcome_ids))
        keys = self._keys(channel, ids)
        steps = [
            [self._become(outcome_id, channel, status, condition), *self._gone(channel, keys.get(outcome_id))]
            for outcome_id in ids
        ]
        transact(self._client, steps, f"recording that outcomes are {status} in {channel}", self._pause)

    def move(self, channel: str, fallback: str, waiting: Sequence[Waiting]) -> None:
        """Let outcomes of one channel wait in another, unless they do, or were told there.

        One that does not wait in the first any more is passed over.
        """
        by_id = {one.outcome.id: one for one in waiting}
        keys = self._keys(channel, tuple(by_id))
        condition = f"{_NEW} OR NOT #status IN (:{_WAITING}, :{_TOLD})"
        steps = [
            [
                self._become(
                    outcome_id, channel, _MOVED, f"{_NEW} OR #status = :{_WAITING}", moved_to=fallback
                ),
                *self._gone(channel, keys.get(outcome_id)),
                *self._wait(fallback, one, condition),
            ]
            for outcome_id, one in by_id.items()
        ]
        transact(self._client, steps, f"moving outcomes from {channel} to {fallback}", self._pause)

    def _become(
        self, outcome_id: str, channel: str, status: str, condition: str | None, *, moved_to: str = ""
    ) -> Action:
        """Record what became of an outcome, for as long as it may be heard of again."""
        expression = "SET #status = :new, expires_at = :end"
        values: dict[str, Any] = {":new": {"S": status}, ":end": as_number(self._now() + KEPT)}
        if moved_to:
            expression += ", moved_to = :to"
            values[":to"] = {"S": moved_to}
        named = _naming(condition or "")
        return {
            "Update": {
                "TableName": self._deliveries,
                "Key": _key(outcome_id, channel),
                "UpdateExpression": expression,
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": values | named.get("ExpressionAttributeValues", {}),
                **({} if condition is None else {"ConditionExpression": condition}),
            }
        }

    def _gone(self, channel: str, item: str | None) -> list[Action]:
        """Take an outcome out of what waits."""
        return (
            [] if item is None else [{"Delete": {"TableName": self._outbox, "Key": item_key(channel, item)}}]
        )

    def _keys(self, channel: str, outcome_ids: Sequence[str]) -> Mapping[str, str]:
        """Give the keys under which outcomes wait: as they were read last, or read now."""
        known = self._known.get(channel, {})
        if all(outcome_id in known for outcome_id in outcome_ids):
            return known
        # The id stands after the second blank, and may have blanks itself.
        keys = (item["item"]["S"] for item in self._query(channel, _KEYS_A_PAGE))
        return {key.split(" ", 2)[2]: key for key in keys}


def due_of(item: str) -> datetime:
    """Give when what waits is due, by its item's key."""
    return datetime.fromisoformat(item.removeprefix(WAITING_ITEM).partition(" ")[0])


def _key(outcome_id: str, channel: str) -> dict[str, Any]:
    return {"outcome_id": {"S": outcome_id}, "channel": {"S": channel}}


def _status(item: Mapping[str, Any]) -> str | None:
    status: str | None = item.get("status", {}).get("S")
    return status


def _only_if(*statuses: str) -> str:
    """Give the condition that nothing is recorded of an outcome yet, or one of some statuses."""
    return f"{_NEW} OR #status IN ({', '.join(map(_value, statuses))})"


def _value(status: str) -> str:
    return f":{status.replace(' ', '_')}"


def _naming(condition: str) -> dict[str, Any]:
    """Give what a condition over statuses names: DynamoDB refuses a name that is not used."""
    values = {_value(status): {"S": status} for status in _STATUSES if _value(status) in condition}
    return (
        {"ExpressionAttributeNames": {"#status": "status"}, "ExpressionAttributeValues": values}
        if values
        else {}
    )


def _putting(waiting: Waiting, channel: str) -> str:
    return f"letting the outcome {waiting.outcome.id} wait for {channel}"


def _read(item: Mapping[str, Any]) -> Waiting | None:
    try:
        return msgspec.json.decode(item["waiting"]["S"], type=Waiting)
    except (KeyError, msgspec.DecodeError) as error:
        said = {"channel": item["channel"]["S"], "item": item["item"]["S"], "error": str(error)}
        logger.error("what waits cannot be read: it is of another version", extra=said)  # noqa: TRY400  # no trace: the item is to blame
        return None
