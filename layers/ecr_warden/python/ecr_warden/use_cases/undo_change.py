"""Taking a change back: judged on what is there now, journaled, safe to repeat and to interrupt anywhere.

It is a change itself: its entry, with before and after changed round, is begun before the first call and
closed after the last.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from ecr_warden.domain.images import Change, Manifest, RecordedChange
from ecr_warden.domain.undoing import (
    AsBefore,
    Decision,
    Impossible,
    PutBack,
    TakenTag,
    archived_digest,
    changes_of_children,
    decide_image,
    decide_tag,
    deleted_tag,
    taken_tag,
    undoes,
    undoing,
)
from ecr_warden.errors import AwsError, ImageGoneError, RefusedError, RepositoryGoneError
from ecr_warden.ports import ImageStorage, Journal, Progress, Registry
from ecr_warden.use_cases.plan_native import Place


class UndoPorts(Protocol):
    """What taking a change back needs."""

    @property
    def registry(self) -> Registry:
        """The registry's images and their tags."""

    @property
    def storage(self) -> ImageStorage:
        """The storage classes of the registry's images."""

    @property
    def journal(self) -> Journal:
        """The record of changes."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock, in UTC."""


class Status(StrEnum):
    """What comes of taking a change back."""

    POSSIBLE = "possible"
    UNDONE = "undone"
    ALREADY = "already"
    IMPOSSIBLE = "impossible"
    FAILED = "failed"

    @property
    def is_taken_back(self) -> bool:
        """Whether the change is taken back, now or before."""
        return self in {Status.UNDONE, Status.ALREADY}


@dataclass(frozen=True)
class Undone:
    """What came of one change; ``said`` and ``next_step`` are sentences for people.

    ``recorded`` is the journal's entry of the change, ``undo_id`` the id of the one about taking it back.
    """

    change_id: str
    status: Status
    said: str
    next_step: str = ""
    recorded: RecordedChange | None = None
    undo_id: str | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether the journal has no such change."""
        return self.status is Status.IMPOSSIBLE and self.recorded is None


@dataclass(frozen=True)
class _Way:
    """What was decided, and what puts back what was there before."""

    decision: Decision
    put_back: Callable[[], None] = lambda: None


def look_at_changes(change_ids: Sequence[str], place: Place, ports: UndoPorts) -> tuple[Undone, ...]:
    """Say what taking changes back would come to, and change nothing.

    After an image index come its children, which belong to it, as far as the journal knows them. Each change
    comes once.
    """
    looked: dict[str, Undone] = {}
    for change_id in dict.fromkeys(change_ids):
        if change_id in looked:
            continue
        found = looked[change_id] = look_at_change(change_id, place, ports)
        for child in changes_of_children(found.recorded.change) if found.recorded else ():
            if child in looked:
                continue
            of_child = look_at_change(child, place, ports)
            # Of a child that another index has, or that somebody else had archived, there is no entry.
            if child in change_ids or not of_child.is_unknown:
                looked[child] = of_child
    return tuple(looked.values())


def look_at_change(change_id: str, place: Place, ports: UndoPorts) -> Undone:
    """Say what taking a change back would come to, and change nothing."""
    return _try(change_id, place, ports, _would)


def undo_change(change_id: str, place: Place, ports: UndoPorts) -> Undone:
    """Take a change back; what AWS refuses or does not answer is said, and not raised."""
    return _try(change_id, place, ports, _put_back)


_Act = Callable[[RecordedChange, _Way, UndoPorts], Undone]


def _try(change_id: str, place: Place, ports: UndoPorts, act: _Act) -> Undone:
    recorded = None
    try:
        recorded = ports.journal.find(change_id)
        if recorded is None:
            return Undone(change_id, Status.IMPOSSIBLE, "The journal has no such change.")
        return _judge(recorded, place, ports, act)
    except (AwsError, RefusedError, RepositoryGoneError, ImageGoneError) as error:
        return Undone(change_id, Status.FAILED, f"{str(error).rstrip('.')}.", recorded=recorded)


def _judge(recorded: RecordedChange, place: Place, ports: UndoPorts, act: _Act) -> Undone:
    change = recorded.change
    if Place(change.account, change.region) != place:
        return _impossible(recorded, _elsewhere(change, place))
    entry = undoing(change, ports.now())
    progress = ports.journal.progress(entry.id)
    if progress is Progress.DONE:
        return _already_undone(recorded, entry)
    way = _way(change, ports)
    match way.decision:
        case Impossible() as impossible:
            return _impossible(recorded, impossible)
        # What an interrupted try, or the change itself, left open in the journal is to be closed.
        case AsBefore(what) if recorded.is_done and progress is Progress.NEW:
            return Undone(change.id, Status.ALREADY, what, recorded=recorded)
    return act(recorded, way, ports)


def _elsewhere(change: Change, place: Place) -> Impossible:
    return Impossible(
        f"The change is of account {change.account} in {change.region}, the command is for account "
        f"{place.account} in {place.region}.",
        f"Use credentials of {change.account}, and --region {change.region}.",
    )


def _impossible(recorded: RecordedChange, impossible: Impossible) -> Undone:
    return Undone(
        recorded.change.id, Status.IMPOSSIBLE, impossible.why, impossible.next_step, recorded=recorded
    )


def _already_undone(recorded: RecordedChange, entry: Change) -> Undone:
    said = "The change is taken back already."
    return Undone(recorded.change.id, Status.ALREADY, said, recorded=recorded, undo_id=entry.id)


def _would(recorded: RecordedChange, way: _Way, _ports: UndoPorts) -> Undone:
    return _result(recorded, way, Status.POSSIBLE)


def _put_back(recorded: RecordedChange, way: _Way, ports: UndoPorts) -> Undone:
    entry = undoing(recorded.change, ports.now())
    progress = ports.journal.begin(entry)
    if progress is Progress.DONE:
        return _already_undone(recorded, entry)
    try:
        way.put_back()
    except (RefusedError, RepositoryGoneError, ImageGoneError):
        # Surely not made, unless by an earlier try, of which nobody knows.
        if progress is Progress.NEW:
            ports.journal.cancel(entry.id)
        raise
    if not recorded.is_done:
        # The event may come again, and would go on with what is taken back.
        ports.journal.finish(recorded.change.id)
    ports.journal.finish(entry.id)
    return replace(_result(recorded, way, Status.UNDONE), undo_id=entry.id)


def _result(recorded: RecordedChange, way: _Way, status: Status) -> Undone:
    said, next_step = "", ""
    match way.decision:
        case PutBack(done, after):
            said, next_step = ("" if status is Status.POSSIBLE else done), after
        case AsBefore(what):
            said = what
    if not recorded.is_done:
        begun = f"The change was begun at {recorded.change.begun_at.isoformat()} and never finished"
        said = f"{begun}: it may be half done. {said}".rstrip()
    return Undone(recorded.change.id, status, said, next_step, recorded)


def _way(change: Change, ports: UndoPorts) -> _Way:
    if (other := undoes(change)) is not None:
        why = f"The change took back the change {other}, and is not taken back itself."
        return _Way(Impossible(why, "What the policy asks for, its functions do by themselves."))
    return _SECTIONS.get(change.section, _by_hand)(change, ports)


def _image(change: Change, ports: UndoPorts) -> _Way:
    digest = archived_digest(change)
    if digest is None:
        return _by_hand(change, ports)
    stored = ports.storage.images(change.repository, [digest])
    decision = decide_image(digest, stored[0] if stored else None)
    return _Way(decision, lambda: ports.storage.restore(change.repository, digest))


def _tag(change: Change, ports: UndoPorts) -> _Way:
    if change.after is None:
        return _Way(deleted_tag(change))
    taken = taken_tag(change)
    if taken is None:
        return _by_hand(change, ports)
    named = ports.registry.find_manifest(change.repository, taken.image_tag)
    manifest = ports.registry.find_manifest_by_digest(change.repository, taken.image_digest)
    if manifest is None:
        return _Way(decide_tag(taken, named=None, tags=None))
    tags = ports.registry.tags_of(change.repository, taken.image_digest)
    decision = decide_tag(taken, named=None if named is None else named.digest, tags=tuple(tags))
    if isinstance(decision, AsBefore):
        return _Way(decision)
    return _Way(decision, lambda: _give_back(change.repository, taken, manifest, ports.registry))


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


def _by_hand(change: Change, _ports: UndoPorts) -> _Way:
    before = "nothing" if change.before is None else json.dumps(change.before)
    why = f"Only quarantines of images and of tags are taken back by this version, not this {change.section}."
    step = f'Put back what was there before, as docs/runbook.md says in "Take a setting back": {before}'
    return _Way(Impossible(why, step))


# What each section's changes are, and what takes them back.
_SECTIONS: Final[Mapping[str, Callable[[Change, UndoPorts], _Way]]] = {"scan_gate": _image, "tags": _tag}
