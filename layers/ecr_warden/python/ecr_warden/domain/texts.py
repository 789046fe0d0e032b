"""Texts that are too long, and lists that are: what of them is shown."""

from collections.abc import Sequence


def cut(text: str, length: int) -> str:
    """Give a text of at most so many characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def some(names: Sequence[str], most: int, separator: str = ", ") -> str:
    """List the first of some names, and say how many more there are."""
    shown = separator.join(names[:most])
    return f"{shown}{separator}and {len(names) - most} more" if len(names) > most else shown
