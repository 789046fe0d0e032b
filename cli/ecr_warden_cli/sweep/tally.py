"""How many things a plan found, and what came of changing them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ecr_warden.domain.sweep.visits import RepairStatus


@dataclass
class Tally:
    """What a plan found.

    ``changes`` has those in audit mode too. ``changed_repositories`` and ``changed_registries`` are where
    they are: a registry's own documents are apart from its repositories.
    """

    repositories: int = 0
    changes: int = 0
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
        return f"Plan: {', '.join(self._parts())}."

    def _parts(self) -> Iterator[str]:
        if self.changes:
            audit = f" ({self.in_audit} in audit mode)" if self.in_audit else ""
            yield f"{self.changes} to change in {self._where()}{audit}"
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
    """What came of the changes; ``left`` were not begun, as somebody asked to stop."""

    statuses: dict[RepairStatus, int] = field(default_factory=lambda: dict.fromkeys(RepairStatus, 0))
    left: int = 0

    def __str__(self) -> str:
        """Say it in one sentence."""
        parts = [f"{number} {_WORDS[status]}" for status, number in self.statuses.items() if number]
        if self.left:
            parts.append(f"{self.left} not begun")
        return f"Apply: {', '.join(parts) or 'nothing was to do'}."

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


def counted(number: int, one: str, more: str) -> str:
    """Say how many there are of something."""
    return f"{number} {one if number == 1 else more}"
