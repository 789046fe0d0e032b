"""What is wrong with a policy's settings is said when it is built, with the line."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from ecr_warden.adapters.compiled_policy import encode_policy, load_policy
from ecr_warden.domain.policy import (
    Destination,
    Encryption,
    Lifecycle,
    Replication,
    ScanFrequency,
    Scanning,
    ScanType,
    TagMutability,
)
from ecr_warden_cli.policy.check import check_policy

SCHEMA = json.loads((Path(__file__).parents[2] / "policy.schema.json").read_text())
ALL = """\
version: 1
mode: enforce
rules:
  - match: ["prod/**"]
    override: true
    tag_mutability: {immutable: true, except: ["cache-*"]}
    lifecycle: {keep_last: 50, expire_untagged_after_days: 7, keep: ["v*"], quarantine_days: 30}
    scanning: {type: enhanced, frequency: continuous, scan_on_push: false}
    replicate_to: [eu-west-1, "222222222222/eu-west-1"]
    resource_tags: {require: [team], set: {managed-by: ecr-warden, by: "{creator} at {created_at}"}}
    repository_policy:
      Version: 2012-10-17
      Statement: [{Sid: Pull, Effect: Allow, Principal: "*", Action: "ecr:BatchGetImage"}]
    encryption: {type: KMS, kms_key: "arn:aws:kms:us-east-1:111111111111:key/1"}
  - match: ["charts/**"]
    lifecycle:
      rules:
        - rulePriority: 1
          description: Charts are kept for a year
          selection: {tagStatus: any, countType: sinceImagePushed, countUnit: days, countNumber: 365}
          action: {type: expire}
    repository_policy:
      merge_by_sid: true
      document: {Statement: [{Sid: Push, Effect: Allow, Principal: "*", Action: ["ecr:PutImage"]}]}
    replicate_to: {destinations: [eu-west-1], backfill: true}
"""


def problems(text):
    return [str(problem) for problem in check_policy(text, "policy.yaml").problems]


def rule(section):
    return problems(f"version: 1\nmode: enforce\nrules:\n  - match: ['prod/**']\n    {section}\n")


def test_every_section_becomes_its_value(tmp_path):
    checked = check_policy(ALL, "policy.yaml")
    assert [str(problem) for problem in checked.problems] == []
    jsonschema.validate(yaml.safe_load(ALL.replace("2012-10-17", "'2012-10-17'")), SCHEMA)
    prod, charts = checked.policy.rules
    assert prod.override
    assert prod.tag_mutability == TagMutability(6, immutable=True, excluded=("cache-*",))
    assert prod.lifecycle == Lifecycle(
        7, keep_last=50, expire_untagged_after_days=7, keep=("v*",), quarantine_days=30
    )
    assert prod.scanning == Scanning(8, ScanType.ENHANCED, ScanFrequency.CONTINUOUS_SCAN, scan_on_push=False)
    places = (Destination("eu-west-1"), Destination("eu-west-1", "222222222222"))
    assert prod.replicate_to == Replication(9, places)
    assert prod.resource_tags.require == ("team",)
    assert json.loads(prod.repository_policy.document)["Version"] == "2012-10-17"
    assert not prod.repository_policy.merge
    assert prod.encryption == Encryption(14, "KMS", "arn:aws:kms:us-east-1:111111111111:key/1")
    assert json.loads(charts.lifecycle.document)["rules"][0]["rulePriority"] == 1
    assert charts.repository_policy.merge
    assert charts.replicate_to.backfill
    compiled = tmp_path / "policy.json"
    compiled.write_bytes(encode_policy(checked.policy))
    assert load_policy(str(compiled)) == checked.policy


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("lifecycle: {}", "5:5: error: lifecycle: the section asks for nothing"),
        ("lifecycle: {keep_last: 0}", "keep_last: input should be greater than or equal to 1, got 0"),
        ("lifecycle: {keep_last: true}", "keep_last: input should be a valid integer, got True"),
        ("lifecycle: {keep_last: 3, expire_after_days: 3}", "exclude each other"),
        ("lifecycle: {keep: ['a*b*c*d*e*'], keep_last: 1}", "at most 4 '*'"),
        ("lifecycle: {delete_archived_after_days: 30}", "after 90 days at the earliest"),
        ("lifecycle: {rules: [{rulePriority: 1}]}", "5:5: error: lifecycle: rule 1"),
        ("lifecycle: {rules: [], keep_last: 3}", "remove keep_last"),
        ("lifecycle: {keep_lst: 3}", "did you mean keep_last?"),
        ("tag_mutability: {immutable: maybe}", "immutable: input should be a valid boolean"),
        ("tag_mutability: {immutable: true, except: ['a b']}", "an exclusion has 1 to 128"),
        ("tag_mutability: {immutable: true, except: [a, b, c, d, e, f]}", "at most 5"),
        ("scanning: {}", "scanning says nothing"),
        ("scanning: {type: enhanced, frequency: sometimes}", "'scan_on_push', 'continuous' or 'manual'"),
        ("scanning: {type: basic, frequency: continuous}", "BASIC"),
        ("replicate_to: []", "at least 1 item"),
        ("replicate_to: [Ireland]", "'Ireland' is no destination"),
        ("replicate_to: ['1/eu-west-1']", "is no destination"),
        ("replicate_to: {destination: [eu-west-1]}", "did you mean destinations?"),
        ("resource_tags: {}", "resource_tags says nothing"),
        ("resource_tags: {set: {a: '{who}'}}", "{who} is not known here: {creator} or {created_at}"),
        ("resource_tags: {set: {'aws:a': b}}", "AWS's own"),
        ("repository_policy: {Statement: [{Effect: Allow}]}", "statement 1 needs a Principal"),
        ("repository_policy: {document: {}}", "the policy has no Statement"),
        ("repository_policy: {documnt: {}}", "did you mean document?"),
        ("encryption: {type: aes}", "'AES256', 'KMS' or 'KMS_DSSE'"),
        ("encryption: {type: AES256, kms_key: a}", "kms_key goes with KMS"),
        ("encryption: {type: KMS, kms_key: alias/foo}", "'alias/foo' is no key's ARN"),
    ],
)
def test_what_ecr_would_refuse_is_refused_with_its_line(section, problem):
    found = rule(section)
    assert any(problem in one for one in found), found
    assert all(one.startswith("policy.yaml:5:") for one in found if "error" in one), found


REPLICATION = """\
version: 1
mode: enforce
rules:
  - match: ["prod/**"]
    except: ["prod/legacy/**"]
    replicate_to: [eu-west-1]
"""


def test_an_exception_that_no_prefix_can_express_is_warned_of_with_an_example():
    (problem,) = problems(REPLICATION)
    assert problem.startswith("policy.yaml:6:5: warning: replicate_to cannot be expressed by one prefix")
    assert "prod/legacy/" in problem


def test_what_no_prefix_can_express_for_any_repository_is_refused_with_an_example():
    (problem,) = problems(REPLICATION.replace("prod/legacy/**", "**/test"))
    assert problem.startswith("policy.yaml:6:5: error: replicate_to cannot be expressed: ")
    assert "/test too, which except takes out" in problem


def test_the_same_is_warned_of_scanning():
    (problem,) = problems(
        REPLICATION.replace("replicate_to: [eu-west-1]", "scanning: {frequency: scan_on_push}")
    )
    assert problem.startswith("policy.yaml:6:5: warning: scanning cannot be expressed by one filter")


def test_a_setting_that_never_decides_is_refused():
    found = problems(
        "version: 1\nrules:\n  - {match: ['**'], lifecycle: {keep_last: 3}}\n"
        "  - {match: ['a/**'], lifecycle: {keep_last: 5}, tag_mutability: {immutable: true}}\n"
    )
    (problem,) = found
    assert problem == (
        "policy.yaml:4:23: error: lifecycle is unreachable: the rule of line 3 decides for all that this "
        "rule matches; move this rule above line 3, or remove it"
    )


def test_what_a_lifecycle_does_otherwise_than_one_may_think_is_warned_of():
    (warning,) = rule("lifecycle: {keep_last: 50, archive_unpulled_after_days: 90}")
    assert warning.startswith(
        "policy.yaml:5:5: warning: lifecycle: with archive_unpulled_after_days, keep_last"
    )
