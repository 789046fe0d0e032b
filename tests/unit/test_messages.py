import re
from dataclasses import replace

import pytest
from fakes import OUTCOME
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.slack import slack_payload
from ecr_warden.adapters.sns import sns_subject, sns_text
from ecr_warden.domain.console import console_url, partition
from ecr_warden.domain.notices import notice
from ecr_warden.domain.outcomes import OutcomeKind, outcome_id
from ecr_warden.domain.policy import Severity

DIGEST = OUTCOME.image_digest
HOSTILE = st.text(max_size=400) | st.sampled_from(
    ["<!channel>", "<http://evil|text>", "&lt;", "*_~`x`~_*", "\u202egnp", "\x00", "x" * 5000, "line\nbreak"]
)


def test_a_notice_says_which_image_why_what_to_do_and_where_to_look():
    said = notice(OUTCOME)
    assert said.headline == "Tag quarantined: team/app:latest"
    assert said.reason == OUTCOME.reason
    assert said.next_step == "Push it again."
    assert dict(said.facts) == {
        "Severity": "high",
        "Account and Region": "123456789012 eu-west-1",
        "Digest": DIGEST,
        "Rule": "policy.yaml:7 (**)",
        "Mode": "enforce",
        "Pushed at": "2026-11-24T02:59:58+00:00",
        "Change": "change-1",
    }
    assert said.link.startswith("https://eu-west-1.console.aws.amazon.com/")


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        ({"changed": False}, "Tag breaks the policy: team/app:latest"),
        ({"action": "delete"}, "Tag deleted: team/app:latest"),
        ({"kind": OutcomeKind.DRIFT_FOUND, "image_tag": None}, "Drift found: team/app"),
    ],
)
def test_the_headline_says_what_happened(changes, headline):
    assert notice(replace(OUTCOME, **changes)).headline == headline


def test_a_fact_that_is_not_known_is_left_out():
    facts = dict(notice(replace(OUTCOME, rule=None, image_digest=None, change_ids=())).facts)
    assert not {"Rule", "Digest", "Change"} & set(facts)


@pytest.mark.parametrize(
    ("region", "domain", "name"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com", "aws"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn", "aws-cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com", "aws-us-gov"),
        ("eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu", "aws-eusc"),
    ],
)
def test_a_link_is_into_the_console_of_the_regions_partition(region, domain, name):
    url = console_url("1", region, "team/app", "sha256:ab")
    assert (
        url
        == f"https://{domain}/ecr/repositories/private/1/team/app/_/image/sha256:ab/details?region={region}"
    )
    assert (
        console_url("1", region, "app") == f"https://{domain}/ecr/repositories/private/1/app?region={region}"
    )
    assert partition(region) == name


def test_slack_gets_blocks_for_people_and_a_text_for_their_notifications():
    payload = slack_payload(OUTCOME)
    assert payload["text"] == "🟠 Tag quarantined: team/app:latest. The tag latest is denied."
    kinds = [block["type"] for block in payload["blocks"]]
    assert kinds == ["header", "section", "section", "section", "context"]
    assert payload["blocks"][2]["text"]["text"] == "What to do: Push it again."
    (link,) = payload["blocks"][-1]["elements"]
    assert link["text"] == f"<{notice(OUTCOME).link}|Open it in the ECR console>"


def texts(block):
    found = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
    return [text for text in found if text is not None]


@given(repository=HOSTILE, tag=HOSTILE, reason=HOSTILE, severity=st.sampled_from(Severity))
def test_nothing_from_outside_is_interpreted_by_slack_or_over_its_limits(repository, tag, reason, severity):
    outcome = replace(
        OUTCOME, repository=repository, image_tag=tag, reason=reason, next_step=reason, severity=severity
    )
    payload = slack_payload(outcome)
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", payload["text"])
    links = [block for block in payload["blocks"] if block["type"] == "context"]
    for block in payload["blocks"]:
        assert block in links or all(text["type"] == "plain_text" for text in texts(block))
    for link in links:
        assert re.fullmatch(
            r"<https://[\w:/.?=%~-]+\|Open it in the ECR console>", link["elements"][0]["text"]
        )
    assert len(payload["blocks"][0]["text"]["text"]) <= 150
    assert all(len(text["text"]) <= 3000 for block in payload["blocks"] for text in texts(block))


def test_a_link_that_slack_would_cut_is_left_out():
    payload = slack_payload(replace(OUTCOME, repository="x" * 3000))
    assert "context" not in [block["type"] for block in payload["blocks"]]


@given(repository=HOSTILE, tag=HOSTILE, reason=HOSTILE)
def test_a_subject_is_what_sns_takes(repository, tag, reason):
    outcome = replace(OUTCOME, repository=repository, image_tag=tag, reason=reason)
    subject = sns_subject(outcome)
    assert 0 < len(subject) < 100
    assert re.fullmatch(r"[\x00-\x7f]+", subject)
    assert "\n" not in subject
    assert subject.startswith("[HIGH] Tag quarantined")


def test_the_text_of_sns_reads_as_a_letter():
    text = sns_text(OUTCOME)
    assert text.startswith(
        "Tag quarantined: team/app:latest\n\nThe tag latest is denied.\n\nWhat to do: Push it again."
    )
    assert "Rule: policy.yaml:7 (**)" in text
    assert "event-1" in text


IDENTITY = st.fixed_dictionaries(
    {
        "event_id": st.text("ab-", max_size=3),
        "repository": st.text("ab/", max_size=3),
        "image_digest": st.none() | st.text("ab:", min_size=1, max_size=3),
        "image_tag": st.none() | st.text("ab", min_size=1, max_size=3),
    }
)


@given(IDENTITY, IDENTITY)
def test_an_outcomes_id_is_its_events_and_subjects_own(one, other):
    ids = [outcome_id(OutcomeKind.TAG_VIOLATION, **identity) for identity in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)
    assert outcome_id(OutcomeKind.DRIFT_FOUND, **one) != ids[0]


def repository_outcome(**changes):
    return replace(
        OUTCOME,
        kind=OutcomeKind.REPOSITORY_CONFIGURED,
        decision="configured",
        action="configure",
        image_digest=None,
        image_tag=None,
        created_by="Admin/mary",
        **changes,
    )


@pytest.mark.parametrize(
    ("decision", "headline"),
    [
        ("configured", "New repository configured: team/app"),
        ("incomplete", "New repository is incomplete: team/app"),
        ("would_configure", "New repository differs from the policy: team/app"),
    ],
)
def test_a_notice_of_a_new_repository_says_what_came_of_it_and_who_created_it(decision, headline):
    said = notice(replace(repository_outcome(), decision=decision))
    assert said.headline == headline
    facts = dict(said.facts)
    assert facts["Created by"] == "Admin/mary"
    assert facts["Created at"] == "2026-11-24T02:59:58+00:00"
    assert "Digest" not in facts
    assert "Pushed at" not in facts
    assert said.link.endswith("/repositories/private/123456789012/team/app?region=eu-west-1")


def test_slack_takes_the_message_of_a_new_repository():
    payload = slack_payload(repository_outcome(reason="x" * 9000))
    assert payload["blocks"][0]["text"]["text"].endswith("New repository configured: team/app")
    assert all(len(block["text"]["text"]) <= 3000 for block in payload["blocks"] if "text" in block)
