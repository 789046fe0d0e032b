"""What a policy comes to in ECR's creation templates: just what it says, beside what somebody chose."""

import json
from dataclasses import dataclass, field, replace

import pytest
from fakes import FakeJournal, FakeLocks, FakeSettings, FakeSettingsPorts, FakeTemplates
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Mode
from ecr_warden.domain.resolution import decided_settings
from ecr_warden.domain.settings.current import (
    Mutability,
    RegistryDestination,
    RegistryScanning,
    ReplicationRule,
    Repository,
)
from ecr_warden.domain.settings.lifecycle import lifecycle_document
from ecr_warden.domain.settings.native_templates import DESCRIPTION, plan_templates
from ecr_warden.domain.settings.tag_mutability import wanted_mutability
from ecr_warden.domain.settings.template_regions import template_prefix
from ecr_warden.domain.settings.templates import (
    REASONS,
    CreationTemplate,
    fixed_tags,
    is_broader,
    template_json,
)
from ecr_warden.use_cases.apply_native import Status, apply_native
from ecr_warden.use_cases.plan_native import plan_native
from ecr_warden_cli.policy.check import check_policy

ROLE = "arn:aws:iam::111111111111:role/ecr"
PLACE = Place("111111111111", "us-east-1")
IMMUTABLE, MUTABLE = {"immutable": True}, {"immutable": False, "except": ["v*"]}
KEEP = {"keep_last": 30}
PULL = {"Statement": [{"Sid": "Pull", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]}
SOMEBODYS = {"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any"}, "action": {"type": "expire"}}]}


def rule(*match, **sections):
    named = {name.replace("excluded", "except"): value for name, value in sections.items()}
    return {"match": list(match), **named}


def checked_policy(*rules, mode="enforce"):
    # JSON is YAML; each rule on a line of its own, from line 4 on.
    lines = ",\n".join(json.dumps(each) for each in rules)
    return check_policy(f'{{"version": 1,\n"mode": "{mode}",\n"rules": [\n{lines}\n]}}', "policy.yaml")


def policy(*rules, mode="enforce"):
    checked = checked_policy(*rules, mode=mode)
    assert checked.policy is not None, checked.problems
    return checked.policy


def plan(*rules, there=(), role=None, mode="enforce"):
    return plan_templates(policy(*rules, mode=mode), there, role_arn=role)


def templates(planned):
    return {change.prefix: change.template for change in planned.changes}


def said(planned):
    return [(each.rule.line, each.prefix, each.sections, each.reason) for each in planned.not_native]


def applied(there, planned):
    return tuple({**{each.prefix: each for each in there}, **templates(planned)}.values())


def test_a_rule_for_a_prefix_becomes_its_template_with_every_section():
    sections = {
        "tag_mutability": {"immutable": True, "except": ["cache-*"]},
        "lifecycle": KEEP,
        "repository_policy": PULL,
        "resource_tags": {"set": {"managed-by": "ecr-warden"}},
        "encryption": {"type": "KMS", "kms_key": "arn:aws:kms:us-east-1:111111111111:key/1"},
    }
    planned = plan(rule("prod/**", **sections), role=ROLE)
    (change,) = planned.changes
    assert (change.section, change.prefix, change.before) == ("creation_template", "prod", None)
    assert change.rule.line == 4
    document = change.after.pop("lifecyclePolicy")
    assert [each["selection"]["tagStatus"] for each in document["rules"]] == ["tagged", "any"]
    assert change.after == {
        "prefix": "prod",
        "appliedFor": ["PULL_THROUGH_CACHE", "CREATE_ON_PUSH", "REPLICATION"],
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": ["cache-*"],
        "encryptionConfiguration": {
            "encryptionType": "KMS",
            "kmsKey": "arn:aws:kms:us-east-1:111111111111:key/1",
        },
        "resourceTags": {"managed-by": "ecr-warden"},
        "repositoryPolicy": PULL,
        "customRoleArn": ROLE,
        "description": DESCRIPTION,
    }
    assert (planned.kept, planned.not_native) == ((), ())


@pytest.mark.parametrize(
    ("glob", "prefix"),
    [
        ("**", "ROOT"),
        ("prod/**", "prod"),
        ("prod/team__a/b--c/**", "prod/team__a/b--c"),
        ("prod-*", None),
        ("prod/api", None),
        ("**/api", None),
        ("prod/*/**", None),
        ("prod/*", None),
        ("ROOT/**", None),
        ("pr[o]d/**", None),
        ("a" * 257 + "/**", None),
    ],
)
def test_a_template_is_for_just_what_a_glob_matches_or_there_is_none(glob, prefix):
    assert template_prefix(glob) == prefix


def test_globs_of_other_forms_are_listed_once_each():
    planned = plan(rule("prod-*", "prod/api", "prod-*", tag_mutability=IMMUTABLE, lifecycle=KEEP))
    assert planned.changes == ()
    sections = ("tag_mutability", "lifecycle")
    with_limits = plan_all(rule("prod-*", "prod/api", "prod-*", tag_mutability=IMMUTABLE, lifecycle=KEEP))
    assert [(line, found) for line, _, found, _ in said(with_limits)] == [(4, sections), (4, sections)]
    assert "prod-*" in said(with_limits)[0][3]
    assert "prod/api" in said(with_limits)[1][3]


def test_a_more_specific_template_has_what_wider_rules_decide_too_as_ecr_does_not_merge_them():
    planned = plan(
        rule("prod/team/**", tag_mutability=MUTABLE),
        rule("prod/**", tag_mutability=IMMUTABLE, lifecycle=KEEP),
    )
    found = templates(planned)
    assert set(found) == {"prod", "prod/team"}
    assert found["prod/team"].mutability == Mutability("MUTABLE_WITH_EXCLUSION", ("v*",))
    assert found["prod"].mutability == Mutability("IMMUTABLE")
    assert found["prod"].lifecycle == found["prod/team"].lifecycle is not None
    assert planned.not_native == ()


def test_a_section_that_is_decided_in_two_ways_is_left_out_and_an_example_named():
    planned = plan(
        rule("prod/**", excluded=["prod/legacy-*"], tag_mutability=IMMUTABLE, lifecycle=KEEP),
        rule("**/legacy-*", lifecycle=KEEP),
        rule("prod/**", repository_policy=PULL),
    )
    (template,) = templates(planned).values()
    assert (template.mutability, template.lifecycle) == (None, None)
    assert template.repository_policy == PULL
    assert said(planned) == [
        (
            4,
            "prod",
            ("tag_mutability",),
            f"the template would be for {LEGACY} too, for which no rule has tag_mutability",
        ),
        (4, "prod", ("lifecycle",), f"the template would be for {LEGACY} too, for which line 5 decides"),
    ]


LEGACY = "prod/legacy-a"


def test_a_wide_rule_that_a_narrow_one_goes_before_names_the_narrow_one():
    planned = plan(rule("a*", tag_mutability=MUTABLE), rule("**", tag_mutability=IMMUTABLE))
    assert planned.changes == ()
    ((line, prefix, _, reason),) = said(planned)
    assert (line, prefix) == (5, "ROOT")
    assert reason.endswith("for which line 4 decides")


def test_globs_that_together_decide_a_prefix_alike_are_native_whatever_their_form():
    planned = plan(rule("pro*/**", tag_mutability=IMMUTABLE), rule("prod/**", lifecycle=KEEP))
    assert templates(planned)["prod"].mutability == Mutability("IMMUTABLE")


def test_what_is_decided_otherwise_by_a_rule_for_less_than_the_prefix_is_that_rules_alone():
    planned = plan(rule("prod/a*", tag_mutability=IMMUTABLE), rule("prod/**", lifecycle=KEEP))
    assert templates(planned)["prod"].mutability is None
    assert planned.not_native == ()


def test_somebodys_more_specific_template_takes_its_names_away():
    rules = (
        rule("prod/x/**", "other", tag_mutability=MUTABLE, mode="audit"),
        rule("prod/**", tag_mutability=IMMUTABLE),
    )
    (_, *_), without = rules, plan(*rules)
    assert without.changes == ()
    assert said(without)[0][3].endswith("for which line 4 decides")
    there = CreationTemplate("prod/x", lifecycle=SOMEBODYS)
    assert templates(plan(*rules, there=[there]))["prod"].mutability == Mutability("IMMUTABLE")
    # For pushes, ECR may well take the wider one.
    partly = replace(there, applied_for=frozenset({"PULL_THROUGH_CACHE"}))
    assert plan(*rules, there=[partly]).changes == ()


def test_rules_in_audit_mode_come_to_nothing_and_are_said_once_for_each_section():
    planned = plan_all(
        rule("prod/**", tag_mutability=IMMUTABLE, lifecycle=KEEP, replicate_to=["eu-west-1"]),
        rule("**", "**/x", lifecycle=KEEP, scanning={"frequency": "scan_on_push"}),
        mode="audit",
    )
    assert planned.changes == ()
    assert {reason for *_, reason in said(planned)} == {"the rule is in audit mode"}
    assert [sections for _, _, sections, _ in said(planned)] == [
        ("lifecycle",),
        ("replicate_to",),
        ("tag_mutability",),
        ("lifecycle",),
        ("scanning",),
    ]


def test_tags_with_placeholders_and_required_ones_are_not_for_a_template():
    tags = {"set": {"by": "{creator}", "managed-by": "ecr-warden"}, "require": ["team"]}
    planned = plan_all(rule("prod/**", resource_tags=tags), role=ROLE)
    (template,) = templates(planned).values()
    assert (template.resource_tags, template.custom_role_arn) == ({"managed-by": "ecr-warden"}, ROLE)
    assert [reason.partition(":")[0] for *_, reason in said(planned)] == ["by", "team"]
    only = plan_all(rule("prod/**", resource_tags={"set": {"by": "{creator}"}}), role=ROLE)
    assert only.changes == ()
    assert plan_all(rule("prod/**", resource_tags={"require": ["team"]})).changes == ()


def test_without_a_role_tags_and_keys_are_left_out_and_the_rest_is_written():
    rules = rule(
        "prod/**",
        "dev/**",
        tag_mutability=IMMUTABLE,
        resource_tags={"set": {"a": "b"}},
        encryption={"type": "KMS"},
    )
    planned = plan(rules)
    assert set(templates(planned)) == {"dev", "prod"}
    assert all(not template.needs_role for template in templates(planned).values())
    wants = plan_all(rules).not_native
    assert ["--role-arn" in each.reason for each in wants] == [True, True]
    there = CreationTemplate("prod", custom_role_arn="arn:aws:iam::111111111111:role/theirs")
    with_theirs = templates(plan(rules, there=[there], role=ROLE))["prod"]
    assert with_theirs.custom_role_arn == "arn:aws:iam::111111111111:role/theirs"
    assert with_theirs.encryption_type == "KMS"


def test_scan_on_push_is_not_for_a_template():
    ((_, _, sections, reason),) = said(plan_all(rule("prod/**", scanning={"scan_on_push": True})))
    assert sections == ("scanning",)
    assert reason.startswith("scan_on_push")


CHOSEN = CreationTemplate(
    "prod",
    frozenset({"PULL_THROUGH_CACHE"}),
    Mutability("MUTABLE_WITH_EXCLUSION", ("x*",)),
    lifecycle=None,
    repository_policy={"Statement": []},
    resource_tags={"managed-by": "hand", "team": "a"},
    encryption_type="KMS",
    kms_key="arn:aws:kms:us-east-1:111111111111:key/theirs",
    custom_role_arn="arn:aws:iam::111111111111:role/theirs",
    description="theirs",
)
WANTED = {
    "tag_mutability": IMMUTABLE,
    "lifecycle": KEEP,
    "repository_policy": PULL,
    "resource_tags": {"set": {"managed-by": "ecr-warden", "new": "1"}},
    "encryption": {"type": "AES256"},
}


def test_what_somebody_chose_in_a_template_stays_and_is_listed_and_the_rest_is_put_in():
    planned = plan(rule("prod/**", **WANTED), there=[CHOSEN], role=ROLE)
    ((_, after),) = templates(planned).items()
    assert after == replace(
        CHOSEN,
        applied_for=frozenset(REASONS),
        lifecycle=after.lifecycle,
        resource_tags={"managed-by": "hand", "team": "a", "new": "1"},
    )
    assert after.lifecycle is not None
    assert [each.setting for each in planned.kept] == ["tag_mutability", "repository_policy", "encryption"]
    assert planned.changes[0].before == template_json(CHOSEN)


def test_with_override_what_the_policy_says_replaces_it_and_nothing_else():
    planned = plan(rule("prod/**", override=True, **WANTED), there=[CHOSEN], role=ROLE)
    ((_, after),) = templates(planned).items()
    assert after.mutability == Mutability("IMMUTABLE")
    assert after.repository_policy == PULL
    assert after.resource_tags == {"managed-by": "ecr-warden", "team": "a", "new": "1"}
    assert (after.encryption_type, after.kms_key) == ("AES256", None)
    assert (after.description, after.custom_role_arn) == (CHOSEN.description, CHOSEN.custom_role_arn)
    assert planned.kept == ()


def test_what_a_template_cannot_take_is_said():
    full = replace(CHOSEN, resource_tags={str(number): "" for number in range(50)})
    planned = plan(rule("prod/**", resource_tags={"set": {"new": "1"}}), there=[full])
    assert templates(planned)["prod"].resource_tags == full.resource_tags
    ((_, prefix, sections, reason),) = said(planned)
    assert (prefix, sections) == ("prod", ("resource_tags",))
    assert "more than 50" in reason


def test_a_new_template_begins_as_somebodys_wider_one_in_whose_place_it_is_taken():
    root = replace(CHOSEN, prefix="ROOT", applied_for=frozenset(REASONS), lifecycle=SOMEBODYS)
    planned = plan(rule("prod/**", tag_mutability=IMMUTABLE, repository_policy=PULL), there=[root])
    # All that the policy says of them is somebody's choice, which they have from ROOT.
    assert planned.changes == ()
    assert ["ROOT's" in each.reason for each in planned.kept] == [True, True]
    planned = plan(rule("prod/**", override=True, tag_mutability=IMMUTABLE), there=[root])
    (change,) = planned.changes
    assert change.in_place_of == "ROOT"
    assert change.template == replace(
        root, prefix="prod", mutability=Mutability("IMMUTABLE"), description=DESCRIPTION
    )


def test_a_new_template_does_not_take_from_a_wider_one_what_the_policy_says_there():
    root = plan(rule("**", tag_mutability=IMMUTABLE))
    there = [replace(templates(root)["ROOT"], repository_policy=PULL)]
    rules = (
        rule("dev/**", tag_mutability={"immutable": False}),
        rule("**", tag_mutability=IMMUTABLE),
    )
    planned = plan(*rules, there=there)
    # Even though it says what ECR's default is: without it, ROOT's would be taken.
    assert templates(planned)["dev"].mutability is None
    assert templates(planned)["dev"].repository_policy == PULL
    assert plan(*rules[:1]).changes == ()
    # Somebody's, for all, takes the names before ROOT does.
    theirs = [*there, CreationTemplate("dev")]
    deeper = plan(rule("dev/x/**", tag_mutability={"immutable": False}), rules[1], there=theirs)
    assert deeper.changes == ()


def test_globs_that_are_too_entangled_to_be_followed_are_not_native():
    entangled = "*a" + "?" * 14 + "/**"
    planned = plan(rule(entangled, lifecycle={"keep_last": 3}), rule("**", lifecycle=KEEP))
    assert planned.changes == ()
    ((line, prefix, _, reason),) = said(planned)
    assert (line, prefix) == (5, "ROOT")
    assert "too entangled" in reason
    audited = plan(rule(entangled, lifecycle={"keep_last": 3}), rule("**", lifecycle=KEEP, mode="audit"))
    assert audited == type(audited)()


# Everything at once.

GLOBS = [
    "**",
    "prod/**",
    "prod/team/**",
    "prod/team/x/**",
    "dev/**",
    "prod/*",
    "prod-*",
    "prod/legacy-*",
    "**/api",
    "dev/app",
]
NAMES = [
    "prod",
    "prod/a",
    "prod/api",
    "prod/legacy-1",
    "prod/team/a",
    "prod/team/api",
    "prod/team/x/a",
    "prod/team/x/y/api",
    "prod/team/legacy-1",
    "prod-a",
    "dev/app",
    "dev/b",
    "dev/b/api",
    "api",
    "other/thing",
]
SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "tag_mutability": st.sampled_from([IMMUTABLE, MUTABLE, {"immutable": False}]),
        "lifecycle": st.sampled_from([KEEP, {"expire_untagged_after_days": 7}]),
        "repository_policy": st.sampled_from([PULL, {"document": PULL, "merge_by_sid": True}]),
        "resource_tags": st.sampled_from(
            [{"set": {"a": "1"}}, {"set": {"a": "2", "by": "{creator}"}}, {"require": ["t"]}]
        ),
        "encryption": st.sampled_from([{"type": "KMS"}, {"type": "AES256"}]),
        "mode": st.sampled_from(["audit", "enforce"]),
        "override": st.booleans(),
    },
)


def reachable(rules):
    """Leave out the sections that never decide, which a policy may not have."""
    for problem in checked_policy(*rules).problems:
        section, _, is_unreachable = problem.message.partition(" is unreachable")
        if is_unreachable:
            del rules[problem.line - 4][section]
    return rules


RULES = st.lists(
    st.builds(
        lambda match, excluded, sections: {"match": match, "except": excluded, **sections},
        st.lists(st.sampled_from(GLOBS), min_size=1, max_size=2),
        st.lists(st.sampled_from(GLOBS[3:]), max_size=1),
        SECTIONS,
    ),
    max_size=5,
).map(reachable)
THERE = st.lists(
    st.builds(
        CreationTemplate,
        st.sampled_from(["ROOT", "prod", "prod/team", "prod/team/x/y", "dev", "other"]),
        st.sets(st.sampled_from(REASONS), min_size=1).map(frozenset),
        st.sampled_from([None, Mutability(), Mutability("IMMUTABLE")]),
        st.sampled_from([None, {"rules": []}]),
        st.sampled_from([None, PULL, {"Statement": []}]),
        st.sampled_from([{}, {"a": "1"}, {"z": "9"}]),
        st.sampled_from([None, "AES256", "KMS"]),
        st.none(),
        st.just("arn:aws:iam::111111111111:role/theirs"),
        st.sampled_from([None, "theirs"]),
    ),
    unique_by=lambda each: each.prefix,
    max_size=4,
)
ROLES = st.sampled_from([None, ROLE])


def taken(there, name, reason):
    """Give the template that ECR takes for a new repository."""
    able = [
        each
        for each in there
        if reason in each.applied_for and (each.prefix == "ROOT" or name.startswith(f"{each.prefix}/"))
    ]
    return max(able, key=lambda each: (each.prefix != "ROOT", len(each.prefix)), default=None)


@settings(deadline=None, max_examples=150)
@given(RULES, THERE, ROLES)
def test_planning_again_after_applying_gives_nothing_and_other_templates_stay(rules, there, role):
    first = plan(*rules, there=there, role=role)
    after = applied(there, first)
    again = plan(*rules, there=after, role=role)
    assert again.changes == ()
    prefixes = {template_prefix(glob) for each in rules for glob in each["match"]}
    for template in there:
        if template.prefix not in prefixes:
            assert template in after


@settings(deadline=None, max_examples=150)
@given(RULES, ROLES)
def test_a_new_repository_gets_nothing_that_the_policy_does_not_say_of_it(rules, role):
    wanted = policy(*rules)
    there = applied((), plan(*rules, role=role))
    for name in NAMES:
        template = taken(there, name, "REPLICATION")
        if template is not None:
            check_all(template, CreationTemplate(template.prefix), decided_settings(wanted, name))


@settings(deadline=None, max_examples=150)
@given(RULES, THERE, ROLES)
def test_what_is_put_into_somebodys_template_is_what_the_policy_says_of_all_its_repositories(
    rules, there, role
):
    wanted = policy(*rules)
    planned = plan(*rules, there=there, role=role)
    before = {each.prefix: each for each in there}
    after = applied(there, planned)
    for name in NAMES:
        for reason in REASONS:
            template = taken(after, name, reason)
            if template is not None and template.prefix in before:
                check_all(template, before[template.prefix], decided_settings(wanted, name))


def check_all(template, before, decided):
    """Check that what differs from before is what the policy says, in enforce mode."""
    expected = {
        "tag_mutability": ("mutability", wanted_mutability),
        "lifecycle": ("lifecycle", lifecycle_document),
        "encryption": ("encryption_type", lambda wanted: wanted.type),
    }
    for section, (name, value) in expected.items():
        if getattr(template, name) != getattr(before, name):
            assert decided[section].mode is Mode.ENFORCE
            assert getattr(template, name) == value(decided[section].settings)
    tags = template.resource_tags.items() - before.resource_tags.items()
    assert tags <= (fixed_tags(decided["resource_tags"].settings.set).items() if tags else set())
    if template.repository_policy != before.repository_policy:
        assert decided["repository_policy"].mode is Mode.ENFORCE


@given(st.sampled_from(GLOBS), st.sampled_from(GLOBS))
def test_no_two_prefixes_are_each_broader_than_the_other(one, other):
    wide, narrow = template_prefix(one) or "a", template_prefix(other) or "b"
    assert not (is_broader(wide, narrow) and is_broader(narrow, wide))


# With the registry, by the use case.


@dataclass
class Ports(FakeSettingsPorts):
    templates: FakeTemplates = field(default_factory=FakeTemplates)
    settings: FakeSettings = field(default_factory=lambda: FakeSettings(Repository("*")))
    journal: FakeJournal = field(default_factory=FakeJournal)
    locks: FakeLocks = field(default_factory=FakeLocks)


def plan_all(*rules, ports=None, role=None, mode="enforce"):
    return plan_native(policy(*rules, mode=mode), PLACE, role_arn=role, ports=ports or Ports())


def apply(planned, ports, event="native-1"):
    results = apply_native(planned.changes, PLACE, event_id=event, ports=ports)
    return {
        result.change.prefix if result.change.template else result.change.section: result
        for result in results
    }


REGISTRY_RULE = rule(
    "**",
    scanning={"frequency": "scan_on_push"},
    replicate_to={"destinations": ["eu-west-1", "us-east-1"], "backfill": True},
    lifecycle=KEEP,
)


def test_everything_is_written_and_journaled_and_then_nothing_is_left_to_do():
    ports = Ports()
    results = apply(plan_all(REGISTRY_RULE, ports=ports), ports)
    assert {name: result.status for name, result in results.items()} == dict.fromkeys(
        ("ROOT", "scanning", "replicate_to"), Status.APPLIED
    )
    assert results["replicate_to"].said == "backfill to 111111111111/eu-west-1 started"
    assert ports.settings.backfills == [RegistryDestination("eu-west-1", "111111111111")]
    entries = {entry.section: entry for entry in ports.journal.entries.values()}
    assert {section: entry.repository for section, entry in entries.items()} == {
        "creation_template": "ROOT",
        "scanning": "*",
        "replicate_to": "*",
    }
    assert entries["creation_template"].before is None
    assert entries["creation_template"].after == template_json(ports.templates.there["ROOT"])
    assert entries["replicate_to"].before == {"rules": []}
    assert {entry.event_id for entry in entries.values()} == {"native-1"}
    assert ports.journal.done == set(ports.journal.entries) == {each.change_id for each in results.values()}
    assert ports.locks.held == {}
    assert plan_all(REGISTRY_RULE, ports=ports).changes == ()


def test_what_the_policy_needs_not_is_not_read():
    ports = Ports()
    plan_all(rule("**", tags={"deny": ["latest"]}), ports=ports)
    assert (ports.templates.reads, ports.settings.calls) == (0, [])


def test_only_rules_that_ask_for_it_are_backfilled_and_only_where_more_is_replicated():
    ports = Ports()
    ports.settings.rules = (ReplicationRule((RegistryDestination("eu-west-1", "111111111111"),)),)
    planned = plan_all(
        rule("a/**", replicate_to={"destinations": ["eu-west-1", "eu-west-2"], "backfill": True}),
        rule("b/**", replicate_to={"destinations": ["eu-west-3"]}),
        ports=ports,
    )
    assert planned.changes[0].backfill == (RegistryDestination("eu-west-2", "111111111111"),)


def test_a_registrys_type_of_scanning_is_kept_unless_a_rule_overrides():
    ports = Ports()
    ports.settings.registry_scanning = RegistryScanning(type(RegistryScanning().type)("ENHANCED"))
    wanted = {"type": "basic", "frequency": "scan_on_push"}
    kept = plan_all(rule("**", scanning=wanted), ports=ports)
    assert ([each.setting for each in kept.kept], kept.changes) == (["scanning"], ())
    (change,) = plan_all(rule("**", scanning=wanted, override=True), ports=ports).changes
    assert change.after["scanType"] == "BASIC"


def test_what_the_registrys_documents_cannot_hold_is_not_native():
    ports = Ports()
    ports.settings.rules = tuple(
        ReplicationRule((RegistryDestination("eu-west-1", "111111111111"),), (f"{number}/",))
        for number in range(10)
    )
    planned = plan_all(rule("a/**", replicate_to=["eu-west-2"]), ports=ports)
    ((_, prefix, sections, reason),) = said(planned)
    assert (prefix, sections, planned.changes) == ("*", ("replicate_to",), ())
    assert "ECR takes 10" in reason


def test_globs_whose_repositories_get_filters_of_their_own_are_not_native():
    planned = plan_all(rule("prod/**", excluded=["prod/legacy-*"], replicate_to=["eu-west-1"]))
    ((line, prefix, sections, reason),) = said(planned)
    assert (line, prefix, sections, planned.changes) == (4, "*", ("replicate_to",), ())
    assert reason.startswith("no prefix takes just what")


def test_a_backfill_under_way_is_said_and_no_failure_and_one_that_cannot_start_is():
    ports = Ports()
    ports.settings.busy = {"eu-west-1"}
    result = apply(plan_all(REGISTRY_RULE, ports=ports), ports)["replicate_to"]
    assert (result.status, "under way already" in result.said) == (Status.APPLIED, True)
    ports = Ports()
    ports.settings.refused = {"start_backfill"}
    result = apply(plan_all(REGISTRY_RULE, ports=ports), ports)["replicate_to"]
    assert (result.status, "was not started" in result.said) == (Status.FAILED, True)
    assert result.change_id in ports.journal.done


def test_what_somebody_changed_meanwhile_is_skipped():
    ports = Ports()
    planned = plan_all(REGISTRY_RULE, ports=ports)
    ports.templates.there["ROOT"] = CreationTemplate("ROOT")
    ports.settings.rules = (ReplicationRule((RegistryDestination("eu-west-3", "111111111111"),)),)
    results = apply(planned, ports)
    assert results["scanning"].status is Status.APPLIED
    for name in ("ROOT", "replicate_to"):
        assert (results[name].status, "meanwhile" in results[name].said) == (Status.SKIPPED, True)
    assert ports.settings.rules[0].destinations[0].region == "eu-west-3"
    assert len(ports.journal.entries) == 1


def test_another_writers_lock_is_waited_for_and_then_given_up():
    ports = Ports()
    planned = plan_all(REGISTRY_RULE, ports=ports)
    ports.locks.held["111111111111/us-east-1/scanning"] = "another"
    results = apply(planned, ports)
    assert "another writer" in results["scanning"].said
    assert {name for name, result in results.items() if result.status is Status.FAILED} == {"scanning"}
    assert sum(ports.pauses) == 10


@pytest.mark.parametrize(("kind", "is_open"), [("refused", False), ("failing", True)])
def test_one_that_fails_does_not_stop_the_others_and_a_refused_one_leaves_no_entry(kind, is_open):
    ports = Ports()
    setattr(ports.templates, kind, {"dev"})
    rules = (rule("dev/**", "prod/**", tag_mutability=IMMUTABLE), REGISTRY_RULE)
    results = apply(plan_all(*rules[:1], ports=ports), ports)
    assert (results["dev"].status, results["prod"].status) == (Status.FAILED, Status.APPLIED)
    begun = {
        ports.journal.entries[each].repository for each in ports.journal.entries.keys() - ports.journal.done
    }
    assert begun == ({"dev"} if is_open else set())


def test_a_wider_template_is_not_written_while_a_narrower_one_is_missing_whose_names_it_would_take():
    ports = Ports()
    ports.templates.refused = {"dev"}
    results = apply(plan_all(rule("dev/**", lifecycle={"keep_last": 99}), REGISTRY_RULE, ports=ports), ports)
    assert results["dev"].status is Status.FAILED
    assert (results["ROOT"].status, "dev" in results["ROOT"].said) == (Status.SKIPPED, True)
    assert results["scanning"].status is Status.APPLIED
    ports.templates.refused = set()
    results = apply(
        plan_all(rule("dev/**", lifecycle={"keep_last": 99}), REGISTRY_RULE, ports=ports), ports, "native-2"
    )
    assert {result.status for result in results.values()} == {Status.APPLIED}
    assert ports.templates.written == ["dev", "ROOT"]
