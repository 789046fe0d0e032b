"""What comes of events about an image's scan: what people hear, once, and what the registry is then."""

import contextlib
import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import NOW, Counter, FaultError, Faulty
from tests.scan_world import (
    DIGEST,
    SCANNED,
    Story,
    a_coverage,
    a_finding,
    a_finding_event,
    a_policy,
    a_scan,
)

from ecr_warden.domain.findings import Package, Scan
from ecr_warden.domain.images import Manifest
from ecr_warden.domain.policy import Mode, ScanAction, Severity
from ecr_warden.domain.scan_state import ImageState
from ecr_warden.errors import AwsError, NotReadyError, RefusedError
from ecr_warden.use_cases.judge_scan import HELD, judge_scan

ONE, TWO = a_finding("CVE-2026-1"), a_finding("CVE-2026-2")
HIGH = a_finding("CVE-2026-3", "high")
EARLIER = SCANNED - timedelta(days=1)
LATER = SCANNED + timedelta(minutes=3)


@pytest.fixture
def story():
    return Story()


# ---------------------------------------------------------------- what fails, and what is said


def test_a_scan_that_passes_by_its_counts_costs_no_call_of_ecr(story):
    judged = story.judge(a_scan(HIGH, HIGH))
    assert judged.decision == "Passed"
    assert story.told == []
    assert story.ports.scans.reads == 0


def test_a_scan_that_fails_names_the_worst_findings_and_what_to_do(story):
    openssl = replace(
        ONE, packages=(Package("openssl", "3.0.1", "3.0.9"),), url="https://cve.example/1", fix_available=True
    )
    story.ports.registry.labels = {"owner": "shop", "team": "payments"}
    story.finds(HIGH, TWO, openssl)
    story.judge(a_scan(HIGH, TWO, openssl))
    (outcome,) = story.told
    assert (outcome.kind, outcome.decision, outcome.severity) == ("image_vulnerable", "failed", "critical")
    assert (outcome.repository, outcome.image_digest, outcome.image_tag) == ("team/app", DIGEST, "1.0")
    assert (outcome.rule.line, outcome.action, outcome.changed) == (9, "notify", False)
    assert outcome.owner == "payments"
    assert outcome.findings.counts == {"critical": 2, "high": 1}
    assert outcome.findings.counted == {"critical": 2}
    assert outcome.findings.allowed == {"critical": 0}
    assert [found.id for found in outcome.findings.worst] == ["CVE-2026-1", "CVE-2026-2"]
    worst = outcome.findings.worst[0]
    assert (worst.package, worst.installed_version, worst.fixed_version) == ("openssl", "3.0.1", "3.0.9")
    assert worst.url == "https://cve.example/1"
    assert outcome.reason.startswith("team/app:1.0 fails the scan gate: 2 critical (0 allowed).")
    assert outcome.next_step.startswith("Update openssl to 3.0.9 (CVE-2026-1)")


def test_a_repository_without_a_gate_is_left_alone(story):
    story.policy = replace(story.policy, rules=())
    assert story.judge(a_scan(ONE)).decision == "NotJudged"
    assert story.ports.states.reads == 0


def test_an_exempt_repository_is_left_alone(story):
    story.ports.registry.labels = {"ecr-warden:exempt": "scan_gate"}
    story.finds(ONE)
    assert story.judge(a_scan(ONE)).decision == "Exempt"
    assert story.told == []


@pytest.mark.parametrize("gone", ["image", "repository"])
def test_a_scan_of_what_is_gone_is_no_trouble(story, gone):
    if gone == "image":
        del story.ports.scans.scans[DIGEST]
    else:
        story.finds(ONE)
        del story.ports.registry.images["team/app"]
    assert story.judge(a_scan(ONE)).decision == "Gone"
    assert story.told == []


OLD_SCAN = Scan("COMPLETE", completed_at=EARLIER, counts={})


@pytest.mark.parametrize(
    ("gate", "listed"),
    [({}, OLD_SCAN), ({"fixable_only": True}, OLD_SCAN), ({"fixable_only": True}, Scan("PENDING"))],
    ids=["an older scan", "an older scan, by fix", "none yet, by fix"],
)
def test_what_a_basic_scan_found_is_waited_for_until_ecr_lists_it(gate, listed):
    story = Story(**gate)
    story.ports.scans.scans[DIGEST] = listed
    with pytest.raises(NotReadyError):
        story.judge(a_scan(ONE))
    assert story.told == []
    story.finds(ONE)
    story.judge(a_scan(ONE))
    story.judge(a_scan(ONE))
    assert story.kinds == ["image_vulnerable"]


def test_the_events_numbers_are_believed_where_ecr_has_no_findings_at_all(story):
    story.ports.scans.scans[DIGEST] = Scan("NOT_FOUND")
    story.judge(a_scan(ONE, ONE))
    story.judge(a_scan(ONE, ONE))
    (outcome,) = story.told
    assert outcome.findings.counted == {"critical": 2}
    assert outcome.findings.worst == ()
    assert "Which ones they are is not known" in outcome.reason


@pytest.mark.parametrize("scanner", ["ECR Image Scan", "Inspector2 Scan"])
def test_an_old_event_is_outranked_by_what_the_registry_lists_now(story, scanner):
    story.finds(at=SCANNED - timedelta(days=1), status="ACTIVE")
    assert story.judge(a_scan(ONE, at=NOW - timedelta(hours=1), scanner=scanner)).decision == "Passed"


def test_inspector_is_asked_where_ecr_has_not_caught_up_with_it(story):
    story.finds(at=SCANNED - timedelta(days=1), status="ACTIVE")
    story.ports.scans.inspector = [ONE]
    story.judge(a_scan(ONE, scanner="Inspector2 Scan"))
    story.judge(a_scan(ONE, scanner="Inspector2 Scan"))
    (outcome,) = story.told
    assert [worst.id for worst in outcome.findings.worst] == ["CVE-2026-1"]


def test_a_scan_whose_findings_are_suppressed_passes(story):
    story.finds(at=SCANNED - timedelta(days=1), status="ACTIVE")
    story.ports.scans.inspector = [replace(ONE, is_active=False)]
    assert story.judge(a_scan(ONE, scanner="Inspector2 Scan")).decision == "Passed"


def test_findings_that_inspector_does_not_list_yet_are_waited_for(story):
    story.finds(at=SCANNED - timedelta(days=1), status="ACTIVE")
    with pytest.raises(NotReadyError):
        story.judge(a_scan(ONE, scanner="Inspector2 Scan"))


def test_a_newer_scan_in_the_registry_is_believed_instead(story):
    story.finds(at=LATER)
    assert story.judge(a_scan(ONE)).decision == "Passed"
    assert story.told == []


def test_a_pass_is_not_believed_while_the_registry_lists_what_failed(story):
    story.finds(ONE)
    story.judge(a_scan(ONE))
    with pytest.raises(NotReadyError):
        story.judge(a_scan(at=LATER, event="scan-2"))
    story.finds(at=LATER)
    story.judge(a_scan(at=LATER, event="scan-2"))
    assert story.kinds == ["image_vulnerable", "image_recovered"]


def test_an_archived_image_has_not_recovered_whatever_its_scan_says(story):
    story.finds(ONE)
    story.judge(a_scan(ONE))
    story.ports.storage.archive("team/app", DIGEST)
    story.ports.scans.archived = set()
    story.finds(at=LATER)
    assert story.judge(a_finding_event(ONE, "CLOSED", LATER)).decision == "Archived"
    assert story.kinds == ["image_vulnerable"]


def test_an_archived_image_is_never_said_to_have_recovered(story):
    story.finds(ONE)
    story.judge(a_scan(ONE))
    story.ports.scans.scans[DIGEST] = Scan("IMAGE_ARCHIVED")
    story.ports.scans.found[DIGEST] = []
    assert story.judge(a_finding_event(ONE, "CLOSED", LATER)).decision == "Archived"
    assert story.kinds == ["image_vulnerable"]


def test_an_event_without_counts_is_judged_by_the_registry(story):
    story.finds(ONE)
    story.judge(replace(a_scan(), counts=None))
    assert story.kinds == ["image_vulnerable"]


def test_an_event_from_the_future_hides_nothing_that_follows(story):
    story.ports.scans.scans[DIGEST] = Scan("NOT_FOUND")
    story.judge(a_scan(ONE, at=NOW + timedelta(days=300)))
    story.ports.time = NOW + timedelta(hours=1)
    story.judge(a_scan(ONE, TWO, at=NOW + timedelta(minutes=30), event="scan-2"))
    assert story.kinds == ["image_vulnerable", "image_vulnerable"]


def test_a_severity_that_nobody_knows_is_no_clean_bill(story):
    odd = a_finding("CVE-2026-9", "severe")
    story.finds(odd)
    story.judge(a_scan(odd))
    (outcome,) = story.told
    assert outcome.severity is Severity.CRITICAL
    assert "1 of the unknown severity severe" in outcome.reason


# ---------------------------------------------------------------- Inspector's findings


def test_a_finding_that_does_not_count_costs_no_call_of_ecr(story):
    assert story.judge(a_finding_event(HIGH)).decision == "NotCounted"
    assert story.ports.scans.reads == 0


def test_a_new_finding_of_an_image_that_passed_is_told(story):
    story.finds(HIGH, ONE, status="ACTIVE")
    story.judge(a_finding_event(ONE))
    assert story.kinds == ["image_vulnerable"]
    assert story.told[0].findings.counts == {"critical": 1, "high": 1}


def test_a_finding_that_ecr_does_not_list_yet_counts_if_inspector_has_it(story):
    story.finds(HIGH, status="ACTIVE", at=EARLIER)
    story.ports.scans.inspector = [ONE]
    story.judge(a_finding_event(ONE))
    assert story.told[0].findings.counted == {"critical": 1}
    assert story.told[0].findings.counts == {"critical": 1, "high": 1}


def test_a_finding_more_of_an_image_that_fails_is_told_even_before_ecr_lists_it():
    story = Story()
    many = [a_finding(f"CVE-2025-{number}") for number in range(7)]
    story.finds(*many, status="ACTIVE", at=EARLIER)
    story.judge(a_finding_event(many[0]))
    story.ports.scans.inspector = [ONE]
    story.judge(a_finding_event(ONE, event="finding-2"))
    story.judge(a_finding_event(many[1], event="finding-3"))
    assert len(story.told) == 2
    assert story.told[1].findings.changes.new_ids == ("critical CVE-2026-1",)


def test_a_finding_that_was_closed_since_is_no_news(story):
    story.finds(HIGH, status="ACTIVE", at=EARLIER)
    story.ports.scans.inspector = [replace(ONE, is_active=False)]
    assert story.judge(a_finding_event(ONE)).decision == "Passed"
    assert story.told == []


def test_a_fresh_finding_that_nobody_lists_is_waited_for_and_an_old_one_is_no_more(story):
    story.finds(HIGH, status="ACTIVE", at=EARLIER)
    with pytest.raises(NotReadyError, match="lists CVE-2026-1 otherwise"):
        story.judge(a_finding_event(ONE))
    assert story.judge(a_finding_event(ONE, at=NOW - timedelta(hours=1))).decision == "Passed"


def test_a_finding_whose_packages_change_is_one_finding():
    story = Story(limits={"critical": 1})
    story.finds(replace(ONE, packages=(Package("a"),)), status="ACTIVE", at=EARLIER)
    wider = replace(ONE, packages=(Package("a"), Package("b")))
    story.ports.scans.inspector = [wider]
    assert story.judge(a_finding_event(wider)).decision == "Passed"


@pytest.mark.parametrize("status", ["CLOSED", "SUPPRESSED"])
def test_the_last_finding_that_goes_lets_the_image_pass_again(story, status):
    story.finds(ONE, status="ACTIVE", at=EARLIER)
    story.judge(a_finding_event(ONE))
    # ECR lists it still; Inspector does not.
    story.ports.scans.inspector = [replace(ONE, is_active=False)]
    story.judge(a_finding_event(ONE, status, LATER, "finding-2"))
    story.judge(a_finding_event(ONE, status, LATER, "finding-2"))
    assert story.kinds == ["image_vulnerable", "image_recovered"]
    assert story.told[1].findings.changes.fixed_ids == ("critical CVE-2026-1",)


def test_a_finding_that_is_less_severe_now_lets_the_image_pass_again(story):
    lowered = replace(ONE, severity="low")
    story.finds(ONE, status="ACTIVE", at=EARLIER)
    story.judge(a_finding_event(ONE))
    # ECR lists it as it was; Inspector knows better.
    story.ports.scans.inspector = [lowered]
    story.judge(a_finding_event(lowered, at=LATER, event="finding-2"))
    story.finds(lowered, status="ACTIVE", at=EARLIER)
    story.judge(a_finding_event(ONE, event="finding-1"))
    assert story.kinds == ["image_vulnerable", "image_recovered"]


@pytest.mark.parametrize("status", ["FINDINGS_UNAVAILABLE", "SCAN_ELIGIBILITY_EXPIRED", "NOT_FOUND"])
def test_where_ecr_has_no_findings_what_goes_changes_nothing_and_what_comes_is_waited_for(story, status):
    story.finds(ONE)
    story.judge(a_scan(ONE))
    story.ports.scans.scans[DIGEST] = Scan(status)
    story.ports.scans.found[DIGEST] = []
    assert story.judge(a_finding_event(ONE, "CLOSED", LATER)).decision == "NotJudged"
    with pytest.raises(NotReadyError):
        story.judge(a_finding_event(TWO))
    assert story.kinds == ["image_vulnerable"]


def test_a_finding_that_is_more_severe_now_is_told():
    """Scores change: what was high yesterday may be critical today."""
    story = Story(limits={"critical": 0, "high": 5})
    high = a_finding("CVE-2026-1", "high")
    story.finds(high, status="ACTIVE", at=EARLIER)
    story.judge(a_finding_event(high))
    assert story.told == []
    # Inspector knows it first, ECR later.
    story.ports.scans.inspector = [ONE]
    story.judge(a_finding_event(ONE, at=LATER, event="finding-2"))
    story.finds(ONE, status="ACTIVE", at=EARLIER)
    story.judge(a_finding_event(ONE, at=LATER, event="finding-2"))
    assert story.kinds == ["image_vulnerable"]
    assert story.told[0].findings.changes.new_ids == ("critical CVE-2026-1",)


def test_a_finding_too_many_that_ecr_does_not_list_yet_is_not_passed_over():
    story = Story(limits={"critical": 12})
    many = [a_finding(f"CVE-2025-{number}") for number in range(12)]
    story.finds(*many, status="ACTIVE", at=EARLIER)
    story.ports.scans.page = 6
    story.ports.scans.inspector = [ONE]
    story.judge(a_finding_event(ONE))
    assert story.kinds == ["image_vulnerable"]


@pytest.mark.parametrize("scanner", ["ECR Image Scan", "Inspector2 Scan"])
def test_what_is_new_of_a_rescan_is_not_lost_while_ecr_lists_the_scan_before(story, scanner):
    story.finds(ONE, status="ACTIVE", at=EARLIER)
    story.judge(a_scan(ONE, scanner=scanner))
    story.ports.scans.inspector = [TWO] if scanner == "Inspector2 Scan" else []
    rescan = a_scan(ONE, TWO, at=LATER, event="scan-2", scanner=scanner)
    if scanner == "ECR Image Scan":
        with pytest.raises(NotReadyError):
            story.judge(rescan)
        story.finds(ONE, TWO, at=LATER)
    story.judge(rescan)
    assert [told.findings.counted for told in story.told] == [{"critical": 1}, {"critical": 2}]


def test_a_filtered_gate_that_passes_after_a_page_is_no_contradiction():
    story = Story(exploitable_only=True)
    unknown = [replace(a_finding(f"CVE-2025-{number}"), exploit_available=False) for number in range(6)]
    low = [a_finding(f"CVE-2024-{number}", "low") for number in range(6)]
    story.finds(*unknown, *low)
    story.ports.scans.page = 6
    assert story.judge(a_scan(*unknown, *low)).decision == "Passed"


def test_an_event_that_waited_for_days_is_not_tried_for_ever():
    story, then = Story(fixable_only=True), NOW - timedelta(days=9)
    story.ports.scans.scans[DIGEST] = Scan("SCAN_ELIGIBILITY_EXPIRED")
    assert story.judge(a_finding_event(ONE, at=then)).decision == "NotJudged"
    story.ports.scans.scans[DIGEST] = Scan("NOT_FOUND")
    assert story.judge(replace(a_scan(at=then), counts=None)).decision == "NotJudged"
    assert story.judge(a_scan(ONE, at=then)).decision == "Failed"


def test_findings_of_a_failing_image_that_do_not_count_cost_no_call_of_ecr(story):
    story.finds(ONE, HIGH, status="ACTIVE")
    story.judge(a_finding_event(ONE))
    reads = story.ports.scans.reads
    assert story.judge(a_finding_event(HIGH)).decision == "Known"
    assert story.judge(a_finding_event(HIGH, "CLOSED", LATER)).decision == "Known"
    assert story.ports.scans.reads == reads


def test_a_passing_image_whose_findings_are_known_is_not_read_for_each_of_them():
    story = Story(limits={"critical": 5})
    story.finds(ONE, TWO, status="ACTIVE")
    story.judge(a_finding_event(ONE))
    reads = story.ports.scans.reads
    assert story.judge(a_finding_event(TWO)).decision == "Known"
    assert story.ports.scans.reads == reads


# ---------------------------------------------------------------- once


def test_a_rescan_with_nothing_new_says_nothing(story):
    story.finds(ONE)
    story.judge(a_scan(ONE))
    story.finds(ONE, at=LATER)
    assert story.judge(a_scan(ONE, at=LATER, event="scan-2")).decision == "Known"
    assert story.kinds == ["image_vulnerable"]


def test_a_rescan_with_less_that_still_fails_says_nothing_and_one_with_more_does(story):
    story.finds(ONE, TWO)
    story.judge(a_scan(ONE, TWO))
    story.finds(TWO, at=LATER)
    story.judge(a_scan(TWO, at=LATER))
    assert len(story.told) == 1
    story.finds(ONE, TWO, HIGH, at=LATER + timedelta(minutes=1))
    story.judge(a_scan(ONE, TWO, HIGH, at=LATER + timedelta(minutes=1)))
    changes = story.told[1].findings.changes
    assert (changes.new, changes.fixed, changes.still_there) == (1, 0, 1)
    assert (changes.new_ids, changes.compared_with) == (
        ("critical CVE-2026-1",),
        "the last scan of this image",
    )


def test_a_first_failure_is_compared_with_the_image_pushed_before(story):
    old, older = "sha256:" + "01" * 32, "sha256:" + "02" * 32
    story.ports.storage.add(older, "0.8", pushed_at=NOW - timedelta(days=3))
    story.ports.storage.add(old, "0.9", pushed_at=NOW - timedelta(days=1))
    story.finds(TWO, a_finding("CVE-2025-7"), digest=old)
    story.finds(ONE, TWO)
    story.judge(a_scan(ONE, TWO))
    changes = story.told[0].findings.changes
    assert changes.compared_with == "the image pushed before it, 0.9"
    assert (changes.new_ids, changes.fixed_ids, changes.still_there) == (
        ("critical CVE-2026-1",),
        ("critical CVE-2025-7",),
        1,
    )


@pytest.mark.parametrize("trouble", ["too many images", "the image before is gone", "was never scanned"])
def test_no_comparison_is_made_where_there_is_nothing_to_compare_with(story, trouble):
    old = "sha256:" + "01" * 32
    story.ports.storage.add(old, "0.9", pushed_at=NOW - timedelta(days=1))
    story.ports.storage.is_too_large = trouble == "too many images"
    if trouble == "was never scanned":
        story.ports.scans.scans[old] = Scan("NOT_FOUND")
    story.finds(ONE)
    story.judge(a_scan(ONE))
    assert story.told[0].findings.changes is None
    assert "Compared" not in story.told[0].reason


def test_a_gate_that_passes_again_says_so_once(story):
    story.finds(ONE)
    story.judge(a_scan(ONE))
    story.finds(at=LATER)
    for event in ("scan-2", "scan-2", "scan-3"):
        story.judge(a_scan(at=LATER, event=event))
    assert story.kinds == ["image_vulnerable", "image_recovered"]
    assert story.told[1].severity is Severity.INFO


def test_the_same_failure_after_a_recovery_is_told_again(story):
    for found in ((ONE,), (), (ONE,)):
        at = SCANNED + timedelta(minutes=len(story.told))
        story.finds(*found, at=at)
        story.judge(a_scan(*found, at=at))
    assert story.kinds == ["image_vulnerable", "image_recovered", "image_vulnerable"]


def test_another_judgement_in_between_is_looked_at_again(story):
    story.finds(ONE)
    story.ports.states.races = [ImageState(version=1, has_failed=True, as_of=SCANNED, marks=(ONE.mark,))]
    story.judge(a_scan(ONE))
    assert story.told == []


def test_judgements_that_never_end_in_between_are_tried_again_later(story):
    story.finds(ONE)
    story.ports.states.races = [ImageState(version=version) for version in range(10, 30)]
    with pytest.raises(AwsError, match="at the same time"):
        story.judge(a_scan(ONE))


# ---------------------------------------------------------------- several at once


def dying(port="storage", call=2, **gate):
    """Give a story in which the handling of the event scan-1 died before it was done and told."""
    story = Story(**{"on_failure": ScanAction.QUARANTINE, **gate})
    story.finds(ONE)
    faulty = {port: Faulty(getattr(story.ports, port), Counter(call))}
    with pytest.raises(FaultError):
        judge_scan(a_scan(ONE), policy=story.policy, ports=replace(story.ports, **faulty))
    (state,) = story.ports.states.states.values()
    assert state.untold is not None
    return story


def test_others_leave_what_is_being_told_to_the_event_that_began_it():
    story = dying()
    searches = []
    story.ports.usage.who_uses = lambda *_: searches.append(1) or ()
    for number in range(50):
        assert story.judge(a_finding_event(ONE, event=f"finding-{number}")).decision == "Known"
    assert (story.told, searches) == ([], [])
    story.judge(a_scan(ONE))
    assert story.kinds == ["image_vulnerable"]
    assert len(searches) == 1


def test_something_new_waits_until_what_is_being_told_is_told():
    story = dying("publisher", 1, on_failure=ScanAction.NOTIFY)
    story.finds(ONE, TWO, at=LATER)
    with pytest.raises(AwsError, match="is being told"):
        story.judge(a_scan(ONE, TWO, at=LATER, event="scan-2"))
    story.judge(a_scan(ONE))
    story.judge(a_scan(ONE, TWO, at=LATER, event="scan-2"))
    assert story.kinds == ["image_vulnerable", "image_vulnerable"]


def test_what_one_left_that_will_not_come_back_is_told_by_the_next():
    story = dying()
    story.ports.time = NOW + HELD
    story.judge(a_finding_event(HIGH))
    assert story.kinds == ["image_vulnerable"]
    assert story.ports.storage.archived == {DIGEST}


@pytest.mark.parametrize(
    "policy",
    [
        a_policy(on_failure=ScanAction.NOTIFY),
        a_policy(mode=Mode.AUDIT, on_failure=ScanAction.QUARANTINE),
        replace(a_policy(), rules=(replace(a_policy().rules[0], match=("other/**",)),)),
    ],
    ids=["it only tells now", "it only audits now", "no rule has a gate for it now"],
)
def test_what_the_policy_does_not_ask_for_any_more_is_not_begun_but_told(policy):
    story = dying()
    story.policy = policy
    story.judge(a_scan(ONE))
    (outcome,) = story.told
    assert story.ports.storage.archived == set()
    assert "by now the image passes, or the policy does not ask for it" in outcome.reason


@pytest.mark.parametrize("why", ["it passes", "it is exempt", "the limit is another"])
def test_what_was_decided_days_ago_is_not_begun_if_the_image_need_not_go(why):
    story = dying()
    story.ports.time = NOW + timedelta(days=5)
    if why == "it passes":
        story.finds(at=NOW + timedelta(days=1))
    elif why == "it is exempt":
        story.ports.registry.labels = {"ecr-warden:exempt": "scan_gate"}
    else:
        story.policy = a_policy(limits={"critical": 3}, on_failure=ScanAction.QUARANTINE)
    story.judge(a_scan(ONE))
    assert story.ports.storage.archived == set()
    assert not story.told[0].changed


def test_only_one_takes_over_what_another_left():
    story = dying()
    story.ports.time = NOW + HELD
    searches = []
    story.ports.usage.who_uses = lambda *_: searches.append(1) or ()
    publisher = story.ports.publisher
    story.ports.publisher = Faulty(publisher, Counter(1))
    with pytest.raises(FaultError):
        story.judge(a_finding_event(HIGH, event="finding-1"))
    story.ports.publisher = publisher
    for number in range(2, 9):
        story.judge(a_finding_event(HIGH, event=f"finding-{number}"))
    assert (len(searches), story.told) == (1, [])
    story.judge(a_finding_event(HIGH, event="finding-1"))
    assert story.kinds == ["image_vulnerable"]


def test_what_was_done_before_the_policy_changed_is_told():
    story = dying("publisher", 1)
    story.policy = a_policy(mode=Mode.AUDIT)
    story.judge(a_scan(ONE))
    assert story.told[0].changed
    assert f"ecr-warden undo {story.told[0].change_ids[0]}" in story.told[0].next_step


# ---------------------------------------------------------------- every order, every fault

FACTS = {
    "fails": [ONE, HIGH],
    "fails more": [ONE, TWO],
    "fails less": [replace(ONE, severity="low"), TWO],
    "passes": [HIGH],
    "is clean": [],
}


def story_of(found, **gate):
    story = Story(**gate)
    story.finds(*found, status="ACTIVE", at=LATER)
    return story


def events_about(first, then):
    """Give a scan, a rescan, and an event for each finding that came or went."""
    gone = [finding for finding in first if finding not in then]
    return [
        a_scan(*first, event="scan"),
        a_scan(*then, at=LATER, event="rescan"),
        *(a_finding_event(finding, event=f"{finding.id} came") for finding in {*first, *then}),
        *(a_finding_event(finding, "CLOSED", LATER, f"{finding.id} went") for finding in gone),
    ]


@pytest.mark.parametrize("gate", [{}, {"fixable_only": True}, {"on_failure": ScanAction.QUARANTINE}], ids=str)
@pytest.mark.parametrize("then", FACTS)
@pytest.mark.parametrize("first", FACTS)
def test_every_order_of_events_ends_with_the_same_state_and_messages(first, then, gate):
    """Each order, and each event twice: the registry is the truth, events are hints."""
    ends = set()
    events = events_about(FACTS[first], FACTS[then])[:5]
    for order in itertools.permutations(events):
        story = story_of(FACTS[then], **gate)
        for event in (*order, *order):
            story.judge(event)
        (state,) = story.ports.states.states.values() or (ImageState(),)
        messages = frozenset((told.id, told.kind, told.reason, told.findings.changes) for told in story.told)
        ends.add((messages, state.has_failed, state.marks, frozenset(story.ports.storage.archived)))
    # What a passing image is remembered of depends on who asked, and is told to nobody.
    ends = {
        (messages, failed, marks if failed else None, archived) for messages, failed, marks, archived in ends
    }
    assert len(ends) == 1


def replayed(after_effect, fails_at=None):
    """Judge an event with a fault, and then again without one."""
    story = Story(on_failure=ScanAction.QUARANTINE)
    story.ports.storage.add("sha256:child", children=None)
    story.ports.storage.add(DIGEST, "1.0", children=["sha256:child"])
    story.finds(ONE)
    whole, counter = story.ports, Counter(fails_at, after_effect)
    faulty = replace(
        whole,
        **{
            name: Faulty(getattr(whole, name), counter)
            for name in ("registry", "scans", "storage", "states", "journal", "usage", "publisher")
        },
    )
    try:
        judge_scan(a_scan(ONE), policy=story.policy, ports=faulty)
    except FaultError:
        judge_scan(a_scan(ONE), policy=story.policy, ports=whole)
    return story, counter.calls


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
def test_a_fault_at_any_call_ends_as_without_it(after_effect):
    whole, calls = replayed(after_effect)
    assert whole.ports.storage.archived == {DIGEST, "sha256:child"}
    for fails_at in range(1, calls + 1):
        story, _ = replayed(after_effect, fails_at)
        assert story.ports.storage.archived == {DIGEST, "sha256:child"}, fails_at
        assert story.ports.journal.done == whole.ports.journal.done, fails_at
        assert [told.change_ids for told in story.told] == [told.change_ids for told in whole.told], fails_at
        assert [told.reason for told in story.told] == [told.reason for told in whole.told], fails_at
        assert story.ports.states.states == whole.ports.states.states, fails_at


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from([ONE, TWO, HIGH]), unique=True, max_size=3), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_whatever_happened_the_end_is_what_the_registry_has(history, random):
    """Events come late, twice and in any order while the registry goes on: the end is the last scan's."""
    story = Story()
    late = []
    for number, found in enumerate(history):
        at = SCANNED + timedelta(seconds=number)
        story.finds(*found, at=at, status="ACTIVE")
        late.append(a_scan(*found, at=at, event=f"scan-{number}"))
        random.shuffle(late)
        for _ in range(random.randint(0, len(late))):
            story.judge(late.pop())
    for event in late + late:
        story.judge(event)
    (state,) = story.ports.states.states.values() or (ImageState(),)
    assert state.has_failed == any(finding.severity == "critical" for finding in history[-1])
    assert state.untold is None
    heard = story.kinds[-1:] == ["image_vulnerable"]
    assert heard == state.has_failed


# ---------------------------------------------------------------- scans that failed, images not scanned


def test_a_failed_scan_is_told_with_ecrs_words(story):
    story.ports.scans.scans[DIGEST] = Scan("FAILED", "The manifest could not be read.")
    story.judge(a_scan(status="FAILED"))
    story.judge(a_scan(status="FAILED"))
    (outcome,) = story.told
    assert (outcome.kind, outcome.severity, outcome.action) == ("scan_failed", "medium", "notify")
    assert "ended as FAILED: The manifest could not be read." in outcome.reason
    assert "start-image-scan" in outcome.next_step


def test_a_failed_scan_that_a_later_one_has_mended_is_not_told(story):
    story.finds(at=LATER)
    assert story.judge(a_scan(status="FAILED")).decision == "Outdated"


def test_a_rule_may_ignore_failed_scans():
    story = Story(on_scan_failed=ScanAction.IGNORE)
    assert story.judge(a_scan(status="FAILED")).decision == "Ignored"
    assert story.told == []


@pytest.mark.parametrize(
    "event", [a_scan(status="FAILED"), a_coverage("UNSUPPORTED_OS")], ids=["scan", "coverage"]
)
def test_a_rule_may_quarantine_what_could_not_be_scanned(event):
    story = Story(on_scan_failed=ScanAction.QUARANTINE)
    story.ports.scans.scans[DIGEST] = Scan("FAILED")
    story.judge(event)
    assert story.ports.storage.archived == {DIGEST}
    assert story.told[0].changed


def test_an_image_that_inspector_does_not_scan_is_told_once(story):
    for event in ("coverage-1", "coverage-1", "coverage-2"):
        story.judge(a_coverage("UNSUPPORTED_OS", event=event))
    assert story.kinds == ["image_not_scanned"]
    assert "UNSUPPORTED_OS" in story.told[0].reason


@pytest.mark.parametrize(
    "event",
    [a_coverage("SUCCESSFUL", "ACTIVE"), a_coverage("IMAGE_ARCHIVED"), a_coverage("RESOURCE_TERMINATED")],
    ids=["active", "archived", "deleted"],
)
def test_coverage_that_is_as_it_should_be_is_not_told(story, event):
    assert story.judge(event).decision == "NotJudged"


BUILDKIT = (
    '{"config": {"mediaType": "application/vnd.oci.image.config.v1+json"},'
    ' "layers": [{"mediaType": "application/vnd.in-toto+json"}]}'
)
HELM = '{"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}, "layers": []}'


@pytest.mark.parametrize("body", [BUILDKIT, HELM], ids=["an attestation", "a chart"])
@pytest.mark.parametrize(
    "event", [a_scan(status="FAILED"), a_coverage("UNSUPPORTED_MEDIA_TYPE")], ids=["scan", "coverage"]
)
def test_what_is_no_image_need_not_be_scanned(event, body):
    story = Story(on_scan_failed=ScanAction.QUARANTINE)
    story.ports.scans.scans[DIGEST] = Scan("FAILED")
    story.ports.registry.images["team/app"][DIGEST] = Manifest(DIGEST, body, "type")
    assert story.judge(event).decision == "NotJudged"
    assert (story.told, story.ports.storage.archived) == ([], set())


def test_a_signature_need_not_be_scanned():
    story = Story(on_scan_failed=ScanAction.QUARANTINE)
    story.ports.scans.scans[DIGEST] = Scan("FAILED")
    story.ports.storage.add(DIGEST, "sha256-" + "ab" * 32 + ".sig")
    assert story.judge(a_scan(status="FAILED")).decision == "NotJudged"


def test_what_an_index_has_is_told_of_but_never_archived_for_not_being_scanned():
    story = Story(on_scan_failed=ScanAction.QUARANTINE)
    story.ports.scans.scans[DIGEST] = Scan("FAILED")
    story.ports.storage.add("sha256:index", "1.0", children=[DIGEST])
    story.judge(a_scan(status="FAILED"))
    assert story.ports.storage.archived == set()
    assert story.kinds == ["scan_failed"]


def test_an_image_that_ecr_has_findings_of_is_not_archived_for_its_coverage():
    story = Story(on_scan_failed=ScanAction.QUARANTINE)
    story.finds(HIGH, status="ACTIVE", at=EARLIER)
    story.judge(a_coverage("UNSUPPORTED_OS"))
    assert story.ports.storage.archived == set()
    story.finds(HIGH, status="ACTIVE", at=LATER)
    assert story.judge(a_coverage("UNSUPPORTED_OS")).decision == "Outdated"


@pytest.mark.parametrize("status", ["IN_PROGRESS", "PENDING"])
def test_a_scan_that_is_under_way_has_not_failed(story, status):
    assert story.judge(a_scan(status=status)).decision == "NotJudged"


@pytest.mark.parametrize("gone", ["image", "archived"])
def test_what_cannot_be_pulled_need_not_be_scanned(story, gone):
    if gone == "image":
        del story.ports.storage.stored[DIGEST]
    else:
        story.ports.storage.archive("team/app", DIGEST)
    judged = story.judge(a_coverage("UNSUPPORTED_OS"))
    assert judged.decision in {"Gone", "Archived"}
    assert story.told == []


@pytest.mark.parametrize("port", ["publisher", "journal"])
@pytest.mark.parametrize(
    "event", [a_scan(status="FAILED"), a_coverage("UNSUPPORTED_OS")], ids=["scan", "coverage"]
)
def test_a_quarantine_of_what_was_not_scanned_is_told_whatever_fails(port, event):
    for fails_at in range(1, 6):
        story = Story(on_scan_failed=ScanAction.QUARANTINE)
        story.ports.scans.scans[DIGEST] = Scan("FAILED")
        faulty = Faulty(getattr(story.ports, port), Counter(fails_at, after_effect=port == "journal"))
        with contextlib.suppress(FaultError):
            judge_scan(event, policy=story.policy, ports=replace(story.ports, **{port: faulty}))
        story.judge(event)
        assert story.ports.storage.archived == {DIGEST}
        assert len(story.ports.journal.done) == 1
        assert {told.changed for told in story.told} == {True}


def test_a_scan_that_is_tried_again_has_not_failed_for_good():
    story = Story(on_scan_failed=ScanAction.QUARANTINE)
    story.ports.scans.scans[DIGEST] = Scan("IN_PROGRESS")
    story.judge(a_scan(status="FAILED", at=NOW - timedelta(days=9)))
    assert story.ports.storage.archived == set()


def test_an_image_that_is_only_old_is_never_quarantined():
    story = Story(on_scan_failed=ScanAction.QUARANTINE)
    story.judge(a_coverage("SCAN_ELIGIBILITY_EXPIRED"))
    assert story.ports.storage.archived == set()
    assert story.told[0].severity is Severity.LOW


# ---------------------------------------------------------------- quarantine

CHILD, OTHER, INDEX = ("sha256:" + letter * 64 for letter in "cde")


def quarantining(**gate):
    story = Story(on_failure=ScanAction.QUARANTINE, **gate)
    story.finds(ONE)
    return story


def test_an_image_that_fails_is_archived_and_journaled():
    story = quarantining()
    story.judge(a_scan(ONE))
    (outcome,) = story.told
    assert story.ports.storage.archived == {DIGEST}
    (entry,) = outcome.change_ids
    change = story.ports.journal.entries[entry]
    assert (change.section, change.repository, entry in story.ports.journal.done) == (
        "scan_gate",
        "team/app",
        True,
    )
    assert change.before == {"image_digest": DIGEST, "storage_class": "STANDARD"}
    assert change.after == {"image_digest": DIGEST, "storage_class": "ARCHIVE"}
    assert outcome.changed
    assert f"ecr-warden undo {entry}" in outcome.next_step


def test_in_audit_mode_nothing_is_archived_and_it_is_said_what_would_be():
    story = quarantining(mode=Mode.AUDIT)
    story.judge(a_scan(ONE))
    assert story.ports.storage.archived == set()
    assert "in enforce mode the image would be quarantined" in story.told[0].reason


def test_an_image_in_use_is_told_urgently_and_left():
    story = quarantining(limits={"high": 0})
    story.finds(HIGH)
    story.ports.usage.users = tuple(f"ECS task {number}" for number in range(7))
    story.judge(a_scan(HIGH))
    (outcome,) = story.told
    assert story.ports.storage.archived == set()
    assert (outcome.changed, outcome.severity) == (False, Severity.CRITICAL)
    assert "NOT quarantined, as it is in use: ECS task 0" in outcome.reason
    assert "and 2 more" in outcome.reason


def test_a_rule_may_quarantine_even_in_use():
    story = quarantining(even_in_use=True)
    story.ports.usage.users = ("ECS task 1",)
    story.judge(a_scan(ONE))
    assert story.ports.storage.archived == {DIGEST}


def test_the_epss_score_is_asked_for_only_where_the_gate_needs_it():
    for gate, is_asked_for in (({}, False), ({"min_epss": 0.1}, True)):
        story = Story(**gate)
        story.finds(ONE)
        story.judge(a_scan(ONE))
        assert story.ports.scans.from_inspector is is_asked_for


def test_who_uses_the_index_of_a_platform_uses_the_platform():
    story = quarantining()
    story.ports.storage.add(CHILD)
    story.ports.storage.add(INDEX, "latest", children=[DIGEST, CHILD])
    asked = []
    story.ports.usage.who_uses = lambda *of: asked.append(of) or ()
    story.judge(a_scan(ONE))
    assert asked == [("team/app", (DIGEST, INDEX), ("1.0", "latest"))]
    assert story.ports.storage.archived == {DIGEST}


def test_an_index_is_archived_with_its_children_but_for_those_that_another_tagged_index_has():
    story = quarantining()
    story.ports.storage.add(CHILD)
    story.ports.storage.add(OTHER)
    story.ports.storage.add(DIGEST, "1.0", children=[CHILD, OTHER])
    story.ports.storage.add(INDEX, "stable", children=[OTHER])
    story.judge(a_scan(ONE))
    assert story.ports.storage.archived == {DIGEST, CHILD}
    assert f"Left alone, as another tagged index has them too: {OTHER}" in story.told[0].reason
    assert len(story.told[0].change_ids) == 2


@pytest.mark.parametrize("even_in_use", [False, True])
def test_what_cannot_be_looked_through_counts_as_in_use(even_in_use):
    story = quarantining(even_in_use=even_in_use)
    story.ports.storage.is_too_large = True
    story.judge(a_scan(ONE))
    assert story.ports.storage.archived == set()
    assert "it could not be found out: team/app has more images" in story.told[0].reason


def test_what_ecr_refuses_is_said_and_its_platforms_are_named():
    story = quarantining()
    story.ports.storage.add(CHILD)
    story.ports.storage.add(DIGEST, "1.0", children=[CHILD])
    story.ports.storage.refused = {CHILD}
    story.judge(a_scan(ONE))
    assert story.ports.storage.archived == {DIGEST}
    assert f"ECR refused to archive these of its platforms: {CHILD}" in story.told[0].reason
    story = quarantining()
    story.ports.storage.refused = {DIGEST}
    story.judge(a_scan(ONE))
    assert not story.told[0].changed
    assert "not quarantined, as ECR refused it" in story.told[0].reason


def test_an_index_names_its_children_in_its_entry_so_that_one_undo_takes_all_back():
    story = quarantining()
    story.ports.storage.add(CHILD)
    story.ports.storage.add(DIGEST, "1.0", children=[CHILD])
    story.judge(a_scan(ONE))
    index, child = story.told[0].change_ids
    assert story.ports.journal.entries[index].after["children"] == {CHILD: child}
    assert story.ports.journal.entries[child].before["image_digest"] == CHILD
    assert f"`ecr-warden undo {index}`" in story.told[0].next_step


def dying_between_index_and_child():
    story = quarantining()
    story.ports.storage.add(CHILD)
    story.ports.storage.add(DIGEST, "1.0", children=[CHILD])
    archive = story.ports.storage.archive

    def once(repository, digest):
        if digest == CHILD:
            raise FaultError("it died")
        archive(repository, digest)

    story.ports.storage.archive = once
    with pytest.raises(FaultError):
        story.judge(a_scan(ONE))
    story.ports.storage.archive = archive
    assert story.ports.storage.archived == {DIGEST}
    return story


def test_a_child_follows_its_index_even_after_a_death():
    story = dying_between_index_and_child()
    story.judge(a_scan(ONE))
    assert story.ports.storage.archived == {DIGEST, CHILD}
    assert len(story.told[0].change_ids) == 2


@pytest.mark.parametrize("why", ["another index has it by now", "it is in use by now"])
def test_a_child_that_is_needed_by_now_does_not_follow(why):
    story = dying_between_index_and_child()
    if why == "it is in use by now":
        story.ports.usage.users = ("ECS task 1",)
    else:
        story.ports.storage.add(INDEX, "prod", children=[CHILD])
    story.judge(a_scan(ONE))
    assert story.ports.storage.archived == {DIGEST}
    assert f"Left alone, as by now they are needed or not to follow: {CHILD}" in story.told[0].reason


def test_a_child_that_has_a_tag_of_its_own_is_looked_for_by_it():
    story = quarantining()
    story.ports.storage.add(CHILD, "1.0-amd64")
    story.ports.storage.add(DIGEST, "1.0", children=[CHILD])
    asked = []
    story.ports.usage.who_uses = lambda *of: asked.append(of) or ()
    story.judge(a_scan(ONE))
    assert asked == [("team/app", (DIGEST, CHILD), ("1.0", "1.0-amd64"))]


def test_what_another_handling_has_just_archived_is_not_said_to_be_restored():
    story = quarantining()
    images, asked = story.ports.storage.images, []

    def late(repository, digests):
        found = images(repository, digests)
        asked.append(digests)
        # The second look is of before the other's archiving, whose entry is closed by the time it is read.
        return tuple(replace(image, is_archived=False) for image in found) if len(asked) <= 2 else found

    other = Story(on_failure=ScanAction.QUARANTINE)
    other.finds(ONE)
    other.judge(a_scan(ONE))
    story.ports.journal.entries, story.ports.journal.done = (
        other.ports.journal.entries,
        other.ports.journal.done,
    )
    story.ports.storage.stored = other.ports.storage.stored
    story.ports.storage.images = late
    story.judge(a_scan(ONE))
    assert story.told[0].changed


def test_a_platform_of_one_tagged_index_is_archived_and_the_tag_is_named():
    story = quarantining()
    story.ports.storage.add(INDEX, "latest", children=[DIGEST])
    story.judge(a_scan(ONE))
    assert story.ports.storage.archived == {DIGEST}
    assert "It is a platform of team/app:latest" in story.told[0].reason


def test_a_platform_that_several_tagged_indexes_have_stays():
    story = quarantining()
    story.ports.storage.add(INDEX, "1.0", children=[DIGEST])
    story.ports.storage.add(OTHER, "2.0", children=[DIGEST])
    story.judge(a_scan(ONE))
    assert story.ports.storage.archived == set()
    assert "2 tagged indexes have it: team/app:1.0, team/app:2.0" in story.told[0].reason


def test_that_ecr_does_not_describe_the_image_is_told_and_not_tried_for_ever():
    story = quarantining()
    story.ports.storage.images = lambda *_: (_ for _ in ()).throw(RefusedError("AccessDenied"))
    story.judge(a_scan(ONE))
    assert "not quarantined, as ECR refused it: AccessDenied." in story.told[0].reason


def test_an_image_that_goes_in_the_very_moment_was_not_quarantined():
    story = quarantining()
    archive = story.ports.storage.archive
    story.ports.storage.archive = lambda repository, digest: (
        story.ports.storage.stored.pop(digest),
        archive(repository, digest),
    )
    story.judge(a_scan(ONE))
    (outcome,) = story.told
    assert (outcome.changed, outcome.change_ids, story.ports.journal.entries) == (False, (), {})
    assert "does not exist any more" in outcome.reason


def test_an_image_that_somebody_archived_is_not_ours_to_give_back():
    story = quarantining()
    # In the very moment after its findings were read.
    story.ports.scans.archived = set()
    story.ports.storage.archive("team/app", DIGEST)
    story.judge(a_scan(ONE))
    assert not story.told[0].changed
    assert story.told[0].change_ids == ()


def test_a_quarantine_that_somebody_took_back_is_not_said_to_stand():
    story = Story(on_scan_failed=ScanAction.QUARANTINE)
    story.ports.scans.scans[DIGEST] = Scan("FAILED")
    story.judge(a_coverage("UNSUPPORTED_OS"))
    story.ports.storage.restore("team/app", DIGEST)
    story.judge(a_coverage("UNSUPPORTED_OS", event="coverage-2"))
    assert story.ports.storage.archived == set()
    assert "somebody has restored it since" in story.told[-1].reason
    assert not story.told[-1].changed


def test_an_image_that_somebody_restored_is_not_archived_again_by_the_same_findings():
    story = quarantining()
    story.judge(a_scan(ONE))
    story.ports.storage.restore("team/app", DIGEST)
    story.judge(a_scan(ONE))
    story.judge(a_finding_event(ONE))
    assert story.ports.storage.archived == set()
    story.finds(ONE, TWO, at=LATER)
    story.judge(a_scan(ONE, TWO, at=LATER))
    assert story.ports.storage.archived == {DIGEST}


def test_a_recovered_image_says_how_it_is_pulled_again():
    story = quarantining()
    story.judge(a_scan(ONE))
    story.ports.storage.restore("team/app", DIGEST)
    story.finds(at=LATER)
    story.judge(a_scan(at=LATER))
    assert f"ecr-warden undo {story.told[0].change_ids[0]}" in story.told[1].next_step
