"""Taking a change back: judged on what is there now, journaled, safe to repeat and to interrupt anywhere.

It is a change itself: its entry, with before and after changed round, is begun before the first call and
closed after the last.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from ecr_warden.domain.images import Change, RecordedChange
from ecr_warden.domain.places import Place
from ecr_warden.domain.settings import native
from ecr_warden.domain.undo_settings import written_setting
from ecr_warden.domain.undoing import (
    AsBefore,
    Impossible,
    PutBack,
    changes_of_children,
    leads_to,
    undoes,
    undoing,
)
from ecr_warden.errors import (
    AwsError,
    BusyError,
    CredentialsError,
    ImageGoneError,
    RefusedError,
    RepositoryGoneError,
)
from ecr_warden.ports import Progress
from ecr_warden.use_cases.undo_images import way_of_image, way_of_tag
from ecr_warden.use_cases.undo_ports import Undoing, UndoPorts, Way
from ecr_warden.use_cases.undo_settings import way_of_setting, way_of_template

_GONE: Final = "The repository was deleted meanwhile: nothing is left to take back."


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
    ``now`` is what somebody put since, which is why it is impossible.
    """

    change_id: str
    status: Status
    said: str
    next_step: str = ""
    recorded: RecordedChange | None = None
    undo_id: str | None = None
    now: Mapping[str, Any] | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether the journal has no such change."""
        return self.status is Status.IMPOSSIBLE and self.recorded is None


def look_at_changes(change_ids: Sequence[str], ports: UndoPorts) -> tuple[Undone, ...]:
    """Say what taking changes back would come to, and change nothing.

    After an image index come its children, which belong to it, as far as the journal knows them. Each change
    comes once.
    """
    looked: dict[str, Undone] = {}
    for change_id in dict.fromkeys(change_ids):
        if change_id in looked:
            continue
        found = looked[change_id] = look_at_change(change_id, ports)
        for child in changes_of_children(found.recorded.change) if found.recorded else ():
            if child in looked:
                continue
            of_child = look_at_change(child, ports)
            # Of a child that another index has, or that somebody else had archived, there is no entry.
            if child in change_ids or not of_child.is_unknown:
                looked[child] = of_child
    return _freed(tuple(looked.values()))


def _freed(looked: tuple[Undone, ...]) -> tuple[Undone, ...]:
    """Let those be possible, too, that are the last changes once others of these are taken back."""
    possible = [one.recorded.change for one in looked if one.recorded and one.status is Status.POSSIBLE]
    found = {one.change_id: one for one in looked}
    while possible:
        later = possible.pop()
        for one in tuple(found.values()):
            if one.status is not Status.IMPOSSIBLE or one.recorded is None:
                continue
            if leads_to(one.recorded.change, later):
                said = f"It is, once the change {later.id} is taken back."
                found[one.change_id] = Undone(one.change_id, Status.POSSIBLE, said, recorded=one.recorded)
                possible.append(one.recorded.change)
    return tuple(found.values())


def undo_all(looked: Sequence[Undone], ports: UndoPorts) -> Iterator[Undone]:
    """Take back what is possible of what was looked at, each looked at anew; give what comes of each.

    While people think, somebody may change what it rests on. What becomes possible by another is tried after
    that one, whatever their order. Where the credentials are over, the rest comes to be failed.
    """
    todo = [one for one in looked if one.status is Status.POSSIBLE]
    while todo:
        impossible: list[Undone] = []
        for number, one in enumerate(todo):
            try:
                result = undo_change(one.change_id, ports)
            except CredentialsError as error:
                for left in (*impossible, *todo[number:]):
                    yield Undone(left.change_id, Status.FAILED, f"{error}.", recorded=left.recorded)
                return
            if result.status is Status.IMPOSSIBLE:
                impossible.append(result)
            else:
                yield result
        if len(impossible) == len(todo):
            yield from impossible
            return
        todo = impossible


def look_at_change(change_id: str, ports: UndoPorts) -> Undone:
    """Say what taking a change back would come to, and change nothing."""
    return _try(change_id, ports, _would)


def undo_change(change_id: str, ports: UndoPorts) -> Undone:
    """Take a change back; what AWS refuses or does not answer is said, and not raised."""
    return _try(change_id, ports, _put_back)


_Act = Callable[[RecordedChange, Way, UndoPorts], Undone]


def _try(change_id: str, ports: UndoPorts, act: _Act) -> Undone:
    recorded = None
    try:
        recorded = ports.journal.find(change_id)
        if recorded is None:
            return Undone(change_id, Status.IMPOSSIBLE, "The journal has no such change.")
        return _judge(recorded, ports, act)
    except CredentialsError:
        # Every further change would fail as well.
        raise
    except RepositoryGoneError:
        return Undone(change_id, Status.IMPOSSIBLE, _GONE, recorded=recorded)
    except (AwsError, BusyError, RefusedError, ImageGoneError) as error:
        return Undone(change_id, Status.FAILED, f"{str(error).rstrip('.')}.", recorded=recorded)


def _judge(recorded: RecordedChange, ports: UndoPorts, act: _Act) -> Undone:
    change = recorded.change
    place = Place(change.account, change.region)
    registry = ports.at(place)
    if registry is None:
        return _impossible(recorded, _elsewhere(place, ports.place))
    entry = undoing(change, ports.now())
    progress = ports.journal.progress(entry.id)
    if progress is Progress.DONE:
        return _already_undone(recorded, entry)
    way = _way(Undoing(change, entry, registry, ports))
    match way.decision:
        case Impossible() as impossible:
            return _impossible(recorded, impossible)
        # What an interrupted try, or the change itself, left open in the journal is to be closed.
        case AsBefore(what) if recorded.is_done and progress is Progress.NEW:
            return Undone(change.id, Status.ALREADY, what, recorded=recorded)
    return act(recorded, way, ports)


def _elsewhere(place: Place, own: Place) -> Impossible:
    return Impossible(
        f"The change is of account {place.account} in {place.region}, which credentials of account "
        f"{own.account} do not reach.",
        f"Give --role-name, and --external-id if it needs one: the role in {place.account} that the stack "
        "assumes there, its parameter MemberRoleName.",
    )


def _impossible(recorded: RecordedChange, impossible: Impossible) -> Undone:
    return Undone(
        recorded.change.id,
        Status.IMPOSSIBLE,
        impossible.why,
        impossible.next_step,
        recorded=recorded,
        now=impossible.now,
    )


def _already_undone(recorded: RecordedChange, entry: Change) -> Undone:
    said = "The change is taken back already."
    return Undone(recorded.change.id, Status.ALREADY, said, recorded=recorded, undo_id=entry.id)


def _would(recorded: RecordedChange, way: Way, _ports: UndoPorts) -> Undone:
    return _result(recorded, way, Status.POSSIBLE)


def _put_back(recorded: RecordedChange, way: Way, ports: UndoPorts) -> Undone:
    entry = undoing(recorded.change, ports.now())
    progress = ports.journal.begin(entry)
    if progress is Progress.DONE:
        return _already_undone(recorded, entry)
    try:
        way.put_back()
    except (BusyError, RefusedError, RepositoryGoneError, ImageGoneError):
        # Surely not made, unless by an earlier try, of which nobody knows.
        if progress is Progress.NEW:
            ports.journal.cancel(entry.id)
        raise
    if not recorded.is_done:
        # The event may come again, and would go on with what is taken back.
        ports.journal.finish(recorded.change.id)
    ports.journal.finish(entry.id)
    return replace(_result(recorded, way, Status.UNDONE), undo_id=entry.id)


def _result(recorded: RecordedChange, way: Way, status: Status) -> Undone:
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


def _way(undoing_: Undoing) -> Way:
    change = undoing_.change
    if (other := undoes(change)) is not None:
        why = f"The change took back the change {other}, and is not taken back itself."
        return Way(Impossible(why, "What the policy asks for, its functions do by themselves."))
    match change.section:
        case "scan_gate":
            way = way_of_image(change, undoing_.registry)
        case "tags":
            way = way_of_tag(change, undoing_.registry)
        case native.CREATION_TEMPLATE:
            way = way_of_template(undoing_)
        case _:
            setting = written_setting(change)
            way = None if setting is None else way_of_setting(setting, undoing_)
    return _by_hand(change) if way is None else way


def _by_hand(change: Change) -> Way:
    before = "nothing" if change.before is None else json.dumps(change.before)
    why = f"This version does not know such a change of {change.section}, as a later one may have made it."
    step = f'Put back what was there before, as docs/runbook.md says in "Take a setting back": {before}'
    return Way(Impossible(why, step))
