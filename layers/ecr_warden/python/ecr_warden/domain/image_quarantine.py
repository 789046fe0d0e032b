"""Which images are archived, so that one cannot be pulled, and who must not be using them: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ecr_warden.domain.images import StoredImage


@dataclass(frozen=True)
class QuarantinePlan:
    """What to archive, in this order, and what to leave.

    Attributes
    ----------
    archive
        Digests; an index comes after its children, so that one whose quarantine was interrupted can be read.
    shared
        Children of the index that other tagged indexes have too: they stay.
    digests, tags
        By which a workload would use any of it, those of indexes that have the image among them.

    """

    archive: tuple[str, ...]
    shared: tuple[str, ...]
    digests: tuple[str, ...]
    tags: tuple[str, ...]


def plan_quarantine(
    image: StoredImage, indexes: Sequence[tuple[StoredImage, Sequence[str]]]
) -> QuarantinePlan:
    """Plan the quarantine of an image; ``indexes`` are its repository's, each with its children's digests."""
    children = next((tuple(dict.fromkeys(of)) for index, of in indexes if index.digest == image.digest), ())
    others = [(index, set(of)) for index, of in indexes if index.digest != image.digest]
    shared = tuple(child for child in children if any(index.tags and child in of for index, of in others))
    own = tuple(child for child in children if child not in shared)
    archive = (*own, image.digest)
    users = [index for index, of in others if not of.isdisjoint(archive)]
    return QuarantinePlan(
        archive=archive,
        shared=shared,
        digests=tuple(dict.fromkeys((*archive, *(index.digest for index in users)))),
        tags=tuple(dict.fromkeys((*image.tags, *(tag for index in users for tag in index.tags)))),
    )
