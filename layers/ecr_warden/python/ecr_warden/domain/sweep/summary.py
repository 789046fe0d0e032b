"""What a whole run came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Unseen:
    """Something that a run was to look at, and did not.

    ``what`` names it (a registry, a batch of repositories, a repository), ``why`` is a sentence without its
    stop; ``repositories`` is how many there are, ``None`` where nobody knows.
    """

    place: str
    what: str
    why: str
    repositories: int | None = None


@dataclass(frozen=True)
class RunSummary:
    """One run over registries.

    Attributes
    ----------
    places
        The registries that were looked at, as account/Region.
    repositories
        How many repositories were looked at.
    standings
        How many judgements there are of each ``Standing``.
    repairs
        How many changes there are of each ``RepairStatus``.
    unseen
        What was not looked at, and why: with anything here the run is partial.
    scope
        To what the run was narrowed, as in "only repositories that match team/**"; else empty.

    """

    run: str
    started_at: datetime
    ended_at: datetime
    places: tuple[str, ...] = ()
    repositories: int = 0
    standings: Mapping[str, int] = field(default_factory=dict)
    repairs: Mapping[str, int] = field(default_factory=dict)
    unseen: tuple[Unseen, ...] = ()
    scope: str = ""

    @property
    def is_partial(self) -> bool:
        """Whether the run did not see everything, or could not do what it was to."""
        return bool(self.unseen) or self.repairs.get("failed", 0) > 0
