"""How channels do, who may tell in them, when they are woken, and their threads, in DynamoDB."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.dynamodb_items import as_number, fitting, is_over, is_refused, read_items, sortable
from ecr_warden.domain.channel_state import MOST, ChannelState
from ecr_warden.domain.messages import Thread
from ecr_warden.domain.texts import cut

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)
# Longer than NotifyFunction may run, so that a lease that is still held was left by a run that died.
LEASE: Final = timedelta(minutes=2)
# Longer than anything is heard of again: 14 days as a dead letter, and its outcome as long again.
KEPT: Final = timedelta(days=45)
# DynamoDB takes items of 400 KB; the rest of an item is its keys and its end.
LARGEST_THREAD: Final = 390_000
_LONGEST_ERROR: Final = 1000
# The item of how a channel does.
STATE: Final = "state"
_ALARM: Final = "alarm"


class DynamoChannels:
    """Beside what waits, a channel has its state with the lease, its alarm, and an item for each story."""

    def __init__(
        self,
        client: "DynamoDBClient",
        outbox_table: str,
        now: Callable[[], datetime],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._outbox = outbox_table
        self._now = now
        self._pause = pause

    def acquire(self, channel: str, holder: str) -> ChannelState | None:
        """Take the right to tell in a channel for two minutes; ``None`` while another has it."""
        now = self._now()
        with translated(f"taking the right to tell in {channel}"):
            try:
                answer = self._client.update_item(
                    TableName=self._outbox,
                    Key=item_key(channel, STATE),
                    UpdateExpression="SET holder = :holder, held_until = :until, expires_at = :end",
                    ConditionExpression=(
                        "attribute_not_exists(holder) OR holder = :holder OR held_until < :now"
                    ),
                    ExpressionAttributeValues={
                        ":holder": {"S": holder},
                        ":until": {"N": str((now + LEASE).timestamp())},
                        ":now": {"N": str(now.timestamp())},
                        ":end": as_number(now + KEPT),
                    },
                    ReturnValues="ALL_NEW",
                )
            except ClientError as error:
                if not is_refused(error):
                    raise
                return None
        return read_state(answer["Attributes"])

    def release(self, channel: str, holder: str, state: ChannelState) -> None:
        """Give the right back, and record how the channel does; nothing where another has it by now."""
        next_try = state.next_try
        with translated(f"giving back the right to tell in {channel}"):
            try:
                self._client.update_item(
                    TableName=self._outbox,
                    Key=item_key(channel, STATE),
                    UpdateExpression=(
                        "SET failures = :failures, last_error = :error, expires_at = :end, next_try = :next, "
                        "refusals = :refusals, most = :most, suspect = :suspect, "
                        "suspect_failures = :suspect_failures REMOVE holder, held_until"
                    ),
                    ConditionExpression="holder = :holder",
                    ExpressionAttributeValues={
                        ":holder": {"S": holder},
                        ":failures": {"N": str(state.failures)},
                        ":error": {"S": cut(state.last_error, _LONGEST_ERROR)},
                        ":next": {"NULL": True} if next_try is None else {"S": next_try.isoformat()},
                        ":refusals": {"N": str(state.refusals)},
                        ":most": {"N": str(state.most)},
                        ":suspect": {"S": state.suspect},
                        ":suspect_failures": {"N": str(state.suspect_failures)},
                        ":end": as_number(self._now() + KEPT),
                    },
                )
            except ClientError as error:
                # It took longer than the lease. Who has it now knows better how the channel does.
                if not is_refused(error):
                    raise
                logger.warning("the right to tell was lost in between", extra={"channel": channel})

    def alarm(self, channel: str) -> datetime | None:
        """Give the time at which a message in the queue wakes the channel, or ``None``."""
        with translated(f"reading when {channel} is woken"):
            answer = self._client.get_item(
                TableName=self._outbox, Key=item_key(channel, _ALARM), ConsistentRead=True
            )
        item: Mapping[str, Any] = answer.get("Item", {})
        return datetime.fromisoformat(item["wakes_at"]["S"]) if item else None

    def set_alarm(self, channel: str, at: datetime) -> None:
        """Record that a message in the queue wakes the channel then."""
        with translated(f"recording when {channel} is woken"):
            self._client.put_item(
                TableName=self._outbox,
                Item=item_key(channel, _ALARM)
                | {"wakes_at": {"S": sortable(at)}, "expires_at": as_number(at + KEPT)},
            )

    def clear_alarm(self, channel: str, until: datetime) -> None:
        """Forget an alarm that is not later than a time."""
        with translated(f"recording that {channel} was woken"):
            try:
                self._client.delete_item(
                    TableName=self._outbox,
                    Key=item_key(channel, _ALARM),
                    ConditionExpression="attribute_not_exists(wakes_at) OR wakes_at <= :until",
                    ExpressionAttributeValues={":until": {"S": sortable(until)}},
                )
            except ClientError as error:
                # A later one: its message is still to come.
                if not is_refused(error):
                    raise

    def thread(self, channel: str, stories: Sequence[str]) -> Thread | None:
        """Give the message that the first of some stories was begun with, if any was."""
        keys = [item_key(channel, _thread_of(story)) for story in dict.fromkeys(stories)]
        what = f"reading the threads of {channel}"
        found = {
            item["item"]["S"]: item
            for item in read_items(self._client, self._outbox, keys, what, self._pause)
            if not is_over(item, self._now())
        }
        threads = (_read(found[key["item"]["S"]]) for key in keys if key["item"]["S"] in found)
        return next((thread for thread in threads if thread is not None), None)

    def keep_thread(self, channel: str, stories: Sequence[str], thread: Thread) -> None:
        """Record the message that stories were begun with, and what was told below it."""
        text = _as_json(thread)
        if text is None:
            logger.warning("a thread is too large to be kept", extra={"channel": channel})
            return
        for story in dict.fromkeys(stories):
            with translated(f"recording a thread of {channel}"):
                self._client.put_item(
                    TableName=self._outbox,
                    Item=item_key(channel, _thread_of(story))
                    | {"thread": {"S": text}, "expires_at": as_number(self._now() + KEPT)},
                )


def item_key(channel: str, item: str) -> dict[str, Any]:
    """Give the key of one of a channel's items."""
    return {"channel": {"S": channel}, "item": {"S": item}}


def _thread_of(story: str) -> str:
    return f"thread {fitting(story)}"


def read_state(item: Mapping[str, Any]) -> ChannelState:
    """Read how a channel does, of its item."""
    next_try = item.get("next_try", {}).get("S")
    return ChannelState(
        failures=_number(item, "failures", 0),
        next_try=None if next_try is None else datetime.fromisoformat(next_try),
        last_error=item.get("last_error", {"S": ""})["S"],
        refusals=_number(item, "refusals", 0),
        most=_number(item, "most", MOST),
        suspect=item.get("suspect", {"S": ""})["S"],
        suspect_failures=_number(item, "suspect_failures", 0),
    )


def _number(item: Mapping[str, Any], name: str, default: int) -> int:
    return int(item[name]["N"]) if name in item else default


def _read(item: Mapping[str, Any]) -> Thread | None:
    try:
        return msgspec.json.decode(item["thread"]["S"], type=Thread)
    except (KeyError, msgspec.DecodeError) as error:
        # Of another version: a new message is better than none.
        logger.warning(
            "a thread is not of this version", extra={"item": item["item"]["S"], "error": str(error)}
        )
        return None


def _as_json(thread: Thread) -> str | None:
    """Give a thread as JSON, without the oldest of what was told below if that is too much."""
    since = thread.since
    text = msgspec.json.encode(thread)
    while len(text) > LARGEST_THREAD:
        if not since:
            return None
        since = since[len(since) // 2 + 1 :]
        text = msgspec.json.encode(replace(thread, since=since))
    return text.decode()
