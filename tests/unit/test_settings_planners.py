"""Each small planner: what is wanted and not there is put, what somebody chose stays."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.policy import Encryption, RepositoryPolicy, ResourceTags, TagMutability
from ecr_warden.domain.settings.current import Mutability, Repository
from ecr_warden.domain.settings.encryption import plan_encryption
from ecr_warden.domain.settings.plans import Compliant, Kept, Put, Violation
from ecr_warden.domain.settings.repository_policy import document_problems, plan_repository_policy
from ecr_warden.domain.settings.resource_tags import (
    missing_tags,
    plan_resource_tags,
    tag_problems,
    wanted_tags,
)
from ecr_warden.domain.settings.scan_on_push import plan_scan_on_push
from ecr_warden.domain.settings.tag_mutability import plan_tag_mutability, wanted_mutability

CREATED_AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
WILDCARDS = st.lists(st.sampled_from(["cache-*", "dev", "*-snapshot", "v*.*"]), max_size=5, unique=True)
MODES = st.builds(
    lambda immutable, excluded: wanted_mutability(TagMutability(1, immutable, tuple(excluded))),
    st.booleans(),
    WILDCARDS,
)
WANTED = st.builds(
    lambda immutable, excluded: TagMutability(1, immutable, tuple(excluded)), st.booleans(), WILDCARDS
)


@pytest.mark.parametrize(
    ("immutable", "excluded", "mode"),
    [
        (True, (), "IMMUTABLE"),
        (False, (), "MUTABLE"),
        (True, ("a*",), "IMMUTABLE_WITH_EXCLUSION"),
        (False, ("a*",), "MUTABLE_WITH_EXCLUSION"),
    ],
)
def test_the_four_modes_of_ecr(immutable, excluded, mode):
    assert wanted_mutability(TagMutability(1, immutable, excluded)) == Mutability(mode, excluded)


@given(MODES, WANTED, st.booleans())
def test_mutability_that_is_put_is_what_was_wanted(current, wanted, override):
    match plan_tag_mutability(current, wanted, override=override):
        case Put(_, after):
            put = Mutability(after["mode"], tuple(after.get("except", ())))
            assert plan_tag_mutability(put, wanted, override=override) == Compliant()
            assert override or current == Mutability()
        case Kept():
            assert not override
            assert current != Mutability()
        case Compliant():
            assert current.mode == wanted_mutability(wanted).mode


def test_exclusions_have_no_order():
    current = Mutability("IMMUTABLE_WITH_EXCLUSION", ("b", "a"))
    wanted = TagMutability(1, immutable=True, excluded=("a", "b"))
    assert plan_tag_mutability(current, wanted, override=True) == Compliant()


@pytest.mark.parametrize(
    ("current", "wanted", "override", "kind"),
    [
        (False, True, False, Put),
        (True, False, False, Kept),
        (True, False, True, Put),
        (True, True, False, Compliant),
    ],
)
def test_scan_on_push_that_is_off_is_nobodys_choice(current, wanted, override, kind):
    assert isinstance(plan_scan_on_push(current, wanted, override=override), kind)


KEY = "arn:aws:kms:us-east-1:111111111111:key/1234"


@pytest.mark.parametrize(
    ("current", "wanted", "is_right"),
    [
        (("AES256", None), Encryption(1, "AES256"), True),
        (("AES256", None), Encryption(1, "KMS"), False),
        (("KMS", KEY), Encryption(1, "KMS"), True),
        (("KMS", KEY), Encryption(1, "KMS", KEY), True),
        (("KMS", "arn:other"), Encryption(1, "KMS", KEY), False),
        (("KMS_DSSE", KEY), Encryption(1, "KMS", KEY), False),
    ],
)
def test_encryption_is_judged_and_never_put(current, wanted, is_right):
    repository = Repository("a", encryption_type=current[0], kms_key=current[1])
    plan = plan_encryption(repository, wanted)
    assert plan == Compliant() if is_right else isinstance(plan, Violation)


def tags(wanted, creator="Admin/mary"):
    return wanted_tags(wanted, creator=creator, created_at=CREATED_AT)


def test_placeholders_are_filled_with_what_a_tag_can_hold():
    wanted = ResourceTags(1, (("by", "{creator}"), ("at", "{created_at}")))
    assert tags(wanted, "Admin/mary smith,(ci)") == {
        "by": "Admin/mary smith__ci_",
        "at": "2026-11-24T03:00:00+00:00",
    }
    assert tags(wanted, None)["by"] == "unknown"
    assert len(tags(wanted, "x" * 900)["by"]) == 256


def test_a_tag_that_is_there_with_another_value_stays_unless_the_rule_overrides():
    wanted = ResourceTags(1, (("team", "platform"), ("env", "prod")))
    current = {"team": "payments"}
    assert plan_resource_tags(current, wanted, tags(wanted), override=False) == Put({}, {"env": "prod"})
    assert plan_resource_tags(current, wanted, tags(wanted), override=True) == Put(
        {"team": "payments"}, {"team": "platform", "env": "prod"}
    )
    there = {"team": "payments", "env": "prod"}
    assert isinstance(plan_resource_tags(there, wanted, tags(wanted), override=False), Kept)


def test_who_created_it_is_not_changed_by_a_later_event():
    wanted = ResourceTags(1, (("by", "{creator}"),))
    current = {"by": "Admin/mary"}
    assert plan_resource_tags(current, wanted, tags(wanted, "ecr"), override=True) == Compliant()


def test_more_tags_than_a_repository_may_have_are_told():
    wanted = ResourceTags(1, (("new", "1"),))
    current = {f"key{number}": "" for number in range(50)}
    assert isinstance(plan_resource_tags(current, wanted, tags(wanted), override=False), Violation)


TAG_MAPS = st.dictionaries(st.sampled_from("abcde"), st.sampled_from("12"), max_size=5)


@given(TAG_MAPS, TAG_MAPS, st.booleans())
def test_tags_that_are_put_are_those_that_were_wanted(current, wanted_map, override):
    wanted = ResourceTags(1, tuple(wanted_map.items()))
    plan = plan_resource_tags(current, wanted, tags(wanted), override=override)
    after = current | plan.after if isinstance(plan, Put) else current
    again = plan_resource_tags(after, wanted, tags(wanted), override=override)
    assert not isinstance(again, Put)
    assert set(wanted_map) <= set(after)
    assert {key: after[key] for key in current.keys() - wanted_map.keys()} == {
        key: current[key] for key in current.keys() - wanted_map.keys()
    }
    if not override:
        assert all(after[key] == value for key, value in current.items())


def test_required_tags_that_are_set_by_the_same_rule_are_not_missing():
    wanted = ResourceTags(1, (("team", "x"),), ("team", "cost"))
    assert missing_tags({}, wanted, tags(wanted)) == ("cost",)
    assert missing_tags({"cost": "1"}, wanted, tags(wanted)) == ()


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({"aws:x": ""}, "AWS's own"),
        ({"x" * 129: ""}, "128"),
        ({"x": "y" * 257}, "256"),
        ({"x": "a,b"}, "letters"),
        ({"x": "a\nb"}, "letters"),
        ({str(number): "" for number in range(51)}, "at most 50"),
    ],
)
def test_tags_that_ecr_refuses_are_named(found, problem):
    assert problem in tag_problems(found)[0]


PULL = {"Sid": "Pull", "Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}
PUSH = {"Sid": "Push", "Effect": "Allow", "Principal": {"AWS": "1"}, "Action": "ecr:PutImage"}


def wanted_policy(*statements, merge=False):
    return RepositoryPolicy(1, json.dumps({"Version": "2012-10-17", "Statement": statements}), merge)


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_a_policy_is_put_where_there_is_none_and_one_that_is_there_stays():
    wanted = wanted_policy(PULL)
    assert plan_repository_policy(None, wanted, override=False) == Put(None, document(PULL))
    assert plan_repository_policy(document(PULL), wanted, override=False) == Compliant()
    assert isinstance(plan_repository_policy(document(PUSH), wanted, override=False), Kept)
    assert plan_repository_policy(document(PUSH), wanted, override=True) == Put(
        document(PUSH), document(PULL)
    )


def test_one_action_and_a_list_of_it_are_the_same_and_statements_have_no_order():
    other = {**PULL, "Action": "ecr:BatchGetImage"}
    assert (
        plan_repository_policy(document(PUSH, other), wanted_policy(PULL, PUSH), override=True) == Compliant()
    )


def test_an_account_and_its_root_user_are_the_same_and_actions_have_no_case():
    wanted = {**PULL, "Principal": {"AWS": "222222222222"}}
    given = {**PULL, "Principal": {"AWS": "arn:aws:iam::222222222222:root"}}
    assert plan_repository_policy(document(given), wanted_policy(wanted), override=True) == Compliant()
    assert document_problems({"Statement": {**PULL, "Action": "ECR:BatchGetImage"}}) == []


def test_statements_are_merged_by_their_sid_where_asked_for():
    theirs = {**PULL, "Sid": "Theirs"}
    plan = plan_repository_policy(document(theirs), wanted_policy(PULL, merge=True), override=False)
    assert plan == Put(document(theirs), document(theirs, PULL))
    assert plan_repository_policy(plan.after, wanted_policy(PULL, merge=True), override=False) == Compliant()


def test_a_statement_of_the_same_sid_stays_unless_the_rule_overrides():
    theirs = {**PULL, "Principal": {"AWS": "999999999999"}}
    wanted = wanted_policy(PULL, merge=True)
    assert isinstance(plan_repository_policy(document(theirs), wanted, override=False), Kept)
    assert plan_repository_policy(document(theirs), wanted, override=True) == Put(
        document(theirs), document(PULL)
    )


def test_a_merge_that_would_be_too_long_is_told():
    theirs = {**PULL, "Sid": "Theirs", "Principal": {"AWS": ["1" * 10_000]}}
    plan = plan_repository_policy(document(theirs), wanted_policy(PUSH, PULL, merge=True), override=False)
    assert isinstance(plan, Violation)
    assert "more than 10240 characters" in plan.reason


@given(
    st.lists(st.sampled_from([PULL, PUSH, {**PULL, "Sid": "Other"}]), unique_by=lambda one: one["Sid"]),
    st.lists(
        st.sampled_from([PULL, PUSH, {**PUSH, "Effect": "Deny"}]),
        min_size=1,
        unique_by=lambda one: one["Sid"],
    ),
    st.booleans(),
    st.booleans(),
)
def test_a_policy_that_is_put_is_what_was_wanted_and_merging_loses_nothing(there, new, merge, override):
    current = document(*there) if there else None
    wanted = wanted_policy(*new, merge=merge)
    plan = plan_repository_policy(current, wanted, override=override)
    if not isinstance(plan, Put):
        return
    again = plan_repository_policy(plan.after, wanted, override=override)
    assert not isinstance(again, Put)
    assert again == Compliant() or not override
    if merge:
        sids = {one["Sid"] for one in plan.after["Statement"]}
        assert sids == {one["Sid"] for one in [*there, *new]}


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ([], "no JSON object"),
        ({"Statement": []}, "no Statement"),
        ({"Statement": ["a"]}, "no object"),
        ({"Statement": {**PULL, "Effect": "allow"}}, "Allow or Deny"),
        ({"Statement": {"Effect": "Allow", "Action": "*"}}, "needs a Principal"),
        ({"Statement": {"Effect": "Allow", "Principal": "*"}}, "needs an Action"),
        ({"Statement": {**PULL, "Action": "s3:GetObject"}}, "no action of ECR"),
        ({"Statement": [PULL, PULL]}, "the Sid Pull is there twice"),
        ({"Statement": {**PULL, "Resource": "*"}}, "Resource is no key of a statement"),
        ({"Statement": {**PULL, "Actoin": "ecr:*"}}, "Actoin is no key of a statement"),
        ({"Statement": PULL, "Satement": []}, "Satement is no key of a policy"),
        ({"Version": "2020-01-01", "Statement": PULL}, "the Version is 2012-10-17 or 2008-10-17"),
        ({"Statement": {**PULL, "Principal": "x" * 10_300}}, "longer than"),
    ],
)
def test_a_policy_that_ecr_refuses_is_refused_with_the_reason(found, problem):
    assert problem in document_problems(found)[0]


def test_statements_that_are_merged_need_a_sid():
    without = {key: value for key, value in PULL.items() if key != "Sid"}
    assert document_problems({"Statement": without}) == []
    assert "needs a Sid" in document_problems({"Statement": without}, needs_sids=True)[0]
