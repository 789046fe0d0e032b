"""Globs as ECR's own filters for a whole registry: prefixes for replication, wildcards for scanning."""

import re
from fnmatch import fnmatchcase
from typing import Final

from ecr_warden.domain.globs import ANY_SEGMENTS

_WILDCARD: Final = re.compile(r"[*?\[]")
# ECR's own, written so that each text is read in one way only: the published form goes back and forth.
_PREFIX: Final = re.compile(r"(?:[a-z0-9][a-z0-9._-]*/)*[a-z0-9._-]*")
# What a filter has no other word for than *.
_VAGUE: Final = re.compile(r"\[!?\]?[^\]]*\]|\?")
_FILTER: Final = re.compile(r"[a-z0-9*]+(?:[._/-][a-z0-9*]+)*")


def is_exact(glob: str) -> bool:
    """Tell whether a glob is one repository's name."""
    return _WILDCARD.search(glob) is None


def prefix_of(glob: str) -> str:
    """Give the literal beginning of a glob, which all names that it matches have; it may be empty."""
    return _WILDCARD.split(glob, maxsplit=1)[0]


def wildcards_of(glob: str) -> str:
    """Give a wildcard filter that takes every name that a glob matches, and as few others as it can.

    It has a ``*`` always: ECR takes a filter without one for every name that contains it.
    """
    segments = _VAGUE.sub("*", glob).split("/")
    # ** may stand for no segment at all, and then there is no slash after it.
    parts = [segment if segment == ANY_SEGMENTS else f"{segment}/" for segment in segments]
    wildcards = re.sub(r"\*+", "*", "".join(parts).removesuffix("/"))
    return wildcards if "*" in wildcards else f"{wildcards}*"


def prefix_problem(prefix: str) -> str | None:
    """Say why ECR would refuse a prefix; the empty one stands for a rule without any."""
    if prefix and not 2 <= len(prefix) <= 256:  # noqa: PLR2004  # the API model's
        return "ECR's prefixes have 2 to 256 characters"
    if not _PREFIX.fullmatch(prefix):
        return "no repository's name begins so"
    return None


def filter_problem(wildcards: str) -> str | None:
    """Say why ECR would refuse a wildcard filter."""
    if len(wildcards) > 255:  # noqa: PLR2004  # the API model's
        return "ECR's filters have 1 to 255 characters"
    if not _FILTER.fullmatch(wildcards):
        return "ECR's filters have lower-case letters, digits and *, with single . _ - or / between them"
    return None


def includes(wide: str, narrow: str) -> bool:
    """Tell whether a wildcard filter takes all that another takes."""
    # What takes the other's * as a character takes it by a * of its own, and so anything in its place.
    return fnmatchcase(_anchored(narrow), _anchored(wide))


def _anchored(wildcards: str) -> str:
    # ECR takes a filter without * for every name that contains it.
    return wildcards if "*" in wildcards else f"*{wildcards}*"
