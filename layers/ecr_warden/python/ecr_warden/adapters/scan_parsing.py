"""Events about the scans of images: EventBridge's dictionaries, turned into values once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ecr_warden.adapters.event_fields import (
    as_text,
    envelope_fields,
    listed,
    mapping,
    open_envelope,
    optional_mapping,
    optional_text,
    text,
    texts,
    whole_number,
)
from ecr_warden.adapters.inspector_findings import finding_of
from ecr_warden.domain.finding_summary import FindingSeverity
from ecr_warden.domain.findings import severity_counts, severity_name
from ecr_warden.domain.scan_events import FindingEvent, ImageScan, ScanCoverage
from ecr_warden.errors import MalformedEventError

_ECR: Final = "aws.ecr"
_INSPECTOR: Final = "aws.inspector2"
_SOURCES: Final = {
    "ECR Image Scan": _ECR,
    "Inspector2 Scan": _INSPECTOR,
    "Inspector2 Finding": _INSPECTOR,
    "Inspector2 Coverage": _INSPECTOR,
}
_COUNTS: Final = "finding-severity-counts"
_TOTAL: Final = "total"
# A repository's name may have slashes, a digest has none.
_ARN: Final = re.compile(
    r"arn:[^:]+:ecr:[^:]*:(?P<registry>[^:]+):repository/(?P<name>[^:]+?)(?:/(?P<digest>[^/:]+:[^/:]+))?"
)


def parse_scan_event(event: object) -> ImageScan | FindingEvent | ScanCoverage:
    """Read an ``ECR Image Scan`` event, or one of Inspector's scans, findings and coverage.

    Unknown fields are passed over.

    Raises
    ------
    MalformedEventError
        For another kind of event, or one that lacks what a decision needs. It names the field.

    """
    envelope = open_envelope(event, _SOURCES)
    detail = mapping(envelope.get("detail"), "detail")
    match envelope["detail-type"]:
        case "Inspector2 Finding":
            return _finding(envelope, detail)
        case "Inspector2 Coverage":
            return _coverage(envelope, detail)
        case _:
            return _scan(envelope, detail)


def _scan(envelope: Mapping[str, Any], detail: Mapping[str, Any]) -> ImageScan:
    name = text(detail, "repository-name", "detail.")
    # Inspector gives the ARN where ECR gives the name.
    by_arn = _by_arn(name)
    if by_arn.repository_name is None and ":" in name:
        raise MalformedEventError("detail.repository-name", f"expected a repository, got {name!r}")
    counts, unsaid = _counts(detail.get(_COUNTS))
    return ImageScan(
        **envelope_fields(envelope),
        repository_name=by_arn.repository_name or name,
        image_digest=text(detail, "image-digest", "detail."),
        image_tags=texts(detail.get("image-tags"), "detail.image-tags"),
        registry=by_arn.registry,
        status=text(detail, "scan-status", "detail."),
        counts=counts,
        unsaid=unsaid,
    )


def _counts(value: object) -> tuple[dict[str, int] | None, tuple[str, ...]]:
    """Give the counts, and the severities that the event may have counted in its total alone."""
    if value is None:
        return None, ()
    field = f"detail.{_COUNTS}"
    said = {
        as_text(name, field): whole_number(count, f"{field}.{name}")
        for name, count in mapping(value, field).items()
    }
    counts = severity_counts(said)
    total = max((count for name, count in said.items() if severity_name(name) == _TOTAL), default=0)
    more = total - sum(counts.values())
    unsaid: tuple[str, ...] = ()
    if more > 0:
        # Inspector names the worst severities only, and has the others in its total.
        undefined = FindingSeverity.UNDEFINED.value
        named = counts.keys() - {undefined}
        unsaid = tuple(severity.value for severity in FindingSeverity if severity.value not in named)
        counts[undefined] = counts.get(undefined, 0) + more
    return {name: count for name, count in counts.items() if count}, unsaid


def _finding(envelope: Mapping[str, Any], detail: Mapping[str, Any]) -> FindingEvent:
    # Every finding of Inspector's has a severity; what is nobody's to say is no finding.
    text(detail, "severity", "detail.")
    image = _found_in(envelope, detail)
    return FindingEvent(
        **envelope_fields(envelope),
        repository_name=image.repository_name,
        image_digest=image.digest,
        image_tags=image.tags,
        registry=image.registry,
        finding=finding_of(detail),
        status=text(detail, "status", "detail."),
    )


def _coverage(envelope: Mapping[str, Any], detail: Mapping[str, Any]) -> ScanCoverage:
    image = _image(_by_arn(_first_resource(envelope)), field="resources")
    status = mapping(detail.get("scanStatus"), "detail.scanStatus")
    return ScanCoverage(
        **envelope_fields(envelope),
        repository_name=image.repository_name,
        image_digest=image.digest,
        registry=image.registry,
        status=text(status, "statusCodeValue", "detail.scanStatus."),
        reason=text(status, "reason", "detail.scanStatus."),
    )


@dataclass(frozen=True)
class _Named:
    """What one place in an event says of an image or a repository."""

    repository_name: str | None = None
    digest: str | None = None
    registry: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Image:
    repository_name: str
    digest: str
    registry: str | None
    tags: tuple[str, ...]


def _image(*places: _Named, field: str) -> _Image:
    """Put together what several places say, the first before the others."""
    name = next((place.repository_name for place in places if place.repository_name), None)
    digest = next((place.digest for place in places if place.digest), None)
    if name is None or digest is None:
        raise MalformedEventError(field, "expected an image in ECR, with its repository and its digest")
    return _Image(
        repository_name=name,
        digest=digest,
        registry=next((place.registry for place in places if place.registry), None),
        tags=next((place.tags for place in places if place.tags), ()),
    )


def _found_in(envelope: Mapping[str, Any], detail: Mapping[str, Any]) -> _Image:
    """Find the image of a finding: its details have had two shapes, and it may be named by its ARN alone."""
    field = "detail.resources"
    resources = listed(detail.get("resources"), field)
    resource = mapping(resources[0], f"{field}[0]") if resources else {}
    details = optional_mapping(resource.get("details"), f"{field}[0].details")
    return _image(
        _by_details(details, "image", "imageDigest"),
        _by_details(details, "awsEcrContainerImage", "imageHash"),
        _by_arn(optional_text(resource, "id", f"{field}[0].") or ""),
        _by_arn(_first_resource(envelope)),
        field=field,
    )


def _by_details(details: Mapping[str, Any], shape: str, digest: str) -> _Named:
    field = f"detail.resources[0].details.{shape}"
    fields = optional_mapping(details.get(shape), field)
    return _Named(
        repository_name=optional_text(fields, "repositoryName", f"{field}."),
        digest=optional_text(fields, digest, f"{field}."),
        registry=optional_text(fields, "registry", f"{field}."),
        tags=texts(fields.get("imageTags"), f"{field}.imageTags"),
    )


def _by_arn(arn: str) -> _Named:
    found = _ARN.fullmatch(arn)
    return _Named() if found is None else _Named(found["name"], found["digest"], found["registry"])


def _first_resource(envelope: Mapping[str, Any]) -> str:
    return next(iter(texts(envelope.get("resources"), "resources")), "")
