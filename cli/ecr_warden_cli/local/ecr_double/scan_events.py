"""Scans that end, and findings that change, with the events that ECR and Inspector send of them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from moto.ecr.models import ECRBackend, Image

from ecr_warden_cli.local.ecr_double.api import Emit, now, repository_of
from ecr_warden_cli.local.ecr_double.findings import (
    CLOSED,
    Finding,
    arn_of,
    as_event,
    image_arn,
    of_image,
)
from ecr_warden_cli.local.ecr_double.scans import FAILED, Scan, note_finding, scan_of, set_scan
from ecr_warden_cli.local.ecr_double.storage import the_image

_INSPECTOR: Final = "aws.inspector2"
_UNSUPPORTED: Final = "UnsupportedImageError: The operating system and/or package manager are not supported."
# Inspector counts these even where there are none.
_ALWAYS_COUNTED: Final = ("CRITICAL", "HIGH", "MEDIUM")


def complete_scan(  # noqa: PLR0913  # which image, and what of it
    emit: Emit,
    backend: ECRBackend,
    repository_name: str,
    image_digest: str,
    findings: Sequence[Finding] = (),
    *,
    enhanced: bool = False,
    at: datetime | None = None,
) -> None:
    """End an image's scan, and send what the scanner sends of it.

    A basic scan sends ``ECR Image Scan``. With ``enhanced`` it is Inspector's, which sends
    ``Inspector2 Scan`` and an ``Inspector2 Finding`` for each finding: those of the scan before that are not
    found any more are closed. ``at`` is now by default.
    """
    image, at = the_image(repository_of(backend, repository_name), {"imageDigest": image_digest}), at or now()
    if not enhanced:
        scan = set_scan(image, findings, completed_at=at)
        _emit_basic(emit, backend, image, scan)
        return
    found = [of_image(backend, image, {"updatedAt": at, **finding}) for finding in findings]
    gone = list(_gone(backend, image, found, at))
    before = scan_of(image)
    arns = {finding["findingArn"] for finding in found + gone}
    others = [one for one in (before.inactive if before else ()) if arn_of(backend, image, one) not in arns]
    scan = set_scan(image, found, is_enhanced=True, completed_at=at, inactive=[*others, *gone])
    _emit_enhanced(emit, backend, image, scan)
    for finding in found + gone:
        _emit_finding(emit, backend, image, finding, at)


def fail_scan(
    emit: Emit,
    backend: ECRBackend,
    repository_name: str,
    image_digest: str,
    description: str = _UNSUPPORTED,
) -> None:
    """Let an image's basic scan fail, and send ``ECR Image Scan``."""
    image = the_image(repository_of(backend, repository_name), {"imageDigest": image_digest})
    _emit_basic(emit, backend, image, set_scan(image, status=FAILED, description=description))


def change_finding(  # noqa: PLR0913  # which image, and what of it
    emit: Emit,
    backend: ECRBackend,
    repository_name: str,
    image_digest: str,
    finding: Finding,
    *,
    at: datetime | None = None,
) -> None:
    """Let Inspector find something new, or close or suppress what it found, and send ``Inspector2 Finding``.

    A finding with the title of one that is known is that one. ``at`` is now by default.
    """
    image, at = the_image(repository_of(backend, repository_name), {"imageDigest": image_digest}), at or now()
    changed = of_image(backend, image, {**finding, "updatedAt": at})
    note_finding(backend, image, changed, at)
    _emit_finding(emit, backend, image, changed, at)


def _gone(
    backend: ECRBackend, image: Image, found: Sequence[Finding], at: datetime
) -> Iterator[dict[str, Any]]:
    scan = scan_of(image)
    if scan is None or not scan.is_enhanced:
        return
    arns = {finding["findingArn"] for finding in found}
    for finding in scan.findings:
        if arn_of(backend, image, finding) not in arns:
            yield of_image(backend, image, finding) | {"status": CLOSED, "updatedAt": at}


def _emit_basic(emit: Emit, backend: ECRBackend, image: Image, scan: Scan) -> None:
    detail = {
        "scan-status": scan.status,
        "repository-name": image.repository_name,
        "finding-severity-counts": scan.counts,
        **_named(image),
    }
    where, arn = (backend.account_id, backend.region_name), _repository_arn(backend, image)
    emit(*where, "ECR Image Scan", detail, resources=[arn], time=scan.completed_at)


def _emit_enhanced(emit: Emit, backend: ECRBackend, image: Image, scan: Scan) -> None:
    where, arn = (backend.account_id, backend.region_name), _repository_arn(backend, image)
    counts, total = dict.fromkeys(_ALWAYS_COUNTED, 0) | scan.counts, sum(scan.counts.values())
    detail = {
        "scan-status": "INITIAL_SCAN_COMPLETE",
        "repository-name": arn,
        "finding-severity-counts": {**counts, "TOTAL": total},
        **_named(image),
        "version": "1.0",
    }
    emit(*where, "Inspector2 Scan", detail, source=_INSPECTOR, resources=[arn], time=scan.completed_at)


def _named(image: Image) -> dict[str, Any]:
    return {"image-digest": image.image_digest, "image-tags": list(image.image_tags)}


def _repository_arn(backend: ECRBackend, image: Image) -> str:
    return image_arn(backend, image).rpartition("/")[0]


def _emit_finding(emit: Emit, backend: ECRBackend, image: Image, finding: Finding, at: datetime) -> None:
    where, arn = (backend.account_id, backend.region_name), image_arn(backend, image)
    detail = as_event(finding)
    emit(*where, "Inspector2 Finding", detail, source=_INSPECTOR, resources=[arn], time=at)
