"""Slack's `rich_text` blocks, as Slack shows them."""

from collections.abc import Mapping
from typing import Any, Final

from ecr_warden_cli.preview.html import Html, element, joined
from ecr_warden_cli.preview.mrkdwn import link_html

_TAGS: Final = {"rich_text_preformatted": "pre", "rich_text_quote": "blockquote", "rich_text_section": "div"}
_STYLES: Final = {"bold": "b", "italic": "i", "strike": "s", "code": "code"}
_MENTIONS: Final = {
    "user": "user_id",
    "usergroup": "usergroup_id",
    "channel": "channel_id",
    "broadcast": "range",
}

Json = Mapping[str, Any]


def rich_text_html(block: Json) -> Html:
    """Draw a block, or a part of one."""
    return joined(*(_part(part) for part in block.get("elements", ())))


def _part(part: Json) -> Html:
    if part.get("type") == "rich_text_list":
        tag = "ol" if part.get("style") == "ordered" else "ul"
        return element(tag, *(element("li", rich_text_html(one)) for one in part.get("elements", ())))
    tag_of_part = _TAGS.get(str(part.get("type")))
    return _styled(part) if tag_of_part is None else element(tag_of_part, rich_text_html(part))


def _styled(part: Json) -> Html:
    shown = _inline(part)
    for style, tag in _STYLES.items():
        if part.get("style", {}).get(style):
            shown = element(tag, shown)
    return shown


def _inline(part: Json) -> Html:
    kind = str(part.get("type"))
    match kind:
        case "text":
            return joined(str(part["text"]))
        case "link":
            return link_html(str(part["url"]), str(part.get("text") or part["url"]))
        case "emoji":
            return element("span", f":{part['name']}:", class_="emoji", title="Slack shows this emoji")
        case _ if kind in _MENTIONS:
            return element("span", f"@{part[_MENTIONS[kind]]}", class_="mention")
        case _:
            return joined(f"({kind})")
