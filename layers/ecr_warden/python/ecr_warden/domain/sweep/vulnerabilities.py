"""How many vulnerabilities a repository's images have, by severity and by how long the images are there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ecr_warden.domain.finding_summary import FindingSeverity
from ecr_warden.domain.sweep.images import ListedImage

# The most days since its push that an image of a bucket is old; the last bucket has no end.
AGES: Final = (7, 30, 90, 365, None)


@dataclass(frozen=True)
class Vulnerabilities:
    """The findings of the last scan of each image.

    ``counts`` has for each ``FindingSeverity`` a number for each of ``AGES``; severities that no image has a
    finding of are left out. A vulnerability counts in each image that has it. Archived images do not count:
    nobody can pull them.
    """

    scanned: int = 0
    not_scanned: int = 0
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def of(self, severity: str) -> int:
        """Give how many there are of a severity."""
        return sum(self.counts.get(severity, ()))


def vulnerabilities(images: Sequence[ListedImage], now: datetime) -> Vulnerabilities:
    """Count the findings that a listing has."""
    pullable = [one for one in images if not one.is_archived and one.subject is None]
    counts: dict[str, list[int]] = {}
    for image in pullable:
        for severity, number in _findings(image):
            counts.setdefault(severity, [0] * len(AGES))[_bucket(now - image.pushed_at)] += number
    scanned = sum(one.finding_counts is not None for one in pullable)
    return Vulnerabilities(
        scanned,
        len(pullable) - scanned,
        {severity: tuple(counts[severity]) for severity in FindingSeverity if severity in counts},
    )


def _findings(image: ListedImage) -> Iterator[tuple[str, int]]:
    known = frozenset(FindingSeverity)
    for severity, number in image.finding_counts or ():
        lower = severity.lower()
        # UNTRIAGED, and what a scanner may come up with.
        yield (lower if lower in known else FindingSeverity.UNDEFINED.value), number


def _bucket(age: timedelta) -> int:
    return next(at for at, days in enumerate(AGES) if days is None or age <= timedelta(days=days))
