"""The models of settings become the domain's values."""

from typing import Final

from ecr_warden.domain.policy import (
    Destination,
    Encryption,
    Lifecycle,
    Replication,
    RepositoryPolicy,
    ResourceTags,
    ScanFrequency,
    Scanning,
    ScanType,
    TagMutability,
)
from ecr_warden_cli.policy.settings_model import (
    EncryptionModel,
    LifecycleModel,
    ReplicationModel,
    RepositoryPolicyModel,
    ResourceTagsModel,
    ScanningModel,
    TagMutabilityModel,
    as_json_text,
)

_FREQUENCIES: Final = {
    "scan_on_push": ScanFrequency.SCAN_ON_PUSH,
    "continuous": ScanFrequency.CONTINUOUS_SCAN,
    "manual": ScanFrequency.MANUAL,
}


def tag_mutability(model: TagMutabilityModel, line: int) -> TagMutability:
    """Give the section's value."""
    return TagMutability(line, model.immutable, tuple(model.excluded))


def lifecycle(model: LifecycleModel, line: int) -> Lifecycle:
    """Give the section's value."""
    shorthand = model.model_dump(exclude={"rules", "keep"})
    document = None if model.rules is None else as_json_text({"rules": model.rules})
    return Lifecycle(line, document, keep=tuple(model.keep), **shorthand)


def scanning(model: ScanningModel, line: int) -> Scanning:
    """Give the section's value."""
    return Scanning(
        line,
        type=None if model.type is None else ScanType(model.type.upper()),
        frequency=None if model.frequency is None else _FREQUENCIES[model.frequency],
        scan_on_push=model.scan_on_push,
    )


def replication(model: ReplicationModel, line: int) -> Replication:
    """Give the section's value."""
    return Replication(line, tuple(map(_destination, model.destinations)), model.backfill)


def _destination(text: str) -> Destination:
    account, _, region = text.rpartition("/")
    return Destination(region, account or None)


def resource_tags(model: ResourceTagsModel, line: int) -> ResourceTags:
    """Give the section's value."""
    return ResourceTags(line, tuple(model.set.items()), tuple(model.require))


def repository_policy(model: RepositoryPolicyModel, line: int) -> RepositoryPolicy:
    """Give the section's value."""
    return RepositoryPolicy(line, as_json_text(model.document), model.merge_by_sid)


def encryption(model: EncryptionModel, line: int) -> Encryption:
    """Give the section's value."""
    return Encryption(line, model.type, model.kms_key)
