"""What the journal in DynamoDB has, newest first, by its indexes; each has keys alone, and costs little.

A page of an index is a call, and a hundred entries another: what is not asked for is not read.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.dynamodb import JOURNAL_KEPT, day_of, recorded_change
from ecr_warden.adapters.dynamodb_items import read_items
from ecr_warden.domain.images import RecordedChange
from ecr_warden.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Index, and the attribute that it is by; each is sorted by the time of the change.
_BY_DAY: Final = ("ByDay", "day")
_BY_REPOSITORY: Final = ("ByRepository", "repository")
_BY_RUN: Final = ("ByRun", "run")
# As many as one call reads.
_PAGE: Final = 100
# What DynamoDB says where it is not there, and while it is being built.
_NO_INDEX: Final = ("specified index", "backfilling global secondary index")
_ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DynamoHistory:
    """The changes in the journal's table."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        now: Callable[[], datetime],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._now = now
        self._pause = pause

    def changes(self, since: datetime) -> Iterator[RecordedChange]:
        """Give all changes, day by day; a day without any is a call, too."""
        now = self._now()
        # What is older is forgotten.
        first = max(since, now - JOURNAL_KEPT - timedelta(days=1))
        # A clock elsewhere may be ahead of ours.
        day = now + timedelta(days=1)
        while day_of(day) >= day_of(first):
            yield from self._found(_BY_DAY, day_of(day), since)
            day -= timedelta(days=1)

    def changes_of(self, repository_name: str, since: datetime) -> Iterator[RecordedChange]:
        """Give the changes of a repository."""
        return self._found(_BY_REPOSITORY, repository_name, since)

    def changes_in(self, run: str) -> Iterator[RecordedChange]:
        """Give the changes of a run."""
        return self._found(_BY_RUN, run, _ALWAYS)

    def _found(self, index: tuple[str, str], value: str, since: datetime) -> Iterator[RecordedChange]:
        start: dict[str, Any] = {}
        while True:
            answer = self._page(index, value, since, start)
            yield from self._entries([item["id"]["S"] for item in answer["Items"]])
            if not answer.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _page(
        self, index: tuple[str, str], value: str, since: datetime, start: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        name, attribute = index
        with translated("reading the journal"):
            try:
                return self._client.query(
                    TableName=self._table_name,
                    IndexName=name,
                    KeyConditionExpression="#by = :value AND begun_at >= :since",
                    ExpressionAttributeNames={"#by": attribute},
                    ExpressionAttributeValues={
                        ":value": {"S": value},
                        ":since": {"S": since.astimezone(UTC).isoformat()},
                    },
                    ScanIndexForward=False,
                    Limit=_PAGE,
                    **start,
                )
            except ClientError as error:
                if any(words in str(error) for words in _NO_INDEX):
                    raise AwsError(
                        f"the journal {self._table_name} has no index {name} yet: its stack is of an earlier "
                        "version. Deploy this one, and wait until DynamoDB has built the index"
                    ) from error
                raise

    def _entries(self, ids: list[str]) -> Iterator[RecordedChange]:
        keys = [{"id": {"S": change_id}} for change_id in ids]
        items = read_items(self._client, self._table_name, keys, "reading changes", self._pause)
        found = {item["id"]["S"]: item for item in items}
        # The index is a moment behind: what was taken out in between is no change any more.
        for change_id in ids:
            recorded = recorded_change(found[change_id]) if change_id in found else None
            if recorded is not None:
                yield recorded
