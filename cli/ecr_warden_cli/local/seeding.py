"""What is made before an event is replayed: its repositories and images, and what their scanners know."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from moto.ecr.models import ECRBackend, Image

from ecr_warden_cli.local.ecr_double import (
    find_image,
    make_repository,
    note_finding,
    note_scan,
    note_status,
    seed_image,
)
from ecr_warden_cli.local.subjects import Subject

# What the scan events call a status, and what ECR calls it.
_STATUSES: Final = {
    "ECR Image Scan": {"COMPLETE": "COMPLETE", "FAILED": "FAILED"},
    "Inspector2 Scan": {"INITIAL_SCAN_COMPLETE": "ACTIVE", "FAILED": "FAILED"},
}
_PENDING: Final = frozenset({"PENDING_INITIAL_SCAN", "PENDING_REVIVAL_SCAN"})
# Reasons that ECR has a status of the same name for.
_SAME: Final = frozenset({"IMAGE_ARCHIVED", "IMAGE_SIZE_EXCEEDED", "SCAN_ELIGIBILITY_EXPIRED"})
_SUM: Final = "TOTAL"


def make(backend: ECRBackend, subject: Subject) -> None:
    """Make a repository and an image as if they had been there for long."""
    if subject.repository not in backend.repositories:
        make_repository(backend, subject.repository)
    if subject.image_digest is not None:
        seed_image(
            backend,
            subject.repository,
            digest=subject.image_digest,
            tags=subject.image_tags,
            manifest=subject.manifest,
            media_type=subject.media_type,
            moves_tags=subject.moves_tags,
        )


def note(backend: ECRBackend, event: Mapping[str, Any], subject: Subject) -> None:
    """Let the scanner know what an event says of an image, unless it knows something later.

    An event counts findings and names none: none are made up. An event without a time is not well formed, and
    says nothing.
    """
    repository, at = backend.repositories.get(subject.repository), _time(event.get("time"))
    if repository is None or subject.image_digest is None or at is None:
        return
    image = find_image(repository, {"imageDigest": subject.image_digest})
    if image is None:
        return
    match event.get("detail-type"):
        case "ECR Image Scan" | "Inspector2 Scan" as kind:
            _note_scan(image, str(kind), event["detail"], at)
        case "Inspector2 Finding":
            _note_finding(backend, image, event["detail"], at)
        case "Inspector2 Coverage":
            _note_coverage(image, event["detail"], at)


def _time(said: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _note_scan(image: Image, kind: str, detail: Mapping[str, Any], at: datetime) -> None:
    status = _STATUSES[kind].get(str(detail.get("scan-status")))
    if status is not None:
        counts = _counts(detail.get("finding-severity-counts"))
        note_scan(image, is_enhanced=kind == "Inspector2 Scan", status=status, counts=counts, at=at)


def _counts(said: object) -> dict[str, int] | None:
    if not isinstance(said, Mapping):
        return None
    return {
        name: count
        for name, count in said.items()
        if name != _SUM and isinstance(count, int) and not isinstance(count, bool) and count > 0
    }


def _note_finding(backend: ECRBackend, image: Image, detail: Mapping[str, Any], at: datetime) -> None:
    if all(isinstance(detail.get(key), str) for key in ("findingArn", "severity", "status")):
        note_finding(backend, image, detail, at)


def _note_coverage(image: Image, detail: Mapping[str, Any], at: datetime) -> None:
    said = detail.get("scanStatus")
    if isinstance(said, Mapping) and said.get("statusCodeValue") == "INACTIVE":
        note_status(image, _status_for(str(said.get("reason"))), at)


def _status_for(reason: str) -> str:
    """Give ECR's status of an image that Inspector does not scan."""
    if reason in _SAME:
        return reason
    if reason in _PENDING:
        return "PENDING"
    if reason == "SCAN_IN_PROGRESS":
        return "IN_PROGRESS"
    return "UNSUPPORTED_IMAGE" if reason.startswith("UNSUPPORTED_") else "FINDINGS_UNAVAILABLE"
