"""What the events about scans, and those of the registry that are only told, say: as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ecr_warden.domain.findings import Finding


@dataclass(frozen=True, kw_only=True)
class RegistryEvent:
    """What every event says."""

    event_id: str
    event_time: datetime
    account: str
    region: str
    detail_type: str


@dataclass(frozen=True, kw_only=True)
class ScanEvent(RegistryEvent):
    """What every event about an image's scan says; ``image_tags`` may be empty, and out of date.

    ``registry`` is the account in whose registry the image is, where the event says so: the administrator of
    an organisation's Inspector gets the events of the other accounts too.
    """

    repository_name: str
    image_digest: str
    image_tags: tuple[str, ...] = ()
    registry: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImageScan(ScanEvent):
    """One ``ECR Image Scan`` or ``Inspector2 Scan`` event.

    ``status`` is the scan's, such as COMPLETE, FAILED, INITIAL_SCAN_COMPLETE. ``counts`` are by
    ``severity_name``; those of severities without findings are left out. ``None``: the event does not say.
    ``unsaid`` are severities that the event may have counted in its total alone: its findings of these are
    among those that are ``undefined`` here.
    """

    status: str
    counts: Mapping[str, int] | None = None
    unsaid: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the scan ended well."""
        return self.status in {"COMPLETE", "INITIAL_SCAN_COMPLETE"}

    @property
    def is_inspectors(self) -> bool:
        """Whether Inspector scanned, and not ECR by itself."""
        return self.detail_type == "Inspector2 Scan"


@dataclass(frozen=True, kw_only=True)
class FindingEvent(ScanEvent):
    """One ``Inspector2 Finding`` event; ``status`` is ACTIVE, CLOSED or SUPPRESSED."""

    finding: Finding
    status: str


@dataclass(frozen=True, kw_only=True)
class ScanCoverage(ScanEvent):
    """One ``Inspector2 Coverage`` event about an image: whether Inspector scans it, and why not.

    ``status`` is ACTIVE or INACTIVE; ``reason`` one of Inspector's, such as UNSUPPORTED_OS.
    """

    status: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Replication(RegistryEvent):
    """One ``ECR Replication Action`` event, which comes in the destination's Region."""

    repository_name: str
    image_digest: str | None
    image_tag: str | None
    result: str
    source_account: str | None
    source_region: str | None


@dataclass(frozen=True, kw_only=True)
class PullThroughCacheSync(RegistryEvent):
    """One ``ECR Pull Through Cache Action`` event."""

    repository_name: str
    image_digest: str | None
    image_tag: str | None
    sync_status: str
    repository_prefix: str | None
    upstream_registry_url: str | None
    failure_code: str | None
    failure_reason: str | None


@dataclass(frozen=True)
class ScanFrequencyChange:
    """How often a repository's images were scanned, and are from now on."""

    repository_name: str
    frequency: str
    previous_frequency: str | None


@dataclass(frozen=True, kw_only=True)
class ScanResourceChange(RegistryEvent):
    """One ``ECR Scan Resource Change`` event."""

    scan_type: str | None
    changes: tuple[ScanFrequencyChange, ...]


@dataclass(frozen=True)
class LifecycleImage:
    """An image that a lifecycle run dealt with; ``size`` in bytes, where the event says it."""

    digest: str
    tags: tuple[str, ...]
    rule_priority: int | None
    size: int | None = None
    failure_code: str | None = None
    failure_reason: str | None = None


@dataclass(frozen=True)
class LifecycleRuleRun:
    """A rule of the policy that ran: its action is ``expire`` or ``transition``."""

    priority: int
    action: str
    description: str


@dataclass(frozen=True, kw_only=True)
class LifecycleRun(RegistryEvent):
    """One ``PolicyExecutionEvent``. ECR splits a run at ten images: several events are of one run."""

    repository_name: str
    rules: tuple[LifecycleRuleRun, ...]
    images: tuple[LifecycleImage, ...]
    failures: tuple[LifecycleImage, ...]
