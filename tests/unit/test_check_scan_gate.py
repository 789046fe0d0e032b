"""What a policy says about scans becomes values; what is wrong with it is said when it is built."""

import json
from datetime import date
from pathlib import Path

import jsonschema
import pytest
import yaml

from ecr_warden.adapters.compiled_policy import encode_policy, load_policy
from ecr_warden.domain.finding_summary import FindingSeverity
from ecr_warden.domain.policy import IgnoredVulnerability, Mode, ScanAction, ScanGate, TagException
from ecr_warden.domain.resolution import resolve
from ecr_warden_cli.policy.check import check_policy

SCHEMA = json.loads((Path(__file__).parents[2] / "policy.schema.json").read_text())
TODAY = date(2026, 11, 24)
CRITICAL, HIGH, UNDEFINED = FindingSeverity.CRITICAL, FindingSeverity.HIGH, FindingSeverity.UNDEFINED
END = date(2026, 12, 31)
ALL = """\
version: 1
rules:
  - match: ["prod/**"]
    mode: enforce
    scan_gate:
      max: {high: 5, undefined: 100, critical: 0}
      fixable_only: true
      exploitable_only: true
      min_epss: 0.1
      ignore:
        - {vulnerability: CVE-2026-1, until: 2026-12-31, reason: not reachable}
        - vulnerability: ghsa-jfh8-c2jp-5v3q
          until: 2026-12-31
          reason: not loaded
          repository: "prod/**/api"
          package: openssl
      grace_days: {high: 30, critical: 7}
      on_failure: quarantine
      on_scan_failed: ignore
      even_in_use: true
  - match: ["**"]
    scan_gate: {max: {critical: 1}}
exceptions:
  - {repository: prod/api, tag: latest, until: 2026-12-31, reason: moving}
  - {repository: "prod/*", vulnerability: CVE-2026-2, until: 2026-12-31, reason: test}
  - {repository: "**", vulnerability: CVE-2026-3, package: zlib, until: 2026-12-31, reason: unused}
"""
# The example of the design: what it uses of each section is all there.
WHOLE = """\
version: 1
mode: audit                    # audit: decide and tell. enforce: act. A rule may set its own.
rules:                         # for each section, the first matching rule that has it decides
  - match: ["prod/**"]
    except: ["prod/legacy-*"]
    mode: enforce
    tags:
      allow: [semver, git-sha, "release-*", "re:^hotfix-[0-9]+$"]
      deny: [latest]
      on_violation: quarantine # notify | quarantine | delete
    tag_mutability: {immutable: true, except: ["cache-*"]}
    lifecycle: {keep_last: 50, expire_untagged_after_days: 7, archive_unpulled_after_days: 90}
    scan_gate: {max: {critical: 0, high: 5}, fixable_only: true, on_failure: notify}
    replicate_to: [eu-west-1, "222222222222/eu-west-1"]
    resource_tags: {require: [team], set: {managed-by: ecr-warden}}
  - match: ["**"]
    tags: {deny: ["re:^(tmp|test)$"]}
    lifecycle: {expire_untagged_after_days: 14}
exceptions:                    # every exception ends, and says why
  - {repository: prod/api, vulnerability: CVE-2026-1234, until: 2026-12-31, reason: not reachable}
channels:
  secops: {type: slack, secret: ecr-warden/slack/secops}
  ops: {type: sns}
routes:
  - {outcomes: [image_vulnerable], min_severity: critical, to: [secops, ops]}
  - {to: [ops]}
"""


def check(text):
    return check_policy(text, "policy.yaml", today=TODAY)


def said(text):
    return [str(problem) for problem in check(text).problems]


def gate(section):
    return said(f"version: 1\nrules:\n  - match: ['prod/**']\n    scan_gate: {section}\n")


def exception(entry):
    return said(f"version: 1\nexceptions:\n  - {entry}\n")


def compiled(policy, tmp_path):
    path = tmp_path / "policy.json"
    path.write_bytes(encode_policy(policy))
    return load_policy(str(path))


def test_a_gate_becomes_its_value_with_its_severities_worst_first():
    checked = check(ALL)
    assert [str(problem) for problem in checked.problems] == []
    assert checked.policy.rules[0].scan_gate == ScanGate(
        line=5,
        max=((CRITICAL, 0), (HIGH, 5), (UNDEFINED, 100)),
        fixable_only=True,
        exploitable_only=True,
        min_epss=0.1,
        ignore=(
            IgnoredVulnerability(11, "CVE-2026-1", END, "not reachable"),
            IgnoredVulnerability(12, "ghsa-jfh8-c2jp-5v3q", END, "not loaded", "prod/**/api", "openssl"),
        ),
        grace_days=((CRITICAL, 7), (HIGH, 30)),
        on_failure=ScanAction.QUARANTINE,
        on_scan_failed=ScanAction.IGNORE,
        even_in_use=True,
    )


def test_a_gate_that_says_only_how_many_findings_pass_tells_and_changes_nothing():
    assert check(ALL).policy.rules[1].scan_gate == ScanGate(
        line=22, max=((CRITICAL, 1),), on_failure=ScanAction.NOTIFY, on_scan_failed=ScanAction.NOTIFY
    )


def test_exceptions_of_tags_and_of_vulnerabilities_stand_in_one_list():
    policy = check(ALL).policy
    assert policy.exceptions == (TagException(24, "prod/api", "latest", END, "moving"),)
    assert policy.vulnerability_exceptions == (
        IgnoredVulnerability(25, "CVE-2026-2", END, "test", "prod/*"),
        IgnoredVulnerability(26, "CVE-2026-3", END, "unused", "**", "zlib"),
    )


@pytest.mark.parametrize("text", [ALL, WHOLE], ids=["every key of a gate", "every section"])
def test_a_policy_with_a_gate_is_compiled_whole_and_is_what_the_schema_takes(text, tmp_path):
    policy = check(text).policy
    assert compiled(policy, tmp_path) == policy
    jsonschema.validate(yaml.safe_load(text.replace("2026-12-31", "'2026-12-31'")), SCHEMA)


@pytest.mark.parametrize(
    ("repository", "line", "mode"), [("prod/api", 5, Mode.ENFORCE), ("dev/api", 22, Mode.AUDIT)]
)
def test_the_first_rule_with_a_gate_decides_in_its_own_mode_or_the_policys(repository, line, mode):
    resolution = resolve(check(ALL).policy, repository, "scan_gate")
    assert (resolution.rule.line, resolution.mode) == (line, mode)
    assert resolution.rules.line == line


def test_the_whole_example_is_valid_with_warnings_of_its_settings_alone():
    checked = check(WHOLE)
    assert checked.policy is not None
    assert [(problem.line, problem.severity) for problem in checked.problems] == [
        (12, "warning"),
        (14, "warning"),
    ]
    lifecycle, replication = checked.problems
    assert "with archive_unpulled_after_days, keep_last takes no image" in lifecycle.message
    assert "the prefix prod/ of prod/** takes prod/legacy-a too" in replication.message
    assert checked.policy.vulnerability_exceptions[0].line == 20


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("{}", "max is missing"),
        ("{max: {}}", "max is empty: give a limit, as in {critical: 0}"),
        ("{max: null}", "max is empty: remove it, or give it entries"),
        ("{maxx: {low: 1}}", "did you mean max?"),
        ("{max: {critcal: 0}}", "critcal is no severity of findings: did you mean critical?"),
        ("{max: {HIGH: 0}}", "did you mean high?"),
        ("{max: {zzz: 0}}", "known here: critical, high, medium, low, informational, undefined"),
        ("{max: {3: 0}}", "3 is no severity of findings"),
        ("{max: {low: -1}}", "max.low: expected a whole number from 0, got -1"),
        ("{max: {low: true}}", "max.low: expected a whole number from 0, got True"),
        ("{max: {low: 1.0}}", "max.low: expected a whole number from 0, got 1.0"),
        ("{max: {low: null}}", "max.low: expected a whole number from 0, got None"),
        ("{max: {low: 1}, fixable_only: 1}", "fixable_only: input should be a valid boolean, got 1"),
        ("{max: {low: 1}, exploitable_only: 'yes'}", "exploitable_only: input should be a valid boolean"),
        ("{max: {low: 1}, even_in_use: 'no'}", "even_in_use: input should be a valid boolean"),
        ("{max: {low: 1}, min_epss: 1.1}", "min_epss: input should be less than or equal to 1, got 1.1"),
        ("{max: {low: 1}, min_epss: -0.1}", "min_epss: input should be greater than or equal to 0"),
        ("{max: {low: 1}, min_epss: true}", "min_epss: input should be a valid number, got True"),
        ("{max: {low: 1}, min_epss: .nan}", "min_epss: input should be a finite number"),
        (
            "{max: {low: 1}, grace_days: {low: 0}}",
            "grace_days.low: expected a whole number from 1 to 3650, got 0",
        ),
        (
            "{max: {low: 1}, grace_days: {low: 3651}}",
            "grace_days.low: expected a whole number from 1 to 3650, got 3651",
        ),
        ("{max: {low: 1}, grace_days: {lo: 1}}", "did you mean low?"),
        ("{max: {low: 1}, on_failure: ignore}", "on_failure: input should be 'notify' or 'quarantine'"),
        ("{max: {low: 1}, on_failure: delete}", "on_failure: input should be 'notify' or 'quarantine'"),
        (
            "{max: {low: 1}, on_scan_failed: delete}",
            "on_scan_failed: input should be 'ignore', 'notify' or 'quarantine', got 'delete'",
        ),
        (
            "{max: {low: 1}, ignore: [{vulnerability: 'CVE-*', until: 2026-12-31, reason: x}]}",
            "'CVE-*': a vulnerability is named exactly, as in CVE-2026-1234, and by no glob",
        ),
        (
            "{max: {low: 1}, ignore: [{vulnerability: 'CVE-1 ', until: 2026-12-31, reason: x}]}",
            "'CVE-1 ': a vulnerability's id has no blanks",
        ),
        (
            '{max: {low: 1}, ignore: [{vulnerability: "CVE\\u2028-1", until: 2026-12-31, reason: x}]}',
            "no control characters",
        ),
        (
            "{max: {low: 1}, ignore: [{vulnerability: '', until: 2026-12-31, reason: x}]}",
            "vulnerability: string should have at least 1 character",
        ),
        (
            "{max: {low: 1}, ignore: [{vulnerability: A, package: 'lib*', until: 2026-12-31, reason: x}]}",
            "'lib*': a package is named exactly",
        ),
        (
            "{max: {low: 1}, ignore: [{vulnerability: A, package: ' a', until: 2026-12-31, reason: x}]}",
            "' a': a package's name has",
        ),
        (
            "{max: {low: 1}, ignore: [{vulnerability: A, repository: 'a**', until: 2026-12-31, reason: x}]}",
            "** stands for whole segments",
        ),
        (
            "{max: {low: 1}, ignore: [{vulnerability: A, reason: x}]}",
            "until is missing: every exception ends",
        ),
        ("{max: {low: 1}, ignore: [{vulnerability: A, until: 2026-12-31}]}", "reason is missing"),
        ("{max: {low: 1}, ignore: [{vulnerability: A, tag: b}]}", "tag is not a known key"),
    ],
)
def test_what_no_gate_can_say_is_refused_with_its_line(section, problem):
    found = gate(section)
    assert any(problem in one for one in found), found
    assert all(one.startswith("policy.yaml:4:") for one in found), found
    assert any(": error: " in one for one in found)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (
            "{repository: a, until: 2026-12-31, reason: x}",
            "the exception has neither tag nor vulnerability: give one of them",
        ),
        (
            "{repository: a, tag: b, vulnerability: C, until: 2026-12-31, reason: x}",
            "the exception has tag and vulnerability: make two of it, one for each",
        ),
        (
            "{repository: a, tag: b, package: c, until: 2026-12-31, reason: x}",
            "package goes with vulnerability: remove it from the exception of a tag",
        ),
        (
            "{repository: a, vulnerability: 'CVE-2026-*', until: 2026-12-31, reason: x}",
            "a vulnerability is named exactly",
        ),
        ("{repository: a, vulnrability: B, until: 2026-12-31, reason: x}", "did you mean vulnerability?"),
        ("{vulnerability: B, until: 2026-12-31, reason: x}", "repository is missing"),
    ],
)
def test_what_no_exception_can_say_is_refused_with_its_place(entry, problem):
    (found,) = exception(entry)
    assert found.startswith("policy.yaml:3:")
    assert problem in found


@pytest.mark.parametrize(
    ("names", "is_taken"),
    [
        ({"tag": "a"}, True),
        ({"vulnerability": "A"}, True),
        ({"vulnerability": "A", "package": "b"}, True),
        ({}, False),
        ({"tag": "a", "vulnerability": "A"}, False),
        ({"tag": "a", "package": "b"}, False),
        ({"package": "b"}, False),
    ],
)
def test_an_editor_takes_the_exceptions_that_check_takes(names, is_taken):
    entry = {"repository": "a", "until": "2026-12-31", "reason": "x", **names}
    assert (exception(json.dumps(entry)) == []) is is_taken
    schema = SCHEMA | SCHEMA["$defs"]["ExceptionModel"]
    assert jsonschema.Draft202012Validator(schema).is_valid(entry) is is_taken


def test_a_gate_that_never_decides_is_refused():
    (problem,) = said(
        "version: 1\nrules:\n  - {match: ['**'], scan_gate: {max: {low: 0}}}\n"
        "  - {match: ['a/**'], scan_gate: {max: {low: 3}}, tags: {deny: [x]}}\n"
    )
    assert problem == (
        "policy.yaml:4:23: error: scan_gate is unreachable: the rule of line 3 decides for all that this "
        "rule matches; move this rule above line 3, or remove it"
    )


def test_a_rule_with_a_gate_alone_has_a_section():
    assert gate("{max: {critical: 0}}") == []
    (problem,) = said("version: 1\nrules: [{match: ['**']}]\n")
    assert "give it tags, settings or scan_gate, or remove it" in problem


@pytest.mark.parametrize(("until", "is_over"), [("2026-11-24", False), ("2026-11-23", True)])
def test_an_exception_of_a_vulnerability_that_is_over_is_a_warning_wherever_it_stands(until, is_over):
    section = f"{{max: {{low: 1}}, ignore: [{{vulnerability: CVE-1, until: {until}, reason: x}}]}}"
    ended = f"ended on {until}: remove it, or give it a later end"
    assert gate(section) == [f"policy.yaml:4:64: warning: the exception for CVE-1 {ended}"] * is_over
    entry = f"{{repository: a, vulnerability: CVE-1, until: {until}, reason: x}}"
    assert exception(entry) == [f"policy.yaml:3:43: warning: the exception {ended}"] * is_over


def test_grace_for_a_severity_without_a_limit_is_a_warning():
    (problem,) = gate("{max: {critical: 0}, grace_days: {critical: 7, high: 30}}")
    assert problem == (
        "policy.yaml:4:63: warning: grace_days has no effect for high: max does not limit it; limit it, or "
        "remove it"
    )


def test_even_in_use_where_nothing_is_quarantined_is_a_warning():
    (problem,) = gate("{max: {low: 1}, even_in_use: true}")
    assert problem.startswith("policy.yaml:4:32: warning: even_in_use has no effect: neither on_failure nor ")
    assert gate("{max: {low: 1}, even_in_use: true, on_failure: quarantine}") == []
    assert gate("{max: {low: 1}, even_in_use: true, on_scan_failed: quarantine}") == []
    assert gate("{max: {low: 1}, even_in_use: false}") == []


FILTERED = """\
version: 1
rules:
  - match: ["prod/**"]
    scan_gate:
      max: {critical: 0}
      fixable_only: true
      exploitable_only: true
      min_epss: 0.5
      grace_days: {critical: 7}
  - match: ["**"]
    scanning: {%s}
"""


@pytest.mark.parametrize(
    "scanning", ["type: basic, frequency: scan_on_push", "frequency: manual"], ids=["said", "implied"]
)
def test_what_basic_scans_do_not_say_filters_nothing_and_that_is_a_warning(scanning):
    assert said(FILTERED % scanning) == [
        f"policy.yaml:{line}:7: warning: {key} has no effect: by line 11 the registry's scans are BASIC; "
        f"they do not say {unsaid}, and so every finding counts; scan with the type enhanced, or remove it"
        for line, key, unsaid in [
            (7, "exploitable_only", "whether an exploit is known"),
            (8, "min_epss", "an EPSS score"),
            (9, "grace_days", "when a finding was first observed"),
        ]
    ]


@pytest.mark.parametrize("scanning", ["type: enhanced, frequency: continuous", "frequency: scan_on_push"])
def test_filters_have_an_effect_where_scans_are_or_may_be_enhanced(scanning):
    assert said(FILTERED % scanning) == []


def test_what_basic_scans_say_or_a_gate_does_not_ask_is_no_warning():
    asked = FILTERED.replace("exploitable_only: true", "exploitable_only: false").replace("0.5", "0")
    (problem,) = said(asked % "type: basic, frequency: scan_on_push")
    assert "grace_days has no effect" in problem


def test_an_exception_for_repositories_that_the_rule_is_not_for_is_a_warning():
    text = """\
version: 1
rules:
  - match: ["prod/**"]
    except: ["prod/old/*"]
    scan_gate:
      max: {critical: 0}
      ignore:
        - {vulnerability: A, until: 2026-12-31, reason: x, repository: "**/api"}
        - {vulnerability: B, until: 2026-12-31, reason: x, repository: "dev/**"}
        - {vulnerability: C, until: 2026-12-31, reason: x, repository: "prod/old/*"}
"""
    outside, taken_out = said(text)
    assert outside == (
        "policy.yaml:9:60: warning: the exception for B has no effect: the rule is for no repository that "
        "dev/** matches; give another glob, or remove it"
    )
    assert taken_out.startswith("policy.yaml:10:60: warning: the exception for C has no effect")


def test_what_is_wrong_in_a_gate_hides_nothing_that_is_wrong_in_others():
    problems = said("""\
version: 1
rules:
  - match: ["a/**"]
    scan_gate: {max: {critcal: 0}}
  - match: ["b/**"]
    scan_gate: {max: {low: 0}, even_in_use: true}
exceptions:
  - {repository: a, until: 2026-12-31, reason: x}
""")
    assert [problem.split(": ")[0] for problem in problems] == [
        "policy.yaml:4:23",
        "policy.yaml:6:32",
        "policy.yaml:8:5",
    ]
