"""What a plan found, and what was done about it, in words."""

import json
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Mode, RuleReference
from ecr_warden.domain.settings.native import REGISTRY
from ecr_warden.domain.sweep.judgements import Judgement, Standing
from ecr_warden.domain.sweep.summary import Unseen
from ecr_warden.domain.sweep.visits import Repair, RepairStatus
from ecr_warden_cli.sweep.lines import (
    COLOURS,
    advice,
    heading,
    judgement_lines,
    repair_lines,
    unseen_lines,
    value_lines,
)

DIGEST = "sha256:" + "ab" * 32
CHANGE = Judgement(
    place=Place("123456789012", "us-east-1"),
    repository="team/a",
    section="tag_mutability",
    setting="tag_mutability",
    standing=Standing.DIFFERS,
    mode=Mode.ENFORCE,
    rule=RuleReference("policy.yaml", 4, ("team/**", "other")),
    what="tag mutability MUTABLE → IMMUTABLE",
    before={"mode": "MUTABLE"},
    after={"mode": "IMMUTABLE"},
)
RULE = "        policy.yaml:4 (team/**, other)"


def shown(lines):
    return [str(line) for line in lines]


def lifecycle(priority, count, description="theirs"):
    return {
        "rulePriority": priority,
        "description": description,
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count},
        "action": {"type": "expire"},
    }


def of(setting, before, after, **other):
    return replace(
        CHANGE, section=setting, setting=setting, what=f"{setting}", before=before, after=after, **other
    )


def test_a_heading_names_the_place_and_the_repository_or_the_registry():
    assert str(heading(CHANGE)) == "123456789012/us-east-1 team/a"
    assert str(heading(replace(CHANGE, repository=REGISTRY))) == "123456789012/us-east-1 the registry"


def test_a_change_has_its_words_and_its_rule():
    assert shown(judgement_lines(CHANGE)) == ["    ~ tag mutability MUTABLE → IMMUTABLE", RULE]


def test_a_change_in_audit_mode_says_that_it_is_not_made():
    first, *_ = shown(judgement_lines(replace(CHANGE, mode=Mode.AUDIT)))
    assert first == "    ~ tag mutability MUTABLE → IMMUTABLE (audit: told, not changed)"
    tag = of("tags", {}, {"image_tag": "quarantine-1"}, image_tag="latest", image_digest=DIGEST)
    first, *_ = shown(judgement_lines(replace(tag, mode=Mode.AUDIT)))
    assert first.endswith("→ quarantine-1 (audit: told, not changed)")


def test_what_there_was_nothing_of_is_added():
    first, *_ = shown(judgement_lines(of("lifecycle", None, {"rules": [lifecycle(1, 30)]})))
    assert first == "    + lifecycle"


def test_a_tag_is_shown_with_what_becomes_of_it_and_why():
    tag = replace(
        of("tags", {"image_tag": "latest"}, {"image_tag": "quarantine-abab-latest"}),
        image_tag="latest",
        image_digest=DIGEST,
        what="the tag latest is denied",
    )
    assert shown(judgement_lines(tag)) == [
        "    - tag latest (sha256:abababababab) → quarantine-abab-latest",
        "        the tag latest is denied",
        RULE,
    ]
    deleted, *_ = shown(judgement_lines(replace(tag, after=None)))
    assert deleted == "    - tag latest (sha256:abababababab): deleted, and the image with its last tag"


@pytest.mark.parametrize(
    ("standing", "sign"), [(Standing.VIOLATION, "!"), (Standing.KEPT, "="), (Standing.EXEMPT, "=")]
)
def test_what_is_not_changed_says_why_and_what_a_person_can_do(standing, sign):
    judgement = replace(
        CHANGE, standing=standing, what="somebody chose it", next_step="Give the rule override: true"
    )
    assert shown(judgement_lines(judgement)) == [
        f"    {sign} tag_mutability: somebody chose it",
        "        Give the rule override: true.",
        RULE,
    ]


def test_a_command_that_a_person_is_to_run_is_apart_and_goes_into_a_shell_as_it_is():
    step = "Ask its owner to tag it: `aws ecr tag-resource --region us-east-1 --tags Key=team,Value=TEAM`"
    judgement = replace(CHANGE, standing=Standing.VIOLATION, what="it lacks a tag", next_step=step)
    said = shown(judgement_lines(judgement))
    assert said[1] == "        Ask its owner to tag it:"
    command = said[2:-1]
    assert command == [
        "            aws ecr tag-resource \\",
        "            --region us-east-1 \\",
        "            --tags Key=team,Value=TEAM",
    ]
    words = shlex.split("\n".join(command).replace("\\\n", " "))
    assert words == shlex.split(step.partition("`")[2].rstrip("`"))


def test_a_documents_parts_are_shown_as_they_are_lost_and_gained():
    before = {"rules": [lifecycle(1, 30), lifecycle(2, 7)]}
    after = {"rules": [lifecycle(1, 50), lifecycle(2, 7)]}
    assert shown(judgement_lines(of("lifecycle", before, after)))[1:-1] == [
        "        - 1: any images expire beyond the newest 30",
        "        + 1: any images expire beyond the newest 50",
    ]


def test_what_differs_in_a_part_that_has_no_words_is_shown_as_json():
    before, after = ({"rules": [lifecycle(1, 30, text)]} for text in ("theirs", "ours"))
    lines = shown(judgement_lines(of("lifecycle", before, after)))
    assert '        -       "description": "theirs",' in lines
    assert '        +       "description": "ours",' in lines


def test_resource_tags_are_shown_by_what_they_were_and_become():
    tags = of("resource_tags", {"team": "a", "cost": "1"}, {"team": "b", "cost": "1", "managed-by": "us"})
    assert shown(judgement_lines(tags))[1:-1] == [
        "        team: a → b",
        "        managed-by: none → us",
    ]
    assert len(shown(judgement_lines(of("resource_tags", None, {"team": "b"})))) == 2, "its words say it"


def test_of_a_long_change_the_first_lines_are_shown_and_how_many_more_there_are():
    after = {"rules": [lifecycle(number, 30) for number in range(1, 41)]}
    lines = shown(judgement_lines(of("lifecycle", None, after)))
    assert sum(line.startswith("        + ") for line in lines) == 24
    assert lines[-2:] == ["        … and 16 lines more, which --json has", RULE]


def test_a_value_is_shown_by_its_parts_in_one_line_or_in_the_first_lines_of_its_document():
    rules = {"rules": [lifecycle(1, 30), lifecycle(2, 7)]}
    assert [*value_lines("lifecycle", rules)] == [
        "1: any images expire beyond the newest 30",
        "2: any images expire beyond the newest 7",
    ]
    assert [*value_lines("tag_mutability", {"mode": "MUTABLE"})] == ['{"mode": "MUTABLE"}']
    statements = {"Statement": [{"Sid": str(number), "Effect": "Allow"} for number in range(20)]}
    text = json.dumps(statements, indent=2).splitlines()
    assert [*value_lines("repository_policy", statements)] == [
        *text[:24],
        f"… and {len(text) - 24} lines more, which --json has",
    ]
    scanning = {
        "scanType": "ENHANCED",
        "rules": [{"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{"filter": "*"}]}],
    }
    assert any('"scanType": "ENHANCED"' in line for line in value_lines("scanning", scanning))


documents = st.dictionaries(
    st.sampled_from(["Version", "Statement", "Id"]),
    st.one_of(
        st.text(max_size=5),
        st.lists(st.dictionaries(st.sampled_from(["Sid", "Action"]), st.text(max_size=4)), max_size=6),
    ),
    max_size=3,
)


@given(st.none() | documents, documents)
def test_each_line_of_a_documents_difference_is_a_line_of_the_side_that_its_sign_says(before, after):
    lines = [*judgement_lines(of("repository_policy", before, after))][1:-1]
    sides = {
        "-": json.dumps(before, indent=2).splitlines(),
        "+": json.dumps(after, indent=2).splitlines(),
    }
    for line in lines:
        assert line.depth == 2
        assert line.sign not in sides or line.text in sides[line.sign]
    if (before or {}) == after:
        assert not [line for line in lines if line.sign]
    assert len(lines) <= 25


@given(st.sampled_from(RepairStatus), st.sampled_from(["", "it was changed meanwhile"]))
def test_what_came_of_a_change_says_what_and_why_in_a_colour_of_its_own(status, said):
    first, second, *advised = repair_lines(Repair(CHANGE, status, said))
    assert str(first).endswith(f" {status} 123456789012/us-east-1 team/a tag_mutability")
    assert str(second) == f"    {said or CHANGE.what}."
    assert bool(advised) == (status is RepairStatus.FAILED)
    assert first.sign in COLOURS or status in {RepairStatus.ALREADY, RepairStatus.KEPT, RepairStatus.GONE}


def test_what_came_of_a_tag_names_the_tag():
    tag = of("tags", {}, None, image_tag="latest", image_digest=DIGEST)
    first, *_ = shown(repair_lines(Repair(tag, RepairStatus.CHANGED, "It was deleted")))
    assert first == "+ changed 123456789012/us-east-1 team/a tags latest"


@pytest.mark.parametrize(
    ("why", "word"),
    [
        ("An error occurred (AccessDeniedException) when calling X", "permissions"),
        ("User: x is not authorized to perform: sts:AssumeRole", "permissions"),
        ("(BlockedByOrganizationPolicyException)", "permissions"),
        ("(ExpiredTokenException)", "Renew"),
        ("Unable to locate credentials", "Renew"),
        ("(ThrottlingException): Rate exceeded", "fewer"),
        ("(TooManyRequestsException)", "fewer"),
        ("(InvalidParameterException)", "Mend"),
        ("(LimitExceededException)", "Mend"),
        ("(TooManyTagsException)", "Mend"),
        ("(ServerException)", "Run it again."),
        (
            'Could not connect to the endpoint URL: "https://api.ecr.eu-west-11.amazonaws.com/"',
            "such a Region",
        ),
        ("An error occurred (404): a web page, which AWS never answers with", "AWS_ENDPOINT_URL"),
    ],
)
def test_what_failed_says_what_to_do_against_it(why, word):
    assert word in advice(why)


def test_what_could_not_be_looked_at_is_shown_with_why_and_what_to_do():
    unseen = Unseen("123456789012/us-east-1", "team/a", "(ExpiredTokenException): over")
    assert shown(unseen_lines(unseen)) == [
        "    ? 123456789012/us-east-1 team/a",
        "        (ExpiredTokenException): over.",
        "        Renew the credentials, then run it again.",
    ]
