"""What an event does not say, or says of another registry, is not taken for good or bad news."""

from dataclasses import replace

import pytest
from event_mutations import sample
from tests.scan_world import Story, a_finding, a_scan

from ecr_warden.adapters.scan_parsing import parse_scan_event

# As parsed of CRITICAL 0, HIGH 0, MEDIUM 0, TOTAL 2.
TOTAL_ALONE = {"counts": {"undefined": 2}}
UNSAID = ("low", "informational", "undefined")


def inspectors_scan(*findings):
    return replace(a_scan(*findings, **TOTAL_ALONE), unsaid=UNSAID)


def test_what_only_a_total_counts_costs_no_call_where_no_such_severity_is_limited():
    story = Story()
    assert story.judge(inspectors_scan()).decision == "Passed"
    assert story.ports.scans.reads == 0


@pytest.mark.parametrize(("severity", "told"), [("low", ["image_vulnerable"]), ("informational", [])])
def test_what_only_a_total_counts_is_read_where_such_a_severity_is_limited(severity, told):
    story = Story(limits={"critical": 0, "low": 0})
    found = (a_finding("CVE-1", severity), a_finding("CVE-2", severity))
    story.finds(*found)
    story.judge(inspectors_scan(*found))
    assert story.kinds == told


def test_an_image_of_another_accounts_registry_is_that_accounts_to_judge():
    story = Story()
    story.finds(a_finding())
    judged = story.judge(replace(a_scan(a_finding()), registry="222222222222"))
    assert judged.decision == "NotJudged"
    assert "222222222222" in judged.reason
    assert (story.told, story.ports.scans.reads) == ([], 0)


def test_an_image_of_the_events_own_account_is_judged_by_whichever_way_it_is_named():
    event = parse_scan_event(sample("inspector2_scan_critical"))
    assert event.registry == event.account
    assert Story().judge(event).decision != "NotJudged"
