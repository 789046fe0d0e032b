"""CloudTrail's events of PutImage, turned into values: who pushed which image."""

from collections.abc import Mapping
from typing import Any, Final

from ecr_warden.adapters.cloudtrail import caller_name
from ecr_warden.adapters.event_fields import (
    envelope_fields,
    open_envelope,
    optional_mapping,
    optional_text,
)
from ecr_warden.adapters.event_fields import mapping as as_mapping
from ecr_warden.domain.events import Push
from ecr_warden.errors import MalformedEventError

PUSH_SOURCES: Final = {"AWS API Call via CloudTrail": "aws.ecr"}
_REQUEST: Final = "detail.requestParameters."
_IMAGE: Final = "detail.responseElements.image."


def parse_push(event: object) -> Push:
    """Read CloudTrail's event of a ``PutImage``.

    A call that failed has no response. CloudTrail leaves out the parameters, or the response, of a call whose
    manifest is too large for an event: each is read for what the other does not say. No manifest is kept.

    Raises
    ------
    MalformedEventError
        For another kind of event, or one that does not say which image was pushed where. It names the field.

    """
    envelope = open_envelope(event, PUSH_SOURCES)
    detail = as_mapping(envelope.get("detail"), "detail")
    for name, expected in (("eventSource", "ecr.amazonaws.com"), ("eventName", "PutImage")):
        if detail.get(name) != expected:
            raise MalformedEventError(f"detail.{name}", f"expected {expected!r}, got {detail.get(name)!r}")
    fields = envelope_fields(envelope)
    error_code = optional_text(detail, "errorCode")
    called = _Call(detail)
    repository = called.said("repositoryName")
    if repository is None:
        raise MalformedEventError(f"{_REQUEST}repositoryName", "neither call nor response names a repository")
    image_digest = called.said_of_image("imageDigest")
    if image_digest is None and error_code is None:
        raise MalformedEventError(f"{_IMAGE}imageId.imageDigest", "neither response nor call has a digest")
    return Push(
        event_id=fields["event_id"],
        event_time=fields["event_time"],
        # Of a push into the registry of another account, its own account hears as well.
        account=called.said("registryId") or optional_text(detail, "recipientAccountId") or fields["account"],
        region=fields["region"],
        repository_name=repository,
        image_digest=image_digest or "",
        image_tag=called.said_of_image("imageTag"),
        pushed_by=caller_name(detail.get("userIdentity")),
        error_code=error_code,
    )


class _Call:
    """A call's parameters, and the image of its response."""

    def __init__(self, detail: Mapping[str, Any]) -> None:
        self._request = optional_mapping(detail.get("requestParameters"), _REQUEST[:-1])
        response = optional_mapping(detail.get("responseElements"), "detail.responseElements")
        self._image = optional_mapping(response.get("image"), _IMAGE[:-1])
        self._image_id = optional_mapping(self._image.get("imageId"), f"{_IMAGE}imageId")

    def said(self, name: str) -> str | None:
        """Give what the call was given, or else what the response has."""
        return optional_text(self._request, name, _REQUEST) or optional_text(self._image, name, _IMAGE)

    def said_of_image(self, name: str) -> str | None:
        """Give what the response has of the image's id, or else what the call was given."""
        return optional_text(self._image_id, name, f"{_IMAGE}imageId.") or optional_text(
            self._request, name, _REQUEST
        )
