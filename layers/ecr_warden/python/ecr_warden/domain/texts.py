"""Texts that are too long or try to be more than texts, and lists that are long: what of them is shown."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence

# Control characters, halves of surrogate pairs, what turns the direction of a text, and what has no width;
# but not the joiners of emoji and of Persian.
_HIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
_JOINER = "\u200d"
_ELLIPSIS = "…"
# A text is not cut at a word if more than this part of it went with the word.
_MOST_LOST = 0.5


def cut(text: str, length: int) -> str:
    """Give a text of at most so many characters."""
    return text if len(text) <= length else text[: length - 1] + _ELLIPSIS


def cut_at_word(text: str, length: int, size: Callable[[str], int] = len) -> str:
    """Give a text of at most so much, cut between words, or else between what people see as characters.

    ``size`` measures a text, in bytes for instance; a longer text is never smaller.
    """
    if size(text) <= length:
        return text
    room = length - size(_ELLIPSIS)
    if room < 0:
        return ""
    longest = bisect_right(range(len(text) + 1), room, key=lambda end: size(text[:end])) - 1
    end = _between_characters(text, longest)
    space = max(text.rfind(" ", 0, end + 1), text.rfind("\n", 0, end + 1))
    if space > end * _MOST_LOST:
        end = space
    return text[:end].rstrip() + _ELLIPSIS


def one_line(text: str) -> str:
    """Give somebody else's text as one that begins no line of its own and hides nothing.

    White space, line breaks among it, becomes one space; what is not seen, or turns what is, becomes "�".
    """
    return _HIDDEN.sub("\ufffd", " ".join(text.split()))


def some(names: Sequence[str], most: int, separator: str = ", ") -> str:
    """List the first of some names, and say how many more there are."""
    shown = separator.join(names[:most])
    return f"{shown}{separator}and {len(names) - most} more" if len(names) > most else shown


def _between_characters(text: str, end: int) -> int:
    """Go back until a cut takes no accent from its letter and no part from an emoji."""
    for place in range(end, 0, -1):
        if not _is_within(text, place):
            return place
    # Nothing but accents: what is left of such a text is of no use to anybody.
    return end


def _is_within(text: str, place: int) -> bool:
    after = text[place]
    if text[place - 1] == _JOINER or after == _JOINER or unicodedata.category(after).startswith("M"):
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        # A colour of skin, and the letters of a flag such as Scotland's.
        return True
    return _is_flag_letter(after) and _flag_letters_before(text, place) % 2 == 1


def _flag_letters_before(text: str, place: int) -> int:
    start = place
    while start and _is_flag_letter(text[start - 1]):
        start -= 1
    return place - start


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
