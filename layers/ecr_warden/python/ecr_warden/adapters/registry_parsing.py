"""Events of the registry that are only told: EventBridge's dictionaries, turned into values once."""

from collections.abc import Mapping
from typing import Any, Final

from ecr_warden.adapters.event_fields import (
    envelope_fields,
    mapping,
    mappings,
    open_envelope,
    optional_mapping,
    optional_text,
    printable,
    text,
    texts,
    whole_number,
)
from ecr_warden.domain.scan_events import (
    LifecycleImage,
    LifecycleRuleRun,
    LifecycleRun,
    PullThroughCacheSync,
    Replication,
    ScanFrequencyChange,
    ScanResourceChange,
)
from ecr_warden.errors import MalformedEventError

_SOURCES: Final = dict.fromkeys(
    (
        "ECR Replication Action",
        "ECR Pull Through Cache Action",
        "ECR Scan Resource Change",
        "AWS Service Event via CloudTrail",
    ),
    "aws.ecr",
)
# ECR documents no size in this event; these are its names for it elsewhere.
_SIZES: Final = ("imageSizeInBytes", "sizeInBytes", "imageSize", "size")
_TAGS_KEPT: Final = 100
_PROSE_LENGTH: Final = 1000


def parse_registry_event(
    event: object,
) -> Replication | PullThroughCacheSync | ScanResourceChange | LifecycleRun:
    """Read an event about replication, a pull-through cache, scan settings, or a lifecycle run.

    Unknown fields are passed over.

    Raises
    ------
    MalformedEventError
        For another kind of event, or one that lacks what people are told. It names the field.

    """
    envelope = open_envelope(event, _SOURCES)
    detail = mapping(envelope.get("detail"), "detail")
    match envelope["detail-type"]:
        case "ECR Replication Action":
            return _replication(envelope, detail)
        case "ECR Pull Through Cache Action":
            return _sync(envelope, detail)
        case "ECR Scan Resource Change":
            return _scan_change(envelope, detail)
        case _:
            return _lifecycle_run(envelope, detail)


def _replication(envelope: Mapping[str, Any], detail: Mapping[str, Any]) -> Replication:
    return Replication(
        **envelope_fields(envelope),
        repository_name=text(detail, "repository-name", "detail."),
        image_digest=optional_text(detail, "image-digest"),
        image_tag=optional_text(detail, "image-tag"),
        result=text(detail, "result", "detail."),
        source_account=optional_text(detail, "source-account"),
        source_region=optional_text(detail, "source-region"),
    )


def _sync(envelope: Mapping[str, Any], detail: Mapping[str, Any]) -> PullThroughCacheSync:
    return PullThroughCacheSync(
        **envelope_fields(envelope),
        repository_name=text(detail, "repository-name", "detail."),
        image_digest=optional_text(detail, "image-digest"),
        image_tag=optional_text(detail, "image-tag"),
        sync_status=text(detail, "sync-status", "detail."),
        repository_prefix=optional_text(detail, "ecr-repository-prefix"),
        upstream_registry_url=optional_text(detail, "upstream-registry-url"),
        failure_code=_prose(detail.get("failure-code")),
        failure_reason=_prose(detail.get("failure-reason")),
    )


def _scan_change(envelope: Mapping[str, Any], detail: Mapping[str, Any]) -> ScanResourceChange:
    return ScanResourceChange(
        **envelope_fields(envelope),
        scan_type=optional_text(detail, "scan-type"),
        changes=tuple(
            ScanFrequencyChange(
                repository_name=text(repository, "repository-name", f"{field}."),
                frequency=text(repository, "scan-frequency", f"{field}."),
                previous_frequency=optional_text(repository, "previous-scan-frequency", f"{field}."),
            )
            for repository, field in mappings(detail.get("repositories"), "detail.repositories")
        ),
    )


def _lifecycle_run(envelope: Mapping[str, Any], detail: Mapping[str, Any]) -> LifecycleRun:
    if detail.get("eventName") != "PolicyExecutionEvent":
        raise MalformedEventError(
            "detail.eventName", f"expected PolicyExecutionEvent, got {detail.get('eventName')!r}"
        )
    if detail.get("eventSource") != "ecr.amazonaws.com":
        raise MalformedEventError("detail.eventSource", f"expected ECR, got {detail.get('eventSource')!r}")
    field = "detail.serviceEventDetails"
    said = mapping(detail.get("serviceEventDetails"), field)
    return LifecycleRun(
        **envelope_fields(envelope),
        repository_name=text(said, "repositoryName", f"{field}."),
        rules=_rules(said.get("lifecycleEventPolicy"), f"{field}.lifecycleEventPolicy"),
        images=_images(said, "lifecycleEventImageActions", field),
        failures=_images(said, "lifecycleEventFailureDetails", field),
    )


def _rules(value: object, field: str) -> tuple[LifecycleRuleRun, ...]:
    name = "lifecycleEventRules"
    rules = mappings(optional_mapping(value, field).get(name), f"{field}.{name}")
    return tuple(
        LifecycleRuleRun(
            priority=whole_number(rule.get("rulePriority"), f"{place}.rulePriority"),
            action=_action(rule.get("action")),
            description=_prose(rule.get("description")) or "",
        )
        for rule, place in rules
    )


def _action(value: object) -> str:
    """Give a rule's action: CloudTrail has been seen to write its name alone, the policy has an object."""
    said = value.get("type") if isinstance(value, Mapping) else value
    return printable(said).lower() if isinstance(said, str) else ""


def _images(fields: Mapping[str, Any], name: str, parent: str) -> tuple[LifecycleImage, ...]:
    entries = mappings(fields.get(name), f"{parent}.{name}")
    return tuple(_lifecycle_image(entry, field) for entry, field in entries)


def _lifecycle_image(entry: Mapping[str, Any], field: str) -> LifecycleImage:
    place = f"{field}.lifecycleEventImage"
    image = mapping(entry.get("lifecycleEventImage"), place)
    priority = entry.get("rulePriority")
    return LifecycleImage(
        digest=text(image, "digest", f"{place}."),
        tags=texts(image.get("tagList"), f"{place}.tagList")[:_TAGS_KEPT],
        rule_priority=None if priority is None else whole_number(priority, f"{field}.rulePriority"),
        size=_size(image),
        failure_code=_prose(entry.get("failureCode")),
        failure_reason=_prose(entry.get("failureReason")),
    )


def _size(image: Mapping[str, Any]) -> int | None:
    said = (image.get(name) for name in _SIZES)
    return next(
        (size for size in said if isinstance(size, int) and not isinstance(size, bool) and size >= 0), None
    )


def _prose(value: object) -> str | None:
    """Give somebody's words as they are said; nothing rests on them, so that none is malformed."""
    return None if value is None else printable(str(value))[:_PROSE_LENGTH] or None
