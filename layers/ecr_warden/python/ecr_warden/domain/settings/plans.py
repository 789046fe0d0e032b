"""What a planner answers when it compares a setting with what the policy wants."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Setting(StrEnum):
    """What is compared, and written, by itself; two sections of the policy have two of them."""

    TAG_MUTABILITY = "tag_mutability"
    LIFECYCLE = "lifecycle"
    REGISTRY_SCANNING = "scanning"
    SCAN_ON_PUSH = "scan_on_push"
    REPLICATION = "replicate_to"
    RESOURCE_TAGS = "resource_tags"
    REQUIRED_TAGS = "required_tags"
    REPOSITORY_POLICY = "repository_policy"
    ENCRYPTION = "encryption"

    @property
    def section(self) -> str:
        """The policy's section that it belongs to."""
        match self:
            case Setting.SCAN_ON_PUSH:
                return Setting.REGISTRY_SCANNING.value
            case Setting.REQUIRED_TAGS:
                return Setting.RESOURCE_TAGS.value
            case _:
                return self.value


@dataclass(frozen=True)
class Compliant:
    """The setting is as the policy wants it."""


@dataclass(frozen=True)
class Put:
    """The setting is to be written. ``before`` and ``after`` are plain JSON, as the journal keeps them."""

    before: Mapping[str, object] | None
    after: Mapping[str, object]


@dataclass(frozen=True)
class Kept:
    """The setting differs and stays, since somebody chose it; ``reason`` is a sentence without its stop."""

    reason: str


@dataclass(frozen=True)
class Violation:
    """The setting differs and nobody can change it here: a person is told. Sentences without their stops."""

    reason: str
    next_step: str


Plan: TypeAlias = Compliant | Put | Kept | Violation
