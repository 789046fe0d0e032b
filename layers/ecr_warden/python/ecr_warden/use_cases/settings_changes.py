"""Writing settings, each on its own: journaled before and after, safe to repeat and to interrupt anywhere."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from ecr_warden.domain.events import RepositoryCreation
from ecr_warden.domain.images import Change
from ecr_warden.domain.outcomes import SettingOutcome, SettingStatus, change_id
from ecr_warden.domain.policy import Destination
from ecr_warden.domain.settings.current import RegistryDestination
from ecr_warden.domain.settings.decide import Planned
from ecr_warden.domain.settings.plans import Put, Setting
from ecr_warden.domain.settings.replication import backfill_destinations, replication_rules
from ecr_warden.domain.settings.wording import change_text
from ecr_warden.errors import AwsError, BusyError, RefusedError
from ecr_warden.ports import Journal, Locks, Progress, SettingsRegistry
from ecr_warden.use_cases.settings_facts import MOST_AT_ONCE

# One document for the whole registry each.
REGISTRY_WIDE: Final = frozenset({Setting.REPLICATION, Setting.REGISTRY_SCANNING})
_LOCK_TRIES: Final = 40
_LOCK_PAUSE: Final = 0.25


class ChangePorts(Protocol):
    """What writing settings needs."""

    @property
    def settings(self) -> SettingsRegistry:
        """The registry that the event came from."""

    @property
    def journal(self) -> Journal:
        """The record of changes."""

    @property
    def locks(self) -> Locks:
        """What only one writer may change at a time."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock, in UTC."""

    @property
    def pause(self) -> Callable[[float], None]:
        """Wait for so many seconds."""


@dataclass(frozen=True)
class Result:
    """What came of one setting, and the journal's entry, if there is one."""

    setting: Setting
    outcome: SettingOutcome
    change_id: str | None = None


def write_all(
    planned: list[Planned],
    creation: RepositoryCreation,
    ports: ChangePorts,
    plan_again: Callable[[Planned], Planned],
) -> list[Result]:
    """Write settings at the same time; one that fails does not stop the others.

    Parameters
    ----------
    planned
        What is to be written; each has a ``Put``.
    creation
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

    def write(one: Planned) -> Result | None:
        try:
            if one.setting in REGISTRY_WIDE:
                return _write_alone(one, creation, ports, plan_again)
            return _write(one, creation, ports)
        except (AwsError, RefusedError, BusyError) as error:
            return failed(one, f"{_text(one)}: {error}")

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        return [result for result in pool.map(write, planned) if result is not None]


def _write_alone(
    planned: Planned,
    creation: RepositoryCreation,
    ports: ChangePorts,
    plan_again: Callable[[Planned], Planned],
) -> Result | None:
    """Write what is one document for the whole registry, as the only writer, on what is there now.

    The document has no version, so that of two writers that read it at once one would undo the other.
    """
    name = f"{creation.account}/{creation.region}/{planned.setting}"
    holder = _change_id(planned, creation)
    _lock(name, holder, ports)
    try:
        now = plan_again(planned)
        return _write(now, creation, ports) if isinstance(now.plan, Put) else None
    finally:
        ports.locks.release(name, holder)


def _lock(name: str, holder: str, ports: ChangePorts) -> None:
    for _ in range(_LOCK_TRIES):
        if ports.locks.acquire(name, holder):
            return
        ports.pause(_LOCK_PAUSE)
    raise BusyError(f"another writer has been changing {name} for {_LOCK_TRIES * _LOCK_PAUSE:.0f} seconds")


def _write(planned: Planned, creation: RepositoryCreation, ports: ChangePorts) -> Result:
    put = planned.plan
    if not isinstance(put, Put):  # pragma: no cover  # whoever calls writes puts alone
        raise TypeError(f"{planned.setting} has nothing to write")
    change = _change(planned, put, creation, ports.now())
    if ports.journal.begin(change) is Progress.DONE:
        what = f"{planned.setting.section} was set for this event before, and somebody has changed it since"
        return _result(planned, SettingStatus.KEPT, what, change.id)
    text = _text(planned) + _put(planned, put, change, creation, ports)
    return _result(planned, SettingStatus.CHANGED, text, change.id)


def _text(planned: Planned) -> str:
    return change_text(planned.setting, planned.plan) if isinstance(planned.plan, Put) else ""


def _put(planned: Planned, put: Put, change: Change, creation: RepositoryCreation, ports: ChangePorts) -> str:
    """Write one setting and close its entry; give what is to be said beside."""
    try:
        ports.settings.put(planned.setting, creation.repository_name, put.after)
    except RefusedError:
        # Surely not made. Any other error leaves the entry open: the next delivery finds out.
        ports.journal.cancel(change.id)
        raise
    said = ""
    if planned.setting is Setting.REPLICATION and planned.decided.settings.backfill:
        before = replication_rules(put.before or {})
        said = _backfill(backfill_destinations(before, replication_rules(put.after)), ports)
    ports.journal.finish(change.id)
    return said


def _backfill(destinations: tuple[RegistryDestination, ...], ports: ChangePorts) -> str:
    said = []
    for destination in destinations:
        place = f"{destination.registry_id}/{destination.region}"
        try:
            ports.settings.start_backfill(destination)
        except BusyError:
            said.append(
                f"a backfill to {place} is under way already: once it has ended, start another by "
                f"aws ecr start-replication-backfill --destination region={destination.region},"
                f"registryId={destination.registry_id}"
            )
        else:
            said.append(f"backfill to {place} started")
    return f" ({'; '.join(said)})" if said else ""


def written_before(planned: Planned, creation: RepositoryCreation, ports: ChangePorts) -> Result | None:
    """Find what an earlier delivery of the event wrote, and close what it left open; ``None``: nothing."""
    entry = _change_id(planned, creation)
    try:
        progress = ports.journal.progress(entry)
        if progress is Progress.NEW:
            return None
        text = f"{planned.setting.section} as the policy wants it"
        if progress is Progress.BEGUN:
            if planned.setting is Setting.REPLICATION and planned.decided.settings.backfill:
                places = planned.decided.settings.destinations
                text += _backfill(tuple(_place(one, creation) for one in places), ports)
            ports.journal.finish(entry)
    except (AwsError, RefusedError) as error:
        return failed(planned, f"{planned.setting.section}: {error}")
    return _result(planned, SettingStatus.CHANGED, text, entry)


def _place(destination: Destination, creation: RepositoryCreation) -> RegistryDestination:
    return RegistryDestination(destination.region, destination.account or creation.account)


def failed(planned: Planned, what: str) -> Result:
    """Say that a setting could not be written, or looked at."""
    return _result(planned, SettingStatus.FAILED, what, None)


def told(planned: Planned, status: SettingStatus, what: str, next_step: str = "") -> Result:
    """Say something of a setting that nothing was written of."""
    return _result(planned, status, what, None, next_step)


def _result(
    planned: Planned, status: SettingStatus, what: str, entry: str | None, next_step: str = ""
) -> Result:
    section, rule = planned.setting.section, planned.decided.rule
    return Result(planned.setting, SettingOutcome(section, status, what.rstrip("."), rule, next_step), entry)


def _change_id(planned: Planned, creation: RepositoryCreation) -> str:
    return change_id(
        event_id=creation.event_id, repository=creation.repository_name, setting=planned.setting.value
    )


def _change(planned: Planned, put: Put, creation: RepositoryCreation, now: datetime) -> Change:
    return Change(
        id=_change_id(planned, creation),
        account=creation.account,
        region=creation.region,
        repository=creation.repository_name,
        section=planned.setting.section,
        before=put.before,
        after=put.after,
        event_id=creation.event_id,
        rule=planned.decided.rule,
        begun_at=now,
        created_by=creation.creator,
    )
