"""A registry with scans, as fakes of the ports: what tests of the scan gate judge by."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.fakes import NOW, FakePorts, FakeScans, FakeScanStates, FakeStorage

from ecr_warden.domain.finding_summary import FindingSeverity
from ecr_warden.domain.findings import Finding
from ecr_warden.domain.policy import Mode, Policy, Rule, ScanGate
from ecr_warden.domain.scan_events import FindingEvent, ImageScan, ScanCoverage
from ecr_warden.use_cases.judge_scan import judge_scan

DIGEST = "sha256:" + "ab" * 32
SCANNED = NOW - timedelta(minutes=6)
ABOUT = {
    "account": "123456789012",
    "region": "eu-west-1",
    "repository_name": "team/app",
    "image_digest": DIGEST,
    "image_tags": ("1.0",),
}


def a_finding(vulnerability="CVE-2026-1", severity="critical", **facts):
    return Finding(id=vulnerability, severity=severity, arn=f"arn:{vulnerability}", **facts)


def counts_of(findings):
    counts = {}
    for finding in findings:
        counts[finding.severity] = counts.get(finding.severity, 0) + 1
    return counts


@dataclass
class ScanPorts(FakePorts):
    """All that judging needs."""

    scans: FakeScans = field(default_factory=FakeScans)
    storage: FakeStorage = field(default_factory=FakeStorage)
    states: FakeScanStates = field(default_factory=FakeScanStates)
    time: datetime = NOW

    def now(self):
        return self.time


def a_policy(mode=Mode.ENFORCE, **gate):
    limits = gate.pop("limits", {"critical": 0})
    rules = ScanGate(9, max=tuple((FindingSeverity(name), most) for name, most in limits.items()), **gate)
    return Policy("policy.yaml", mode=mode, rules=(Rule(8, ("**",), scan_gate=rules),))


class Story:
    """One image of a repository, its scanners, and the events that came of it."""

    def __init__(self, **gate):
        self.ports = ScanPorts()
        # What is archived is not scanned.
        self.ports.scans.archived = self.ports.storage.archived
        self.ports.registry.push("team/app", DIGEST, "1.0")
        self.ports.storage.add(DIGEST, "1.0")
        self.finds()
        self.policy = a_policy(**gate)

    def finds(self, *findings, digest=DIGEST, at=SCANNED, status="COMPLETE"):
        self.ports.scans.finds(digest, *findings, at=at, status=status)

    def judge(self, event):
        return judge_scan(event, policy=self.policy, ports=self.ports)

    @property
    def told(self):
        """The outcomes as people hear of them: each id once."""
        return list({outcome.id: outcome for outcome in self.ports.publisher.outcomes}.values())

    @property
    def kinds(self):
        return [outcome.kind.value for outcome in self.told]


def a_scan(
    *findings, counts=None, at=SCANNED, status="COMPLETE", event="scan-1", scanner="ECR Image Scan", **about
):
    return ImageScan(
        event_id=event,
        event_time=at,
        detail_type=scanner,
        status=status,
        counts=counts_of(findings) if counts is None else counts,
        **{**ABOUT, **about},
    )


def a_finding_event(finding, status="ACTIVE", at=SCANNED, event="finding-1", **about):
    return FindingEvent(
        event_id=event,
        event_time=at,
        detail_type="Inspector2 Finding",
        finding=finding,
        status=status,
        **{**ABOUT, **about},
    )


def a_coverage(reason, status="INACTIVE", event="coverage-1"):
    return ScanCoverage(
        event_id=event,
        event_time=SCANNED,
        detail_type="Inspector2 Coverage",
        status=status,
        reason=reason,
        **ABOUT,
    )
