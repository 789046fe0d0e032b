"""What ECR Warden decided and did about one event: the value that goes on the bus and to people."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from ecr_warden.domain.finding_summary import FindingsSummary
from ecr_warden.domain.policy import Mode, RuleReference, Severity

_ID_LENGTH = 32


class OutcomeKind(StrEnum):
    """What an outcome is about; on the bus, the event's detail-type."""

    TAG_VIOLATION = "tag_violation"
    REPOSITORY_CONFIGURED = "repository_configured"
    REPOSITORY_INCOMPLETE = "repository_incomplete"
    IMAGE_VULNERABLE = "image_vulnerable"
    IMAGE_RECOVERED = "image_recovered"
    SCAN_FAILED = "scan_failed"
    IMAGE_NOT_SCANNED = "image_not_scanned"
    REPLICATION_FAILED = "replication_failed"
    PULL_THROUGH_CACHE_FAILED = "pull_through_cache_failed"
    LIFECYCLE_RAN = "lifecycle_ran"
    DRIFT_FOUND = "drift_found"
    SWEEP_FINISHED = "sweep_finished"


class SettingStatus(StrEnum):
    """What came of one setting of a repository."""

    CHANGED = "changed"
    WOULD_CHANGE = "would_change"
    KEPT = "kept"
    VIOLATION = "violation"
    FAILED = "failed"


@dataclass(frozen=True)
class SettingOutcome:
    """What was found and done about one setting; ``what`` and ``next_step`` are sentences without stops."""

    section: str
    status: SettingStatus
    what: str
    rule: RuleReference
    mode: Mode
    next_step: str = ""


@dataclass(frozen=True)
class Outcome:
    """One decision and what came of it.

    Attributes
    ----------
    id
        The same for every delivery of the same event, so that it is told once.
    action
        What the policy asks for: ``notify``, ``quarantine`` or ``delete``.
    changed
        Whether anything was done, by this delivery of the event or an earlier one.
    reason
        A sentence: what decided, and what was or was not done.
    next_step
        A sentence: what a person should do.
    event_time
        When the event happened, to tell how late a message is.
    change_ids
        The journal's entries of what was done.
    settings
        Of a repository's settings: what came of each.
    created_by
        Who created the repository, where the event says so.
    findings
        Of an image's scan: how many there are, the worst of them, and what changed.
    owner
        Whose the repository is, by its resource tag ``team`` or ``owner``.
    pushed_by
        Who pushed the image, where CloudTrail said so; known to who tells, not on the bus.

    """

    id: str
    kind: OutcomeKind
    account: str
    region: str
    repository: str
    image_digest: str | None
    image_tag: str | None
    mode: Mode
    decision: str
    action: str
    changed: bool
    reason: str
    next_step: str
    rule: RuleReference | None
    severity: Severity
    event_id: str
    event_time: datetime
    change_ids: tuple[str, ...] = ()
    settings: tuple[SettingOutcome, ...] = ()
    created_by: str | None = None
    findings: FindingsSummary | None = None
    owner: str | None = None
    pushed_by: str | None = None


def name_of(repository: str, image_tag: str | None, image_digest: str | None) -> str:
    """Name an image as people would pull it, or its repository."""
    if image_tag is not None:
        return f"{repository}:{image_tag}"
    return repository if image_digest is None else f"{repository}@{image_digest}"


def outcome_id(  # noqa: PLR0913  # what makes an outcome the same
    kind: OutcomeKind,
    *,
    event_id: str,
    repository: str,
    image_digest: str | None = None,
    image_tag: str | None = None,
    about: tuple[str, ...] = (),
) -> str:
    """Give the id that every delivery of the same event comes to.

    ``about`` tells apart what one event may lead to: settings that fail, and then fewer of them.
    """
    # A tag and a digest have no line break, so no two different lists of parts are the same text.
    parts = (kind.value, event_id, repository, image_digest or "", image_tag or "", *about)
    return sha256("\n".join(parts).encode()).hexdigest()[:_ID_LENGTH]


def change_id(*, event_id: str, repository: str, setting: str) -> str:
    """Give the id of the journal's entry about a setting, the same for every delivery of an event."""
    return sha256(f"{event_id}\n{repository}\n{setting}".encode()).hexdigest()[:_ID_LENGTH]
