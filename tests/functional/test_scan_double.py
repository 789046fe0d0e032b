"""The double of ECR and Inspector: what scans found, and the events of them."""

import json
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from double import ACCOUNT, REGION, double, error_of
from moto.server import ThreadedMotoServer

from ecr_warden_cli.local.ecr_double import (
    Generated,
    basic_finding,
    change_finding,
    complete_scan,
    enhanced_finding,
    fail_scan,
    make_repository,
    scan_of,
    set_scan,
)
from ecr_warden_cli.local.errors import LocalAwsError

INVALID = "InvalidParameterException"
NAMED = {"repositoryName": "team/app"}
ARCHIVE = {"targetStorageClass": "ARCHIVE"}
CONTAINER = "application/vnd.oci.image.config.v1+json"
OPENSSL = ("openssl", "3.0.1", "3.0.2")
LAST_YEAR = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)
MANY = 100_000


@pytest.fixture
def registry():
    with double() as found:
        make_repository(found.backend, "team/app")
        yield found


@pytest.fixture
def digest(registry):
    return registry.push("v1")


def read(registry, **image_id):
    return registry.ecr.describe_image_scan_findings(**NAMED, imageId=image_id)


def listed(registry, *, pages=100, sort="DESC", **criteria):
    filters = {
        name: [{"comparison": "EQUALS", "value": value} for value in [values] if value is not None]
        for name, values in criteria.items()
    }
    found = registry.inspector.get_paginator("list_findings").paginate(
        filterCriteria=filters,
        sortCriteria={"field": "SEVERITY", "sortOrder": sort},
        PaginationConfig={"PageSize": pages},
    )
    return [finding for page in found for finding in page["findings"]]


def sample(name):
    return json.loads((Path(__file__).parents[2] / "events" / f"{name}.json").read_text())


def test_a_scan_is_found_by_digest_and_by_tag(registry, digest):
    found = [basic_finding("CVE-1", "HIGH", package="zlib", version="1.2"), basic_finding("CVE-2", "LOW")]
    set_scan(registry.image(digest), found, completed_at=LAST_YEAR)
    answers = [read(registry, imageTag="v1"), read(registry, imageDigest=digest)]
    for answer in answers:
        assert answer["imageId"]["imageDigest"] == digest
        assert answer["imageScanStatus"] == {
            "status": "COMPLETE",
            "description": "The scan was completed successfully.",
        }
        findings = answer["imageScanFindings"]
        assert findings["findings"] == found
        assert findings["findingSeverityCounts"] == {"HIGH": 1, "LOW": 1}
        assert findings["imageScanCompletedAt"] == findings["vulnerabilitySourceUpdatedAt"] == LAST_YEAR
        assert "enhancedFindings" not in findings
    assert answers[0]["imageId"]["imageTag"] == "v1"
    assert findings["findings"][0]["attributes"] == [
        {"key": "package_name", "value": "zlib"},
        {"key": "package_version", "value": "1.2"},
    ]
    assert basic_finding("CVE-3", "LOW", package=None, CVSS2_SCORE="4.3")["attributes"] == [
        {"key": "CVSS2_SCORE", "value": "4.3"}
    ]


def test_what_describe_image_scan_findings_refuses(registry, digest):
    describe = registry.ecr.describe_image_scan_findings
    assert error_of(describe, **NAMED, imageId={"imageDigest": digest}) == "ScanNotFoundException"
    set_scan(registry.image(digest))
    for wrong in ({"imageTag": "v2"}, {"imageDigest": "sha256:00"}, {"imageDigest": digest, "imageTag": "x"}):
        assert error_of(describe, **NAMED, imageId=wrong) == "ImageNotFoundException"
    by_tag = {"imageId": {"imageTag": "v1"}}
    assert error_of(describe, repositoryName="team/none", **by_tag) == "RepositoryNotFoundException"
    assert error_of(describe, **NAMED, imageId={}) == INVALID
    assert error_of(describe, **NAMED) == INVALID
    for number in (0, 1001):
        assert error_of(describe, **NAMED, **by_tag, maxResults=number) == INVALID
    assert error_of(describe, **NAMED, **by_tag, nextToken="x") == INVALID


def test_the_pages_of_a_scan_all_have_its_counts(registry, digest):
    found = [basic_finding(f"CVE-{number}", "HIGH" if number % 3 else "UNDEFINED") for number in range(250)]
    set_scan(registry.image(digest), found)
    asked = {**NAMED, "imageId": {"imageDigest": digest}}
    assert len(registry.ecr.describe_image_scan_findings(**asked)["imageScanFindings"]["findings"]) == 100
    pages = list(
        registry.ecr.get_paginator("describe_image_scan_findings").paginate(
            **asked, PaginationConfig={"PageSize": 120}
        )
    )
    assert [len(page["imageScanFindings"]["findings"]) for page in pages] == [120, 120, 10]
    names = [one["name"] for page in pages for one in page["imageScanFindings"]["findings"]]
    assert names == [one["name"] for one in found]
    for page in pages:
        assert page["imageScanFindings"]["findingSeverityCounts"] == {"HIGH": 166, "UNDEFINED": 84}
    other = registry.push("v2", seed="2")
    set_scan(registry.image(other), found)
    wrong = {**NAMED, "imageId": {"imageDigest": other}, "nextToken": pages[0]["nextToken"]}
    assert error_of(registry.ecr.describe_image_scan_findings, **wrong) == INVALID


def test_a_clean_scan_counts_nothing(registry, digest):
    set_scan(registry.image(digest))
    findings = read(registry, imageDigest=digest)["imageScanFindings"]
    assert (findings["findings"], findings["findingSeverityCounts"]) == ([], {})


@pytest.mark.parametrize(
    "status", ["FAILED", "IN_PROGRESS", "PENDING", "UNSUPPORTED_IMAGE", "SCAN_ELIGIBILITY_EXPIRED"]
)
def test_a_scan_that_is_not_over_says_nothing_of_findings(registry, digest, status):
    set_scan(registry.image(digest), [basic_finding("CVE-1", "LOW")], status=status, description="why")
    answer = read(registry, imageDigest=digest)
    assert answer["imageScanStatus"] == {"status": status, "description": "why"}
    assert answer["imageScanFindings"] == {"findings": [], "enhancedFindings": []}


def test_a_scan_may_be_complete_before_its_findings_are_there(registry, digest):
    set_scan(registry.image(digest), is_awaited=True)
    answer = read(registry, imageDigest=digest)
    assert answer["imageScanStatus"]["status"] == "COMPLETE"
    assert "findingSeverityCounts" not in answer["imageScanFindings"]


def test_an_archived_image_has_no_findings_until_it_is_restored(registry, digest):
    complete_scan(
        registry.emit,
        registry.backend,
        "team/app",
        digest,
        [enhanced_finding("CVE-1", "HIGH")],
        enhanced=True,
    )
    before = read(registry, imageDigest=digest)
    update = registry.ecr.update_image_storage_class
    update(**NAMED, imageId={"imageDigest": digest}, **ARCHIVE)
    archived = read(registry, imageDigest=digest)
    assert archived["imageScanStatus"] == {"status": "IMAGE_ARCHIVED"}
    assert archived["imageScanFindings"] == {"findings": [], "enhancedFindings": []}
    assert [finding["status"] for finding in listed(registry)] == ["CLOSED"]
    update(**NAMED, imageId={"imageDigest": digest}, targetStorageClass="STANDARD")
    restored = read(registry, imageDigest=digest)
    for answer in (before, restored):
        del answer["ResponseMetadata"]
    assert before == restored
    assert [finding["status"] for finding in listed(registry)] == ["ACTIVE"]


def test_describe_images_says_nothing_of_scans(registry, digest):
    set_scan(registry.image(digest), [basic_finding("CVE-1", "LOW")])
    (image,) = registry.ecr.describe_images(**NAMED)["imageDetails"]
    assert not image.keys() & {"imageScanStatus", "imageScanFindingsSummary"}


def start(registry, **image_id):
    return registry.ecr.start_image_scan(**NAMED, imageId=image_id)


def test_an_image_is_scanned_once_in_a_day(registry, digest):
    assert start(registry, imageTag="v1")["imageScanStatus"]["status"] == "IN_PROGRESS"
    assert read(registry, imageDigest=digest)["imageScanStatus"]["status"] == "IN_PROGRESS"
    limit = "LimitExceededException"
    assert error_of(lambda: start(registry, imageDigest=digest)) == limit
    complete_scan(registry.emit, registry.backend, "team/app", digest)
    assert error_of(lambda: start(registry, imageDigest=digest)) == limit
    other = registry.push("v2", seed="2")
    set_scan(registry.image(other), completed_at=datetime.now(UTC) - timedelta(hours=23))
    assert error_of(lambda: start(registry, imageDigest=other)) == limit
    set_scan(registry.image(other), completed_at=datetime.now(UTC) - timedelta(hours=25))
    assert start(registry, imageDigest=other)["imageId"]["imageDigest"] == other


def test_what_start_image_scan_refuses(registry):
    child = registry.push(config={"mediaType": CONTAINER})
    registry.push("index", seed="2", manifests=[{"digest": child}])
    registry.push("chart", seed="3", config={"mediaType": "application/vnd.cncf.helm.config.v1+json"})
    registry.push("cold", seed="4")
    registry.ecr.update_image_storage_class(**NAMED, imageId={"imageTag": "cold"}, **ARCHIVE)
    for tag in ("index", "chart"):
        assert error_of(lambda tag=tag: start(registry, imageTag=tag)) == "UnsupportedImageTypeException"
    assert error_of(lambda: start(registry, imageTag="cold")) == "ImageArchivedException"
    assert error_of(lambda: start(registry, imageTag="none")) == "ImageNotFoundException"
    assert error_of(lambda: start(registry)) == INVALID
    assert error_of(lambda: start(registry, imageTag="x" * 301)) == INVALID
    registry.ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[])
    assert error_of(lambda: start(registry, imageDigest=child)) == "ValidationException"


def test_a_basic_scan_that_ends_is_told(registry, digest):
    findings = [basic_finding("CVE-1", "CRITICAL"), basic_finding("CVE-2", "CRITICAL")]
    complete_scan(registry.emit, registry.backend, "team/app", digest, findings, at=LAST_YEAR)
    detail, documented = registry.details("ECR Image Scan")[-1], sample("ecr_image_scan_complete")
    assert detail == {
        "scan-status": "COMPLETE",
        "repository-name": "team/app",
        "finding-severity-counts": {"CRITICAL": 2},
        "image-digest": digest,
        "image-tags": ["v1"],
    }
    assert detail.keys() == documented["detail"].keys()
    assert registry.envelopes[-1] == {
        "resources": [f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/app"],
        "time": LAST_YEAR,
    }
    assert read(registry, imageDigest=digest)["imageScanFindings"]["findings"] == findings


def test_a_basic_scan_that_fails_is_told(registry, digest):
    fail_scan(registry.emit, registry.backend, "team/app", digest)
    detail = registry.details("ECR Image Scan")[-1]
    assert (detail["scan-status"], detail["finding-severity-counts"]) == ("FAILED", {})
    status = read(registry, imageDigest=digest)["imageScanStatus"]
    assert status["status"] == "FAILED"
    assert status["description"].startswith("UnsupportedImageError")


def scanned(registry, digest, *findings, at=LAST_YEAR):
    complete_scan(registry.emit, registry.backend, "team/app", digest, findings, enhanced=True, at=at)


def test_a_scan_of_inspector_is_told_with_each_of_its_findings(registry, digest):
    found = enhanced_finding("CVE-1", "HIGH", OPENSSL, score=7.5, first_observed_at=LAST_YEAR)
    scanned(registry, digest, found, enhanced_finding("CVE-2", "UNTRIAGED", ("zlib", "1.2", None)))
    (scan,) = registry.details("Inspector2 Scan")
    repository = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/app"
    assert scan.keys() == sample("inspector2_scan_initial")["detail"].keys()
    assert (scan["scan-status"], scan["repository-name"]) == ("INITIAL_SCAN_COMPLETE", repository)
    counts = {"CRITICAL": 0, "HIGH": 1, "MEDIUM": 0, "UNTRIAGED": 1, "TOTAL": 2}
    assert scan["finding-severity-counts"] == counts
    first, second = registry.details("Inspector2 Finding")
    documented = sample("inspector2_finding_ecr")["detail"]
    assert documented.keys() <= first.keys()
    assert first["firstObservedAt"] == "Tue Mar 04 05:06:07.000 UTC 2025"
    assert (first["fixAvailable"], second["fixAvailable"]) == ("YES", "NO")
    details = first["resources"][0]["details"]
    for name, shape in documented["resources"][0]["details"].items():
        assert details[name].keys() == shape.keys()
    assert details["image"]["imageDigest"] == details["awsEcrContainerImage"]["imageHash"] == digest
    assert [envelope["source"] for envelope in registry.envelopes[-3:]] == ["aws.inspector2"] * 3
    assert registry.envelopes[-1]["resources"] == [f"{repository}/{digest}"]


def test_ecr_gives_a_finding_of_inspector_as_its_own_model_has_it(registry, digest):
    scanned(
        registry,
        digest,
        enhanced_finding("CVE-1", "HIGH", OPENSSL, ("libssl", "1", None), score=7.5, epss=0.9),
        enhanced_finding("CVE-2", "LOW"),
    )
    answer = read(registry, imageTag="v1")
    assert answer["imageScanStatus"] == {
        "status": "ACTIVE",
        "description": "Continuous scan is selected for image.",
    }
    findings = answer["imageScanFindings"]
    assert "findings" not in findings
    first, second = findings["enhancedFindings"]
    assert (first["score"], first["status"], first["fixAvailable"]) == (7.5, "ACTIVE", "PARTIAL")
    assert first["title"] == "CVE-1 - openssl, libssl"
    assert not first.keys() & {"epss", "inspectorScore"}
    assert isinstance(first["firstObservedAt"], datetime)
    assert first["resources"][0]["details"]["awsEcrContainerImage"]["imageHash"] == digest
    packages = first["packageVulnerabilityDetails"]["vulnerablePackages"]
    assert [package.get("fixedInVersion") for package in packages] == ["3.0.2", None]
    assert second["packageVulnerabilityDetails"]["vulnerablePackages"] == []
    assert findings["findingSeverityCounts"] == {"HIGH": 1, "LOW": 1}


def test_a_scan_at_the_push_alone_is_complete_and_has_inspectors_findings(registry, digest):
    set_scan(registry.image(digest), [enhanced_finding("CVE-1", "LOW")], is_enhanced=True, status="COMPLETE")
    answer = read(registry, imageDigest=digest)
    assert answer["imageScanStatus"]["status"] == "COMPLETE"
    assert len(answer["imageScanFindings"]["enhancedFindings"]) == 1


def test_a_finding_that_a_later_scan_has_no_more_is_closed(registry, digest):
    old, kept, new = (enhanced_finding(f"CVE-{number}", "HIGH", OPENSSL) for number in (1, 2, 3))
    scanned(registry, digest, old, kept)
    before = {finding["title"]: finding["findingArn"] for finding in listed(registry)}
    scanned(registry, digest, kept, new, at=LAST_YEAR + timedelta(days=1))
    closed = listed(registry, findingStatus="CLOSED")
    assert [finding["findingArn"] for finding in closed] == [before["CVE-1 - openssl"]]
    active = {finding["title"]: finding["findingArn"] for finding in listed(registry, findingStatus="ACTIVE")}
    assert active["CVE-2 - openssl"] == before["CVE-2 - openssl"]
    assert sorted(active) == ["CVE-2 - openssl", "CVE-3 - openssl"]
    told = [detail["status"] for detail in registry.details("Inspector2 Finding")]
    assert told == ["ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "CLOSED"]
    scanned(registry, digest, kept, at=LAST_YEAR + timedelta(days=2))
    assert len(listed(registry, findingStatus="CLOSED")) == 2
    scanned(registry, digest, old, at=LAST_YEAR + timedelta(days=3))
    assert [one["title"] for one in listed(registry, findingStatus="ACTIVE")] == ["CVE-1 - openssl"]
    assert len(listed(registry)) == 3


def test_a_single_finding_comes_and_goes(registry, digest):
    def change(status, hour):
        finding = enhanced_finding("CVE-1", "HIGH", OPENSSL, status=status)
        at = LAST_YEAR + timedelta(hours=hour)
        change_finding(registry.emit, registry.backend, "team/app", digest, finding, at=at)
        findings = read(registry, imageDigest=digest)["imageScanFindings"]
        return findings["findingSeverityCounts"], len(findings["enhancedFindings"])

    assert change("ACTIVE", 1) == ({"HIGH": 1}, 1)
    assert change("SUPPRESSED", 2) == ({}, 0)
    # What comes late changes nothing.
    assert change("ACTIVE", 1) == ({}, 0)
    assert change("ACTIVE", 3) == ({"HIGH": 1}, 1)
    (finding,) = listed(registry)
    assert finding["updatedAt"] == LAST_YEAR + timedelta(hours=3)
    assert len(registry.details("Inspector2 Finding")) == 4


def test_findings_are_listed_by_what_they_are_about(registry, digest):
    make_repository(registry.backend, "team/web")
    web = registry.push("v1", repository="team/web", seed="2")
    scanned(registry, digest, *(enhanced_finding(f"CVE-{name}", name) for name in ("LOW", "CRITICAL")))
    complete_scan(
        registry.emit,
        registry.backend,
        "team/web",
        web,
        [enhanced_finding("CVE-MEDIUM", "MEDIUM", status="ACTIVE", epss=0.25)],
        enhanced=True,
    )

    def severities(**criteria):
        return [finding["severity"] for finding in listed(registry, **criteria)]

    assert severities() == ["CRITICAL", "MEDIUM", "LOW"]
    assert severities(sort="ASC") == ["LOW", "MEDIUM", "CRITICAL"]
    assert severities(ecrImageHash=digest) == ["CRITICAL", "LOW"]
    assert severities(ecrImageRepositoryName="team/web") == ["MEDIUM"]
    assert severities(ecrImageHash=digest, ecrImageRepositoryName="team/web") == []
    assert severities(severity="LOW", awsAccountId=ACCOUNT, findingStatus="ACTIVE") == ["LOW"]
    assert severities(findingStatus="CLOSED") == severities(awsAccountId="000000000000") == []
    assert severities(vulnerabilityId="CVE-LOW", ecrImageTags="v1", title="CVE-LOW") == ["LOW"]
    assert severities(ecrImageRegistry=ACCOUNT, resourceType="AWS_ECR_CONTAINER_IMAGE") == severities()
    assert severities(findingType="CODE_VULNERABILITY") == []
    (medium,) = listed(registry, severity="MEDIUM")
    assert medium["epss"] == {"score": 0.25}
    assert listed(registry, findingArn=medium["findingArn"]) == [medium]
    assert listed(registry, resourceId=medium["resources"][0]["id"]) == [medium]
    assert medium["resources"][0]["details"]["awsEcrContainerImage"]["repositoryName"] == "team/web"

    def compared(*filters):
        found = registry.inspector.list_findings(
            filterCriteria={"severity": [{"comparison": how, "value": value} for how, value in filters]}
        )["findings"]
        return sorted(finding["severity"] for finding in found)

    assert compared(("EQUALS", "LOW"), ("PREFIX", "MED")) == ["LOW", "MEDIUM"]
    assert compared(("NOT_EQUALS", "LOW"), ("NOT_EQUALS", "MEDIUM")) == ["CRITICAL"]


def test_a_basic_scan_is_nothing_that_inspector_knows_of(registry, digest):
    set_scan(registry.image(digest), [basic_finding("CVE-1", "LOW")])
    assert listed(registry) == []


def test_an_image_that_is_not_scanned_any_more_has_its_findings_closed(registry, digest):
    found = [enhanced_finding("CVE-1", "LOW")]
    set_scan(registry.image(digest), found, is_enhanced=True, status="SCAN_ELIGIBILITY_EXPIRED")
    assert [finding["status"] for finding in listed(registry)] == ["CLOSED"]
    registry.ecr.batch_delete_image(**NAMED, imageIds=[{"imageDigest": digest}])
    assert listed(registry) == []


def test_a_listing_is_of_what_there_was_at_its_first_page(registry, digest):
    scanned(registry, digest, *(enhanced_finding(f"CVE-{number}", "LOW") for number in range(5)))
    ask = registry.inspector.list_findings
    first = ask(maxResults=3)
    scanned(registry, digest, at=LAST_YEAR + timedelta(days=1))
    second = ask(maxResults=3, nextToken=first["nextToken"])
    assert len(first["findings"] + second["findings"]) == 5
    assert "nextToken" not in second
    # A page may be asked for again.
    assert ask(maxResults=3, nextToken=first["nextToken"])["findings"] == second["findings"]


def test_what_list_findings_refuses(registry, digest):
    scanned(registry, digest, *(enhanced_finding(f"CVE-{number}", "LOW") for number in range(3)))
    ask, invalid = registry.inspector.list_findings, "ValidationException"
    token = ask(maxResults=1)["nextToken"]
    one = {"comparison": "EQUALS", "value": "LOW"}
    for wrong in (
        {"maxResults": 101},
        {"maxResults": 0},
        {"nextToken": "x"},
        {"nextToken": "x 1"},
        {"nextToken": token.replace(" 1", " -1")},
        {"nextToken": token, "filterCriteria": {"severity": [one]}},
        {"filterCriteria": {"severity": [one] * 11}},
        {"filterCriteria": {"severity": [{**one, "comparison": "LIKE"}]}},
        {"sortCriteria": {"field": "SEVERITY", "sortOrder": "UP"}},
    ):
        assert error_of(ask, **wrong) == invalid
    with pytest.raises(LocalAwsError, match="vendorSeverity is not simulated"):
        ask(filterCriteria={"vendorSeverity": [one]})
    with pytest.raises(LocalAwsError, match="EPSS_SCORE is not simulated"):
        ask(sortCriteria={"field": "EPSS_SCORE", "sortOrder": "DESC"})


def test_only_so_many_listings_can_be_gone_on_with(registry, digest):
    scanned(registry, digest, enhanced_finding("CVE-1", "LOW"), enhanced_finding("CVE-2", "LOW"))
    ask = registry.inspector.list_findings
    tokens = [ask(maxResults=1)["nextToken"] for _ in range(101)]
    assert error_of(ask, maxResults=1, nextToken=tokens[0]) == "ValidationException"
    assert len(ask(maxResults=1, nextToken=tokens[1])["findings"]) == 1


def a_finding(number):
    return basic_finding(f"CVE-{number}", "LOW" if number else "CRITICAL")


def one_of_inspector(number):
    return enhanced_finding(f"CVE-{number}", "LOW" if number % 1000 else "CRITICAL", OPENSSL)


def test_a_hundred_thousand_findings_cost_little(registry, digest):
    tracemalloc.start()
    began = time.monotonic()
    set_scan(registry.image(digest), Generated(MANY, a_finding))
    first = registry.ecr.describe_image_scan_findings(
        **NAMED, imageId={"imageDigest": digest}, maxResults=1000
    )
    assert first["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 1, "LOW": MANY - 1}
    set_scan(registry.image(digest), Generated(MANY, one_of_inspector), is_enhanced=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
    found = listed(registry, ecrImageHash=digest, severity="CRITICAL")
    assert len(found) == 100
    numbers = [one["packageVulnerabilityDetails"]["vulnerabilityId"] for one in found]
    assert numbers[:2] == ["CVE-0", "CVE-1000"]
    assert len(Generated(MANY, a_finding)[MANY - 2 :]) == 2
    # Loose, for a machine that does other work too.
    assert time.monotonic() - began < 60


def test_a_server_answers_the_same(registry, digest):
    scanned(registry, digest, enhanced_finding("CVE-1", "HIGH", OPENSSL, epss=0.5))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    where = {
        "region_name": REGION,
        "endpoint_url": f"http://{host}:{port}",
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
    }
    try:
        asked = {**NAMED, "imageId": {"imageDigest": digest}}
        found = boto3.client("ecr", **where).describe_image_scan_findings(**asked)["imageScanFindings"]
        assert found == read(registry, imageDigest=digest)["imageScanFindings"]
        findings = boto3.client("inspector2", **where).list_findings()["findings"]
        assert findings == listed(registry)
    finally:
        server.stop()


def test_scans_are_of_one_image_each(registry, digest):
    other = registry.push("v2", seed="2")
    set_scan(registry.image(digest))
    assert scan_of(registry.image(other)) is None
