"""The policy as the functions read it: checked when it was built, so that here it is only decoded."""

from pathlib import Path

import msgspec

from ecr_warden.domain.policy import Policy
from ecr_warden.errors import PolicyError


def encode_policy(policy: Policy) -> bytes:
    """Write a checked policy as JSON, always as the same bytes: a layer then changes only with it."""
    return msgspec.json.encode(policy, order="deterministic")


def load_policy(path: str) -> Policy:
    """Read a compiled policy, or raise ``PolicyError`` with what to do."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Policy)
    except OSError as error:
        raise PolicyError(f"{path}: no compiled policy ({error.strerror}): run sam build") from error
    except msgspec.DecodeError as error:
        raise PolicyError(f"{path}: not a policy of this version ({error}): run sam build again") from error
