"""Images and what is done to them, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ecr_warden.domain.policy import RuleReference


@dataclass(frozen=True)
class Manifest:
    """A manifest as BatchGetImage gives it; ``body`` must be put back to the byte."""

    digest: str
    body: str
    media_type: str


@dataclass(frozen=True)
class Change:
    """One entry of the journal: what is changed, from what to what, why.

    ``before`` and ``after`` are plain JSON; ``after`` is ``None`` for what is removed. ``id`` comes from
    the outcome's, so that a retried event finds its own entry. ``created_by`` is who created a new
    repository, where the event says so.
    """

    id: str
    account: str
    region: str
    repository: str
    section: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    event_id: str
    rule: RuleReference
    begun_at: datetime
    created_by: str | None = None
