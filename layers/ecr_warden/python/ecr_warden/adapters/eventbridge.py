"""EventBridge's dictionaries, turned into values once."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ecr_warden.domain.events import ImageAction, RepositoryCreation
from ecr_warden.errors import MalformedEventError

IMAGE_ACTION_DETAIL_TYPES: Final = ("ECR Image Action", "ECR Referrer Action")
CREATION_DETAIL_TYPES: Final = ("AWS API Call via CloudTrail", "AWS Service Event via CloudTrail")
CREATION_SOURCES: Final = ("ecr.amazonaws.com", "replication.ecr.amazonaws.com")


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


def parse_repository_creation(event: object) -> RepositoryCreation:
    """Read the CloudTrail event of a ``CreateRepository``: of an API call, or of ECR's own doing.

    Raises
    ------
    MalformedEventError
        For another kind of event, or one that names no repository. It names the field.

    """
    envelope = _mapping(event, "event")
    detail_type = _text(envelope, "detail-type")
    if detail_type not in CREATION_DETAIL_TYPES:
        raise MalformedEventError("detail-type", f"expected an event of CloudTrail, got {detail_type!r}")
    detail = _mapping(envelope.get("detail"), "detail")
    if detail.get("eventName") != "CreateRepository":
        raise MalformedEventError(
            "detail.eventName", f"expected CreateRepository, got {detail.get('eventName')!r}"
        )
    if detail.get("eventSource") not in CREATION_SOURCES:
        raise MalformedEventError("detail.eventSource", f"expected ECR, got {detail.get('eventSource')!r}")
    account = _text(envelope, "account")
    return RepositoryCreation(
        event_id=_text(envelope, "id"),
        event_time=_time(_text(envelope, "time")),
        account=account,
        region=_text(envelope, "region"),
        repository_name=_created(detail),
        creator=_creator(detail.get("userIdentity")),
        registry=_inner(detail, "requestParameters", "registryId") or account,
        error_code=_optional_text(detail, "errorCode"),
    )


def _created(detail: Mapping[str, Any]) -> str:
    """Give the new repository's name: a call has it among its parameters, ECR's own event elsewhere."""
    for parent in ("requestParameters", "serviceEventDetails"):
        name = _inner(detail, parent, "repositoryName")
        if name is not None:
            return name
    raise MalformedEventError(
        "detail", "neither requestParameters nor serviceEventDetails has a repositoryName"
    )


def _inner(detail: Mapping[str, Any], parent: str, name: str) -> str | None:
    fields = detail.get(parent)
    if fields is None:
        return None
    fields = _mapping(fields, f"detail.{parent}")
    return None if fields.get(name) is None else _text(fields, name, f"detail.{parent}.")


def _creator(identity: object) -> str | None:
    """Name who called. What CloudTrail says of an identity differs by its type, and is never what fails."""
    if not isinstance(identity, Mapping):
        return None
    resource = str(identity.get("arn") or "").rpartition(":")[2]
    # A role's session and a user say their type first; an account's root user has no name.
    named = resource.partition("/")[2] or resource
    name = named or identity.get("userName") or identity.get("invokedBy") or identity.get("principalId")
    return name if isinstance(name, str) and name.isprintable() else None


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
