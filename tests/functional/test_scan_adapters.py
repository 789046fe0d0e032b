"""The adapters of scans, storage classes and images' states, on the local AWS."""

import json
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from fakes import NOW, OUTCOME
from moto.ecr.models import ecr_backends

from ecr_warden.adapters import ecr_storage
from ecr_warden.adapters.dynamodb_scans import LARGEST_STATE, STATE_KEPT, DynamoScanStates
from ecr_warden.adapters.ecr_scans import EcrScans
from ecr_warden.adapters.ecr_storage import EcrStorage
from ecr_warden.domain.finding_summary import FindingChanges, FindingShown, FindingsSummary
from ecr_warden.domain.findings import Package
from ecr_warden.domain.scan_gate import MARKS_KEPT, WORST_SHOWN
from ecr_warden.domain.scan_state import ImageKey, ImageState
from ecr_warden.errors import AwsError, ImageGoneError, RefusedError, RepositoryGoneError
from ecr_warden_cli.local.ecr_double import storage_of
from ecr_warden_cli.local.ecr_double.findings import Generated, basic_finding, enhanced_finding
from ecr_warden_cli.local.ecr_double.images import find_image
from ecr_warden_cli.local.ecr_double.scans import set_scan

ACCOUNT, REGION = "123456789012", "us-east-1"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
NONE = "sha256:" + "0" * 64


def error(code, operation="Operation"):
    return ClientError({"Error": {"Code": code, "Message": "said ECR"}}, operation)


def the_image(digest, repository="team/app"):
    return find_image(ecr_backends[ACCOUNT][REGION].repositories[repository], {"imageDigest": digest})


# What scanners found


@pytest.fixture
def scans(aws):
    return EcrScans(aws.ecr, lambda: aws.client("inspector2"))


@pytest.fixture
def scanned(aws, scans):
    """Let an image have been scanned; read what is found, all of it at once."""

    def scan(*findings, from_inspector=False, **about):
        digest = aws.push("v1")
        set_scan(the_image(digest), findings, **about)
        return scans.read("team/app", digest, from_inspector=from_inspector)

    return scan


def all_of(scan):
    return [finding for page in scan.pages for finding in page.findings]


def test_a_basic_scan_says_of_each_finding_what_its_attributes_say(scanned):
    scan = scanned(
        basic_finding("CVE-2026-1", "CRITICAL", package="openssl", version="1.1.1k", CVSS3_SCORE="9.8"),
        completed_at=NOW,
    )
    assert (scan.status, scan.description) == ("COMPLETE", "The scan was completed successfully.")
    assert (scan.completed_at, scan.counts) == (NOW, {"critical": 1})
    (finding,) = all_of(scan)
    assert (finding.id, finding.severity, finding.score) == ("CVE-2026-1", "critical", 9.8)
    assert finding.packages == (Package("openssl", "1.1.1k"),)
    assert finding.url == "https://nvd.nist.gov/vuln/detail/CVE-2026-1"
    unsaid = (finding.fix_available, finding.exploit_available, finding.epss, finding.first_observed_at)
    assert unsaid == (None, None, None, None), "what a basic scan does not say is unknown"


@pytest.mark.parametrize("key", ["fixed_in_version", "fixed_in_versions", "patched_version"])
def test_a_basic_finding_with_a_fixed_version_has_a_fix(scanned, key):
    (finding,) = all_of(scanned(basic_finding("CVE-2026-1", "HIGH", **{key: "1.1.1l"})))
    assert finding.packages[0].fixed_version == "1.1.1l"
    assert finding.fix_available is True


def test_a_fixed_version_that_is_not_available_is_no_fix(scanned):
    (finding,) = all_of(scanned(basic_finding("CVE-2026-1", "HIGH", fixed_in_version="NotAvailable")))
    assert (finding.packages[0].fixed_version, finding.fix_available) == (None, None)


@pytest.mark.parametrize("said", ["high", "", "nan", "-1", "11"])
def test_a_score_that_is_none_is_unknown(scanned, said):
    (finding,) = all_of(scanned(basic_finding("CVE-2026-1", "HIGH", CVSS2_SCORE=said)))
    assert finding.score is None


def test_a_basic_finding_without_anything_is_a_finding_still():
    bare = {"attributes": []}
    no_package = basic_finding("CVE-2026-1", "UNDEFINED", package=None)
    no_link = basic_finding("CVE-2026-2", "LOW") | {"uri": "javascript:alert(1)"}
    answer = {
        "imageScanStatus": {"status": "COMPLETE"},
        "imageScanFindings": {"findings": [bare, no_package, no_link]},
    }
    findings = all_of(EcrScans(Answering(answer), no_inspector).read("team/app", "sha256:ab"))
    assert [finding.packages for finding in findings] == [(), (), (Package("openssl", "1.1.1k"),)]
    assert [finding.url is None for finding in findings] == [True, False, True]
    assert [finding.severity for finding in findings] == ["unknown", "undefined", "low"]
    assert findings[0].id == "(not named)"


def test_an_enhanced_scan_says_what_inspector_says_but_epss(scanned):
    scan = scanned(
        enhanced_finding(
            "CVE-2026-1",
            "UNTRIAGED",
            ("openssl", "3.0.1", "3.0.2"),
            exploit_available="YES",
            epss=0.9,
            first_observed_at=NOW,
        ),
        is_enhanced=True,
    )
    assert (scan.status, scan.counts) == ("ACTIVE", {"undefined": 1})
    (finding,) = all_of(scan)
    assert finding.packages == (Package("openssl", "3.0.1", "3.0.2"),)
    assert (finding.fix_available, finding.exploit_available, finding.epss) == (True, True, None)
    assert (finding.first_observed_at, finding.is_active) == (NOW, True)


def test_from_inspector_the_findings_of_an_enhanced_scan_are_inspectors(scanned):
    scan = scanned(
        enhanced_finding("CVE-2026-1", "LOW", epss=0.1),
        enhanced_finding("CVE-2026-2", "CRITICAL", epss=0.9),
        inactive=[enhanced_finding("CVE-2026-3", "CRITICAL", status="SUPPRESSED")],
        is_enhanced=True,
        from_inspector=True,
    )
    # ECR's numbers may be older than that list.
    assert (scan.status, scan.counts) == ("ACTIVE", None)
    found = [(finding.id, finding.epss, finding.is_active) for finding in all_of(scan)]
    assert found[:2] == [("CVE-2026-2", 0.9, True), ("CVE-2026-1", 0.1, True)], "the worst come first"
    assert [(id_, is_active) for id_, _, is_active in found[2:]] == [("CVE-2026-3", False)]


def test_from_inspector_findings_of_other_images_are_not_this_images(aws, scans):
    first, second = aws.push("v1", seed="1"), aws.push("v2", seed="2")
    set_scan(the_image(first), [enhanced_finding("CVE-2026-1", "LOW")], is_enhanced=True)
    set_scan(the_image(second), [enhanced_finding("CVE-2026-2", "LOW")], is_enhanced=True)
    assert [one.id for one in all_of(scans.read("team/app", first, from_inspector=True))] == ["CVE-2026-1"]


def test_from_inspector_a_basic_scan_is_as_without_and_inspector_is_not_asked(aws):
    digest = aws.push("v1")
    set_scan(the_image(digest), [basic_finding("CVE-2026-1", "LOW")])
    scans = EcrScans(aws.ecr, no_inspector)
    (finding,) = all_of(scans.read("team/app", digest, from_inspector=True))
    assert (finding.id, finding.epss) == ("CVE-2026-1", None)


def no_inspector():
    raise AssertionError("Inspector is not to be asked")


def test_an_image_that_was_never_scanned_has_no_findings_and_is_not_clean(aws, scans):
    scan = scans.read("team/app", aws.push("v1"))
    assert (scan.status, scan.counts, scan.has_findings, all_of(scan)) == ("NOT_FOUND", None, False, [])


@pytest.mark.parametrize(("is_enhanced", "status"), [(False, "COMPLETE"), (True, "ACTIVE")])
def test_a_scan_that_is_done_and_whose_findings_are_not_there_yet_is_in_progress(
    scanned, is_enhanced, status
):
    scan = scanned(is_awaited=True, is_enhanced=is_enhanced)
    assert (scan.status, scan.has_findings) == ("IN_PROGRESS", False)
    assert status in scan.description


def test_a_scan_that_found_nothing_is_clean(scanned):
    scan = scanned()
    assert (scan.status, scan.counts, scan.has_findings, all_of(scan)) == ("COMPLETE", {}, True, [])


@pytest.mark.parametrize("status", ["FAILED", "UNSUPPORTED_IMAGE", "PENDING", "SOMETHING_NEW"])
def test_the_status_of_a_scan_without_findings_is_told(scanned, status):
    scan = scanned(status=status, description="why")
    assert (scan.status, scan.description, scan.has_findings) == (status, "why", False)


def test_an_image_or_repository_that_is_not_there_is_said_to_be_gone(scans):
    with pytest.raises(ImageGoneError):
        scans.read("team/app", NONE)
    with pytest.raises(RepositoryGoneError):
        scans.read("team/none", NONE)


class Answering:
    """An ECR or Inspector that gives its answers one after the other, and raises those that are errors."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.asked = []

    def __call__(self, **asked):
        self.asked.append(asked)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    describe_image_scan_findings = list_findings = batch_get_image = __call__


def a_page(*names, **more):
    return {
        "imageScanStatus": {"status": "COMPLETE"},
        "imageScanFindings": {
            "imageScanCompletedAt": NOW,
            "findings": [basic_finding(name, "LOW") for name in names],
        },
        **more,
    }


def test_a_page_is_read_when_it_is_asked_for_and_not_before():
    ecr = Answering(a_page("CVE-1", nextToken="2"), a_page(nextToken="3"), a_page("CVE-3"))
    scan = EcrScans(ecr, no_inspector).read("team/app", "sha256:ab")
    assert [asked.get("nextToken") for asked in ecr.asked] == [None]
    assert [finding.id for finding in next(scan.pages).findings] == ["CVE-1"]
    assert len(ecr.asked) == 1
    assert [len(page.findings) for page in scan.pages] == [0, 1], "a page may be empty and not the last"
    assert [asked.get("nextToken") for asked in ecr.asked] == [None, "2", "3"]
    assert {asked["maxResults"] for asked in ecr.asked} == {1000}


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (error("InvalidParameterException"), AwsError),
        (error("ScanNotFoundException"), AwsError),
        (error("ImageNotFoundException"), ImageGoneError),
        (a_page("CVE-2", nextToken="2"), AwsError),
    ],
)
def test_what_goes_wrong_at_a_later_page_is_no_end_of_the_findings(answer, raised):
    ecr = Answering(a_page("CVE-1", nextToken="2"), answer)
    scan = EcrScans(ecr, no_inspector).read("team/app", "sha256:ab")
    next(scan.pages)
    with pytest.raises(raised):
        all_of(scan)


def test_an_answer_without_a_status_is_an_error_and_not_clean():
    with pytest.raises(AwsError, match="has no status"):
        EcrScans(Answering({}), no_inspector).read("team/app", "sha256:ab")


def test_counts_that_ecr_does_not_give_are_unknown():
    scan = EcrScans(Answering(a_page("CVE-1")), no_inspector).read("team/app", "sha256:ab")
    assert scan.counts is None


@pytest.mark.parametrize("from_inspector", [False, True])
def test_an_error_of_inspector_is_one_only_where_inspector_is_asked(aws, from_inspector):
    digest = aws.push("v1")
    set_scan(the_image(digest), [enhanced_finding("CVE-2026-1", "LOW")], is_enhanced=True)
    scans = EcrScans(aws.ecr, lambda: Answering(error("AccessDeniedException")))
    scan = scans.read("team/app", digest, from_inspector=from_inspector)
    if from_inspector:
        with pytest.raises(AwsError, match="AccessDenied"):
            all_of(scan)
    else:
        assert len(all_of(scan)) == 1


def test_a_hundred_thousand_findings_are_read_in_memory_that_does_not_grow():
    class Pages:
        """Pages of a thousand findings that nobody keeps."""

        def describe_image_scan_findings(self, *, nextToken="0", **_):  # noqa: N803
            number = int(nextToken) + 1
            more = {"nextToken": str(number)} if number < self.count else {}
            return a_page(*(f"CVE-{number}-{one}" for one in range(1000)), **more)

    peaks = []
    for count in (3, 100):
        pages = Pages()
        pages.count = count
        scan = EcrScans(pages, no_inspector).read("team/app", "sha256:ab")
        tracemalloc.start()
        assert sum(len(page.findings) for page in scan.pages) == count * 1000
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_many_findings_are_read_over_all_pages_of_both_services(aws, scans):
    digest = aws.push("v1")
    many = Generated(1250, lambda number: enhanced_finding(f"CVE-{number}", "LOW"))
    set_scan(the_image(digest), many, is_enhanced=True)
    of_ecr = scans.read("team/app", digest)
    assert of_ecr.counts == {"low": 1250}
    assert [(len(page.findings), page.is_last) for page in of_ecr.pages] == [(1000, False), (250, True)]
    of_inspector = scans.read("team/app", digest, from_inspector=True)
    pages = list(of_inspector.pages)
    assert len({finding.id for page in pages for finding in page.findings}) == 1250
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]


def test_a_finding_of_inspectors_is_found_as_it_is_now(aws, scans):
    active = enhanced_finding("CVE-1", "LOW") | {"findingArn": f"arn:aws:inspector2:{REGION}:1:finding/1"}
    closed = enhanced_finding("CVE-2", "LOW", status="CLOSED") | {
        "findingArn": f"arn:aws:inspector2:{REGION}:1:finding/2"
    }
    set_scan(the_image(aws.push("v1")), [active], inactive=[closed], is_enhanced=True)
    arns = [active["findingArn"], closed["findingArn"], f"arn:aws:inspector2:{REGION}:1:finding/3"]
    found = [scans.find(arn) for arn in arns]
    assert [finding and finding.is_active for finding in found] == [True, False, None]
    failing = EcrScans(aws.ecr, lambda: Answering(error("InternalServerException")))
    with pytest.raises(AwsError):
        failing.find(arns[0])


# Storage classes


@pytest.fixture
def storage(aws):
    return EcrStorage(aws.ecr)


def push_index(aws, *children, tag=None):
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"digest": child} for child in children]}
    )
    named = {} if tag is None else {"imageTag": tag}
    answer = aws.ecr.put_image(repositoryName="team/app", imageManifest=manifest, **named)
    return answer["image"]["imageId"]["imageDigest"]


def test_images_are_described_with_their_tags_and_storage_class(aws, storage):
    tagged, untagged = aws.push("v1", "v2", seed="1"), aws.push(seed="2")
    storage.archive("team/app", untagged)
    found = {image.digest: image for image in storage.images("team/app", [tagged, untagged, tagged])}
    assert found.keys() == {tagged, untagged}
    assert sorted(found[tagged].tags) == ["v1", "v2"]
    assert [found[tagged].is_archived, found[untagged].is_archived] == [False, True]
    assert found[tagged].media_type == MANIFEST
    assert abs(datetime.now(UTC) - found[tagged].pushed_at) < timedelta(minutes=5)


def test_images_that_do_not_exist_are_left_out(aws, storage):
    digests = [aws.push(f"v{number}", seed=str(number)) for number in range(5)]
    gone = ["sha256:" + f"{number:064x}" for number in range(3)]
    for asked in permutations([*digests[:2], *gone[:2]]):
        assert {image.digest for image in storage.images("team/app", asked)} == set(digests[:2])
    assert {image.digest for image in storage.images("team/app", [*digests, *gone])} == set(digests)
    assert storage.images("team/app", gone) == ()
    assert storage.images("team/app", []) == ()


class Images:
    """An ECR of many images; ``calls`` has how many each call asked for or gave.

    Those that are ``archived`` are listed where they are asked for, and not described by their digests.
    """

    def __init__(self, count, media_type=MANIFEST, archived=()):
        self.known = {f"sha256:{number:064x}" for number in range(count)}
        self.archived = set(archived)
        self.media_type = media_type
        self.calls = []

    def _details(self, digests, status="ACTIVE"):
        return [
            {"imageDigest": digest, "imageManifestMediaType": self.media_type, "imageStatus": status}
            for digest in digests
        ]

    def describe_images(self, *, imageIds, **_):  # noqa: N803
        digests = [one["imageDigest"] for one in imageIds]
        assert 1 <= len(digests) <= 100, "DescribeImages takes 100 ids a call"
        self.calls.append(len(digests))
        if not self.known.issuperset(digests):
            raise error("ImageNotFoundException")
        return {"imageDetails": self._details(digests)}

    def get_paginator(self, _name):
        def paginate(*, PaginationConfig, filter, **_):  # noqa: A002, N803
            if filter == {"imageStatus": "ARCHIVED"}:
                self.calls.append(len(self.archived))
                yield {"imageDetails": self._details(sorted(self.archived), "ARCHIVED")}
                return
            assert filter == {"imageStatus": "ANY"}
            known, size = sorted(self.known), PaginationConfig["PageSize"]
            for start in range(0, len(known), size):
                self.calls.append(size)
                yield {"imageDetails": self._details(known[start : start + size])}

        return SimpleNamespace(paginate=paginate)

    def batch_get_image(self, *, imageIds, acceptedMediaTypes, **_):  # noqa: N803
        assert 1 <= len(imageIds) <= 100, "BatchGetImage takes 100 ids a call"
        assert INDEX in acceptedMediaTypes
        self.calls.append(len(imageIds))
        given = [{"imageId": one, "imageManifest": '{"manifests": []}'} for one in imageIds]
        return {"images": given, "failures": []}


def test_images_are_described_a_hundred_a_call_and_a_missing_one_costs_a_few_calls_more():
    ecr = Images(250)
    assert len(EcrStorage(ecr).images("team/app", sorted(ecr.known))) == 250
    assert ecr.calls == [100, 100, 50]
    ecr.calls.clear()
    asked = sorted(ecr.known)
    ecr.known.remove(asked[70])
    assert len(EcrStorage(ecr).images("team/app", asked[:100])) == 99
    assert len(ecr.calls) <= 16


def test_an_archived_image_is_found_even_if_ecr_does_not_describe_it_by_its_digest():
    ecr = Images(2, archived={"sha256:archived"})
    found = EcrStorage(ecr).images("team/app", [*sorted(ecr.known), "sha256:archived", "sha256:gone"])
    assert [image.digest for image in found if image.is_archived] == ["sha256:archived"]
    assert len(found) == 3


def test_all_images_are_listed_archived_ones_too(aws, storage):
    digests = {aws.push(f"v{number}", seed=str(number)) for number in range(3)}
    storage.archive("team/app", max(digests))
    listed = storage.listed("team/app")
    assert {image.digest for image in listed} == digests
    assert [image.digest for image in listed if image.is_archived] == [max(digests)]


def test_too_many_images_or_indexes_are_refused_with_what_to_do():
    with pytest.raises(RefusedError, match=r"more images than can be looked through .* lifecycle policy"):
        EcrStorage(ecr := Images(25_000)).listed("team/app")
    assert len(ecr.calls) == 21, "it stops as soon as there are too many"
    assert len(EcrStorage(Images(ecr_storage.MOST_IMAGES)).listed("team/app")) == ecr_storage.MOST_IMAGES
    with pytest.raises(RefusedError, match="1001 image indexes, more than can be looked through"):
        EcrStorage(Images(ecr_storage.MOST_INDEXES + 1, INDEX)).indexes("team/app")
    assert len(EcrStorage(ecr := Images(ecr_storage.MOST_INDEXES, INDEX)).indexes("team/app")) == 1000
    assert ecr.calls == [1000, *[100] * 10]


def test_indexes_are_given_with_their_children(aws, storage):
    one, two = aws.push(seed="1"), aws.push(seed="2")
    tagged, untagged = push_index(aws, one, two, tag="v1"), push_index(aws, two)
    found = {index.digest: (index.tags, children) for index, children in storage.indexes("team/app")}
    assert found == {tagged: (("v1",), (one, two)), untagged: ((), (two,))}


def test_an_index_that_is_archived_is_left_out_as_nobody_can_pull_it(aws, storage):
    child = aws.push(seed="1")
    index = push_index(aws, child, tag="v1")
    storage.archive("team/app", index)
    assert storage.indexes("team/app") == ()


def with_failure(code, status="ACTIVE"):
    ecr = Images(2, INDEX)
    kept, failing = sorted(ecr.known)
    ecr._details = lambda digests: [  # noqa: SLF001  # the status that ECR lists
        {"imageDigest": digest, "imageManifestMediaType": INDEX, "imageStatus": status} for digest in digests
    ]
    failure = [{"imageId": {"imageDigest": failing}, "failureCode": code, "failureReason": "why"}]
    given = [{"imageId": {"imageDigest": kept}, "imageManifest": '{"manifests": [{"digest": "sha256:c"}]}'}]
    ecr.batch_get_image = lambda **_: {"images": given, "failures": failure if code else []}
    return EcrStorage(ecr), kept


@pytest.mark.parametrize("code", ["ImageInaccessible", "ImageNotFound"])
def test_an_index_that_was_archived_or_deleted_since_it_was_listed_is_left_out(code):
    storage, kept = with_failure(code)
    assert [(index.digest, of) for index, of in storage.indexes("team/app")] == [(kept, ("sha256:c",))]


@pytest.mark.parametrize("code", ["KmsError", "SomethingNew", None])
def test_an_index_that_cannot_be_read_for_another_reason_is_an_error(code):
    storage, _ = with_failure(code)
    with pytest.raises(AwsError, match=str(code)):
        storage.indexes("team/app")


def test_an_index_that_is_being_restored_may_share_children_and_is_not_passed_over():
    storage, _ = with_failure("ImageInaccessible", "ACTIVATING")
    with pytest.raises(RefusedError, match="is being restored"):
        storage.indexes("team/app")


def test_a_manifest_that_is_not_understood_is_refused_and_not_passed_over():
    ecr = Images(1, INDEX)
    given = [{"imageId": {"imageDigest": min(ecr.known)}, "imageManifest": '{"manifests": [{}]}'}]
    ecr.batch_get_image = lambda **_: {"images": given, "failures": []}
    with pytest.raises(RefusedError, match="not understood"):
        EcrStorage(ecr).indexes("team/app")


def test_an_image_is_archived_and_restored_and_again_is_well(aws, storage):
    digest = aws.push("v1")
    for _ in range(2):
        storage.archive("team/app", digest)
        assert storage.images("team/app", [digest])[0].is_archived
    for _ in range(2):
        storage.restore("team/app", digest)
        assert not storage.images("team/app", [digest])[0].is_archived
    assert aws.tags(digest) == ["v1"]


@pytest.mark.parametrize("call", [EcrStorage.archive, EcrStorage.restore])
def test_an_image_that_is_not_there_cannot_be_archived_or_restored(storage, call):
    with pytest.raises(ImageGoneError):
        call(storage, "team/app", NONE)
    with pytest.raises(RepositoryGoneError):
        call(storage, "team/none", NONE)


REFUSALS = ["ImageStorageClassUpdateNotSupportedException", "ValidationException", "AccessDeniedException"]


def refusing(status, code):
    def update(**_):
        raise error(code, "UpdateImageStorageClass")

    detail = {"imageDigest": NONE, "imageStatus": status}
    return EcrStorage(
        SimpleNamespace(
            update_image_storage_class=update, describe_images=lambda **_: {"imageDetails": [detail]}
        )
    )


@pytest.mark.parametrize("code", REFUSALS)
def test_what_ecr_refuses_for_good_is_refused(code):
    for status in ("ACTIVE", "ACTIVATING"):
        with pytest.raises(RefusedError, match=code):
            refusing(status, code).archive("team/app", NONE)
    with pytest.raises(RefusedError, match=code):
        refusing("ARCHIVED", code).restore("team/app", NONE)


@pytest.mark.parametrize("code", REFUSALS)
def test_what_is_so_already_is_well_even_where_ecr_refuses_it(code):
    refusing("ARCHIVED", code).archive("team/app", NONE)
    for status in ("ACTIVE", "ACTIVATING"):
        refusing(status, code).restore("team/app", NONE)


def test_what_ecr_fails_at_can_be_tried_again():
    with pytest.raises(AwsError, match="ServerException"):
        refusing("ACTIVE", "ServerException").archive("team/app", NONE)
    with pytest.raises(RepositoryGoneError):
        refusing("ACTIVE", "RepositoryNotFoundException").archive("team/app", NONE)


@pytest.mark.parametrize(
    "call",
    [lambda storage: storage.images("team/none", [NONE]), lambda storage: storage.indexes("team/none")],
)
def test_a_repository_that_is_not_there_has_no_images_to_read(storage, call):
    with pytest.raises(RepositoryGoneError):
        call(storage)


def test_reading_an_index_is_a_pull_and_describing_images_is_none(aws, storage):
    child = aws.push(seed="1")
    index = push_index(aws, child, tag="v1")
    storage.listed("team/app")
    storage.images("team/app", [child, index])
    assert storage_of(the_image(index)).pulled_at is None
    storage.indexes("team/app")
    assert storage_of(the_image(index)).pulled_at is not None
    assert storage_of(the_image(child)).pulled_at is None


# What is remembered

IMAGE = ImageKey(ACCOUNT, REGION, "team/app", "sha256:" + "ab" * 32)
SUMMARY = FindingsSummary(
    counts={"critical": 1},
    counted={"critical": 1},
    allowed={"critical": 0},
    worst=(FindingShown("CVE-2026-1", "critical", "openssl", "1", "2", epss=0.5),),
    changes=FindingChanges("the last scan of this image", 1, 0, 0, ("CVE-2026-1 openssl",)),
)
STATE = ImageState(
    version=1,
    has_failed=True,
    as_of=NOW + timedelta(microseconds=7),
    marks=("critical CVE-2026-1 openssl",),
    counts={"critical": 1},
    untold=replace(OUTCOME, findings=SUMMARY, owner="team-a"),
    told=1,
)


@pytest.fixture
def table(aws):
    aws.client("dynamodb").create_table(
        TableName="scans",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return aws.client("dynamodb")


@pytest.fixture
def states(table):
    return DynamoScanStates(table, "scans", lambda: NOW)


def test_nothing_is_known_of_an_image_at_first(states):
    assert states.read(IMAGE) == ImageState()


def test_a_state_is_read_as_it_was_written(states):
    assert states.write(IMAGE, STATE)
    assert states.read(IMAGE) == STATE
    for other in ("account", "region", "repository", "digest"):
        assert states.read(replace(IMAGE, **{other: "other"})) == ImageState()


def test_a_state_is_written_over_the_one_of_the_version_before_it_alone(states):
    assert not states.write(IMAGE, replace(STATE, version=2)), "there is none before it"
    assert states.write(IMAGE, STATE)
    assert not states.write(IMAGE, replace(STATE, told=9)), "somebody else did first"
    assert not states.write(IMAGE, replace(STATE, version=3, told=9))
    assert states.read(IMAGE) == STATE
    assert states.write(IMAGE, replace(STATE, version=2, told=2))
    assert states.read(IMAGE).told == 2


def test_a_settled_state_has_nothing_untold_and_the_changes_that_were_made(states):
    states.write(IMAGE, STATE)
    states.settle(IMAGE, replace(STATE, change_ids=("change-1",)))
    settled = replace(STATE, untold=None, holder=None, held_until=None, change_ids=("change-1",))
    assert states.read(IMAGE) == settled
    # Another that does it too, and knows of no changes, takes nothing away.
    states.settle(IMAGE, STATE)
    assert states.read(IMAGE) == settled


def test_a_later_state_is_not_settled_by_an_earlier_one(states):
    states.write(IMAGE, STATE)
    later = replace(STATE, version=2, told=2)
    states.write(IMAGE, later)
    states.settle(IMAGE, STATE)
    assert states.read(IMAGE) == later


def test_nothing_is_settled_that_is_not_there(states):
    states.settle(IMAGE, STATE)
    assert states.read(IMAGE) == ImageState()


def test_a_state_ends_long_after_its_last_write(table):
    def end():
        (item,) = table.scan(TableName="scans")["Items"]
        return datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC)

    now = NOW
    states = DynamoScanStates(table, "scans", lambda: now)
    states.write(IMAGE, STATE)
    assert end() == now + STATE_KEPT
    now += timedelta(days=3)
    states.settle(IMAGE, STATE)
    assert end() == now + STATE_KEPT
    now += timedelta(days=3)
    states.write(IMAGE, replace(STATE, version=2))
    assert end() == now + STATE_KEPT
    assert timedelta(days=365) < STATE_KEPT


def largest(length):
    """Give a state with as much in it as there can be, and names of a length."""
    text = "ü" * (length // 2)
    shown = FindingShown("x" * 300, "x" * 300, "x" * 300, "x" * 300, "x" * 300, 999, "https://" + "x" * 292)
    summary = replace(
        SUMMARY,
        worst=(shown,) * WORST_SHOWN,
        changes=replace(SUMMARY.changes, new_ids=("x" * 300,) * 10, fixed_ids=("x" * 300,) * 10),
    )
    ids = tuple(f"{number:032}" for number in range(200))
    outcome = replace(OUTCOME, reason="x" * 10_000, next_step="x" * 10_000, findings=summary, change_ids=ids)
    keys = tuple(f"{number} {text}" for number in range(MARKS_KEPT))
    return replace(STATE, marks=keys, untold=outcome, change_ids=ids)


def size_of(table):
    (item,) = table.scan(TableName="scans")["Items"]
    return sum(len(name) + len(str(next(iter(value.values()))).encode()) for name, value in item.items())


def test_the_largest_state_fits_into_an_item_with_all_its_keys(table, states):
    assert states.write(IMAGE, largest(300))
    assert states.read(IMAGE) == largest(300)
    assert size_of(table) < 400 * 1024


def test_keys_that_would_not_fit_are_not_known_and_all_else_is_kept(table, states):
    state = largest(600)
    assert states.write(IMAGE, state)
    assert states.read(IMAGE) == replace(state, marks=None)
    assert size_of(table) < LARGEST_STATE


@pytest.mark.parametrize(
    "broken", [{}, {"state": {"S": "{"}}, {"state": {"S": "[]"}}, {"state": {"S": '{"version": "one"}'}}]
)
def test_a_state_that_cannot_be_read_is_an_error_and_not_taken_for_none(table, states, broken):
    item_id = f"image {ACCOUNT}/{REGION}/team/app@{IMAGE.digest}"
    table.put_item(TableName="scans", Item={"id": {"S": item_id}, "version": {"N": "1"}, **broken})
    with pytest.raises(AwsError, match="delete the item of this id from the table scans"):
        states.read(IMAGE)


def test_a_state_of_an_earlier_version_of_the_product_is_read(table, states):
    item_id = f"image {ACCOUNT}/{REGION}/team/app@{IMAGE.digest}"
    state = {"S": '{"version": 3, "has_failed": true, "something": "else"}'}
    table.put_item(TableName="scans", Item={"id": {"S": item_id}, "version": {"N": "3"}, "state": state})
    assert states.read(IMAGE) == ImageState(version=3, has_failed=True)
    assert states.write(IMAGE, replace(STATE, version=4))


def test_a_scan_table_that_is_gone_is_an_error_to_try_again(aws):
    states = DynamoScanStates(aws.client("dynamodb"), "none", lambda: NOW)
    for call in (states.read, lambda image: states.write(image, STATE), lambda i: states.settle(i, STATE)):
        with pytest.raises(AwsError):
            call(IMAGE)
