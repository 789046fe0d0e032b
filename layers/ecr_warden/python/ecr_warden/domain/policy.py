"""The policy, as frozen values: what the file says, checked, with the lines that said it."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from ecr_warden.domain.artifacts import Artifact


class Mode(StrEnum):
    """Whether a decision is only told, or also acted on."""

    AUDIT = "audit"
    ENFORCE = "enforce"


class TagAction(StrEnum):
    """What a rule asks for when a tag breaks it."""

    NOTIFY = "notify"
    QUARANTINE = "quarantine"
    DELETE = "delete"


class Severity(StrEnum):
    """How much an outcome matters, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


@dataclass(frozen=True)
class RuleReference:
    """Where in a policy a decision comes from: the file, the line of the section, the rule's globs."""

    file: str
    line: int
    match: tuple[str, ...]


@dataclass(frozen=True)
class TagRules:
    """A rule's ``tags`` section. With ``allow`` empty, every tag that is not denied passes."""

    line: int
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    on_violation: TagAction = TagAction.NOTIFY
    artifacts: frozenset[Artifact] = frozenset({Artifact.IMAGE})
    severity: Severity = Severity.MEDIUM


@dataclass(frozen=True)
class Rule:
    """One entry of ``rules``: the repositories that it is for, and its sections."""

    line: int
    match: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    mode: Mode | None = None
    tags: TagRules | None = None


@dataclass(frozen=True)
class TagException:
    """Tags that pass in some repositories until the end of a day (UTC), and why."""

    line: int
    repository: str
    tag: str
    until: date
    reason: str


@dataclass(frozen=True)
class Channel:
    """Where people look. ``secret`` names the Secrets Manager secret of a Slack webhook's URL."""

    name: str
    line: int
    type: str
    secret: str | None = None


@dataclass(frozen=True)
class Route:
    """Which outcomes go to which channels; empty ``outcomes`` are all kinds."""

    line: int
    to: tuple[str, ...]
    outcomes: frozenset[str] = frozenset()
    min_severity: Severity = Severity.INFO


@dataclass(frozen=True)
class Policy:
    """A whole policy file."""

    file: str
    mode: Mode = Mode.AUDIT
    rules: tuple[Rule, ...] = ()
    exceptions: tuple[TagException, ...] = ()
    channels: tuple[Channel, ...] = ()
    routes: tuple[Route, ...] = ()
