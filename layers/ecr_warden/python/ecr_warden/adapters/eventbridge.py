"""EventBridge's dictionaries, turned into values once."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ecr_warden.domain.events import ImageAction
from ecr_warden.errors import MalformedEventError

IMAGE_ACTION_DETAIL_TYPES: Final = ("ECR Image Action", "ECR Referrer Action")


def parse_image_action(event: object) -> ImageAction:
    """Read an ``ECR Image Action`` or ``ECR Referrer Action`` event.

    Unknown fields are passed over; ``image-tag`` may be absent, null or empty.

    Raises
    ------
    MalformedEventError
        For another kind of event, or one that lacks what a decision needs. It names the field.

    """
    envelope = _mapping(event, "event")
    if envelope.get("source") != "aws.ecr":
        raise MalformedEventError("source", f"expected 'aws.ecr', got {envelope.get('source')!r}")
    detail_type = _text(envelope, "detail-type")
    if detail_type not in IMAGE_ACTION_DETAIL_TYPES:
        raise MalformedEventError("detail-type", f"expected an image action, got {detail_type!r}")
    detail = _mapping(envelope.get("detail"), "detail")
    return ImageAction(
        event_id=_text(envelope, "id"),
        event_time=_time(_text(envelope, "time")),
        account=_text(envelope, "account"),
        region=_text(envelope, "region"),
        detail_type=detail_type,
        action_type=_text(detail, "action-type", "detail."),
        result=_text(detail, "result", "detail."),
        repository_name=_text(detail, "repository-name", "detail."),
        image_digest=_text(detail, "image-digest", "detail."),
        image_tag=_optional_text(detail, "image-tag"),
        manifest_media_type=_optional_text(detail, "manifest-media-type"),
        artifact_media_type=_optional_text(detail, "artifact-media-type"),
    )


def _mapping(value: object, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise MalformedEventError(field, f"expected an object, got {type(value).__name__}")
    return value


def _text(fields: Mapping[str, Any], name: str, parent: str = "") -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedEventError(parent + name, f"expected text, got {value!r}")
    # No field that is read here may hold a control character or half a surrogate pair in ECR.
    if not value.isprintable():
        raise MalformedEventError(parent + name, f"expected printable text, got {value!r}")
    return value


def _optional_text(detail: Mapping[str, Any], name: str) -> str | None:
    value = detail.get(name)
    if value is None or value == "":
        return None
    return _text(detail, name, "detail.")


def _time(value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise MalformedEventError("time", f"expected an ISO 8601 time, got {value!r}") from error
    if time.tzinfo is None:
        raise MalformedEventError("time", f"expected a time with its zone, got {value!r}")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise MalformedEventError("time", f"expected a time of this era, got {value!r}") from error
