"""What taking changes back needs, and what each kind of change gives for it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ecr_warden.domain.images import Change
from ecr_warden.domain.places import Place
from ecr_warden.domain.undoing import Decision
from ecr_warden.ports import ImageStorage, Journal, Registry, RemovableSettings, RestorableTemplates
from ecr_warden.use_cases.registry_wide import LockPorts


class UndoRegistry(Protocol):
    """One registry, in which changes are taken back."""

    @property
    def registry(self) -> Registry:
        """The registry's images and their tags."""

    @property
    def storage(self) -> ImageStorage:
        """The storage classes of the registry's images."""

    @property
    def settings(self) -> RemovableSettings:
        """The settings of the registry and its repositories."""

    @property
    def templates(self) -> RestorableTemplates:
        """The registry's creation templates."""


class UndoPorts(LockPorts, Protocol):
    """What taking a change back needs."""

    @property
    def place(self) -> Place:
        """Whose credentials are used."""

    @property
    def journal(self) -> Journal:
        """The record of changes."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock, in UTC."""

    def at(self, place: Place) -> UndoRegistry | None:
        """Give a registry, or ``None`` where the credentials do not reach it."""


@dataclass(frozen=True)
class Undoing:
    """One change that is to be taken back; ``entry`` is the journal's of doing so."""

    change: Change
    entry: Change
    registry: UndoRegistry
    locks: LockPorts


@dataclass(frozen=True)
class Way:
    """What was decided, and what puts back what was there before."""

    decision: Decision
    put_back: Callable[[], None] = lambda: None
