"""What a sweep says of a repository: one judgement for each section, or for each tag that breaks a rule."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from ecr_warden.domain.events import ImageAction
from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Mode, RuleReference
from ecr_warden.domain.settings.decide import Planned
from ecr_warden.domain.settings.native import REGISTRY
from ecr_warden.domain.tag_rules import Violation

TAGS: Final = "tags"


class Standing(StrEnum):
    """How a section of a repository is, or one of its tags."""

    COMPLIANT = "compliant"
    DIFFERS = "differs"
    KEPT = "kept"
    VIOLATION = "violation"
    EXEMPT = "exempt"
    UNREAD = "unread"


@dataclass(frozen=True)
class TagProblem:
    """A tag that breaks a rule, as a push of it would be judged now."""

    push: ImageAction
    violation: Violation


# What acting on a judgement needs.
Ground: TypeAlias = Planned | TagProblem


@dataclass(frozen=True)
class Judgement:
    """What was found about one setting of a repository, or about one tag that breaks a rule.

    Attributes
    ----------
    repository
        ``REGISTRY`` where it is of the registry's one document, and of no repository by itself.
    setting
        A ``Setting``, or ``TAGS``.
    standing
        ``DIFFERS``: it can be put as the policy wants it, which is done where ``mode`` is enforce. ``KEPT``:
        somebody chose it, or something uses it; of a tag, a person must act, too. ``VIOLATION``: a person
        must act. ``UNREAD``: it could not be looked at.
    what, next_step
        Sentences without their stops; empty where there is nothing to say.
    before, after
        Plain JSON as the journal keeps it, of what ``DIFFERS``; a tag's are its name and digest. Of a tag
        that is ``KEPT``, what would be changed.
    image_digest, image_tag
        Of a tag.
    ground
        What it was found by; none in a judgement that was read from a file.

    """

    place: Place
    repository: str
    section: str
    setting: str
    standing: Standing
    mode: Mode
    rule: RuleReference
    what: str = ""
    next_step: str = ""
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    image_digest: str | None = None
    image_tag: str | None = None
    ground: Ground | None = field(default=None, compare=False, repr=False)

    @property
    def is_to_apply(self) -> bool:
        """Whether the policy asks to change it."""
        return self.standing is Standing.DIFFERS and self.mode is Mode.ENFORCE

    @property
    def is_registry_wide(self) -> bool:
        """Whether it is about the registry's one document: many repositories may lead to the same."""
        return self.setting in _DOCUMENTS

    @property
    def of_registry(self) -> bool:
        """Whether no one repository is the cause of it."""
        return self.repository == REGISTRY


_DOCUMENTS: Final = frozenset({"replicate_to", "scanning"})
