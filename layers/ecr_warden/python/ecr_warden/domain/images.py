"""Images and what is done to them, as values."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ecr_warden.domain.policy import RuleReference

# The media types of image indexes.
INDEX_TYPES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


@dataclass(frozen=True)
class Manifest:
    """A manifest as BatchGetImage gives it; ``body`` must be put back to the byte."""

    digest: str
    body: str
    media_type: str


def children_of(manifest: Manifest) -> tuple[str, ...] | None:
    """Give the digests of an index's children, none of any other image; ``None`` where it has indexes itself.

    What those have is in their own manifests. ``None``, too, of an index of a form that is not known here.
    """
    if manifest.media_type not in INDEX_TYPES:
        return ()
    try:
        children = json.loads(manifest.body)["manifests"]
        digests = tuple(str(child["digest"]) for child in children)
        is_nested = any(child.get("mediaType") in INDEX_TYPES for child in children)
    except (ValueError, KeyError, TypeError, AttributeError):
        # Whoever asks takes it for the worst.
        return None
    return None if is_nested else digests


@dataclass(frozen=True)
class StoredImage:
    """An image as DescribeImages lists it."""

    digest: str
    tags: tuple[str, ...] = ()
    is_archived: bool = False
    media_type: str | None = None
    pushed_at: datetime | None = None


@dataclass(frozen=True)
class Change:
    """One entry of the journal: what is changed, from what to what, why.

    ``before`` and ``after`` are plain JSON; ``after`` is ``None`` for what is removed. ``id`` comes from
    the outcome's, so that a retried event finds its own entry. ``created_by`` is who created a new
    repository, where the event says so. ``before_text`` is ``before`` as ECR had it, where that was a text.
    """

    id: str
    account: str
    region: str
    repository: str
    section: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    event_id: str
    rule: RuleReference
    begun_at: datetime
    created_by: str | None = None
    before_text: str | None = None


@dataclass(frozen=True)
class RecordedChange:
    """A change that the journal has; one that is not ``is_done`` was begun, and may have been made."""

    change: Change
    is_done: bool


def rule_at(place: str, match: Iterable[str]) -> RuleReference:
    """Give a rule by its place, ``FILE:LINE``, as the journal keeps it."""
    file, _, line = place.rpartition(":")
    return RuleReference(file, int(line), tuple(match))
