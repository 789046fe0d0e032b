import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from ecr_warden_cli.main import main
from ecr_warden_cli.policy.check import check_policy
from ecr_warden_cli.policy.model import json_schema

ROOT = Path(__file__).parents[2]


def said(text):
    return [str(problem) for problem in check_policy(text, "policy.yaml").problems]


def test_the_policy_that_ships_is_valid_and_its_lines_are_kept():
    checked = check_policy((ROOT / "policy.yaml").read_text(), "policy.yaml")
    assert checked.problems == ()
    assert checked.policy is not None
    line = checked.policy.rules[0].tags.line
    assert (ROOT / "policy.yaml").read_text().splitlines()[line - 1].strip() == "tags:"


def test_the_schema_in_the_repository_is_the_models():
    assert json.loads((ROOT / "policy.schema.json").read_text()) == json_schema()
    jsonschema.validate(yaml.safe_load((ROOT / "policy.yaml").read_text()), json_schema())


def test_every_error_is_told_at_once_each_with_its_place():
    text = """\
version: 1
mode: audt
rules:
  - match: ["prod**"]
    tgas: {deny: [latest]}
    tags: {deny: ["re:("]}
exceptions:
  - {repository: "**", tag: x, reason: y}
"""
    problems = said(text)
    assert [problem.split(": ")[0] for problem in problems] == [
        "policy.yaml:2:1",
        "policy.yaml:4:13",
        "policy.yaml:5:5",
        "policy.yaml:6:19",
        "policy.yaml:8:5",
    ]
    assert "did you mean tags?" in problems[2]
    assert "every exception ends" in problems[4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("version: 1\nrules: [", "not YAML"),
        ("version: 1\nrules: 7\n", "rules: input should be a valid list"),
        ("- 1\n", "the policy"),
        ("version: 2\n", "version"),
        ("version: 1\nversion: 1\n", "version is there twice"),
        ("version: 1\nmode: !!python/none x\n", "not plain YAML"),
        ("version: 1\nmode: \x00\n", "not YAML"),
        ("version: 1\nmode: 2026-99-99\n", "cannot be read"),
        (
            "version: 1\nrules:\n  - match: ['**']\n    lifecycle: {keep_last: 1}\n",
            "not supported by this version",
        ),
        ("version: 1\nrules:\n  - match: ['**']\n    tags: {}\n", "neither allow nor deny"),
        (
            "version: 1\nrules:\n  - match: ['**']\n    tags: {deny: [a], sevrity: low}\n",
            "did you mean severity?",
        ),
        ("version: 1\nzzz: 1\n", "known here: version"),
        (
            "version: 1\nexceptions: [{repository: a, vulnerability: CVE-1, until: 2026-12-31, reason: b}]\n",
            "name a tag",
        ),
        ("version: 1\nchannels: {a: {type: slack, secrt: x}}\n", "did you mean secret?"),
        ("version: 1\nchannels: {a: {type: carrier-pigeon}}\n", "carrier-pigeon"),
        ("version: 1\nroutes: [{to: [op]}]\nchannels: {ops: {type: sns}}\n", "did you mean ops?"),
        ("version: 1\nroutes: [{to: [op]}]\n", "add it under channels"),
        ("a: &a [*a]\n", "not a known key"),
    ],
)
def test_what_is_wrong_is_refused_with_its_reason(text, message):
    checked = check_policy(text, "policy.yaml")
    assert checked.policy is None
    assert message in "\n".join(map(str, checked.problems))


def test_a_channel_that_no_route_names_is_a_warning():
    checked = check_policy("version: 1\nchannels: {ops: {type: slack, secret: x}}\n", "p")
    assert checked.policy is not None
    assert [problem.severity for problem in checked.problems] == ["warning"]


@pytest.fixture
def run(tmp_path):
    def run_command(command, *arguments, policy="version: 1\n"):
        path = tmp_path / "policy.yaml"
        path.write_bytes(policy if isinstance(policy, bytes) else policy.encode())
        where = [str(path)] if command == "check" else ["--policy", str(path)]
        return CliRunner().invoke(main, [command, *arguments, *where])

    return run_command


def test_check_exits_with_0_1_or_2(run):
    assert run("check").exit_code == 0
    assert run("check", policy="version: 2\n").exit_code == 1
    assert run("check", policy=b"\xff").exit_code == 1
    assert CliRunner().invoke(main, ["check", "no-such-file"]).exit_code == 2


def test_check_prints_json_alone(run):
    found = json.loads(run("check", "--json", policy="version: 2\n").stdout)
    assert found["valid"] is False
    assert found["problems"][0]["line"] == 1


POLICY = """\
version: 1
rules:
  - match: ["free/**"]
  - match: ["prod/**"]
    tags: {deny: [latest]}
"""


def test_explain_names_the_rule_those_passed_over_and_whether_a_tag_passes(run):
    said = run("explain", "prod/app:latest", policy=POLICY).stdout
    assert "passed over" in said
    assert ":5 ['prod/**'] decides, in audit mode" in said
    assert "latest would not pass: the tag latest is denied by latest" in said
    assert "v1 would pass" in run("explain", "prod/app:v1", policy=POLICY).stdout
    assert "no rule decides for dev/app" in run("explain", "dev/app", policy=POLICY).stdout


def test_explain_prints_json_alone(run):
    found = json.loads(run("explain", "--json", "prod/app:latest", policy=POLICY).stdout)
    assert found["rule"]["line"] == 5
    assert found["problem"]


def test_explain_refuses_a_policy_that_does_not_hold(run):
    result = run("explain", "a", policy="version: 2\n")
    assert result.exit_code == 1
    assert "version" in result.stderr
