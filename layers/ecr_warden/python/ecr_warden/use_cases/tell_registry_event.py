"""What befell the registry is told, and never acted on."""

from dataclasses import dataclass

from ecr_warden.domain.policy import Policy
from ecr_warden.domain.registry_outcomes import ToldEvent, registry_outcomes
from ecr_warden.ports import OutcomePorts


@dataclass(frozen=True)
class Told:
    """What was said of an event, and the ids of its outcomes."""

    decision: str
    reason: str
    outcome_ids: tuple[str, ...] = ()


def tell_registry_event(event: ToldEvent, *, policy: Policy, ports: OutcomePorts) -> Told:
    """Publish what an event of the registry comes to.

    Raises
    ------
    AwsError
        Where an outcome could not be published. The event is to be tried again; an outcome that was published
        before comes to the same id, and is told once.

    """
    outcomes = registry_outcomes(event, policy)
    if not outcomes:
        return Told("nothing_to_tell", f"nothing of this {event.detail_type} event is to be told")
    ports.publisher.publish_all(outcomes)
    for outcome in outcomes:
        ports.metrics.count("RegistryEvents", kind=outcome.kind.value)
    first = outcomes[0]
    more = f" (and {len(outcomes) - 1} more)" if len(outcomes) > 1 else ""
    return Told(first.decision, first.reason + more, tuple(outcome.id for outcome in outcomes))
