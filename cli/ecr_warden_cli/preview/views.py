"""A message as people, or a machine, see it in each type of channel."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, assert_never

from ecr_warden.domain.policy import ChannelType
from ecr_warden_cli.preview.html import Html, element, json_html
from ecr_warden_cli.preview.mrkdwn import mrkdwn_html
from ecr_warden_cli.preview.slack_view import slack_html

Json = Mapping[str, Any]

_TYPES: Final = {"failure": "✕", "warning": "!", "info": "i", "success": "✓"}


def view(channel_type: ChannelType, payload: Json, at: datetime, root: Json | None = None) -> Html:
    """Draw a message from what is sent. ``at`` is when it is told, ``root`` what it stands below."""
    shown_at = f"{at:%H:%M}"
    if root is not None:
        reply = slack_html(payload, at=shown_at)
        return slack_html(root, at="earlier", replies=(reply,), was_changed=True)
    match channel_type:
        case ChannelType.SLACK:
            return slack_html(payload, at=shown_at)
        case ChannelType.SNS:
            return _email(payload, at)
        case ChannelType.AMAZON_Q:
            return _amazon_q(payload, shown_at)
        case ChannelType.APPRISE:
            return _bubble(payload, shown_at)
        case ChannelType.WEBHOOK:
            return _request(payload)
        case never:  # pragma: no cover  # mypy proves it
            assert_never(never)


def _email(payload: Json, at: datetime) -> Html:
    headers = (
        ("From", "AWS Notifications <no-reply@sns.amazonaws.com>"),
        ("Subject", payload["subject"]),
        ("Date", f"{at:%a, %d %b %Y %H:%M:%S %z}"),
    )
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in headers]
    message = payload["message"]
    # Each protocol may have a message of its own.
    body = message.get("email", message.get("default", "")) if isinstance(message, Mapping) else message
    return element("div", element("dl", *rows), element("pre", str(body), tabindex="0"), class_="email")


def _amazon_q(payload: Json, at: str) -> Html:
    content = payload["content"]
    steps = [element("li", mrkdwn_html(step)) for step in content.get("nextSteps", ())]
    keywords = [element("span", word, class_="keyword") for word in content.get("keywords", ())]
    card = (
        element("p", mrkdwn_html(content.get("title", "")), class_="title"),
        element("div", mrkdwn_html(content["description"]), class_="text"),
        *((element("p", "Next steps", class_="label"), element("ul", *steps)) if steps else ()),
        *((element("p", *keywords, class_="keywords"),) if keywords else ()),
    )
    head = element(
        "p",
        element("b", "Amazon Q"),
        " ",
        element("span", "APP", class_="app"),
        " ",
        element("span", at, class_="at"),
        class_="head",
    )
    avatar = element("span", "Q", class_="avatar", aria_hidden="true")
    said = element("div", head, element("div", *card, class_="card"), class_="said")
    return element("div", avatar, said, class_="slack amazon-q")


def _bubble(payload: Json, at: str) -> Html:
    kind = str(payload.get("type", "info"))
    mark = element(
        "span", _TYPES.get(kind, "i"), class_=f"mark {kind if kind in _TYPES else 'info'}", title=kind
    )
    title = element("p", mark, element("b", str(payload.get("title", ""))), class_="title")
    body = element("div", str(payload.get("body", "")), class_="text")
    return element(
        "div", element("div", title, body, element("p", at, class_="at"), class_="bubble"), class_="chat"
    )


def _request(payload: Json) -> Html:
    # Imported here: only this type of channel speaks HTTP by itself.
    from ecr_warden.adapters.signed_webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER  # noqa: PLC0415

    headers = (
        ("Content-Type", "application/cloudevents+json; charset=UTF-8"),
        ("User-Agent", "ecr-warden"),
        (TIMESTAMP_HEADER, "(when it is sent, in Unix seconds)"),
        (SIGNATURE_HEADER, "v1=(HMAC-SHA256 of that, a full stop and the body, with the secret's key)"),
    )
    lines = [element("div", element("dt", name), element("dd", value)) for name, value in headers]
    return element(
        "div",
        element("p", element("b", "POST"), " (the secret's URL)", class_="start"),
        element("dl", *lines),
        json_html(payload),
        class_="request",
    )
