"""Pushes, from ECR's API through the template's rules and functions to what people got."""

import json

import boto3
import pytest

DENIED = "The tag latest is denied by the pattern latest."


def test_a_denied_push_is_quarantined_journaled_and_told_once_in_each_channel(aws):
    caused = aws.watch(lambda: aws.push("latest"))
    assert caused.error is None
    assert caused.functions == ["ImageActionFunction"]
    (outcome,) = caused.outcomes
    digest = outcome["image_digest"]
    kept_as = f"quarantine-{digest.removeprefix('sha256:')[:12]}-latest"
    assert aws.tags(digest) == [kept_as]
    pulled = aws.ecr.batch_get_image(repositoryName="team/app", imageIds=[{"imageTag": kept_as}])["images"]
    assert pulled[0]["imageId"]["imageDigest"] == digest
    (change,) = caused.changes
    assert change["before"] == {"image_tag": "latest", "image_digest": digest}
    assert change["after"] == {"image_tag": kept_as, "image_digest": digest}
    assert [message.channel for message in caused.messages] == ["team", "ops"]
    assert all(DENIED in message.text for message in caused.messages)
    assert caused.messages[1].payload["attributes"]["severity"]["StringValue"] == "medium"
    assert caused.messages[1].payload["subject"] == "[MEDIUM] Tag quarantined: team/app:latest"


def test_an_outcome_has_the_names_that_others_rest_on(aws):
    (outcome,) = aws.watch(lambda: aws.push("latest")).outcomes
    names = (
        "id kind account region repository image_digest image_tag mode decision action changed reason rule "
        "severity event_id"
    )
    assert set(names.split()) <= set(outcome)
    assert outcome["rule"] == {"file": "policy.yaml", "line": 5, "match": ["**"]}
    assert outcome["kind"] == "tag_violation"
    assert (outcome["account"], outcome["region"]) == ("123456789012", "us-east-1")


def test_its_own_push_event_is_ignored(aws):
    aws.watch(lambda: aws.push("latest"))
    pushed = [event["detail"] for event in aws.aws.broker.trace.events if event["source"] == "aws.ecr"]
    assert [(detail["action-type"], detail["image-tag"][:10]) for detail in pushed] == [
        ("PUSH", "latest"),
        ("PUSH", "quarantine"),
        ("DELETE", "latest"),
    ]
    answers = [
        item.answer for item in aws.aws.broker.trace.invocations if item.function == "ImageActionFunction"
    ]
    assert [answer["decision"] for answer in answers] == ["Violation", "NotJudged", "NotJudged"]


def test_an_event_delivered_twice_is_done_once_and_told_once(aws):
    first = aws.watch(lambda: aws.push("latest"))
    event = aws.aws.broker.trace.events[0]
    again = aws.aws.deliver(event)
    assert again.error is None
    assert [outcome["id"] for outcome in again.outcomes] == [first.outcomes[0]["id"]]
    assert again.changes == []
    assert again.messages == []


def test_the_images_other_tags_stay_and_keep_the_images_digest(aws):
    digest = aws.push("v1.0.0", "stable-but-not-allowed")
    aws.watch(lambda: aws.push("latest"))
    assert "v1.0.0" in aws.tags(digest)
    assert "latest" not in aws.tags(digest)


@pytest.mark.parametrize("mutability", ["IMMUTABLE", "MUTABLE"])
def test_quarantine_works_in_mutable_and_immutable_repositories(aws, mutability):
    aws.repository("team/other", imageTagMutability=mutability)
    (outcome,) = aws.watch(lambda: aws.push("latest", repository="team/other")).outcomes
    assert outcome["changed"] is True
    (tag,) = aws.tags(outcome["image_digest"], "team/other")
    assert tag.startswith("quarantine-")


def test_an_index_is_quarantined_and_its_children_are_kept_and_never_judged(aws):
    children = [aws.push(seed=seed) for seed in "ab"]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{"digest": digest} for digest in children],
        }
    )
    caused = aws.watch(
        lambda: aws.ecr.put_image(repositoryName="team/app", imageManifest=manifest, imageTag="latest")
    )
    (outcome,) = caused.outcomes
    assert outcome["image_digest"] not in children
    assert [aws.tags(digest) for digest in children] == [[], []]
    assert len(aws.tags(outcome["image_digest"])) == 1


def test_a_tag_moved_before_the_function_ran_is_left_to_its_own_event(aws):
    def push_twice():
        aws.push("latest", seed="1")
        aws.push("latest", seed="2")

    caused = aws.watch(push_twice)
    first, second = caused.outcomes
    assert (first["changed"], second["changed"]) == (False, True)
    assert second["image_digest"] in first["reason"]
    assert aws.tags(first["image_digest"]) == []


def test_delete_takes_the_image_and_asks_first_who_uses_it(open_world):
    with open_world("delete") as aws:
        aws.repository()
        caused = aws.watch(lambda: aws.push("latest"))
        assert aws.ecr.list_images(repositoryName="team/app")["imageIds"] == []
        (change,) = caused.changes
        assert change["after"] is None
        assert json.loads(change["before"]["manifest"])["config"]["seed"] == "1"


def test_delete_spares_an_image_that_a_service_uses(open_world):
    with open_world("delete") as aws:
        aws.repository()
        ecs = aws.client("ecs")
        ecs.create_cluster(clusterName="prod")
        ecs.register_task_definition(
            family="web",
            containerDefinitions=[
                {
                    "name": "web",
                    "memory": 128,
                    "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:latest",
                }
            ],
        )
        ecs.create_service(cluster="prod", serviceName="web", taskDefinition="web", desiredCount=1)
        caused = aws.watch(lambda: aws.push("latest"))
        (outcome,) = caused.outcomes
        assert outcome["changed"] is False
        assert "ECS service" in outcome["reason"]
        assert aws.tags(outcome["image_digest"]) == ["latest"]


def test_delete_spares_an_index_childs_last_tag(open_world):
    with open_world("delete") as aws:
        aws.repository()
        child = aws.push()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [{"digest": child}],
            }
        )
        aws.ecr.put_image(repositoryName="team/app", imageManifest=manifest, imageTag="v1.0.0")
        (outcome,) = aws.watch(lambda: aws.push("latest")).outcomes
        assert outcome["changed"] is False
        assert "an image index refers to" in outcome["reason"]
        assert aws.tags(child) == ["latest"]


@pytest.mark.parametrize("exempt", ["tags", "all"])
def test_an_exempt_repository_is_left_alone(aws, exempt):
    aws.repository("team/free", tags=[{"Key": "ecr-warden:exempt", "Value": exempt}])
    caused = aws.watch(lambda: aws.push("latest", repository="team/free"))
    assert (caused.outcomes, caused.changes, caused.messages) == ([], [], [])
    assert "ecr-warden:exempt" in caused.decisions[0]["reason"]


def test_a_repository_that_is_gone_is_said_to_be_gone(aws, sample):
    caused = aws.aws.deliver(sample("ecr_image_action_push"))
    assert caused.error is None
    assert "does not exist any more" in caused.outcomes[0]["reason"]
    assert caused.changes == []


def test_a_malformed_event_goes_to_the_dead_letters_with_the_field_and_nothing_is_done(aws):
    aws.push("v1.0.0")
    event = aws.aws.broker.trace.events[-1]
    detail = {**event["detail"], "image-digest": None}
    caused = aws.aws.deliver({**event, "id": "bad", "detail": detail})
    assert caused.error == {
        "type": "MalformedEventError",
        "message": "detail.image-digest: expected text, got None",
    }
    assert (caused.outcomes, caused.changes, caused.messages) == ([], [], [])
    queue = aws.stack.physical["ImageActionDeadLetterQueue"]
    (letter,) = boto3.client("sqs", region_name="us-east-1").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(letter["Body"])["id"] == "bad"


def test_what_eventbridge_could_not_hand_over_goes_to_the_rules_dead_letters(aws):
    rule = next(rule for rule in aws.client("events").list_rules()["Rules"] if "ImageAction" in rule["Name"])
    (target,) = aws.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
    lost = {**target, "Arn": target["Arn"] + "-gone"}
    aws.client("events").put_targets(Rule=rule["Name"], Targets=[lost])
    caused = aws.watch(lambda: aws.push("latest"))
    assert caused.functions == []
    assert caused.error["type"] == "UndeliveredError"
    assert aws.stack.waiting("ImageActionRuleDeadLetterQueue") == 1


def test_a_disabled_rule_reaches_no_function(aws):
    for rule in aws.client("events").list_rules()["Rules"]:
        aws.client("events").disable_rule(Name=rule["Name"])
    assert aws.watch(lambda: aws.push("latest")).functions == []
