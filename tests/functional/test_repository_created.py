"""New repositories in the local AWS: through the rule, the FIFO queue and the function to the registry."""

import json
from contextlib import contextmanager

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto.ecr.models import ecr_backends

from ecr_warden.adapters.ecr_settings import EcrSettings
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION
from ecr_warden_cli.local.ecr_double import create_by_service

BASICS = """\
version: 1
mode: %s
rules:
  - match: ["**"]
    tag_mutability: {immutable: true, except: ["cache-*"]}
    lifecycle: {keep_last: 30, expire_untagged_after_days: 7}
channels:
  ops: {type: sns}
routes:
  - {to: [ops]}
"""
ALL = BASICS.replace(
    "channels:",
    """\
    scanning: {frequency: scan_on_push, scan_on_push: true}
    replicate_to: {destinations: [eu-west-1, "222222222222/eu-west-1"], backfill: true}
    resource_tags: {set: {created-by: "{creator}"}, require: [team]}
    repository_policy: {Statement: [{Sid: Pull, Effect: Allow, Principal: "*", Action: "ecr:BatchGetImage"}]}
    encryption: {type: KMS}
channels:""",
)


@pytest.fixture
def aws(open_world):
    with open_world(policy=BASICS % "enforce") as found:
        yield found


def create(aws, name="team/app", **settings):
    return aws.watch(lambda: aws.ecr.create_repository(repositoryName=name, **settings))


def described(aws, name="team/app"):
    (found,) = aws.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    return found


def lifecycle(aws, name="team/app"):
    return json.loads(aws.ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])


def sections(caused):
    return sorted(change["section"] for change in caused.changes)


def test_a_repository_that_somebody_creates_gets_its_settings_and_people_hear_once(aws):
    caused = create(aws)
    assert described(aws)["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert len(lifecycle(aws)["rules"]) == 3
    assert caused.functions == ["RepositoryCreatedFunction"]
    assert sections(caused) == ["lifecycle", "tag_mutability"]
    (message,) = caused.messages
    assert message.payload["subject"] == "[INFO] New repository configured: team/app"
    (outcome,) = caused.outcomes
    assert outcome["created_by"] == "local/local"
    assert {one["status"] for one in outcome["settings"]} == {"changed"}


@pytest.mark.parametrize("reason", ["PULL_THROUGH_CACHE", "CREATE_ON_PUSH", "REPLICATION"])
def test_so_does_one_that_ecr_creates_itself(aws, reason):
    backend = ecr_backends[DEFAULT_ACCOUNT][DEFAULT_REGION]
    caused = aws.watch(
        lambda: create_by_service(aws.aws.broker.emit, backend, "docker-hub/library/alpine", reason)
    )
    assert caused.detail_type == "AWS Service Event via CloudTrail"
    assert sections(caused) == ["lifecycle", "tag_mutability"]
    assert described(aws, "docker-hub/library/alpine")["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"


def test_a_creation_that_fails_reaches_no_function(aws):
    aws.repository()

    def create_again():
        with pytest.raises(ClientError, match="RepositoryAlreadyExists"):
            aws.ecr.create_repository(repositoryName="team/app")

    caused = aws.watch(create_again)
    assert (caused.functions, caused.outcomes, caused.error) == ([], [], None)


def test_the_tool_that_creates_it_has_the_delay_to_set_its_own(aws):
    own = {
        "rules": [
            {
                "rulePriority": 1,
                "description": "What the team wants of its own repository",
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 7},
                "action": {"type": "expire"},
            }
        ]
    }

    def terraform():
        aws.ecr.create_repository(repositoryName="team/app", imageTagMutability="IMMUTABLE")
        aws.ecr.put_lifecycle_policy(repositoryName="team/app", lifecyclePolicyText=json.dumps(own))

    caused = aws.watch(terraform)
    assert lifecycle(aws) == own
    assert described(aws)["imageTagMutability"] == "IMMUTABLE"
    assert (caused.changes, caused.messages) == ([], [])
    assert "keeps what somebody chose" in caused.decisions[0]["reason"]


def test_a_repository_that_is_deleted_within_the_delay_is_done_and_said(aws):
    def mistake():
        aws.ecr.create_repository(repositoryName="team/app")
        aws.ecr.delete_repository(repositoryName="team/app")

    caused = aws.watch(mistake)
    assert [one["decision"] for one in caused.decisions] == ["Gone"]
    assert (caused.messages, caused.error) == ([], None)
    assert aws.stack.waiting("RepositoryCreatedDeadLetterQueue") == 0


def test_in_audit_mode_nothing_is_changed(open_world):
    with open_world(policy=BASICS % "audit") as aws:
        caused = create(aws)
        assert described(aws)["imageTagMutability"] == "MUTABLE"
        assert caused.changes == []
        assert caused.outcomes[0]["decision"] == "would_configure"
        assert len(caused.messages) == 1


def test_every_section_reaches_the_registry(open_world):
    with open_world(policy=ALL % "enforce") as aws:
        caused = create(aws)
        name = "team/app"
        assert described(aws)["imageScanningConfiguration"] == {"scanOnPush": True}
        replication = aws.ecr.describe_registry()["replicationConfiguration"]["rules"]
        assert [one["registryId"] for one in replication[0]["destinations"]] == [
            DEFAULT_ACCOUNT,
            "222222222222",
        ]
        assert "repositoryFilters" not in replication[0], "** is every repository"
        scanning = aws.ecr.get_registry_scanning_configuration()["scanningConfiguration"]
        assert scanning["rules"][0]["repositoryFilters"] == [{"filter": "*", "filterType": "WILDCARD"}]
        tags = aws.ecr.list_tags_for_resource(resourceArn=described(aws)["repositoryArn"])["tags"]
        assert tags == [{"Key": "created-by", "Value": "local/local"}]
        assert "Pull" in aws.ecr.get_repository_policy(repositoryName=name)["policyText"]
        backfills = aws.ecr.list_replication_backfills()["backfills"]
        assert len(backfills) == 1, "one at a time for a destination's Region"
        (outcome,) = caused.outcomes
        assert outcome["kind"] == "repository_incomplete", "the tag team is missing, and KMS cannot be set"
        assert "lacks the resource tag team" in outcome["reason"]
        assert "encrypted with AES256, and the policy wants KMS" in outcome["reason"]
        assert "is under way already" in outcome["reason"]
        assert caused.error is None, "nothing of it is tried again"
        assert sections(caused) == [
            "lifecycle",
            "replicate_to",
            "repository_policy",
            "resource_tags",
            "scanning",
            "scanning",
            "tag_mutability",
        ]


@contextmanager
def calls_counted(monkeypatch):
    counted, make = [], vars(BaseClient)["_make_api_call"]

    def counting(client, operation, parameters):
        if client.meta.service_model.service_name == "ecr":
            counted.append(operation)
        return make(client, operation, parameters)

    with monkeypatch.context() as patched:
        patched.setattr(BaseClient, "_make_api_call", counting)
        yield counted


def test_calls_are_as_few_as_there_are_facts_and_changes(aws, monkeypatch):
    aws.aws.broker.trace.events.clear()
    with calls_counted(monkeypatch) as bare:
        create(aws)
    assert sorted(bare) == [
        "CreateRepository",
        "DescribeRepositories",
        "GetLifecyclePolicy",
        # Whether its owner exempted it.
        "ListTagsForResource",
        "PutImageTagMutability",
        "PutLifecyclePolicy",
    ]
    (event,) = [one for one in aws.aws.broker.trace.sent if "CloudTrail" in one["detail-type"]]
    with calls_counted(monkeypatch) as compliant:
        aws.watch(lambda: aws.aws.broker.put({**event, "id": "another"}))
    assert sorted(compliant) == ["DescribeRepositories", "GetLifecyclePolicy"]


def denied(_self, repository_name, _value):
    message = f"x is not authorized to perform: ecr:PutLifecyclePolicy on {repository_name}"
    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "PutLifecyclePolicy")


def test_a_setting_that_is_denied_stops_nothing_else_is_told_once_and_ends_in_the_dead_letters(
    aws, monkeypatch
):
    monkeypatch.setattr(EcrSettings, "_put_lifecycle", denied)
    caused = create(aws)
    assert sections(caused) == ["tag_mutability"]
    assert described(aws)["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    (message,) = caused.messages
    assert message.payload["subject"] == "[HIGH] New repository is incomplete: team/app"
    assert "not authorized to perform: ecr:PutLifecyclePolicy" in message.text
    assert caused.error["type"] == "IncompleteError"
    assert aws.stack.waiting("RepositoryCreatedDeadLetterQueue") == 1
    # Those behind it are configured all the same.
    monkeypatch.undo()
    assert sections(create(aws, "team/next")) == ["lifecycle", "tag_mutability"]


def test_a_setting_that_is_throttled_once_is_set_by_the_next_try(aws, monkeypatch):
    failures, put = ["ThrottlingException"], vars(EcrSettings)["_put_lifecycle"]

    def throttled(settings, repository_name, value):
        if failures:
            raise ClientError({"Error": {"Code": failures.pop(), "Message": "slow"}}, "PutLifecyclePolicy")
        put(settings, repository_name, value)

    monkeypatch.setattr(EcrSettings, "_put_lifecycle", throttled)
    caused = create(aws)
    assert sections(caused) == ["lifecycle", "tag_mutability"]
    assert [one["kind"] for one in caused.outcomes] == ["repository_configured"], "nobody is woken for it"
    assert caused.error is None
    assert aws.stack.waiting("RepositoryCreatedDeadLetterQueue") == 0


def test_a_malformed_event_is_set_aside_and_names_the_field(aws, sample):
    event = sample("eventbridge_cloudtrail_CreateRepository")
    event |= {"account": DEFAULT_ACCOUNT, "region": DEFAULT_REGION}
    event["detail"]["requestParameters"] = {}
    caused = aws.watch(lambda: aws.aws.broker.put(event))
    assert caused.error["type"] == "MalformedEventError"
    assert "repositoryName" in caused.error["message"]
    assert aws.stack.waiting("RepositoryCreatedDeadLetterQueue") == 1


def test_an_event_that_comes_again_changes_and_tells_nothing(aws):
    create(aws)
    (event,) = [one for one in aws.aws.broker.trace.sent if "CloudTrail" in one["detail-type"]]
    dropped = aws.watch(lambda: aws.aws.broker.put(event))
    assert [one["decision"] for one in dropped.decisions] == ["Repeated"]
    later = aws.watch(lambda: aws.aws.broker.put({**event, "version": "later"}))
    # It may have been lost with a function that died: it is told once by its id.
    assert len(later.outcomes) == 1
    for again in (dropped, later):
        assert (again.changes, again.messages) == ([], [])


def test_ten_repositories_at_once_are_configured_in_their_order(aws):
    names = [f"team/app-{number}" for number in range(10)]

    def pipeline():
        for name in names:
            aws.ecr.create_repository(repositoryName=name)

    caused = aws.watch(pipeline)
    assert [outcome["repository"] for outcome in caused.outcomes] == names
    assert len(caused.changes) == 20
