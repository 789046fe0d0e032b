"""The native commands against the local AWS: what is shown, what the registry has then, what is recorded."""

import json
import sqlite3
from contextlib import closing, contextmanager
from types import SimpleNamespace

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from click.testing import CliRunner

from ecr_warden.adapters.ecr_templates import EcrTemplates
from ecr_warden.domain.settings.current import Mutability
from ecr_warden.domain.settings.templates import CreationTemplate
from ecr_warden.errors import AwsError, RefusedError
from ecr_warden_cli.local.ecr_double import create_by_service
from ecr_warden_cli.main import main

ROLE = "arn:aws:iam::123456789012:role/ecr"
PULL = {"Statement": [{"Sid": "Pull", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]}
POLICY = f"""\
version: 1
mode: enforce
rules:
  - match: ["prod/team/**", "prod-*"]
    repository_policy: {json.dumps(PULL)}
    tag_mutability: {{immutable: true, except: ["cache-*"]}}
  - match: ["prod/**"]
    tag_mutability: {{immutable: true}}
    lifecycle: {{keep_last: 30}}
    resource_tags: {{set: {{managed-by: ecr-warden}}}}
    encryption: {{type: KMS}}
  - match: ["**"]
    scanning: {{frequency: scan_on_push}}
    replicate_to: {{destinations: [eu-west-1], backfill: true}}
channels:
  ops: {{type: sns}}
routes:
  - {{to: [ops]}}
"""


@pytest.fixture
def world(open_world, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with open_world(policy=POLICY) as found:
        yield found


@pytest.fixture
def native(world, tmp_path):  # noqa: ARG001  # the registry that it acts on
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)

    def run(*arguments, policy=None, **options):
        if policy is not None:
            path.write_text(policy)
        found = ["native", *arguments, "--policy", str(path)]
        return CliRunner().invoke(main, found, **options)

    return run


@pytest.fixture
def denied(monkeypatch):
    """Let ECR deny some operations, or those on some prefix."""
    denied, make_call = set(), BaseClient._make_api_call  # noqa: SLF001  # the one way that all calls go

    def call(client, operation, arguments):
        if operation in denied or (operation, arguments.get("prefix")) in denied:
            answer = {"Error": {"Code": "AccessDeniedException", "Message": "you may not"}}
            raise ClientError(answer, operation)
        return make_call(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return denied


def templates(world):
    answer = world.ecr.describe_repository_creation_templates()
    return {each["prefix"]: each for each in answer["repositoryCreationTemplates"]}


def journal(world):
    items = world.client("dynamodb").scan(TableName=world.stack.physical["JournalTable"])["Items"]
    return {(item["section"]["S"], item["repository"]["S"]): item for item in items if "section" in item}


def text_of(done):
    return done.stdout.replace("\r", "")


def test_a_plan_shows_what_would_be_made_changed_and_not_and_writes_nothing(world, native):
    done = native("plan")
    assert done.exit_code == 0, done.output
    text = text_of(done)
    assert (
        """\
+ creation template prod/team (PULL_THROUGH_CACHE, CREATE_ON_PUSH, REPLICATION)
    imageTagMutability: MUTABLE → IMMUTABLE_WITH_EXCLUSION (cache-*)
    lifecyclePolicy:
        + 1: tagged images quarantine-*-* expire 14 days after their push
        + 2: any images expire beyond the newest 30
    repositoryPolicy:
        + {"Sid":"Pull","Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}
    description: none → Made by ECR Warden, as its policy says
"""
        in text
    )
    assert "+ creation template prod (PULL_THROUGH_CACHE, CREATE_ON_PUSH, REPLICATION)\n" in text
    assert "    imageTagMutability: MUTABLE → IMMUTABLE\n" in text
    assert "\n    + SCAN_ON_PUSH *\n" in text
    assert "\n    + everything to 123456789012/eu-west-1\n    + backfill to 123456789012/eu-west-1" in text
    not_native = text[text.index("Not native (RepositoryCreatedFunction does these):") :]
    assert "policy.yaml:4 repository_policy, " not in not_native
    assert "policy.yaml:4 tag_mutability, repository_policy: prod-* is no prefix" in not_native
    assert "policy.yaml:10 resource_tags: ECR needs a role to set resource tags" in not_native
    assert text.endswith("2 to create, 2 to change, 0 kept, 3 not native.\n")
    assert (templates(world), journal(world)) == ({}, {})


def test_what_is_applied_is_in_the_registry_and_the_journal_and_then_nothing_is_left(world, native):
    done = native("apply", "--yes", "--role-arn", ROLE)
    assert done.exit_code == 0, done.output
    assert "applied creation template prod/team\n" in text_of(done)
    assert "applied replication of the registry: backfill to 123456789012/eu-west-1 started" in text_of(done)
    found = templates(world)
    assert set(found) == {"prod", "prod/team"}
    assert found["prod"]["imageTagMutability"] == "IMMUTABLE"
    assert found["prod"]["resourceTags"] == [{"Key": "managed-by", "Value": "ecr-warden"}]
    assert found["prod"]["encryptionConfiguration"] == {"encryptionType": "KMS"}
    assert {each["customRoleArn"] for each in found.values()} == {ROLE}
    assert found["prod/team"]["lifecyclePolicy"] == found["prod"]["lifecyclePolicy"]
    assert json.loads(found["prod/team"]["repositoryPolicy"]) == PULL
    scanning = world.ecr.get_registry_scanning_configuration()["scanningConfiguration"]
    assert [rule["scanFrequency"] for rule in scanning["rules"]] == ["SCAN_ON_PUSH"]
    (rule,) = world.ecr.describe_registry()["replicationConfiguration"]["rules"]
    assert rule["destinations"] == [{"region": "eu-west-1", "registryId": "123456789012"}]
    entries = journal(world)
    assert set(entries) == {
        ("creation_template", "prod"),
        ("creation_template", "prod/team"),
        ("scanning", "*"),
        ("replicate_to", "*"),
    }
    assert {item["status"]["S"] for item in entries.values()} == {"done"}
    assert {item["event_id"]["S"][:7] for item in entries.values()} == {"native-"}
    assert len({item["event_id"]["S"] for item in entries.values()}) == 1
    assert entries["creation_template", "prod"]["rule"]["S"].endswith("policy.yaml:8")
    assert json.loads(entries["creation_template", "prod"]["before"]["S"]) is None
    again = native("plan", "--role-arn", ROLE)
    assert "Nothing to do" in text_of(again)
    # The templates' own role will do.
    assert "Nothing to do" in text_of(native("apply", "--yes"))


def test_a_repository_that_ecr_creates_has_what_the_policy_says(world, native):
    native("apply", "--yes", "--role-arn", ROLE)
    backend = world_backend()
    repository = create_by_service(lambda *_: None, backend, "prod/team/app", "PULL_THROUGH_CACHE")
    assert json.loads(repository.policy) == PULL
    (described,) = world.ecr.describe_repositories(repositoryNames=["prod/team/app"])["repositories"]
    assert described["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert described["encryptionConfiguration"]["encryptionType"] == "KMS"


def world_backend():
    from moto.ecr.models import ecr_backends  # noqa: PLC0415  # as in tests/functional/double.py

    return ecr_backends["123456789012"]["us-east-1"]


def test_what_others_set_up_is_left_alone_and_what_they_chose_is_said(world, native):
    world.ecr.create_repository_creation_template(
        prefix="prod/",
        appliedFor=["PULL_THROUGH_CACHE"],
        imageTagMutability="MUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "v*"}],
        description="theirs",
    )
    world.ecr.create_repository_creation_template(prefix="other", appliedFor=["CREATE_ON_PUSH"])
    theirs = {"destinations": [{"region": "eu-west-2", "registryId": "123456789012"}]}
    world.ecr.put_replication_configuration(replicationConfiguration={"rules": [theirs]})
    before = templates(world)
    text = text_of(native("plan"))
    kept = text[text.index("Kept as somebody chose:") :]
    assert "policy.yaml:8 creation template prod: tag_mutability: somebody set its tag mutability to" in kept
    assert "~ creation template prod (" in text
    assert "    appliedFor: PULL_THROUGH_CACHE → PULL_THROUGH_CACHE, CREATE_ON_PUSH, REPLICATION\n" in text
    done = native("apply", "--yes")
    assert done.exit_code == 0, done.output
    after = templates(world)
    assert after["other"] == before["other"]
    prod = after["prod/"]
    assert prod["imageTagMutability"] == "MUTABLE_WITH_EXCLUSION"
    assert prod["imageTagMutabilityExclusionFilters"] == [{"filterType": "WILDCARD", "filter": "v*"}]
    assert (prod["description"], "lifecyclePolicy" in prod) == ("theirs", True)
    rules = world.ecr.describe_registry()["replicationConfiguration"]["rules"]
    assert rules[0] == theirs
    assert len(rules) == 2
    assert "Nothing to do" in text_of(native("plan"))


def test_a_denied_write_leaves_the_others_done_and_fails(world, native, denied):
    denied.update({("CreateRepositoryCreationTemplate", "prod/team"), "PutReplicationConfiguration"})
    done = native("apply", "--yes", policy=POLICY.replace('"prod/**"', '"dev/**"'))
    assert done.exit_code == 1
    text = text_of(done)
    assert "- failed creation template prod/team: creating the creation template prod/team" in text
    assert "- failed replication of the registry: " in text
    assert "+ applied creation template dev\n" in text
    assert set(templates(world)) == {"dev"}
    assert {name for name, _ in journal(world)} == {"creation_template", "scanning"}


def test_as_json_there_is_one_object_and_applying_says_what_became_of_each(world, native, denied):
    done = native("plan", "--json")
    shown = json.loads(done.stdout)
    assert set(shown) == {"changes", "kept", "not_native"}
    team = next(each for each in shown["changes"] if each["prefix"] == "prod/team")
    assert (team["section"], team["action"], team["before"]) == ("creation_template", "create", None)
    assert team["after"]["repositoryPolicy"] == PULL
    assert (team["rule"]["line"], team["rule"]["match"]) == (6, ["prod/team/**", "prod-*"])
    denied.add(("CreateRepositoryCreationTemplate", "prod/team"))
    done = native("apply", "--json", "--yes")
    assert done.exit_code == 1
    shown = json.loads(done.stdout)
    assert set(shown) == {"changes", "kept", "not_native", "applied", "failed", "skipped"}
    assert [each["prefix"] for each in shown["applied"]] == ["*", "*"]
    assert [each["prefix"] for each in shown["failed"]] == ["prod/team"]
    # It would be for prod/team's repositories too.
    assert [each["prefix"] for each in shown["skipped"]] == ["prod"]
    assert templates(world) == {}


@contextmanager
def asked(monkeypatch):
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    with monkeypatch.context() as patched:
        patched.setattr("ecr_warden_cli.commands.common.sys", terminal)
        yield


def test_people_are_asked_and_may_say_no(world, native, monkeypatch):
    with asked(monkeypatch):
        done = native("apply", input="\n")
        assert (done.exit_code, "Apply? [y/N]" in done.stdout) == (0, True)
        assert "Nothing was changed." in done.stdout
        assert templates(world) == {}
        assert native("apply", input="y\n").exit_code == 0
    assert set(templates(world)) == {"prod", "prod/team"}


def test_where_nobody_can_be_asked_yes_must_be_said(native):
    for arguments in (("apply",), ("apply", "--json")):
        done = native(*arguments)
        assert (done.exit_code, "--yes" in done.stderr) == (2, True)


def test_what_changes_between_the_plan_and_the_answer_is_skipped(world, native, monkeypatch):
    def answer(_text):
        world.ecr.create_repository_creation_template(prefix="prod/team", appliedFor=["REPLICATION"])
        return True

    monkeypatch.setattr("ecr_warden_cli.commands.native.click.confirm", answer)
    with asked(monkeypatch):
        done = native("apply")
    assert done.exit_code == 0, done.output
    assert "~ skipped creation template prod/team: somebody changed it meanwhile: plan again" in text_of(done)
    assert templates(world)["prod/team"]["imageTagMutability"] == "MUTABLE"


def test_without_a_stack_changes_are_recorded_on_this_machine(native, tmp_path):
    done = native("apply", "--yes", "--stack-name", "none-such")
    assert done.exit_code == 0, done.output
    assert "no stack none-such in us-east-1: changes are recorded in" in done.stderr
    with closing(sqlite3.connect(tmp_path / "state/ecr-warden/journal.sqlite3")) as journal:
        rows = journal.execute("SELECT is_done FROM change").fetchall()
    assert rows == [(1,)] * 4


def test_the_region_is_the_sessions_or_the_one_that_is_given(world, native, monkeypatch):
    assert native("apply", "--yes", "--region", "eu-west-3", "--stack-name", "none").exit_code == 0
    elsewhere = boto3.client("ecr", region_name="eu-west-3").describe_repository_creation_templates()
    assert len(elsewhere["repositoryCreationTemplates"]) == 2
    assert templates(world) == {}
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    done = native("plan")
    assert (done.exit_code, "give --region" in done.stderr) == (1, True)


def test_what_cannot_be_read_is_an_error_without_a_traceback(native, denied, monkeypatch):
    denied.add("DescribeRepositoryCreationTemplates")
    done = native("plan")
    assert (done.exit_code, "reading the repository creation templates" in done.stderr) == (1, True)
    monkeypatch.setenv("AWS_PROFILE", "none-such")
    done = native("plan")
    assert (done.exit_code, "none-such" in done.stderr) == (1, True)


def test_a_policy_with_errors_and_a_role_that_is_none_are_refused(native):
    done = native("plan", "--role-arn", "ecr")
    assert (done.exit_code, "no role's ARN" in done.stderr) == (2, True)
    done = native("plan", policy="version: 1\nrulse: []\n")
    assert (done.exit_code, "did you mean rules?" in done.stderr) == (1, True)


def test_templates_are_read_page_by_page_and_written_whole(world, denied):
    ecr = EcrTemplates(world.ecr)
    for number in range(101):
        world.ecr.create_repository_creation_template(prefix=f"p{number}", appliedFor=["REPLICATION"])
    assert len(ecr.templates()) == 101
    template = CreationTemplate(
        "p7",
        mutability=Mutability("IMMUTABLE_WITH_EXCLUSION", ("a*", "b*")),
        lifecycle=None,
        repository_policy=PULL,
        resource_tags={"a": "1"},
        encryption_type="KMS",
        custom_role_arn=ROLE,
        description="d",
    )
    ecr.update_template(template)
    assert {each.prefix: each for each in ecr.templates()}["p7"] == template
    with pytest.raises(RefusedError, match="already exists"):
        ecr.create_template(template)
    with pytest.raises(RefusedError, match="does not exist"):
        ecr.update_template(CreationTemplate("none"))
    denied.add("UpdateRepositoryCreationTemplate")
    with pytest.raises(RefusedError, match="you may not"):
        ecr.update_template(template)
    unknown = boto3.client("ecr", region_name="us-east-1", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(AwsError):
        EcrTemplates(unknown).templates()
