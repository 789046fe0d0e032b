# ruff: noqa: RUF001  # Characters that look like others are what it is about.
import re
import unicodedata
from dataclasses import replace
from html import escape

import pytest
from fakes import NOW, OUTCOME
from hostile import TEXTS, outcome_with
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.plain_text import inert, letter, subject
from ecr_warden.domain.content import content
from ecr_warden.domain.finding_summary import FindingShown, FindingsSummary
from ecr_warden.domain.messages import Digest, Message, Traits
from ecr_warden.domain.policy import Severity
from ecr_warden.domain.texts import one_line

LINK = content(Message((OUTCOME,))).link
TRAITS = Traits.of((OUTCOME,))


def test_a_letter_says_what_happened_why_what_to_do_and_where_to_look():
    assert letter(Message((OUTCOME,)), 8000) == (
        "Tag quarantined: team/app:latest\n\n"
        "The tag latest is denied.\n\n"
        "What to do: Push it again.\n\n"
        "Severity: high\nAccount and Region: 123456789012 eu-west-1\n"
        f"Digest: {OUTCOME.image_digest}\nRule: policy.yaml:7 (**)\nMode: enforce\n"
        "Pushed at: 2026-11-24T02:59:58+00:00\nChange: change-1\nOutcome: outcome-1 of event event-1\n\n"
        f"Open it in the ECR console: {LINK}"
    )


def test_a_letter_lists_the_worst_findings_one_a_line():
    worst = (FindingShown("CVE-1", "critical", "zlib", "1.2"), FindingShown("CVE-2", "high"))
    findings = FindingsSummary(counts={"critical": 1}, counted={}, allowed={}, worst=worst)
    text = letter(Message((replace(OUTCOME, findings=findings),)), 8000)
    assert "\n\nWorst findings\nCVE-1 critical zlib 1.2 (no fix known)\nCVE-2 high\n\n" in text


def test_a_letter_of_more_outcomes_has_the_headline_of_each():
    other = replace(OUTCOME, id="outcome-2", image_tag="v1", reason="The tag v1 is denied.")
    text = letter(Message((OUTCOME, other), instead_of="secops: Slack answered 500"), 8000)
    assert text.startswith(
        "Tag quarantined: team/app:latest, and 1 more\n\nTold here in place of secops: Slack answered 500\n\n"
        "Tag quarantined: team/app:latest\n\nThe tag latest is denied."
    )
    assert "\n\nTag quarantined: team/app:v1\n\nThe tag v1 is denied." in text
    assert "outcome-2" in text


def test_a_letter_of_a_digest_has_the_counts_the_first_few_and_the_link_to_the_rest():
    link = "https://example.com/all"
    digest = Digest(
        (("Tag quarantined", 290), ("Drift found", 10)), 300, NOW, NOW, Severity.HIGH, link, TRAITS
    )
    text = letter(Message((OUTCOME,), digest=digest), 8000)
    assert text.startswith(
        "Tag quarantined: 290, and 10 more\n\nTag quarantined: 290\nDrift found: 10\n"
        "From 2026-11-24T03:00:00+00:00"
    )
    assert text.endswith("\n\nAnd 299 more.\n\nList all 300: https://example.com/all")


@given(TEXTS, st.integers(20, 4000), st.booleans())
def test_a_letter_keeps_its_length_and_its_link_whole_or_not_at_all(text, most, is_inert):
    message = Message((outcome_with(text),))
    said = letter(message, most, is_inert=is_inert)
    assert len(said) <= most
    link = content(message).link
    assert said.endswith(link) or "https://eu-west-1.console" not in said
    if len(link) + 100 < most // 2:
        assert said.endswith(link)


@given(TEXTS, st.integers(20, 4000), st.booleans())
def test_a_letter_is_as_large_as_it_is_measured(text, most, is_inert):
    message = Message((outcome_with(text),))

    def size(said):
        return len(escape(said))

    said = letter(message, most, is_inert=is_inert, size=size)
    assert size(said) <= most
    link = content(message).link
    assert said.endswith(link) or "https://eu-west-1.console" not in said
    if size(link) + 100 < most // 2:
        assert said.endswith(link)


@given(TEXTS)
def test_one_line_has_no_break_and_nothing_that_is_not_seen(text):
    line = one_line(text)
    assert line == " ".join(line.split())
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in line)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\ufeff\ufffe\uffff]", line)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!channel>", "‹!channel›"),
        ("<@U012AB3CD>", "‹@\u200bU012AB3CD›"),
        ("@everyone @here", "@\u200beveryone @\u200bhere"),
        ("[text](http://evil.example)", "[text]\u200b(http://evil.example)"),
        ("![x](http://evil.example/x.png)", "![x]\u200b(http://evil.example/x.png)"),
        ("&lt;!channel&gt;", "&\u200blt;!channel&\u200bgt;"),
        ("*_~`bold`~_*", "∗ˍ∼ˋboldˋ∼ˍ∗"),
        ("||hidden||", "\u200b|\u200b|hidden|\u200b|"),
        ("# heading", "\u200b# heading"),
        ("> quoted", "› quoted"),
        # What people copy stays as it is.
        ("team/my_app@sha256:abab", "team/my_app@sha256:abab"),
        ("a & b", "a & b"),
    ],
)
def test_what_a_chat_would_interpret_is_inert(text, shown):
    assert inert(text) == shown


@given(TEXTS)
def test_no_text_is_interpreted_by_any_chat(text):
    shown = inert(text)
    assert not re.search(r"[<>`*~]|\]\(|\]\[|&#?\w+;|\|\||@(?!sha\d+:)[\w!&]", shown)
    assert not re.match(r"[#\-+=|>]", shown)
    assert not re.search(r"(?<![^\W_])_|_(?![^\W_])", shown)


@given(TEXTS, st.integers(10, 300))
def test_a_subject_begins_with_the_severity(text, most):
    said = subject(content(Message((outcome_with(text),))), most)
    assert said.startswith("[HIGH]")
    assert len(said) <= most
