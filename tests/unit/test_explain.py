"""Explain says what a real push of the tag would come to, and why."""

import json
from datetime import UTC, date, datetime

import pytest
from click.testing import CliRunner

from ecr_warden.domain.artifacts import Artifact
from ecr_warden.domain.policy import Policy, Rule, TagException, TagRules
from ecr_warden_cli.explanation import explain_push
from ecr_warden_cli.main import main

POLICY = """\
version: 1
rules:
  - match: ["free/**"]
  - match: ["charts/**"]
    mode: enforce
    tags: {deny: ["*-dev"], artifacts: [helm-chart], on_violation: delete}
  - match: ["prod/**", "charts/**"]
    except: ["prod/old"]
    tags: {allow: [semver], deny: [latest], on_violation: quarantine, severity: high}
  - match: ["live/**"]
    mode: enforce
    tags: {deny: [latest], on_violation: quarantine}
  - match: ["told/**"]
    mode: enforce
    tags: {deny: [latest]}
exceptions:
  - {repository: "prod/*", tag: "la*", until: 2000-01-31, reason: moved slowly}
  - {repository: "prod/moving", tag: latest, until: 9999-12-31, reason: still moving}
"""
SIGNATURE = "sha256-" + "ab" * 32 + ".sig"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run_explain(*arguments, policy=POLICY):
        (tmp_path / "policy.yaml").write_text(policy)
        return CliRunner().invoke(main, ["explain", *arguments])

    return run_explain


def test_a_denied_tag_does_not_pass_and_all_of_why_is_said(run):
    result = run("prod/app:latest")
    assert result.exit_code == 1
    verdict, *rest = result.stdout.splitlines()
    assert verdict.startswith("DOES NOT PASS  prod/app:latest (image): the tag latest is denied by ")
    assert rest == [
        "  what happens: people are told, and nothing is changed (audit mode; in enforce mode: quarantine)",
        "  unless the repository's resource tag ecr-warden:exempt has tags or all; it is not looked up here",
        "",
        "tags: policy.yaml:9 prod/**, charts/** decides, in audit mode",
        "  allow: semver",
        "  deny: latest",
        "  on_violation: quarantine",
        "  artifacts: image",
        "  severity: high",
        "  passed over: policy.yaml:3 free/**: its match has no glob for prod/app",
        "  passed over: policy.yaml:4 charts/**: its match has no glob for prod/app",
        "",
        "exceptions of tags:",
        "  policy.yaml:17 la* in prod/*: over since the end of 2000-01-31 (moved slowly)",
        "",
        "who is told: nobody, no route is for the repository",
    ]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("prod/app:v1.2.3", "the tag v1.2.3 keeps policy.yaml:9"),
        ("prod/moving:latest", "excepted until 9999-12-31 (still moving)"),
        ("prod/old:latest", "no rule has tags for image artifacts in prod/old"),
        (f"prod/app:{SIGNATURE}", "signatures, SBOMs and attestations are never judged"),
        ("prod/app:quarantine-abababababab-latest", "a quarantine tag is ECR Warden's own"),
    ],
)
def test_a_tag_passes_as_its_push_would(run, image, reason):
    result = run(image)
    assert result.exit_code == 0
    assert result.stdout.startswith("PASSES  ")
    assert result.stdout.splitlines()[0].endswith(f": {reason}")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (
            ["live/app:latest"],
            "the image is kept under a quarantine tag instead (enforce mode: quarantine)",
        ),
        (["told/app:latest"], "people are told, and nothing is changed (enforce mode: notify)"),
        (
            ["charts/app:1.0.0-dev", "--artifact", "helm-chart"],
            "the tag is deleted, unless its image may be in use (enforce mode: delete)",
        ),
    ],
)
def test_what_happens_to_a_tag_that_does_not_pass_is_said(run, arguments, what):
    result = run(*arguments)
    assert result.exit_code == 1
    assert what in result.stdout


def test_a_repository_alone_has_no_verdict(run):
    result = run("prod/moving")
    assert result.exit_code == 0
    assert "PASS" not in result.stdout
    assert result.stdout.startswith("tags: policy.yaml:9 ")
    assert (
        "  policy.yaml:18 latest in prod/moving: in force until 9999-12-31 (still moving)\n" in result.stdout
    )


def test_a_repository_that_no_rule_is_for_is_said_to_have_none(run):
    result = run("prod/old:v1", "--artifact", "other")
    assert "tags: no rule decides for other artifacts in prod/old\n" in result.stdout
    assert "passed over: policy.yaml:7 prod/**, charts/**: its except has prod/old\n" in result.stdout
    assert "exceptions of tags: none\n" in result.stdout


def test_json_is_alone_and_has_all_of_it(run):
    result = run("--json", "prod/app:latest")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    rule = {"file": "policy.yaml", "line": 9, "match": ["prod/**", "charts/**"]}
    assert date.fromisoformat(found.pop("date"))
    assert found["verdict"].pop("reason").startswith("the tag latest is denied by ")
    assert found["sections"]["tags"].pop("passed_over")[0] == {
        "line": 3,
        "match": ["free/**"],
        "reason": "its match has no glob for prod/app",
    }
    assert found == {
        "repository": "prod/app",
        "tag": "latest",
        "artifact": "image",
        "verdict": {
            "passes": False,
            "decision": "violation",
            "rule": rule,
            "mode": "audit",
            "action": "quarantine",
            "severity": "high",
        },
        "sections": {
            "tags": {
                "rule": rule,
                "mode": "audit",
                "override": False,
                "settings": {
                    "line": 9,
                    "allow": ["semver"],
                    "deny": ["latest"],
                    "on_violation": "quarantine",
                    "artifacts": ["image"],
                    "severity": "high",
                },
            }
        },
        "exceptions": [
            {
                "line": 17,
                "repository": "prod/*",
                "tag": "la*",
                "until": "2000-01-31",
                "reason": "moved slowly",
                "in_force": False,
            }
        ],
        "vulnerability_exceptions": [],
        "routes": [],
    }
    assert json.loads(run("--json", "prod/app").stdout)["verdict"] is None


@pytest.mark.parametrize(
    ("moment", "passes"),
    [(datetime(2026, 3, 1, 23, 59, tzinfo=UTC), True), (datetime(2026, 3, 2, tzinfo=UTC), False)],
)
def test_an_exception_is_in_force_through_its_last_day(moment, passes):
    policy = Policy(
        "p",
        rules=(Rule(1, ("**",), tags=TagRules(2, deny=("*",))),),
        exceptions=(TagException(3, "**", "x", moment.date().replace(day=1), "y"),),
    )
    explanation = explain_push(policy, "a", "x", artifact=Artifact.IMAGE, now=moment)
    assert explanation.verdict is not None
    assert explanation.verdict.passes is passes
    assert [exception.in_force for exception in explanation.exceptions] == [passes]


@pytest.mark.parametrize("artifact", ["image", "helm-chart", "build-cache", "other"])
def test_the_artifact_that_is_asked_for_is_the_one_that_is_judged(run, artifact):
    policy = f"version: 1\nrules: [{{match: ['**'], tags: {{deny: ['*'], artifacts: [{artifact}]}}}}]\n"
    assert run("a:x", "--artifact", artifact, policy=policy).exit_code == 1
    others = {"image", "helm-chart", "build-cache", "other"} - {artifact}
    assert {run("a:x", "--artifact", other, policy=policy).exit_code for other in others} == {0}


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("", "is no repository's name"),
        (":latest", "is no repository's name"),
        ("Prod/app", "is no repository's name"),
        ("prod//app", "is no repository's name"),
        ("prod/app@sha256:abab", "is no repository's name"),
        ("localhost:5000/app", "'5000/app' is no tag"),
        ("prod/app:", "'' is no tag"),
    ],
)
def test_what_is_no_repository_and_tag_is_wrong_usage(run, image, message):
    result = run(image)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_policy_that_does_not_hold_is_refused_with_all_that_is_wrong(run):
    result = run("a", policy="version: 2\nzzz: 1\n")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert [line.split(": ")[0] for line in result.stderr.splitlines()[1:]] == [
        "policy.yaml:1:1",
        "policy.yaml:2:1",
    ]


def test_a_policy_that_is_not_there_is_wrong_usage(run):
    assert run("a", "--policy", "no-such-file").exit_code == 2


def test_a_whole_image_uri_is_taken_as_people_paste_it(tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nrules: [{match: ['prod/**'], tags: {deny: [latest]}}]\n")
    uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/prod/api:latest"
    done = CliRunner().invoke(main, ["explain", uri, "--policy", str(policy)])
    assert done.exit_code == 1
    assert "DOES NOT PASS  prod/api:latest" in done.stdout


GATED = """\
version: 1
rules:
  - match: ["prod/**"]
    mode: enforce
    scan_gate:
      max: {high: 5, critical: 0}
      min_epss: 0.1
      grace_days: {high: 30}
      on_failure: quarantine
      ignore:
        - {vulnerability: CVE-1, package: openssl, until: 9999-12-31, reason: not loaded}
        - {vulnerability: CVE-2, repository: prod/web, until: 9999-12-31, reason: elsewhere}
  - match: ["free/**"]
    tags: {deny: [latest]}
exceptions:
  - {repository: "prod/*", vulnerability: CVE-3, until: 2000-01-31, reason: fixed since}
  - {repository: "dev/*", vulnerability: CVE-4, until: 9999-12-31, reason: elsewhere}
"""


def test_a_gate_is_said_with_the_vulnerabilities_that_do_not_count_in_the_repository(run):
    result = run("prod/api", policy=GATED)
    assert result.exit_code == 0
    _, gate, exceptions, _ = result.stdout.split("\n\n")
    assert gate.splitlines() == [
        "scan_gate: policy.yaml:5 prod/** decides, in enforce mode",
        "  max: critical: 0, high: 5",
        "  fixable_only: false",
        "  exploitable_only: false",
        "  min_epss: 0.1",
        "  grace_days: high: 30",
        "  on_failure: quarantine",
        "  on_scan_failed: notify",
        "  even_in_use: false",
        "  excepted: policy.yaml:11 CVE-1 of openssl: in force until 9999-12-31 (not loaded)",
        "  excepted: policy.yaml:16 CVE-3 in prod/*: over since the end of 2000-01-31 (fixed since)",
    ]
    assert exceptions == "exceptions of tags: none"


def test_a_gate_from_which_no_vulnerability_is_excepted_says_so(run):
    policy = "version: 1\nrules:\n  - {match: ['**'], scan_gate: {max: {critical: 0}}}\n"
    _, gate, _, _ = run("prod/api", policy=policy).stdout.split("\n\n")
    assert gate.endswith("  exceptions of vulnerabilities: none")


def test_a_repository_without_a_gate_has_no_vulnerabilities_excepted(run):
    found = run("dev/api", policy=GATED)
    assert "scan_gate: no rule decides for dev/api\n" in found.stdout
    assert "CVE-4" not in found.stdout
    assert json.loads(run("--json", "dev/api", policy=GATED).stdout)["vulnerability_exceptions"] == []


def test_json_has_the_gate_and_what_it_does_not_count(run):
    found = json.loads(run("--json", "prod/web", policy=GATED).stdout)
    gate = found["sections"]["scan_gate"]
    assert (gate["mode"], gate["rule"]["line"]) == ("enforce", 5)
    assert gate["settings"]["max"] == [["critical", 0], ["high", 5]]
    assert [each["vulnerability"] for each in gate["settings"]["ignore"]] == ["CVE-1", "CVE-2"]
    assert found["vulnerability_exceptions"][1:] == [
        {
            "line": 12,
            "vulnerability": "CVE-2",
            "package": None,
            "repository": "prod/web",
            "until": "9999-12-31",
            "reason": "elsewhere",
            "in_force": True,
        },
        {
            "line": 16,
            "vulnerability": "CVE-3",
            "package": None,
            "repository": "prod/*",
            "until": "2000-01-31",
            "reason": "fixed since",
            "in_force": False,
        },
    ]


TOLD = """\
version: 1
channels:
  ops: {type: sns}
  team: {type: slack, secret: ecr-warden/team}
routes:
  - to: [team, ops]
    outcomes: [tag_violation, image_vulnerable]
    min_severity: high
    repositories: ["prod/**"]
    except: ["prod/old"]
    accounts: ["012345678901"]
    regions: [eu-west-1]
    mode: enforce
    owners: [payments]
  - {to: [ops], digest: daily, quiet_hours: {from: 22:00, to: 7:00, time_zone: Europe/Berlin}}
"""


def test_who_is_told_of_what_and_when_is_said(run):
    assert run("prod/app", policy=TOLD).stdout.endswith(
        "who is told:\n"
        "  policy.yaml:6 team, ops: image_vulnerable, tag_violation, high or worse, mode enforce, "
        "accounts 012345678901, regions eu-west-1, owners payments\n"
        "  policy.yaml:15 ops: all, digest daily, quiet_hours 22:00 to 07:00 Europe/Berlin\n"
    )
    assert "policy.yaml:6 " not in run("prod/old", policy=TOLD).stdout
    found = json.loads(run("--json", "prod/old", policy=TOLD).stdout)["routes"]
    assert [route["to"] for route in found] == [["ops"]]
    assert found[0]["quiet_hours"] == {"start": "22:00:00", "end": "07:00:00", "time_zone": "Europe/Berlin"}
