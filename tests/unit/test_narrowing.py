"""Repositories of a glob of which something is taken out get filters of their own, as short as can be."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_warden.domain.events import RepositoryCreation
from ecr_warden.domain.policy import ScanFrequency
from ecr_warden.domain.resolution import decided_settings, resolve
from ecr_warden.domain.settings.current import (
    RegistryDestination,
    RegistryScanning,
    ReplicationRule,
    Repository,
)
from ecr_warden.domain.settings.decide import Facts, plan_settings
from ecr_warden.domain.settings.narrowing import own_prefix, own_wildcard
from ecr_warden.domain.settings.plans import Compliant, Put, Violation
from ecr_warden.domain.settings.replication import replication_rules
from ecr_warden.domain.settings.scanning import registry_scanning
from ecr_warden_cli.policy.check import check_policy

ACCOUNT = "111111111111"
POLICY = """\
version: 1
mode: enforce
rules:
  - match: ["prod/**"]
    except: ["prod/legacy-*"]
    replicate_to: [eu-west-1]
    scanning: {frequency: scan_on_push}
  - match: ["team/**"]
    replicate_to: [eu-west-1]
"""


def checked(text=POLICY):
    found = check_policy(text, "policy.yaml")
    assert found.policy is not None, found.problems
    return found


def creation(name):
    return RepositoryCreation(
        f"event of {name}", datetime(2026, 1, 1, tzinfo=UTC), ACCOUNT, "us-east-1", name, None, ACCOUNT, None
    )


def create(policy, facts, name):
    """Give the facts after a repository was created and what was planned was put, and the plans."""
    decided = decided_settings(policy, name)
    plans = {
        one.setting: one.plan
        for one in plan_settings(policy, decided, creation(name), Facts(Repository(name), **facts))
    }
    after = dict(facts)
    if isinstance(plan := plans.get("replicate_to"), Put):
        after["replication"] = replication_rules(plan.after)
    if isinstance(plan := plans.get("scanning"), Put):
        after["scanning"] = registry_scanning(plan.after)
    return after, plans


def test_such_a_policy_is_warned_of_and_the_glob_is_noted():
    found = checked()
    assert [problem.severity for problem in found.problems] == ["warning", "warning"]
    assert "prod/legacy-" in found.problems[0].message
    assert "gets a prefix of its own when it is created" in found.problems[0].message
    prod, team = found.policy.rules
    assert prod.replicate_to.narrow == prod.scanning.narrow == ("prod/**",)
    assert team.replicate_to.narrow == ()


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("prod/api", "prod/a"),
        ("prod/lab", "prod/la"),
        ("prod/legacies", "prod/legaci"),
        # What is taken out begins like these.
        ("prod/le", None),
        ("prod/legacy", None),
        # These are not the rule's.
        ("prod/legacy-1", None),
        ("other/app", None),
        # Nothing is taken out of this one's glob.
        ("team/app", "team/"),
    ],
)
def test_the_shortest_prefix_that_takes_nothing_else(name, prefix):
    assert own_prefix(checked().policy, name) == prefix


def test_a_scanning_filter_likewise():
    assert own_wildcard(checked().policy, "prod/api") == "prod/a*"
    assert own_wildcard(checked().policy, "prod/legacy") is None


def test_repositories_are_added_one_by_one_to_the_policys_own_rule_and_nobody_elses():
    theirs = ReplicationRule(
        (RegistryDestination("eu-west-1", ACCOUNT),), ("prod/legacy-kept",), delete_replication=True
    )
    policy, facts = checked().policy, {"replication": (theirs,)}
    for name in ("prod/api", "prod/auth", "prod/web", "team/app"):
        facts, _ = create(policy, facts, name)
    assert facts["replication"] == (
        theirs,
        ReplicationRule((RegistryDestination("eu-west-1", ACCOUNT),), ("prod/a", "team/", "prod/w")),
    )
    assert facts["scanning"].rules[0].filters == ("prod/a*", "prod/w*")


def test_a_repository_that_is_covered_changes_nothing():
    policy, facts = checked().policy, {}
    facts, _ = create(policy, facts, "prod/api")
    again, plans = create(policy, facts, "prod/auth")
    assert again == facts
    assert plans == {"replicate_to": Compliant(), "scanning": Compliant()}


def test_a_repository_like_which_excluded_ones_begin_is_told():
    _, plans = create(checked().policy, {}, "prod/legacy")
    for plan in plans.values():
        assert isinstance(plan, Violation)
        assert "cannot be expressed for it" in plan.reason


@pytest.mark.parametrize("glob", ["prod/api", "prod-*", "**/api"])
def test_a_glob_of_which_no_repository_can_have_a_filter_is_an_error(glob):
    found = check_policy(
        f"version: 1\nmode: enforce\nrules: [{{match: ['{glob}'], replicate_to: [eu-west-1]}}]\n",
        "policy.yaml",
    )
    assert [problem.severity for problem in found.problems] == ["error"]


NAMES = st.from_regex(r"(prod|team|other)/(legacy-|le|a|web|b1)?[a-c]{1,3}(/[ab])?", fullmatch=True)
POLICIES = st.sampled_from(
    [
        POLICY,
        POLICY.replace("prod/legacy-*", "prod/**/b"),
        POLICY.replace('except: ["prod/legacy-*"]', 'except: ["prod/a*", "prod/web/**"]'),
        """\
version: 1
mode: enforce
rules:
  - {match: ["prod/legacy-*"], replicate_to: [us-west-2], scanning: {frequency: manual}}
  - {match: ["prod/**", "team/**"], replicate_to: [eu-west-1], scanning: {frequency: scan_on_push}}
""",
    ]
)


@settings(max_examples=40, deadline=None)
@given(POLICIES, st.lists(NAMES, min_size=1, max_size=6), st.lists(NAMES, max_size=6))
def test_what_is_written_covers_what_was_created_and_nothing_that_the_policy_decides_otherwise(
    text, created, others
):
    found = check_policy(text, "policy.yaml")
    if found.policy is None:
        return
    policy, facts = found.policy, {}
    for name in created:
        facts, plans = create(policy, facts, name)
        for setting, plan in plans.items():
            if setting == "replicate_to" and not isinstance(plan, Violation):
                wanted = {d.region for d in resolve(policy, name, "replicate_to").rules.destinations}
                assert wanted <= replicated(facts, name)
        assert not any(isinstance(plan, Put) for plan in create(policy, facts, name)[1].values())
    for name in [*created, *others]:
        decided = resolve(policy, name, "replicate_to").rules
        wanted = {d.region for d in decided.destinations} if decided else set()
        assert replicated(facts, name) <= wanted, name
        scanning = resolve(policy, name, "scanning").rules
        if scanning is None or scanning.frequency is ScanFrequency.MANUAL:
            assert not is_scanned(facts, name), name


def replicated(facts, name):
    return {
        destination.region
        for rule in facts.get("replication", ())
        if not rule.prefixes or name.startswith(rule.prefixes)
        for destination in rule.destinations
    }


def is_scanned(facts, name):
    scanning = facts.get("scanning", RegistryScanning())
    return any(name.startswith(text.removesuffix("*")) for rule in scanning.rules for text in rule.filters)
