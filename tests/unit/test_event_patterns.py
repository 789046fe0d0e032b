"""What the local AWS takes for a match of a rule's pattern, where moto would not."""

import pytest

from ecr_warden_cli.local.patterns import matches


def event(**detail):
    return {
        "source": "aws.ecr",
        "resources": ["arn:aws:ecr:eu-west-1:123456789012:repository/a"],
        "detail": detail,
    }


@pytest.mark.parametrize(
    ("resources", "is_taken"),
    [
        ([{"type": "IMAGE"}], True),
        ([{"type": "INSTANCE"}, {"type": "IMAGE"}], True),
        ([{"type": "INSTANCE"}, {"id": "no type"}], False),
        ([{"type": ["INSTANCE", "IMAGE"]}], True),
        ([{"type": None}], False),
        ([{}], False),
        ([], False),
        (["IMAGE"], False),
        (None, False),
    ],
)
def test_one_object_of_a_list_that_matches_is_enough(resources, is_taken):
    pattern = {"detail": {"resources": {"type": ["IMAGE"]}}}
    assert matches(pattern, event(resources=resources)) is is_taken


def test_objects_of_a_list_within_a_list_are_looked_into_too():
    pattern = {"detail": {"rules": {"images": {"tag": ["v1"]}}}}
    assert matches(pattern, event(rules=[{"images": []}, {"images": [{"tag": "v0"}, {"tag": "v1"}]}]))


def test_a_field_that_no_object_has_does_not_exist():
    pattern = {"detail": {"rules": {"error": [{"exists": False}]}}}
    assert matches(pattern, event(rules=[{"name": "a"}]))
    assert not matches(pattern, event(rules=[{"name": "a"}, {"error": "x"}]))


@pytest.mark.parametrize(
    ("pattern", "is_taken"),
    [
        ({}, True),
        ({"source": ["aws.ecr", "aws.ec2"]}, True),
        ({"source": ["aws.ec2"]}, False),
        ({"resources": [{"wildcard": "arn:*:ecr:*"}]}, True),
        ({"resources": [{"wildcard": "arn:*:lambda:*"}]}, False),
        ({"detail": {"result": [{"anything-but": {"equals-ignore-case": "success"}}]}}, False),
        ({"detail": {"result": [{"anything-but": {"equals-ignore-case": "failed"}}]}}, True),
        ({"detail": {"missing": [{"anything-but": {"equals-ignore-case": "success"}}]}}, False),
    ],
)
def test_all_else_is_judged_as_moto_does(pattern, is_taken):
    assert matches(pattern, event(result="SUCCESS")) is is_taken
