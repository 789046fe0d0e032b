"""What a scan finds in an image, as values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ecr_warden.domain.finding_summary import FindingSeverity

# Inspector's word for what basic scans call UNDEFINED.
_SAME: Final = {"untriaged": FindingSeverity.UNDEFINED.value}
# Inspector puts the sum of all severities among the counts.
_NOT_SEVERITIES: Final = frozenset({"total"})


def severity_name(said: str) -> str:
    """Give a severity as ``FindingSeverity`` has it, or in lower case as it was said if nobody knows it."""
    name = said.strip().lower()
    return _SAME.get(name, name)


def severity_counts(said: Mapping[str, int]) -> dict[str, int]:
    """Give counts by ``severity_name``; those that are no severity's are left out."""
    counts: dict[str, int] = {}
    for severity, count in said.items():
        name = severity_name(severity)
        if name not in _NOT_SEVERITIES:
            counts[name] = counts.get(name, 0) + count
    return counts


@dataclass(frozen=True)
class Package:
    """A package in which something was found; ``fixed_version`` is ``None`` where no fix is known."""

    name: str
    installed_version: str | None = None
    fixed_version: str | None = None


@dataclass(frozen=True)
class Finding:
    """One finding of a scan, of either scanner.

    Attributes
    ----------
    id
        The vulnerability's id, such as ``CVE-2024-6119``; the finding's title where it has none.
    severity
        As ``severity_name`` gives it.
    packages
        May be empty: not every finding is about a package.
    arn
        Of Inspector's findings.
    fix_available, exploit_available, epss, first_observed_at
        ``None`` where the scanner does not say. Basic scans say none of the last three.
    score
        CVSS or Inspector's score, 0 to 10.
    is_active
        Whether it is one still: not CLOSED, nor SUPPRESSED by somebody.

    """

    id: str
    severity: str
    packages: tuple[Package, ...] = ()
    url: str | None = None
    arn: str | None = None
    fix_available: bool | None = None
    exploit_available: bool | None = None
    epss: float | None = None
    first_observed_at: datetime | None = None
    score: float | None = None
    is_active: bool = True

    @property
    def key(self) -> str:
        """Tell the finding from others, and find it again in another scan or image."""
        return " ".join((self.id, *sorted({package.name for package in self.packages})))

    @property
    def mark(self) -> str:
        """Tell the finding from itself when its severity was another; its severity and its key."""
        return f"{self.severity.replace(' ', '_')} {self.key}"


@dataclass(frozen=True)
class Page:
    """Some of a scan's findings. ``is_last``: no more come after them."""

    findings: tuple[Finding, ...]
    is_last: bool = False


@dataclass(frozen=True)
class Scan:
    """What the registry has of an image's last scan.

    Attributes
    ----------
    status
        ECR's ``imageScanStatus``: COMPLETE (basic) and ACTIVE (enhanced) have findings. ``NOT_FOUND`` where
        the image was never scanned.
    description
        ECR's words about the status.
    completed_at
        When the findings were last brought up to date.
    counts
        How many findings of each severity (``severity_name``), ``None`` where it is not said.
    pages
        The findings, page by page, each read when it is asked for; once only.

    """

    status: str
    description: str = ""
    completed_at: datetime | None = None
    counts: Mapping[str, int] | None = None
    pages: Iterator[Page] = field(default_factory=lambda: iter(()))

    @property
    def is_archived(self) -> bool:
        """Whether the image is archived, so that nothing is known of it."""
        return self.status == "IMAGE_ARCHIVED"

    @property
    def has_findings(self) -> bool:
        """Whether the scan is over, so that its findings, or that there are none, can be relied on."""
        return self.status in {"COMPLETE", "ACTIVE"}


def key_of(mark: str) -> str:
    """Give the key of the finding that has a mark."""
    return mark.partition(" ")[2]
