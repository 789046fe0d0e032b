"""What findings of both scanners have in common: how what they say is read."""

from typing import Final

from ecr_warden.adapters.event_fields import printable

# Not of ``FindingSeverity``: what has no severity counts against every limit.
NO_SEVERITY: Final = "unknown"
NO_NAME: Final = "(not named)"
HIGHEST_SCORE: Final = 10.0
_NO_FIX: Final = frozenset({"", "notavailable"})


def text(value: object) -> str | None:
    """Read a text; one that says nothing is ``None``."""
    return (printable(value) or None) if isinstance(value, str) else None


def fixed_version(said: str | None) -> str | None:
    """Read the version in which a package is mended, ``None`` where there is none."""
    return None if said is None or said.lower() in _NO_FIX else said


def link(value: object) -> str | None:
    """Read a link, ``None`` where it is none that a browser opens."""
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return None
    return value if value.lower().startswith(("https://", "http://")) else None


def number(value: object, most: float) -> float | None:
    """Read a number from 0 to the most that it may be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # What is no number is not between two either.
    return float(value) if 0 <= value <= most else None
