"""What all rows of a report come to."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ecr_warden.domain.places import Place
from ecr_warden.domain.sweep.rows import RepositoryRow, State
from ecr_warden.domain.sweep.storage_cost import (
    PRICE_PER_GB_MONTH,
    monthly_cost,
    monthly_cost_of_registry,
)


@dataclass
class ReportTotals:
    """Numbers that grow with each row; bytes are by registry, as archived ones are billed."""

    price: float = PRICE_PER_GB_MONTH
    states: Counter[State] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    drifted: int = 0
    images: int = 0
    never_pulled: int = 0
    scanned: int = 0
    expired_bytes: int = 0
    archived_bytes: int = 0
    standard: Counter[Place] = field(default_factory=Counter)
    archive: Counter[Place] = field(default_factory=Counter)

    def add(self, row: RepositoryRow) -> None:
        """Count one more repository."""
        self.states[row.state] += 1
        self.repairs.update(row.repair_counts)
        self.drifted += row.has_drifted
        if row.images is not None:
            place = Place(row.account, row.region)
            self.standard[place] += row.images.standard_bytes
            self.archive[place] += row.images.archive_bytes
            self.images += row.images.images
            self.never_pulled += row.images.never_pulled
        if row.lifecycle is not None:
            self.expired_bytes += row.lifecycle.expired_bytes
            self.archived_bytes += row.lifecycle.archived_bytes
        if row.vulnerabilities is not None:
            self.scanned += row.vulnerabilities.scanned
            for severity in row.vulnerabilities.counts:
                self.findings[severity] += row.vulnerabilities.of(severity)

    @property
    def repositories(self) -> int:
        """How many repositories there are."""
        return self.states.total()

    @property
    def compliant_share(self) -> float | None:
        """The part of the repositories that is as the policy wants it; ``None`` where it is for none."""
        judged = sum(number for state, number in self.states.items() if state.is_judged)
        well = sum(number for state, number in self.states.items() if state.is_well)
        return well / judged if judged else None

    @property
    def size(self) -> int:
        """All images' bytes."""
        return self.standard.total() + self.archive.total()

    @property
    def monthly_cost(self) -> float:
        """The dollars that all images cost a month, at most."""
        places = {*self.standard, *self.archive}
        return sum(
            monthly_cost_of_registry(self.standard[one], self.archive[one], self.price) for one in places
        )

    @property
    def monthly_savings(self) -> float:
        """The dollars a month that the policy's lifecycle rules would save by deleting, at most."""
        return monthly_cost(self.expired_bytes, self.price)

    def as_json(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "repositories": self.repositories,
            "compliant_share": self.compliant_share,
            "states": {state.value: number for state, number in sorted(self.states.items())},
            "drifted": self.drifted,
            "repairs": dict(sorted(self.repairs.items())),
            "findings": dict(sorted(self.findings.items())),
            "images": self.images,
            "never_pulled": self.never_pulled,
            "bytes": self.size,
            "archive_bytes": self.archive.total(),
            "lifecycle_expires_bytes": self.expired_bytes,
            "lifecycle_archives_bytes": self.archived_bytes,
            "price_per_gb_month": self.price,
            "monthly_cost_at_most": round(self.monthly_cost, 2),
            "monthly_savings_at_most": round(self.monthly_savings, 2),
        }
