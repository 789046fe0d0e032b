"""What an event and the scanners' findings, taken together, say of an image.

Events are hints: one that lets an image pass needs no call, and whatever might fail it, or let one that
failed pass again, is judged by what the registry lists. So it does not matter in which order events come, or
how often. Where the registry contradicts a fresh event, it may not have caught up: Inspector is asked, whose
findings they are, or the event is tried again. No image is taken for clean because something is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from ecr_warden.domain.findings import Scan, key_of
from ecr_warden.domain.scan_events import FindingEvent, ImageScan
from ecr_warden.domain.scan_gate import Gate, Judgement, judge_counts, judge_findings
from ecr_warden.domain.scan_state import ImageState
from ecr_warden.errors import NotReadyError
from ecr_warden.ports import Scans

_ACTIVE: Final = "ACTIVE"
ARCHIVED: Final = "the image is archived: it cannot be pulled, and is not scanned"
# Scans whose findings are still to come.
_COMING: Final = frozenset({"NOT_FOUND", "PENDING", "IN_PROGRESS", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED"})
# After so long, what the registry and Inspector list is newer than an event.
CAUGHT_UP: Final = timedelta(minutes=10)


class EvidencePorts(Protocol):
    """What judging needs."""

    @property
    def scans(self) -> Scans:
        """What scanners found."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock, in UTC."""


@dataclass(frozen=True)
class Quiet:
    """Nothing of an event is to be told or remembered, and why."""

    decision: str
    reason: str


@dataclass(frozen=True)
class Evidence:
    """What the gate says of an image, and until when that is true. ``unlisted`` is as in ``GateNews``."""

    judgement: Judgement
    as_of: datetime
    unlisted: str | None = None


def read_scan(ports: EvidencePorts, repository_name: str, image_digest: str, gate: Gate) -> Scan:
    """Read an image's last scan from whoever has what a gate needs: EPSS scores are Inspector's alone."""
    return ports.scans.read(repository_name, image_digest, from_inspector=gate.min_epss is not None)


def weigh(
    event: ImageScan | FindingEvent, gate: Gate, state: ImageState, ports: EvidencePorts
) -> Quiet | Evidence:
    """Say what an event comes to.

    Raises
    ------
    NotReadyError
        Where neither the registry nor Inspector has yet what the event tells of.
    ImageGoneError, RepositoryGoneError, AwsError
        As the ports do.

    """
    if isinstance(event, ImageScan):
        return _OfScan(gate, state, ports, event).weigh()
    return _OfFinding(gate, state, ports, event).weigh()


@dataclass(frozen=True)
class _Weighing:
    gate: Gate
    state: ImageState
    ports: EvidencePorts
    event: ImageScan | FindingEvent

    def weigh(self) -> Quiet | Evidence:
        quiet = self._needs_no_look()
        if quiet is not None:
            return quiet
        event = self.event
        registry = read_scan(self.ports, event.repository_name, event.image_digest, self.gate)
        if registry.is_archived:
            return Quiet("Archived", ARCHIVED)
        if not registry.has_findings:
            return self._without_findings(registry)
        listed = judge_findings(registry.pages, self.gate, registry.counts)
        if self._agrees(listed) or self._is_older_than(registry):
            return self._evidence(listed)
        return self._by_inspector()

    def _needs_no_look(self) -> Quiet | None:
        """Say why the event changes nothing, whatever the registry lists."""
        raise NotImplementedError

    def _agrees(self, listed: Judgement) -> bool:
        """Tell whether what is listed is no contradiction to the event."""
        raise NotImplementedError

    def _without_findings(self, registry: Scan) -> Quiet | Evidence:
        """Decide where the registry has no findings."""
        raise NotImplementedError

    def _by_inspector(self) -> Evidence:
        """Decide a contradiction, if Inspector can."""
        raise NotImplementedError

    def _read_from_inspector(self) -> Judgement:
        """Judge by all that Inspector lists."""
        event = self.event
        scan = self.ports.scans.read(event.repository_name, event.image_digest, from_inspector=True)
        if not scan.has_findings:
            raise self._not_ready(_said(scan))
        return judge_findings(scan.pages, self.gate, scan.counts, to_the_end=True)

    def _is_older_than(self, registry: Scan) -> bool:
        """Tell whether the registry surely knows what the event tells of, and more."""
        if registry.completed_at is not None and registry.completed_at > self.event.event_time:
            return True
        return self._is_old

    @property
    def _is_old(self) -> bool:
        return self.ports.now() - self.event.event_time > CAUGHT_UP

    def _evidence(self, judgement: Judgement) -> Evidence:
        # What is listed was read just now.
        return Evidence(judgement, self.ports.now())

    def _not_ready(self, why: str) -> NotReadyError:
        image = f"{self.event.repository_name} {self.event.image_digest}"
        return NotReadyError(f"{image}, event of {self.event.event_time.isoformat()}: {why}")


@dataclass(frozen=True)
class _OfScan(_Weighing):
    """A scan that ended well."""

    event: ImageScan

    def _needs_no_look(self) -> Quiet | None:
        by_counts = self._by_counts()
        if by_counts is not None and not by_counts.has_failed and not self.state.has_failed:
            return Quiet("Passed", "the scan's counts pass the gate")
        return None

    def _by_counts(self) -> Judgement | None:
        """Judge by the event's numbers, where it has them of every severity that may count."""
        if self.event.counts is None or any(map(self.gate.limits_severity, self.event.unsaid)):
            return None
        return judge_counts(self.event.counts, self.gate)

    def _agrees(self, listed: Judgement) -> bool:
        by_counts = self._by_counts()
        if by_counts is None:
            return True
        if not by_counts.has_failed:
            return not listed.has_failed
        return self._knows_all_of(listed)

    def _knows_all_of(self, listed: Judgement) -> bool:
        """Tell whether there are as many as the event counts, whether or not they count against the gate."""
        return all(
            max(listed.listed.get(severity, 0), listed.counts.get(severity, 0)) >= count
            for severity, count in (self.event.counts or {}).items()
            if self.gate.limits_severity(severity)
        )

    def _without_findings(self, registry: Scan) -> Quiet | Evidence:
        by_counts, why = self._by_counts(), _said(registry)
        is_clear = by_counts is not None and not (by_counts.has_failed and self.gate.has_filters)
        if not self._is_old and (by_counts is None or (not is_clear and registry.status in _COMING)):
            raise self._not_ready(why)
        if by_counts is None:
            return Quiet("NotJudged", f"the event has no counts, and {why}")
        if self.state.as_of is not None and self.event.event_time < self.state.as_of:
            return Quiet("Outdated", f"what is known of the image is newer: {self.state.as_of.isoformat()}")
        # An event from the future must not hide what follows.
        return Evidence(by_counts, min(self.event.event_time, self.ports.now()), why)

    def _by_inspector(self) -> Evidence:
        if not self.event.is_inspectors:
            raise self._not_ready("what ECR lists are not the findings of this scan yet")
        judgement = self._read_from_inspector()
        if not judgement.has_failed and not self._agrees(judgement):
            raise self._not_ready("Inspector does not list yet all that this scan found")
        return self._evidence(judgement)


@dataclass(frozen=True)
class _OfFinding(_Weighing):
    """One finding that came, changed or went."""

    event: FindingEvent

    def _needs_no_look(self) -> Quiet | None:
        said = f"{self.event.finding.id} ({self.event.status})"
        if not self._counts and not self.state.has_failed:
            return Quiet("NotCounted", f"{said} does not count against the gate")
        if self.state.marks is not None and self._is_as_in(self.state.marks):
            return Quiet("Known", f"{said} changes nothing of what is known of this image")
        return None

    @property
    def _counts(self) -> bool:
        return self.event.status == _ACTIVE and self.gate.counts(self.event.finding)

    def _is_as_in(self, marks: tuple[str, ...]) -> bool:
        """Tell whether what counts has the finding as the event has it."""
        if self._counts:
            return self.event.finding.mark in marks
        return all(key_of(mark) != self.event.finding.key for mark in marks)

    def _agrees(self, listed: Judgement) -> bool:
        if listed.marks is not None:
            return self._is_as_in(listed.marks)
        # Not all was read; but what was read is too much already.
        return listed.has_failed and listed.is_proven

    def _without_findings(self, registry: Scan) -> Quiet:
        # A finding that went lets no image pass of which nothing is known; one that came has to be judged.
        if self.event.status == _ACTIVE and not self._is_old:
            raise self._not_ready(_said(registry))
        return Quiet("NotJudged", _said(registry))

    def _by_inspector(self) -> Evidence:
        judgement = self._read_from_inspector()
        if not self._agrees(judgement) and not self._is_explained():
            raise self._not_ready(f"Inspector lists {self.event.finding.id} otherwise than the event has it")
        return self._evidence(judgement)

    def _is_explained(self) -> bool:
        """Tell whether Inspector has the finding as something else by now, such as closed or less severe."""
        arn = self.event.finding.arn
        current = None if arn is None else self.ports.scans.find(arn)
        if current is None:
            return not self._counts
        return current.is_active != (self.event.status == _ACTIVE) or current.mark != self.event.finding.mark


def _said(registry: Scan) -> str:
    said = f" ({registry.description})" if registry.description else ""
    return f"ECR has no findings of it: its scan is {registry.status}{said}"
