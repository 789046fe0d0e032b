"""A repository's encryption, which ECR fixes when the repository is created."""

from ecr_warden.domain.policy import Encryption
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.settings.plans import Compliant, Plan, Violation


def plan_encryption(current: Repository, wanted: Encryption) -> Plan:
    """Compare a repository's encryption with what is wanted: nobody can change it, so it is told."""
    has_key = wanted.kms_key is None or wanted.kms_key == current.kms_key
    if current.encryption_type == wanted.type and has_key:
        return Compliant()
    return Violation(
        f"it is encrypted with {_text(current.encryption_type, current.kms_key)}, and the policy wants "
        f"{_text(wanted.type, wanted.kms_key)}; ECR cannot change that afterwards",
        f"If it is empty, delete it and create it with {_text(wanted.type, wanted.kms_key)}; if not, create "
        "another one and copy its images",
    )


def _text(encryption_type: str, kms_key: str | None) -> str:
    return encryption_type if kms_key is None else f"{encryption_type} and the key {kms_key}"
