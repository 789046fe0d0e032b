"""The plan and apply commands where something goes wrong: the rest goes on, and nothing is left half done.

What a command says, its exit status, what the registries have then, and what the journal has.
"""

import json
import os
import signal
from contextlib import contextmanager
from itertools import count

import boto3
import pytest
from click.testing import CliRunner
from moto.ecr.models import ecr_backends
from moto.organizations.models import organizations_backends
from moto.sts.models import sts_backends
from tests.faults import Throttling, denied, expired_after, faults

from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION, local_aws
from ecr_warden_cli.local.ecr_double import make_repository
from ecr_warden_cli.main import main
from ecr_warden_cli.policy.check import check_policy

HOME, MEMBER, OTHER = DEFAULT_ACCOUNT, "999999999999", "888888888888"
NAMES = ("team/a", "team/b", "team/c")
POLICY = """\
version: 1
mode: enforce
rules:
  - match: ["**"]
    override: true
    tag_mutability: {immutable: true}
    lifecycle: {keep_last: 30}
"""
TAGS = POLICY.replace("lifecycle: {keep_last: 30}", "tags: {deny: [latest], on_violation: quarantine}")
ROLE = ("--role-name", "warden", "--external-id", "the-id")
# As lifecycle and tag mutability differ in each.
CHANGES_EACH = 2
DYNAMODB_PUT = ("dynamodb", "PutItem")
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"


class Accounts:
    """Some accounts, and what each one's registry has."""

    def __init__(self, aws, path):
        self.stack = aws.stack(HOME, DEFAULT_REGION)
        self._path = path

    def fill(self, account, *names, region=DEFAULT_REGION):
        for name in names or NAMES:
            make_repository(ecr_backends[account][region], name)

    def run(self, command, *arguments):
        policy = ("--policy", str(self._path)) if command in {"plan", "apply"} else ()
        return CliRunner().invoke(main, [command, *arguments, *policy])

    def json(self, command, *arguments):
        """Run a command that gives JSON; its exit status is there too."""
        done = self.run(command, *arguments, "--json")
        assert done.exit_code in {0, 1, 2}, done.output
        return json.loads(done.stdout) | {"status": done.exit_code}

    def repository(self, name, account=HOME, region=DEFAULT_REGION):
        return ecr_backends[account][region].repositories[name]

    def state(self, account=HOME, region=DEFAULT_REGION):
        """Give each repository's tag mutability, whether it has a lifecycle policy, and its images' tags."""
        return {
            name: (
                # moto has it as a member of an enumeration until it is first put.
                getattr(one.image_tag_mutability, "value", one.image_tag_mutability),
                one.lifecycle_policy is not None,
                sorted(tag for image in one.images for tag in image.image_tags),
            )
            for name, one in ecr_backends[account][region].repositories.items()
        }

    def changed(self, **where):
        """Give the repositories in which all was changed; in none of the others anything was."""
        state = self.state(**where)
        whole = {name for name, (mutability, has, _) in state.items() if (mutability, has) == AFTER}
        assert all(state[name][:2] == BEFORE for name in state.keys() - whole), state
        return whole

    def journal(self):
        """Give each change of the journal, and whether it is closed."""
        table = self.stack.physical["JournalTable"]
        items = boto3.client("dynamodb", region_name=DEFAULT_REGION).scan(TableName=table)["Items"]
        return {
            (item["account"]["S"], item["repository"]["S"], item["section"]["S"]): item["status"]["S"]
            for item in items
            if "section" in item
        }

    def is_unlocked(self):
        table = self.stack.physical["JournalTable"]
        items = boto3.client("dynamodb", region_name=DEFAULT_REGION).scan(TableName=table)["Items"]
        return not [item for item in items if item["id"]["S"].startswith("lock ")]


BEFORE, AFTER = ("MUTABLE", False), ("IMMUTABLE", True)


@contextmanager
def opened(path, policy=POLICY):
    path.write_text(policy)
    with local_aws(check_policy(policy, "policy.yaml").policy) as aws:
        yield Accounts(aws, path)


@pytest.fixture
def accounts(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with opened(tmp_path / "policy.yaml") as found:
        found.fill(HOME)
        yield found


def recorded(*accounts, names=NAMES):
    return {
        (account, name, section): "done"
        for account in accounts
        for name in names
        for section in ("tag_mutability", "lifecycle")
    }


def on_first(operation, name, act):
    """Do something before the first call of an operation on a repository."""
    times = count()

    def cause(_service, called, asked):
        if called == operation and asked.get("repositoryName") == name and next(times) == 0:
            act()

    return cause


# ---------------------------------------------------------------- accounts and Regions


def test_two_accounts_are_planned_changed_and_taken_back_each_in_its_own_registry(accounts):
    accounts.fill(MEMBER, "team/a", "theirs")
    both = ("--account", HOME, "--account", MEMBER, *ROLE)
    plan = accounts.json("plan", *both)
    assert (plan["status"], plan["counts"]["changes"]) == (2, (3 + 2) * CHANGES_EACH)
    assert plan["places"] == [f"{HOME}/{DEFAULT_REGION}", f"{MEMBER}/{DEFAULT_REGION}"]
    before = [accounts.state(account) for account in (HOME, MEMBER)]

    done = accounts.json("apply", *both, "--yes")
    assert done["status"] == 0
    assert {each["status"] for each in done["results"]} == {"changed"}
    assert accounts.changed(account=HOME) == set(NAMES)
    assert accounts.changed(account=MEMBER) == {"team/a", "theirs"}
    # Of both accounts in the one journal, each with its account's number.
    assert accounts.journal() == recorded(HOME) | recorded(MEMBER, names=("team/a", "theirs"))
    assert accounts.json("plan", *both)["status"] == 0

    # What it says takes it back does so, as it stands there.
    assert done["undo"] == f"ecr-warden undo --run {done['run']} --role-name warden --external-id the-id"
    undone = accounts.run(*done["undo"].split()[1:], "--yes")
    assert undone.exit_code == 0, undone.output
    assert [accounts.state(account) for account in (HOME, MEMBER)] == before


def test_the_role_is_taken_in_other_accounts_alone_with_the_external_id(accounts):
    accounts.fill(MEMBER)
    accounts.fill(HOME, region="eu-west-1")
    regions = ("--region", DEFAULT_REGION, "--region", "eu-west-1")
    done = accounts.json("apply", "--account", HOME, "--account", MEMBER, *regions, *ROLE, "--yes")
    assert done["status"] == 0
    assert accounts.changed(account=HOME, region="eu-west-1") == set(NAMES)
    taken = [role for backend in sts_backends.values() for role in backend["aws"].assumed_roles]
    assert {(role.role_arn, role.external_id) for role in taken} == {
        (f"arn:aws:iam::{MEMBER}:role/warden", "the-id")
    }


def test_without_a_role_changes_of_other_accounts_are_not_taken_back_and_it_is_said(accounts):
    accounts.fill(MEMBER)
    run = accounts.json("apply", "--account", HOME, "--account", MEMBER, *ROLE, "--yes")["run"]
    undone = accounts.json("undo", "--run", run, "--yes")
    assert undone["status"] == 1
    found = {(each["status"], "--role-name" in each["next_step"]) for each in undone["changes"]}
    assert found == {("undone", False), ("impossible", True)}
    assert accounts.changed(account=HOME) == set()
    assert accounts.changed(account=MEMBER) == set(NAMES)
    again = accounts.run("undo", "--run", run, "--yes", *ROLE)
    assert again.exit_code == 0, again.output
    assert accounts.changed(account=MEMBER) == set()


@pytest.fixture
def organization(accounts):
    """Give the id of a unit, and of the account below it; another account is outside of it."""
    client = boto3.client("organizations", region_name=DEFAULT_REGION)
    client.create_organization(FeatureSet="ALL")
    root = client.list_roots()["Roots"][0]["Id"]
    unit = client.create_organizational_unit(ParentId=root, Name="apps")["OrganizationalUnit"]["Id"]
    below = client.create_organizational_unit(ParentId=unit, Name="web")["OrganizationalUnit"]["Id"]
    made = [
        client.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"][
            "AccountId"
        ]
        for name in ("inside", "outside")
    ]
    client.move_account(AccountId=made[0], SourceParentId=root, DestinationParentId=below)
    for account in made:
        accounts.fill(account)
    yield unit, *made
    organizations_backends.reset()


def test_of_an_organizational_unit_its_accounts_are_changed_and_no_other(accounts, organization):
    unit, inside, outside = organization
    assert accounts.json("plan", "--organizational-unit", unit, *ROLE)["places"] == [
        f"{inside}/{DEFAULT_REGION}"
    ]
    done = accounts.json("apply", "--organizational-unit", unit, *ROLE, "--yes")
    assert done["status"] == 0
    assert accounts.changed(account=inside) == set(NAMES)
    assert accounts.changed(account=HOME) == accounts.changed(account=outside) == set()
    assert accounts.journal() == recorded(inside)


def test_a_plan_that_has_none_of_a_units_accounts_is_wrong_usage(accounts, organization, tmp_path):
    out = tmp_path / "plan.json"
    accounts.run("plan", "--out", str(out))
    done = accounts.run("apply", str(out), "--organizational-unit", organization[0], *ROLE, "--yes")
    said = f"the plan is of {HOME}/{DEFAULT_REGION}, and of nothing that is asked for"
    assert (done.exit_code, said in done.stderr) == (2, True), done.output
    assert accounts.journal() == {}


def test_a_unit_that_the_organization_does_not_have_is_an_error_that_says_how_units_are_named(
    accounts,
    organization,  # noqa: ARG001  # there is one
):
    done = accounts.run("plan", "--organizational-unit", "ou-none-12345678", *ROLE)
    assert done.exit_code == 1
    assert "ou-" in done.stderr
    assert "Traceback" not in done.output


def no_role_in(account):
    def cause(service, operation, asked):
        if (service, operation) == ("sts", "AssumeRole") and f":{account}:" in asked["RoleArn"]:
            return "AccessDenied", "not authorized to perform: sts:AssumeRole"
        return None

    return cause


def test_an_account_whose_role_may_not_be_assumed_is_listed_and_the_others_are_changed(accounts):
    accounts.fill(MEMBER)
    accounts.fill(OTHER)
    every = [part for account in (MEMBER, OTHER, HOME) for part in ("--account", account)]
    with faults(no_role_in(MEMBER)):
        plan = accounts.run("plan", *every, *ROLE)
        done = accounts.run("apply", *every, *ROLE, "--yes")
    for one in (plan, done):
        assert one.exit_code == 1, one.output
        assert f"    ? {MEMBER}/{DEFAULT_REGION} all of it\n" in one.stdout
        assert f"arn:aws:iam::{MEMBER}:role/warden" in one.stdout
        assert "12 settings to change in 6 repositories, 1 could not be looked at" in one.stdout
    assert "Apply: 12 changed.\n" in done.stdout
    assert accounts.changed(account=HOME) == accounts.changed(account=OTHER) == set(NAMES)
    assert accounts.changed(account=MEMBER) == set()
    assert accounts.journal() == recorded(HOME, OTHER)


def test_a_role_that_was_taken_away_since_the_plan_fails_its_accounts_changes_and_no_other(
    accounts, tmp_path
):
    accounts.fill(MEMBER)
    out = tmp_path / "plan.json"
    accounts.run("plan", "--account", MEMBER, "--account", HOME, *ROLE, "--out", str(out))
    with faults(no_role_in(MEMBER)):
        done = accounts.json("apply", str(out), *ROLE, "--yes")
    assert done["status"] == 1
    assert {(each["account"], each["status"]) for each in done["results"]} == {
        (MEMBER, "failed"),
        (HOME, "changed"),
    }
    assert accounts.changed(account=HOME) == set(NAMES)
    assert accounts.changed(account=MEMBER) == set()
    assert accounts.journal() == recorded(HOME)
    assert accounts.json("apply", str(out), *ROLE, "--yes")["status"] == 0
    assert accounts.changed(account=MEMBER) == set(NAMES)


# ---------------------------------------------------------------- throttling, denials, credentials


def test_at_ten_calls_a_second_all_is_looked_at_and_changed_and_nothing_twice(accounts):
    names = [f"many/{number}" for number in range(4)]
    accounts.fill(HOME, *names)
    throttling = Throttling(10)
    with faults(throttling):
        plan = accounts.json("plan")
        done = accounts.json("apply", "--yes")
    assert throttling.refused > 0
    assert (plan["status"], plan["counts"]["changes"], plan["counts"]["unseen"]) == (2, 14, 0)
    assert (done["status"], done["done"]["changed"], done["done"]["failed"]) == (0, 14, 0)
    assert accounts.changed() == {*NAMES, *names}
    assert accounts.journal() == recorded(HOME, names=(*NAMES, *names))


def test_what_may_not_be_touched_is_told_and_every_other_repository_is_changed(accounts):
    with faults(denied("team/b")):
        plan = accounts.json("plan")
        done = accounts.json("apply", "--yes")
    for one in (plan, done):
        assert one["status"] == 1
        # Both settings, as nobody knows whether the repository is exempt.
        assert [each["what"] for each in one["unseen"]] == ["team/b"] * CHANGES_EACH
        assert all("AccessDenied" in each["why"] for each in one["unseen"])
    assert {each["repository"] for each in done["results"]} == {"team/a", "team/c"}
    assert accounts.changed() == {"team/a", "team/c"}
    assert accounts.journal() == recorded(HOME, names=("team/a", "team/c"))
    assert accounts.json("apply", "--yes")["status"] == 0
    assert accounts.journal() == recorded(HOME)


@pytest.mark.parametrize("calls", [1, 2, 3, 4])
def test_where_the_credentials_end_while_it_is_planned_that_is_said_and_nothing_is_changed(accounts, calls):
    before = accounts.state()
    with faults(expired_after(calls)):
        done = accounts.run("plan")
    assert done.exit_code == 1, done.output
    assert "ExpiredToken" in done.output
    assert "Renew the credentials" in done.output
    assert (accounts.state(), accounts.journal()) == (before, {})


@pytest.mark.parametrize("calls", [*range(6, 30, 3)])
def test_where_the_credentials_end_while_it_is_applied_all_can_be_taken_back_or_gone_on_with(accounts, calls):
    before = accounts.state()
    with faults(expired_after(calls)):
        done = accounts.run("apply", "--yes", "--json")
    assert done.exit_code == 1, done.output
    if not done.stdout:
        # They ended before the first change.
        assert (accounts.state(), accounts.journal()) == (before, {})
        return
    found = json.loads(done.stdout)
    assert len(found["results"]) == found["counts"]["changes"] - found["counts"]["in_audit"]
    for each in found["results"]:
        assert each["status"] in {"changed", "failed"}
        if each["status"] == "changed":
            assert accounts.journal()[HOME, each["repository"], each["section"]] == "done"
    # Nothing was changed that the journal does not know.
    now = accounts.state()
    for name in NAMES:
        for section, is_changed in (
            ("tag_mutability", now[name][0] != before[name][0]),
            ("lifecycle", now[name][1] != before[name][1]),
        ):
            assert not is_changed or (HOME, name, section) in accounts.journal()
    if calls % 2 and accounts.journal():
        assert accounts.run("undo", "--run", found["run"], "--yes").exit_code == 0
        assert accounts.state() == before
    else:
        assert accounts.json("apply", "--yes")["status"] == 0
        assert accounts.changed() == set(NAMES)
    assert accounts.is_unlocked()


def test_where_a_registrys_credentials_alone_end_the_journal_has_what_was_changed_and_nothing_open(accounts):
    def over(service, operation, asked):
        is_over = (service, operation, asked.get("repositoryName")) == ("ecr", "PutLifecyclePolicy", "team/b")
        return "ExpiredTokenException" if is_over else None

    with faults(over):
        done = accounts.json("apply", "--yes")
    assert done["status"] == 1
    assert len(done["results"]) == len(NAMES) * CHANGES_EACH
    changed = {
        (HOME, each["repository"], each["section"]): "done"
        for each in done["results"]
        if each["status"] == "changed"
    }
    assert (HOME, "team/b", "lifecycle") not in changed
    assert accounts.journal() == changed
    for name, (mutability, has_lifecycle, _) in accounts.state().items():
        assert (mutability == "IMMUTABLE") == ((HOME, name, "tag_mutability") in changed)
        assert has_lifecycle == ((HOME, name, "lifecycle") in changed)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_what_cannot_be_recorded_is_not_changed(accounts, code):
    before = accounts.state()
    with faults(lambda service, operation, _: code if (service, operation) == DYNAMODB_PUT else None):
        done = accounts.json("apply", "--yes", "--section", "tag_mutability", "--repository", "team/a")
    assert (done["status"], done["done"]["failed"], done["done"]["changed"]) == (1, 1, 0)
    assert (accounts.state(), accounts.journal()) == (before, {})


def test_without_a_stack_and_with_a_file_that_cannot_be_written_nothing_is_changed(
    accounts, tmp_path, monkeypatch
):
    (tmp_path / "blocked").write_text("a file, where a folder is to be")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "blocked"))
    before = accounts.state()
    done = accounts.run("apply", "--yes", "--stack-name", "none")
    assert done.exit_code == 1
    assert "Set XDG_STATE_HOME to a folder that can be written" in done.stdout
    assert "Apply: 6 failed.\n" in done.stdout
    assert accounts.state() == before


# ---------------------------------------------------------------- what changes while it is looked at


def test_a_page_token_that_went_stale_begins_the_list_anew_and_each_repository_comes_once(accounts):
    names = [f"many/{number:04}" for number in range(1200)]
    accounts.fill(HOME, *names)
    times = count()

    def stale(_service, operation, asked):
        if operation == "DescribeRepositories" and "nextToken" in asked and next(times) == 0:
            return "InvalidParameterException", "Invalid parameter: the next token is expired"
        return None

    with faults(stale):
        plan = accounts.json("plan", "--section", "tag_mutability")
    assert next(times) == 2, "it went stale once, and then was taken"
    assert (plan["status"], plan["counts"]["unseen"]) == (2, 0)
    found = [each["repository"] for each in plan["changes"]]
    assert sorted(found) == sorted([*NAMES, *names])


def test_a_list_that_breaks_off_is_told_with_how_far_it_came_and_what_was_seen_is_changed(accounts):
    names = [f"many/{number:04}" for number in range(1200)]
    accounts.fill(HOME, *names)

    def broken(_service, operation, asked):
        is_later = operation == "DescribeRepositories" and "nextToken" in asked
        return "AccessDeniedException" if is_later else None

    with faults(broken):
        done = accounts.run("plan", "--section", "tag_mutability")
    assert done.exit_code == 1
    assert f"    ? {HOME}/{DEFAULT_REGION} all after 1000 repositories\n" in done.stdout
    assert (
        "Plan: 1000 settings to change in 1000 repositories, 1 could not be looked at; "
        "1000 repositories looked at.\n"
    ) in done.stdout


def test_a_repository_that_is_deleted_between_listing_and_looking_is_counted_and_no_error(accounts):
    backend = ecr_backends[HOME][DEFAULT_REGION]
    with faults(on_first("GetLifecyclePolicy", "team/b", lambda: backend.repositories.pop("team/b"))):
        plan = accounts.json("plan")
    assert (plan["status"], plan["counts"]["gone"], plan["counts"]["unseen"]) == (2, 1, 0)
    assert {each["repository"] for each in plan["changes"]} == {"team/a", "team/c"}


@pytest.mark.parametrize("operation", ["DescribeRepositories", "PutImageTagMutability", "PutLifecyclePolicy"])
def test_a_repository_that_is_deleted_before_it_is_changed_is_gone_and_leaves_nothing_open(
    accounts, tmp_path, operation
):
    out = tmp_path / "plan.json"
    accounts.run("plan", "--out", str(out))
    backend = ecr_backends[HOME][DEFAULT_REGION]

    def delete(_service, called, asked):
        if called == operation and "team/b" in {
            asked.get("repositoryName"),
            *asked.get("repositoryNames", ()),
        }:
            backend.repositories.pop("team/b", None)

    with faults(delete):
        done = accounts.json("apply", str(out), "--yes")
    assert done["status"] == 0, "what is gone needs no change"
    of_gone = [each["status"] for each in done["results"] if each["repository"] == "team/b"]
    assert set(of_gone) <= {"gone", "changed"}
    assert "gone" in of_gone
    assert accounts.changed() == {"team/a", "team/c"}
    journal = accounts.journal()
    assert set(journal.values()) == {"done"}
    assert sum(name == "team/b" for _, name, _ in journal) == of_gone.count("changed")


@pytest.mark.parametrize("operation", ["BatchGetImage", "PutImage", "BatchDeleteImage"])
def test_a_repository_that_is_deleted_before_its_tag_is_taken_leaves_nothing_open(tmp_path, operation):
    with opened(tmp_path / "policy.yaml", TAGS) as accounts:
        accounts.fill(HOME)
        client = boto3.client("ecr", region_name=DEFAULT_REGION)
        for name in NAMES:
            manifest = {"schemaVersion": 2, "mediaType": MEDIA_TYPE, "seed": name, "layers": []}
            client.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag="latest")
        backend = ecr_backends[HOME][DEFAULT_REGION]
        arguments = ("apply", "--yes", "--section", "tags")
        with faults(on_first(operation, "team/b", lambda: backend.repositories.pop("team/b"))):
            done = accounts.json(*arguments)
        assert {each["repository"]: each["status"] for each in done["results"]} == {
            "team/a": "changed",
            "team/b": "gone",
            "team/c": "changed",
        }
        assert done["status"] == 0
        for name in ("team/a", "team/c"):
            (tag,) = accounts.state()[name][2]
            assert tag.startswith("quarantine-")
        assert set(accounts.journal().values()) == {"done"}


# ---------------------------------------------------------------- Ctrl-C


def interrupts(operation, after):
    """Send Ctrl-C as a call of an operation comes."""
    times = count()

    def cause(_service, called, _asked):
        if called == operation and next(times) == after:
            os.kill(os.getpid(), signal.SIGINT)

    return cause


def test_ctrl_c_ends_a_plan_which_writes_no_file_and_changes_nothing(accounts, tmp_path):
    accounts.fill(HOME, *(f"many/{number:03}" for number in range(300)))
    before, out = accounts.state(), tmp_path / "plan.json"
    out.write_text("the last one")
    with faults(interrupts("GetLifecyclePolicy", 5)):
        done = accounts.run("plan", "--out", str(out))
    assert done.exit_code == 130, done.output
    assert f"Stopped: this is not the whole plan. {out} was not written. Run it again.\n" in done.stderr
    assert out.read_text() == "the last one"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert "Plan: " in done.stdout, "what was seen until then"
    assert 0 < done.stdout.count(f"{HOME}/{DEFAULT_REGION} ") < 303
    assert (accounts.state(), accounts.journal()) == (before, {})
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_apply_still_plans_changes_nothing(accounts):
    accounts.fill(HOME, *(f"many/{number:03}" for number in range(300)))
    before = accounts.state()
    with faults(interrupts("GetLifecyclePolicy", 5)):
        done = accounts.run("apply", "--yes")
    assert done.exit_code == 130, done.output
    assert "Stopped: nothing was changed. Run it again.\n" in done.stderr
    assert (accounts.state(), accounts.journal()) == (before, {})
