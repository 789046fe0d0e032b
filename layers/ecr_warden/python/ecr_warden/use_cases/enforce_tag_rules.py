"""A push is judged, acted on, and its outcome published."""

from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from ecr_warden.domain.events import ImageAction
from ecr_warden.domain.exemption import EXEMPT_TAG, is_exempt
from ecr_warden.domain.outcomes import Outcome, OutcomeKind, outcome_id
from ecr_warden.domain.ownership import owner_of
from ecr_warden.domain.policy import Lifecycle, Mode, Policy, Severity, TagAction
from ecr_warden.domain.resolution import resolve
from ecr_warden.domain.tag_rules import Allowed, NotJudged, Violation, is_allowed, judge_push
from ecr_warden.errors import RepositoryGoneError
from ecr_warden.ports import Metrics, OutcomePorts
from ecr_warden.use_cases.tag_actions import Acted, TagActionPorts, advise_only, delete, quarantine

# What ECR is known to send; a new one is passed over, and counted so that somebody looks.
KNOWN_ACTION_TYPES = frozenset({"PUSH", "DELETE", "UPDATE_STORAGE_CLASS"})


class EnforcementPorts(TagActionPorts, OutcomePorts, Protocol):
    """What enforcing needs; nothing of it is touched for a push that breaks no rule."""


@dataclass(frozen=True)
class Handled:
    """What the policy said of an event, and the outcome, if there was anything to tell."""

    decision: NotJudged | Allowed | Violation
    outcome: Outcome | None = None

    @property
    def reason(self) -> str:
        """Say why, with what was done."""
        return self.decision.reason if self.outcome is None else self.outcome.reason


def enforce_tag_rules(push: ImageAction, *, policy: Policy, ports: EnforcementPorts) -> Handled:
    """Judge a push by the policy's tag rules, act as the rule says, and publish what came of it.

    Raises
    ------
    AwsError
        Where AWS did not answer well: nothing was published, and the event is to be tried again.

    """
    decision = judge_push(push, policy)
    if not isinstance(decision, Violation):
        if push.action_type not in KNOWN_ACTION_TYPES:
            ports.metrics.count("UnknownActionTypes")
        return Handled(decision)
    owner = None
    try:
        resource_tags = ports.registry.resource_tags(push.repository_name)
        owner = owner_of(resource_tags)
        if is_exempt(resource_tags, "tags"):
            return Handled(Allowed(f"the repository's resource tag {EXEMPT_TAG} exempts it from tag rules"))
        acted = act_on(push, decision, ports, policy)
    except RepositoryGoneError:
        acted = Acted(
            changed=False,
            what=f"Nothing was done: the repository {push.repository_name} does not exist any more.",
            next_step="Nothing is left to do.",
            is_gone=True,
        )
    outcome = replace(_outcome(push, decision, _with_expiry(acted, push, policy)), owner=owner)
    ports.publisher.publish(outcome)
    _count(decision, acted, ports.metrics)
    return Handled(decision, outcome)


def act_on(push: ImageAction, violation: Violation, ports: TagActionPorts, policy: Policy) -> Acted:
    """Do what the rule that a tag breaks asks for, in its mode, and record it."""
    if violation.mode is Mode.AUDIT:
        return advise_only(push, violation, ports)
    # One event asks for one change, so the outcome's id names it.
    change_id = _id(push)
    try:
        return _act_on(push, violation, change_id, ports, policy)
    except RepositoryGoneError:
        # Whatever was begun went with the repository: nothing is left to finish, or to take back.
        ports.journal.cancel(change_id)
        raise


def _act_on(
    push: ImageAction, violation: Violation, change_id: str, ports: TagActionPorts, policy: Policy
) -> Acted:
    match violation.action:
        case TagAction.NOTIFY:
            return advise_only(push, violation, ports)
        case TagAction.QUARANTINE:
            return quarantine(
                push,
                violation,
                change_id,
                ports,
                passes=lambda tag: is_allowed(push, tag, policy),
            )
        case TagAction.DELETE:
            return delete(push, violation, change_id, ports)
        case never:  # pragma: no cover  # mypy proves it
            assert_never(never)


def _with_expiry(acted: Acted, push: ImageAction, policy: Policy) -> Acted:
    """Say until when a quarantined image is kept, where the policy's lifecycle deletes it.

    ECR's lifecycle rules know no image that has only quarantine tags: one that is tagged again is deleted
    with its new tag.
    """
    lifecycle: Lifecycle | None = resolve(policy, push.repository_name, "lifecycle").rules
    if lifecycle is None or lifecycle.document is not None:
        return acted
    if acted.kept_as is None:
        return acted
    expiry = (
        f"The policy's lifecycle deletes it {lifecycle.quarantine_days} days after its push, whatever "
        "other tags it has by then: if you tag this very image again, remove its quarantine tag."
    )
    return replace(acted, next_step=f"{acted.next_step} {expiry}")


def _id(push: ImageAction) -> str:
    return tag_violation_id(
        event_id=push.event_id,
        repository=push.repository_name,
        image_digest=push.image_digest,
        image_tag=push.image_tag,
    )


def tag_violation_id(*, event_id: str, repository: str, image_digest: str, image_tag: str | None) -> str:
    """Give the id of the outcome about a tag that breaks a rule, which is its change's too."""
    return outcome_id(
        OutcomeKind.TAG_VIOLATION,
        event_id=event_id,
        repository=repository,
        image_digest=image_digest,
        image_tag=image_tag,
    )


def _outcome(push: ImageAction, violation: Violation, acted: Acted) -> Outcome:
    return Outcome(
        id=_id(push),
        kind=OutcomeKind.TAG_VIOLATION,
        account=push.account,
        region=push.region,
        repository=push.repository_name,
        image_digest=push.image_digest,
        image_tag=push.image_tag,
        mode=violation.mode,
        decision="violation",
        action=violation.action.value,
        changed=acted.changed,
        reason=f"{violation.reason[0].upper()}{violation.reason[1:]}. {acted.what}",
        next_step=acted.next_step,
        rule=violation.rule,
        severity=_severity(violation, acted),
        event_id=push.event_id,
        event_time=push.event_time,
        change_ids=acted.change_ids,
    )


def _severity(violation: Violation, acted: Acted) -> Severity:
    if acted.is_harmful:
        return Severity.CRITICAL
    return Severity.INFO if acted.is_gone else violation.severity


def _count(violation: Violation, acted: Acted, metrics: Metrics) -> None:
    if acted.is_repeat:
        return
    metrics.count("TagViolations", mode=violation.mode.value)
    if acted.changed:
        metrics.count("Actions", action=violation.action.value)
