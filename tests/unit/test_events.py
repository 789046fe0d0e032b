import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.eventbridge import parse_image_action
from ecr_warden.errors import MalformedEventError

FOLDER = Path(__file__).parents[2] / "events"
EVENTS = sorted([*FOLDER.glob("ecr_image_action_*.json"), *FOLDER.glob("ecr_referrer_action_*.json")])


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_every_sample_of_an_image_action_is_read(path):
    event = json.loads(path.read_text())
    action = parse_image_action(event)
    assert action.repository_name == event["detail"]["repository-name"]
    assert action.action_type == event["detail"]["action-type"]


@pytest.mark.parametrize("tag", ["", None])
def test_an_empty_or_null_tag_is_no_tag(push_event, tag):
    assert parse_image_action(push_event(image_tag=tag)).image_tag is None


@pytest.mark.parametrize("name", ["action-type", "result", "repository-name", "image-digest"])
@pytest.mark.parametrize("value", [None, "", 7, []])
def test_a_missing_or_wrong_field_is_named(push_event, name, value):
    with pytest.raises(MalformedEventError) as raised:
        parse_image_action(push_event(**{name: value}))
    assert raised.value.field == f"detail.{name}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("source", "aws.ec2"),
        ("detail-type", "ECR Image Scan"),
        ("detail-type", None),
        ("time", "yesterday"),
        ("time", "2026-01-01T00:00:00"),
        ("time", "0001-01-01T00:00:00+23:59"),
        ("time", "9999-12-31T23:59:59-10:00"),
        ("id", "line\nbreak"),
        ("detail", "text"),
        ("id", None),
        ("account", 1),
    ],
)
def test_a_foreign_or_broken_envelope_is_named(push_event, field, value):
    with pytest.raises(MalformedEventError) as raised:
        parse_image_action(push_event() | {field: value})
    assert raised.value.field == field


def test_a_tag_that_is_not_text_is_named(push_event):
    with pytest.raises(MalformedEventError, match=r"detail\.image-tag"):
        parse_image_action(push_event(image_tag=["latest"]))


@pytest.mark.parametrize("tag", ["\ud800", "a\x00b", "a\nb", "\u202egnp"])
def test_a_tag_that_cannot_be_one_is_named(push_event, tag):
    with pytest.raises(MalformedEventError, match=r"detail\.image-tag"):
        parse_image_action(push_event(image_tag=tag))


def test_unknown_fields_are_passed_over(push_event):
    event = push_event(brand_new={"a": 1}) | {"replay-name": "x"}
    assert parse_image_action(event).image_tag == "latest"


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_anything_else_is_malformed_and_nothing_worse(event):
    with pytest.raises(MalformedEventError):
        parse_image_action(event)
