"""A Slack message, drawn from its payload as Slack draws it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ecr_warden_cli.preview.html import Html, element, joined
from ecr_warden_cli.preview.mrkdwn import link_html, mrkdwn_html, plain_html
from ecr_warden_cli.preview.rich_text import rich_text_html

Json = Mapping[str, Any]


def slack_html(payload: Json, *, at: str, replies: tuple[Html, ...] = (), was_changed: bool = False) -> Html:
    """Draw a message as its channel has it, with the replies below it. ``at`` is the time that it shows."""
    edited = element("span", "(edited)", class_="edited") if was_changed else ""
    thread: tuple[Html, ...] = ()
    if replies:
        count = f"{len(replies)} {'reply' if len(replies) == 1 else 'replies'}"
        thread = (element("div", element("p", count, class_="replies"), *replies, class_="thread"),)
    body = element("div", _head(at), *_blocks(payload), edited, *thread, class_="said")
    return element("div", AVATAR, body, class_="slack")


# A shield: no picture of somebody else's.
AVATAR: Final = element(
    "span",
    Html(
        '<svg viewBox="0 0 36 36" focusable="false" fill="none" stroke="#fff" stroke-width="2.2" '
        'stroke-linecap="round" stroke-linejoin="round"><path d="M14 18l3 3 5.2-5.6"/>'
        '<path d="M18 7l9 3.4v7.2c0 5.6-3.8 9.6-9 11.4-5.2-1.8-9-5.8-9-11.4v-7.2z"/></svg>'
    ),
    class_="avatar",
    aria_hidden="true",
)


def _head(at: str) -> Html:
    name, app = element("b", "ECR Warden"), element("span", "APP", class_="app")
    return element("p", name, " ", app, " ", element("span", at, class_="at"), class_="head")


def _blocks(payload: Json) -> list[Html]:
    blocks = payload.get("blocks", ())
    if not blocks:
        return [element("div", mrkdwn_html(str(payload.get("text", ""))), class_="block text")]
    return [element("div", _block(block), class_=f"block {_css(block)}") for block in blocks]


def _css(block: Json) -> str:
    kind = str(block.get("type"))
    return kind if kind in _BLOCKS else "unknown"


def _block(block: Json) -> Html:
    draw = _BLOCKS.get(str(block.get("type")))
    return element("p", f"(a block of the type {block.get('type')})") if draw is None else draw(block)


def _header(block: Json) -> Html:
    return element("p", _text(block["text"]), class_="title")


def _section(block: Json) -> Html:
    text = (element("div", _text(block["text"]), class_="text"),) if "text" in block else ()
    fields = [element("div", _text(field), class_="field") for field in block.get("fields", ())]
    grid = (element("div", *fields, class_="fields"),) if fields else ()
    accessory = (_element(block["accessory"]),) if "accessory" in block else ()
    return joined(*text, *grid, *accessory)


def _elements(block: Json) -> Html:
    return joined(*(_element(one) for one in block.get("elements", ())))


def _markdown(block: Json) -> Html:
    return element("div", str(block.get("text", "")), class_="text")


def _element(one: Json) -> Html:
    match one.get("type"):
        case "plain_text" | "mrkdwn":
            return element("div", _text(one))
        case "button" if "url" in one:
            return element("div", link_html(str(one["url"]), one["text"]["text"]), class_="button")
        case "button":
            return element("div", _text(one["text"]), class_="button")
        case kind:
            # Pictures would be loaded from elsewhere.
            return element("div", str(one.get("alt_text") or f"({kind})"))


def _text(text: Json) -> Html:
    if text.get("type") == "mrkdwn":
        return mrkdwn_html(text["text"], verbatim=text.get("verbatim", False))
    # Slack takes a text that does not say it as one with emoji.
    return plain_html(text["text"], emoji=text.get("emoji", True))


_BLOCKS: Final[dict[str, Callable[[Json], Html]]] = {
    "header": _header,
    "section": _section,
    "context": _elements,
    "actions": _elements,
    "divider": lambda _: element("hr"),
    "rich_text": rich_text_html,
    "markdown": _markdown,
}
