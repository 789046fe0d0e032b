"""Writing settings, each on its own: journaled before and after, safe to repeat and to interrupt anywhere."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from ecr_warden.domain.events import Occasion
from ecr_warden.domain.images import Change
from ecr_warden.domain.outcomes import SettingOutcome, SettingStatus, change_id
from ecr_warden.domain.policy import Mode
from ecr_warden.domain.settings.current import RegistryDestination
from ecr_warden.domain.settings.decide import Planned
from ecr_warden.domain.settings.documents import text_of
from ecr_warden.domain.settings.grouping import ordered
from ecr_warden.domain.settings.plans import Kept, Put, Setting, Violation
from ecr_warden.domain.settings.replication import at, backfill_destinations, replication_rules
from ecr_warden.domain.settings.wording import change_text
from ecr_warden.errors import AwsError, BusyError, CredentialsError, RefusedError, RepositoryGoneError
from ecr_warden.ports import Journal, Progress, SettingsRegistry
from ecr_warden.use_cases.registry_wide import LONGEST_WAIT, LockPorts, backfill_command, only_writer
from ecr_warden.use_cases.settings_facts import MOST_AT_ONCE

# One document for the whole registry each.
REGISTRY_WIDE: Final = frozenset({Setting.REPLICATION, Setting.REGISTRY_SCANNING})


class ChangePorts(LockPorts, Protocol):
    """What writing settings needs."""

    @property
    def settings(self) -> SettingsRegistry:
        """The registry that the event came from."""

    @property
    def journal(self) -> Journal:
        """The record of changes."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock, in UTC."""


@dataclass(frozen=True)
class Result:
    """What came of one setting.

    ``change_id`` is the journal's entry, where something was written, even if more was to follow and failed.
    ``may_heal`` is of a failure: whether it may be gone by the next try, without anybody's doing.
    ``changed_since``: an earlier try wrote it, and somebody has changed it since, so that it was left alone.
    """

    setting: Setting
    outcome: SettingOutcome
    change_id: str | None = None
    may_heal: bool = False
    changed_since: bool = False


def write_all(
    planned: list[Planned],
    occasion: Occasion,
    ports: ChangePorts,
    plan_again: Callable[[Planned], Planned],
) -> list[Result]:
    """Write settings at the same time; one that fails does not stop the others.

    Parameters
    ----------
    planned
        What is to be written; each has a ``Put``.
    occasion
        The event.
    ports
        The world.
    plan_again
        Reads what a setting of the registry is now, and plans it anew.

    Raises
    ------
    RepositoryGoneError
        Where the repository does not exist any more.

    """
    if not planned:
        return []
    # Built here: several threads at once would build them several times.
    _ = ports.journal, ports.locks

    def write(one: Planned) -> list[Result]:
        return list(write_one(one, occasion, ports, plan_again))

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        return [result for results in pool.map(write, planned) for result in results]


def write_one(
    planned: Planned,
    occasion: Occasion,
    ports: ChangePorts,
    plan_again: Callable[[Planned], Planned],
    *,
    longest_wait: float = LONGEST_WAIT,
) -> Iterator[Result]:
    """Write one setting, as ``write_all`` does; a failure is a result, too.

    ``longest_wait`` is for how many seconds others may keep it from being the registry's only writer.
    """
    try:
        if planned.setting in REGISTRY_WIDE:
            yield from _write_alone(planned, occasion, ports, plan_again, longest_wait)
        else:
            yield _write(planned, occasion, ports)
    except CredentialsError:
        raise
    except (AwsError, RefusedError, BusyError) as error:
        text = f"{_text(planned)}: {error}"
        yield failed(planned, text, may_heal=not isinstance(error, RefusedError))


def _write_alone(
    planned: Planned,
    occasion: Occasion,
    ports: ChangePorts,
    plan_again: Callable[[Planned], Planned],
    longest_wait: float,
) -> Iterator[Result]:
    """Write what is one document for the whole registry, as the only writer, on what is there now.

    The document has no version, so that of two writers that read it at once one would undo the other.
    """
    name = f"{occasion.account}/{occasion.region}/{planned.setting}"
    with only_writer(name, _change_id(planned, occasion), ports, longest_wait=longest_wait):
        now = plan_again(planned)
        if isinstance(now.plan, Put):
            yield _write(now, occasion, ports)
        yield from untouched(now)


def _write(planned: Planned, occasion: Occasion, ports: ChangePorts) -> Result:
    put = planned.plan
    if not isinstance(put, Put):  # pragma: no cover  # whoever calls writes puts alone
        raise TypeError(f"{planned.setting} has nothing to write")
    change = _change(planned, put, occasion, ports.now())
    progress = ports.journal.begin(change)
    if progress is Progress.DONE:
        what = f"{planned.setting.section} was set for this event before, and is otherwise by now: it stays"
        return replace(_result(planned, SettingStatus.CHANGED, what, change.id), changed_since=True)
    try:
        ports.settings.put(planned.setting, occasion.repository_name, put.after)
    except (RefusedError, RepositoryGoneError, CredentialsError):
        # Surely not made, unless by an earlier try. Any other error leaves the entry open: the next delivery
        # finds out.
        if progress is Progress.NEW:
            ports.journal.cancel(change.id)
        raise
    grown = _grown(planned, put)
    return _finish(planned, _text(planned), change.id, grown, ports)


def _grown(planned: Planned, put: Put) -> tuple[RegistryDestination, ...]:
    """Give the destinations to which what was pushed before is to be replicated now."""
    if planned.setting is not Setting.REPLICATION or not planned.decided.settings.backfill:
        return ()
    return backfill_destinations(replication_rules(put.before or {}), replication_rules(put.after))


def _finish(
    planned: Planned,
    text: str,
    entry: str,
    destinations: tuple[RegistryDestination, ...],
    ports: ChangePorts,
) -> Result:
    """Start backfills and close the journal's entry of a setting that is written."""
    try:
        text += _backfill(destinations, ports)
        ports.journal.finish(entry)
    except (AwsError, RefusedError) as error:
        what = f"{text}: this is done, and what was to follow failed: {error}"
        return failed(planned, what, may_heal=not isinstance(error, RefusedError), entry=entry)
    return _result(planned, SettingStatus.CHANGED, text, entry)


def _backfill(destinations: tuple[RegistryDestination, ...], ports: ChangePorts) -> str:
    said = []
    for destination in destinations:
        try:
            ports.settings.start_backfill(destination)
        except BusyError:
            said.append(
                f"a backfill to {destination} is under way already: once it has ended, start another by "
                f"{backfill_command(destination)}"
            )
        else:
            said.append(f"backfill to {destination} started")
    return f" ({'; '.join(said)})" if said else ""


def written_before(compliant: list[Planned], occasion: Occasion, ports: ChangePorts) -> Iterator[Result]:
    """Find what earlier deliveries of the event wrote, and close what they left open."""
    entries = {_change_id(one, occasion): one for one in compliant}
    if not entries:
        return
    try:
        progress = ports.journal.progress_of(entries.keys())
    except AwsError as error:
        what = f"whether anything was set for this event before is not known: {error}"
        yield failed(compliant[0], what, may_heal=True)
        return
    for entry, one in entries.items():
        text = f"{one.setting.section} as the policy wants it"
        match progress.get(entry, Progress.NEW):
            case Progress.DONE:
                yield _result(one, SettingStatus.CHANGED, text, entry)
            case Progress.BEGUN:
                yield finish_begun(one, text, occasion, ports)


def finish_begun(planned: Planned, text: str, occasion: Occasion, ports: ChangePorts) -> Result:
    """Do what was to follow a setting that an earlier try wrote, such as backfills, and close its entry."""
    entry = _change_id(planned, occasion)
    return _finish(planned, text, entry, _wanted_backfills(planned, occasion), ports)


def _wanted_backfills(planned: Planned, occasion: Occasion) -> tuple[RegistryDestination, ...]:
    """Give all of a rule's destinations: to which of them its filters grew is not known any more."""
    if planned.setting is not Setting.REPLICATION or not planned.decided.settings.backfill:
        return ()
    itself = RegistryDestination(occasion.region, occasion.account)
    return ordered(at(planned.decided.settings.destinations, occasion.account) - {itself})


def untouched(planned: Planned) -> Iterator[Result]:
    """Say what is not written: what would be, what stays, and what nobody can change."""
    match planned.plan:
        case Put() if planned.decided.mode is Mode.AUDIT:
            yield _result(planned, SettingStatus.WOULD_CHANGE, _text(planned), None)
        case Kept(reason):
            yield _result(planned, SettingStatus.KEPT, reason, None)
        case Violation(reason, next_step):
            yield _result(planned, SettingStatus.VIOLATION, reason, None, next_step)


def failed(planned: Planned, what: str, *, may_heal: bool, entry: str | None = None) -> Result:
    """Say that a setting could not be written, or looked at."""
    result = _result(planned, SettingStatus.FAILED, what, entry)
    return replace(result, may_heal=may_heal)


def _result(
    planned: Planned, status: SettingStatus, what: str, entry: str | None, next_step: str = ""
) -> Result:
    outcome = SettingOutcome(
        planned.setting.section,
        status,
        what.rstrip("."),
        planned.decided.rule,
        planned.decided.mode,
        next_step,
    )
    return Result(planned.setting, outcome, entry)


def _text(planned: Planned) -> str:
    return change_text(planned.setting, planned.plan) if isinstance(planned.plan, Put) else ""


def _change_id(planned: Planned, occasion: Occasion) -> str:
    return change_id(
        event_id=occasion.event_id, repository=occasion.repository_name, setting=planned.setting.value
    )


def _change(planned: Planned, put: Put, occasion: Occasion, now: datetime) -> Change:
    return Change(
        id=_change_id(planned, occasion),
        account=occasion.account,
        region=occasion.region,
        repository=occasion.repository_name,
        section=planned.setting.section,
        before=put.before,
        after=put.after,
        event_id=occasion.event_id,
        rule=planned.decided.rule,
        begun_at=now,
        created_by=occasion.creator,
        before_text=text_of(put.before),
    )
