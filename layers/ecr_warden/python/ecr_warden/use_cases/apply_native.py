"""What ECR can do by itself is written into its registry, each item journaled and on its own."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from ecr_warden.domain.images import Change
from ecr_warden.domain.outcomes import change_id
from ecr_warden.domain.places import Place
from ecr_warden.domain.settings.current import RegistryDestination
from ecr_warden.domain.settings.native import REGISTRY, NativeChange
from ecr_warden.domain.settings.plans import Setting
from ecr_warden.domain.settings.replication import replication_json
from ecr_warden.domain.settings.scanning import scanning_json
from ecr_warden.domain.settings.templates import ROOT, is_broader, template_json
from ecr_warden.errors import AwsError, BusyError, RefusedError
from ecr_warden.use_cases.plan_native import ReadingPorts
from ecr_warden.use_cases.registry_wide import backfill_command, only_writer
from ecr_warden.use_cases.settings_changes import ChangePorts


class NativePorts(ReadingPorts, ChangePorts, Protocol):
    """What writing needs."""


class Status(StrEnum):
    """What came of a change."""

    APPLIED = "applied"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class NativeResult:
    """What came of a change; ``said`` is a sentence without its stop, empty where there is nothing to say.

    ``change_id`` names the journal's entry, if one was left.
    """

    change: NativeChange
    status: Status
    said: str = ""
    change_id: str | None = None


def apply_native(
    changes: Iterable[NativeChange], place: Place, *, event_id: str, ports: NativePorts
) -> tuple[NativeResult, ...]:
    """Write changes one after the other; one that fails stops no others but those that rest on it.

    What is no longer as it was planned from is left alone. ``event_id`` is of a run, new for each call.
    """
    results: list[NativeResult] = []
    for change in sorted(changes, key=_narrow_first):
        missing = _missing(change, results)
        if missing is None:
            results.append(_apply(change, place, event_id, ports))
        else:
            said = f"ECR would take it for the repositories of {missing} too, whose own was not written"
            results.append(NativeResult(change, Status.SKIPPED, said))
    return tuple(results)


def _narrow_first(change: NativeChange) -> tuple[bool, int]:
    # A wider template takes what a narrower one is for until that is there.
    return change.prefix in {ROOT, REGISTRY}, -len(change.prefix)


def _missing(change: NativeChange, results: Iterable[NativeResult]) -> str | None:
    """Name a template that was to take some of a wider one's repositories, and was not written.

    They would get the wider one's lifecycle policy, which nobody takes back: it then is somebody's choice.
    """
    if change.template is None:
        return None
    missing = (
        result.change.prefix
        for result in results
        if result.status is not Status.APPLIED and is_broader(change.prefix, result.change.prefix)
    )
    return next(missing, None)


def _apply(change: NativeChange, place: Place, event_id: str, ports: NativePorts) -> NativeResult:
    entry = _entry(change, place, event_id, ports.now())
    try:
        with _held(change, entry, ports):
            if _now(change, ports) != change.before:
                return NativeResult(change, Status.SKIPPED, "somebody changed it meanwhile: plan again")
            ports.journal.begin(entry)
            _write(change, ports, entry)
    except (AwsError, RefusedError, BusyError) as error:
        return NativeResult(change, Status.FAILED, str(error).rstrip("."))
    said, is_well = _backfill(change.backfill, ports)
    return NativeResult(change, Status.APPLIED if is_well else Status.FAILED, said, entry.id)


def _held(change: NativeChange, entry: Change, ports: NativePorts) -> AbstractContextManager[None]:
    """Be the only writer of what is one document for the registry, under the functions' own name for it."""
    if change.template is not None:
        return nullcontext()
    return only_writer(f"{entry.account}/{entry.region}/{change.section}", entry.id, ports)


def _now(change: NativeChange, ports: ReadingPorts) -> Mapping[str, Any] | None:
    """Read what a change is about."""
    if change.template is not None:
        found = {each.prefix: each for each in ports.templates.templates()}.get(change.prefix)
        return None if found is None else template_json(found)
    if change.section == Setting.REPLICATION.section:
        return replication_json(ports.settings.replication())
    return scanning_json(ports.settings.scanning())


def _entry(change: NativeChange, place: Place, event_id: str, now: datetime) -> Change:
    return Change(
        id=change_id(event_id=event_id, repository=change.prefix, setting=change.section),
        account=place.account,
        region=place.region,
        repository=change.prefix,
        section=change.section,
        before=change.before,
        after=change.after,
        event_id=event_id,
        rule=change.rule,
        begun_at=now,
    )


def _write(change: NativeChange, ports: NativePorts, entry: Change) -> None:
    try:
        if change.template is None:
            ports.settings.put(Setting(change.section), change.prefix, change.after)
        elif change.before is None:
            ports.templates.create_template(change.template)
        else:
            ports.templates.update_template(change.template)
    except RefusedError:
        # Surely not made. After any other error it may be: the entry stays, begun, to tell of it.
        ports.journal.cancel(entry.id)
        raise
    ports.journal.finish(entry.id)


def _backfill(destinations: tuple[RegistryDestination, ...], ports: NativePorts) -> tuple[str, bool]:
    """Start backfills; give what is to be said, and whether all is well: one under way already is."""
    said, is_well = [], True
    for destination in destinations:
        again = backfill_command(destination)
        try:
            ports.settings.start_backfill(destination)
        except BusyError:
            said.append(
                "a backfill is under way already: once it has ended, start the one to "
                f"{destination} by {again}"
            )
        except (AwsError, RefusedError) as error:
            said.append(f"the backfill to {destination} was not started: {error}; start it by {again}")
            is_well = False
        else:
            said.append(f"backfill to {destination} started")
    return "; ".join(said), is_well
