"""Who pushed which image, in DynamoDB, beside the record of what was told."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.dynamodb_items import (
    as_number,
    fitting,
    is_over,
    is_refused,
    read_items,
    sortable,
)
from ecr_warden.domain.events import Push
from ecr_warden.domain.outcomes import Outcome

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# CloudTrail tells within minutes; a scan, and what is told of it, may come hours later.
IDENTITY_KEPT: Final = timedelta(days=1)
# Longer than a weekend without a push: that CloudTrail tells of pushes does not change often.
TRAIL_KEPT: Final = timedelta(days=7)
_RECORDED_AGAIN: Final = timedelta(hours=1)
_READ_AGAIN: Final = timedelta(minutes=5)
# Tags cannot begin so: an image by its digest alone.
_NO_TAG: Final = "-"
# Beside an outcome's records, which have a channel each. No channel of a policy can be named so.
_NO_CHANNEL: Final = "-"


class DynamoIdentities:
    """An item for each image and tag: who pushed it, and the channels that want to know."""

    def __init__(
        self,
        client: "DynamoDBClient",
        delivery_table: str,
        now: Callable[[], datetime],
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = delivery_table
        self._now = now
        self._pause = pause
        # By trail, what was read of it and when; and when it was recorded last.
        self._read: dict[str, tuple[bool, datetime]] = {}
        self._recorded: dict[str, datetime] = {}

    def found(self, outcomes: Sequence[Outcome]) -> Mapping[str, str]:
        """Give who pushed the images of some outcomes, by the outcome's id; who is not known is left out."""
        names = {outcome.id: name for outcome in outcomes if (name := _image_of(outcome)) is not None}
        keys = [_key(name) for name in dict.fromkeys(names.values())]
        items = read_items(self._client, self._table, keys, "reading who pushed images", self._pause)
        pushed_by = {item["outcome_id"]["S"]: item["pushed_by"]["S"] for item in items if "pushed_by" in item}
        return {outcome_id: pushed_by[name] for outcome_id, name in names.items() if name in pushed_by}

    def expects(self, account: str, region: str) -> bool:
        """Tell whether CloudTrail has told of pushes there lately, so that it is worth waiting for."""
        name, now = _trail(account, region), self._now()
        known = self._read.get(name)
        if known is None or now - known[1] >= _READ_AGAIN:
            with translated(f"reading whether CloudTrail tells of pushes in {account} {region}"):
                answer = self._client.get_item(TableName=self._table, Key=_key(name), ConsistentRead=True)
            item: Mapping[str, Any] = answer.get("Item", {})
            known = self._read[name] = (bool(item) and not is_over(item, now), now)
        return known[0]

    def want(self, outcome: Outcome, channel: str) -> None:
        """Let the channel be woken when CloudTrail says who pushed the image.

        It may have said so just before: ask ``found`` after this.
        """
        name = _image_of(outcome)
        if name is None:
            return
        with translated(f"recording that {channel} waits for who pushed an image"):
            self._client.update_item(
                TableName=self._table,
                Key=_key(name),
                UpdateExpression="SET expires_at = :end ADD wanted :channel",
                ExpressionAttributeValues={
                    ":end": as_number(self._now() + IDENTITY_KEPT),
                    ":channel": {"SS": [channel]},
                },
            )

    def record(self, push: Push) -> tuple[str, ...]:
        """Remember who pushed an image; give the names of the channels that want to know.

        Told again of the same push, it gives them again: a channel that is woken for nothing does nothing.
        """
        if push.pushed_by is None or push.error_code is not None:
            return ()
        self._record_trail(push)
        image = f"{push.account}/{push.region}/{push.repository_name}@{push.image_digest}"
        # What a scan finds is of the image, whatever its tags: there the first push counts, and of a tag the
        # last. CloudTrail tells of them in no order.
        wanted = self._record(_push(image, None), push, "pushed_at > :at")
        if push.image_tag is not None:
            wanted = (*wanted, *self._record(_push(image, push.image_tag), push, "pushed_at < :at"))
        return tuple(dict.fromkeys(wanted))

    def _record(self, name: str, push: Push, is_better: str) -> Sequence[str]:
        """Remember who pushed, unless somebody is remembered whose push says more; give who wants to know."""
        with translated("recording who pushed an image"):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=_key(name),
                    UpdateExpression="SET pushed_by = :by, pushed_at = :at, expires_at = :end",
                    ConditionExpression=f"attribute_not_exists(pushed_at) OR {is_better}",
                    ExpressionAttributeValues={
                        ":by": {"S": push.pushed_by or ""},
                        ":at": {"S": sortable(push.event_time)},
                        ":end": as_number(self._now() + IDENTITY_KEPT),
                    },
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if not is_refused(error):
                    raise
                item: Any = error.response.get("Item", {})
            else:
                item = answer["Attributes"]
        return sorted(item.get("wanted", {}).get("SS", []))

    def _record_trail(self, push: Push) -> None:
        name, now = _trail(push.account, push.region), self._now()
        if name in self._recorded and now - self._recorded[name] < _RECORDED_AGAIN:
            return
        with translated(f"recording that CloudTrail tells of pushes in {push.account} {push.region}"):
            self._client.put_item(
                TableName=self._table, Item=_key(name) | {"expires_at": as_number(now + TRAIL_KEPT)}
            )
        self._recorded[name] = now
        self._read[name] = (True, now)


def _image_of(outcome: Outcome) -> str | None:
    """Name what was pushed, or ``None`` where an outcome is about no image."""
    if outcome.image_digest is None:
        return None
    image = f"{outcome.account}/{outcome.region}/{outcome.repository}@{outcome.image_digest}"
    return _push(image, outcome.image_tag)


def _push(image: str, image_tag: str | None) -> str:
    return fitting(f"push {image} {image_tag or _NO_TAG}")


def _trail(account: str, region: str) -> str:
    return fitting(f"trail {account}/{region}")


def _key(name: str) -> dict[str, Any]:
    return {"outcome_id": {"S": name}, "channel": {"S": _NO_CHANNEL}}
