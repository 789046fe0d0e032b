"""What is remembered of images between their scans, in DynamoDB, by conditional writes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.dynamodb_items import is_refused
from ecr_warden.domain.scan_state import ImageKey, ImageState
from ecr_warden.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Longer than most images are in use. Of one that is forgotten, people hear once more.
STATE_KEPT: Final = timedelta(days=400)
# DynamoDB takes items of 400 KB; the rest of an item is its id, its version and its end.
LARGEST_STATE: Final = 390_000


class DynamoScanStates:
    """Every image's state, as JSON, beside its version, which conditions go by."""

    def __init__(self, client: "DynamoDBClient", table_name: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._table_name = table_name
        self._now = now

    def read(self, image: ImageKey) -> ImageState:
        """Give what is known of an image; version 0 where nothing is.

        A state that cannot be read is an ``AwsError``: to take it for none would tell people again what they
        know, and forget what was being done.
        """
        item_id = _id(image)
        with translated(f"reading the state of the {item_id}"):
            answer = self._client.get_item(
                TableName=self._table_name, Key={"id": {"S": item_id}}, ConsistentRead=True
            )
        item: Mapping[str, Any] | None = answer.get("Item")
        if item is None:
            return ImageState()
        try:
            return msgspec.json.decode(item["state"]["S"], type=ImageState)
        except (KeyError, msgspec.DecodeError) as error:
            raise AwsError(
                f"reading the state of the {item_id}: it is not a state of this version ({error!r}): "
                f"delete the item of this id from the table {self._table_name} to judge the image anew"
            ) from error

    def write(self, image: ImageKey, state: ImageState) -> bool:
        """Write a state over the one of the version before it; ``False`` where somebody else did first."""
        if state.version == 1:
            return self._put(image, state, "attribute_not_exists(id)")
        return self._put(image, state, "version = :known", known=state.version - 1)

    def settle(self, image: ImageKey, state: ImageState) -> None:
        """Record that a state's outcome is told, with its changes.

        Nothing is recorded where somebody did before, or a later state is there.
        """
        self._put(
            image, state.settled, "version = :known AND attribute_exists(is_untold)", known=state.version
        )

    def _put(self, image: ImageKey, state: ImageState, condition: str, *, known: int | None = None) -> bool:
        """Write a state, ``False`` where the condition refuses it."""
        item_id = _id(image)
        values: Any = {} if known is None else {"ExpressionAttributeValues": {":known": {"N": str(known)}}}
        with translated(f"writing the state of the {item_id}"):
            try:
                self._client.put_item(
                    TableName=self._table_name,
                    Item={
                        "id": {"S": item_id},
                        "version": {"N": str(state.version)},
                        "state": {"S": _as_json(state)},
                        **({"is_untold": {"BOOL": True}} if state.untold is not None else {}),
                        "expires_at": {"N": str(int((self._now() + STATE_KEPT).timestamp()))},
                    },
                    ConditionExpression=condition,
                    **values,
                )
            except ClientError as error:
                if not is_refused(error):
                    raise
                return False
        return True


def _id(image: ImageKey) -> str:
    return f"image {image.account}/{image.region}/{image.repository}@{image.digest}"


def _as_json(state: ImageState) -> str:
    text = msgspec.json.encode(state)
    if len(text) > LARGEST_STATE:
        # A thousand findings with very long names: what counts then is how many there are.
        text = msgspec.json.encode(replace(state, marks=None))
    return text.decode()
