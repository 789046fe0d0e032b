"""What came of all of a repository's settings, as one outcome."""

from collections.abc import Sequence
from typing import Final

from ecr_warden.domain.events import RepositoryCreation
from ecr_warden.domain.outcomes import Outcome, OutcomeKind, SettingOutcome, SettingStatus, outcome_id
from ecr_warden.domain.policy import Severity
from ecr_warden.domain.settings.said import next_steps, sentences, worst_of

_SEVERITIES: Final = {
    SettingStatus.FAILED: Severity.HIGH,
    SettingStatus.VIOLATION: Severity.MEDIUM,
    SettingStatus.CHANGED: Severity.INFO,
    SettingStatus.WOULD_CHANGE: Severity.INFO,
}
_DECISIONS: Final = {
    SettingStatus.FAILED: "incomplete",
    SettingStatus.VIOLATION: "incomplete",
    SettingStatus.CHANGED: "configured",
    SettingStatus.WOULD_CHANGE: "would_configure",
}


def settings_outcome(
    creation: RepositoryCreation,
    results: Sequence[tuple[SettingOutcome, str | None]],
    owner: str | None = None,
) -> Outcome | None:
    """Give the one outcome about a repository, or ``None`` where nothing is to be told.

    ``results`` has each setting's outcome with the id of its journal entry, if it has one; ``owner`` is whose
    the repository is, where that is known.
    """
    found = [one for one, _ in results]
    worst = worst_of(found)
    if worst is None:
        return None
    is_incomplete = worst in {SettingStatus.FAILED, SettingStatus.VIOLATION}
    kind = OutcomeKind.REPOSITORY_INCOMPLETE if is_incomplete else OutcomeKind.REPOSITORY_CONFIGURED
    deciding = next(one for one in found if one.status is worst)
    return Outcome(
        id=outcome_id(
            kind,
            event_id=creation.event_id,
            repository=creation.repository_name,
            about=_about(found) if is_incomplete else (),
        ),
        kind=kind,
        account=creation.account,
        region=creation.region,
        repository=creation.repository_name,
        image_digest=None,
        image_tag=None,
        mode=deciding.mode,
        decision=_DECISIONS[worst],
        action="configure",
        changed=any(entry is not None for _, entry in results),
        reason=_reason(found, creation),
        next_step=_next_step(worst, found),
        rule=deciding.rule,
        severity=_SEVERITIES[worst],
        event_id=creation.event_id,
        event_time=creation.event_time,
        change_ids=tuple(entry for _, entry in results if entry is not None),
        settings=tuple(found),
        created_by=creation.creator,
        owner=owner,
    )


def _about(found: list[SettingOutcome]) -> tuple[str, ...]:
    """Tell apart what is incomplete: fewer settings that fail are news, the same ones are not."""
    bad = {SettingStatus.FAILED, SettingStatus.VIOLATION}
    return tuple(sorted({f"{one.section} {one.status}" for one in found if one.status in bad}))


def _reason(found: list[SettingOutcome], creation: RepositoryCreation) -> str:
    said = list(sentences(found))
    if creation.creator is not None:
        said.append(f"Created by {creation.creator}.")
    return " ".join(said)


def _next_step(worst: SettingStatus, found: list[SettingOutcome]) -> str:
    steps = next_steps(found)
    match worst:
        case SettingStatus.FAILED:
            failed = (
                "Mend what ECR's answer names; if it denies, RepositoryCreatedFunction's permissions. It is "
                "tried again some times, and then waits among the dead letters: see docs/runbook.md, New "
                "repositories were not configured."
            )
            return " ".join((failed, *steps))
        case SettingStatus.VIOLATION:
            return " ".join(steps)
        case SettingStatus.CHANGED:
            return "Nothing is left to do. Another value that its owners set later is left alone."
        case _:
            return "Set the rule's mode to enforce if this is what you want."
