import json
from pathlib import Path

import pytest
from conftest import EVENTS

from ecr_warden.adapters.eventbridge import parse_image_action
from ecr_warden.domain.tag_rules import Violation, judge_push
from ecr_warden_cli.policy.check import check_policy


@pytest.fixture(scope="session")
def policy():
    return check_policy(Path("tests/e2e/policy.yaml").read_text(), "tests/e2e/policy.yaml").policy


def push(local, repository, tag, seed):
    """Push an image, and give the event that ECR would send of it."""
    local.ecr.create_repository(repositoryName=repository)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "seed": seed},
            "layers": [],
        }
    )
    image = local.ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)["image"]
    event = json.loads(next(path for path in EVENTS if path.stem == "ecr_image_action_push").read_text())
    event |= {"id": f"e2e-{repository}", "region": "us-east-1"}
    event["detail"] |= {
        "repository-name": repository,
        "image-digest": image["imageId"]["imageDigest"],
        "image-tag": tag,
    }
    return event


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_every_image_action_is_handled_in_a_container(local, policy, path):
    event = json.loads(path.read_text())
    answer = local.invoke("ImageActionFunction", event)
    decision = judge_push(parse_image_action(event), policy)
    assert answer["decision"] == type(decision).__name__
    if isinstance(decision, Violation):
        # The repositories of the sample events are not in this account.
        assert "does not exist any more" in answer["reason"]
    else:
        assert answer["reason"] == decision.reason


def test_a_denied_push_is_quarantined_and_told_by_the_containers(local):
    event = push(local, "e2e/app", "latest", "1")
    answer = local.invoke("ImageActionFunction", event)
    assert answer["decision"] == "Violation"
    digest = event["detail"]["image-digest"]
    kept_as = f"quarantine-{digest.removeprefix('sha256:')[:12]}-latest"
    assert local.tags("e2e/app") == {digest: [kept_as]}
    queue = local.queue("NotifyQueue")
    messages = []
    while got := local.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        messages += got
    (message,) = [one for one in messages if json.loads(one["Body"])["detail"]["repository"] == "e2e/app"]
    record = {"messageId": "1", "receiptHandle": message["ReceiptHandle"], "body": message["Body"]}
    assert local.invoke("NotifyFunction", {"Records": [record]}) == {"batchItemFailures": []}
    people = local.client("sqs").get_queue_url(QueueName="ecr-warden-local-people")["QueueUrl"]
    (told,) = local.client("sqs").receive_message(QueueUrl=people)["Messages"]
    assert kept_as in json.loads(told["Body"])["Message"]
    # Lambda may hand over the same batch twice: nobody hears it again.
    assert local.invoke("NotifyFunction", {"Records": [record]}) == {"batchItemFailures": []}
    assert "Messages" not in local.client("sqs").receive_message(QueueUrl=people)


def test_a_malformed_event_fails_in_its_container_and_names_the_field(local):
    event = push(local, "e2e/malformed", "latest", "2")
    del event["detail"]["image-digest"]
    answer = local.invoke("ImageActionFunction", event)
    assert answer["errorType"] == "MalformedEventError"
    assert "detail.image-digest" in answer["errorMessage"]
