"""What a repository and its registry have now, as values."""

from dataclasses import dataclass
from datetime import datetime

from ecr_warden.domain.policy import ScanFrequency, ScanType


@dataclass(frozen=True)
class Mutability:
    """A repository's tag mutability: one of ECR's four modes, and its exclusions' wildcards."""

    mode: str = "MUTABLE"
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Repository:
    """What DescribeRepositories gives of one repository; ``kms_key`` is ``None`` with AES256."""

    name: str
    mutability: Mutability = Mutability()
    scan_on_push: bool = False
    encryption_type: str = "AES256"
    kms_key: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class RegistryDestination:
    """One destination of a replication rule."""

    region: str
    registry_id: str

    def __str__(self) -> str:
        """Give it as the policy has it: account/Region."""
        return f"{self.registry_id}/{self.region}"


@dataclass(frozen=True)
class ReplicationRule:
    """One rule of a registry's replication configuration.

    Without ``prefixes`` it is for every repository. ``delete_replication`` is ``None`` where the rule does
    not say; it must be put back as it was.
    """

    destinations: tuple[RegistryDestination, ...]
    prefixes: tuple[str, ...] = ()
    delete_replication: bool | None = None


@dataclass(frozen=True)
class ScanningRule:
    """One rule of a registry's scanning configuration: wildcards, in which ``*`` stands for ``/`` too."""

    frequency: ScanFrequency
    filters: tuple[str, ...]


@dataclass(frozen=True)
class RegistryScanning:
    """A registry's scanning configuration."""

    type: ScanType = ScanType.BASIC
    rules: tuple[ScanningRule, ...] = ()
