"""What is told at once in one channel: one outcome, those of one push, or a digest of many."""

from dataclasses import dataclass
from datetime import datetime

from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.policy import Severity


@dataclass(frozen=True)
class Digest:
    """Many outcomes in one message: how many of what, and where all of them are listed.

    Attributes
    ----------
    counts
        In pairs, a title, such as "Tag quarantined", and how many there are of it, most first.
    total, first, last
        How many there are, and when the first and the last of them happened.
    severity
        That of the worst.
    link
        Where all are listed.

    """

    counts: tuple[tuple[str, int], ...]
    total: int
    first: datetime
    last: datetime
    severity: Severity
    link: str


@dataclass(frozen=True)
class Message:
    """What is told at once in one channel.

    Attributes
    ----------
    outcomes
        At least one, worst first. Of a digest, the first few.
    digest
        Where there are more outcomes than one would read.
    instead_of
        The channel that is down, and why, where this one is told in its place.

    """

    outcomes: tuple[Outcome, ...]
    digest: Digest | None = None
    instead_of: str | None = None

    @property
    def stories(self) -> tuple[str, ...]:
        """The images and repositories that it is about, each once; a digest is about none in particular."""
        return () if self.digest else tuple(dict.fromkeys(story_of(outcome) for outcome in self.outcomes))

    @property
    def severity(self) -> Severity:
        """How much it matters: as the worst that it tells of."""
        return self.digest.severity if self.digest else self.outcomes[0].severity


@dataclass(frozen=True)
class Posted:
    """Where a message is that can be answered and changed: Slack's conversation and timestamp."""

    conversation: str
    timestamp: str


@dataclass(frozen=True)
class Thread:
    """A message that others follow up on: where it is, what it told, and what was told below it since."""

    posted: Posted
    root: Message
    since: tuple[Outcome, ...] = ()


def story_of(outcome: Outcome) -> str:
    """Name what an outcome is about: an image by its digest, or a repository."""
    repository = f"{outcome.account}/{outcome.region}/{outcome.repository}"
    return repository if outcome.image_digest is None else f"{repository}@{outcome.image_digest}"
