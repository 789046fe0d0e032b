"""What replay makes before an event: the registry then says what the event says, and invents nothing."""

import copy
from itertools import permutations

import pytest
from botocore.exceptions import ClientError
from moto.ecr.models import ecr_backends

from ecr_warden_cli.local.ecr_double import scan_of

DIGEST = "sha256:" + "ab" * 32
ACCOUNT, REGION = "123456789012", "us-east-1"
REPOSITORY = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/app"
ARN = f"arn:aws:inspector2:{REGION}:{ACCOUNT}:finding/{'0' * 32}"


@pytest.fixture
def basic(sample):
    def make(day=1, digest=DIGEST, **detail):
        event = copy.deepcopy(sample("ecr_image_scan_complete"))
        event |= {"time": f"2026-01-{day:02}T00:00:00Z", "region": REGION, "account": ACCOUNT}
        event["detail"] |= {"repository-name": "team/app", "image-digest": digest} | {
            name.replace("_", "-"): value for name, value in detail.items()
        }
        return event

    return make


@pytest.fixture
def inspected(sample):
    def make(day=1, **counts):
        event = copy.deepcopy(sample("inspector2_scan_initial"))
        event |= {"time": f"2026-01-{day:02}T00:00:00Z", "region": REGION, "account": ACCOUNT}
        event["detail"] |= {
            "repository-name": REPOSITORY,
            "image-digest": DIGEST,
            "finding-severity-counts": {"CRITICAL": 0, **counts, "TOTAL": sum(counts.values())},
        }
        return event

    return make


@pytest.fixture
def finding(sample):
    def make(day=1, arn=ARN, observed=1, **detail):
        event = copy.deepcopy(sample("inspector2_finding_ecr"))
        event |= {"time": f"2026-01-{day:02}T00:00:00Z", "region": REGION, "account": ACCOUNT}
        event["resources"] = [f"{REPOSITORY}/{DIGEST}"]
        event["detail"]["resources"][0]["id"] = f"{REPOSITORY}/{DIGEST}"
        event["detail"] |= {
            "findingArn": arn,
            "firstObservedAt": f"Thu Jan {observed:02} 00:00:00.000 UTC 2026",
            "updatedAt": f"Thu Jan {day:02} 00:00:00.000 UTC 2026",
            **detail,
        }
        return event

    return make


def read(aws, digest=DIGEST, repository="team/app"):
    answer = aws.ecr.describe_image_scan_findings(repositoryName=repository, imageId={"imageDigest": digest})
    return answer["imageScanStatus"]["status"], answer["imageScanFindings"]


def counts(aws):
    return read(aws)[1].get("findingSeverityCounts")


def test_a_scan_leaves_its_counts_and_no_finding(aws, basic):
    aws.aws.seed(basic(image_tags=["v1", "v2"]))
    status, findings = read(aws)
    assert status == "COMPLETE"
    assert findings["findingSeverityCounts"] == {"CRITICAL": 10, "MEDIUM": 9}
    assert findings["findings"] == []
    assert f"{findings['imageScanCompletedAt']:%Y-%m-%d}" == "2026-01-01"
    assert aws.tags(DIGEST) == ["v1", "v2"]


def test_awss_own_sample_with_its_odd_digest_can_be_read(aws, sample):
    event = sample("ecr_image_scan_complete")
    aws.aws.seed(event)
    detail = event["detail"]
    assert read(aws, detail["image-digest"], detail["repository-name"])[0] == "COMPLETE"


def test_a_scan_that_failed_has_failed(aws, basic):
    aws.aws.seed(basic(scan_status="FAILED", finding_severity_counts={}))
    assert read(aws) == ("FAILED", {"findings": [], "enhancedFindings": []})


def test_every_scan_of_an_image_takes_effect_unless_it_is_older(aws, basic):
    for day, found, then in ((2, 3, 3), (3, 0, None), (1, 9, None), (3, 0, None), (4, 5, 5)):
        aws.aws.seed(basic(day, finding_severity_counts={"HIGH": found}))
        assert counts(aws) == ({"HIGH": then} if then else {})


def test_a_scan_without_counts_is_not_a_clean_one(aws, basic):
    aws.aws.seed(basic(finding_severity_counts=None))
    assert read(aws) == ("COMPLETE", {"findings": [], "enhancedFindings": []})


def test_what_is_no_count_is_left_out_and_a_severity_nobody_knows_is_not(aws, basic):
    said = {"CATASTROPHIC": 1, "HIGH": 0, "LOW": "many", "MEDIUM": True, "TOTAL": 7}
    aws.aws.seed(basic(finding_severity_counts=said))
    assert counts(aws) == {"CATASTROPHIC": 1}


@pytest.mark.parametrize("detail", [{"scan_status": "STRANGE"}, {"scan_status": None}])
def test_a_status_that_is_none_of_a_scan_leaves_no_scan(aws, basic, detail):
    aws.aws.seed(basic(**detail))
    assert aws.tags(DIGEST) == []
    with pytest.raises(ClientError, match="ScanNotFoundException"):
        read(aws)


@pytest.mark.parametrize("time", ["yesterday", None, "2026-02-30T00:00:00Z"])
def test_a_scan_without_a_time_leaves_no_scan(aws, basic, time):
    aws.aws.seed({**basic(), "time": time})
    with pytest.raises(ClientError, match="ScanNotFoundException"):
        read(aws)


def test_a_scan_does_not_take_a_tag_from_another_image(aws, basic):
    newer = aws.push("latest")
    aws.aws.seed(basic(image_tags=["latest", "v1"]))
    assert (aws.tags(newer), aws.tags(DIGEST)) == (["latest"], ["v1"])


def test_a_push_takes_its_tag_from_another_image(aws, sample):
    older, event = aws.push("latest"), sample("ecr_image_action_push")
    event |= {"region": REGION}
    event["detail"] |= {"repository-name": "team/app", "image-digest": DIGEST}
    aws.aws.seed(event)
    assert (aws.tags(older), aws.tags(DIGEST)) == ([], ["latest"])


def test_an_image_that_is_gone_is_not_made_again_by_a_rescan(aws, basic):
    aws.aws.seed(basic(1))
    aws.ecr.batch_delete_image(repositoryName="team/app", imageIds=[{"imageDigest": DIGEST}])
    aws.aws.seed(basic(2))
    with pytest.raises(ClientError, match="ImageNotFoundException"):
        read(aws)
    aws.ecr.delete_repository(repositoryName="team/app", force=True)
    aws.aws.seed(basic(3))
    assert "team/app" not in ecr_backends[ACCOUNT][REGION].repositories


def test_a_scan_of_inspector_is_active(aws, inspected):
    aws.aws.seed(inspected(HIGH=2))
    status, findings = read(aws)
    assert (status, findings["findingSeverityCounts"]) == ("ACTIVE", {"HIGH": 2})
    assert findings["enhancedFindings"] == []


def test_an_older_scan_of_inspector_changes_nothing(aws, inspected):
    for day, found, then in ((2, 3, 3), (1, 9, 3), (3, 1, 1)):
        aws.aws.seed(inspected(day, HIGH=found))
        assert counts(aws) == {"HIGH": then}


def test_a_finding_is_in_the_registry_and_in_inspector(aws, finding):
    event = finding()
    aws.aws.seed(event)
    status, found = read(aws)
    (listed,) = found["enhancedFindings"]
    assert (status, found["findingSeverityCounts"]) == ("ACTIVE", {"MEDIUM": 1})
    assert listed["packageVulnerabilityDetails"]["vulnerabilityId"] == "CVE-2024-6119"
    (known,) = aws.client("inspector2").list_findings(
        filterCriteria={"findingArn": [{"comparison": "EQUALS", "value": ARN}]}
    )["findings"]
    assert known["epss"] == {"score": 0.00045}
    assert f"{known['updatedAt']:%Y-%m-%d}" == "2026-01-01"
    assert aws.tags(DIGEST) == ["ubuntu_latest"]


def test_awss_own_finding_can_be_read(aws, sample):
    aws.aws.seed(event := sample("inspector2_finding_ecr"))
    (image,) = ecr_backends[event["account"]][event["region"]].repositories["inspector2"].images
    assert scan_of(image).counts == {"MEDIUM": 1}


def forget_scans():
    for image in ecr_backends[ACCOUNT][REGION].repositories["team/app"].images:
        vars(image).pop("scan", None)


def test_the_newest_word_on_a_finding_holds_in_every_order(aws, finding):
    events = [finding(1), finding(2, status="CLOSED"), finding(3), finding(4, status="SUPPRESSED")]
    for order in permutations(events):
        forget_scans()
        for event in order:
            aws.aws.seed(event)
        assert counts(aws) == {}
        (known,) = aws.client("inspector2").list_findings()["findings"]
        assert known["status"] == "SUPPRESSED"


def test_counts_are_what_the_scan_said_unless_more_are_listed(aws, inspected, finding):
    aws.aws.seed(inspected(1, HIGH=2, MEDIUM=1))
    aws.aws.seed(finding(2))
    assert counts(aws) == {"HIGH": 2, "MEDIUM": 1}
    aws.aws.seed(finding(2, arn=ARN[:-1] + "1"))
    assert counts(aws) == {"HIGH": 2, "MEDIUM": 2}


def test_scans_and_findings_of_an_image_end_alike_in_every_order(aws, inspected, finding):
    other = ARN[:-1] + "1"
    events = [
        inspected(1, HIGH=1, MEDIUM=3),
        finding(2),
        finding(3, status="CLOSED"),
        finding(3, arn=other, observed=3, severity="CRITICAL"),
        inspected(1, HIGH=1, MEDIUM=3),
    ]
    for order in permutations(events):
        forget_scans()
        for event in order:
            aws.aws.seed(event)
        status, found = read(aws)
        # The scan had counted the finding that is closed since.
        assert (status, found["findingSeverityCounts"]) == ("ACTIVE", {"HIGH": 1, "MEDIUM": 2, "CRITICAL": 1})
        assert [one["findingArn"] for one in found["enhancedFindings"]] == [other]


def test_the_later_kind_of_scan_is_the_images(aws, basic, inspected, finding):
    aws.aws.seed(basic(2))
    for old in (inspected(1, HIGH=5), finding(1)):
        aws.aws.seed(old)
        assert counts(aws) == {"CRITICAL": 10, "MEDIUM": 9}
    aws.aws.seed(finding(3))
    assert counts(aws) == {"MEDIUM": 1}
    aws.aws.seed(basic(4, finding_severity_counts={"LOW": 1}))
    assert counts(aws) == {"LOW": 1}


@pytest.mark.parametrize("missing", ["findingArn", "severity", "status"])
def test_a_finding_that_is_not_well_formed_leaves_no_scan(aws, finding, missing):
    aws.aws.seed(finding(**{missing: None}))
    assert aws.tags(DIGEST) == ["ubuntu_latest"]
    with pytest.raises(ClientError, match="ScanNotFoundException"):
        read(aws)


def test_a_date_that_nobody_can_read_is_left_out(aws, finding):
    aws.aws.seed(finding(updatedAt="tomorrow", firstObservedAt="Dec 3, 2021, 6:02:30 PM"))
    (listed,) = read(aws)[1]["enhancedFindings"]
    assert "updatedAt" not in listed
    assert f"{listed['firstObservedAt']:%Y-%m-%d %H:%M}" == "2021-12-03 18:02"


@pytest.fixture
def coverage(sample):
    def make(reason, status="INACTIVE", day=1):
        event = copy.deepcopy(sample("inspector2_coverage_ec2"))
        event |= {"time": f"2026-01-{day:02}T00:00:00Z", "region": REGION, "account": ACCOUNT}
        event["resources"] = [f"{REPOSITORY}/{DIGEST}"]
        event["detail"]["scanStatus"] = {"reason": reason, "statusCodeValue": status}
        return event

    return make


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("UNSUPPORTED_OS", "UNSUPPORTED_IMAGE"),
        ("UNSUPPORTED_MEDIA_TYPE", "UNSUPPORTED_IMAGE"),
        ("IMAGE_SIZE_EXCEEDED", "IMAGE_SIZE_EXCEEDED"),
        ("SCAN_ELIGIBILITY_EXPIRED", "SCAN_ELIGIBILITY_EXPIRED"),
        ("PENDING_INITIAL_SCAN", "PENDING"),
        ("SCAN_IN_PROGRESS", "IN_PROGRESS"),
        ("INTERNAL_ERROR", "FINDINGS_UNAVAILABLE"),
    ],
)
def test_an_image_that_inspector_does_not_scan_has_ecrs_status_of_it(
    aws, coverage, inspected, reason, status
):
    aws.aws.seed(coverage(reason, day=2))
    assert read(aws) == (status, {"findings": [], "enhancedFindings": []})
    aws.aws.seed(inspected(3, HIGH=1))
    aws.aws.seed(coverage(reason, day=2))
    assert read(aws)[0] == "ACTIVE"
    aws.aws.seed(coverage(reason, day=4))
    assert read(aws)[0] == status


def test_coverage_that_is_active_says_nothing_of_findings(aws, coverage):
    aws.aws.seed(coverage("SUCCESSFUL", "ACTIVE"))
    assert aws.tags(DIGEST) == []
    with pytest.raises(ClientError, match="ScanNotFoundException"):
        read(aws)


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("ecr_replication_action_success", 1),
        ("ecr_replication_action_failed", 0),
        ("ecr_pull_through_cache_action_success", 1),
        ("eventbridge_cloudtrail_PolicyExecutionEvent", 0),
    ],
)
def test_what_an_event_names_is_made_where_it_exists(aws, sample, name, images):
    event = sample(name)
    aws.aws.seed(event)
    made = dict(ecr_backends[event["account"]][event["region"]].repositories)
    made.pop("team/app", None)
    assert [len(repository.images) for repository in made.values()] == [images]


def test_a_pull_that_failed_leaves_no_image(aws, sample):
    event = sample("ecr_pull_through_cache_action_success")
    event["detail"]["sync-status"] = "FAILED"
    aws.aws.seed(event)
    (repository,) = ecr_backends[event["account"]][event["region"]].repositories.values()
    assert (repository.name, repository.images) == ("docker-hub/alpine", [])


def test_every_repository_whose_scanning_changed_is_made(aws, sample):
    aws.aws.seed(sample("ecr_scan_resource_change"))
    found = aws.ecr.describe_repositories()["repositories"]
    assert {f"repository-{number}" for number in (1, 2, 3)} <= {one["repositoryName"] for one in found}
