"""An image as a registry lists it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ListedImage:
    """What DescribeImages says of one image.

    Attributes
    ----------
    pulled_at
        ``None`` where no pull is recorded.
    storage_class
        ``STANDARD`` or ``ARCHIVE``, as ECR's lifecycle rules call them in capitals.
    subject
        The digest of the image that this one (a signature, an SBOM) is about.
    finding_counts
        Findings of the last scan by ECR's severities (``CRITICAL`` …, those with none left out); ``None``
        where there is no scan.

    """

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime
    size: int = 0
    pulled_at: datetime | None = None
    storage_class: str = "STANDARD"
    archived_at: datetime | None = None
    activated_at: datetime | None = None
    media_type: str | None = None
    artifact_media_type: str | None = None
    subject: str | None = None
    finding_counts: tuple[tuple[str, int], ...] | None = None
    scanned_at: datetime | None = None

    @property
    def is_archived(self) -> bool:
        """Whether nobody can pull it."""
        return self.storage_class == "ARCHIVE"
