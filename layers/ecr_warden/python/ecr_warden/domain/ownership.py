"""Whose a repository is."""

from collections.abc import Mapping
from typing import Final

_OWNER_TAGS: Final = ("team", "owner")


def owner_of(resource_tags: Mapping[str, str]) -> str | None:
    """Tell whose a repository is, by the first of its resource tags that says so."""
    return next((resource_tags[name] for name in _OWNER_TAGS if resource_tags.get(name)), None)
