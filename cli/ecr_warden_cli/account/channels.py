"""What waits in each channel of a deployed stack, and why it is not told yet."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.dynamodb_channels import STATE, read_state
from ecr_warden.adapters.dynamodb_outbox import WAITING_ITEM, due_of
from ecr_warden.adapters.event_fields import printable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass
class ChannelReport:
    """How a channel does.

    Attributes
    ----------
    waiting, overdue
        How many outcomes wait to be told there, and how many of them should have been told by now.
    first_due
        When the first of them is or was due.
    failures
        How often in a row the channel failed; ``last_error`` says why, ``next_try`` when it is tried again.

    """

    name: str
    waiting: int = 0
    overdue: int = 0
    first_due: datetime | None = None
    failures: int = 0
    next_try: datetime | None = None
    last_error: str = ""

    @property
    def is_worth_showing(self) -> bool:
        """Tell whether anything waits there, or fails."""
        return bool(self.waiting or self.failures)


@dataclass
class _Reports:
    now: datetime
    by_name: dict[str, ChannelReport] = field(default_factory=dict)

    def add(self, item: dict[str, Any]) -> None:
        """Note one item of the outbox."""
        name = item["channel"]["S"]
        report = self.by_name.setdefault(name, ChannelReport(printable(name)))
        key = item["item"]["S"]
        if key.startswith(WAITING_ITEM):
            due = due_of(key)
            report.waiting += 1
            report.overdue += due < self.now
            report.first_due = due if report.first_due is None else min(report.first_due, due)
        elif key == STATE:
            state = read_state(item)
            report.failures, report.next_try = state.failures, state.next_try
            report.last_error = printable(state.last_error)


def channel_reports(client: "DynamoDBClient", table_name: str, now: datetime) -> tuple[ChannelReport, ...]:
    """Tell how each channel does, by name; raises ``AwsError``."""
    reports = _Reports(now)
    for item in _items(client, table_name):
        reports.add(item)
    return tuple(report for _, report in sorted(reports.by_name.items()))


def _items(client: "DynamoDBClient", table_name: str) -> Iterator[dict[str, Any]]:
    """Give the items without what is large in them; the table has no list of its channels."""
    start: dict[str, Any] = {}
    while True:
        with translated(f"reading what waits in {table_name}"):
            answer = client.scan(
                TableName=table_name,
                ConsistentRead=True,
                ProjectionExpression="channel, #item, failures, next_try, last_error",
                ExpressionAttributeNames={"#item": "item"},
                **start,
            )
        yield from answer["Items"]
        if not answer.get("LastEvaluatedKey"):
            return
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
