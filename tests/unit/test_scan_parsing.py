"""Events about scans become values, or are refused with the field that is wrong."""

import contextlib
from datetime import UTC, datetime

import pytest
from event_mutations import FOLDER, JSON, mutated, sample, with_node
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.scan_parsing import parse_scan_event
from ecr_warden.domain.scan_events import FindingEvent, ImageScan, ScanCoverage
from ecr_warden.errors import MalformedEventError

SAMPLES = sorted(
    path.stem
    for pattern in ("ecr_image_scan_*", "inspector2_*")
    for path in FOLDER.glob(f"{pattern}.json")
    if path.stem != "inspector2_coverage_ec2"
)
DIGEST = "sha256:84f507df33c6864d49c296fb734192696e4cb6f78166ac51ac8b9b118181085d"
ARN = f"arn:aws:ecr:eu-central-1:123456789012:repository/a/b/c/{DIGEST}"


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_about_a_scan_is_read(name):
    event = sample(name)
    read = parse_scan_event(event)
    assert read.event_id == event["id"]
    assert read.detail_type == event["detail-type"]
    assert read.repository_name
    assert ":" not in read.repository_name
    assert read.image_digest.startswith("sha256:")


def test_a_basic_scan_says_what_it_found():
    scan = parse_scan_event(sample("ecr_image_scan_complete"))
    assert scan == ImageScan(
        event_id="85fc3613-e913-7fc4-a80c-a3753e4aa9ae",
        event_time=datetime(2019, 10, 29, 2, 36, 48, tzinfo=UTC),
        account="123456789012",
        region="us-east-1",
        detail_type="ECR Image Scan",
        repository_name="my-repository-name",
        image_digest="sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234",
        status="COMPLETE",
        counts={"critical": 10, "medium": 9},
    )
    assert scan.is_complete
    assert not parse_scan_event(sample("ecr_image_scan_failed")).is_complete


def test_inspector_names_a_repository_by_its_arn():
    scan = parse_scan_event(sample("inspector2_scan_critical"))
    assert scan.repository_name == "prod/shop/checkout"
    assert scan.registry == "123456789012"
    assert scan.image_tags == ("2.0.0", "release-7")


def test_a_clean_scan_of_inspectors_has_counts_and_none_is_above_0():
    scan = parse_scan_event(sample("inspector2_scan_initial"))
    assert (scan.counts, scan.unsaid) == ({}, ())


def test_what_only_inspectors_total_counts_is_of_a_severity_that_is_not_said():
    scan = parse_scan_event(sample("inspector2_scan_critical"))
    assert scan.counts == {"critical": 7, "high": 61, "medium": 62, "undefined": 28}
    assert scan.unsaid == ("low", "informational", "undefined")


def counts(said):
    return parse_scan_event(sample("ecr_image_scan_complete", finding_severity_counts=said)).counts


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (None, None),
        ({}, {}),
        ({"CRITICAL": 0}, {}),
        ({"UNDEFINED": 1, "UNTRIAGED": 2}, {"undefined": 3}),
        ({"CATASTROPHIC": 1}, {"catastrophic": 1}),
        ({"HIGH": 3, "TOTAL": 2}, {"high": 3}),
        ({"TOTAL": 4}, {"undefined": 4}),
        ({"UNTRIAGED": 1, "TOTAL": 4}, {"undefined": 4}),
    ],
)
def test_counts_are_read_as_they_are_said(said, read):
    assert counts(said) == read


def test_counts_that_are_absent_are_not_taken_for_none_found():
    event = sample("ecr_image_scan_complete")
    del event["detail"]["finding-severity-counts"]
    assert parse_scan_event(event).counts is None


@given(
    st.dictionaries(st.sampled_from(["CRITICAL", "HIGH", "LOW", "UNTRIAGED", "NEW"]), st.integers(0, 9)),
    st.integers(0, 60),
)
def test_no_finding_of_an_event_is_lost(said, total):
    read = counts(said | {"TOTAL": total})
    assert sum(read.values()) == max(sum(said.values()), total)


@pytest.mark.parametrize("count", [-1, 1.0, 1.5, True, "1", None, [], float("nan")])
def test_a_count_that_is_no_whole_number_is_refused(count):
    with pytest.raises(MalformedEventError) as raised:
        counts({"CRITICAL": count})
    assert raised.value.field == "detail.finding-severity-counts.CRITICAL"


@pytest.mark.parametrize(("said", "tags"), [(None, ()), ([], ()), (["a", "", None, "b"], ("a", "b"))])
def test_tags_may_be_missing(said, tags):
    assert parse_scan_event(sample("ecr_image_scan_complete", image_tags=said)).image_tags == tags


def finding_event(name="inspector2_finding_ecr", **resource):
    event = sample(name)
    event["detail"]["resources"][0] |= resource
    return event


@pytest.mark.parametrize(
    ("name", "status", "is_active"),
    [
        ("inspector2_finding_ecr", "ACTIVE", True),
        ("inspector2_finding_ecr_closed", "CLOSED", False),
        ("inspector2_finding_ecr_suppressed", "SUPPRESSED", False),
    ],
)
def test_a_finding_says_of_which_image_it_is_and_whether_still(name, status, is_active):
    event = parse_scan_event(sample(name))
    assert isinstance(event, FindingEvent)
    assert (event.repository_name, event.image_digest) == ("inspector2", DIGEST)
    assert event.image_tags == ("ubuntu_latest",)
    assert (event.status, event.finding.is_active) == (status, is_active)
    assert event.finding.id == "CVE-2024-6119"


def test_the_shape_of_2021_names_its_image_too():
    event = parse_scan_event(sample("inspector2_finding_ecr_2021"))
    assert event.repository_name == "prod/search/indexer"
    assert event.image_tags == ("5.1.0",)
    assert event.finding.severity == "critical"


@pytest.mark.parametrize("shape", ["image", "awsEcrContainerImage"])
def test_either_shape_alone_is_enough(shape):
    details = sample("inspector2_finding_ecr")["detail"]["resources"][0]["details"]
    event = parse_scan_event(finding_event(id=None, details={shape: details[shape]}))
    assert (event.repository_name, event.image_digest, event.registry) == (
        "inspector2",
        DIGEST,
        "123456789012",
    )


@pytest.mark.parametrize("details", [None, {}, {"image": None}, {"image": {"imageTags": ["x"]}}])
def test_an_arn_alone_is_enough(details):
    event = parse_scan_event(finding_event(id=ARN, details=details))
    assert (event.repository_name, event.image_digest) == ("a/b/c", DIGEST)
    event = finding_event(id=None, details=details) | {"resources": [ARN]}
    assert parse_scan_event(event).repository_name == "a/b/c"


def test_an_image_of_another_accounts_registry_is_known_as_such():
    details = {"image": {"repositoryName": "app", "imageDigest": DIGEST, "registry": "222222222222"}}
    event = parse_scan_event(finding_event(details=details))
    assert (event.account, event.registry) == ("123456789012", "222222222222")


def test_a_finding_without_a_package_is_a_finding():
    event = sample("inspector2_finding_ecr", title="Something else", type="CODE_VULNERABILITY")
    del event["detail"]["packageVulnerabilityDetails"]
    finding = parse_scan_event(event).finding
    assert (finding.id, finding.packages) == ("Something else", ())


def test_coverage_says_why_an_image_is_not_scanned():
    event = parse_scan_event(sample("inspector2_coverage_ecr_unsupported"))
    assert isinstance(event, ScanCoverage)
    assert event.repository_name == "prod/tools/static-proxy"
    assert (event.status, event.reason) == ("INACTIVE", "UNSUPPORTED_OS")


SCAN, FINDING = sample("ecr_image_scan_complete"), sample("inspector2_finding_ecr")
COVERAGE = sample("inspector2_coverage_ecr_unsupported")


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (None, "event"),
        (SCAN | {"source": "aws.inspector2"}, "source"),
        (FINDING | {"source": "aws.ecr"}, "source"),
        (SCAN | {"detail-type": "ECR Image Action"}, "detail-type"),
        (SCAN | {"time": "2023-02-29T02:36:48Z"}, "time"),
        (SCAN | {"detail": []}, "detail"),
        (sample("ecr_image_scan_complete", scan_status=None), "detail.scan-status"),
        (sample("ecr_image_scan_complete", repository_name="a\nb"), "detail.repository-name"),
        (
            sample("ecr_image_scan_complete", repository_name="arn:aws:ecr:x:1:image/a"),
            "detail.repository-name",
        ),
        (sample("ecr_image_scan_complete", image_tags="latest"), "detail.image-tags"),
        (sample("ecr_image_scan_complete", image_tags=["a", 7]), "detail.image-tags[1]"),
        (sample("ecr_image_scan_complete", finding_severity_counts=[]), "detail.finding-severity-counts"),
        (
            sample("ecr_image_scan_complete", finding_severity_counts={"\x00": 1}),
            "detail.finding-severity-counts",
        ),
        (sample("inspector2_finding_ecr", severity=None), "detail.severity"),
        (sample("inspector2_finding_ecr", status=None), "detail.status"),
        (finding_event(id="i-1", details={}) | {"resources": []}, "detail.resources"),
        (with_node(FINDING, ("detail", "resources"), "x"), "detail.resources"),
        (sample("inspector2_coverage_ec2"), "resources"),
        (COVERAGE | {"resources": ["arn:aws:ecr:x:1:repository/a"]}, "resources"),
        (
            sample("inspector2_coverage_ecr_unsupported", scanStatus={"reason": "X"}),
            "detail.scanStatus.statusCodeValue",
        ),
    ],
)
def test_an_event_of_another_form_is_refused_with_the_field(event, field):
    with pytest.raises(MalformedEventError) as raised:
        parse_scan_event(event)
    assert raised.value.field == field


@given(JSON)
def test_anything_else_is_malformed_and_nothing_worse(event):
    with pytest.raises(MalformedEventError):
        parse_scan_event(event)


@given(mutated(SAMPLES))
def test_whatever_is_changed_in_an_event_it_is_read_or_refused(event):
    with contextlib.suppress(MalformedEventError):
        read = parse_scan_event(event)
        assert read.repository_name
        assert read.image_digest
