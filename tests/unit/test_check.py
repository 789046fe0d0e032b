import json
from datetime import date
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from ecr_warden_cli.commands.common import read_policy
from ecr_warden_cli.main import main
from ecr_warden_cli.policy.check import check_policy
from ecr_warden_cli.policy.model import json_schema

ROOT = Path(__file__).parents[2]


# Each line has six times what the line before has.
ALIASES = "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 6)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


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
        ("version: !!int abc\n", "cannot be read"),
        ("version: true\n", "policy.yaml:1:1: error: version: expected 1, got True"),
        ("version: 1.0\n", "version: expected 1, got 1.0"),
        ("[" * 5000, "nested too deeply"),
        ('version: 1\nmode: "\\uD800"\n', "policy.yaml:2:7: error: not plain YAML: half a surrogate pair"),
        ("a: &a [1, 1, 1, 1, 1, 1]\n" + ALIASES, "more than 20000 parts once its aliases are followed"),
        (
            "version: 1\nexceptions: [{repository: a, tag: b, until: 2026-02-30, reason: c}]\n",
            "policy.yaml:2:38: error: until",
        ),
        (
            "version: 1\nexceptions: [{repository: a, tag: b, until: 86400, reason: c}]\n",
            "expected a date such as 2026-12-31",
        ),
        (
            "version: 1\nchannels:\n  slack: {type: slack, secrt: x}\n",
            "policy.yaml:3:24: error: secrt is not a known key",
        ),
        ("version: 1\nrules:\n  - match: ['**']\n    tags: {}\n", "neither allow nor deny"),
        (
            "version: 1\nrules:\n  - match: ['**']\n    tags: {deny: [a], sevrity: low}\n",
            "did you mean severity?",
        ),
        ("version: 1\nzzz: 1\n", "known here: version"),
        (
            "version: 1\nexceptions: [{repository: a, tag: b, until: '86400', reason: c}]\n",
            "expected a date such as 2026-12-31, got '86400'",
        ),
        ("version: 1\nchannels: {a: {type: slack, secrt: x}}\n", "did you mean secret?"),
        (
            "version: 1\nchannels: {a: {type: carrier-pigeon}}\n",
            "a: no channel is of this type: give one of 'slack', 'sns'",
        ),
        ("version: 1\nchannels: {a: {secret: x}}\n", "a has no type: give one of 'slack', 'sns'"),
        ("version: 1\nroutes: [{to: [op]}]\nchannels: {ops: {type: sns}}\n", "did you mean ops?"),
        ("version: 1\nroutes: [{to: [op]}]\n", "add it under channels"),
        ("a: &a [*a]\n", "not a known key"),
        ("? [a]\n: 1\n", "not plain YAML: found unhashable key"),
        ("version: 1\nroutes: 7\n", "routes: input should be a valid list"),
        ("version: 1\nmode: [audit]\n", "mode: input should be 'audit' or 'enforce', got a list"),
        ("version: 1\nmode: off\n", "got false, as which YAML takes off and no too"),
        ("version: 1\nchannels: 7\n", "channels: input should be a valid dictionary, got a number"),
        ("version: 1\nroutes: null\n", "routes is empty: remove it, or give it entries"),
        (
            "version: 1\nroutes: [{outcomes: [nothing], to: [a]}]\n",
            "policy.yaml:2:22: error: outcomes: input should be 'tag_violation'",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_reason(text, message):
    checked = check_policy(text, "policy.yaml")
    assert checked.policy is None
    assert message in "\n".join(map(str, checked.problems))


def test_a_secret_that_the_stack_cannot_read_or_that_two_channels_share_is_a_warning():
    text = """\
version: 1
channels:
  one: {type: slack, secret: slack/team}
  two: {type: slack, secret: slack/team}
routes: [{to: [one, two]}]
"""
    checked = check_policy(text, "p.yaml")
    assert checked.policy is not None
    assert [str(problem).split(":")[1:3] for problem in checked.problems] == [
        ["3", "22"],
        ["4", "22"],
        ["4", "22"],
    ]
    said = "\n".join(map(str, checked.problems))
    assert "begin with ecr-warden/" in said
    assert "the channel one has the same secret" in said
    assert {problem.severity for problem in checked.problems} == {"warning"}


def test_a_channel_that_no_route_names_is_a_warning():
    checked = check_policy("version: 1\nchannels: {ops: {type: slack, secret: ecr-warden/x}}\n", "p")
    assert checked.policy is not None
    assert [problem.severity for problem in checked.problems] == ["warning"]


def test_an_unreachable_rule_is_an_error_that_names_the_rules_that_decide_and_what_to_do():
    text = """\
version: 1
rules:
  - match: ["prod/a*"]
    tags: {deny: [latest]}
  - match: ["prod/[!a]*"]
    tags: {deny: [latest]}
  - match: ["prod/*"]
    tags: {deny: [latest]}
  - match: ["prod/api"]
    tags: {deny: [test]}
  - match: ["dev"]
    except: ["*"]
    tags: {deny: [test]}
"""
    assert check_policy(text, "policy.yaml").policy is None
    several, one, none = said(text)
    assert several == (
        "policy.yaml:8:5: error: tags is unreachable: the rules of lines 3 and 5 decide for all that this "
        "rule matches; move this rule above line 3, or remove it"
    )
    assert one == (
        "policy.yaml:10:5: error: tags is unreachable: the rule of line 3 decides for all that this "
        "rule matches; move this rule above line 3, or remove it"
    )
    assert none == (
        "policy.yaml:13:5: error: tags is unreachable: no repository's name matches this rule that its "
        "except does not take out; make match wider or except narrower, or remove the rule"
    )


def test_an_unreachable_rule_on_the_line_of_its_equal_has_its_own_place():
    rule = "{match: [a], tags: {deny: [x]}}"
    (problem,) = said(f"version: 1\nrules: [{rule}, {rule}]\n")
    assert problem.startswith("policy.yaml:2:55: error: tags is unreachable")


def test_a_rule_without_a_section_is_a_warning_for_it_shields_nothing():
    text = "version: 1\nrules:\n  - match: ['**']\n  - match: [a]\n    tags: {deny: [x]}\n"
    assert check_policy(text, "policy.yaml").policy is not None
    (problem,) = said(text)
    assert problem.startswith("policy.yaml:3:5: warning: the rule has no section, so it does nothing")


@pytest.mark.parametrize(("today", "is_over"), [(date(2026, 3, 1), False), (date(2026, 3, 2), True)])
def test_an_exception_that_is_over_is_a_warning(today, is_over):
    text = "version: 1\nexceptions:\n  - {repository: a, tag: b, until: 2026-03-01, reason: c}\n"
    checked = check_policy(text, "policy.yaml", today=today)
    assert checked.policy is not None
    assert [str(problem) for problem in checked.problems] == [
        "policy.yaml:3:29: warning: the exception ended on 2026-03-01: remove it, or give it a later end"
    ] * is_over


def test_without_a_day_exceptions_are_over_by_todays():
    text = "version: 1\nexceptions: [{repository: a, tag: b, until: %s, reason: c}]\n"
    assert said(text % "9999-12-31") == []
    assert len(said(text % "2020-01-01")) == 1


def test_what_is_wrong_between_sound_entries_is_told_with_what_is_wrong_in_others():
    text = """\
version: 1
rules:
  - match: ["**"]
    tags: {deny: [latest]}
  - match: [a]
    tgas: {}
  - match: [b]
    tags: {deny: [latest]}
channels: {ops: {type: pigeon}, dev: {type: sns}}
routes:
  - {to: [ops, devs]}
  - {too: [dev]}
"""
    problems = said(text)
    assert [problem.split(": ")[0] for problem in problems] == [
        "policy.yaml:6:5",
        "policy.yaml:8:5",
        "policy.yaml:9:12",
        "policy.yaml:11:16",
        "policy.yaml:12:5",
        "policy.yaml:12:6",
    ]
    assert "unreachable" in problems[1]
    assert "did you mean dev?" in problems[3]
    # Whether no route names dev is open while a route has an error.
    assert not any("no route names" in problem for problem in problems)


def test_channels_that_are_no_mapping_are_one_error_not_one_for_each_route_too():
    assert said("version: 1\nchannels: [ops]\nroutes: [{to: [ops]}]\n") == [
        "policy.yaml:2:1: error: channels: input should be a valid dictionary, got a list"
    ]


@pytest.fixture
def run(tmp_path):
    def run_check(*arguments, policy="version: 1\n"):
        path = tmp_path / "policy.yaml"
        path.write_bytes(policy if isinstance(policy, bytes) else policy.encode())
        return CliRunner().invoke(main, ["check", *arguments, str(path)])

    return run_check


def test_check_exits_with_0_1_or_2(run):
    assert run().exit_code == 0
    assert run(policy="version: 2\n").exit_code == 1
    assert run(policy=b"\xff").exit_code == 1
    assert CliRunner().invoke(main, ["check", "no-such-file"]).exit_code == 2


def test_check_prints_json_alone(run):
    found = json.loads(run("--json", policy="version: 2\n").stdout)
    assert found["valid"] is False
    assert found["problems"][0]["line"] == 1


def test_a_policy_may_be_given_another_name_than_its_path(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("version: 1\n")
    assert read_policy(path).file == str(path)
    assert read_policy(path, name="mine.yaml").file == "mine.yaml"
