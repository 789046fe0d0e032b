"""Outcomes on EventBridge's bus: writing them, and reading them back from the queue."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ecr_warden.adapters.parts import in_parts
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.errors import AwsError, MalformedEventError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE = "ecr-warden"
_ENTRIES_A_CALL: Final = 10


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
        self.publish_all([outcome])

    def publish_all(self, outcomes: Sequence[Outcome]) -> None:
        """Put outcomes on the bus, or raise ``AwsError`` where any of them is not: all may be put again."""
        for some in in_parts(outcomes, _ENTRIES_A_CALL):
            self._put(some)

    def _put(self, outcomes: Sequence[Outcome]) -> None:
        # Imported here: this module is read by NotifyFunction too, whose channels may need no SDK call yet.
        from ecr_warden.adapters.aws import translated  # noqa: PLC0415

        what = f"publishing the outcome {', '.join(outcome.id for outcome in outcomes)}"
        with translated(what):
            answer = self._client.put_events(Entries=[self._entry(outcome) for outcome in outcomes])
        # PutEvents answers with status 200 even where it took nothing.
        if answer["FailedEntryCount"]:
            failed = next(entry for entry in answer["Entries"] if entry.get("ErrorCode"))
            raise AwsError(f"{what}: {failed.get('ErrorCode')}: {failed.get('ErrorMessage')}")

    def _entry(self, outcome: Outcome) -> "PutEventsRequestEntryTypeDef":
        return {
            "Source": SOURCE,
            "DetailType": outcome.kind.value,
            "Detail": msgspec.json.encode(outcome).decode(),
            "EventBusName": self._bus_name,
            "Time": outcome.event_time,
        }
