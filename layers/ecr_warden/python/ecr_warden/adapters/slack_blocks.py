"""A message as Slack takes it: Block Kit for people, and a text for their notifications.

Whatever came from an event, a scanner or a policy stands in plain-text objects, which Slack does not
interpret; in the notification's text the three characters that Slack gives a meaning are escaped, and markup
is switched off. Only our own links and mentions are markup.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from ecr_warden.domain.content import Content, content
from ecr_warden.domain.messages import Message
from ecr_warden.domain.notices import Notice
from ecr_warden.domain.policy import Severity
from ecr_warden.domain.texts import cut_at_word, one_line

_BLOCKS: Final = 50
_HEADER: Final = 150
_SECTION: Final = 3000
_FIELD: Final = 2000
_FIELDS: Final = 10
_ALL: Final = 12_000
# Of all that, what notifications show of it.
_NOTIFICATION: Final = 1000
# Of one of several notices: its headline, its reason, and what to do.
_PART: Final = 700
# The least that one of several gets, of the characters that are left.
_FAIR: Final = 1000
# What says how much more there is.
_MORE: Final = 80
# What is shorter is not worth beginning.
_LEAST: Final = 100
_MARKS: Final = {
    Severity.CRITICAL: "🔴",
    Severity.HIGH: "🟠",
    Severity.MEDIUM: "🟡",
    Severity.LOW: "🔵",
    Severity.INFO: "⚪",
}
_SETTLED: Final = "✅"
_GROUP: Final = re.compile(r"S[A-Z0-9]{2,20}")
_USER: Final = re.compile(r"[UW][A-Z0-9]{2,20}")
# What a URL is made of, but for the characters by which Slack ends a link.
_OF_URLS: Final = ":/?#[]@!$&'()*+,;=%~"

_Block = dict[str, Any]
_Facts = Sequence[tuple[str, str]]


def mention(slack_id: str) -> str | None:
    """Give the markup that mentions a user group or a user; ``None`` for what is no id of one."""
    if _GROUP.fullmatch(slack_id):
        return f"<!subteam^{slack_id}>"
    return f"<@{slack_id}>" if _USER.fullmatch(slack_id) else None


def slack_payload(
    message: Message, *, mentions: Mapping[str, str] | None = None, settled: Collection[str] = ()
) -> dict[str, Any]:
    """Build what is posted.

    Parameters
    ----------
    mentions
        Owners, and the Slack id that a message of high severity about theirs mentions.
    settled
        The ids of those of its outcomes that do not hold any more.

    """
    said = content(message)
    are_settled = tuple(outcome.id in settled for outcome in message.outcomes)
    mark = f"{_SETTLED} Settled:" if all(are_settled) else _MARKS[said.severity]
    headline = f"{mark} {one_line(said.headline)}"
    text = _notification(headline, said)
    head = [_block("header", text=_plain(headline, _HEADER))]
    if said.remark:
        head.append(_block("context", elements=[_plain(one_line(said.remark), _SECTION // 2)]))
    if called := _mentioned(message, mentions or {}):
        head.append(_block("section", text=_markup(called)))
    tail = _link(said.link, said.link_text)
    room = _Room(_BLOCKS - len(head) - len(tail), _ALL - _size(text) - _characters(head) - _characters(tail))
    return {
        "text": text,
        "blocks": [*head, *_body(said, are_settled, room), *tail],
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


@dataclass
class _Room:
    """How many blocks and characters there is room for."""

    blocks: int
    characters: int
    facts_left_out: int = 0

    def share(self, characters: int) -> "_Room":
        """Give a part of it, of which what is used is then to be taken from the whole."""
        return _Room(self.blocks, min(self.characters, characters))

    def use(self, share: "_Room", blocks: Sequence[_Block]) -> None:
        """Take what was used of a part."""
        self.blocks = share.blocks
        self.characters -= _characters(blocks)
        self.facts_left_out += share.facts_left_out

    def section(self, text: str) -> list[_Block]:
        """Give a section of a text, or of what there is room for."""
        if not self.blocks or self.characters < _LEAST:
            return []
        section = _block("section", text=_plain(text, min(_SECTION, self.characters)))
        self.blocks -= 1
        self.characters -= _characters([section])
        return [section]

    def lines(self, lines: Sequence[str]) -> list[_Block]:
        """Give a section of as many lines as there is room for, each whole, and how many more there are."""
        most = min(_SECTION, self.characters)
        shown = list(lines)
        while len(shown) > 1 and _size(_listed(shown, len(lines) - len(shown))) > most:
            shown.pop()
        if len(shown) == 1:
            shown = [cut_at_word(shown[0], most - _MORE, _size)]
        return self.section(_listed(shown, len(lines) - len(shown))) if shown else []

    def facts(self, facts: _Facts) -> list[_Block]:
        """Give sections of facts, side by side."""
        fields: list[dict[str, Any]] = []
        for label, value in facts:
            needs_block = len(fields) % _FIELDS == 0
            if self.characters < _LEAST or self.blocks < needs_block:
                break
            self.blocks -= needs_block
            fields.append(_plain(f"{label}\n{one_line(value)}", min(_FIELD, self.characters)))
            self.characters -= _size(fields[-1]["text"])
        self.facts_left_out += len(facts) - len(fields)
        starts = range(0, len(fields), _FIELDS)
        return [_block("section", fields=fields[start : start + _FIELDS]) for start in starts]


def _body(said: Content, are_settled: Sequence[bool], room: _Room) -> list[_Block]:
    """Give what stands between the headline and the link, and say how much more there is."""
    room.blocks -= 1
    room.characters -= _MORE
    blocks = room.lines([one_line(line) for line in said.summary])
    left_out = said.more
    if said.summary:
        found, left_out_here = _notices(said.notices, are_settled, room, common=None)
        blocks += found
        left_out += left_out_here
    elif len(said.notices) == 1:
        blocks += _only(said.notices[0], room, is_settled=are_settled[0])
    else:
        common = _common(said.notices)
        # What is said once for all comes last, but its room is taken first.
        last = room.share(room.characters // 3)
        facts = last.facts(common)
        room.use(last, facts)
        found, left_out = _notices(said.notices, are_settled, room, common=common)
        blocks += found + facts
    more = [f"and {left_out} more"] if left_out else []
    if room.facts_left_out:
        more.append(f"and {room.facts_left_out} facts that there is no room for")
    return [*blocks, _block("context", elements=[_plain(text, _MORE) for text in more])] if more else blocks


def _notices(
    notices: Sequence[Notice], are_settled: Sequence[bool], room: _Room, *, common: _Facts | None
) -> tuple[list[_Block], int]:
    """Give as many of several notices as there is room for, and say how many there is none for.

    ``common`` are the facts that are told once for all; ``None`` where notices are told in brief.
    """
    blocks: list[_Block] = []
    for place, one in enumerate(notices):
        left = len(notices) - place
        # What the others will want, but for those that would then be too short to be of use.
        share = room.share(max(room.characters // left, _FAIR))
        found = _one_of_several(one, common, share, is_settled=are_settled[place])
        if not found:
            return blocks, left
        room.use(share, found)
        blocks += found
    return blocks, 0


def _only(said: Notice, room: _Room, *, is_settled: bool) -> list[_Block]:
    return [
        *room.section(one_line(said.reason)),
        *([] if is_settled else room.section(_what_to_do(said))),
        *room.lines([one_line(line) for line in said.lines]),
        *room.facts(said.facts),
    ]


def _one_of_several(said: Notice, common: _Facts | None, room: _Room, *, is_settled: bool) -> list[_Block]:
    mark = f"{_SETTLED} " if is_settled else ""
    parts = [f"{mark}{one_line(said.headline)}", one_line(said.reason)]
    if common is not None and not is_settled:
        parts.append(_what_to_do(said))
    blocks = room.section("\n".join(cut_at_word(part, _PART, _size) for part in parts))
    if common is None or not blocks:
        return blocks
    blocks += room.lines([one_line(line) for line in said.lines])
    return blocks + room.facts([fact for fact in said.facts if fact not in common])


def _what_to_do(said: Notice) -> str:
    """Say what to do, unless it is settled: the message below, which says so, has what is left to do."""
    return f"What to do: {one_line(said.next_step)}"


def _common(notices: Sequence[Notice]) -> list[tuple[str, str]]:
    """Give the facts that are the same for all."""
    return [fact for fact in notices[0].facts if all(fact in one.facts for one in notices)]


def _mentioned(message: Message, mentions: Mapping[str, str]) -> str | None:
    worst = message.outcomes[0]
    slack_id = mentions.get(worst.owner or "")
    if slack_id is None or worst.severity not in {Severity.CRITICAL, Severity.HIGH}:
        return None
    return mention(slack_id)


def _link(url: str, text: str) -> list[_Block]:
    link = f"<{_escaped(quote(url, safe=_OF_URLS))}|{text}>"
    # A link that was cut would lead nowhere.
    return [_block("context", elements=[_markup(link)])] if len(link) <= _SECTION else []


def _notification(headline: str, said: Content) -> str:
    reason = f". {one_line(said.notices[0].reason)}" if len(said.notices) == 1 and not said.summary else ""
    # Measured as it is sent, so that it is never cut within an escape.
    return _escaped(cut_at_word(headline + reason, _NOTIFICATION, lambda text: _size(_escaped(text))))


def _listed(lines: Sequence[str], left_out: int) -> str:
    return "\n".join((*lines, f"and {left_out} more") if left_out else lines)


def _block(kind: str, **content_of_block: object) -> _Block:
    return {"type": kind, **content_of_block}


def _plain(text: str, most: int) -> dict[str, Any]:
    # Slack refuses an empty text.
    return {"type": "plain_text", "text": cut_at_word(text, most, _size) or "-", "emoji": False}


def _markup(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _characters(blocks: Sequence[_Block]) -> int:
    return sum(
        _size(text["text"])
        for block in blocks
        for text in (block.get("text"), *block.get("fields", ()), *block.get("elements", ()))
        if text is not None
    )


def _size(text: str) -> int:
    """Count as Slack's clients do, in units of UTF-16: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
