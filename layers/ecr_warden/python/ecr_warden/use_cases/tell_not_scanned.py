"""An image that could not be scanned, or is not scanned any more, is told of: its gate cannot judge it."""

from typing import Final

from ecr_warden.domain.artifacts import Artifact, classify_manifest
from ecr_warden.domain.exemption import is_exempt
from ecr_warden.domain.findings import Scan
from ecr_warden.domain.images import INDEX_TYPES, StoredImage
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.ownership import owner_of
from ecr_warden.domain.policy import ScanAction, Severity
from ecr_warden.domain.resolution import SCAN_GATE
from ecr_warden.domain.scan_events import ImageScan, ScanCoverage, ScanEvent
from ecr_warden.domain.scan_outcomes import GateRule, Told, image_name, image_outcome
from ecr_warden.errors import ImageGoneError
from ecr_warden.ports import Progress
from ecr_warden.use_cases.quarantine_image import Wanted, entry_of
from ecr_warden.use_cases.scan_actions import (
    Judged,
    JudgingPorts,
    act_and_publish,
    archived,
    exempt,
)

# Why Inspector does not scan an image though nothing is wrong, or not for long.
_QUIET: Final = frozenset(
    {
        "IMAGE_ARCHIVED",
        "PENDING_INITIAL_SCAN",
        "PENDING_REVIVAL_SCAN",
        "RESOURCE_TERMINATED",
        "SCAN_FREQUENCY_SCAN_ON_PUSH",
        "SCAN_IN_PROGRESS",
        "SUCCESSFUL",
    }
)
# What is wrong with the image itself, so that no later scan of it can end well.
_OF_THE_IMAGE: Final = frozenset(
    {
        "EXTRACTION_COLLECTION_TIME_LIMIT_EXCEEDED",
        "IMAGE_SIZE_EXCEEDED",
        "INVALID_ARTIFACT",
        "STORAGE_LIMIT_EXCEEDED",
    }
)
_UNDER_WAY: Final = frozenset({"IN_PROGRESS", "PENDING"})
_FAILED: Final = frozenset({"FAILED", "UNSUPPORTED_IMAGE"})
_NEXT_STEPS: Final = {
    "IMAGE_SIZE_EXCEEDED": "Make the image smaller than Inspector's limit, and push it again.",
    "SCAN_ELIGIBILITY_EXPIRED": (
        "Inspector stopped scanning it, as its re-scan duration is over: if it is still deployed, build and "
        "deploy a new one, or make the duration longer in Inspector's ECR settings."
    ),
    "SCAN_FREQUENCY_MANUAL": "Add its repository to the registry's scanning configuration.",
    "UNSUPPORTED_MEDIA_TYPE": "Push it in a format that Inspector scans: Docker or OCI image manifests.",
    "UNSUPPORTED_OS": "Build it on an operating system that Inspector supports and that is not at its end.",
}
_NOT_JUDGED: Final = "The scan gate cannot judge it."
_LOOK: Final = "Look into Inspector's account management, and at the image in the ECR console."


def tell_failed_scan(scan: ImageScan, gated: GateRule, ports: JudgingPorts) -> Judged:
    """Tell of a scan that did not end well, unless a later one did."""
    if scan.status in _UNDER_WAY:
        return Judged("NotJudged", f"the scan is {scan.status}")
    registry = ports.scans.read(scan.repository_name, scan.image_digest)
    if _is_newer(registry, scan):
        return Judged("Outdated", f"a later scan ended well, at {registry.completed_at}")
    why = f": {registry.description.rstrip('.')}" if registry.description else ""
    return _tell(
        scan,
        gated,
        ports,
        Told(
            kind=OutcomeKind.SCAN_FAILED,
            decision=OutcomeKind.SCAN_FAILED.value,
            action=gated.rules.on_scan_failed,
            reason=f"The scan of {image_name(scan)} ended as {scan.status}{why}. {_NOT_JUDGED}",
            next_step="Start a scan again, once a day at most: `aws ecr start-image-scan --repository-name "
            f"{scan.repository_name} --image-id imageDigest={scan.image_digest}`.",
            severity=Severity.MEDIUM,
            about=(scan.event_id,),
        ),
        may_act=scan.status in _FAILED and registry.status in _FAILED,
    )


def tell_coverage(event: ScanCoverage, gated: GateRule, ports: JudgingPorts) -> Judged:
    """Tell that Inspector does not scan an image, and why."""
    if event.status == "ACTIVE" or event.reason in _QUIET:
        return Judged("NotJudged", f"Inspector's coverage is {event.status} ({event.reason})")
    registry = ports.scans.read(event.repository_name, event.image_digest)
    if _is_newer(registry, event):
        return Judged("Outdated", f"it was scanned since, at {registry.completed_at}")
    is_of_the_image = event.reason in _OF_THE_IMAGE or event.reason.startswith("UNSUPPORTED_")
    return _tell(
        event,
        gated,
        ports,
        Told(
            kind=OutcomeKind.IMAGE_NOT_SCANNED,
            decision=OutcomeKind.IMAGE_NOT_SCANNED.value,
            action=gated.rules.on_scan_failed,
            reason=f"Inspector does not scan {image_name(event)}: {event.reason}. {_NOT_JUDGED}",
            next_step=_NEXT_STEPS.get(event.reason, _LOOK),
            severity=Severity.MEDIUM if is_of_the_image else Severity.LOW,
            # Inspector may say it again and again.
            about=(event.reason,),
        ),
        may_act=is_of_the_image and not registry.has_findings,
    )


def _is_newer(registry: Scan, event: ScanEvent) -> bool:
    completed_at = registry.completed_at
    return registry.has_findings and completed_at is not None and completed_at > event.event_time


def _stored(event: ScanEvent, ports: JudgingPorts) -> StoredImage:
    found = ports.storage.images(event.repository_name, [event.image_digest])
    if not found:
        raise ImageGoneError(f"{event.repository_name} {event.image_digest} does not exist any more")
    return found[0]


def _not_to_be_scanned(event: ScanEvent, image: StoredImage, ports: JudgingPorts) -> Judged | None:
    """Say why it does not matter that something was not scanned.

    A push with signatures and attestations has more manifests than its image, of which no scanner knows any.
    """
    if image.media_type in INDEX_TYPES:
        return Judged("NotJudged", "it is an image index: its platforms are scanned, each by itself")
    manifest = ports.registry.find_manifest_by_digest(event.repository_name, event.image_digest)
    artifact = Artifact.IMAGE if manifest is None else classify_manifest(manifest.body, image.tags)
    if artifact is not Artifact.IMAGE:
        return Judged("NotJudged", f"it is no image ({artifact}), so there is nothing to scan")
    return None


def _tell(
    event: ScanEvent,
    gated: GateRule,
    ports: JudgingPorts,
    told: Told,
    *,
    may_act: bool,
) -> Judged:
    if told.action is ScanAction.IGNORE:
        return Judged("Ignored", f"{told.reason} The rule's on_scan_failed says to ignore that.")
    image = _stored(event, ports)
    # What is archived cannot be read.
    ignored = None if image.is_archived else _not_to_be_scanned(event, image, ports)
    if ignored is not None:
        return ignored
    resource_tags = ports.registry.resource_tags(event.repository_name)
    if is_exempt(resource_tags, SCAN_GATE):
        return exempt()
    decided = image_outcome(event, gated, told, owner_of(resource_tags))
    if image.is_archived and ports.journal.progress(entry_of(decided, image.digest)) is Progress.NEW:
        # That is not the doing of an earlier try.
        return archived()
    # What no scanner can read is no reason to break an index that can be pulled.
    wanted = Wanted(
        quarantine=may_act,
        even_in_use=gated.rules.even_in_use,
        platforms=False,
        why_not="that it is not scanned is not the image's own doing",
    )
    outcome = act_and_publish(decided, ports, wanted)
    return Judged("NotScanned", outcome.reason, outcome)
