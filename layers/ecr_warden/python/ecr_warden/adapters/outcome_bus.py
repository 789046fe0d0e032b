"""Outcomes on EventBridge's bus: writing them, and reading them back from the queue."""

from typing import TYPE_CHECKING, Any

import msgspec

from ecr_warden.domain.outcomes import Outcome
from ecr_warden.errors import AwsError, MalformedEventError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "ecr-warden"


class _OutcomeEvent(msgspec.Struct):
    """EventBridge's envelope, as far as it matters here."""

    detail: Outcome


def outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    """Give the outcome as it is on the bus."""
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(outcome))
    return fields


def read_outcome_event(body: str) -> Outcome:
    """Read the outcome from an event's JSON, or raise ``MalformedEventError`` with the field's path."""
    try:
        return msgspec.json.decode(body, type=_OutcomeEvent).detail
    except msgspec.DecodeError as error:
        problem, _, path = str(error).partition(" - at ")
        raise MalformedEventError(path.strip("`") or "$", problem) from error


class EventBridgePublisher:
    """The outcome bus."""

    def __init__(self, client: "EventBridgeClient", bus_name: str) -> None:
        self._client = client
        self._bus_name = bus_name

    def publish(self, outcome: Outcome) -> None:
        """Put an outcome on the bus, or raise ``AwsError``."""
        # Imported here: this module is read by NotifyFunction too, whose channels may need no SDK call yet.
        from ecr_warden.adapters.aws import translated  # noqa: PLC0415

        with translated(f"publishing the outcome {outcome.id}"):
            answer = self._client.put_events(
                Entries=[
                    {
                        "Source": SOURCE,
                        "DetailType": outcome.kind.value,
                        "Detail": msgspec.json.encode(outcome).decode(),
                        "EventBusName": self._bus_name,
                        "Time": outcome.event_time,
                    }
                ]
            )
        # PutEvents answers with status 200 even where it took nothing.
        if answer["FailedEntryCount"]:
            entry = answer["Entries"][0]
            raise AwsError(
                f"publishing the outcome {outcome.id}: {entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
            )
