"""The policy, as frozen values: what the file says, checked, with the lines that said it."""

from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum

from ecr_warden.domain.artifacts import Artifact
from ecr_warden.domain.finding_summary import FindingSeverity


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

    @property
    def rank(self) -> int:
        """How many are worse: none than critical."""
        return tuple(Severity).index(self)


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


class ScanType(StrEnum):
    """A registry's type of scanning, in ECR's words."""

    BASIC = "BASIC"
    ENHANCED = "ENHANCED"


class ScanFrequency(StrEnum):
    """How often images are scanned, in ECR's words, least first.

    Where several of a registry's filters match a repository, ECR takes the most frequent.
    """

    MANUAL = "MANUAL"
    SCAN_ON_PUSH = "SCAN_ON_PUSH"
    CONTINUOUS_SCAN = "CONTINUOUS_SCAN"


@dataclass(frozen=True)
class TagMutability:
    """A rule's ``tag_mutability`` section. Tags that match a wildcard of ``excluded`` are the other way."""

    line: int
    immutable: bool
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lifecycle:
    """A rule's ``lifecycle`` section: ECR's own document as JSON text, or else the shorthand.

    Days and counts are whole numbers from 1; ``None`` asks for no such rule.
    """

    line: int
    document: str | None = None
    keep_last: int | None = None
    keep_tagged: int | None = None
    expire_untagged_after_days: int | None = None
    expire_after_days: int | None = None
    archive_unpulled_after_days: int | None = None
    delete_archived_after_days: int | None = None
    keep: tuple[str, ...] = ()
    quarantine_days: int = 14


@dataclass(frozen=True)
class Scanning:
    """A rule's ``scanning`` section.

    ``type`` and ``frequency`` are for the registry's configuration, ``None`` where the rule leaves it alone.
    ``scan_on_push`` is the repository's own setting, likewise. ``narrow`` has the globs that no filter of the
    registry can express.
    """

    line: int
    type: ScanType | None = None
    frequency: ScanFrequency | None = None
    scan_on_push: bool | None = None
    narrow: tuple[str, ...] = ()


@dataclass(frozen=True)
class Destination:
    """Where images are replicated to; ``account`` is ``None`` for the registry's own."""

    region: str
    account: str | None = None


@dataclass(frozen=True)
class Replication:
    """A rule's ``replicate_to`` section. With ``backfill``, what was pushed before is replicated too.

    ``narrow`` has the globs that no prefix can express.
    """

    line: int
    destinations: tuple[Destination, ...]
    backfill: bool = False
    narrow: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResourceTags:
    """A rule's ``resource_tags`` section: tags that are set, in pairs, and keys that must be there.

    A value may have ``{creator}`` and ``{created_at}``.
    """

    line: int
    set: tuple[tuple[str, str], ...] = ()
    require: tuple[str, ...] = ()


@dataclass(frozen=True)
class RepositoryPolicy:
    """A rule's ``repository_policy`` section: an IAM policy document as JSON text.

    With ``merge``, its statements are put into a policy that is there, each by its Sid.
    """

    line: int
    document: str
    merge: bool = False


@dataclass(frozen=True)
class Encryption:
    """A rule's ``encryption`` section: AES256, KMS or KMS_DSSE, and the key's ARN where it matters."""

    line: int
    type: str
    kms_key: str | None = None


class ScanAction(StrEnum):
    """What a gate asks for when an image fails it, or could not be scanned."""

    IGNORE = "ignore"
    NOTIFY = "notify"
    QUARANTINE = "quarantine"


@dataclass(frozen=True)
class IgnoredVulnerability:
    """A vulnerability that does not count until the end of a day (UTC), and why.

    ``vulnerability`` is an id as the file has it, to be compared without regard to case. ``repository`` is a
    glob, ``package`` a package's name; ``None`` is for all.
    """

    line: int
    vulnerability: str
    until: date
    reason: str
    repository: str | None = None
    package: str | None = None


@dataclass(frozen=True)
class ScanGate:
    """A rule's ``scan_gate`` section.

    Attributes
    ----------
    max
        The most findings of a severity that pass, in pairs; a severity that is not there has no limit.
    fixable_only, exploitable_only, min_epss
        What a finding must be to count. What the scanner does not say of a finding counts.
    grace_days
        For how many days after a finding was first observed it does not count, by severity, in pairs.
    on_scan_failed
        What is done where an image could not be scanned.
    even_in_use
        Whether an image is quarantined that a workload uses.

    """

    line: int
    max: tuple[tuple[FindingSeverity, int], ...]
    fixable_only: bool = False
    exploitable_only: bool = False
    min_epss: float | None = None
    ignore: tuple[IgnoredVulnerability, ...] = ()
    grace_days: tuple[tuple[FindingSeverity, int], ...] = ()
    on_failure: ScanAction = ScanAction.NOTIFY
    on_scan_failed: ScanAction = ScanAction.NOTIFY
    even_in_use: bool = False


@dataclass(frozen=True)
class Rule:
    """One entry of ``rules``: the repositories that it is for, and its sections.

    With ``override``, a setting that somebody chose is replaced too.
    """

    line: int
    match: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    mode: Mode | None = None
    tags: TagRules | None = None
    override: bool = False
    tag_mutability: TagMutability | None = None
    lifecycle: Lifecycle | None = None
    scanning: Scanning | None = None
    replicate_to: Replication | None = None
    resource_tags: ResourceTags | None = None
    repository_policy: RepositoryPolicy | None = None
    encryption: Encryption | None = None
    scan_gate: ScanGate | None = None


@dataclass(frozen=True)
class TagException:
    """Tags that pass in some repositories until the end of a day (UTC), and why."""

    line: int
    repository: str
    tag: str
    until: date
    reason: str


class ChannelType(StrEnum):
    """What kind of place people look at."""

    SLACK = "slack"
    SNS = "sns"
    AMAZON_Q = "amazon-q"
    APPRISE = "apprise"
    WEBHOOK = "webhook"


@dataclass(frozen=True)
class Channel:
    """Where people look, or a machine listens.

    Attributes
    ----------
    secret
        The Secrets Manager secret: of an incoming webhook's URL, a Slack bot's token, an Apprise URL, a
        webhook's URL and key. The stack's topics have none.
    conversation
        The Slack conversation to which a bot posts; ``None`` where an incoming webhook does.
    mentions
        In pairs, whom a message about an owner's images mentions: a Slack user group's or user's id.
    fallback
        The channel that is told instead while this one is down.

    """

    name: str
    line: int
    type: ChannelType
    secret: str | None = None
    conversation: str | None = None
    mentions: tuple[tuple[str, str], ...] = ()
    fallback: str | None = None


class Digest(StrEnum):
    """When what is not urgent is told together."""

    QUARTER_HOUR = "15m"
    HOURLY = "hourly"
    DAILY = "daily"


@dataclass(frozen=True)
class QuietHours:
    """From when to when, every day in an IANA time zone, only what is critical is told.

    Where ``start`` is later than ``end``, they last over midnight.
    """

    start: time
    end: time
    time_zone: str


@dataclass(frozen=True)
class Route:
    """Which outcomes go to which channels, and when.

    An empty collection, and ``None``, are for all: kinds, globs of repositories, account ids, Regions,
    owners, modes. ``excluded`` are globs of repositories that the route is not for.
    """

    line: int
    to: tuple[str, ...]
    outcomes: frozenset[str] = frozenset()
    min_severity: Severity = Severity.INFO
    repositories: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    mode: Mode | None = None
    quiet_hours: QuietHours | None = None
    digest: Digest | None = None


@dataclass(frozen=True)
class Messages:
    """The policy's ``messages`` section: what is told together, and what is waited for.

    Attributes
    ----------
    gather_seconds
        For how long an outcome waits for others of the same push.
    burst
        More repositories than these that have outcomes of one kind at the same time are one message.
    identity_wait_seconds
        For how long, at most, an outcome of a push waits for CloudTrail to say who pushed.

    """

    gather_seconds: int = 60
    burst: int = 5
    identity_wait_seconds: int = 0


@dataclass(frozen=True)
class Policy:
    """A whole policy file."""

    file: str
    mode: Mode = Mode.AUDIT
    rules: tuple[Rule, ...] = ()
    exceptions: tuple[TagException, ...] = ()
    vulnerability_exceptions: tuple[IgnoredVulnerability, ...] = ()
    channels: tuple[Channel, ...] = ()
    routes: tuple[Route, ...] = ()
    messages: Messages = Messages()

    def mode_of(self, rule: Rule) -> Mode:
        """Give the mode in which a rule is: its own, or else the policy's."""
        return rule.mode or self.mode

    @property
    def enforced(self) -> tuple[Rule, ...]:
        """The rules that are acted on."""
        return tuple(rule for rule in self.rules if self.mode_of(rule) is Mode.ENFORCE)
