"""Image actions and new repositories: EventBridge's dictionaries, turned into values once."""

from collections.abc import Mapping
from typing import Any, Final

from ecr_warden.adapters.event_fields import envelope_fields, mapping, optional_text, text, time
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
    envelope = mapping(event, "event")
    if envelope.get("source") != "aws.ecr":
        raise MalformedEventError("source", f"expected 'aws.ecr', got {envelope.get('source')!r}")
    detail_type = text(envelope, "detail-type")
    if detail_type not in IMAGE_ACTION_DETAIL_TYPES:
        raise MalformedEventError("detail-type", f"expected an image action, got {detail_type!r}")
    detail = mapping(envelope.get("detail"), "detail")
    return ImageAction(
        **envelope_fields(envelope),
        action_type=text(detail, "action-type", "detail."),
        result=text(detail, "result", "detail."),
        repository_name=text(detail, "repository-name", "detail."),
        image_digest=text(detail, "image-digest", "detail."),
        image_tag=optional_text(detail, "image-tag"),
        manifest_media_type=optional_text(detail, "manifest-media-type"),
        artifact_media_type=optional_text(detail, "artifact-media-type"),
    )


def parse_repository_creation(event: object) -> RepositoryCreation:
    """Read the CloudTrail event of a ``CreateRepository``: of an API call, or of ECR's own doing.

    Raises
    ------
    MalformedEventError
        For another kind of event, or one that names no repository. It names the field.

    """
    # Imported here: a push, which this module reads too, says nothing of who made it.
    from ecr_warden.adapters.cloudtrail import caller_name  # noqa: PLC0415

    envelope = mapping(event, "event")
    detail_type = text(envelope, "detail-type")
    if detail_type not in CREATION_DETAIL_TYPES:
        raise MalformedEventError("detail-type", f"expected an event of CloudTrail, got {detail_type!r}")
    detail = mapping(envelope.get("detail"), "detail")
    if detail.get("eventName") != "CreateRepository":
        raise MalformedEventError(
            "detail.eventName", f"expected CreateRepository, got {detail.get('eventName')!r}"
        )
    if detail.get("eventSource") not in CREATION_SOURCES:
        raise MalformedEventError("detail.eventSource", f"expected ECR, got {detail.get('eventSource')!r}")
    account = text(envelope, "account")
    return RepositoryCreation(
        event_id=text(envelope, "id"),
        event_time=time(text(envelope, "time")),
        account=account,
        region=text(envelope, "region"),
        repository_name=_created(detail),
        creator=caller_name(detail.get("userIdentity")),
        registry=_inner(detail, "requestParameters", "registryId") or account,
        error_code=optional_text(detail, "errorCode"),
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
    fields = mapping(fields, f"detail.{parent}")
    return None if fields.get(name) is None else text(fields, name, f"detail.{parent}.")
