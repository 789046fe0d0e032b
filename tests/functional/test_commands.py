"""The commands, as people run them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner
from moto.server import ThreadedMotoServer

from ecr_warden_cli.commands.local import _say_ready
from ecr_warden_cli.main import main

ROOT = Path(__file__).parents[2]
EVENTS = sorted((ROOT / "events").glob("*.json"))
COMMAND = Path(sys.executable).parent / "ecr-warden"
KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "us-west-2"}
POLICY = """\
version: 1
mode: enforce
rules:
  - match: ["**"]
    tags: {allow: [semver], deny: [latest], on_violation: quarantine}
channels:
  ops: {type: sns}
routes:
  - {to: [ops]}
"""


def ecr_at(url):
    return boto3.client(
        "ecr",
        endpoint_url=url,
        region_name="us-west-2",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def replay(policy):
    def run(*paths, arguments=("--json",), env=None):
        done = CliRunner().invoke(
            main, ["replay", *map(str, paths), "--policy", str(policy), *arguments], env=env
        )
        if "--json" not in arguments:
            return done
        return done, [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def event_file(tmp_path, sample):
    def write(name, **detail):
        event = sample("ecr_image_action_push")
        event["detail"] |= {key.replace("_", "-"): value for key, value in detail.items()}
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(event))
        return path

    return write


def test_every_sample_is_replayed_to_the_function_that_it_is_for_and_none_fails(replay):
    done, results = replay(*EVENTS)
    assert done.exit_code == 0, done.output
    for path, result in zip(EVENTS, results, strict=True):
        wanted = []
        if result["detail_type"] in {"ECR Image Action", "ECR Referrer Action"}:
            wanted = ["ImageActionFunction"]
        elif "CreateRepository" in path.name and "failed" not in path.name:
            wanted = ["RepositoryCreatedFunction"]
        elif re.match(r"ecr_image_scan|inspector2_(scan|finding|coverage_ecr)", path.name):
            wanted = ["ImageScanFunction"]
        elif re.search(r"_action_failed|switched_off|PolicyExecutionEvent", path.name):
            wanted = ["RegistryEventFunction"]
        elif "ecr_warden_outcome" in path.name or ("PutImage" in path.name and "failed" not in path.name):
            # Outcomes are told, and who pushed is remembered for the messages.
            wanted = ["NotifyFunction"]
        assert result["functions"] == wanted, path.name
        assert result["error"] is None
        assert result["event_id"] == json.loads(path.read_text())["id"]


GATE = "    scan_gate: {max: {critical: 0}, on_failure: quarantine}\n"


@pytest.fixture
def gated(policy):
    policy.write_text(POLICY.replace("channels:", f"{GATE}channels:"))


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (["ecr_image_scan_complete"], ["image_vulnerable"]),
        (["ecr_image_scan_clean"], []),
        (["ecr_image_scan_failed"], ["scan_failed"]),
        (["inspector2_scan_critical"], ["image_vulnerable"]),
        (["inspector2_finding_ecr_2021", "inspector2_finding_ecr_2021"], ["image_vulnerable"]),
        (["inspector2_finding_ecr"], []),
        (["inspector2_coverage_ecr_unsupported"], ["image_not_scanned"]),
        (["ecr_scan_resource_change_switched_off"], ["image_not_scanned", "image_not_scanned"]),
        (["ecr_replication_action_failed"], ["replication_failed"]),
        (["ecr_pull_through_cache_action_failed"], ["pull_through_cache_failed"]),
        (["eventbridge_cloudtrail_PolicyExecutionEvent"], ["lifecycle_ran"]),
    ],
    ids=str,
)
@pytest.mark.usefixtures("gated")
def test_each_kind_of_event_about_scans_and_the_registry_is_told(replay, names, kinds):
    done, results = replay(*(ROOT / f"events/{name}.json" for name in names))
    assert done.exit_code == 0, done.output
    told = [message for result in results for message in result["messages"]]
    assert len(told) == len(kinds)
    assert [outcome["kind"] for result in results for outcome in result["outcomes"]] == kinds


@pytest.mark.usefixtures("gated")
def test_a_scan_that_fails_its_gate_shows_findings_and_the_image_that_was_archived(replay):
    _, (result,) = replay(ROOT / "events/ecr_image_scan_complete.json")
    (outcome,) = result["outcomes"]
    assert outcome["findings"]["counts"] == {"critical": 10, "medium": 9}
    assert outcome["findings"]["allowed"] == {"critical": 0}
    (change,) = result["changes"]
    assert change["section"] == "scan_gate"
    assert (change["before"]["storage_class"], change["after"]["storage_class"]) == ("STANDARD", "ARCHIVE")


@pytest.mark.usefixtures("gated")
def test_an_image_that_passes_again_is_told_so(replay, tmp_path, sample):
    policy = Path(tmp_path / "policy.yaml")
    policy.write_text(policy.read_text().replace("quarantine}\nchannels", "notify}\nchannels"))
    clean = sample("ecr_image_scan_complete")
    clean |= {"id": "a later scan", "time": "2019-11-29T02:36:48Z"}
    clean["detail"]["finding-severity-counts"] = {}
    (tmp_path / "clean.json").write_text(json.dumps(clean))
    _, results = replay(ROOT / "events/ecr_image_scan_complete.json", tmp_path / "clean.json")
    kinds = [outcome["kind"] for result in results for outcome in result["outcomes"]]
    assert kinds == ["image_vulnerable", "image_recovered"]


def test_a_denied_push_shows_its_outcome_change_and_message(replay):
    done, (result,) = replay(ROOT / "events/ecr_image_action_push.json")
    assert done.exit_code == 0
    assert list(result) == [
        "event_id",
        "detail_type",
        "functions",
        "decisions",
        "outcomes",
        "changes",
        "messages",
        "error",
    ]
    (change,) = result["changes"]
    assert set(change) == {"id", "repository", "section", "before", "after"}
    (message,) = result["messages"]
    assert set(message) == {"channel", "type", "text", "payload"}
    assert (message["channel"], message["type"]) == ("ops", "sns")


def test_what_is_no_event_is_an_error_of_its_own_and_the_others_are_replayed(replay, tmp_path, event_file):
    broken = {"broken": "{", "list": "[]", "empty": "{}"}
    paths = []
    for name, text in broken.items():
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(text)
    done, results = replay(*paths, event_file("malformed", repository_name=7), event_file("good"))
    assert done.exit_code == 1
    assert [result["error"] and result["error"]["type"] for result in results] == [
        "MalformedEventError"
    ] * 4 + [None]
    assert "not JSON" in results[0]["error"]["message"]
    assert "account" in results[2]["error"]["message"]
    assert "detail.repository-name" in results[3]["error"]["message"]
    assert len(results[4]["messages"]) == 1


def test_a_missing_event_file_is_wrong_usage(replay):
    done, _ = replay("no-such-file.json")
    assert done.exit_code == 2


def test_people_see_the_rule_the_decision_the_change_and_the_message(replay, event_file):
    done = replay(event_file("denied"), event_file("allowed", image_tag="v1.0.0"), arguments=())
    assert done.exit_code == 0
    text = " ".join(done.stdout.split())
    assert re.search(r"rule \S*policy.yaml:5 match \*\*, enforce mode", text)
    assert "The tag latest is denied by the pattern latest." in text
    assert "latest (sha256:7f5b2640fe6f) → quarantine-7f5b2640fe6f-latest" in text
    assert "Subject: [MEDIUM] Tag quarantined: my-repository-name:latest" in text
    assert re.search(r"nothing to do: the tag v1.0.0 keeps \S*policy.yaml:5", text)


def test_people_see_what_failed_and_what_no_function_is_for(replay, event_file):
    scan = ROOT / "events/inspector2_coverage_ec2.json"
    done = replay(event_file("malformed", result=None), scan, arguments=())
    assert done.exit_code == 1
    assert "failed    MalformedEventError: detail.result" in done.stdout
    assert "no function: no rule of the template takes it" in done.stdout


def test_a_tag_that_two_pushes_gave_in_turn_is_taken_from_both_images(replay, event_file):
    first, second = (
        event_file("1", image_digest="sha256:" + "a" * 64),
        event_file("2", image_digest="sha256:" + "b" * 64),
    )
    _, results = replay(first, second)
    kept = [result["changes"][0]["after"]["image_tag"] for result in results]
    assert kept == ["quarantine-aaaaaaaaaaaa-latest", "quarantine-bbbbbbbbbbbb-latest"]


def test_no_line_about_a_decision_ends_with_blanks(replay, event_file):
    done = replay(event_file("denied"), event_file("allowed", image_tag="v1.0.0"), arguments=())
    # What is in a box is filled up.
    lines = [line for line in done.stdout.splitlines() if not re.search("[╭│╰]", line)]
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", "eu-central-1"])
def test_local_names_a_sample_of_its_own_region_that_is_told_in_any_case(replay, capsys, region):
    _say_ready("http://127.0.0.1:4566", "123456789012", region, as_json=False)
    (name,) = re.findall(r"\.venv/bin/ecr-warden replay --aws (events/\S+)", capsys.readouterr().out)
    assert json.loads((ROOT / name).read_text())["region"] == region
    _, (result,) = replay(ROOT / name)
    assert len(result["messages"]) == 1


@pytest.mark.parametrize(("account", "region"), [("123456789012", "eu-west-3"), ("1" * 12, "us-east-1")])
def test_local_names_no_sample_where_none_is_of_its_account_and_region(capsys, account, region):
    _say_ready("http://127.0.0.1:4566", account, region, as_json=False)
    said = capsys.readouterr().out
    assert "replay" not in said
    assert "\n\nWhat the functions do" in said


def test_local_says_that_its_port_is_taken(policy):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(main, ["local", "--policy", str(policy), "--port", str(port)])
    assert done.exit_code == 1
    assert "try --port 0" in done.stderr


def test_one_events_trouble_of_any_kind_keeps_no_other_from_its_replay(replay, tmp_path, event_file, sample):
    paths = [event_file("upper", repository_name="UPPER/../x")]
    for name, value in {"region": "mars-1", "account": "nobody"}.items():
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(sample("ecr_image_action_push") | {name: value}))
    done, results = replay(*paths, event_file("good"))
    assert done.exit_code == 1
    assert [bool(result["error"]) for result in results] == [True, True, True, False]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Be in a folder of one's own: the demo writes its report there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_demo_shows_all_its_steps_going_as_they_should(folder):
    done = CliRunner().invoke(main, ["demo", "--json"])
    assert done.exit_code == 0
    shown = json.loads(done.stdout)
    assert shown["ok"] is True
    assert len(shown["steps"]) == 30
    assert Path(shown["report"]) == folder / ".build/demo/report.html"
    assert "<html" in Path(shown["report"]).read_text(encoding="utf-8")
    assert all(step["problems"] == [] for step in shown["steps"])
    swept = ["SweepPlacesFunction", "SweepListFunction", "SweepBatchFunction", "SweepFinishFunction"]
    assert [step["functions"] for step in shown["steps"]].count(swept) == 2
    assert [path.name for path in folder.iterdir()] == [".build"]


@pytest.mark.usefixtures("folder")
def test_the_demo_for_people_ends_with_a_summary(capfd):
    done = CliRunner().invoke(main, ["demo"])
    assert done.exit_code == 0
    # What an interpreter in another thread writes goes past click's runner.
    assert capfd.readouterr().err + done.stderr.strip() == ""
    swept = dict(re.findall(r"^(\w[\w ]+?) +│ +(\d+ │ +\d+)$", done.stdout, re.MULTILINE))
    assert swept["repaired"].split() == ["0", "│", "90"]
    assert "report.html" in done.stdout
    assert done.stdout.rstrip().endswith("30 of 30 steps went as they should.")


@pytest.mark.usefixtures("folder")
def test_a_demo_that_goes_wrong_says_where_and_fails(monkeypatch):
    monkeypatch.setattr("ecr_warden_cli.demo.pushes.nothing", lambda _: iter(["somebody was told"]))
    done = CliRunner().invoke(main, ["demo"])
    assert done.exit_code == 1
    assert "no: somebody was told" in " ".join(done.stdout.split())
    assert "27 of 30 steps" in done.stdout


@contextmanager
def running_local(policy, *arguments, stop=signal.SIGINT):
    command = [
        COMMAND,
        "local",
        "--json",
        "--port",
        "0",
        "--policy",
        policy,
        "--region",
        "us-west-2",
        *arguments,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.send_signal(stop)
            try:
                process.wait(30)
            finally:
                process.kill()


def test_local_reacts_to_what_the_aws_command_does(policy):
    with running_local(policy) as (process, ready):
        ecr = ecr_at(ready["endpoint_url"])
        ecr.create_repository(repositoryName="prod/api")
        manifest = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}'
        ecr.put_image(repositoryName="prod/api", imageManifest=manifest, imageTag="latest")
        caused = json.loads(process.stdout.readline())
        assert [outcome["changed"] for outcome in caused["outcomes"]] == [True]
        assert [message["channel"] for message in caused["messages"]] == ["ops"]
        (image,) = ecr.describe_images(repositoryName="prod/api")["imageDetails"]
        assert image["imageTags"][0].startswith("quarantine-")
    assert process.returncode == 0


def test_replay_on_an_account_with_a_stack_acts_there_and_tells_through_its_channels_once(replay, policy):
    event = ROOT / "events/ecr_image_action_push.json"
    with running_local(policy, "--no-react", "--seed", event, stop=signal.SIGTERM) as (_, ready):
        env = KEYS | {"AWS_ENDPOINT_URL": ready["endpoint_url"]}
        done, (first,) = replay(event, arguments=("--aws", "--json"), env=env)
        assert done.exit_code == 0, done.output
        assert first["outcomes"][0]["changed"] is True
        assert len(first["changes"]) == 1
        assert [message["type"] for message in first["messages"]] == ["sns"]
        (outcome,) = first["outcomes"]
        decision = {"decision": "Violation", "reason": outcome["reason"], "outcome_id": outcome["id"]}
        assert first["decisions"] == [decision]
        _, (second,) = replay(event, arguments=("--aws", "--json"), env=env)
        assert second["outcomes"] == first["outcomes"]
        assert (second["changes"], second["messages"]) == ([], [])


def test_an_outcome_is_replayed_on_an_account_and_names_who_pushed(replay, policy, tmp_path):
    """A dead letter of NotifyFunction's, and CloudTrail's event of the push."""
    outcome = json.loads((ROOT / "events/ecr_warden_outcome_tag_violation.json").read_text())
    push = json.loads((ROOT / "events/eventbridge_cloudtrail_PutImage_github_actions.json").read_text())
    image = push["detail"]["responseElements"]["image"]
    outcome["detail"] |= {
        "region": "us-west-2",
        "repository": image["repositoryName"],
        "image_digest": image["imageId"]["imageDigest"],
        "image_tag": image["imageId"]["imageTag"],
    }
    push["region"] = "us-west-2"
    paths = [tmp_path / "push.json", tmp_path / "outcome.json"]
    for path, event in zip(paths, (push, outcome), strict=True):
        path.write_text(json.dumps(event))
    with running_local(policy, "--no-react", stop=signal.SIGTERM) as (_, ready):
        env = KEYS | {"AWS_ENDPOINT_URL": ready["endpoint_url"]}
        done, (pushed, told) = replay(*paths, arguments=("--aws", "--json"), env=env)
        assert done.exit_code == 0, done.output
        assert pushed["functions"] == told["functions"] == ["NotifyFunction"]
        assert [each["decision"] for each in pushed["decisions"]] == ["Recorded"]
        (message,) = told["messages"]
        assert "Pushed by: deploy/GitHubActions (GitHub Actions)" in message["text"]
        _, (again,) = replay(paths[1], arguments=("--aws", "--json"), env=env)
        assert again["messages"] == []


@pytest.fixture
def account():
    """An account in which nothing of the product is deployed, as plain moto has it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield KEYS | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    server.stop()


def test_replay_on_an_account_without_a_stack_keeps_a_journal_here_and_tells_nobody(
    replay, account, tmp_path, event_file
):
    env = account | {"XDG_STATE_HOME": str(tmp_path)}
    ecr = ecr_at(env["AWS_ENDPOINT_URL"])
    ecr.create_repository(repositoryName="my-repository-name")
    manifest = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}'
    pushed = ecr.put_image(repositoryName="my-repository-name", imageManifest=manifest, imageTag="latest")
    digest = pushed["image"]["imageId"]["imageDigest"]
    event = event_file("denied", image_digest=digest)
    done, (first,) = replay(event, arguments=("--aws", "--json"), env=env)
    assert done.exit_code == 0, done.output
    assert "nobody is told" in done.stderr
    assert first["messages"] == []
    assert len(first["changes"]) == 1
    (image,) = ecr.describe_images(repositoryName="my-repository-name")["imageDetails"]
    assert image["imageTags"] == [first["changes"][0]["after"]["image_tag"]]
    _, (second,) = replay(event, arguments=("--aws", "--json"), env=env)
    assert second["changes"] == []
    assert second["outcomes"] == first["outcomes"]
    assert (tmp_path / "ecr-warden/journal.sqlite3").exists()


SETTINGS = """\
version: 1
mode: enforce
rules:
  - {match: ["**"], tag_mutability: {immutable: true}, replicate_to: [eu-west-1]}
channels: {ops: {type: sns}}
routes: [{to: [ops]}]
"""


def test_a_new_repository_is_replayed_on_an_account_with_a_stack(replay, tmp_path):
    event = ROOT / "events/eventbridge_cloudtrail_CreateRepository.json"
    policy = tmp_path / "policy.yaml"
    policy.write_text(SETTINGS)
    path = tmp_path / "event.json"
    path.write_text(json.dumps(json.loads(event.read_text()) | {"region": "us-west-2"}))
    with running_local(policy, "--no-react", "--seed", event, stop=signal.SIGTERM) as (_, ready):
        env = KEYS | {"AWS_ENDPOINT_URL": ready["endpoint_url"]}
        arguments = ("--aws", "--json", "--policy", policy)
        done, (first,) = replay(path, arguments=arguments, env=env)
        assert done.exit_code == 0, done.output
        assert first["functions"] == ["RepositoryCreatedFunction"]
        assert sorted(change["section"] for change in first["changes"]) == ["replicate_to", "tag_mutability"]
        assert [message["type"] for message in first["messages"]] == ["sns"]
        (decision,) = first["decisions"]
        assert decision["outcome_id"] == first["outcomes"][0]["id"]
        ecr = ecr_at(ready["endpoint_url"])
        assert len(ecr.describe_registry()["replicationConfiguration"]["rules"]) == 1
        _, (second,) = replay(path, arguments=arguments, env=env)
        assert (second["changes"], second["messages"]) == ([], [])
        assert second["outcomes"][0]["id"] == first["outcomes"][0]["id"]


def test_a_new_repository_is_replayed_on_an_account_without_a_stack(replay, account, tmp_path):
    env = account | {"XDG_STATE_HOME": str(tmp_path)}
    policy = tmp_path / "policy.yaml"
    policy.write_text(SETTINGS)
    event = json.loads((ROOT / "events/eventbridge_cloudtrail_CreateRepository.json").read_text())
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event | {"region": "us-west-2"}))
    ecr = ecr_at(env["AWS_ENDPOINT_URL"])
    ecr.create_repository(repositoryName="testrepo")
    _, (first,) = replay(path, arguments=("--aws", "--json", "--policy", policy), env=env)
    assert sorted(change["section"] for change in first["changes"]) == ["replicate_to", "tag_mutability"]
    (found,) = ecr.describe_repositories(repositoryNames=["testrepo"])["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"


@pytest.mark.usefixtures("gated")
def test_replay_on_an_account_shows_what_was_decided_also_where_nothing_is_told(replay, account, tmp_path):
    names = ["ecr_image_scan_complete", "ecr_replication_action_failed"]
    paths = [ROOT / f"events/{name}.json" for name in names]
    env = account | {"XDG_STATE_HOME": str(tmp_path)}
    done, results = replay(*paths, arguments=("--aws", "--json"), env=env)
    assert done.exit_code == 0, done.output
    scan, replication = (result["decisions"] for result in results)
    # The repository is not there.
    assert [(each["decision"], each["outcome_id"]) for each in scan] == [("Gone", None)]
    (told,) = results[1]["outcomes"]
    assert [(each["decision"], each["outcome_id"]) for each in replication] == [("failed", told["id"])]
    shown = replay(paths[0], arguments=("--aws",), env=env)
    assert "nothing to do: nothing is left to judge" in " ".join(shown.stdout.split())


def test_an_event_of_another_account_is_refused_before_anything_is_done(replay, account, tmp_path, sample):
    path = tmp_path / "foreign.json"
    path.write_text(json.dumps(sample("ecr_image_action_push") | {"account": "999999999999"}))
    done, (result,) = replay(path, arguments=("--aws", "--json"), env=account)
    assert done.exit_code == 1
    assert result["error"]["type"] == "WrongAccountError"
    assert (result["outcomes"], result["changes"]) == ([], [])


def test_an_account_that_cannot_be_reached_is_an_error_of_the_event(replay):
    env = KEYS | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    done, (result,) = replay(
        ROOT / "events/ecr_image_action_push.json", arguments=("--aws", "--json"), env=env
    )
    assert done.exit_code == 1
    assert result["error"]["type"] == "AwsError"


def test_a_compliant_push_loads_no_sdk_and_opens_no_socket(policy, tmp_path, sample):
    """In a process of its own, as in a new Lambda container."""
    event = sample("ecr_image_action_push")
    event["detail"]["image-tag"] = "v1.2.3"
    (tmp_path / "event.json").write_text(json.dumps(event))
    compiled = tmp_path / "policy.json"
    subprocess.run(
        [sys.executable, "-m", "ecr_warden_cli.policy.compile", policy, compiled], check=True, cwd=ROOT
    )
    code = """
import json, socket, sys
def refuse(*_, **__):
    raise AssertionError("a socket was opened")
socket.socket.connect = refuse
sys.path.insert(0, "functions/image_action")
import app
print(json.dumps(app.handler(json.load(open(sys.argv[1])), None)["decision"]))
loaded = {"boto3", "botocore", "slack_sdk", "urllib3", "aws_lambda_powertools", "pydantic"} & set(sys.modules)
# A push has nothing to do with repositories' settings.
loaded |= {name for name in sys.modules if name.startswith("ecr_warden.domain.settings")}
sys.exit(f"loaded: {loaded}" if loaded else 0)
"""
    variables = {
        "ECR_WARDEN_POLICY_PATH": str(compiled),
        "ECR_WARDEN_METRICS_NAMESPACE": "x",
        "ECR_WARDEN_OUTCOME_BUS_NAME": "x",
        "ECR_WARDEN_JOURNAL_TABLE_NAME": "x",
        "ECR_WARDEN_ACCOUNT_ID": "123456789012",
        "AWS_REGION": "us-east-1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "event.json")],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == '"Allowed"'


def test_a_policy_is_compiled_or_refused_with_the_words_of_check(policy, tmp_path):
    compile_policy = [sys.executable, "-m", "ecr_warden_cli.policy.compile"]
    policy.write_text("version: 1\nrulse: []\n")
    done = subprocess.run(
        [*compile_policy, policy, tmp_path / "out.json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert ":2:1: error: rulse is not a known key: did you mean rules?" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.json").exists()
