"""The journal of changes, and locks, in DynamoDB, by conditional writes."""

import json
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.dynamodb_items import is_refused, read_items
from ecr_warden.domain.images import Change, RecordedChange, rule_at
from ecr_warden.domain.runs import run_of
from ecr_warden.ports import Progress

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BEGUN: Final = "begun"
_DONE: Final = "done"
_PROGRESS: Final = {None: Progress.NEW, _BEGUN: Progress.BEGUN, _DONE: Progress.DONE}
JOURNAL_KEPT: Final = timedelta(days=400)
# Longer than any function may run that takes one (SweepBatchFunction: 15 minutes), as one call under a lock
# may take minutes where ECR throttles: whoever has a lock for longer has died. What it left keeps others out
# until then. A new repository's tries may be over before: it is in the dead letters then, and the next sweep
# does it.
LOCK_HELD: Final = timedelta(seconds=930)


class DynamoJournal:
    """Every change, under its id."""

    def __init__(
        self, client: "DynamoDBClient", table_name: str, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._pause = pause

    def begin(self, change: Change) -> Progress:
        """Record a change that is about to be made; ``NEW`` if nobody has recorded it before."""
        with translated(f"recording the change {change.id}"):
            try:
                answer = self._client.put_item(
                    TableName=self._table_name,
                    Item=_item(change),
                    ConditionExpression="attribute_not_exists(id) OR #status = :begun",
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues={":begun": {"S": _BEGUN}},
                    ReturnValues="ALL_OLD",
                )
            except ClientError as error:
                if not is_refused(error):
                    raise
                return Progress.DONE
        return Progress.BEGUN if answer.get("Attributes") else Progress.NEW

    def progress(self, change_id: str) -> Progress:
        """Tell how far a change is; ``NEW`` if it is not recorded."""
        return _PROGRESS[self._read(change_id).get("status", {}).get("S")]

    def _read(self, change_id: str) -> Mapping[str, Any]:
        """Give the item of a change, empty where there is none."""
        with translated(f"reading the change {change_id}"):
            answer = self._client.get_item(
                TableName=self._table_name, Key={"id": {"S": change_id}}, ConsistentRead=True
            )
        return answer.get("Item", {})

    def progress_of(self, change_ids: Collection[str]) -> Mapping[str, Progress]:
        """Tell how far some changes are, a hundred a call; those that are not recorded are left out."""
        # DynamoDB refuses a call that names a key twice.
        keys = [{"id": {"S": change_id}} for change_id in dict.fromkeys(change_ids)]
        items = read_items(self._client, self._table_name, keys, "reading changes", self._pause)
        return {item["id"]["S"]: _PROGRESS[item["status"]["S"]] for item in items}

    def find(self, change_id: str) -> RecordedChange | None:
        """Give a change that is recorded, or ``None``."""
        return recorded_change(self._read(change_id))

    def finish(self, change_id: str) -> None:
        """Record that a change is made."""
        with translated(f"closing the change {change_id}"):
            self._client.update_item(
                TableName=self._table_name,
                Key={"id": {"S": change_id}},
                UpdateExpression="SET #status = :done",
                ConditionExpression="attribute_exists(id)",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":done": {"S": _DONE}},
            )

    def cancel(self, change_id: str) -> None:
        """Forget a change that was begun and surely not made."""
        with translated(f"taking back the change {change_id}"):
            try:
                self._client.delete_item(
                    TableName=self._table_name,
                    Key={"id": {"S": change_id}},
                    ConditionExpression="attribute_not_exists(id) OR #status = :begun",
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues={":begun": {"S": _BEGUN}},
                )
            except ClientError as error:
                # Another delivery of the event has finished it in the meantime: it stands.
                if not is_refused(error):
                    raise


def _item(change: Change) -> dict[str, Any]:
    return {
        "id": {"S": change.id},
        "status": {"S": _BEGUN},
        "account": {"S": change.account},
        "region": {"S": change.region},
        "repository": {"S": change.repository},
        "section": {"S": change.section},
        "before": {"S": json.dumps(change.before)},
        "after": {"S": json.dumps(change.after)},
        "event_id": {"S": change.event_id},
        "rule": {"S": f"{change.rule.file}:{change.rule.line}"},
        "rule_match": {"S": json.dumps(change.rule.match)},
        **_given("created_by", change.created_by),
        **_given("before_text", change.before_text),
        # An entry without it is not in the index.
        **_given("run", run_of(change.event_id)),
        "day": {"S": day_of(change.begun_at)},
        "begun_at": {"S": change.begun_at.isoformat()},
        "expires_at": {"N": str(int((change.begun_at + JOURNAL_KEPT).timestamp()))},
    }


def _given(name: str, text: str | None) -> dict[str, Any]:
    return {} if text is None else {name: {"S": text}}


def day_of(time: datetime) -> str:
    """Give the day that a change is found by."""
    return time.astimezone(UTC).date().isoformat()


def recorded_change(item: Mapping[str, Any]) -> RecordedChange | None:
    """Read an entry, ``None`` where it is none: locks are in the same table, and have no status."""
    return RecordedChange(_change(item), item["status"]["S"] == _DONE) if "status" in item else None


def _change(item: Mapping[str, Any]) -> Change:
    return Change(
        id=item["id"]["S"],
        account=item["account"]["S"],
        region=item["region"]["S"],
        repository=item["repository"]["S"],
        section=item["section"]["S"],
        before=json.loads(item["before"]["S"]),
        after=json.loads(item["after"]["S"]),
        event_id=item["event_id"]["S"],
        # Entries from before a rule's globs were kept have none.
        rule=rule_at(item["rule"]["S"], json.loads(item.get("rule_match", {"S": "[]"})["S"])),
        begun_at=datetime.fromisoformat(item["begun_at"]["S"]),
        created_by=item.get("created_by", {}).get("S"),
        before_text=item.get("before_text", {}).get("S"),
    )


class DynamoLocks:
    """Locks, each an item beside the journal's entries while it is held.

    ``worker`` tells apart those that work in the name of one change at the same time. Without it, another try
    has the lock at once that one before it, of the same change, has left.
    """

    def __init__(
        self, client: "DynamoDBClient", table_name: str, now: Callable[[], datetime], *, worker: str = ""
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._now = now
        self._worker = worker

    def acquire(self, name: str, holder: str) -> bool:
        """Take the right; ``False`` while another holder has it."""
        now = self._now()
        held_until = str(int((now + LOCK_HELD).timestamp()))
        with translated(f"locking {name}"):
            try:
                self._client.put_item(
                    TableName=self._table_name,
                    Item={
                        "id": {"S": _lock_id(name)},
                        "holder": {"S": self._named(holder)},
                        "held_until": {"N": held_until},
                        "expires_at": {"N": held_until},
                    },
                    ConditionExpression="attribute_not_exists(id) OR holder = :holder OR held_until < :now",
                    ExpressionAttributeValues={
                        ":holder": {"S": self._named(holder)},
                        ":now": {"N": str(int(now.timestamp()))},
                    },
                )
            except ClientError as error:
                if not is_refused(error):
                    raise
                return False
        return True

    def release(self, name: str, holder: str) -> None:
        """Give the right back; that somebody took it over after its time is well."""
        with translated(f"unlocking {name}"):
            try:
                self._client.delete_item(
                    TableName=self._table_name,
                    Key={"id": {"S": _lock_id(name)}},
                    ConditionExpression="attribute_not_exists(id) OR holder = :holder",
                    ExpressionAttributeValues={":holder": {"S": self._named(holder)}},
                )
            except ClientError as error:
                if not is_refused(error):
                    raise

    def _named(self, holder: str) -> str:
        return f"{holder} {self._worker}".rstrip()


def _lock_id(name: str) -> str:
    return f"lock {name}"
