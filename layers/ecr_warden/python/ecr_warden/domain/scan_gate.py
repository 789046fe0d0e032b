"""Whether an image's findings pass a rule's scan gate: pure, and in memory that does not grow with them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappush, heapreplace
from typing import Final

from ecr_warden.domain.finding_summary import FindingSeverity
from ecr_warden.domain.findings import Finding, Page
from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.policy import IgnoredVulnerability, Policy, ScanGate

_RANKS: Final = {severity.value: rank for rank, severity in enumerate(FindingSeverity)}
# A severity that nobody knows may be the worst.
_UNKNOWN_RANK: Final = -1
WORST_SHOWN: Final = 10
# What is remembered of an image has to fit into an item of DynamoDB's.
MARKS_KEPT: Final = 1000
# By how much AWS's clock and ours may differ.
_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Gate:
    """A rule's gate as it is for one repository at one time; ``ignored`` has upper-case vulnerability ids.

    ``ignored`` gives for each the packages in which it does not count, ``None`` being all.
    """

    limits: Mapping[str, int]
    now: datetime
    fixable_only: bool = False
    exploitable_only: bool = False
    min_epss: float | None = None
    ignored: Mapping[str, frozenset[str | None]] = field(default_factory=dict)
    grace: Mapping[str, timedelta] = field(default_factory=dict)

    @property
    def has_filters(self) -> bool:
        """Whether a finding of a limited severity may not count, so that counts alone cannot fail it."""
        return bool(
            self.fixable_only
            or self.exploitable_only
            or self.min_epss is not None
            or self.ignored
            or self.grace
        )

    def limits_severity(self, severity: str) -> bool:
        """Tell whether a finding of a severity may count; one that nobody knows always may."""
        return severity in self.limits or severity not in _RANKS

    def counts(self, finding: Finding) -> bool:
        """Tell whether a finding counts; what the scanner does not say of it counts against the image."""
        if not self.limits_severity(finding.severity) or self._is_ignored(finding):
            return False
        if self.fixable_only and finding.fix_available is False:
            return False
        if self.exploitable_only and finding.exploit_available is False:
            return False
        if self.min_epss is not None and finding.epss is not None and finding.epss < self.min_epss:
            return False
        return not self._is_in_grace(finding)

    def fails(self, counted: Mapping[str, int]) -> bool:
        """Tell whether so many findings that count are too many."""
        return bool(self.exceeded(counted))

    def exceeded(self, counted: Mapping[str, int]) -> tuple[str, ...]:
        """Give the severities of which there are too many, worst first.

        Findings of a severity that nobody knows count against every limit.
        """
        unknown = sum(count for severity, count in counted.items() if severity not in _RANKS)
        over = [name for name, limit in self.limits.items() if counted.get(name, 0) + unknown > limit]
        return tuple(sorted(over, key=rank_of))

    def _is_ignored(self, finding: Finding) -> bool:
        packages = self.ignored.get(finding.id.upper())
        if packages is None:
            return False
        # A finding in two packages of which one is excepted still is one in the other.
        return None in packages or bool(
            finding.packages and all(package.name in packages for package in finding.packages)
        )

    def _is_in_grace(self, finding: Finding) -> bool:
        grace = self.grace.get(finding.severity)
        if grace is None or finding.first_observed_at is None:
            return False
        age = self.now - finding.first_observed_at
        # Something observed in the future says nothing about when it was.
        return -_SKEW <= age < grace


def gate_for(rules: ScanGate, policy: Policy, repository_name: str, now: datetime) -> Gate:
    """Give a rule's gate as it is for a repository now, with what the policy excepts."""
    ignored: dict[str, set[str | None]] = {}
    for entry in (*rules.ignore, *policy.vulnerability_exceptions):
        if _is_in_force(entry, repository_name, now):
            ignored.setdefault(entry.vulnerability.upper(), set()).add(entry.package)
    return Gate(
        limits={severity.value: most for severity, most in rules.max},
        now=now,
        fixable_only=rules.fixable_only,
        exploitable_only=rules.exploitable_only,
        min_epss=rules.min_epss,
        ignored={name: frozenset(packages) for name, packages in ignored.items()},
        grace={severity.value: timedelta(days=days) for severity, days in rules.grace_days},
    )


def _is_in_force(entry: IgnoredVulnerability, repository_name: str, now: datetime) -> bool:
    return now.date() <= entry.until and (
        entry.repository is None or matches_glob(entry.repository, repository_name)
    )


def rank_of(severity: str) -> int:
    """Give a severity's place, the worst first; one that nobody knows comes before all."""
    return _RANKS.get(severity, _UNKNOWN_RANK)


@dataclass(frozen=True)
class Judgement:
    """What the gate says of an image.

    Attributes
    ----------
    counts
        How many findings of each severity the image has, as far as it is known.
    counted
        How many of them count, of those that were read.
    listed
        How many were read of each severity, those that are not active too.
    worst
        The worst that count, at most ``WORST_SHOWN``, worst first.
    marks
        ``Finding.mark`` of all that count, worst first; ``None`` where something that may count was not read,
        or they are more than ``MARKS_KEPT``.
    is_complete
        Whether all that may count was read.
    is_proven
        Whether an image that fails does so by what was read, and not only by what is not listed.

    """

    has_failed: bool
    counts: Mapping[str, int]
    counted: Mapping[str, int]
    listed: Mapping[str, int] = field(default_factory=dict)
    worst: tuple[Finding, ...] = ()
    marks: tuple[str, ...] | None = None
    is_complete: bool = False
    is_proven: bool = False


def judge_counts(counts: Mapping[str, int], gate: Gate) -> Judgement:
    """Judge by numbers alone: each finding of a limited severity counts."""
    counted = {name: count for name, count in counts.items() if count and gate.limits_severity(name)}
    return Judgement(gate.fails(counted), counts, counted)


def judge_findings(
    pages: Iterable[Page], gate: Gate, totals: Mapping[str, int] | None, *, to_the_end: bool = False
) -> Judgement:
    """Judge by the findings themselves; no page is asked for once the answer cannot change.

    ``totals`` is how many there are of each severity, if that is known. With ``to_the_end`` all is read.
    """
    tally = _Tally(gate, totals)
    for page in pages:
        for finding in page.findings:
            tally.add(finding)
        if page.is_last:
            break
        if tally.is_decided and not to_the_end:
            return tally.judgement(is_read=False)
    return tally.judgement(is_read=True)


class _Tally:
    """Counts findings, and keeps the worst and the marks of a bounded number of them."""

    def __init__(self, gate: Gate, totals: Mapping[str, int] | None) -> None:
        self._gate = gate
        self._totals = totals
        self._seen: Counter[str] = Counter()
        self._inactive: Counter[str] = Counter()
        self._counted: Counter[str] = Counter()
        self._worst: list[tuple[tuple[float, ...], str, int, Finding]] = []
        self._marks: dict[str, int] = {}

    def add(self, finding: Finding) -> None:
        self._seen[finding.severity] += 1
        if not finding.is_active:
            self._inactive[finding.severity] += 1
            return
        if not self._gate.counts(finding):
            return
        self._counted[finding.severity] += 1
        if len(self._marks) <= MARKS_KEPT:
            self._marks.setdefault(finding.mark, rank_of(finding.severity))
        self._keep_if_worst(finding)

    def _keep_if_worst(self, finding: Finding) -> None:
        # The heap's first is the least bad of those kept. What can be mended comes before what cannot.
        badness = (
            -rank_of(finding.severity),
            finding.exploit_available is True,
            finding.epss or 0.0,
            finding.score or 0.0,
            finding.fix_available is True,
        )
        if len(self._worst) == WORST_SHOWN and badness < self._worst[0][0]:
            return
        # Equal ones in the order of their keys, so that the same findings give the same message.
        item = (badness, _reversed(finding.key), -self._seen.total(), finding)
        if len(self._worst) < WORST_SHOWN:
            heappush(self._worst, item)
        elif item > self._worst[0]:
            heapreplace(self._worst, item)

    @property
    def is_decided(self) -> bool:
        """Whether no finding that is still to be read could change whether the image fails."""
        if self._gate.fails(self._counted):
            return True
        unread = self._unread(is_read=False)
        return unread is not None and not self._gate.fails(self._counted + unread)

    def _unread(self, *, is_read: bool) -> Counter[str] | None:
        """Give how many that may count were not read; ``None`` where it is not known.

        ECR does not say whether its numbers have those that are not active. While pages are left they are
        taken to have none, so that more are expected; at the end to have them, so that no more are missed.
        """
        seen = self._seen if is_read else self._seen - self._inactive
        totals = self._totals or {}
        is_known = self._totals is not None and all(
            count <= totals.get(name, 0) for name, count in seen.items()
        )
        if not is_read and not is_known:
            return None
        limited = {name: count for name, count in totals.items() if self._gate.limits_severity(name)}
        return Counter(limited) - seen

    def judgement(self, *, is_read: bool) -> Judgement:
        """Sum up. ``is_read`` tells whether all pages were."""
        unread = self._unread(is_read=is_read)
        counted = self._counted.copy()
        if is_read and unread:
            # The registry says that there are more than it lists: of those nothing speaks for the image.
            counted += unread
        is_complete = unread is not None and not unread
        marks = sorted(self._marks, key=lambda mark: (self._marks[mark], mark))
        return Judgement(
            has_failed=self._gate.fails(counted),
            counts=dict((self._seen | Counter(self._totals or {})) - self._inactive),
            counted=dict(counted),
            listed=dict(self._seen),
            worst=tuple(item[-1] for item in sorted(self._worst, key=lambda item: item[:3], reverse=True)),
            marks=tuple(marks) if is_complete and len(marks) <= MARKS_KEPT else None,
            is_complete=is_complete,
            is_proven=self._gate.fails(self._counted),
        )


def _reversed(text: str) -> str:
    """Give a text that sorts the other way round."""
    return "".join(chr(0x10FFFF - ord(character)) for character in text)
