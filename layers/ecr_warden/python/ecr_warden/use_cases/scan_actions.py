"""What was decided about an image's scan is acted on, and published."""

from dataclasses import dataclass, replace
from typing import Final, Protocol

from ecr_warden.domain.exemption import EXEMPT_TAG
from ecr_warden.domain.outcomes import Outcome, OutcomeKind, outcome_id
from ecr_warden.domain.policy import Mode, ScanAction, Severity
from ecr_warden.domain.resolution import SCAN_GATE
from ecr_warden.ports import OutcomePorts, Registry, ScanStates
from ecr_warden.use_cases.quarantine_image import Quarantined, QuarantinePorts, Wanted, quarantine_image
from ecr_warden.use_cases.scan_evidence import ARCHIVED, EvidencePorts

# Kinds that are only told, whatever the rule asks for.
_NEVER_ACTED_ON: Final = frozenset({OutcomeKind.IMAGE_RECOVERED})


class JudgingPorts(EvidencePorts, QuarantinePorts, OutcomePorts, Protocol):
    """What judging an image and acting on it need."""

    @property
    def registry(self) -> Registry:
        """The registry that the event came from."""

    @property
    def states(self) -> ScanStates:
        """What is remembered of images."""


@dataclass(frozen=True)
class Judged:
    """What was decided, why, and the outcome, if there was anything to tell."""

    decision: str
    reason: str
    outcome: Outcome | None = None


def archived() -> Judged:
    """Say of an image that it is archived."""
    return Judged("Archived", ARCHIVED)


def exempt() -> Judged:
    """Say that the image's repository is exempt."""
    return Judged("Exempt", f"the resource tag {EXEMPT_TAG} exempts the repository from {SCAN_GATE}")


def act_and_publish(decided: Outcome, ports: JudgingPorts, wanted: Wanted) -> Outcome:
    """Do what an outcome's action asks for, and publish it with what came of it."""
    acted = _act(decided, ports, wanted)
    told = replace(
        decided,
        # If it could be done only at another try, that is news.
        id=_id_when_changed(decided) if acted.changed else decided.id,
        changed=acted.changed,
        reason=_joined(decided.reason, acted.what),
        next_step=_next_step(decided, acted),
        severity=_severity(decided, acted),
        change_ids=acted.change_ids,
    )
    ports.publisher.publish(told)
    ports.metrics.count("ScanOutcomes", kind=told.kind.value, mode=told.mode.value)
    if told.changed:
        ports.metrics.count("Actions", action=told.action)
    return told


def _act(decided: Outcome, ports: JudgingPorts, wanted: Wanted) -> Quarantined:
    if decided.kind in _NEVER_ACTED_ON:
        return Quarantined(changed=False, what="")
    if decided.action != ScanAction.QUARANTINE:
        return Quarantined(changed=False, what="Nothing was changed: the rule asks only to tell you.")
    if decided.mode is Mode.AUDIT:
        return Quarantined(
            changed=False,
            what="Nothing was changed: the rule is in audit mode; in enforce mode the image would be "
            "quarantined, unless it is in use.",
        )
    return quarantine_image(decided, ports, wanted)


def _next_step(decided: Outcome, acted: Quarantined) -> str:
    if acted.changed and decided.kind is not OutcomeKind.IMAGE_VULNERABLE:
        # An archived image is not scanned.
        return _joined(acted.next_step, decided.next_step)
    return _joined(decided.next_step, acted.next_step)


def _severity(decided: Outcome, acted: Quarantined) -> Severity:
    if acted.is_in_use:
        return Severity.CRITICAL
    is_milder = decided.severity not in {Severity.CRITICAL, Severity.HIGH}
    return Severity.HIGH if acted.changed and is_milder else decided.severity


def _id_when_changed(decided: Outcome) -> str:
    return outcome_id(
        decided.kind,
        event_id="",
        repository=decided.repository,
        image_digest=decided.image_digest,
        about=(decided.id, "changed"),
    )


def _joined(*texts: str) -> str:
    return " ".join(text for text in texts if text)
