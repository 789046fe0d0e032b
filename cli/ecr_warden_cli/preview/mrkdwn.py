"""Slack's own markup, `mrkdwn`, as Slack shows it."""

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

from ecr_warden_cli.preview.html import Html, element, joined

_ENTITIES: Final = {"lt": "<", "gt": ">", "amp": "&"}
_ENTITY: Final = re.compile(r"&(lt|gt|amp);")
_LINKED: Final = re.compile(r"(?:https?://|mailto:)\S+")
_SPECIAL: Final = re.compile(r"!([a-z]+)(?:\^([^|]*))?(?:\|(.*))?", re.DOTALL)


def _between(sign: str, name: str) -> str:
    """Write the expression for what stands between two of a sign, as words do and formulas do not."""
    return rf"(?<![\w{sign}]){sign}(?=\S)(?P<{name}>[^{sign}\n]+?)(?<=\S){sign}(?![\w{sign}])"


# The minutes of a time are none.
_EMOJI: Final = r"(?<![\w:])(?P<emoji>:[a-z0-9_+-]+:)(?![\w:])"
_PARTS: Final = (
    r"```(?P<block>.+?)```",
    r"`(?P<code>[^`\n]+)`",
    r"<(?P<reference>[^<>\n]+)>",
    _between(r"\*", "bold"),
    _between("_", "italic"),
    _between("~", "struck"),
    _EMOJI,
)
_BARE: Final = r"(?P<bare>https?://[^\s<>|]+)"
_VERBATIM: Final = re.compile("|".join(_PARTS), re.DOTALL)
_TOKEN: Final = re.compile("|".join((_BARE, *_PARTS)), re.DOTALL)
_NAMED: Final = re.compile(_EMOJI)
_STYLES: Final = {"bold": "b", "italic": "i", "struck": "s"}
_CODE: Final = re.compile(r"(```.+?```)", re.DOTALL)
_QUOTED: Final = re.compile(r"^(?:&gt;|>)[ \t]?", re.MULTILINE)


def unescaped(text: str) -> str:
    """Undo the three escapes that Slack knows, once."""
    return _ENTITY.sub(lambda found: _ENTITIES[found[1]], text)


def plain_html(text: str, *, emoji: bool) -> Html:
    """Show a ``plain_text``, in which at most names of emoji mean something."""
    if not emoji:
        return joined(unescaped(text))
    return joined(*_split(_NAMED, text))


def mrkdwn_html(text: str, *, verbatim: bool = False) -> Html:
    """Show a ``mrkdwn``; where it is verbatim, an address that stands in it becomes no link."""
    tokens = _VERBATIM if verbatim else _TOKEN
    return joined(*(_paragraphs(part, tokens) for part in _CODE.split(text)))


def _paragraphs(text: str, tokens: re.Pattern[str]) -> Html:
    if _CODE.fullmatch(text):
        # In it, the sign of a quote is none.
        return _inline(text, tokens)
    runs = [(is_quoted, "\n".join(lines)) for is_quoted, lines in groupby(text.split("\n"), _is_quoted)]
    return joined(*(_quote(run, tokens) if is_quoted else _inline(run, tokens) for is_quoted, run in runs))


def _is_quoted(line: str) -> bool:
    return _QUOTED.match(line) is not None


def _quote(lines: str, tokens: re.Pattern[str]) -> Html:
    return element("blockquote", _inline(_QUOTED.sub("", lines), tokens))


def _inline(text: str, tokens: re.Pattern[str]) -> Html:
    return joined(*_split(tokens, text))


def _split(tokens: re.Pattern[str], text: str) -> Iterator[str]:
    end = 0
    for found in tokens.finditer(text):
        yield unescaped(text[end : found.start()])
        name = found.lastgroup or ""
        yield _shown(name, found[name], tokens)
        end = found.end()
    yield unescaped(text[end:])


def _shown(name: str, text: str, tokens: re.Pattern[str]) -> Html:
    if name in _STYLES:
        return element(_STYLES[name], _inline(text, tokens))
    return _SHOWN[name](text)


def reference_html(reference: str) -> Html:
    """Show what stands in ``<…>``: a link, or whom it mentions."""
    if special := _SPECIAL.fullmatch(reference):
        return _special(*special.groups())
    target, _, label = reference.partition("|")
    if target[0] in "@#":
        return _mention(label or target)
    return link_html(unescaped(target), unescaped(label) or unescaped(target))


def _special(name: str, argument: str | None, label: str | None) -> Html:
    if name == "date":
        return joined(unescaped(label or ""))
    # Slack shows a group's name, which it alone knows.
    return _mention(label or f"@{argument or name}")


def _mention(text: str) -> Html:
    return element("span", unescaped(text), class_="mention")


def link_html(url: str, text: str) -> Html:
    """Show a link; only one into the web can be followed."""
    if not _LINKED.fullmatch(url):
        return element("span", text, class_="link")
    return element("a", text, href=url, rel="noopener noreferrer nofollow")


def _emoji(name: str) -> Html:
    return element("span", name, class_="emoji", title="Slack shows this emoji")


_SHOWN: Final[dict[str, Callable[[str], Html]]] = {
    "block": lambda text: element("pre", unescaped(text.strip("\n"))),
    "code": lambda text: element("code", unescaped(text)),
    "reference": reference_html,
    "bare": lambda text: link_html(unescaped(text), unescaped(text)),
    "emoji": _emoji,
}
