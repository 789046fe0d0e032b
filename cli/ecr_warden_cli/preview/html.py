"""HTML whose texts are escaped by construction."""

import json
import re
import unicodedata
from html import escape
from typing import Any, Final

# What would be seen as something else, or not at all: controls, marks of direction, what joins or separates.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_KEPT: Final = frozenset("\n\t")
# Emoji are joined by it.
_JOINER: Final = "\u200d"
_VOID: Final = frozenset({"br", "hr", "link", "meta"})
_JSON: Final = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=:))|(?P<text>"(?:[^"\\]|\\.)*")|(?P<other>\b(?:true|false|null)\b|-?\d[\d.eE+-]*)'
)


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str) -> Html:
    """Make an element; children that are not HTML are escaped, and so are the attributes' values.

    An attribute's name is written with ``_`` for ``-``, and ``class_`` for ``class``.
    """
    opening = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(visible(value))}"'
        for name, value in attributes.items()
    )
    if tag in _VOID:
        return Html(f"<{tag}{opening}>")
    return Html(f"<{tag}{opening}>{joined(*children)}</{tag}>")


def joined(*children: str) -> Html:
    """Put children one after the other; those that are not HTML are escaped."""
    return Html("".join(child if isinstance(child, Html) else escape(visible(child)) for child in children))


def visible(text: str) -> str:
    """Let what a browser does not take in HTML be seen as such; the rest stays."""
    return "".join("\ufffd" if _is_no_html(sign) else sign for sign in text)


def _is_no_html(sign: str) -> bool:
    return sign not in _KEPT and unicodedata.category(sign) in {"Cc", "Cs"}


def json_text(value: Any) -> str:  # noqa: ANN401  # plain JSON
    """Write plain data as JSON to be read: what cannot be seen is escaped, as JSON has it."""
    written = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(_escaped(sign) if _is_unseen(sign) else sign for sign in written)


def _is_unseen(sign: str) -> bool:
    return sign not in {"\n", _JOINER} and unicodedata.category(sign) in _UNSEEN


def _escaped(sign: str) -> str:
    # Beyond the first plane, JSON has two halves.
    return json.dumps(sign)[1:-1]


def json_html(value: Any) -> Html:  # noqa: ANN401  # plain JSON
    """Show plain data as JSON with its keys and texts in colours."""
    written, end, parts = json_text(value), 0, []
    for found in _JSON.finditer(written):
        parts += [
            written[end : found.start()],
            element("span", found[0], class_=f"json-{found.lastgroup}"),
        ]
        end = found.end()
    return element("pre", *parts, written[end:], class_="json", tabindex="0")
