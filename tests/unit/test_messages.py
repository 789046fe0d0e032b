from dataclasses import replace

import pytest
from fakes import OUTCOME
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.console import console_url, partition
from ecr_warden.domain.finding_summary import FindingChanges, FindingShown, FindingsSummary
from ecr_warden.domain.notices import notice
from ecr_warden.domain.outcomes import OutcomeKind, outcome_id

DIGEST = OUTCOME.image_digest
HOSTILE = st.text(max_size=400) | st.sampled_from(
    ["<!channel>", "<http://evil|text>", "&lt;", "*_~`x`~_*", "\u202egnp", "\x00", "x" * 5000, "line\nbreak"]
)


def test_a_notice_says_which_image_why_what_to_do_and_where_to_look():
    said = notice(OUTCOME)
    assert said.headline == "Tag quarantined: team/app:latest"
    assert said.reason == OUTCOME.reason
    assert said.next_step == "Push it again."
    assert dict(said.facts) == {
        "Severity": "high",
        "Account and Region": "123456789012 eu-west-1",
        "Digest": DIGEST,
        "Rule": "policy.yaml:7 (**)",
        "Mode": "enforce",
        "Pushed at": "2026-11-24T02:59:58+00:00",
        "Change": "change-1",
    }
    assert said.link.startswith("https://eu-west-1.console.aws.amazon.com/")


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        ({"changed": False}, "Tag breaks the policy: team/app:latest"),
        ({"action": "delete"}, "Tag deleted: team/app:latest"),
        ({"kind": OutcomeKind.DRIFT_FOUND, "image_tag": None}, "Drift found: team/app@sha256:abababababab"),
        ({"kind": OutcomeKind.SCAN_FAILED}, "Image quarantined: it could not be scanned: team/app:latest"),
        (
            {"kind": OutcomeKind.SCAN_FAILED, "changed": False},
            "Image could not be scanned: team/app:latest",
        ),
        ({"kind": OutcomeKind.IMAGE_NOT_SCANNED}, "Image quarantined: it is not scanned: team/app:latest"),
        (
            {"kind": OutcomeKind.IMAGE_NOT_SCANNED, "changed": False},
            "Image is not scanned: team/app:latest",
        ),
    ],
)
def test_the_headline_says_what_happened(changes, headline):
    assert notice(replace(OUTCOME, **changes)).headline == headline


def test_a_fact_that_is_not_known_is_left_out():
    facts = dict(notice(replace(OUTCOME, rule=None, image_digest=None, change_ids=())).facts)
    # Without a rule no mode decided anything.
    assert not {"Rule", "Mode", "Digest", "Change"} & set(facts)


@pytest.mark.parametrize(
    ("region", "domain", "name"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com", "aws"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn", "aws-cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com", "aws-us-gov"),
        ("eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu", "aws-eusc"),
    ],
)
def test_a_link_is_into_the_console_of_the_regions_partition(region, domain, name):
    url = console_url("1", region, "team/app", "sha256:ab")
    assert (
        url
        == f"https://{domain}/ecr/repositories/private/1/team/app/_/image/sha256:ab/details?region={region}"
    )
    assert (
        console_url("1", region, "app") == f"https://{domain}/ecr/repositories/private/1/app?region={region}"
    )
    assert partition(region) == name


IDENTITY = st.fixed_dictionaries(
    {
        "event_id": st.text("ab-", max_size=3),
        "repository": st.text("ab/", max_size=3),
        "image_digest": st.none() | st.text("ab:", min_size=1, max_size=3),
        "image_tag": st.none() | st.text("ab", min_size=1, max_size=3),
    }
)


@given(IDENTITY, IDENTITY)
def test_an_outcomes_id_is_its_events_and_subjects_own(one, other):
    ids = [outcome_id(OutcomeKind.TAG_VIOLATION, **identity) for identity in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)
    assert outcome_id(OutcomeKind.DRIFT_FOUND, **one) != ids[0]


def repository_outcome(**changes):
    return replace(
        OUTCOME,
        kind=OutcomeKind.REPOSITORY_CONFIGURED,
        decision="configured",
        action="configure",
        image_digest=None,
        image_tag=None,
        created_by="Admin/mary",
        **changes,
    )


@pytest.mark.parametrize(
    ("decision", "headline"),
    [
        ("configured", "New repository configured: team/app"),
        ("incomplete", "New repository is incomplete: team/app"),
        ("would_configure", "New repository differs from the policy: team/app"),
    ],
)
def test_a_notice_of_a_new_repository_says_what_came_of_it_and_who_created_it(decision, headline):
    said = notice(replace(repository_outcome(), decision=decision))
    assert said.headline == headline
    facts = dict(said.facts)
    assert facts["Created by"] == "Admin/mary"
    assert facts["Created at"] == "2026-11-24T02:59:58+00:00"
    assert "Digest" not in facts
    assert "Pushed at" not in facts
    assert said.link.endswith("/repositories/private/123456789012/team/app?region=eu-west-1")


LOG4SHELL = FindingShown(
    id="CVE-2021-44228",
    severity="critical",
    package="log4j-core",
    installed_version="2.14.1",
    fixed_version="2.15.0",
    more_packages=2,
    url="https://nvd.nist.gov/vuln/detail/CVE-2021-44228",
    exploit_available=True,
    epss=0.97565,
)
OPENSSL = FindingShown(id="CVE-2024-6119", severity="high", package="openssl", installed_version="3.0.13")
BARE = FindingShown(id="A secret in the image", severity="medium")
FINDINGS = FindingsSummary(
    counts={"critical": 10, "high": 3, "medium": 9, "low": 0},
    counted={"critical": 10, "high": 1},
    allowed={"critical": 0, "high": 5},
    worst=(LOG4SHELL, OPENSSL, BARE),
    changes=FindingChanges(
        "the last scan of this image", 3, 1, 7, ("CVE-2021-44228 log4j-core", "CVE-2"), ("CVE-3 zlib",)
    ),
    is_complete=True,
)
WORST = (
    "Worst findings",
    (
        "CVE-2021-44228 critical log4j-core 2.14.1 → 2.15.0 and 2 more packages, exploit known, EPSS 0.97565 "
        "https://nvd.nist.gov/vuln/detail/CVE-2021-44228"
    ),
    "CVE-2024-6119 high openssl 3.0.13 (no fix known)",
    "A secret in the image medium",
)


def scan_outcome(**changes):
    changes = {"kind": OutcomeKind.IMAGE_VULNERABLE, "decision": "failed", "findings": FINDINGS} | changes
    return replace(OUTCOME, **changes)


@pytest.mark.parametrize(
    ("kind", "changes", "title"),
    [
        (OutcomeKind.IMAGE_VULNERABLE, {}, "Image fails the scan gate"),
        (OutcomeKind.IMAGE_VULNERABLE, {"changed": True}, "Image quarantined: it fails the scan gate"),
        (OutcomeKind.IMAGE_RECOVERED, {}, "Image passes the scan gate again"),
        (OutcomeKind.SCAN_FAILED, {}, "Image could not be scanned"),
        (OutcomeKind.IMAGE_NOT_SCANNED, {}, "Image is not scanned"),
        (OutcomeKind.IMAGE_NOT_SCANNED, {"image_digest": None}, "Images are not scanned"),
        (OutcomeKind.REPLICATION_FAILED, {}, "Image was not replicated"),
        (OutcomeKind.PULL_THROUGH_CACHE_FAILED, {}, "Image could not be cached"),
        (OutcomeKind.LIFECYCLE_RAN, {"image_digest": None}, "Lifecycle policy ran"),
        (OutcomeKind.SWEEP_FINISHED, {"image_digest": None}, "Sweep finished"),
    ],
)
def test_each_kind_of_outcome_has_its_title(kind, changes, title):
    outcome = replace(OUTCOME, kind=kind, **({"changed": False} | changes))
    assert notice(outcome).headline == f"{title}: team/app:latest"


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        (OutcomeKind.TAG_VIOLATION, "Pushed at"),
        (OutcomeKind.IMAGE_VULNERABLE, "Seen at"),
        (OutcomeKind.IMAGE_RECOVERED, "Seen at"),
        (OutcomeKind.SCAN_FAILED, "Seen at"),
        (OutcomeKind.IMAGE_NOT_SCANNED, "Happened at"),
        (OutcomeKind.REPLICATION_FAILED, "Happened at"),
        (OutcomeKind.LIFECYCLE_RAN, "Happened at"),
    ],
)
def test_a_time_is_called_what_it_is(kind, label):
    labels = [name for name, _ in notice(replace(OUTCOME, kind=kind)).facts if name.endswith(" at")]
    assert labels == [label]


def test_a_notice_of_a_scan_says_how_many_are_found_and_allowed_what_changed_and_whose_it_is():
    said = notice(scan_outcome(owner="payments"))
    facts = dict(said.facts)
    assert facts["Findings"] == ("critical 10 (at most 0), high 3, of which 1 count (at most 5), medium 9")
    assert facts["Changes"] == (
        "3 new, 1 fixed, 7 still there since the last scan of this image; "
        "new: CVE-2021-44228 log4j-core, CVE-2, and 1 more; fixed: CVE-3 zlib"
    )
    assert facts["Owner"] == "payments"
    assert said.lines == WORST


def test_what_is_not_known_of_a_scan_is_not_said():
    unread = replace(FINDINGS, is_complete=False, changes=None, worst=())
    said = notice(scan_outcome(findings=unread))
    assert "of which at least 1 count" in dict(said.facts)["Findings"]
    assert not {"Changes", "Owner"} & set(dict(said.facts))
    assert said.lines == ()
    nothing = replace(FINDINGS, counts={}, counted={}, worst=())
    assert dict(notice(scan_outcome(findings=nothing)).facts)["Findings"] == "none"


@given(HOSTILE)
def test_nothing_that_a_scanner_says_begins_a_line(text):
    shown = FindingShown(text, text, text, text, text, url=text)
    said = notice(scan_outcome(findings=replace(FINDINGS, worst=(shown,) * 10)))
    assert len(said.lines) == 11
    assert not any("\n" in line for line in said.lines)
