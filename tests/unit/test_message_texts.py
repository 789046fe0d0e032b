"""How messages look on a terminal."""

from dataclasses import replace

import pytest

from ecr_warden_cli.caused import Message
from ecr_warden_cli.commands.message_texts import heading, text, title

ROOT = Message("incidents", "slack", "🔴 Image a &lt;b&gt;", {"text": "x", "ts": "1.0", "blocks": []})
HEADER = {"type": "header", "text": {"type": "plain_text", "text": "🔴 Two <images>"}}
SHORT = Message("team", "slack", "🔴 Two &lt;images&gt;. A long reason.", {"text": "x", "blocks": [HEADER]})
ANSWER = Message("incidents", "slack", "passes again", {"text": "x", "thread_ts": "1.0"})
EVENT = {"type": "ecr-warden.image_vulnerable", "subject": "prod/api:1"}


def test_slacks_blocks_are_lines_and_its_links_and_mentions_are_readable():
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "Two <images>"}},
        {"type": "section", "text": {"type": "plain_text", "text": "Worst findings\nCVE-1\nCVE-2"}},
        {"type": "section", "fields": [{"type": "plain_text", "text": "Owner\npayments"}]},
        {"type": "divider"},
        {
            "type": "context",
            "elements": [
                {"type": "mrkdwn", "text": "<https://a.example/?b=1&amp;c=2|Open it> <!subteam^S01>"}
            ],
        },
    ]
    message = Message("team", "slack", "x", {"text": "x", "blocks": blocks})
    assert text(message).splitlines() == [
        "Two <images>",
        "Worst findings",
        "CVE-1",
        "CVE-2",
        "Owner: payments",
        "Open it: https://a.example/?b=1&c=2 @S01",
    ]


def test_a_message_without_blocks_is_its_text():
    assert text(Message("team", "slack", "a &lt; b", {"text": "a &lt; b"})) == "a < b"


@pytest.mark.parametrize(
    ("message", "others", "shown"),
    [
        (Message("team", "slack", "x", {"text": "x"}), [], "team (slack)"),
        (ROOT, [ANSWER], "incidents (slack, changed in place)"),
        (ANSWER, [ROOT, ANSWER], "incidents (slack, in the thread of “🔴 Image a <b>”)"),
        (
            ANSWER,
            [replace(SHORT, channel="incidents", payload=SHORT.payload | {"ts": "1.0"})],
            "incidents (slack, in the thread of “🔴 Two <images>”)",
        ),
        (ANSWER, [ANSWER], "incidents (slack, in its thread)"),
        (Message("ops", "sns", "x", {"subject": "s"}), [], "ops (sns)"),
    ],
)
def test_a_heading_says_where_a_message_stands(message, others, shown):
    assert heading(message, others) == shown


@pytest.mark.parametrize(
    ("message", "first", "whole"),
    [
        (Message("ops", "sns", "All of it", {"subject": "Sub"}), "Sub", "Subject: Sub\n\nAll of it"),
        (Message("chat", "amazon-q", "All", {"content": {"title": "T"}}), "T", "T\n\nAll"),
        (Message("pager", "apprise", "All", {"title": "T", "body": "All"}), "T", "T\n\nAll"),
        (
            Message("siem", "webhook", "x", EVENT),
            "CloudEvent ecr-warden.image_vulnerable of prod/api:1",
            "CloudEvent ecr-warden.image_vulnerable of prod/api:1",
        ),
        (
            Message("siem", "webhook", "x", {"events": [EVENT, {"type": "t"}]}),
            "CloudEvent ecr-warden.image_vulnerable of prod/api:1, CloudEvent t of -",
            "CloudEvent ecr-warden.image_vulnerable of prod/api:1\nCloudEvent t of -",
        ),
        (Message("team", "slack", "First &amp; line\nmore", {}), "First & line", "First & line\nmore"),
        (SHORT, "🔴 Two <images>", "🔴 Two <images>"),
    ],
)
def test_each_type_has_a_title_and_a_text(message, first, whole):
    assert (title(message), text(message)) == (first, whole)
