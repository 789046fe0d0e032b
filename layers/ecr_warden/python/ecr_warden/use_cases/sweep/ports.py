"""What looking at a registry, and repairing it, needs."""

from dataclasses import dataclass
from typing import Protocol

from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.policy import Mode
from ecr_warden.domain.resolution import SETTINGS_SECTIONS
from ecr_warden.domain.sweep.judgements import TAGS
from ecr_warden.ports import Repositories, SettingsRegistry
from ecr_warden.use_cases.settings_changes import ChangePorts
from ecr_warden.use_cases.tag_actions import TagActionPorts

SWEPT_SECTIONS = (*SETTINGS_SECTIONS, TAGS)


class VisitPorts(Protocol):
    """What looking needs. All of it may be used by several threads at once."""

    @property
    def repositories(self) -> Repositories:
        """The registry's repositories and images."""

    @property
    def settings(self) -> SettingsRegistry:
        """The registry's settings."""


class RepairPorts(VisitPorts, ChangePorts, TagActionPorts, Protocol):
    """What repairing needs."""


@dataclass(frozen=True)
class Scope:
    """What of a registry is looked at.

    Attributes
    ----------
    repositories
        Globs; without any, all.
    sections
        Sections of the policy, of ``SWEPT_SECTIONS``.
    modes
        The modes of rules whose judgements count.
    with_images
        Whether images are listed where no rule about tags needs them.
    with_owners
        Whether the resource tags of all repositories are read at once, to say whose they are.

    """

    repositories: tuple[str, ...] = ()
    sections: frozenset[str] = frozenset(SWEPT_SECTIONS)
    modes: frozenset[Mode] = frozenset(Mode)
    with_images: bool = False
    with_owners: bool = False

    def has(self, repository_name: str) -> bool:
        """Tell whether a repository is looked at."""
        return not self.repositories or any(matches_glob(glob, repository_name) for glob in self.repositories)
