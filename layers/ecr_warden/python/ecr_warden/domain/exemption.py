"""The resource tag by which a repository opts out of sections of the policy."""

from collections.abc import Mapping
from typing import Final

EXEMPT_TAG: Final = "ecr-warden:exempt"
_ALL: Final = "all"


def is_exempt(resource_tags: Mapping[str, str], section: str) -> bool:
    """Tell whether a repository's resource tags take it out of a section."""
    exempt = resource_tags.get(EXEMPT_TAG, "").split()
    return section in exempt or _ALL in exempt
