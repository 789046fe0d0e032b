"""Which images are archived, so that one cannot be pulled, and who must not be using them: pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ecr_warden.domain.images import StoredImage


@dataclass(frozen=True)
class QuarantinePlan:
    """What to archive beside the image itself, and what to leave.

    Attributes
    ----------
    children
        Of an index: the digests that go with it.
    shared
        Its children that other tagged indexes have too: they stay.
    indexes
        The tagged indexes of which the image is a platform.
    digests, tags
        By which a workload would use any of it, those of indexes that have it among them.
    is_platform
        Whether any index has the image among its platforms.

    """

    children: tuple[str, ...]
    shared: tuple[str, ...]
    indexes: tuple[StoredImage, ...]
    digests: tuple[str, ...]
    tags: tuple[str, ...]
    is_platform: bool = False


def shared_with(
    children: Sequence[str], indexes: Iterable[tuple[StoredImage, Collection[str]]]
) -> tuple[str, ...]:
    """Give the children that tagged indexes have."""
    needed = {child for index, of in indexes if index.tags for child in of}
    return tuple(child for child in children if child in needed)


def plan_quarantine(
    image: StoredImage, indexes: Sequence[tuple[StoredImage, Sequence[str]]]
) -> QuarantinePlan:
    """Plan the quarantine of an image; ``indexes`` are its repository's, each with its children's digests."""
    children = next((tuple(dict.fromkeys(of)) for index, of in indexes if index.digest == image.digest), ())
    others = [(index, set(of)) for index, of in indexes if index.digest != image.digest]
    shared = shared_with(children, others)
    own = tuple(child for child in children if child not in shared)
    users = [index for index, of in others if not of.isdisjoint((image.digest, *own))]
    return QuarantinePlan(
        children=own,
        shared=shared,
        indexes=tuple(index for index, of in others if index.tags and image.digest in of),
        digests=tuple(dict.fromkeys((image.digest, *own, *(index.digest for index in users)))),
        tags=tuple(dict.fromkeys((*image.tags, *(tag for index in users for tag in index.tags)))),
        is_platform=any(image.digest in of for _, of in others),
    )
