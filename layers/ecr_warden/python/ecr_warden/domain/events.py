"""What ECR's events say, as values."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ImageAction:
    """One ``ECR Image Action`` or ``ECR Referrer Action`` event.

    Attributes
    ----------
    image_digest
        Opaque: AWS's own samples carry digests that are not 64 hex digits.
    image_tag
        ``None`` for an untagged push, whether ECR left the field out or sent it empty.
    manifest_media_type, artifact_media_type
        ``None`` where the event does not say; older events never do.

    """

    event_id: str
    event_time: datetime
    account: str
    region: str
    detail_type: str
    action_type: str
    result: str
    repository_name: str
    image_digest: str
    image_tag: str | None
    manifest_media_type: str | None
    artifact_media_type: str | None


@dataclass(frozen=True)
class Occasion:
    """Why a repository's settings are looked at: it was created, or a sweep came to it.

    Attributes
    ----------
    event_id
        The event's; of a sweep, what ``event_id_of`` gives.
    event_time
        When the repository was created, as far as that is known.
    creator
        Who created it, as people would say it: ``Admin/mary`` for a role and its session. ``None`` where
        nobody says.

    """

    event_id: str
    event_time: datetime
    account: str
    region: str
    repository_name: str
    creator: str | None


@dataclass(frozen=True)
class RepositoryCreation(Occasion):
    """One ``CreateRepository`` that CloudTrail told of, by an API call or by ECR itself.

    Attributes
    ----------
    registry
        The account in whose registry the repository is.
    error_code
        Why the call failed, ``None`` where it did not.

    """

    registry: str
    error_code: str | None


@dataclass(frozen=True)
class Push:
    """One ``PutImage`` that CloudTrail told of: who pushed an image.

    Attributes
    ----------
    account
        The account in whose registry the image is.
    image_digest
        Empty where the call failed and did not name it.
    image_tag
        ``None`` for an untagged push.
    pushed_by
        Who pushed, as people would say it; ``None`` where the event does not say.
    error_code
        Why the call failed, ``None`` where it did not.

    """

    event_id: str
    event_time: datetime
    account: str
    region: str
    repository_name: str
    image_digest: str
    image_tag: str | None
    pushed_by: str | None
    error_code: str | None
