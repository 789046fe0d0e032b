"""What is told at once in one channel: one outcome, those of one push, or a digest of many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, Self, TypeVar

from ecr_warden.domain.outcomes import Outcome, OutcomeKind
from ecr_warden.domain.policy import Mode, Severity

# Of each trait, the most that one reads or filters by; only repositories, and accounts, can be more.
_VALUES: Final = 100

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Traits:
    """What some outcomes have, each value once, in their order, and at most the first hundred of each."""

    kinds: tuple[OutcomeKind, ...]
    severities: tuple[Severity, ...]
    modes: tuple[Mode, ...]
    actions: tuple[str, ...]
    changed: tuple[bool, ...]
    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    repositories: tuple[str, ...]

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Self:
        """Collect the traits of outcomes."""
        return cls(
            kinds=_distinct([outcome.kind for outcome in outcomes]),
            severities=_distinct([outcome.severity for outcome in outcomes]),
            modes=_distinct([outcome.mode for outcome in outcomes]),
            actions=_distinct([outcome.action for outcome in outcomes]),
            changed=_distinct([outcome.changed for outcome in outcomes]),
            accounts=_distinct([outcome.account for outcome in outcomes]),
            regions=_distinct([outcome.region for outcome in outcomes]),
            repositories=_distinct([outcome.repository for outcome in outcomes]),
        )


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
    traits
        What all of them have, not only those that are shown: what machines choose messages by.

    """

    counts: tuple[tuple[str, int], ...]
    total: int
    first: datetime
    last: datetime
    severity: Severity
    link: str
    traits: Traits


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

    @property
    def total(self) -> int:
        """How many outcomes it tells of, those that a digest does not show among them."""
        return self.digest.total if self.digest else len(self.outcomes)

    @property
    def traits(self) -> Traits:
        """What the outcomes have that it tells of, as ``total`` counts them."""
        return self.digest.traits if self.digest else Traits.of(self.outcomes)


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


def _distinct(values: Sequence[_Value]) -> tuple[_Value, ...]:
    return tuple(islice(dict.fromkeys(values), _VALUES))
