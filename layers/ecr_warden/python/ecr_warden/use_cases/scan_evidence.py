"""What an event and the registry's findings, taken together, say of an image.

Events are hints: one that lets an image pass needs no call, and whatever might fail it, or let one that
failed pass again, is judged by what the registry has. So it does not matter in which order events come, or
how often.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from ecr_warden.domain.findings import Finding, Scan
from ecr_warden.domain.scan_events import FindingEvent, ImageScan, ScanEvent
from ecr_warden.domain.scan_gate import Gate, Judgement, judge_counts, judge_findings
from ecr_warden.domain.scan_state import ImageState
from ecr_warden.errors import NotReadyError
from ecr_warden.ports import Scans

_ACTIVE: Final = "ACTIVE"
_ARCHIVED: Final = "IMAGE_ARCHIVED"
# Scans whose findings are still to come; of other scans without findings, none will.
_COMING: Final = frozenset({"NOT_FOUND", "PENDING", "IN_PROGRESS"})


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


def weigh(
    event: ImageScan | FindingEvent, gate: Gate, state: ImageState, ports: EvidencePorts
) -> Quiet | Evidence:
    """Say what an event comes to.

    Raises
    ------
    NotReadyError
        Where the registry does not have the findings yet that the event tells of.
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

    def _read(self, event: ScanEvent) -> Scan:
        return self.ports.scans.read(
            event.repository_name, event.image_digest, with_epss=self.gate.min_epss is not None
        )

    def _judge(self, registry: Scan) -> Judgement:
        return judge_findings(registry.pages, self.gate, registry.counts)

    def _evidence(self, judgement: Judgement, of: datetime, unlisted: str | None = None) -> Evidence:
        """Give evidence that is true until some time; one in the future would hide all that follows."""
        latest = of if self.state.as_of is None else max(of, self.state.as_of)
        return Evidence(judgement, min(latest, self.ports.now()), unlisted)


@dataclass(frozen=True)
class _OfScan(_Weighing):
    """A scan that ended well."""

    scan: ImageScan

    def weigh(self) -> Quiet | Evidence:
        by_counts = self._by_counts()
        if by_counts is not None and not by_counts.has_failed and not self.state.has_failed:
            return Quiet("Passed", "the scan's counts pass the gate")
        registry = self._read(self.scan)
        if registry.status == _ARCHIVED:
            return _archived()
        if not registry.has_findings:
            return self._unlisted(by_counts, registry)
        listed = self._judge(registry)
        if by_counts is not None and self._is_newer_than(registry):
            return self._of_both(by_counts, listed, registry)
        return self._evidence(listed, registry.completed_at or self.scan.event_time)

    def _by_counts(self) -> Judgement | None:
        """Judge by the event's numbers, where it has them of every severity that may count."""
        if self.scan.counts is None or any(map(self.gate.limits_severity, self.scan.unsaid)):
            return None
        return judge_counts(self.scan.counts, self.gate)

    def _is_newer_than(self, registry: Scan) -> bool:
        """Tell whether the event may know what the registry does not."""
        if self.state.as_of is not None and self.scan.event_time <= self.state.as_of:
            return False
        return registry.completed_at is None or registry.completed_at <= self.scan.event_time

    def _of_both(self, by_counts: Judgement, listed: Judgement, registry: Scan) -> Quiet | Evidence:
        """Decide where the event is not older than what the registry has; most often they agree."""
        if listed.has_failed != by_counts.has_failed:
            if by_counts.has_failed and not self.gate.has_filters:
                return self._by_event_alone(by_counts, "ECR does not list yet what this scan found")
            raw = listed.counts if registry.counts is None else registry.counts
            # As many as the event says, of which the filters leave few enough, are no contradiction.
            if not by_counts.has_failed or not judge_counts(raw, self.gate).has_failed:
                raise self._not_ready("what ECR lists are not the findings of this scan yet")
        return self._evidence(listed, registry.completed_at or self.scan.event_time)

    def _unlisted(self, by_counts: Judgement | None, registry: Scan) -> Quiet | Evidence:
        """Judge by the event's counts, where the registry has no findings."""
        why = _without_findings(registry)
        unclear = by_counts is None or (by_counts.has_failed and self.gate.has_filters)
        if unclear and registry.status in _COMING:
            raise self._not_ready(why)
        if by_counts is None:
            return Quiet("NotJudged", f"the event has no counts, and {why}")
        return self._by_event_alone(by_counts, why)

    def _by_event_alone(self, by_counts: Judgement, why: str) -> Quiet | Evidence:
        if self.state.as_of is not None and self.scan.event_time < self.state.as_of:
            return Quiet("Outdated", f"what is known of the image is newer: {self.state.as_of.isoformat()}")
        return self._evidence(by_counts, self.scan.event_time, why)

    def _not_ready(self, why: str) -> NotReadyError:
        image = f"{self.scan.repository_name} {self.scan.image_digest}"
        return NotReadyError(f"{image}, scanned at {self.scan.event_time.isoformat()}: {why}")


@dataclass(frozen=True)
class _OfFinding(_Weighing):
    """One finding that came, changed or went."""

    event: FindingEvent

    def weigh(self) -> Quiet | Evidence:
        finding = self.event.finding
        said = f"{finding.id} ({self.event.status})"
        counts = self.event.status == _ACTIVE and self.gate.counts(finding)
        if not counts and not self.state.has_failed:
            return Quiet("NotCounted", f"{said} does not count against the gate")
        if self.state.keys is not None and (finding.key in self.state.keys) == counts:
            return Quiet("Known", f"{said} changes nothing of what is known of this image")
        registry = self._read(self.event)
        if registry.status == _ARCHIVED:
            return _archived()
        if not registry.has_findings:
            return self._without_findings(registry)
        judgement = self._judge(registry)
        if judgement.keys is not None and (finding.key in judgement.keys) != counts:
            judgement = self._as_inspector_has_it(judgement, judgement.keys)
        return self._evidence(judgement, registry.completed_at or self.event.event_time)

    def _without_findings(self, registry: Scan) -> Quiet:
        why = _without_findings(registry)
        if registry.status in _COMING:
            raise NotReadyError(f"{self.event.repository_name} {self.event.image_digest}: {why}")
        return Quiet("NotJudged", why)

    def _as_inspector_has_it(self, judgement: Judgement, keys: tuple[str, ...]) -> Judgement:
        """Judge again where ECR does not list yet what became of the finding: Inspector knows it first."""
        finding = self.event.finding
        # The event may be an old one: what the finding is now is Inspector's to say.
        current = None if finding.arn is None else self.ports.scans.find_active(finding.arn)
        counts = current is not None and self.gate.counts(current)
        if (finding.key in keys) == counts:
            return judgement
        pages = _overlaid(self._read(self.event).pages, finding.key, current)
        # ECR's numbers are not of this list any more.
        return judge_findings(pages, self.gate, None)


def _overlaid(
    pages: Iterator[tuple[Finding, ...]], key: str, current: Finding | None
) -> Iterator[tuple[Finding, ...]]:
    """Put what is current in the place of a finding."""
    if current is not None:
        yield (current,)
    for page in pages:
        yield tuple(one for one in page if one.key != key)


def _archived() -> Quiet:
    return Quiet("Archived", "the image is archived: it cannot be pulled, and is not scanned")


def _without_findings(registry: Scan) -> str:
    said = f" ({registry.description})" if registry.description else ""
    return f"ECR has no findings of it: its scan is {registry.status}{said}"
