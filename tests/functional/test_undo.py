"""The undo command against the local AWS: what is shown, what the registry has then, what is recorded."""

import json
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from click.testing import CliRunner
from fakes import NOW

from ecr_warden.adapters.dynamodb import DynamoJournal
from ecr_warden.domain.images import Change
from ecr_warden.domain.policy import RuleReference
from ecr_warden_cli.account.journal import FileJournal, journal_path
from ecr_warden_cli.main import main

QUARANTINED = "quarantine-{}-latest"


@pytest.fixture(autouse=True)
def state_home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def undo(aws):
    """Run the command; the functions react to what it does once they are asked to."""

    def run(*arguments, **options):
        with aws.aws.acting_in(aws.stack.account):
            return CliRunner().invoke(main, ["undo", *arguments], **options)

    return run


@pytest.fixture
def denied(monkeypatch):
    """Let AWS deny some operations."""
    denied, make_call = set(), BaseClient._make_api_call  # noqa: SLF001  # the one way that all calls go

    def call(client, operation, arguments):
        if operation in denied:
            answer = {"Error": {"Code": "AccessDeniedException", "Message": "you may not"}}
            raise ClientError(answer, operation)
        return make_call(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return denied


def table(aws):
    return DynamoJournal(aws.client("dynamodb"), aws.stack.physical["JournalTable"])


def quarantined_tag(aws, seed="1"):
    """Push a tag that the policy denies; give the image's digest and the change's id."""
    caused = aws.watch(lambda: aws.push("latest", seed=seed))
    (change,) = (each for each in caused.changes if each["section"] == "tags")
    return change["before"]["image_digest"], change["id"]


def gate_change(digest, change_id="gate-1", **other):
    values = {
        "id": change_id,
        "account": "123456789012",
        "region": "us-east-1",
        "repository": "team/app",
        "section": "scan_gate",
        "before": {"image_digest": digest, "storage_class": "STANDARD"},
        "after": {"image_digest": digest, "storage_class": "ARCHIVE"},
        "event_id": "event-1",
        "rule": RuleReference("policy.yaml", 9, ("**",)),
        "begun_at": NOW,
    }
    return Change(**(values | other))


def archived_image(aws, journal, **other):
    digest = aws.push("v1.0.0", seed="2")
    aws.ecr.update_image_storage_class(
        repositoryName="team/app", imageId={"imageDigest": digest}, targetStorageClass="ARCHIVE"
    )
    change = gate_change(digest, **other)
    journal.begin(change)
    journal.finish(change.id)
    return digest, change.id


def is_archived(aws, digest):
    answer = aws.ecr.describe_images(repositoryName="team/app", imageIds=[{"imageDigest": digest}])
    return answer["imageDetails"][0].get("imageStatus", "ACTIVE") == "ARCHIVED"


def pulled(aws, digest):
    answer = aws.ecr.batch_get_image(repositoryName="team/app", imageIds=[{"imageDigest": digest}])
    return [image["imageId"]["imageDigest"] for image in answer["images"]]


def test_a_quarantined_tag_is_shown_put_back_and_recorded(aws, undo):
    digest, change = quarantined_tag(aws)
    done = undo(change, "--yes")
    assert done.exit_code == 0, done.output
    kept_as = QUARANTINED.format(digest[7:19])
    assert f"possible {change} (team/app tags, policy.yaml:5)" in done.stdout
    assert f"    latest ({digest[:19]}) ← {kept_as} ({digest[:19]})" in done.stdout
    assert f"undone {change}" in done.stdout
    assert "is a push, which the deployed policy judges" in done.stdout
    assert aws.tags(digest) == ["latest"]
    undo_id = done.stdout.rpartition("Recorded as the change ")[2].strip().rstrip(".")
    recorded = table(aws).find(undo_id)
    assert recorded.is_done
    assert recorded.change.before == {"image_tag": kept_as, "image_digest": digest}
    assert recorded.change.after == {"image_tag": "latest", "image_digest": digest}
    again = undo(change, "--yes")
    assert (again.exit_code, "taken back already" in again.stdout) == (0, True)
    assert aws.tags(digest) == ["latest"]


def test_a_tag_that_is_put_back_is_judged_anew_and_stays_where_the_repository_is_exempt(aws, undo):
    digest, change = quarantined_tag(aws)
    caused = aws.watch(lambda: undo(change, "--yes"))
    assert [each["section"] for each in caused.changes if each["id"] != change] == ["tags", "tags"]
    assert aws.tags(digest) == [QUARANTINED.format(digest[7:19])]
    (again,) = (each["id"] for each in caused.changes if each["after"]["image_tag"].startswith("quarantine"))
    arn = aws.ecr.describe_repositories(repositoryNames=["team/app"])["repositories"][0]["repositoryArn"]
    aws.ecr.tag_resource(resourceArn=arn, tags=[{"Key": "ecr-warden:exempt", "Value": "tags"}])
    aws.watch(lambda: undo(again, "--yes"))
    assert aws.tags(digest) == ["latest"]


def test_the_region_is_aws_regions_where_no_other_is_named(aws, undo, monkeypatch):
    _, change = quarantined_tag(aws)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", aws.stack.region)
    assert undo(change, "--yes", env={"AWS_DEFAULT_REGION": None}).exit_code == 0
    # As boto3 has it, AWS_DEFAULT_REGION comes before it: there is no stack.
    elsewhere = undo(change, "--yes", env={"AWS_DEFAULT_REGION": "eu-west-3"})
    assert "in eu-west-3" in elsewhere.stderr


def test_a_quarantined_image_can_be_pulled_again(aws, undo):
    digest, change = archived_image(aws, table(aws))
    assert pulled(aws, digest) == []
    done = undo(change, "--yes")
    assert done.exit_code == 0, done.output
    assert f"    STANDARD ({digest[:19]}) ← ARCHIVE ({digest[:19]})" in done.stdout
    assert "ECR takes up to 20 minutes" in done.stdout
    assert (is_archived(aws, digest), pulled(aws, digest)) == (False, [digest])
    again = undo(change, "--yes")
    assert (again.exit_code, "taken back already" in again.stdout) == (0, True)


def quarantined_index(aws, journal):
    """Archive an index and its platforms, of which one was archived before; give their digests."""
    platforms = [aws.push(seed=f"platform-{number}") for number in range(3)]
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"mediaType": media_type, "digest": digest, "size": 1} for digest in platforms],
    }
    answer = aws.ecr.put_image(
        repositoryName="team/app", imageManifest=json.dumps(manifest), imageTag="v1.0.0"
    )
    index = answer["image"]["imageId"]["imageDigest"]
    children = {digest: f"gate-{number}" for number, digest in enumerate(platforms)}
    after = {"image_digest": index, "storage_class": "ARCHIVE", "children": children}
    changes = [gate_change(index, "gate-index", after=after)]
    changes += [gate_change(digest, children[digest]) for digest in platforms[:2]]
    for digest in (index, *platforms):
        aws.ecr.update_image_storage_class(
            repositoryName="team/app", imageId={"imageDigest": digest}, targetStorageClass="ARCHIVE"
        )
    for change in changes:
        journal.begin(change)
        journal.finish(change.id)
    return index, platforms


@pytest.mark.parametrize("kept_in", ["stack", "file"])
def test_an_index_is_taken_back_with_those_of_its_platforms_that_were_quarantined_with_it(aws, undo, kept_in):
    arguments = ["--stack-name", "none-such"] if kept_in == "file" else []
    with closing(FileJournal(journal_path())) as file:
        index, platforms = quarantined_index(aws, table(aws) if kept_in == "stack" else file)
    done = undo("gate-index", "--yes", *arguments)
    assert done.exit_code == 0, done.output
    assert [is_archived(aws, digest) for digest in (index, *platforms)] == [False, False, False, True]
    for change_id in ("gate-index", "gate-0", "gate-1"):
        assert f"possible {change_id} (" in done.stdout
        assert f"undone {change_id} (" in done.stdout
    assert "gate-2" not in done.output, "somebody else archived that one"
    again = undo("gate-index", "--yes", *arguments)
    assert (again.exit_code, again.stdout.count("taken back already")) == (0, 3)


def test_an_indexs_platforms_are_changes_of_their_own_as_json(aws, undo):
    quarantined_index(aws, table(aws))
    done = undo("gate-1", "gate-index", "none-such", "--json", "--yes")
    assert done.exit_code == 1, "there is no such change"
    found = json.loads(done.stdout)["changes"]
    assert [(each["id"], each["status"]) for each in found] == [
        ("gate-1", "undone"),
        ("gate-index", "undone"),
        ("gate-0", "undone"),
        ("none-such", "impossible"),
    ]
    assert len({each["undo_id"] for each in found}) == 4


def test_as_json_there_is_one_object_with_every_change_in_order(aws, undo):
    digest, gate = archived_image(aws, table(aws))
    _, tag = quarantined_tag(aws)
    done = undo(gate, "none-such", tag, gate, "--json", "--yes")
    assert done.exit_code == 1
    first, second, third = json.loads(done.stdout)["changes"]
    names = {"id", "status", "said", "next_step", "now", "undo_id", "was_finished", "change"}
    assert set(first) == set(second) == set(third) == names
    assert [each["status"] for each in (first, second, third)] == ["undone", "impossible", "undone"]
    assert first["change"] == {
        "id": gate,
        "repository": "team/app",
        "section": "scan_gate",
        "before": {"image_digest": digest, "storage_class": "STANDARD"},
        "after": {"image_digest": digest, "storage_class": "ARCHIVE"},
    }
    assert table(aws).find(first["undo_id"]).is_done
    assert (second["id"], second["change"], second["undo_id"]) == ("none-such", None, None)
    assert not is_archived(aws, digest)
    done = undo(gate, "--json", "--yes")
    assert done.exit_code == 0
    assert [each["status"] for each in json.loads(done.stdout)["changes"]] == ["already"]


def test_a_change_of_an_unknown_kind_is_shown_for_a_person_to_put_back(aws, undo):
    before = {"keys": ["a"]}
    table(aws).begin(gate_change("sha256:1", section="signing", before=before))
    done = undo("gate-1", "--yes")
    assert done.exit_code == 1
    assert "such a change of signing" in done.stdout
    assert json.dumps(before) in done.stdout


@pytest.mark.parametrize("kept_in", ["stack", "file"])
def test_a_change_of_another_region_is_taken_back_there_by_the_one_journal(aws, undo, kept_in):
    arguments = ["--stack-name", "none-such"] if kept_in == "file" else []
    elsewhere = boto3.client("ecr", region_name="eu-west-3")
    elsewhere.create_repository(repositoryName="team/app", imageTagMutability="IMMUTABLE")
    change = gate_change(
        "", "there", section="tag_mutability", before={"mode": "MUTABLE"}, after={"mode": "IMMUTABLE"}
    )
    with closing(FileJournal(journal_path())) as file:
        (table(aws) if kept_in == "stack" else file).begin(replace(change, region="eu-west-3"))
    done = undo("there", "--yes", *arguments)
    assert done.exit_code == 0, done.output
    (found,) = elsewhere.describe_repositories()["repositories"]
    assert found["imageTagMutability"] == "MUTABLE"


def test_a_change_of_another_account_needs_a_role_there(aws, undo):
    table(aws).begin(gate_change("sha256:1", account="999999999999"))
    done = undo("gate-1", "--yes")
    assert (done.exit_code, "account 999999999999 in us-east-1" in done.stdout) == (1, True)
    assert "--role-name" in done.stdout


def test_what_aws_denies_is_said_and_the_others_are_taken_back(aws, undo, denied):
    digest, gate = archived_image(aws, table(aws))
    _, tag = quarantined_tag(aws)
    denied.add("PutImage")
    done = undo(tag, gate, "--yes")
    assert done.exit_code == 1
    assert f"failed {tag}" in done.stdout
    assert "you may not" in done.stdout
    assert not is_archived(aws, digest)
    denied.clear()
    assert undo(tag, gate, "--yes").exit_code == 0


def lifecycle_change(aws):
    rule = {
        "rulePriority": 1,
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 30},
        "action": {"type": "expire"},
    }
    aws.push("v1.0.0")
    table(aws).begin(gate_change("", section="lifecycle", before=None, after={"rules": [rule]}))
    return {"rules": [{**rule, "selection": {**rule["selection"], "countNumber": 7}}]}


def test_what_somebody_put_since_is_shown_as_a_plan_shows_it(aws, undo):
    theirs = lifecycle_change(aws)
    aws.ecr.put_lifecycle_policy(repositoryName="team/app", lifecyclePolicyText=json.dumps(theirs))
    done = undo("gate-1", "--yes")
    assert done.exit_code == 1
    assert (
        "    Somebody has changed the lifecycle policy since: it stays as it is.\n"
        "        1: any images expire beyond the newest 7\n"
        "    If it is still to be"
    ) in done.stdout
    assert "rulePriority" not in done.stdout
    (found,) = json.loads(undo("gate-1", "--yes", "--json").stdout)["changes"]
    assert found["now"] == theirs


def test_of_a_repository_that_is_gone_nothing_is_left_to_take_back(aws, undo):
    lifecycle_change(aws)
    aws.ecr.delete_repository(repositoryName="team/app", force=True)
    done = undo("gate-1", "--yes")
    assert (done.exit_code, "impossible gate-1" in done.stdout) == (1, True)
    assert "The repository was deleted meanwhile: nothing is left to take back." in done.stdout


def test_what_cannot_be_read_at_all_is_an_error_without_a_traceback(undo, denied, monkeypatch):
    denied.add("DescribeStackResources")
    done = undo("x", "--yes")
    assert (done.exit_code, "looking for the stack ecr-warden" in done.stderr) == (1, True)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    done = undo("x", "--yes")
    assert (done.exit_code, "give --region" in done.stderr) == (1, True)


def test_people_are_asked_and_may_say_no(aws, undo, monkeypatch):
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("ecr_warden_cli.commands.common.sys", terminal)
    digest, change = archived_image(aws, table(aws))
    done = undo(change, input="\n")
    assert (done.exit_code, "Nothing was changed." in done.stdout) == (1, True)
    assert is_archived(aws, digest)
    # Where nothing can be taken back, there is nothing to ask.
    assert "[y/N]" not in undo("none-such").stdout
    done = undo(change, "none-such", input="y\n")
    assert (done.exit_code, "Take back 1 of 2? [y/N]" in done.stdout) == (1, True)
    assert not is_archived(aws, digest)


def test_where_nobody_can_be_asked_yes_must_be_said(undo):
    for arguments in (("x",), ("x", "--json")):
        done = undo(*arguments)
        assert (done.exit_code, "--yes" in done.stderr) == (2, True)
    assert undo("--yes").exit_code == 2
    assert undo("x", "--run", "sweep-1", "--yes").exit_code == 2
