"""A message as plain text: for e-mails, pagers, and chats whose markup is not known."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from ecr_warden.domain.content import Content, content
from ecr_warden.domain.messages import Message
from ecr_warden.domain.notices import Notice
from ecr_warden.domain.texts import cut_at_word, one_line

# What chats give a meaning, and what looks like it and has none.
_LOOKALIKES: Final = str.maketrans({"<": "‹", ">": "›", "`": "ˋ", "*": "∗", "~": "∼"})  # noqa: RUF001  # that is what they are for
_NOTHING_SEEN: Final = "\u200b"
# An underscore within a word is one of a name, and no chat takes it for markup.
_UNDERSCORE: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
# A mention, but not the @ of a digest: people copy those. A link's middle; an entity; a spoiler.
_JOINTS: Final = re.compile(r"@(?!sha\d+:[0-9a-f]+)|\](?=[(\[:])|&(?=#?\w+;)|\|(?=\|)")
_LINE_MARKS: Final = tuple("#-+=|:")
_LINK_SHARE: Final = 2


def inert(text: str) -> str:
    """Give a text of one line in which no chat finds a mention, a hidden link or markup.

    It looks the same; an address that stands in it is seen whole, and leads where it says.
    """
    plain = _UNDERSCORE.sub("ˍ", one_line(text).translate(_LOOKALIKES))
    plain = _JOINTS.sub(lambda found: found.group() + _NOTHING_SEEN, plain)
    return _NOTHING_SEEN + plain if plain.startswith(_LINE_MARKS) else plain


def subject(said: Content, most: int) -> str:
    """Say in one line how much it matters and what happened."""
    return cut_at_word(f"[{said.severity.upper()}] {one_line(said.headline)}", most)


def letter(message: Message, most: int, *, is_inert: bool = False, size: Callable[[str], int] = len) -> str:
    """Give what a message says, in at most so much: characters, or what ``size`` measures.

    The link at its end is kept where the rest is cut, but for one that would take half of the room: a link
    that was cut leads nowhere. With ``is_inert``, it is for a chat. ``size`` is never less than the length.
    """
    said = content(message)
    words = inert if is_inert else one_line
    body = "\n\n".join("\n".join(lines) for lines in _paragraphs(message, said, words) if lines)
    link = f"\n\n{said.link_text}: {said.link}"
    if size(link) > most // _LINK_SHARE:
        link = ""
    room = max(0, most - size(link))
    # What is longer than the room by its length alone need not be measured: a measure may take a while.
    return cut_at_word(body[: room + 1], room, size) + link


def _paragraphs(message: Message, said: Content, words: Callable[[str], str]) -> Iterator[list[str]]:
    yield [words(said.headline)]
    yield [words(said.remark)] if said.remark else []
    yield [words(line) for line in said.summary]
    are_many = message.digest is not None or len(said.notices) > 1
    for outcome, one in zip(message.outcomes, said.notices, strict=True):
        if are_many:
            yield [words(one.headline)]
        yield [words(one.reason)]
        yield [f"What to do: {words(one.next_step)}"]
        yield [words(line) for line in one.lines]
        yield [*_facts(one, words), f"Outcome: {words(outcome.id)} of event {words(outcome.event_id)}"]
    yield [f"And {said.more} more."] if said.more else []


def _facts(one: Notice, words: Callable[[str], str]) -> list[str]:
    return [f"{label}: {words(value)}" for label, value in one.facts]
