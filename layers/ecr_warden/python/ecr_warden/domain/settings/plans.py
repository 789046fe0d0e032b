"""What a planner answers when it compares a setting with what the policy wants."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


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
