"""CloudTrail's events of PutImage become values that say who pushed which image."""

import contextlib
from dataclasses import asdict
from datetime import UTC, datetime

import pytest
from event_mutations import DROPPED, mutated, sample, with_node
from hypothesis import given

from ecr_warden.adapters.push_parsing import parse_push
from ecr_warden.domain.events import Push
from ecr_warden.errors import MalformedEventError

NAME = "eventbridge_cloudtrail_PutImage"
SAMPLES = [NAME, *(f"{NAME}_{case}" for case in ("github_actions", "sso", "failed", "untagged"))]
DIGEST = "sha256:5a0b1e2c4d6f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70819"
IMAGE_ID = ("detail", "responseElements", "image", "imageId")


def github(path=None, value=DROPPED):
    event = sample(f"{NAME}_github_actions")
    return event if path is None else with_node(event, path, value)


def test_a_push_says_who_pushed_which_image():
    assert parse_push(github()) == Push(
        event_id="00000000-0000-4000-8000-000000000051",
        event_time=datetime(2026, 3, 2, 13, 4, 41, tzinfo=UTC),
        account="123456789012",
        region="eu-west-1",
        repository_name="prod/api",
        image_digest=DIGEST,
        image_tag="v1.4.2",
        pushed_by="deploy/GitHubActions (GitHub Actions)",
        error_code=None,
    )


@pytest.mark.parametrize(
    ("name", "pushed_by"),
    [(NAME, "Mary_Major"), (f"{NAME}_sso", "Developer/mary.major@example.com (IAM Identity Center)")],
)
def test_people_are_named(name, pushed_by):
    assert parse_push(sample(name)).pushed_by == pushed_by


def test_a_call_that_failed_carries_its_error_and_no_digest():
    push = parse_push(sample(f"{NAME}_failed"))
    assert (push.error_code, push.image_digest) == ("ImageTagAlreadyExistsException", "")
    assert push.image_tag == "v1.4.2"


def test_an_untagged_push_has_no_tag():
    assert parse_push(sample(f"{NAME}_untagged")).image_tag is None
    emptied = with_node(github((*IMAGE_ID, "imageTag")), ("detail", "requestParameters", "imageTag"), "")
    assert parse_push(emptied).image_tag is None


def test_what_cloudtrail_left_out_of_the_call_the_response_says():
    whole = parse_push(github())
    assert parse_push(github(("detail", "requestParameters"), {"omitted": True})) == whole
    assert parse_push(github(("detail", "requestParameters"), None)) == whole


def test_what_cloudtrail_left_out_of_the_response_the_call_says():
    event = with_node(
        github(("detail", "responseElements")), ("detail", "requestParameters", "imageDigest"), "a"
    )
    assert parse_push(event).image_digest == "a"


def test_a_push_into_another_accounts_registry_is_of_that_account():
    event = with_node(github(), ("detail", "requestParameters", "registryId"), "222222222222")
    assert parse_push(event).account == "222222222222"


def test_without_a_registry_the_recipient_or_the_envelope_says_the_account():
    event = with_node(github(("detail", "requestParameters", "registryId")), ("account",), "3")
    event = with_node(event, ("detail", "responseElements", "image", "registryId"), None)
    assert parse_push(event).account == "123456789012"
    assert parse_push(with_node(event, ("detail", "recipientAccountId"), DROPPED)).account == "3"


def test_who_pushed_may_be_unknown():
    assert parse_push(github(("detail", "userIdentity"))).pushed_by is None


@pytest.mark.parametrize("name", SAMPLES)
def test_neither_a_manifest_nor_a_key_is_kept(name):
    kept = repr(asdict(parse_push(sample(name))))
    assert "schemaVersion" not in kept
    assert "ACCESS_KEY" not in kept


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ([], "event"),
        (github(("detail-type",), "ECR Image Action"), "detail-type"),
        (github(("source",), "aws.s3"), "source"),
        (github(("detail",)), "detail"),
        (github(("time",), "yesterday"), "time"),
        (github(("detail", "eventName"), "DeleteRepository"), "detail.eventName"),
        (github(("detail", "eventSource"), "ecr-public.amazonaws.com"), "detail.eventSource"),
        (github(("detail", "requestParameters"), []), "detail.requestParameters"),
        (github(("detail", "responseElements"), 7), "detail.responseElements"),
        (github(("detail", "responseElements", "image"), "x"), "detail.responseElements.image"),
        (github(IMAGE_ID, "x"), "detail.responseElements.image.imageId"),
        (github(IMAGE_ID), "detail.responseElements.image.imageId.imageDigest"),
        (github((*IMAGE_ID, "imageDigest"), None), "detail.responseElements.image.imageId.imageDigest"),
        (github((*IMAGE_ID, "imageDigest"), "a\x00"), "detail.responseElements.image.imageId.imageDigest"),
        (github((*IMAGE_ID, "imageTag"), 7), "detail.responseElements.image.imageId.imageTag"),
        (github(("detail", "errorCode"), 7), "detail.errorCode"),
        (
            github(("detail", "requestParameters", "repositoryName"), 7),
            "detail.requestParameters.repositoryName",
        ),
        (
            with_node(
                github(("detail", "responseElements", "image", "repositoryName")),
                ("detail", "requestParameters", "repositoryName"),
                None,
            ),
            "detail.requestParameters.repositoryName",
        ),
    ],
)
def test_an_event_of_another_form_is_refused_with_the_field(event, field):
    with pytest.raises(MalformedEventError) as raised:
        parse_push(event)
    assert raised.value.field == field


@given(mutated(SAMPLES))
def test_whatever_is_in_an_event_it_is_read_or_refused(event):
    with contextlib.suppress(MalformedEventError):
        push = parse_push(event)
        assert push.repository_name
        assert push.image_digest or push.error_code
