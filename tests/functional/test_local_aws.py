"""The local AWS: what it simulates is as AWS documents it."""

import json
from datetime import UTC, datetime

import pytest
import yaml
from botocore.exceptions import ClientError

from ecr_warden_cli.account.replay import reached
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION
from ecr_warden_cli.local.clock import Clock
from ecr_warden_cli.local.errors import LocalAwsError
from ecr_warden_cli.local.functions import LocalFunction
from ecr_warden_cli.local.sam import write_sam_template
from ecr_warden_cli.local.stack import deploy
from ecr_warden_cli.local.template import Template, load_template, logical_id

INDEX = "application/vnd.oci.image.index.v1+json"


def code(call, **arguments):
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return raised.value.response["Error"]["Code"]


def put(aws, manifest, **named):
    return aws.ecr.put_image(repositoryName="team/app", imageManifest=json.dumps(manifest), **named)


def test_a_digest_is_the_manifests_sha256_and_a_wrong_one_is_refused(aws):
    first, second = aws.push("a", seed="1"), aws.push("b", seed="2")
    assert first != second
    assert len(first) == len("sha256:") + 64
    wrong = {"imageDigest": first, "imageTag": "c"}
    manifest = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    assert code(put, aws=aws, manifest=manifest, **wrong) == "ImageDigestDoesNotMatchException"


def test_a_moved_tag_leaves_its_old_image_untagged_and_there(aws):
    old = aws.push("a", seed="1")
    new = aws.push("a", seed="2")
    assert (aws.tags(old), aws.tags(new)) == ([], ["a"])


@pytest.mark.parametrize(
    ("mode", "filters", "frozen"),
    [
        ("MUTABLE", [], False),
        ("IMMUTABLE", [], True),
        ("IMMUTABLE_WITH_EXCLUSION", ["dev-*"], False),
        ("IMMUTABLE_WITH_EXCLUSION", ["dev"], True),
        ("MUTABLE_WITH_EXCLUSION", ["*-1"], True),
        ("MUTABLE_WITH_EXCLUSION", ["ev-1"], False),
    ],
)
def test_a_tag_moves_as_the_repositorys_mutability_lets_it(aws, mode, filters, frozen):
    exclusions = [{"filterType": "WILDCARD", "filter": item} for item in filters]
    named = {"imageTagMutabilityExclusionFilters": exclusions} if filters else {}
    aws.repository("team/fixed", imageTagMutability=mode, **named)
    aws.push("dev-1", repository="team/fixed", seed="1")
    if frozen:
        assert (
            code(lambda: aws.push("dev-1", repository="team/fixed", seed="2"))
            == "ImageTagAlreadyExistsException"
        )
    else:
        aws.push("dev-1", repository="team/fixed", seed="2")


def test_what_put_image_refuses(aws):
    aws.push("a")
    image = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    assert code(lambda: aws.push("a")) == "ImageAlreadyExistsException"
    assert code(aws.push) == "ImageAlreadyExistsException"
    assert code(put, aws=aws, manifest=image, imageTag="a/b") == "InvalidParameterException"
    assert code(put, aws=aws, manifest=[], imageTag="b") == "InvalidParameterException"
    assert code(put, aws=aws, manifest={"schemaVersion": 2}, imageTag="b") == "InvalidParameterException"
    missing = image | {"manifests": [{"digest": "sha256:none"}]}
    assert code(put, aws=aws, manifest=missing, imageTag="b") == "ReferencedImagesNotFoundException"
    bad = {"repositoryName": "team/app", "imageManifest": "{", "imageTag": "b"}
    assert code(aws.ecr.put_image, **bad) == "InvalidParameterException"
    assert code(lambda: aws.push("a", repository="team/none")) == "RepositoryNotFoundException"


def delete(aws, *ids):
    answer = aws.ecr.batch_delete_image(repositoryName="team/app", imageIds=list(ids))
    return answer["imageIds"], [failure["failureCode"] for failure in answer["failures"]]


def test_an_image_is_deleted_by_digest_with_all_its_tags(aws):
    digest = aws.push("a", "b")
    removed, failures = delete(aws, {"imageDigest": digest})
    assert removed == [{"imageDigest": digest, "imageTag": tag} for tag in ("a", "b")]
    assert failures == []
    untagged = aws.push()
    assert delete(aws, {"imageDigest": untagged}) == ([{"imageDigest": untagged}], [])


def test_what_batch_delete_image_answers_in_failures(aws):
    child = aws.push(seed="1")
    aws.push("b", seed="2")
    put(aws, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"digest": child}]}, imageTag="index")
    assert delete(aws, {"imageDigest": child})[1] == ["ImageReferencedByManifestList"]
    assert delete(aws, {"imageDigest": child, "imageTag": "b"})[1] == ["ImageTagDoesNotMatchDigest"]
    assert delete(aws, {"imageTag": "none"})[1] == ["ImageNotFound"]
    many = {"repositoryName": "team/app", "imageIds": [{"imageTag": f"t{n}"} for n in range(101)]}
    assert code(aws.ecr.batch_delete_image, **many) == "InvalidParameterException"


def test_every_image_action_is_an_event_of_ecr(aws):
    media_type = "application/vnd.cncf.helm.config.v1+json"
    caused = aws.watch(lambda: aws.push("1.0.0", media_type=media_type))
    (event,) = aws.aws.broker.trace.events
    assert caused.detail_type == "ECR Image Action"
    assert event["detail"]["artifact-media-type"] == media_type
    assert (event["account"], event["region"], event["resources"]) == ("123456789012", "us-east-1", [])


def test_a_type_that_moto_lacks_is_refused_until_somebody_has_thought_about_it(open_world, tmp_path):
    template = load_template()
    document = {**template.document, "Resources": {"New": {"Type": "AWS::Brand::New", "Properties": {}}}}
    with open_world(), pytest.raises(LocalAwsError, match="New: moto has no AWS::Brand::New"):
        deploy(
            Template(document, {}),
            account="1",
            region="us-east-1",
            policy=tmp_path,
            variables={},
        )


def test_a_reference_of_an_unknown_form_is_refused():
    with pytest.raises(LocalAwsError, match="not known here"):
        logical_id({"Fn::Sub": "x"})


def test_a_template_that_is_not_there_says_what_to_do(tmp_path):
    with pytest.raises(LocalAwsError, match="from a checkout"):
        load_template(tmp_path / "template.yaml")


def test_a_function_whose_code_is_not_there_is_named(tmp_path):
    with pytest.raises(LocalAwsError, match=r"app\.py"):
        LocalFunction("F", tmp_path, {}).invoke({}, Clock())


def test_functions_that_cause_events_without_end_are_stopped(aws, monkeypatch):
    monkeypatch.setattr("ecr_warden_cli.local.broker._MOST_ROUNDS", 1)
    with pytest.raises(LocalAwsError, match="without end"):
        aws.watch(lambda: aws.push("latest"))


def test_a_target_of_an_unknown_service_is_refused_and_said(aws):
    (rule,) = [rule for rule in aws.client("events").list_rules()["Rules"] if "ImageAction" in rule["Name"]]
    aws.client("events").put_targets(
        Rule=rule["Name"], Targets=[{"Id": "x", "Arn": "arn:aws:states:us-east-1:1:stateMachine:x"}]
    )
    caused = aws.watch(lambda: aws.push("v1.0.0"))
    assert "a target of states is not simulated" in caused.error["message"]


def rule(aws, name, pattern, state):
    """Put a rule of somebody's own, whose target is a queue of the stack."""
    events = aws.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), State=state)
    arn = aws.stack.arn("ImageActionDeadLetterQueue")
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])


ALL = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


@pytest.mark.parametrize(
    ("state", "detail_type", "read_only", "taken"),
    [
        ("ENABLED", "ECR Image Scan", None, 1),
        ("ENABLED", "AWS Service Event via CloudTrail", False, 1),
        ("ENABLED", "AWS Service Event via CloudTrail", True, 0),
        (ALL, "ECR Image Scan", None, 1),
        (ALL, "AWS Service Event via CloudTrail", False, 1),
        (ALL, "AWS Service Event via CloudTrail", True, 1),
        ("DISABLED", "ECR Image Scan", None, 0),
        ("DISABLED", "AWS Service Event via CloudTrail", True, 0),
    ],
)
def test_a_rules_state_says_which_events_it_sees(aws, state, detail_type, read_only, taken):
    rule(aws, "own", {"source": ["own"]}, state)
    detail = {} if read_only is None else {"readOnly": read_only}
    aws.watch(lambda: aws.aws.broker.emit(DEFAULT_ACCOUNT, DEFAULT_REGION, detail_type, detail, source="own"))
    assert aws.stack.waiting("ImageActionDeadLetterQueue") == taken


def test_a_rule_may_ask_for_resources_by_a_wildcard_and_for_fields_that_are_not_there(aws):
    pattern = {
        "source": ["own"],
        "resources": [{"wildcard": "arn:*:ecr:*:repository/*/sha256:*"}],
        "detail": {"result": [{"anything-but": ["SUCCESS"]}], "error": [{"exists": False}]},
    }
    rule(aws, "own", pattern, "ENABLED")
    image = "arn:aws:ecr:us-east-1:1:repository/a/b/sha256:cd"
    for resources, detail in (
        ([image], {"result": "FAILED"}),
        (["i-1", image], {"result": "ERROR", "more": 1}),
        (["i-1"], {"result": "FAILED"}),
        ([image], {"result": "SUCCESS"}),
        ([image], {"result": "FAILED", "error": "x"}),
        ([image], {}),
    ):
        aws.aws.broker.emit(DEFAULT_ACCOUNT, DEFAULT_REGION, "Own", detail, source="own", resources=resources)
    assert aws.stack.waiting("ImageActionDeadLetterQueue") == 2


def test_an_event_says_when_it_happened_and_what_it_is_about(aws):
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    aws.watch(
        lambda: aws.aws.broker.emit(
            DEFAULT_ACCOUNT, DEFAULT_REGION, "Own", {}, source="own", resources=("a",), time=at
        )
    )
    (event,) = aws.aws.broker.trace.sent
    assert (event["source"], event["resources"], event["time"]) == ("own", ["a"], "2026-01-02T03:04:05Z")


@pytest.mark.parametrize(("state", "functions"), [("ENABLED", []), (ALL, ["F"]), ("DISABLED", [])])
def test_a_replay_on_an_account_goes_by_the_rules_states_too(sample, state, functions):
    event = sample("eventbridge_cloudtrail_PolicyExecutionEvent")
    properties = {
        "State": state,
        "EventPattern": {"source": ["aws.ecr"]},
        "Targets": [{"Id": "F", "Arn": {"Fn::GetAtt": ["F", "Arn"]}}],
    }
    template = Template({"Resources": {"R": {"Type": "AWS::Events::Rule", "Properties": properties}}}, {})
    assert list(reached(template, event)) == functions


def test_a_copy_of_the_built_template_talks_to_the_local_aws(aws, tmp_path):
    built = {"Resources": {name: {"Properties": {}} for name in aws.stack.functions}}
    path = tmp_path / "local.yaml"
    with pytest.raises(LocalAwsError, match="run sam build"):
        write_sam_template(path, aws.stack, "http://host:1")
    (tmp_path / "template.yaml").write_text(yaml.safe_dump(built))
    write_sam_template(path, aws.stack, "http://host:1")
    properties = yaml.safe_load(path.read_text())["Resources"]["ImageActionFunction"]["Properties"]
    variables = properties["Environment"]["Variables"]
    assert variables["AWS_ENDPOINT_URL"] == "http://host:1"
    assert variables["ECR_WARDEN_JOURNAL_TABLE_NAME"] == aws.stack.physical["JournalTable"]
    assert "ECR_WARDEN_POLICY_PATH" not in variables
    assert properties["Architectures"][0] in {"arm64", "x86_64"}
