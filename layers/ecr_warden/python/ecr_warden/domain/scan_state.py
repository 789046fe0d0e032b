"""What is remembered of an image between its scans, so that people hear of it once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ecr_warden.domain.outcomes import Outcome


@dataclass(frozen=True)
class ImageKey:
    """An image, wherever it is."""

    account: str
    region: str
    repository: str
    digest: str


@dataclass(frozen=True)
class ImageState:
    """What the gate last said of an image.

    Attributes
    ----------
    version
        Counts what was decided; 0 where nothing was yet. A new state is written only over the one before it.
    has_failed
        Whether the gate failed.
    as_of
        Until when what is known of the image is true; events from before are not news.
    marks
        The ``Finding.mark`` of what counted against the gate; ``None`` where not all was read.
    counts
        How many findings there were of each severity.
    untold
        An outcome that was decided, and not yet acted on and published.
    holder, held_until
        The event whose handling does that, and until when others leave it to it.
    change_ids
        The journal's entries of what was done to the image.
    told
        How many outcomes there were of the image.
    """

    version: int = 0
    has_failed: bool = False
    as_of: datetime | None = None
    marks: tuple[str, ...] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    untold: Outcome | None = None
    holder: str | None = None
    held_until: datetime | None = None
    change_ids: tuple[str, ...] = ()
    told: int = 0

    @property
    def settled(self) -> "ImageState":
        """The state when its outcome is told."""
        return replace(self, untold=None, holder=None, held_until=None)
