"""What people are told of what befell the registry, and is not acted on: pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from ecr_warden.domain.outcomes import Outcome, OutcomeKind, name_of, outcome_id
from ecr_warden.domain.policy import Mode, Policy, ScanFrequency, ScanGate, Severity
from ecr_warden.domain.resolution import SCAN_GATE, Resolution, resolve
from ecr_warden.domain.scan_events import (
    LifecycleImage,
    LifecycleRuleRun,
    LifecycleRun,
    PullThroughCacheSync,
    RegistryEvent,
    Replication,
    ScanFrequencyChange,
    ScanResourceChange,
)

ToldEvent = Replication | PullThroughCacheSync | ScanResourceChange | LifecycleRun

_SUCCESS: Final = "SUCCESS"
_ACTION: Final = "notify"
_EXPIRE: Final = "expire"
_TRANSITION: Final = "transition"
_DONE: Final = {_EXPIRE: "expired", _TRANSITION: "archived"}
# ECR keeps an image until the index that refers to it is gone: nothing is wrong.
_KEPT_FOR_INDEX: Final = "ImageReferencedByManifestList"
_SHORT_DIGEST: Final = 19


@dataclass(frozen=True)
class _Subject:
    """What an outcome is about."""

    repository: str
    image_digest: str | None = None
    image_tag: str | None = None

    @property
    def name(self) -> str:
        """Name it as people would pull it."""
        return name_of(self.repository, self.image_tag, self.image_digest)


@dataclass(frozen=True)
class _Told:
    """What there is to say."""

    decision: str
    severity: Severity
    reason: str
    next_step: str


def registry_outcomes(event: ToldEvent, policy: Policy) -> tuple[Outcome, ...]:
    """Give what an event of the registry is to tell; none where all went well and nothing was done."""
    match event:
        case Replication():
            return _of_replication(event, policy)
        case PullThroughCacheSync():
            return _of_sync(event, policy)
        case ScanResourceChange():
            return _of_scan_change(event, policy)
        case LifecycleRun():
            return _of_lifecycle_run(event, policy)
        case never:  # pragma: no cover  # mypy proves it
            assert_never(never)


def _of_replication(event: Replication, policy: Policy) -> tuple[Outcome, ...]:
    if event.result.upper() == _SUCCESS:
        return ()
    subject = _Subject(event.repository_name, event.image_digest, event.image_tag)
    source = " of ".join(
        part
        for part in (event.source_region, event.source_account and f"account {event.source_account}")
        if part
    )
    told = _Told(
        decision="failed",
        severity=Severity.HIGH,
        reason=(
            f"{subject.name} was not replicated{f' from {source}' if source else ''} to {event.region} of "
            f"account {event.account}: ECR says {event.result}, and not why. Whoever pulls it there gets an "
            "older image, or none."
        ),
        next_step=(
            "Most often one of these is the cause: the registry policy of the destination does not allow "
            "the source to replicate; the tag is immutable there and names another image (this one may then "
            "be there without the tag); the repository's KMS key cannot be used; the repository could not be "
            "created, or is at its limit of images. Mend it, and push the image again, or replicate all that "
            "is missing, in the source Region: aws ecr start-replication-backfill --destination "
            f"region={event.region},registryId={event.account}"
        ),
    )
    return (_outcome(OutcomeKind.REPLICATION_FAILED, event, subject, told, policy.mode),)


def _of_sync(event: PullThroughCacheSync, policy: Policy) -> tuple[Outcome, ...]:
    if event.sync_status.upper() == _SUCCESS:
        return ()
    subject = _Subject(event.repository_name, event.image_digest, event.image_tag)
    why = ": ".join(part for part in (event.failure_code, event.failure_reason) if part) or event.sync_status
    upstream = event.upstream_registry_url or "its upstream registry"
    prefix = event.repository_prefix
    told = _Told(
        decision="failed",
        severity=Severity.MEDIUM,
        reason=(
            f"ECR could not bring {subject.name} from {upstream}: {why.rstrip('.')}. A pull gets "
            "what is cached, which may be old, or nothing."
        ),
        next_step=(
            "Look whether the rule's credentials in Secrets Manager are valid still, whether the upstream "
            "registry limits how often it is pulled from, and whether the image is there. "
            + (
                f"`aws ecr validate-pull-through-cache-rule --ecr-repository-prefix {prefix}` tries the rule."
                if prefix
                else "`aws ecr describe-pull-through-cache-rules` lists the rules."
            )
        ),
    )
    return (_outcome(OutcomeKind.PULL_THROUGH_CACHE_FAILED, event, subject, told, policy.mode),)


def _of_scan_change(event: ScanResourceChange, policy: Policy) -> tuple[Outcome, ...]:
    # A repository that the event names twice is told once.
    switched_off = {change.repository_name: change for change in event.changes if _is_switched_off(change)}
    return tuple(_not_scanned(event, change, policy) for change in switched_off.values())


def _is_switched_off(change: ScanFrequencyChange) -> bool:
    manual = ScanFrequency.MANUAL.value
    return change.frequency.upper() == manual and (change.previous_frequency or "").upper() != manual


def _not_scanned(event: ScanResourceChange, change: ScanFrequencyChange, policy: Policy) -> Outcome:
    name = change.repository_name
    gate: Resolution[ScanGate] = resolve(policy, name, SCAN_GATE)
    before = f" (before: {change.previous_frequency})" if change.previous_frequency else ""
    scanning = f"{event.scan_type.lower()} scanning" if event.scan_type else "scanning"
    reason = f"Images of {name} are not scanned any more unless somebody asks for it{before}."
    if gate.rule is not None:
        reason += " Its scan gate cannot judge new images any more: they pass unseen."
    told = _Told(
        decision="switched_off",
        severity=Severity.LOW if gate.rule is None else Severity.HIGH,
        reason=reason,
        next_step=(
            f"If nobody meant it, let a filter of the registry's {scanning} match {name} again, by the "
            "policy's section `scanning` or in the registry's settings. Then scan what was pushed meanwhile."
        ),
    )
    outcome = _outcome(OutcomeKind.IMAGE_NOT_SCANNED, event, _Subject(name), told, gate.mode)
    return replace(outcome, rule=gate.rule)


def _of_lifecycle_run(event: LifecycleRun, policy: Policy) -> tuple[Outcome, ...]:
    if not event.images and not event.failures:
        return ()
    told = _Told(
        decision="ran",
        severity=_severity_of(event.failures),
        reason=" ".join(
            (
                f"ECR ran the lifecycle policy of {event.repository_name}.",
                *_what_was_done(event),
                *_failures(event.failures),
                "ECR tells of ten images at a time: other messages may be of the same run.",
            )
        ),
        next_step=_after_run(event),
    )
    subject = _Subject(event.repository_name)
    return (_outcome(OutcomeKind.LIFECYCLE_RAN, event, subject, told, policy.mode),)


def _what_was_done(event: LifecycleRun) -> list[str]:
    by_action: dict[str, list[LifecycleImage]] = {}
    for image in event.images:
        by_action.setdefault(_action_on(image, event.rules), []).append(image)
    said = [
        f"{_by_rules(images, event.rules)} {_DONE.get(action, 'dealt with')} {_images(images)}: "
        f"{', '.join(map(_name, images))}.{_bytes(images)}"
        for action, images in sorted(by_action.items())
    ]
    unsaid = [images for images in by_action.values() if not _bytes(images)]
    if unsaid:
        of_others = "" if len(unsaid) == len(by_action) else " of the others"
        said.append(f"ECR does not say{of_others} how many bytes.")
    return said


def _action_on(image: LifecycleImage, rules: Sequence[LifecycleRuleRun]) -> str:
    """Give the action of the rule that took an image."""
    named = [rule.action for rule in rules if rule.priority == image.rule_priority]
    actions = set(named or [rule.action for rule in rules])
    return actions.pop() if len(actions) == 1 else ""


def _by_rules(images: Iterable[LifecycleImage], rules: Sequence[LifecycleRuleRun]) -> str:
    priorities = sorted({image.rule_priority for image in images if image.rule_priority is not None})
    descriptions = {rule.priority: rule.description for rule in rules if rule.description}
    said = [
        f"{priority} ({descriptions[priority]})" if priority in descriptions else str(priority)
        for priority in priorities
    ]
    return f"Rule {', '.join(said)}" if said else "It"


def _bytes(images: Sequence[LifecycleImage]) -> str:
    """Give the sentence about images' bytes, after a blank; empty where ECR says those of none."""
    sizes = [image.size for image in images if image.size is not None]
    if not sizes:
        return ""
    at_least = "" if len(sizes) == len(images) else "at least "
    return f" These are {at_least}{sum(sizes):,} bytes."


def _failures(failures: Sequence[LifecycleImage]) -> list[str]:
    by_cause: dict[tuple[str, str], list[LifecycleImage]] = {}
    for image in failures:
        cause = (image.failure_code or "no code", image.failure_reason or "no reason")
        by_cause.setdefault(cause, []).append(image)
    return [
        f"It failed for {_images(images)} ({code}: {reason.rstrip('.')}): {', '.join(map(_name, images))}."
        for (code, reason), images in by_cause.items()
    ]


def _severity_of(failures: Sequence[LifecycleImage]) -> Severity:
    if not failures:
        return Severity.INFO
    return Severity.LOW if all(map(_is_kept_for_index, failures)) else Severity.MEDIUM


def _is_kept_for_index(image: LifecycleImage) -> bool:
    return image.failure_code == _KEPT_FOR_INDEX


def _after_run(event: LifecycleRun) -> str:
    actions = {_action_on(image, event.rules) for image in event.images}
    steps = []
    if not all(map(_is_kept_for_index, event.failures)):
        steps.append("Mend what ECR names as the reason: the policy's next run tries these images again.")
    if not actions <= _DONE.keys():
        steps.append("Look in the repository what became of the images of which ECR does not say it.")
    if _TRANSITION in actions:
        steps.append(
            "Where somebody still needs an archived image, restore it: aws ecr update-image-storage-class "
            f"--repository-name {event.repository_name} --image-id imageDigest=DIGEST "
            "--target-storage-class STANDARD"
        )
    if steps:
        return " ".join(steps)
    if event.failures:
        return "Nothing is left to do: ECR keeps these images until the image index that has them is gone."
    return "Nothing is left to do."


def _images(images: Sequence[LifecycleImage]) -> str:
    return "1 image" if len(images) == 1 else f"{len(images)} images"


def _name(image: LifecycleImage) -> str:
    digest = image.digest[:_SHORT_DIGEST]
    if not image.tags:
        return digest
    more = f" and {len(image.tags) - 1} more" if len(image.tags) > 1 else ""
    return f"{image.tags[0]}{more} ({digest})"


def _outcome(kind: OutcomeKind, event: RegistryEvent, subject: _Subject, told: _Told, mode: Mode) -> Outcome:
    return Outcome(
        id=outcome_id(
            kind,
            event_id=event.event_id,
            repository=subject.repository,
            image_digest=subject.image_digest,
            image_tag=subject.image_tag,
        ),
        kind=kind,
        account=event.account,
        region=event.region,
        repository=subject.repository,
        image_digest=subject.image_digest,
        image_tag=subject.image_tag,
        mode=mode,
        decision=told.decision,
        action=_ACTION,
        changed=False,
        reason=told.reason,
        next_step=told.next_step,
        rule=None,
        severity=told.severity,
        event_id=event.event_id,
        event_time=event.event_time,
    )
