"""Taking back quarantines: of an image by its storage class, of a tag by moving it."""

from ecr_warden.domain.images import Change, Manifest
from ecr_warden.domain.undoing import (
    AsBefore,
    TakenTag,
    archived_digest,
    decide_image,
    decide_tag,
    deleted_tag,
    taken_tag,
)
from ecr_warden.errors import AwsError, RefusedError
from ecr_warden.ports import Registry
from ecr_warden.use_cases.undo_ports import UndoRegistry, Way


def way_of_image(change: Change, ports: UndoRegistry) -> Way | None:
    """Look at an image that a change archived; ``None`` for any other change."""
    digest = archived_digest(change)
    if digest is None:
        return None
    stored = ports.storage.images(change.repository, [digest])
    decision = decide_image(digest, stored[0] if stored else None)
    return Way(decision, lambda: ports.storage.restore(change.repository, digest))


def way_of_tag(change: Change, ports: UndoRegistry) -> Way | None:
    """Look at a tag that a change took; ``None`` for any other change."""
    if change.after is None:
        return Way(deleted_tag(change))
    taken = taken_tag(change)
    if taken is None:
        return None
    named = ports.registry.find_manifest(change.repository, taken.image_tag)
    manifest = ports.registry.find_manifest_by_digest(change.repository, taken.image_digest)
    if manifest is None:
        return Way(decide_tag(taken, named=None, tags=None))
    tags = ports.registry.tags_of(change.repository, taken.image_digest)
    decision = decide_tag(taken, named=None if named is None else named.digest, tags=tuple(tags))
    if isinstance(decision, AsBefore):
        return Way(decision)
    return Way(decision, lambda: _give_back(change.repository, taken, manifest, ports.registry))


def _give_back(repository: str, taken: TakenTag, manifest: Manifest, registry: Registry) -> None:
    registry.add_tag(repository, manifest, taken.image_tag)
    tags = registry.tags_of(repository, taken.image_digest)
    lost = f"the tag {taken.image_tag} was taken from {taken.image_digest} in the moment that it was put back"
    if taken.image_tag not in tags:
        raise RefusedError(f"{lost}: the image has {', '.join(tags) or 'no tag'}")
    if taken.kept_as not in tags:
        return
    registry.remove_tag(repository, taken.kept_as)
    # A function that took the tag at once left the image with its quarantine tag alone, and with its last tag
    # ECR deletes an image.
    if registry.find_manifest_by_digest(repository, taken.image_digest) is None:
        _save(repository, taken, manifest, registry)
        raise RefusedError(f"{lost}: the image has {taken.kept_as}")


def _save(repository: str, taken: TakenTag, manifest: Manifest, registry: Registry) -> None:
    try:
        registry.add_tag(repository, manifest, taken.kept_as)
    except AwsError as error:
        raise AwsError(f"push {taken.image_digest} again now, ECR deleted it: {error}") from error
