"""What the images of a repository come to: how many there are, and what a lifecycle policy would take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecr_warden.domain.images import INDEX_TYPES
from ecr_warden.domain.lifecycle_simulation import SimulatedImage, simulate_lifecycle
from ecr_warden.domain.sweep.images import ListedImage


@dataclass(frozen=True)
class ImageTotals:
    """All images of a repository, in numbers and bytes.

    Attributes
    ----------
    never_pulled, never_pulled_bytes
        Images that can be pulled, of which no pull is recorded; without signatures and the like.
    indexes
        Image indexes, whose platforms' images are images as well.

    """

    images: int = 0
    tagged: int = 0
    indexes: int = 0
    never_pulled: int = 0
    never_pulled_bytes: int = 0
    standard_bytes: int = 0
    archive_bytes: int = 0
    oldest_push: datetime | None = None
    last_push: datetime | None = None
    last_pull: datetime | None = None

    @property
    def size(self) -> int:
        """All bytes; a layer that several images share counts in each."""
        return self.standard_bytes + self.archive_bytes


@dataclass(frozen=True)
class LifecycleEffect:
    """What the policy's lifecycle rules would take, if they ran now.

    ``rule`` is the deciding one, as file:line. ``left_out`` untagged images do not count: where there are
    indexes they may be children of one, which ECR keeps, and no listing tells.
    """

    rule: str
    expired: int = 0
    expired_bytes: int = 0
    archived: int = 0
    archived_bytes: int = 0
    left_out: int = 0


def image_totals(images: Sequence[ListedImage]) -> ImageTotals:
    """Count a repository's images."""
    unpulled = [one for one in images if _is_pullable(one) and one.pulled_at is None]
    return ImageTotals(
        images=len(images),
        tagged=sum(bool(one.tags) for one in images),
        indexes=sum(map(_is_index, images)),
        never_pulled=len(unpulled),
        never_pulled_bytes=_size(unpulled),
        standard_bytes=_size([one for one in images if not one.is_archived]),
        archive_bytes=_size([one for one in images if one.is_archived]),
        oldest_push=min((one.pushed_at for one in images), default=None),
        last_push=max((one.pushed_at for one in images), default=None),
        last_pull=max((one.pulled_at for one in images if one.pulled_at is not None), default=None),
    )


def lifecycle_effect(
    images: Sequence[ListedImage], document: Mapping[str, Any], *, rule: str, now: datetime
) -> LifecycleEffect:
    """Tell what a lifecycle policy's document would take of a repository's images."""
    simulation = simulate_lifecycle(document, [simulated(one) for one in images], now)
    has_indexes = any(map(_is_index, images))
    expire, archive = frozenset(simulation.expire), frozenset(simulation.archive)
    taken = [one for one in images if one.digest in expire | archive]
    sure = [one for one in taken if not (has_indexes and _may_be_a_child(one))]
    expired = [one for one in sure if one.digest in expire]
    archived = [one for one in sure if one.digest in archive]
    return LifecycleEffect(
        rule, len(expired), _size(expired), len(archived), _size(archived), len(taken) - len(sure)
    )


def simulated(image: ListedImage) -> SimulatedImage:
    """Give an image as lifecycle rules look at it."""
    return SimulatedImage(
        image.digest,
        image.tags,
        image.pushed_at,
        pulled_at=image.pulled_at,
        storage_class="archive" if image.is_archived else "standard",
        archived_at=image.archived_at,
        activated_at=image.activated_at,
        subject=image.subject,
    )


def _may_be_a_child(image: ListedImage) -> bool:
    # Signatures and the like go with their subject.
    return not image.tags and image.subject is None


def _is_index(image: ListedImage) -> bool:
    return image.media_type in INDEX_TYPES


def _is_pullable(image: ListedImage) -> bool:
    return not image.is_archived and image.subject is None


def _size(images: Sequence[ListedImage]) -> int:
    return sum(one.size for one in images)
