"""What people are told of a sweep: once, with what differs, and what to do."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import NOW
from tests.sweep_world import HERE, World, digest, judged, sweep_policy

from ecr_warden.domain.content import content
from ecr_warden.domain.messages import Message
from ecr_warden.domain.outcomes import SettingStatus
from ecr_warden.domain.places import REGISTRY, Place
from ecr_warden.domain.routing import routed
from ecr_warden.domain.settings.native import REGISTRY as WHOLE
from ecr_warden.domain.sweep.judgements import Standing
from ecr_warden.domain.sweep.outcomes import drift_outcome, finished_outcome
from ecr_warden.domain.sweep.summary import RunSummary, Unseen
from ecr_warden.domain.sweep.visits import Repair, RepairStatus

SUMMARY = RunSummary(
    "run-1",
    NOW,
    NOW + timedelta(hours=1),
    places=("123456789012/eu-west-1", "222222222222/eu-west-1"),
    repositories=1234,
    standings={"compliant": 1200, "differs": 3},
)


def a_visit(*sections, mode="audit", tags=()):
    world = World()
    world.add("team/app", tags={"team": "shop"})
    for number, tag in enumerate(tags):
        world.registry.push("team/app", digest(number), tag)
    return judged(world, sweep_policy(*sections, mode=mode), "team/app")


def told(visit, repairs=(), run="run-1"):
    return drift_outcome(visit, repairs, run=run, event_time=NOW)


MUTABILITY, LIFECYCLE = "tag_mutability: {immutable: true}", "lifecycle: {keep_last: 30}"
DENIED = 'tags: {deny: ["x*"], on_violation: quarantine, severity: critical}'


def test_a_repository_that_is_well_is_not_told_of():
    assert told(a_visit()) is None


def test_all_that_differs_is_one_outcome_that_says_from_what_to_what_by_which_rule():
    outcome = told(a_visit(MUTABILITY, LIFECYCLE))
    assert [(one.section, one.status) for one in outcome.settings] == [
        ("tag_mutability", SettingStatus.WOULD_CHANGE),
        ("lifecycle", SettingStatus.WOULD_CHANGE),
    ]
    assert "tag mutability MUTABLE → IMMUTABLE; lifecycle policy none → " in outcome.reason
    assert (outcome.rule.line, outcome.mode, outcome.severity) == (6, "audit", "low")
    assert outcome.next_step == "Set the rule's mode to enforce if this is what you want."
    assert outcome.owner == "shop"


@given(st.sampled_from([(MUTABILITY,), (MUTABILITY, LIFECYCLE), (DENIED,)]), st.text("abc", min_size=1))
def test_what_is_only_found_has_one_id_in_every_run_and_another_in_every_registry(sections, run):
    visit = a_visit(*sections, tags=("x1",))
    one = told(visit, run=run)
    assert told(visit, run="another").id == one.id
    elsewhere = Place("222222222222", "eu-west-1")
    assert told(replace(visit, place=elsewhere), run=run).id != one.id


def test_other_drift_has_another_id():
    ids = [told(a_visit(*sections)).id for sections in ([MUTABILITY], [LIFECYCLE], [MUTABILITY, LIFECYCLE])]
    assert len(set(ids)) == len(ids)


def test_what_was_repaired_is_told_of_each_run_with_how_to_take_it_back():
    visit = a_visit(MUTABILITY, mode="enforce")
    repairs = [Repair(visit.judgements[0], RepairStatus.CHANGED, change_id="c1")]
    outcome = told(visit, repairs)
    assert (outcome.decision, outcome.changed, outcome.change_ids) == ("repaired", True, ("c1",))
    assert "`ecr-warden undo c1` takes it back" in outcome.next_step
    assert outcome.reason.startswith("Changed: tag mutability MUTABLE → IMMUTABLE")
    assert told(visit, repairs, run="run-2").id != outcome.id
    assert outcome.event_id == f"run-1 {HERE}"


@pytest.mark.parametrize("status", [RepairStatus.ALREADY, RepairStatus.GONE, RepairStatus.SKIPPED])
def test_what_needed_no_repair_any_more_is_no_news(status):
    visit = a_visit(MUTABILITY, mode="enforce")
    assert told(visit, [Repair(visit.judgements[0], status)]) is None


def test_fewer_failures_at_another_try_of_the_run_are_news():
    visit = a_visit(MUTABILITY, LIFECYCLE, mode="enforce")
    first, second = visit.judgements
    both = [Repair(one, RepairStatus.FAILED, "AccessDenied") for one in (first, second)]
    one = [both[0], Repair(second, RepairStatus.CHANGED, change_id="c2")]
    assert told(visit, both).severity == "high"
    assert told(visit, both).id == told(visit, both).id != told(visit, one).id


def unread(visit):
    found = [
        replace(one, standing=Standing.UNREAD, what=f"{one.section} could not be read: AccessDenied")
        for one in visit.judgements
    ]
    return replace(visit, judgements=tuple(found))


def test_what_cannot_be_read_is_told_once_and_not_each_night():
    visit = unread(a_visit(LIFECYCLE, mode="enforce"))
    outcome = told(visit)
    assert (outcome.decision, outcome.severity, outcome.changed) == ("failed", "high", False)
    assert told(visit, run="run-2").id == outcome.id
    elsewhere = replace(visit, place=Place("222222222222", "eu-west-1"))
    assert told(elsewhere).id != outcome.id
    assert told(unread(a_visit(LIFECYCLE, MUTABILITY))).id != outcome.id


def test_a_repair_that_failed_is_told_each_run_whatever_could_not_be_read():
    visit = a_visit(MUTABILITY, mode="enforce")
    repairs = [Repair(visit.judgements[0], RepairStatus.FAILED, "AccessDenied")]
    assert told(unread(visit), repairs).id != told(unread(visit), repairs, run="run-2").id


def test_many_tags_are_counted_and_the_first_are_named_with_their_digests():
    outcome = told(a_visit(DENIED, tags=[f"x{number}" for number in range(9)]))
    (tags,) = outcome.settings
    assert tags.what.startswith("9 tags quarantined: x0 (sha256:000000000000); x1 (")
    assert tags.what.endswith("; and 4 more")
    assert outcome.severity == "critical"


def test_the_changes_of_ten_thousand_tags_still_fit_on_the_bus():
    visit = a_visit(DENIED, mode="enforce", tags=[f"x{number}" for number in range(300)])
    repairs = [
        Repair(one, RepairStatus.CHANGED, change_id=f"{number:032}")
        for number, one in enumerate(visit.judgements)
    ]
    outcome = told(visit, repairs)
    assert len(outcome.change_ids) == 100
    assert "`ecr-warden undo --run run-1`" in outcome.next_step


def test_the_end_of_a_run_says_the_numbers_and_where_the_report_is():
    outcome = finished_outcome(SUMMARY, home=HERE, report="s3://reports/runs/run-1/report.html")
    assert (outcome.decision, outcome.severity, outcome.repository) == ("complete", "info", REGISTRY)
    assert "1,234 repositories were compared with the policy in 2 registries." in outcome.reason
    assert "1,200 as the policy wants it, 3 otherwise" in outcome.reason
    assert outcome.next_step == (
        "The report: https://eu-west-1.console.aws.amazon.com/s3/object/reports?region=eu-west-1"
        "&prefix=runs/run-1/report.html"
    )


def test_a_partial_run_says_what_was_not_looked_at_and_why_and_how_much_more():
    unseen = tuple(
        Unseen("222222222222/eu-west-1", f"batch {number}", "AccessDenied", 50) for number in range(7)
    )
    outcome = finished_outcome(replace(SUMMARY, unseen=unseen), home=HERE, report=None)
    assert (outcome.decision, outcome.severity) == ("partial", "high")
    assert (
        "Not looked at: batch 0 in 222222222222/eu-west-1 (50 repositories): AccessDenied" in outcome.reason
    )
    assert "and 2 more" in outcome.reason


def test_of_a_run_that_did_not_see_everything_it_is_not_said_that_nothing_was_changed():
    assert "Nothing was changed." in finished_outcome(SUMMARY, home=HERE, report=None).reason
    unseen = (Unseen(str(HERE), "batch 1 of 1", "no answer", 50),)
    outcome = finished_outcome(replace(SUMMARY, unseen=unseen), home=HERE, report=None)
    assert "Nothing was changed" not in outcome.reason
    assert "`ecr-warden history --run run-1`" in outcome.next_step


def test_a_run_with_a_failed_change_is_partial_and_says_where_the_reasons_are():
    outcome = finished_outcome(replace(SUMMARY, repairs={"failed": 1, "changed": 2}), home=HERE, report=None)
    assert outcome.decision == "partial"
    assert "The 1 change that failed is in messages of their own" not in outcome.next_step
    assert "1 change failed" in outcome.next_step
    assert "`ecr-warden undo --run run-1`" in outcome.next_step


def test_a_run_has_one_id_however_often_its_end_is_told():
    first, second = (finished_outcome(SUMMARY, home=HERE, report=report) for report in (None, "s3://a/b"))
    assert first.id == second.id
    assert finished_outcome(replace(SUMMARY, run="run-2"), home=HERE, report=None).id != first.id


def test_messages_of_the_whole_registry_name_no_repository_and_link_to_the_registry():
    outcome = finished_outcome(SUMMARY, home=HERE, report=None)
    said = content(Message((outcome,)))
    assert said.headline == "Sweep finished"
    assert said.link.endswith("/ecr/private-registry/repositories?region=eu-west-1")
    partial = replace(outcome, decision="partial")
    assert content(Message((partial,))).headline == "Sweep is partial"
    assert WHOLE == REGISTRY


@pytest.mark.parametrize(
    ("decision", "headline"),
    [
        ("repaired", "Drift repaired: team/app"),
        ("failed", "Drift could not be repaired: team/app"),
        ("would_repair", "Drift found: team/app"),
    ],
)
def test_the_headline_says_whether_drift_was_repaired(decision, headline):
    outcome = replace(told(a_visit(MUTABILITY)), decision=decision)
    assert content(Message((outcome,))).headline == headline


def test_what_is_of_the_registry_goes_where_everything_goes_and_to_no_route_of_repositories():
    policy = sweep_policy(
        MUTABILITY,
        more="channels:\n  all: {type: sns}\n  shop: {type: slack, secret: a}\n"
        "routes:\n  - {repositories: ['shop/**'], to: [shop]}\n  - {to: [all]}\n",
    )
    outcome = finished_outcome(SUMMARY, home=HERE, report=None)
    assert [one.channel.name for one in routed(policy, outcome)] == ["all"]
