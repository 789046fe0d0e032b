"""The images of a simulated lifecycle run, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

StorageClass: TypeAlias = Literal["standard", "archive"]


@dataclass(frozen=True)
class SimulatedImage:
    """What ECR's lifecycle rules look at.

    Attributes
    ----------
    pushed_at, pulled_at, archived_at, activated_at
        With a time zone; ``None`` where it never was, or nothing is recorded. ``activated_at`` is when an
        archived image was last restored.
    referenced_by
        The digests of the image indexes that have it.
    subject
        The digest of the image that this one (a signature, an SBOM) is about.

    """

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime
    pulled_at: datetime | None = None
    storage_class: StorageClass = "standard"
    archived_at: datetime | None = None
    activated_at: datetime | None = None
    referenced_by: tuple[str, ...] = ()
    subject: str | None = None

    @property
    def aged_from(self) -> datetime:
        """When it was pushed, or last restored where it ever was: what ECR orders images by."""
        return self.activated_at or self.pushed_at


@dataclass(frozen=True)
class Simulation:
    """What becomes of each image, by its digest.

    Attributes
    ----------
    expire, archive
        By the rules' priority, then oldest first; what goes with its subject comes last.
    keep
        Oldest first.
    reasons
        Of every image, a sentence without its stop.
    priorities
        Of every image that is taken, the ``rulePriority`` of the rule that takes it or its subject.

    """

    expire: tuple[str, ...]
    archive: tuple[str, ...]
    keep: tuple[str, ...]
    reasons: Mapping[str, str]
    priorities: Mapping[str, int] = field(default_factory=dict)
