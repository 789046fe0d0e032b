import json
import re
from dataclasses import replace

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from fakes import NOW, OUTCOME
from hostile import TEXTS, outcome_with
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.outcome_bus import outcome_as_json
from ecr_warden.adapters.plain_text import letter
from ecr_warden.adapters.sns import SnsTopic, sns_attributes, sns_subject
from ecr_warden.domain.finding_summary import FindingShown, FindingsSummary
from ecr_warden.domain.messages import Digest, Message, Traits
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Mode, Severity
from ecr_warden.errors import ChannelError

MESSAGE = Message((OUTCOME,))
TRAITS = ("kind", "severity", "mode", "action", "changed", "account", "region", "repository")
MACHINES = ("sqs", "lambda", "http", "https", "firehose")
# What XML 1.0 has a character for: SQS takes no other in an attribute.
LEGAL = re.compile("[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


class FakeSns:
    def __init__(self, error=None):
        self.error = error
        self.published = []

    def publish(self, **request):
        if self.error:
            raise self.error
        self.published.append(request)


def published(message):
    client = FakeSns()
    topic = SnsTopic(client, "arn:topic", "ops")
    assert topic.send(message) is None
    (request,) = client.published
    return request


def size(request):
    attributes = request["MessageAttributes"].items()
    return sum(
        len(text.encode())
        for text in (
            request["Subject"],
            request["Message"],
            *(part for name, value in attributes for part in (name, *value.values())),
        )
    )


def test_people_get_a_text_and_machines_the_outcomes_as_they_are_on_the_bus():
    request = published(MESSAGE)
    assert request["TopicArn"] == "arn:topic"
    assert request["MessageStructure"] == "json"
    bodies = json.loads(request["Message"])
    assert bodies["default"] == bodies["email"] == letter(MESSAGE, 8000)
    assert bodies["sms"] == "Tag quarantined: team/app:latest"
    for protocol in MACHINES:
        assert json.loads(bodies[protocol]) == {
            "outcomes": [outcome_as_json(OUTCOME)],
            "left_out": 0,
            "digest": None,
            "instead_of": None,
        }


def test_machines_are_told_that_it_is_a_digest_and_in_whose_place_it_is_told():
    digest = digest_of(OUTCOME, replace(OUTCOME, repository="team/other"))
    document = json.loads(
        json.loads(published(Message((OUTCOME,), digest, "secops: down"))["Message"])["sqs"]
    )
    assert document["digest"] == {
        "counts": [["Tag quarantined", 2]],
        "total": 2,
        "first": "2026-11-24T03:00:00Z",
        "last": "2026-11-24T03:00:00Z",
        "severity": "high",
        "link": "https://example.com",
        "traits": {
            "kinds": ["tag_violation"],
            "severities": ["high"],
            "modes": ["enforce"],
            "actions": ["quarantine"],
            "changed": [True],
            "accounts": ["123456789012"],
            "regions": ["eu-west-1"],
            "repositories": ["team/app", "team/other"],
        },
    }
    assert document["instead_of"] == "secops: down"
    assert document["left_out"] == 1


def digest_of(*outcomes):
    counts = (("Tag quarantined", len(outcomes)),)
    return Digest(counts, len(outcomes), NOW, NOW, Severity.HIGH, "https://example.com", Traits.of(outcomes))


def test_a_filter_finds_what_a_digest_does_not_show():
    failed = replace(
        OUTCOME,
        id="outcome-2",
        kind=OutcomeKind.REPLICATION_FAILED,
        severity=Severity.LOW,
        mode=Mode.AUDIT,
        action="none",
        changed=False,
        account="210987654321",
        region="us-east-1",
        repository="team/other",
    )
    message = Message((OUTCOME,), digest_of(OUTCOME, OUTCOME, failed))
    attributes = sns_attributes(message, "ops")
    assert {name: json.loads(attributes.pop(name)["StringValue"]) for name in TRAITS} == {
        "kind": ["tag_violation", "replication_failed"],
        "severity": ["high", "low"],
        "mode": ["enforce", "audit"],
        "action": ["quarantine", "none"],
        "changed": ["true", "false"],
        "account": ["123456789012", "210987654321"],
        "region": ["eu-west-1", "us-east-1"],
        "repository": ["team/app", "team/other"],
    }
    assert {name: value["StringValue"] for name, value in attributes.items()} == {
        "channel": "ops",
        "outcome_id": "outcome-1",
    }


@given(TEXTS, st.integers(1, 200))
def test_whatever_others_wrote_a_digest_is_what_sns_takes(text, count):
    outcomes = [
        outcome_with(text, repository=text + str(number), account=text + str(number))
        for number in range(count)
    ]
    request = published(Message(tuple(outcomes[:5]), digest_of(*outcomes), instead_of=text))
    assert size(request) <= 262_144
    assert len(request["MessageAttributes"]) == 10
    document = json.loads(json.loads(request["Message"])["sqs"])
    assert len(document["outcomes"]) + document["left_out"] == count


@pytest.mark.parametrize("character", ["x", '"', "\x00", "👩", "\\"])
def test_a_digest_of_outcomes_that_do_not_fit_is_told_without_what_its_attributes_say(character):
    text = character * 10_000
    outcomes = [outcome_with(f"{number}{text}", account=f"{number}{text}") for number in range(120)]
    request = published(Message(tuple(outcomes[:5]), digest_of(*outcomes), instead_of=text))
    assert size(request) <= 262_144
    document = json.loads(json.loads(request["Message"])["sqs"])
    assert document["left_out"] == 119
    assert len(json.loads(request["MessageAttributes"]["repository"]["StringValue"])) > 1


@given(TEXTS)
def test_a_subject_is_what_sns_takes(text):
    subject = sns_subject(Message((outcome_with(text),)))
    assert re.fullmatch(r"\[HIGH\] Tag quarantined[\x20-\x7e]{0,99}", subject)
    assert len(subject) < 100


@given(TEXTS, st.integers(1, 12))
def test_whatever_others_wrote_the_message_is_what_sns_takes(text, count):
    outcomes = tuple(outcome_with(text + str(number), id=text) for number in range(count))
    request = published(Message(outcomes, instead_of=text))
    assert size(request) <= 262_144
    assert len(request["MessageAttributes"]) <= 10
    for value in request["MessageAttributes"].values():
        assert value["StringValue"]
        assert LEGAL.fullmatch(value["StringValue"])
        if value["DataType"] == "String.Array":
            array = json.loads(value["StringValue"])
            assert len(set(array)) == len(array) > 1
    bodies = json.loads(request["Message"])
    document = json.loads(bodies["sqs"])
    assert document["outcomes"]
    assert len(document["outcomes"]) + document["left_out"] == count


def heavy(characters):
    worst = (FindingShown("CVE-1", "high", url=characters),) * 10
    findings = FindingsSummary(counts={}, counted={}, allowed={}, worst=worst)
    return replace(OUTCOME, findings=findings)


def test_outcomes_that_do_not_fit_are_left_out_and_counted():
    request = published(Message((heavy("x" * 500),) * 40))
    assert size(request) <= 262_144
    document = json.loads(json.loads(request["Message"])["sqs"])
    assert 1 < len(document["outcomes"]) < 40
    assert len(document["outcomes"]) + document["left_out"] == 40
    assert document["outcomes"][0] == outcome_as_json(heavy("x" * 500))


@pytest.mark.parametrize("character", ["x", '"', "\x00", "é", "👩", "\\", "\n"])
def test_one_outcome_that_does_not_fit_is_shortened_to_what_tells_it_from_others(character):
    text = character * 60_000
    outcome = outcome_with(text, id=text, decision=text, account=text, region=text)
    request = published(Message((outcome,) * 3, instead_of=text))
    assert size(request) <= 262_144
    document = json.loads(json.loads(request["Message"])["https"])
    (shortened,) = document["outcomes"]
    assert document["left_out"] == 2
    assert shortened["is_shortened"]
    assert shortened["kind"] == "tag_violation"
    assert len(shortened["reason"]) <= 512


def test_subscriptions_filter_by_ten_attributes():
    attributes = sns_attributes(MESSAGE, "ops")
    assert {name: value["StringValue"] for name, value in attributes.items()} == {
        "channel": "ops",
        "kind": "tag_violation",
        "severity": "high",
        "mode": "enforce",
        "action": "quarantine",
        "changed": "true",
        "account": "123456789012",
        "region": "eu-west-1",
        "repository": "team/app",
        "outcome_id": "outcome-1",
    }
    assert {value["DataType"] for value in attributes.values()} == {"String"}


def test_what_outcomes_differ_in_is_an_array_without_duplicates():
    other = replace(OUTCOME, id="outcome-2", kind=OutcomeKind.IMAGE_VULNERABLE, severity=Severity.CRITICAL)
    attributes = sns_attributes(Message((other, OUTCOME, OUTCOME)), "ops")
    assert attributes["kind"] == {
        "DataType": "String.Array",
        "StringValue": '["image_vulnerable","tag_violation"]',
    }
    assert json.loads(attributes["outcome_id"]["StringValue"]) == ["outcome-2", "outcome-1"]
    assert attributes["repository"] == {"DataType": "String", "StringValue": "team/app"}


def test_a_long_array_is_bounded():
    outcomes = tuple(replace(OUTCOME, repository=f"{'é' * 250}{number}") for number in range(100))
    value = sns_attributes(Message(outcomes), "ops")["repository"]["StringValue"]
    assert len(value.encode()) <= 4096
    assert len(json.loads(value)) > 1


def refusal(error):
    with pytest.raises(ChannelError) as raised:
        SnsTopic(FakeSns(error), "arn:topic", "ops").send(MESSAGE)
    return raised.value


def client_error(code, status):
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Publish")


@pytest.mark.parametrize("code", ["Throttled", "ThrottlingException", "KMSThrottling", "RequestThrottled"])
@pytest.mark.parametrize("status", [400, 429, 500])
def test_throttling_surely_told_nobody(code, status):
    error = refusal(client_error(code, status))
    assert error.surely_failed
    assert not error.is_refused


@pytest.mark.parametrize("code", ["InvalidParameter", "InvalidParameterValue", "ValidationException"])
def test_a_message_that_sns_does_not_take_is_refused(code):
    error = refusal(client_error(code, 400))
    assert error.is_refused
    assert error.surely_failed


@pytest.mark.parametrize(
    ("code", "next_step"),
    [
        ("AuthorizationError", "allow NotifyFunction's role sns:Publish"),
        ("AuthorizationErrorException", "allow NotifyFunction's role sns:Publish"),
        ("NotFound", "deploy the stack anew"),
        ("KMSAccessDenied", "kms:GenerateDataKey"),
    ],
)
def test_what_a_person_must_mend_is_said(code, next_step):
    error = refusal(client_error(code, 403))
    assert next_step in str(error)
    assert not error.is_refused


@pytest.mark.parametrize(
    ("error", "surely_failed"),
    [
        (ReadTimeoutError(endpoint_url="https://sns"), False),
        (ConnectionClosedError(endpoint_url="https://sns"), False),
        (client_error("InternalError", 500), False),
        (EndpointConnectionError(endpoint_url="https://sns"), True),
        (NoCredentialsError(), True),
    ],
)
def test_a_request_that_was_under_way_may_have_told(error, surely_failed):
    assert refusal(error).surely_failed is surely_failed
