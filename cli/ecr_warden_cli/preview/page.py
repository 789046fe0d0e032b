"""The page: every message as it is seen, beside what is sent. One file, which loads nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ecr_warden.domain.policy import Channel, ChannelType
from ecr_warden.domain.texts import one_line
from ecr_warden_cli.preview.html import Html, element, joined, json_html
from ecr_warden_cli.preview.limits import Used, limits
from ecr_warden_cli.preview.previews import Preview, Told
from ecr_warden_cli.preview.slack_view import AVATAR
from ecr_warden_cli.preview.views import view

# Whatever a message says, no script runs and nothing is loaded.
_CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)
_TITLE: Final = "ECR Warden: what people see"
_NAMES: Final = {
    ChannelType.SNS: "SNS, as an e-mail",
    ChannelType.AMAZON_Q: "Amazon Q Developer in chat applications",
    ChannelType.APPRISE: "Apprise",
    ChannelType.WEBHOOK: "Signed webhook",
}


def page(told: Sequence[Told], *, made_of: str) -> str:
    """Write the page. ``made_of`` says what the messages are of."""
    names = [element("li", _entry(number, one)) for number, one in enumerate(told, 1)]
    sections = [_section(number, one) for number, one in enumerate(told, 1)]
    body = element(
        "body",
        element("a", "Skip to the messages", class_="skip", href="#messages"),
        _header(told, made_of),
        element(
            "div",
            element("nav", element("h2", "Messages"), element("ol", *names), aria_label="Messages"),
            element("main", *sections, id="messages"),
            class_="columns",
        ),
    )
    return f"<!DOCTYPE html>\n{element('html', _head(), body, lang='en')}\n"


def _head() -> Html:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_CSP),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("link", rel="icon", href="data:,"),
        element("title", _TITLE),
        element("style", Html(Path(__file__).with_name("page.css").read_text(encoding="utf-8"))),
    )


def _header(told: Sequence[Told], made_of: str) -> Html:
    channels = {preview.channel.name for one in told for preview in one.previews}
    counts = f"{_count(len(told), 'message')} in {_count(len(channels), 'channel')}"
    said = f"{counts}, {one_line(made_of)}. Nothing was sent."
    return element(
        "header",
        AVATAR,
        element("div", element("h1", "What people see"), element("p", said)),
        class_="page",
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _entry(number: int, told: Told) -> Html:
    dot = element("span", class_=f"dot {told.severity}", aria_hidden="true")
    return element("a", dot, element("span", one_line(told.headline)), href=f"#message-{number}")


def _section(number: int, told: Told) -> Html:
    severity = element("span", told.severity.value, class_=f"severity {told.severity}")
    kinds = [element("code", kind) for kind in told.kinds]
    return element(
        "section",
        element("h2", one_line(told.headline), id=f"message-{number}"),
        element("p", severity, *kinds, class_="about"),
        element("div", *map(_card, told.previews), class_="cards"),
        aria_labelledby=f"message-{number}",
    )


def _card(preview: Preview) -> Html:
    channel = preview.channel
    head = element(
        "div",
        element("h3", channel.name),
        element("span", _name(channel), class_="type"),
        class_="card-head",
    )
    at = preview.message.outcomes[0].event_time
    return element(
        "article",
        head,
        element("div", view(channel.type, preview.payload, at, preview.root), class_="seen"),
        _used(limits(channel.type, preview.payload)),
        *_sent(preview),
        class_="channel",
    )


def _name(channel: Channel) -> str:
    if channel.type is ChannelType.SLACK:
        return "Slack, by a bot" if channel.conversation else "Slack, by an incoming webhook"
    return _NAMES[channel.type]


def _used(uses: Sequence[Used]) -> Html:
    if not uses:
        return joined()
    return element("ul", *(element("li", _bar(use), str(use)) for use in uses), class_="limits")


def _bar(use: Used) -> Html:
    # What is there is seen, however little it is.
    share = min(max(100 * use.used / use.most, 3), 100)
    return element("span", element("span", style=f"width:{share:.0f}%"), class_="bar", aria_hidden="true")


def _sent(preview: Preview) -> Iterator[Html]:
    if preview.root is not None:
        yield _details("The message above it is changed to this (chat.update)", preview.root)
    yield _details("What is sent", preview.payload)


def _details(summary: str, payload: dict[str, object]) -> Html:
    return element("details", element("summary", summary), json_html(payload))
