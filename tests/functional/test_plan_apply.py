"""The plan and apply commands against the local AWS: what is shown, what is there then, what is recorded."""

import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from click.testing import CliRunner

from ecr_warden_cli.main import main

HERE = "123456789012/us-east-1"
POLICY = """\
version: 1
mode: enforce
rules:
  - match: ["audited/**"]
    mode: audit
    tag_mutability: {immutable: true}
  - match: ["team/**"]
    tags: {deny: [latest], on_violation: quarantine}
    tag_mutability: {immutable: true, except: ["cache-*"]}
    lifecycle: {keep_last: 30}
    resource_tags: {require: [owner], set: {managed-by: ecr-warden}}
  - match: ["**"]
    scanning: {frequency: scan_on_push}
channels:
  ops: {type: sns}
routes:
  - {to: [ops]}
"""


@pytest.fixture
def world(open_world, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with open_world(policy=POLICY) as found:
        for name in ("audited/a", "team/a", "team/b", "other"):
            found.repository(name)
        yield found


@pytest.fixture
def run(world, tmp_path):  # noqa: ARG001  # the registry that it acts on
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)

    def invoke(command, *arguments, policy=None, **options):
        if policy is not None:
            path.write_text(policy)
        return CliRunner().invoke(main, [command, *arguments, "--policy", str(path)], **options)

    return invoke


@pytest.fixture
def denied(monkeypatch):
    """Let AWS refuse some operations, or those on some repository, with a code."""
    denied, make_call = {}, BaseClient._make_api_call  # noqa: SLF001  # the one way that all calls go

    def call(client, operation, arguments):
        for key in (
            operation,
            (operation, arguments.get("repositoryName")),
            (operation, client.meta.region_name),
        ):
            if key in denied:
                raise ClientError({"Error": {"Code": denied[key], "Message": "you may not"}}, operation)
        return make_call(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return denied


@pytest.fixture
def terminal(monkeypatch):
    found = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("ecr_warden_cli.commands.common.sys", found)


def mutability(world, name):
    (found,) = world.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    return found["imageTagMutability"]


def scanning_rules(world):
    return world.ecr.get_registry_scanning_configuration()["scanningConfiguration"]["rules"]


def journal(world):
    items = world.client("dynamodb").scan(TableName=world.stack.physical["JournalTable"])["Items"]
    return [item for item in items if "section" in item]


def test_a_plan_is_grouped_by_repository_with_reason_rule_and_counts_and_changes_nothing(world, run):
    digest = world.push("latest", repository="team/a")
    done = run("plan")
    assert done.exit_code == 2, done.output
    text = done.stdout
    assert text.count("the registry\n") == 1, "of many repositories' one document is told once"
    assert f"{HERE} the registry\n    ~ scanning of the registry: * at SCAN_ON_PUSH added\n" in text
    block = text[text.index(f"{HERE} team/a\n") :].partition("\n\n")[0]
    assert "    ~ tag mutability MUTABLE → IMMUTABLE_WITH_EXCLUSION (except cache-*)\n" in block
    assert "    + lifecycle policy none → 2 rules\n        + 1: tagged images quarantine-*-* expire" in block
    assert f"    - tag latest ({digest[:19]}) → quarantine-{digest[7:19]}-latest\n" in block
    assert "        the tag latest is denied by the pattern latest\n" in block
    assert "    ! resource_tags: it lacks the resource tag owner" in block
    assert "policy.yaml:8 (team/**)" in block
    assert "    ~ tag mutability MUTABLE → IMMUTABLE (audit: told, not changed)\n" in text
    assert text.endswith(
        "Plan: 8 settings and 1 tag to change in 3 repositories and the registry (1 in audit mode), "
        "2 need a person, 1 as the policy wants; 4 repositories looked at.\n"
    ), text
    assert (mutability(world, "team/a"), world.tags(digest, "team/a"), scanning_rules(world)) == (
        "MUTABLE",
        ["latest"],
        [],
    )
    assert journal(world) == []


def test_what_is_applied_is_in_the_registry_and_the_journal_and_then_nothing_is_left(world, run):
    digest = world.push("latest", repository="team/a")
    done = run("apply", "--yes")
    assert done.exit_code == 0, done.output
    assert f"+ changed {HERE} team/b tag_mutability\n" in done.stdout
    assert "Apply: 8 changed.\n" in done.stdout
    assert "1 is in audit mode, and not applied" in done.stdout
    assert [mutability(world, name) for name in ("team/a", "team/b", "audited/a", "other")] == [
        "IMMUTABLE_WITH_EXCLUSION",
        "IMMUTABLE_WITH_EXCLUSION",
        "MUTABLE",
        "MUTABLE",
    ]
    assert world.tags(digest, "team/a") == [f"quarantine-{digest[7:19]}-latest"]
    assert [rule["scanFrequency"] for rule in scanning_rules(world)] == ["SCAN_ON_PUSH"]
    assert "rules" in json.loads(
        world.ecr.get_lifecycle_policy(repositoryName="team/b")["lifecyclePolicyText"]
    )
    recorded = journal(world)
    assert (len(recorded), {item["status"]["S"] for item in recorded}) == (8, {"done"})
    (run_id,) = {item["event_id"]["S"].partition(" ")[0] for item in recorded}
    assert f"Take it back: ecr-warden undo --run {run_id}\n" in done.stdout
    again = run("plan")
    assert again.exit_code == 2, "what is in audit mode differs still"
    assert "Plan: 1 setting to change in 1 repository (1 in audit mode)" in again.stdout
    assert run("plan", "--mode", "enforce").exit_code == 0


def test_filters_narrow_what_is_looked_at(run):
    assert run("plan", "--repository", "team/a", "--section", "lifecycle").stdout.endswith(
        "Plan: 1 setting to change in 1 repository; 1 repository looked at.\n"
    )
    audited = run("plan", "--mode", "audit").stdout
    assert "Plan: 1 setting to change in 1 repository (1 in audit mode)" in audited
    assert run("plan", "--section", "encryption").exit_code == 0


def test_as_json_there_is_one_document_with_changes_and_counts(run, tmp_path):
    out = tmp_path / "plan.json"
    done = run("plan", "--json", "--out", str(out))
    assert (done.exit_code, done.stderr) == (2, "")
    found = json.loads(done.stdout)
    assert out.read_text() == done.stdout
    assert (found["version"], found["places"]) == (1, [HERE])
    assert [len(found[name]) for name in ("changes", "violations", "kept", "unseen")] == [8, 2, 0, 0]
    change = next(each for each in found["changes"] if each["repository"] == "team/a")
    assert change["place"] == HERE
    assert (change["section"], change["mode"], change["rule"]["match"]) == (
        "tag_mutability",
        "enforce",
        ["team/**"],
    )
    assert (change["before"], change["after"]["mode"]) == ({"mode": "MUTABLE"}, "IMMUTABLE_WITH_EXCLUSION")
    assert (found["counts"]["changes"], found["counts"]["repositories"]) == (8, 4)
    assert found["unmatched"] == []


@pytest.mark.parametrize("form", ["as written", "indented", "compact"])
def test_a_plans_file_is_applied_in_any_form_and_by_the_policy_that_it_names(world, run, tmp_path, form):
    out = tmp_path / "plan.json"
    run("plan", "--out", str(out))
    if form != "as written":
        separators = (",", ":") if form == "compact" else None
        out.write_text(
            json.dumps(
                json.loads(out.read_text()), indent=2 if form == "indented" else None, separators=separators
            )
        )
    done = CliRunner().invoke(main, ["apply", str(out), "--yes", "--json", "--repository", "team/a"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {each["status"] for each in found["results"]} == {"changed"}
    assert {each["repository"] for each in found["results"]} == {"*", "team/a"}
    assert found["undo"] == f"ecr-warden undo --run {found['run']}"
    # What the plan found, as far as its file has it, and what was done are two things.
    assert found["counts"].keys() & {"repositories", "compliant", "gone", "changed"} == set()
    assert (found["counts"]["changes"], found["done"]["changed"]) == (len(found["results"]),) * 2
    assert (mutability(world, "team/a"), mutability(world, "team/b")) == (
        "IMMUTABLE_WITH_EXCLUSION",
        "MUTABLE",
    )


def test_what_somebody_changed_since_it_was_planned_is_left_alone_and_said(world, run, tmp_path):
    out = tmp_path / "plan.json"
    overriding = POLICY.replace('["team/**"]', '["team/**"]\n    override: true')
    run("plan", "--out", str(out), "--section", "tag_mutability", "--section", "lifecycle", policy=overriding)
    world.ecr.put_image_tag_mutability(repositoryName="team/a", imageTagMutability="IMMUTABLE")
    world.ecr.delete_repository(repositoryName="team/b")
    done = run("apply", str(out), "--yes")
    assert done.exit_code == 1
    assert f"! skipped {HERE} team/a tag_mutability\n    it was changed since it was planned" in done.stdout
    assert f"+ changed {HERE} team/a lifecycle\n" in done.stdout
    assert f"= gone {HERE} team/b lifecycle\n" in done.stdout
    assert "Apply: 1 changed, 2 deleted meanwhile, 1 skipped.\n" in done.stdout
    assert "What was skipped or failed is there still: plan again." in done.stdout
    assert mutability(world, "team/a") == "IMMUTABLE"


def test_what_somebody_put_right_meanwhile_and_what_they_chose_is_well(world, run, tmp_path):
    out = tmp_path / "plan.json"
    run("plan", "--out", str(out), "--section", "tag_mutability")
    filters = [{"filterType": "WILDCARD", "filter": "cache-*"}]
    world.ecr.put_image_tag_mutability(
        repositoryName="team/a",
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
    )
    world.ecr.put_image_tag_mutability(repositoryName="team/b", imageTagMutability="IMMUTABLE")
    done = run("apply", str(out), "--yes")
    assert (done.exit_code, "Apply: 1 so already, 1 kept.\n" in done.stdout) == (0, True), done.output
    assert mutability(world, "team/b") == "IMMUTABLE"


def test_what_was_found_otherwise_is_kept_and_shown_when_asked(world, run):
    world.ecr.put_image_tag_mutability(repositoryName="team/a", imageTagMutability="IMMUTABLE")
    arguments = ("plan", "--repository", "team/a", "--section", "tag_mutability")
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (0, "Plan: nothing to change, 1 kept; 1 repository looked at.\n")
    assert f"{HERE} team/a\n    = tag_mutability: " in run(*arguments, "--verbose").stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "is no plan"),
        ("x", "is no plan"),
        ('{"version": 2, "changes": []}', "version 2"),
        ('{"version": 1, "policy": "p", "places": [],\n"changes": [\n{"a": 1},\n', "no change of a plan"),
        (
            '{"version": 1, "policy": "p", "places": ["123456789012/us-east-1"],\n"changes": [\n',
            "not the whole plan",
        ),
    ],
)
def test_what_is_no_whole_plan_is_refused_and_nothing_is_changed(world, run, tmp_path, text, said):
    path = tmp_path / "plan.json"
    path.write_text(text)
    done = run("apply", str(path), "--yes")
    assert (done.exit_code, said in done.stderr) == (1, True), done.output
    assert journal(world) == []


def test_a_file_that_is_no_plan_is_said_to_be_before_anything_is_asked(run, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text("{}")
    done = run("apply", str(path))
    assert (done.exit_code, "is no plan" in done.stderr) == (1, True)


def test_a_glob_that_nothing_matches_is_no_success(world, run, tmp_path):
    out = tmp_path / "plan.json"
    done = run("plan", "--repository", "zzz/**", "--repository", "team/a", "--json")
    assert (done.exit_code, done.stderr) == (1, "Error: no repository matches zzz/**\n")
    assert json.loads(done.stdout)["unmatched"] == ["zzz/**"]
    for arguments in (("--yes",), ("--yes", "--json")):
        done = run("apply", "--repository", "zzz/**", "--repository", "team/a", *arguments)
        assert (done.exit_code, done.stderr) == (
            1,
            "Error: no repository matches zzz/**: nothing was changed\n",
        )
    assert json.loads(done.stdout)["unmatched"] == ["zzz/**"]
    run("plan", "--out", str(out))
    done = run("apply", str(out), "--yes", "--repository", "team/z", "--repository", "team/a")
    said = "the plan has nothing of a repository that matches team/z: nothing was changed"
    assert (done.exit_code, said in done.stderr) == (1, True)
    assert journal(world) == []


def test_a_glob_that_may_match_what_could_not_be_looked_at_is_not_said_to_match_nothing(run, denied):
    denied["DescribeRepositories"] = "AccessDeniedException"
    done = run("plan", "--repository", "team/a")
    assert (done.exit_code, "matches" in done.output) == (1, False)


@pytest.mark.parametrize("glob", ["", "/team", "team**", "team/app-0[", "team/[a/b]"])
@pytest.mark.parametrize("command", ["plan", "apply", "report"])
def test_a_glob_that_can_match_nothing_is_wrong_usage(run, command, glob):
    done = run(command, "--repository", glob)
    assert (done.exit_code, "--repository" in done.stderr) == (2, True), done.output


def test_characters_of_a_glob_narrow_what_is_looked_at(run):
    for glob in ("team/[ab]", "team/[!]x]"):
        assert "2 repositories looked at" in run("plan", "--repository", glob).stdout


def test_what_a_plan_is_not_of_is_wrong_usage(world, run, tmp_path):
    out = tmp_path / "plan.json"
    run("plan", "--out", str(out))
    for asked in (("--region", "eu-west-1"), ("--account", "222222222222")):
        done = run("apply", str(out), "--yes", "--region", "us-east-1", *asked)
        assert (done.exit_code, f"the plan is of {HERE}, not of {asked[1]}" in done.stderr) == (2, True)
    assert journal(world) == []


def test_a_plan_of_another_policy_is_said_to_be_and_each_change_that_is_not_asked_for_any_more(
    world, run, tmp_path
):
    out = tmp_path / "plan.json"
    run("plan", "--out", str(out), "--repository", "team/**")
    # What a comment says at the end is no other policy.
    same = run("apply", str(out), "--yes", "--repository", "team/a", policy=f"{POLICY}# the end\n")
    assert (same.exit_code, same.stderr) == (0, "")
    other = POLICY.replace("lifecycle: {keep_last: 30}", "scanning: {scan_on_push: true}").replace(
        '["cache-*"]', '["tmp-*"]'
    )
    done = run("apply", str(out), "--yes", "--repository", "team/b", policy=other)
    assert done.exit_code == 1
    assert done.stderr.count("was made by another policy than") == 1
    assert (
        f"! skipped {HERE} team/b lifecycle\n    the policy does not ask to change it any more" in done.stdout
    )
    assert (
        f"! skipped {HERE} team/b tag_mutability\n    the policy asks for something else by now"
        in done.stdout
    )
    assert "it was changed since" not in done.stdout
    assert mutability(world, "team/b") == "MUTABLE"


def test_where_nothing_was_changed_there_is_nothing_to_take_back(run, denied):
    arguments = ("apply", "--yes", "--repository", "team/a", "--section", "tag_mutability")
    denied["PutImageTagMutability"] = "AccessDeniedException"
    done = run(*arguments)
    assert ("Apply: 1 failed.\n" in done.stdout, "Take it back" in done.output) == (True, False)
    assert json.loads(run(*arguments, "--json").stdout)["undo"] is None
    denied.clear()
    assert "Take it back: ecr-warden undo --run " in run(*arguments).stdout


@pytest.mark.parametrize(("command", "option"), [("plan", "--out"), ("report", "--out"), ("report", "--csv")])
def test_a_folder_that_is_not_there_is_said_before_the_registry_is_read(
    run, denied, tmp_path, command, option
):
    denied["DescribeRepositories"] = "AccessDeniedException"
    folder = tmp_path / "none"
    done = run(command, option, str(folder / "file"))
    assert (done.exit_code, f"the folder {folder} does not exist" in done.stderr) == (2, True), done.output


def test_a_folder_that_cannot_be_written_is_said_before_the_registry_is_read(run, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)
    done = run("plan", "--out", str(tmp_path / "plan.json"))
    assert (done.exit_code, f"nothing can be written to the folder {tmp_path}" in done.stderr) == (2, True)


def test_people_are_asked_and_may_say_no(world, run, terminal):  # noqa: ARG001  # somebody can be asked
    done = run("apply", input="\n")
    assert (done.exit_code, "Apply 7 changes? [y/N]" in done.stdout) == (0, True)
    assert "Nothing was changed." in done.stdout
    assert mutability(world, "team/a") == "MUTABLE"
    assert run("apply", input="y\n").exit_code == 0
    assert mutability(world, "team/a") == "IMMUTABLE_WITH_EXCLUSION"


def test_where_nobody_can_be_asked_yes_must_be_said(run):
    for arguments in ((), ("--json",)):
        done = run("apply", *arguments)
        assert (done.exit_code, "--yes" in done.stderr) == (2, True)


def test_what_is_denied_on_one_repository_is_told_and_the_others_are_looked_at(run, denied):
    denied["GetLifecyclePolicy", "team/a"] = "AccessDeniedException"
    done = run("plan")
    assert done.exit_code == 1, "what was not looked at wins over changes"
    assert f"Could not be looked at:\n    ? {HERE} team/a\n        lifecycle could not be read" in done.stdout
    assert "1 could not be looked at; 4 repositories looked at.\n" in done.stdout
    assert f"{HERE} team/b\n" in done.stdout


def test_a_region_that_cannot_be_listed_stops_no_other(run, denied):
    denied["DescribeRepositories", "eu-west-1"] = "AccessDeniedException"
    done = run("plan", "--region", "eu-west-1", "--region", "us-east-1")
    assert done.exit_code == 1
    assert "    ? 123456789012/eu-west-1 all of it\n" in done.stdout
    assert "Let these credentials, or the role, make this call" in done.stdout
    assert f"{HERE} team/a\n" in done.stdout


def test_a_change_that_is_denied_fails_and_the_others_are_made(world, run, denied):
    denied["PutLifecyclePolicy", "team/a"] = "AccessDeniedException"
    done = run("apply", "--yes")
    assert done.exit_code == 1
    assert f"- failed {HERE} team/a lifecycle\n" in done.stdout
    assert "Apply: 6 changed, 1 failed.\n" in done.stdout
    assert (mutability(world, "team/a"), mutability(world, "team/b")) == ("IMMUTABLE_WITH_EXCLUSION",) * 2
    denied.clear()
    again = run("apply", "--yes")
    assert (again.exit_code, "Apply: 1 changed.\n" in again.stdout) == (0, True)


def test_credentials_that_end_half_way_are_said_for_each_change_that_was_not_made(world, run, denied):
    denied["PutImageTagMutability"] = "ExpiredTokenException"
    done = run("apply", "--yes", "--json")
    assert done.exit_code == 1
    results = json.loads(done.stdout)["results"]
    assert len(results) == 7, "every change has its result"
    assert {each["status"] for each in results} == {"changed", "failed"}
    assert len(scanning_rules(world)) == 1
    denied.clear()
    assert run("apply", "--yes").exit_code == 0
    assert run("plan", "--mode", "enforce").exit_code == 0


def test_other_accounts_need_a_role(run):
    done = run("plan", "--account", "222222222222")
    assert (done.exit_code, "--role-name" in done.stderr) == (2, True)
    assert run("plan", "--account", "x").exit_code == 2


INTERRUPTED = """\
import sys, threading, time
from pathlib import Path
from unittest.mock import patch
from botocore.client import BaseClient
from ecr_warden_cli.local.aws import local_aws
from ecr_warden_cli.policy.check import check_policy
from moto.ecr.models import ecr_backends
from ecr_warden_cli.local.ecr_double import make_repository
from ecr_warden_cli.main import main

policy = Path(sys.argv[1])
make_call, made = BaseClient._make_api_call, []

def call(client, operation, arguments):
    if operation == "PutImageTagMutability":
        print("put", file=sys.stderr, flush=True)
        time.sleep(float(sys.argv[2]))
        made.append(arguments["repositoryName"])
    return make_call(client, operation, arguments)

with local_aws(check_policy(policy.read_text(), "policy.yaml").policy) as aws, aws.acting_in("123456789012"):
    aws.stack("123456789012", "us-east-1")
    backend = ecr_backends["123456789012"]["us-east-1"]
    for number in range(80):
        make_repository(backend, f"team/{number:03}", {})
    with patch.object(BaseClient, "_make_api_call", call):
        try:
            main(["apply", "--yes", "--policy", str(policy), "--section", "tag_mutability"])
        finally:
            changed = sum(one.image_tag_mutability != "MUTABLE" for one in backend.repositories.values())
            print(f"registry: {changed} changed, {len(made)} made", flush=True)
"""


def interrupted(tmp_path, times, seconds):
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    program = tmp_path / "program.py"
    program.write_text(INTERRUPTED)
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "AWS_DEFAULT_REGION": "us-east-1"}
    with subprocess.Popen(
        [sys.executable, str(program), str(policy), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            while "put" not in process.stderr.readline():
                assert process.poll() is None
            for _ in range(times):
                process.send_signal(signal.SIGINT)
                time.sleep(0.3)
            out, error = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, out, error


def test_ctrl_c_ends_what_is_under_way_begins_nothing_new_and_says_so(tmp_path):
    status, out, error = interrupted(tmp_path, 1, 0.5)
    assert status == 130, error
    done = out.count("+ changed ")
    assert 0 < done < 80
    assert f"Apply: {done} changed, {80 - done} not begun.\n" in out
    assert f"registry: {done} changed, {done} made" in out, "nothing is left half done"
    assert "Stopped: run it again to go on." in error


def test_a_second_ctrl_c_aborts(tmp_path):
    status, out, error = interrupted(tmp_path, 2, 2)
    assert status == 1
    assert "Aborted!" in error
    assert "Apply: " not in out
