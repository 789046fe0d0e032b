"""What scanners found in each image: DescribeImageScanFindings and StartImageScan. Nothing scans here.

What was found is what a test, a demonstration or a replayed event says (``set_scan``, ``note_scan``,
``note_finding``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, cast

from moto.ecr.models import ECRBackend, Image

from ecr_warden_cli.local.ecr_double.api import Parameters, error, invalid, named, now, page
from ecr_warden_cli.local.ecr_double.events import media_types
from ecr_warden_cli.local.ecr_double.findings import (
    ACTIVE,
    Finding,
    arn_of,
    as_ecr,
    of_image,
    severities,
    when,
)
from ecr_warden_cli.local.ecr_double.manifests import children, parsed
from ecr_warden_cli.local.ecr_double.storage import is_archived, the_image

COMPLETE: Final = "COMPLETE"
FAILED: Final = "FAILED"
IN_PROGRESS: Final = "IN_PROGRESS"
_ARCHIVED: Final = "IMAGE_ARCHIVED"
# In ECR's own words; of the others nobody has published any.
_DESCRIPTIONS: Final = {
    COMPLETE: "The scan was completed successfully.",
    ACTIVE: "Continuous scan is selected for image.",
    "PENDING": "Pending start of the image scan.",
}
_BETWEEN_SCANS: Final = timedelta(hours=24)
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
# What a container's configuration may be; anything else is a chart, a signature, a cache.
_CONTAINERS: Final = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)


@dataclass(frozen=True)
class Scan:
    """What ECR has of an image's last scan.

    Attributes
    ----------
    findings
        Those that ECR lists: of Inspector's, the active ones.
    inactive
        Inspector's that are CLOSED or SUPPRESSED.
    said, said_at
        How many findings an event gave of each severity, and when: they are not all among ``findings``.
    is_awaited
        Whether the scan is said to be complete, and what it found is not there yet, as ECR may answer.

    """

    status: str
    description: str = ""
    completed_at: datetime | None = None
    started_at: datetime | None = None
    source_updated_at: datetime | None = None
    is_enhanced: bool = False
    findings: Sequence[Finding] = ()
    inactive: tuple[Finding, ...] = ()
    said: Mapping[str, int] | None = None
    said_at: datetime | None = None
    is_awaited: bool = False

    @property
    def has_findings(self) -> bool:
        """Whether ECR gives findings, or says that there are none."""
        return self.status in {COMPLETE, ACTIVE}

    @property
    def at(self) -> datetime:
        """Until when what is known is true."""
        return self.completed_at or self.started_at or _LONG_AGO

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each severity: what an event said, and never fewer than are listed.

        Those that were closed after the event are no longer among what it counted.
        """
        said = Counter(self.said or {})
        said.subtract(severities(finding for finding in self.inactive if self._was_counted(finding)))
        # Of each severity the greater number; ECR omits severities that have no finding.
        return dict(said | severities(self.findings))

    def _was_counted(self, finding: Finding) -> bool:
        at = self.said_at or _LONG_AGO
        return (when(finding, "firstObservedAt") or _LONG_AGO) <= at < (when(finding, "updatedAt") or at)


def scan_of(image: Image) -> Scan | None:
    """Give an image's last scan, ``None`` where it was never scanned."""
    return cast("Scan | None", vars(image).get("scan"))


def _keep(image: Image, scan: Scan) -> Scan:
    vars(image)["scan"] = scan
    return scan


def set_scan(  # noqa: PLR0913  # all that ECR may say of a scan
    image: Image,
    findings: Sequence[Finding] = (),
    *,
    is_enhanced: bool = False,
    status: str | None = None,
    description: str | None = None,
    completed_at: datetime | None = None,
    source_updated_at: datetime | None = None,
    inactive: Sequence[Finding] = (),
    is_awaited: bool = False,
) -> Scan:
    """Let an image have been scanned, whatever was known of it before.

    Parameters
    ----------
    image
        As ``find_image`` or a repository's ``images`` have it.
    findings
        As ``basic_finding`` and ``enhanced_finding`` make them; ``Generated`` where there are many.
    is_enhanced
        Whether it was Inspector's scan.
    status
        COMPLETE by default, ACTIVE of Inspector's. Of Inspector's, COMPLETE is a scan at the push alone.
    description
        ECR's words by default.
    completed_at, source_updated_at
        Now by default.
    inactive
        Inspector's findings that are CLOSED or SUPPRESSED.
    is_awaited
        Whether the status is COMPLETE while the findings are not there yet.

    """
    before, status = scan_of(image), status or (ACTIVE if is_enhanced else COMPLETE)
    completed_at = completed_at or now()
    scan = Scan(
        status=status,
        description=_DESCRIPTIONS.get(status, "") if description is None else description,
        completed_at=completed_at,
        started_at=before.started_at if before else None,
        source_updated_at=source_updated_at or completed_at,
        is_enhanced=is_enhanced,
        findings=findings,
        inactive=tuple(inactive),
        is_awaited=is_awaited,
    )
    return _keep(image, scan)


def note_scan(
    image: Image, *, is_enhanced: bool, status: str, counts: Mapping[str, int] | None, at: datetime
) -> None:
    """Take over what an event says of a scan, unless something later is known: it lists no findings.

    ``counts`` is ``None`` where the event does not say: then nobody knows what was found.
    """
    scan = scan_of(image)
    if scan is None or scan.is_enhanced != is_enhanced or not is_enhanced:
        if scan is not None and at < scan.at:
            return
        scan = Scan(status, is_enhanced=is_enhanced)
    elif scan.said_at is not None and at < scan.said_at:
        return
    # What Inspector said of single findings is as true as what it counts.
    is_news = at >= scan.at
    status = status if is_news else scan.status
    noted = replace(
        scan,
        status=status,
        description=_DESCRIPTIONS.get(status, ""),
        completed_at=max(at, scan.at),
        source_updated_at=max(at, scan.at),
        said=counts,
        said_at=at,
        is_awaited=counts is None and not scan.findings,
    )
    _keep(image, noted)


def note_status(image: Image, status: str, at: datetime) -> None:
    """Take over that Inspector does not scan an image, and why, unless something later is known."""
    scan = scan_of(image)
    if scan is not None and at < scan.at:
        return
    known = scan if scan is not None and scan.is_enhanced else Scan(status, is_enhanced=True)
    _keep(
        image,
        replace(known, status=status, description=_DESCRIPTIONS.get(status, ""), completed_at=at),
    )


def note_finding(backend: ECRBackend, image: Image, finding: Finding, at: datetime) -> None:
    """Take over what an event says of one finding of Inspector's, unless something later is known of it."""
    scan = scan_of(image)
    if scan is None or not scan.is_enhanced:
        if scan is not None and at < scan.at:
            return
        scan = Scan(ACTIVE, _DESCRIPTIONS[ACTIVE], is_enhanced=True)
    finding, arn = of_image(backend, image, finding), arn_of(backend, image, finding)
    same = [one for one in (*scan.findings, *scan.inactive) if arn_of(backend, image, one) == arn]
    if any(_updated_at(one) > _updated_at(finding) for one in same):
        return
    others = [one for one in scan.findings if all(one is not known for known in same)]
    inactive = [one for one in scan.inactive if all(one is not known for known in same)]
    (others if finding["status"] == ACTIVE else inactive).append(finding)
    status = scan.status if scan.has_findings or at < scan.at else ACTIVE
    noted = replace(
        scan,
        status=status,
        description=_DESCRIPTIONS.get(status, scan.description),
        completed_at=max(at, scan.at),
        source_updated_at=max(at, scan.at),
        findings=others,
        inactive=tuple(inactive),
        is_awaited=False,
    )
    _keep(image, noted)


def _updated_at(finding: Finding) -> datetime:
    return when(finding, "updatedAt") or _LONG_AGO


def describe_image_scan_findings(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Give how an image's scan stands, with a page of what it found."""
    image = _image(backend, parameters)
    scan = scan_of(image)
    if scan is None:
        raise error(
            "ScanNotFoundException",
            f"Image scan does not exist for the image with '{_words(parameters['imageId'])}' in the "
            f"repository with name '{image.repository_name}' in the registry with id '{image.registry_id}'",
        )
    if is_archived(image):
        scan = replace(scan, status=_ARCHIVED, description="")
    found, more = _found(backend, image, scan, parameters)
    return {
        **_named_image(image, parameters),
        "imageScanStatus": _status(scan),
        "imageScanFindings": found,
        **more,
    }


def summary(image: Image) -> dict[str, Any]:
    """Give what DescribeImages says of an image's scan: nothing of a basic one, which is not Clair's."""
    scan = scan_of(image)
    if scan is None or not scan.is_enhanced:
        return {}
    if is_archived(image):
        return {"imageScanStatus": {"status": _ARCHIVED}}
    if scan.is_awaited or not scan.has_findings:
        return {"imageScanStatus": _status(scan)}
    found = {
        "imageScanCompletedAt": scan.completed_at,
        "vulnerabilitySourceUpdatedAt": scan.source_updated_at,
        "findingSeverityCounts": scan.counts,
    }
    return {"imageScanStatus": _status(scan), "imageScanFindingsSummary": found}


def _found(
    backend: ECRBackend, image: Image, scan: Scan, parameters: Parameters
) -> tuple[dict[str, Any], dict[str, str]]:
    if scan.is_awaited or not scan.has_findings:
        # Neither dates nor counts are given before there are findings.
        return {"findings": [], "enhancedFindings": []}, {}
    findings, more = page(scan.findings, parameters)
    listed = (
        {"enhancedFindings": [as_ecr(of_image(backend, image, finding)) for finding in findings]}
        if scan.is_enhanced
        else {"findings": list(findings)}
    )
    return {
        "imageScanCompletedAt": scan.completed_at,
        "vulnerabilitySourceUpdatedAt": scan.source_updated_at,
        "findingSeverityCounts": scan.counts,
        **listed,
    }, more


def start_image_scan(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Start a basic scan, which is in progress until somebody completes it."""
    image = _image(backend, parameters)
    if backend.registry_scanning_configuration["scanType"] == "ENHANCED":
        raise error("ValidationException", "This feature is disabled")
    if is_archived(image):
        raise error("ImageArchivedException", "The image is archived and cannot be scanned")
    if not _is_container(image):
        raise error("UnsupportedImageTypeException", "The image is of a type that cannot be scanned")
    scan = scan_of(image)
    if scan is not None and now() - (scan.started_at or scan.at) < _BETWEEN_SCANS:
        raise error(
            "LimitExceededException", "The scan quota per image has been exceeded. Wait and try again."
        )
    started = _keep(image, Scan(IN_PROGRESS, started_at=now()))
    return {**_named_image(image, parameters), "imageScanStatus": _status(started)}


def _is_container(image: Image) -> bool:
    manifest = parsed(image.image_manifest)
    artifact = media_types(image, manifest).get("artifact_media_type")
    return not children(image.image_manifest) and artifact in {None, *_CONTAINERS}


def _image(backend: ECRBackend, parameters: Parameters) -> Image:
    repository, image_id = named(backend, parameters), parameters["imageId"]
    if not image_id.keys() & {"imageDigest", "imageTag"}:
        raise invalid("imageId", "both tag and digest cannot be null")
    return the_image(repository, image_id)


def _words(image_id: Mapping[str, str]) -> str:
    digest, tag = image_id.get("imageDigest", "null"), image_id.get("imageTag", "null")
    return f"{{imageDigest:'{digest}', imageTag:'{tag}'}}"


def _named_image(image: Image, parameters: Parameters) -> dict[str, Any]:
    return {
        "registryId": image.registry_id,
        "repositoryName": image.repository_name,
        "imageId": {**parameters["imageId"], "imageDigest": image.image_digest},
    }


def _status(scan: Scan) -> dict[str, str]:
    return {"status": scan.status} | ({"description": scan.description} if scan.description else {})
