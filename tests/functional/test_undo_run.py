"""A whole run is taken back: the registry gives the answers that it gave before, to the byte."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from fakes import FakeMetrics
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecr_warden.adapters.accounts import Accounts
from ecr_warden.adapters.dynamodb import DynamoJournal, DynamoLocks
from ecr_warden.domain.places import Place
from ecr_warden.place_wiring import PlacePorts
from ecr_warden.use_cases.sweep.judge_repository import judge_repository
from ecr_warden.use_cases.sweep.ports import Scope
from ecr_warden.use_cases.sweep.repair_repository import Repairer
from ecr_warden.use_cases.sweep.shared_facts import SharedFacts
from ecr_warden_cli.main import main
from ecr_warden_cli.policy.check import check_policy

HERE = Place("123456789012", "us-east-1")
RUN = "apply-1"
POLICY = """\
version: 1
mode: enforce
rules:
  - match: ["**"]
    override: true
    tags: {deny: [latest, "dev-*"], on_violation: quarantine}
    tag_mutability: {immutable: true, except: ["cache-*", "quarantine-*"]}
    lifecycle: {keep_last: 30, expire_untagged_after_days: 7}
    scanning: {frequency: scan_on_push, scan_on_push: true}
    replicate_to: {destinations: [eu-west-1]}
    resource_tags: {set: {managed-by: ecr-warden, team: platform}}
    repository_policy:
      merge_by_sid: true
      document: {Statement: [{Sid: Ours, Effect: Allow, Principal: "*", Action: "ecr:BatchGetImage"}]}
channels:
  ops: {type: sns}
routes:
  - {to: [ops]}
"""


def answers(world):
    """Give what ECR answers of a registry.

    Left out are times (of the request, of a policy's last run, of pushes: a tag that is put back is a push in
    ECR, too), and the order of an image's tags, which ECR does not promise.
    """
    ecr, found = world.ecr, {}
    found["registry"] = of(ecr.describe_registry())
    found["scanning"] = of(ecr.get_registry_scanning_configuration())
    for repository in ecr.describe_repositories()["repositories"]:
        name = repository["repositoryName"]
        found[name] = [
            of(repository),
            text(ecr.get_lifecycle_policy, "lifecyclePolicyText", name),
            text(ecr.get_repository_policy, "policyText", name),
            of(ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])),
            sorted(
                (image["imageDigest"], tuple(sorted(image.get("imageTags", []))), image["imageStatus"])
                for image in ecr.describe_images(repositoryName=name, filter={"imageStatus": "ANY"})[
                    "imageDetails"
                ]
            ),
        ]
    return found


def of(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def text(call, name, repository):
    try:
        return call(repositoryName=repository)[name]
    except call.__self__.exceptions.LifecyclePolicyNotFoundException:
        return None
    except call.__self__.exceptions.RepositoryPolicyNotFoundException:
        return None


def checked():
    return check_policy(POLICY, "policy.yaml").policy


def repaired(world):
    """Let a run put everything as the policy wants it; give the repairs' statuses."""
    accounts = Accounts(HERE, None, None)
    journal = DynamoJournal(world.client("dynamodb"), world.stack.physical["JournalTable"])
    locks = DynamoLocks(
        world.client("dynamodb"), world.stack.physical["JournalTable"], lambda: datetime.now(UTC)
    )
    ports = PlacePorts(lambda service: accounts.client(service, HERE), HERE, journal=journal, locks=locks)
    ports.metrics = FakeMetrics()
    repairer = Repairer(policy=checked(), place=HERE, run=RUN, ports=ports, documents_may_move=True)
    found = []
    for page in ports.repositories.pages():
        for repository in page:
            visit = judge_repository(
                repository,
                policy=checked(),
                place=HERE,
                ports=ports,
                shared=SharedFacts(ports.settings),
                scope=Scope(),
                now=datetime.now(UTC),
            )
            judgements = [one for one in visit.judgements if one.is_to_apply]
            by_name = {}
            for one in judgements:
                by_name.setdefault(one.repository, []).append(one)
            for name, some in by_name.items():
                found += repairer.repair(name, some)
    return [repair.status.value for repair in found]


SPACES = st.sampled_from(["", " ", "\n", "\t", "  \n"])


@st.composite
def lifecycle_texts(draw):
    space = draw(SPACES)
    rule = {
        "rulePriority": draw(st.integers(1, 9)),
        "description": draw(st.sampled_from(["theirs", "", "é"])),
        "selection": {
            "tagStatus": "any",
            "countType": "imageCountMoreThan",
            "countNumber": draw(st.integers(1, 50)),
        },
        "action": {"type": "expire"},
    }
    return space + json.dumps({"rules": [rule]}, indent=draw(st.sampled_from([None, 0, 3]))) + space


@st.composite
def policy_texts(draw):
    statement = {
        "Sid": draw(st.sampled_from(["Theirs", "Ours"])),
        "Effect": "Allow",
        "Principal": draw(st.sampled_from(["*", {"AWS": "123456789012"}])),
        "Action": draw(st.sampled_from(["ecr:BatchGetImage", ["ecr:GetDownloadUrlForLayer"]])),
    }
    document = {"Version": "2012-10-17", "Statement": draw(st.sampled_from([statement, [statement]]))}
    return draw(SPACES) + json.dumps(document, indent=draw(st.sampled_from([None, 2])))


EXCLUDING = ["MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"]
MUTABILITIES = st.one_of(
    st.just({"imageTagMutability": "MUTABLE"}),
    st.just({"imageTagMutability": "IMMUTABLE"}),
    st.builds(
        lambda mode, wildcards: {
            "imageTagMutability": mode,
            "imageTagMutabilityExclusionFilters": [
                {"filterType": "WILDCARD", "filter": wildcard} for wildcard in wildcards
            ],
        },
        st.sampled_from(EXCLUDING),
        st.lists(st.sampled_from(["a*", "cache-*", "z-*"]), min_size=1, unique=True),
    ),
)
TAGS = st.dictionaries(st.sampled_from(["team", "managed-by", "cost", "empty"]), st.sampled_from(["a", ""]))
REPOSITORIES = st.fixed_dictionaries(
    {
        "mutability": MUTABILITIES,
        "lifecycle": st.none() | lifecycle_texts(),
        "policy": st.none() | policy_texts(),
        "tags": TAGS,
        "scan_on_push": st.booleans(),
        "images": st.lists(
            st.sets(st.sampled_from(["latest", "dev-1", "v1", "dev-2"]), max_size=3), max_size=2
        ),
    }
)
REPLICATIONS = st.lists(st.sampled_from(["team/", "ab", "xy"]), unique=True, max_size=2)
SCANNINGS = st.lists(st.sampled_from(["a*", "*", "team/*"]), unique=True, max_size=2)


def build(world, repositories, prefixes, wildcards):
    for number, given_ in enumerate(repositories):
        name = f"team/app-{number}"
        tags = [{"Key": key, "Value": value} for key, value in given_["tags"].items()]
        scanned = {"scanOnPush": given_["scan_on_push"]}
        world.repository(name, imageScanningConfiguration=scanned, tags=tags)
        for count, image_tags in enumerate(given_["images"]):
            world.push(*image_tags, repository=name, seed=f"{number} {count}")
        world.ecr.put_image_tag_mutability(repositoryName=name, **given_["mutability"])
        if given_["lifecycle"]:
            world.ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=given_["lifecycle"])
        if given_["policy"]:
            world.ecr.set_repository_policy(repositoryName=name, policyText=given_["policy"])
    to = [{"region": "us-west-2", "registryId": HERE.account}]
    rules = [
        {"destinations": to, "repositoryFilters": [{"filter": prefix, "filterType": "PREFIX_MATCH"}]}
        for prefix in prefixes
    ]
    world.ecr.put_replication_configuration(replicationConfiguration={"rules": rules})
    filters = [{"filter": wildcard, "filterType": "WILDCARD"} for wildcard in wildcards]
    scanning = [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": filters}] if filters else []
    world.ecr.put_registry_scanning_configuration(scanType="BASIC", rules=scanning)


def run(*arguments):
    return CliRunner().invoke(main, arguments)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    repositories=st.lists(REPOSITORIES, min_size=1, max_size=3), prefixes=REPLICATIONS, wildcards=SCANNINGS
)
def test_undo_after_apply_gives_the_registry_that_was_there_before(
    open_world, repositories, prefixes, wildcards
):
    with open_world(policy=POLICY) as world:
        build(world, repositories, prefixes, wildcards)
        before = answers(world)
        statuses = repaired(world)
        assert set(statuses) <= {"changed", "already", "kept"}, statuses
        assert answers(world) != before or "changed" not in statuses
        done = run("undo", "--run", RUN, "--yes", "--json")
        if "changed" not in statuses:
            assert "no changes of a run" in done.stderr
            return
        assert done.exit_code == 0, done.output
        assert answers(world) == before
        again = run("undo", "--run", RUN, "--yes", "--json")
        assert {one["status"] for one in json.loads(again.stdout)["changes"]} == {"already"}
        assert answers(world) == before


@pytest.mark.parametrize("stack_name", ["ecr-warden", "none"])
def test_texts_are_put_back_to_the_byte_by_the_stacks_journal_and_by_this_machines(
    open_world, monkeypatch, tmp_path, stack_name
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    theirs = {
        "mutability": {"imageTagMutability": "MUTABLE"},
        "lifecycle": ' {"rules": [{"selection": {"tagStatus": "any", "countType": "imageCountMoreThan",'
        ' "countNumber": 9},\n\t"rulePriority":1, "action": {"type": "expire"}}]}\n',
        "policy": '{ "Statement" :{"Effect":"Allow","Sid":"Ours","Principal":"*","Action":["ecr:*"]} }',
        "tags": {"team": "theirs"},
        "scan_on_push": False,
        "images": [{"latest"}],
    }
    with open_world(policy=POLICY) as world:
        build(world, [theirs], ["team/"], ["a*"])
        before = answers(world)
        done = run("apply", "--policy", str(policy), "--stack-name", stack_name, "--yes", "--json")
        assert done.exit_code == 0, done.output
        assert answers(world) != before
        assert (tmp_path / "state/ecr-warden/journal.sqlite3").exists() == (stack_name == "none")
        found = json.loads(done.stdout)
        (lifecycle,) = changes("--run", found["run"], "--section", "lifecycle", "--stack-name", stack_name)
        assert lifecycle["before_text"] == theirs["lifecycle"]
        # What it says takes it back does so, as it stands there.
        undone = run(*found["undo"].split()[1:], "--yes")
        assert undone.exit_code == 0, undone.output
        assert answers(world) == before
        found = changes("--run", found["run"], "--stack-name", stack_name)
        assert {one["state"] for one in found} == {"taken back"}


@contextmanager
def applied(open_world):
    with open_world(policy=POLICY) as world:
        world.repository("team/app")
        world.push("latest", "v1")
        assert "changed" in repaired(world)
        yield world


@pytest.fixture
def world(open_world):
    with applied(open_world) as found:
        yield found


def changes(*arguments):
    done = run("history", "--json", *arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["changes"]


@pytest.mark.usefixtures("world")
def test_the_history_shows_what_was_changed_by_what_and_whether_it_was_taken_back():
    found = changes("--run", RUN)
    assert {one["run"] for one in found} == {RUN}
    assert {one["section"] for one in found} == {
        "tags",
        "tag_mutability",
        "lifecycle",
        "scanning",
        "replicate_to",
        "resource_tags",
        "repository_policy",
    }
    assert {one["state"] for one in found} == {"done"}
    assert [one["begun_at"] for one in found] == sorted((one["begun_at"] for one in found), reverse=True)
    assert found == changes() == changes("--since", "7d")
    (lifecycle,) = (one for one in found if one["section"] == "lifecycle")
    assert run("undo", lifecycle["id"], "--yes").exit_code == 0
    (
        undone,
        *_,
    ) = changes("team/app", "--section", "lifecycle")
    assert (undone["undoes"], undone["run"], undone["state"]) == (lifecycle["id"], None, "done")
    (again,) = changes("--run", RUN, "--section", "lifecycle")
    assert (again["state"], again["undo_id"]) == ("taken back", undone["id"])
    assert len(changes("--limit", "2")) == 2
    assert changes("--since", "2999-01-01") == changes("team/none") == changes("--run", "none") == []


@pytest.mark.usefixtures("world")
def test_the_history_fits_a_hundred_columns():
    done = run("history")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    text_ = done.stdout
    assert "    nothing → 3 rules\n" in text_
    assert "    MUTABLE → IMMUTABLE_WITH_EXCLUSION (except cache-*, quarantine-*)\n" in text_
    assert f"    policy.yaml:6, run {RUN}\n" in text_


def test_wrong_times_are_wrong_usage():
    done = run("history", "--since", "yesterday")
    assert (done.exit_code, "neither a date or time" in done.stderr) == (2, True)


@pytest.mark.usefixtures("world")
def test_a_run_that_the_journal_does_not_know_is_an_error():
    done = run("undo", "--run", "none", "--yes")
    assert (done.exit_code, "no changes of a run none" in done.stderr) == (1, True)
