"""The names of quarantine tags."""

import re
from hashlib import sha256
from typing import Final

# What OCI's distribution specification lets a tag be; ECR's API takes more, clients do not.
MAX_TAG_LENGTH: Final = 128
_HASH_LENGTH: Final = 8
_QUARANTINE_TAG: Final = re.compile(r"quarantine-[0-9A-Za-z]{12}-.+", re.ASCII)


def is_quarantine_tag(image_tag: str) -> bool:
    """Tell whether a tag is one that quarantining gave, whose own push event must cause nothing."""
    return _QUARANTINE_TAG.fullmatch(image_tag) is not None


def quarantine_tag(image_digest: str, image_tag: str) -> str:
    """Name the quarantine tag of an image and the tag that is taken from it.

    A name that would be too long for clients to pull keeps the old tag's beginning and a hash of it all.
    """
    short_digest = image_digest.rpartition(":")[2][:12].ljust(12, "0")
    tag = f"quarantine-{short_digest}-{image_tag}"
    if len(tag) <= MAX_TAG_LENGTH:
        return tag
    digest_of_tag = sha256(image_tag.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{tag[: MAX_TAG_LENGTH - _HASH_LENGTH - 1]}-{digest_of_tag}"
