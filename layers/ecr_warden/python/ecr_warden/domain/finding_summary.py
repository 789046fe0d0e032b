"""What an outcome says of an image's findings; all that a push needs to know of scans."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class FindingSeverity(StrEnum):
    """The severities of findings that a gate can limit, worst first.

    ``undefined`` is what basic scans call UNDEFINED and Inspector calls UNTRIAGED.
    """

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFORMATIONAL = "informational"
    UNDEFINED = "undefined"


@dataclass(frozen=True)
class FindingShown:
    """A finding as people are told of it: one package of it, and how many more there are."""

    id: str
    severity: str
    package: str | None = None
    installed_version: str | None = None
    fixed_version: str | None = None
    more_packages: int = 0
    url: str | None = None
    exploit_available: bool | None = None
    epss: float | None = None


@dataclass(frozen=True)
class FindingChanges:
    """What is otherwise than in another scan: numbers, and the first few by their ids.

    ``compared_with`` says with what: ``the last scan of this image``, or an earlier image.
    """

    compared_with: str
    new: int
    fixed: int
    still_there: int
    new_ids: tuple[str, ...] = ()
    fixed_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class FindingsSummary:
    """What an outcome says of an image's findings.

    Attributes
    ----------
    counts
        How many there are of each severity.
    counted
        How many of them count against the gate.
    allowed
        How many the gate allows.
    worst
        The worst that count, worst first.
    changes
        ``None`` where there is nothing to compare with, or too much was left unread.
    is_complete
        Whether all findings were read; if not, ``counted`` and ``worst`` are of those that were.

    """

    counts: Mapping[str, int]
    counted: Mapping[str, int]
    allowed: Mapping[str, int]
    worst: tuple[FindingShown, ...] = ()
    changes: FindingChanges | None = None
    is_complete: bool = True
