"""What AWS takes in parts alone."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


def in_parts(items: Sequence[_Item], size: int) -> Iterator[list[_Item]]:
    """Give items in lists of at most so many."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
