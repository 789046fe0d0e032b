import json
from pathlib import Path

import pytest
from conftest import EVENTS, sample

from ecr_warden.adapters.eventbridge import parse_image_action
from ecr_warden.domain.tag_rules import Violation, judge_push
from ecr_warden_cli.policy.check import check_policy


@pytest.fixture(scope="session")
def policy():
    return check_policy(Path("tests/e2e/policy.yaml").read_text(), "tests/e2e/policy.yaml").policy


def push(local, repository, tag, seed):
    """Push an image into a repository that is there, and give the event that ECR would send of it."""
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "seed": seed},
            "layers": [],
        }
    )
    image = local.ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)["image"]
    event = sample("ecr_image_action_push") | {"id": f"e2e-{repository}"}
    event["detail"] |= {
        "repository-name": repository,
        "image-digest": image["imageId"]["imageDigest"],
        "image-tag": tag,
    }
    return event


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_every_image_action_is_handled_in_a_container(local, warm, policy, path):
    assert local.url
    event = sample(path.stem)
    answer = warm.invoke("ImageActionFunction", event)
    decision = judge_push(parse_image_action(event), policy)
    assert answer["decision"] == type(decision).__name__
    if isinstance(decision, Violation):
        # The repositories of the sample events are not in this account.
        assert "does not exist any more" in answer["reason"]
    else:
        assert answer["reason"] == decision.reason


def test_what_one_push_led_to_is_quarantined_and_told_in_one_message_by_the_containers(local, warm):
    tags = ("latest", "nightly")
    local.ecr.create_repository(repositoryName="e2e/app")
    for tag in tags:
        event = push(local, "e2e/app", tag, "1")
        assert warm.invoke("ImageActionFunction", event)["decision"] == "Violation"
    digest = event["detail"]["image-digest"]
    kept_as = [f"quarantine-{digest.removeprefix('sha256:')[:12]}-{tag}" for tag in tags]
    assert local.tags("e2e/app") == {digest: kept_as}
    outcomes = local.outcomes(repository="e2e/app")
    assert [outcome["detail"]["image_tag"] for outcome in outcomes] == list(tags)
    # Lambda may hand over the same batch twice: nobody hears it twice.
    for _ in range(2):
        warm.deliver(outcomes)
    assert local.published("e2e/app") == local.chat("e2e/app") == []
    wake_ups = [local.wake_up(channel)[0] for channel in ("ops", "chat")]
    for _ in range(2):
        warm.deliver(wake_ups)
        (published,) = local.published("e2e/app")
        assert [outcome["image_tag"] for outcome in published["outcomes"]] == list(tags)
        (said,) = local.chat("e2e/app")
        assert all(tag in said for tag in kept_as)


def test_a_malformed_event_fails_in_its_container_and_names_the_field(warm):
    event = sample("ecr_image_action_push")
    del event["detail"]["image-digest"]
    answer = warm.invoke("ImageActionFunction", event)
    assert answer["errorType"] == "MalformedEventError"
    assert "detail.image-digest" in answer["errorMessage"]


def creation(name, sample="eventbridge_cloudtrail_CreateRepository"):
    """Give what Lambda hands over of a new repository: a batch of one message with CloudTrail's event."""
    event = json.loads((Path(__file__).parents[2] / "events" / f"{sample}.json").read_text())
    event |= {"id": f"e2e-{name}", "account": "123456789012", "region": "us-east-1"}
    where = "requestParameters" if event["detail"]["requestParameters"] else "serviceEventDetails"
    event["detail"][where] = {"repositoryName": name}
    return {"Records": [{"messageId": "1", "receiptHandle": "1", "body": json.dumps(event)}]}


@pytest.mark.parametrize("shape", ["", "_service_event"])
def test_a_new_repository_is_configured_in_a_container(local, warm, shape):
    name = f"e2e/new/app{shape.replace('_', '-')}"
    local.ecr.create_repository(repositoryName=name)
    batch = creation(name, f"eventbridge_cloudtrail_CreateRepository{shape}")
    answer = warm.invoke("RepositoryCreatedFunction", batch)
    assert answer["batchItemFailures"] == []
    assert [one["decision"] for one in answer["decisions"]] == ["configured"]
    (found,) = local.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    lifecycle = local.ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]
    assert len(json.loads(lifecycle)["rules"]) == 3
    assert "Pull" in local.ecr.get_repository_policy(repositoryName=name)["policyText"]
    (rule,) = local.ecr.describe_registry()["replicationConfiguration"]["rules"]
    assert rule["repositoryFilters"] == [{"filter": "e2e/new/", "filterType": "PREFIX_MATCH"}]
    # Delivered again, it finds all done, and tells it under the same id: so nobody hears it twice.
    (first,) = answer["decisions"]
    (again,) = warm.invoke("RepositoryCreatedFunction", batch)["decisions"]
    assert again["outcome_id"] == first["outcome_id"]
    assert "lifecycle as the policy wants it" in again["reason"]


def test_a_creation_that_failed_or_names_nothing_is_handled_in_a_container(warm):
    failed = creation("e2e/new/never")
    event = json.loads(failed["Records"][0]["body"])
    event["detail"]["errorCode"] = "AccessDenied"
    failed["Records"][0]["body"] = json.dumps(event)
    (decision,) = warm.invoke("RepositoryCreatedFunction", failed)["decisions"]
    assert decision["decision"] == "NotJudged"
    event["detail"] |= {"errorCode": None, "requestParameters": None}
    failed["Records"][0]["body"] = json.dumps(event)
    answer = warm.invoke("RepositoryCreatedFunction", failed)
    assert answer["batchItemFailures"] == [{"itemIdentifier": "1"}]
    assert answer["failures"][0]["type"] == "MalformedEventError"


@pytest.mark.parametrize(
    ("name", "decision"),
    [
        ("eventbridge_cloudtrail_CreateRepository", "Gone"),
        ("eventbridge_cloudtrail_CreateRepository_service_event", "Gone"),
        ("eventbridge_cloudtrail_CreateRepository_replication", "Gone"),
        ("eventbridge_cloudtrail_CreateRepository_failed", "NotJudged"),
    ],
)
def test_every_sample_of_a_creation_is_handled_in_a_container(warm, name, decision):
    answer = warm.invoke("RepositoryCreatedFunction", sample(name))
    # The repositories of the sample events are not in this account.
    assert [one["decision"] for one in answer["decisions"]] == [decision]
    assert answer["batchItemFailures"] == []


def test_sample_events_are_handled_as_people_give_them_to_sam_local_invoke(local):
    answer = local.invoke("ImageActionFunction", sample("ecr_image_action_push_untagged"))
    assert answer["decision"] == "NotJudged"
    failed = sample("eventbridge_cloudtrail_CreateRepository_failed")
    (decision,) = local.invoke("RepositoryCreatedFunction", failed)["decisions"]
    assert decision["decision"] == "NotJudged"
    told = sample("ecr_warden_outcome_tag_violation")
    assert local.invoke("NotifyFunction", told) == {"batchItemFailures": []}
    # Whoever gives it an outcome waits for no other of the same push.
    (published,) = local.published(told["detail"]["id"])
    assert published["outcomes"] == [told["detail"]]
