"""Taking a change back: what that comes to, decided on what is there now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from ecr_warden.domain.images import Change, StoredImage
from ecr_warden.domain.outcomes import change_id

_UNDO: Final = "undo "
# The sections of which the registry has one document.
REGISTRY_WIDE: Final = frozenset({"replicate_to", "scanning"})


@dataclass(frozen=True)
class PutBack:
    """What was there before can be put back; ``done`` says that it is, ``next_step`` what to know then."""

    done: str
    next_step: str


@dataclass(frozen=True)
class AsBefore:
    """What was there before is there."""

    what: str


@dataclass(frozen=True)
class Impossible:
    """A change that is not taken back; ``now`` is what somebody put since, which stays."""

    why: str
    next_step: str
    now: Mapping[str, Any] | None = None


Decision: TypeAlias = PutBack | AsBefore | Impossible


def undoing(change: Change, now: datetime) -> Change:
    """Give the journal's entry of taking a change back, the same for every try."""
    event_id = f"{_UNDO}{change.id}"
    return replace(
        change,
        id=change_id(event_id=event_id, repository=change.repository, setting=change.section),
        before=change.after,
        after=change.before,
        event_id=event_id,
        begun_at=now,
        # What is there now is our own text.
        before_text=None,
    )


def undoes(change: Change) -> str | None:
    """Give the id of the change that this one took back, or ``None`` if it is no undoing."""
    return change.event_id.removeprefix(_UNDO) if change.event_id.startswith(_UNDO) else None


def leads_to(earlier: Change, later: Change) -> bool:
    """Tell whether a change comes to be the last one once another, later one is taken back."""
    if earlier.id == later.id or earlier.after is None or earlier.after != later.before:
        return False
    place = (earlier.account, earlier.region, earlier.section)
    # Many repositories may have led to what the registry has one of; scan on push is a repository's own.
    is_document = earlier.section in REGISTRY_WIDE and "scan_on_push" not in earlier.after
    return place == (later.account, later.region, later.section) and (
        is_document or earlier.repository == later.repository
    )


def archived_digest(change: Change) -> str | None:
    """Give the digest of the image that a change archived, or ``None`` for any other change."""
    before, after = change.before or {}, change.after or {}
    digest = before.get("image_digest")
    was_archived = (before.get("storage_class"), after.get("storage_class")) == ("STANDARD", "ARCHIVE")
    return digest if was_archived and isinstance(digest, str) else None


def changes_of_children(change: Change) -> tuple[str, ...]:
    """Give the ids of the changes that archived an index's children, if this one archived that index.

    They are in its entry from before its children are looked at: some of them may never have been begun.
    """
    children = (change.after or {}).get("children")
    if archived_digest(change) is None or not isinstance(children, Mapping):
        return ()
    return tuple(dict.fromkeys(each for each in children.values() if isinstance(each, str)))


def decide_image(image_digest: str, stored: StoredImage | None) -> Decision:
    """Decide on an image that was archived; ``stored`` is what it is now, ``None`` if it is gone."""
    if stored is None:
        return _gone(image_digest)
    if not stored.is_archived:
        return AsBefore(f"The image {image_digest} is not in the archive.")
    return PutBack(
        f"The image {image_digest} is being restored.",
        "ECR takes up to 20 minutes to restore it. A scan that fails the gate may quarantine it again.",
    )


@dataclass(frozen=True)
class TakenTag:
    """A tag that was taken from an image, and the quarantine tag that the image got for it."""

    image_digest: str
    image_tag: str
    kept_as: str


def taken_tag(change: Change) -> TakenTag | None:
    """Give the tag that a change quarantined, or ``None`` for any other change."""
    before, after = change.before or {}, change.after or {}
    found = before.get("image_digest"), before.get("image_tag"), after.get("image_tag")
    match found:
        case str(digest), str(tag), str(kept_as):
            return TakenTag(digest, tag, kept_as)
    return None


def decide_tag(taken: TakenTag, *, named: str | None, tags: tuple[str, ...] | None) -> Decision:
    """Decide on a tag that was quarantined.

    Parameters
    ----------
    taken
        What was done.
    named
        The digest of the image that has the tag now, ``None`` if none has.
    tags
        The tags of the image that had it, ``None`` if that image is gone.

    """
    tag = taken.image_tag
    if tags is None:
        return _gone(taken.image_digest)
    if named not in {None, taken.image_digest}:
        return Impossible(
            f"The tag {tag} names {named} by now, from which it would be taken.",
            f"The image can be pulled as {taken.image_digest}, and be given another tag.",
        )
    if named is not None and taken.kept_as not in tags:
        return AsBefore(f"The tag {tag} names {taken.image_digest}, which has no quarantine tag.")
    return PutBack(
        f"The tag {tag} names {taken.image_digest} again, without a quarantine tag.",
        "That is a push, which the deployed policy judges: it takes the tag again, unless by now the tag is "
        "allowed or the repository exempt.",
    )


def deleted_tag(change: Change) -> Impossible:
    """Say of a tag that was deleted that it cannot be got back."""
    tag = (change.before or {}).get("image_tag")
    return Impossible(
        f"The tag {tag} was deleted, and the image too if that was its last tag: that cannot be taken back.",
        "Push the image again under a tag that the policy allows. The journal's entry has its manifest.",
    )


def _gone(image_digest: str) -> Impossible:
    return Impossible(
        f"The image {image_digest} does not exist any more.", "Push it again, if it is still needed."
    )
