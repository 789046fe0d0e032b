"""What the scanners found in an image, through ECR's API and Inspector's."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, translated
from ecr_warden.adapters.basic_findings import basic_finding_of
from ecr_warden.adapters.inspector_findings import finding_of
from ecr_warden.domain.findings import Finding, Page, Scan, severity_counts
from ecr_warden.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_inspector2 import Inspector2Client

# The most that each gives in one page.
_FINDINGS_A_PAGE: Final = 1000
_INSPECTOR_FINDINGS_A_PAGE: Final = 100
_ACTIVE: Final = "ACTIVE"
_DONE: Final = frozenset({"COMPLETE", _ACTIVE})
_COMING: Final = "IN_PROGRESS"


class EcrScans:
    """One account's registry in one Region; ``inspector`` builds the client that few images need."""

    def __init__(self, client: "ECRClient", inspector: "Callable[[], Inspector2Client]") -> None:
        self._client = client
        self._inspector = inspector

    def read(self, repository_name: str, image_digest: str, *, from_inspector: bool = False) -> Scan:
        """Give an image's last scan; its findings are read page by page as they are asked for.

        With ``from_inspector`` they are Inspector's own, where it scans the image.
        What is not active comes last of them: whether ECR counts it is not documented.
        """
        what = f"reading the findings of {repository_name} {image_digest}"

        def ask(**more: Any) -> Mapping[str, Any]:  # noqa: ANN401  # an API's answer
            return self._client.describe_image_scan_findings(
                repositoryName=repository_name,
                imageId={"imageDigest": image_digest},
                maxResults=_FINDINGS_A_PAGE,
                **more,
            )

        with translated(what):
            try:
                answer = ask()
            except ClientError as error:
                if code_of(error) != "ScanNotFoundException":
                    raise
                return Scan("NOT_FOUND", "the image was never scanned")
        status = answer.get("imageScanStatus", {})
        if "status" not in status:
            raise AwsError(f"{what}: ECR's answer has no status")
        found = answer.get("imageScanFindings", {})
        if status["status"] in _DONE and _is_awaited(answer, found):
            said = f"the scan is {status['status']}, and ECR does not have its findings yet"
            return Scan(_COMING, said)
        is_enhanced = status["status"] == _ACTIVE or bool(found.get("enhancedFindings"))
        scan = Scan(
            status=status["status"],
            description=status.get("description", ""),
            completed_at=found.get("imageScanCompletedAt"),
        )
        if from_inspector and is_enhanced:
            # ECR's numbers may be older than Inspector's list.
            return replace(scan, pages=self._of_inspector(repository_name, image_digest))
        counts = found.get("findingSeverityCounts")
        return replace(
            scan,
            counts=None if counts is None else severity_counts(counts),
            pages=_pages(what, ask, _of_ecr, answer),
        )

    def find(self, finding_arn: str) -> Finding | None:
        """Give a finding of Inspector's as it is now, or ``None`` if it has none of that ARN."""
        pages = self._listed(f"looking for the finding {finding_arn}", {"findingArn": [_equals(finding_arn)]})
        return next((finding for page in pages for finding in page.findings), None)

    def _of_inspector(self, repository_name: str, image_digest: str) -> Iterator[Page]:
        statuses = (_ACTIVE, "SUPPRESSED")
        for status in statuses:
            pages = self._listed(
                f"reading Inspector's findings of {repository_name} {image_digest}",
                {
                    "ecrImageHash": [_equals(image_digest)],
                    "ecrImageRepositoryName": [_equals(repository_name)],
                    "findingStatus": [_equals(status)],
                },
            )
            for page in pages:
                yield replace(page, is_last=page.is_last and status == statuses[-1])

    def _listed(self, what: str, criteria: Mapping[str, Any]) -> Iterator[Page]:
        client: Any = self._inspector()

        def ask(**more: Any) -> Mapping[str, Any]:  # noqa: ANN401  # an API's answer
            answer: Mapping[str, Any] = client.list_findings(
                filterCriteria=criteria,
                sortCriteria={"field": "SEVERITY", "sortOrder": "DESC"},
                maxResults=_INSPECTOR_FINDINGS_A_PAGE,
                **more,
            )
            return answer

        return _pages(what, ask, _of_list_findings)


def _pages(
    what: str,
    ask: Callable[..., Mapping[str, Any]],
    read: Callable[[Mapping[str, Any]], tuple[Finding, ...]],
    answer: Mapping[str, Any] | None = None,
) -> Iterator[Page]:
    """Give a page of findings after the other; ``answer`` is the first, if it was read already."""
    more: dict[str, str] = {}
    while True:
        if answer is None:
            with translated(what):
                answer = ask(**more)
        token = answer.get("nextToken")
        page, answer = Page(read(answer), is_last=not token), None
        yield page
        if not token:
            return
        if more.get("nextToken") == token:
            raise AwsError(f"{what}: the same page came twice")
        more = {"nextToken": token}


def _is_awaited(answer: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Tell whether a scan is done, and nothing of what it found is there: not even that it is nothing."""
    if "imageScanCompletedAt" in found or "findingSeverityCounts" in found:
        return False
    return not (found.get("findings") or found.get("enhancedFindings") or answer.get("nextToken"))


def _of_ecr(answer: Mapping[str, Any]) -> tuple[Finding, ...]:
    found = answer.get("imageScanFindings", {})
    return (
        *(basic_finding_of(one) for one in found.get("findings", [])),
        *(finding_of(one) for one in found.get("enhancedFindings", [])),
    )


def _of_list_findings(answer: Mapping[str, Any]) -> tuple[Finding, ...]:
    return tuple(finding_of(one) for one in answer.get("findings", []))


def _equals(value: str) -> dict[str, str]:
    return {"comparison": "EQUALS", "value": value}
