"""How many things a plan found, and what came of changing them."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from ecr_warden.domain.sweep.visits import Repair, RepairStatus

# What a plan's file does not have of the repositories that are asked for.
_UNKNOWN: Final = frozenset({"repositories", "compliant", "gone"})


@dataclass
class Tally:
    """What a plan found; all but the repositories are settings and tags.

    ``changes`` has those in audit mode too, and ``changed_tags`` are those among them that are of tags.
    ``changed_repositories`` and ``changed_registries`` are where they are: a registry's own documents are
    apart from its repositories. ``is_of_file`` is whether it was counted in a plan's file.
    """

    is_of_file: bool = False
    repositories: int = 0
    changes: int = 0
    changed_tags: int = 0
    in_audit: int = 0
    changed_repositories: int = 0
    changed_registries: int = 0
    violations: int = 0
    kept: int = 0
    compliant: int = 0
    exempt: int = 0
    gone: int = 0
    unseen: int = 0

    @property
    def to_apply(self) -> int:
        """How many changes the policy asks to make."""
        return self.changes - self.in_audit

    def __str__(self) -> str:
        """Say it in one sentence."""
        looked = counted(self.repositories, "repository", "repositories")
        return f"Plan: {', '.join(self._parts())}{'' if self.is_of_file else f'; {looked} looked at'}."

    def known(self) -> Mapping[str, int]:
        """Give the counts by name, without those that are not known."""
        left_out = {"is_of_file"} | (_UNKNOWN if self.is_of_file else set())
        return {name: number for name, number in asdict(self).items() if name not in left_out}

    def _parts(self) -> Iterator[str]:
        if self.changes:
            audit = f" ({self.in_audit} in audit mode)" if self.in_audit else ""
            yield f"{self._what()} to change in {self._where()}{audit}"
        else:
            yield "nothing to change"
        if self.violations:
            yield f"{self.violations} need{'s' * (self.violations == 1)} a person"
        for number, what in (
            (self.kept, "kept"),
            (self.exempt, "exempt"),
            (self.compliant, "as the policy wants"),
            (self.gone, "deleted meanwhile"),
            (self.unseen, "could not be looked at"),
        ):
            if number:
                yield f"{number} {what}"

    def _what(self) -> str:
        settings = self.changes - self.changed_tags
        found = [(settings, "setting", "settings"), (self.changed_tags, "tag", "tags")]
        return " and ".join(counted(*one) for one in found if one[0])

    def _where(self) -> str:
        found = []
        if self.changed_repositories:
            found.append(counted(self.changed_repositories, "repository", "repositories"))
        if self.changed_registries == 1:
            found.append("the registry")
        elif self.changed_registries:
            found.append(f"{self.changed_registries} registries")
        return " and ".join(found)


@dataclass
class Done:
    """What came of the changes.

    ``left`` were not begun, as somebody asked to stop. ``has_written`` is whether there is anything to take
    back: something was changed, if only half-way.
    """

    statuses: dict[RepairStatus, int] = field(default_factory=lambda: dict.fromkeys(RepairStatus, 0))
    left: int = 0
    has_written: bool = False

    def add(self, repair: Repair) -> None:
        """Count what came of one change."""
        self.statuses[repair.status] += 1
        is_half_way = repair.status is RepairStatus.FAILED and repair.change_id is not None
        self.has_written |= is_half_way or repair.status is RepairStatus.CHANGED

    def __str__(self) -> str:
        """Say it in one sentence."""
        parts = [f"{number} {_WORDS[status]}" for status, number in self.statuses.items() if number]
        if self.left:
            parts.append(f"{self.left} not begun")
        return f"Apply: {', '.join(parts) or 'nothing was to do'}."

    def known(self) -> Mapping[str, int]:
        """Give the counts by name."""
        return {status.value: number for status, number in self.statuses.items()} | {"left": self.left}

    @property
    def is_well(self) -> bool:
        """Whether all that was to be changed is as the policy wants it, or as somebody chose."""
        bad = self.statuses[RepairStatus.FAILED] + self.statuses[RepairStatus.SKIPPED]
        return bad == 0 and self.left == 0


_WORDS = {
    RepairStatus.CHANGED: "changed",
    RepairStatus.ALREADY: "so already",
    RepairStatus.KEPT: "kept",
    RepairStatus.GONE: "deleted meanwhile",
    RepairStatus.SKIPPED: "skipped",
    RepairStatus.FAILED: "failed",
}


def counted(number: int, one: str, more: str | None = None) -> str:
    """Say how many there are of something; ``more`` is its plural, where that is not ``one`` with an s."""
    return f"{number} {one if number == 1 else more or f'{one}s'}"
