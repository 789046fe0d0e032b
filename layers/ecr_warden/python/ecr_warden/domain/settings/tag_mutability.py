"""A repository's tag mutability, in ECR's four modes."""

from ecr_warden.domain.policy import TagMutability
from ecr_warden.domain.settings.current import Mutability
from ecr_warden.domain.settings.plans import Compliant, Kept, Plan, Put


def wanted_mutability(wanted: TagMutability) -> Mutability:
    """Give the mode that a rule's section asks for."""
    mode = "IMMUTABLE" if wanted.immutable else "MUTABLE"
    return Mutability(mode + ("_WITH_EXCLUSION" if wanted.excluded else ""), wanted.excluded)


def plan_tag_mutability(current: Mutability, wanted: TagMutability, *, override: bool) -> Plan:
    """Compare a repository's mutability with what is wanted; ECR's default is nobody's choice."""
    target = wanted_mutability(wanted)
    # Exclusions have no order.
    if current.mode == target.mode and set(current.excluded) == set(target.excluded):
        return Compliant()
    if current != Mutability() and not override:
        return Kept(f"somebody set its tag mutability to {_text(current)}")
    return Put(mutability_json(current), mutability_json(target))


def mutability_json(mutability: Mutability) -> dict[str, object]:
    """Give the mode and its exclusions as plain JSON."""
    if not mutability.excluded:
        return {"mode": mutability.mode}
    return {"mode": mutability.mode, "except": list(mutability.excluded)}


def _text(mutability: Mutability) -> str:
    return mutability.mode + (f" ({', '.join(mutability.excluded)})" if mutability.excluded else "")
