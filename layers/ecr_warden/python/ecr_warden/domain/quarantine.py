"""The names of quarantine tags."""

import re
from hashlib import sha256
from typing import Final

# What OCI's distribution specification lets a tag be; ECR's API takes more, clients do not.
MAX_TAG_LENGTH: Final = 128
_HASH_LENGTH: Final = 8
_DIGEST_LENGTH: Final = 12
_QUARANTINE_TAG: Final = re.compile(rf"quarantine-([0-9A-Za-z]{{{_DIGEST_LENGTH}}})-.+", re.ASCII)


def quarantined_digest(image_tag: str) -> str | None:
    """Give the beginning of the digest that a quarantine tag names, or ``None`` for any other tag."""
    match = _QUARANTINE_TAG.fullmatch(image_tag)
    return None if match is None else match.group(1)


def is_quarantine_tag(image_digest: str, image_tag: str) -> bool:
    """Tell whether a tag is one that quarantining gave this image: its own push event must cause nothing.

    The digest must be the image's own, so that nobody escapes the rules by such a name alone.
    """
    return quarantined_digest(image_tag) == _short(image_digest)


def _short(image_digest: str) -> str:
    return image_digest.rpartition(":")[2][:_DIGEST_LENGTH].ljust(_DIGEST_LENGTH, "0")


def quarantine_tag(image_digest: str, image_tag: str) -> str:
    """Name the quarantine tag of an image and the tag that is taken from it.

    A name that would be too long for clients to pull keeps the old tag's beginning and a hash of it all.
    """
    tag = f"quarantine-{_short(image_digest)}-{image_tag}"
    if len(tag) <= MAX_TAG_LENGTH:
        return tag
    digest_of_tag = sha256(image_tag.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{tag[: MAX_TAG_LENGTH - _HASH_LENGTH - 1]}-{digest_of_tag}"


def quarantined_tag(image_digest: str, image_tag: str) -> str | None:
    """Give the tag that an image had, whose quarantine tag this is; ``None`` for any other tag.

    Of a name that was cut, nobody knows the rest.
    """
    if not is_quarantine_tag(image_digest, image_tag):
        return None
    tag = image_tag.removeprefix(f"quarantine-{_short(image_digest)}-")
    return tag if quarantine_tag(image_digest, tag) == image_tag and len(image_tag) < MAX_TAG_LENGTH else None
