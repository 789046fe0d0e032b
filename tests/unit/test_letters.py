"""What a dead letter is about is read from whatever stands in it."""

import json
from dataclasses import replace

import pytest
from event_mutations import JSON, mutated, sample
from fakes import OUTCOME
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.outcome_bus import outcome_as_json
from ecr_warden_cli.account.letters import About, read_letter


def letter(body, **attributes):
    named = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
    return read_letter({"MessageId": "letter-1", "Body": body, "MessageAttributes": named})


def outcome_event(outcome=OUTCOME):
    return json.dumps({"id": outcome.id, "detail-type": outcome.kind, "detail": outcome_as_json(outcome)})


def test_an_outcome_says_what_happened_to_which_image_and_where_it_failed():
    read = letter(outcome_event(), channel="secops", why="secops: invalid_blocks")
    assert (read.about, read.subject, read.image) == (About.OUTCOME, "tag_violation", "team/app:latest")
    assert (read.severity, read.happened_at) == ("high", OUTCOME.event_time)
    assert (read.channel, read.why, read.can_be_sent) == ("secops", "secops: invalid_blocks", True)


def test_what_failed_as_a_whole_is_of_no_channel():
    read = read_letter({"MessageId": "letter-1", "Body": outcome_event()})
    assert (read.channel, read.why, read.can_be_sent) == (None, "", True)


def test_a_push_whose_call_failed_has_no_digest_and_can_be_sent():
    read = letter(json.dumps(sample("eventbridge_cloudtrail_PutImage_failed")))
    assert (read.about, read.image, read.can_be_sent) == (About.PUSH, "prod/api:v1.4.2", True)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("no JSON", "$: it is no JSON"),
        ("[]", "$: expected an event, got list"),
        ('{"wake": 7}', "wake: expected a channel's name"),
        ('{"detail": {"id": "1"}}', "$.detail: Object missing required field"),
        (
            '{"detail-type": "AWS API Call via CloudTrail", "source": "aws.ecr", "detail": {}}',
            "detail.eventSource: expected",
        ),
    ],
)
def test_what_cannot_be_read_says_why_after_what_was_said_of_it(body, why):
    read = letter(body, why="it came 30 times")
    assert (read.about, read.can_be_sent) == (About.UNREADABLE, False)
    assert read.why.startswith(f"it came 30 times; {why}")


def test_texts_of_somebody_elses_are_on_one_line_printable_and_short():
    hostile = "a\n\x1b[2J\u202e" + "x" * 5000
    read = letter(outcome_event(replace(OUTCOME, image_tag=hostile)), why=hostile, channel=hostile)
    for text in (read.image, read.why, read.channel):
        assert text.isprintable()
        assert len(text) <= 300


PUSHES = ["eventbridge_cloudtrail_PutImage_sso", "eventbridge_cloudtrail_PutImage_untagged"]
BODIES = (
    st.text()
    | JSON.map(json.dumps)
    | st.fixed_dictionaries({"wake": JSON}).map(json.dumps)
    | mutated(PUSHES).map(json.dumps)
)


@given(BODIES)
def test_whatever_is_in_a_letter_its_body_is_kept_and_it_is_read_or_says_why_not(body):
    read = letter(body)
    assert read.body == body
    assert read.can_be_sent or read.why
    assert read.subject


@pytest.mark.parametrize("detail_type", [[], {}, 7, None])
def test_a_letter_whose_detail_type_is_no_text_cannot_be_read_and_says_so(detail_type):
    body = json.dumps({"detail-type": detail_type, "detail": {}})
    letter = read_letter({"MessageId": "1", "ReceiptHandle": "r", "Body": body})
    assert not letter.can_be_sent
    assert letter.why
