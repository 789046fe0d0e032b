"""What was changed, and what became of it: the journal's entries with whether they were taken back."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from ecr_warden.domain.images import Change, RecordedChange
from ecr_warden.domain.runs import run_of
from ecr_warden.domain.undoing import undoes, undoing
from ecr_warden.ports import Journal, Progress

# As many as the journal tells of in one call.
_TOGETHER = 100


class State(StrEnum):
    """What became of a change."""

    DONE = "done"
    BEGUN = "begun"
    TAKEN_BACK = "taken back"


@dataclass(frozen=True)
class Told:
    """One entry of the history.

    Attributes
    ----------
    run
        The run that made it, if one did.
    undoes
        The change that it took back, if it did.
    undo_id
        The change that took it back, or began to.

    """

    change: Change
    state: State
    run: str | None = None
    undoes: str | None = None
    undo_id: str | None = None


def told(found: Iterable[RecordedChange], journal: Journal) -> Iterator[Told]:
    """Say of changes what became of them, a hundred together; raises ``AwsError``."""
    entries = iter(found)
    while part := tuple(islice(entries, _TOGETHER)):
        undo_ids = {one.change.id: undoing(one.change, one.change.begun_at).id for one in part}
        known = journal.progress_of(undo_ids.values())
        for one in part:
            undo_id = undo_ids[one.change.id]
            yield _told(one, undo_id if undo_id in known else None, known.get(undo_id))


def _told(recorded: RecordedChange, undo_id: str | None, undone: Progress | None) -> Told:
    change = recorded.change
    state = State.DONE if recorded.is_done else State.BEGUN
    if undone is Progress.DONE:
        state = State.TAKEN_BACK
    return Told(change, state, run_of(change.event_id), undoes(change), undo_id)
