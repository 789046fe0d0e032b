"""NotifyFunction in its container: what waits, who pushed, each channel with the libraries of the layer."""

import json
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from conftest import outcome, sample
from http_double import http_server

from ecr_warden.domain.routing import routed
from ecr_warden.domain.schedule import Due, due
from ecr_warden.domain.waiting import Waiting
from ecr_warden_cli.policy.check import check_policy

POLICY = Path("tests/e2e/policy.yaml")


def test_an_outcome_waits_in_the_outbox_until_the_message_that_wakes_its_channel(local, warm):
    event = outcome("e2e/waits")
    outcome_id = event["detail"]["id"]
    warm.deliver([event])
    assert local.published(outcome_id) == []
    assert local.deliveries(outcome_id) == {"ops": "waiting"}
    (waiting,) = local.waiting("ops")
    waiting = msgspec.json.decode(waiting, type=Waiting)
    assert waiting.outcome.id == outcome_id
    assert (waiting.due - waiting.since).total_seconds() == 2
    (alarm,) = [
        item for item in local.items("OutboxTable") if item["channel"] == "ops" and "wakes_at" in item
    ]
    assert datetime.fromisoformat(alarm["wakes_at"]) == waiting.due
    body, delay = local.wake_up("ops")
    assert body == {"wake": "ops"}
    assert delay >= 2
    warm.deliver([body])
    (published,) = local.published(outcome_id)
    assert published["outcomes"] == [event["detail"]]
    assert local.deliveries(outcome_id) == {"ops": "told"}
    assert local.waiting("ops") == []
    # The bus delivers at least once.
    warm.deliver([event])
    assert local.waiting("ops") == []


def test_a_message_names_who_pushed_once_cloudtrail_has_told(local, warm):
    pushed = sample("eventbridge_cloudtrail_PutImage_github_actions", "e2e/pushed")
    image = pushed["detail"]["responseElements"]["image"]["imageId"]
    warm.deliver([pushed])
    event = outcome("e2e/pushed", image_digest=image["imageDigest"], image_tag=image["imageTag"])
    warm.tell([event])
    (published,) = local.published(event["detail"]["id"])
    assert published["outcomes"][0]["pushed_by"] == "deploy/GitHubActions (GitHub Actions)"
    (said,) = local.chat(event["detail"]["id"])
    assert "Pushed by: deploy/GitHubActions (GitHub Actions)" in said


def test_a_service_of_apprise_is_told_by_the_library_in_the_layer(local, warm):
    event = outcome("e2e/paged")
    with http_server(host=local.host) as pager:
        url = f"json://{local.host}:{pager.port}/pages"
        local.client("secretsmanager").put_secret_value(SecretId="ecr-warden/e2e/pager", SecretString=url)
        warm.tell([event])
    (asked,) = pager.asked
    assert asked.path == "/pages"
    assert asked.json["title"] == "[MEDIUM] Tag breaks the policy: e2e/paged:latest"
    assert event["detail"]["reason"] in asked.json["message"]
    assert local.deliveries(event["detail"]["id"]) == {"pager": "told"}


def test_what_no_channel_can_take_waits_and_redrive_says_why(local, warm):
    """Their secrets name ports of this machine's own loopback: in a container nobody listens there."""
    event = outcome("e2e/away")
    warm.tell([event])
    channels = ("incidents", "siem", "team")
    assert local.deliveries(event["detail"]["id"]) == dict.fromkeys(channels, "waiting")
    errors = {
        "incidents": "Slack, by the bot of the secret ecr-warden/e2e/bot: no connection: Connection refused",
        "siem": "the webhook of ecr-warden/e2e/siem: no connection: Connection refused",
        "team": "Slack, by the webhook of the secret ecr-warden/e2e/team: no connection: Connection refused",
    }
    shown = [json.loads(line) for line in local.redrive("--show", "--json").splitlines()]
    reports = {line["name"]: line for line in shown if line["type"] == "channel"}
    assert {name: reports[name]["last_error"] for name in channels} == errors
    assert all(reports[name]["waiting"] == 1 and reports[name]["failures"] for name in channels)
    said = local.redrive("--show")
    assert all(error in said for error in errors.values())
    log = warm.log()
    assert all(error in log for error in errors.values())
    bot, siem = (json.loads(local.secret(f"ecr-warden/e2e/{name}")) for name in ("bot", "siem"))
    for secret in (bot["token"], bot["url"], siem["url"], siem["key"], local.secret("ecr-warden/e2e/team")):
        assert secret not in log + said + str(shown)
    # Each is tried again, without anybody's doing.
    assert [local.wake_up(name)[0] for name in channels] == [{"wake": name} for name in channels]


@pytest.fixture
def policy():
    return check_policy(POLICY.read_text(), str(POLICY)).policy


def test_quiet_hours_are_those_of_their_zone_by_the_database_in_the_layer(local, warm, policy):
    event = outcome("e2e/night")
    warm.deliver([event])
    (waiting,) = local.waiting("night")
    waiting = msgspec.json.decode(waiting, type=Waiting)
    (route,) = routed(policy, waiting.outcome)
    # All day but for the last minute, in Berlin.
    expected = due(route, waiting.outcome.severity, waiting.since, policy.messages.gather_seconds)
    assert Due(waiting.due, waiting.is_held) == expected
    assert local.published(event["detail"]["id"]) == []
