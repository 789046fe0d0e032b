"""Where a simulation and ECR's own preview differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ecr_warden.domain.lifecycle_simulation import SimulatedImage, Simulation
from ecr_warden_cli.simulation.listing import Previewed


@dataclass(frozen=True)
class Disagreement:
    """An image of which both say something else: ``expire``, ``archive`` or ``keep``, and by which rule."""

    digest: str
    ours: str
    our_rule: int | None
    reason: str
    ecrs: str
    ecr_rule: int | None


def disagreements(
    images: Iterable[SimulatedImage], ours: Simulation, ecrs: Mapping[str, Previewed]
) -> tuple[Disagreement, ...]:
    """Compare by image; ECR's images that were not listed are named too.

    What has a subject is compared only where ECR names it: ECR takes it within a day after its subject, and
    does not say that its preview has it.
    """
    taken = dict.fromkeys(ours.expire, "expire") | dict.fromkeys(ours.archive, "archive")
    referrers = {image.digest for image in images if image.subject is not None}
    compared = [digest for digest in ours.reasons if digest not in referrers or digest in ecrs]
    found = []
    for digest in [*compared, *(one for one in ecrs if one not in ours.reasons)]:
        own = (taken.get(digest, "keep"), ours.priorities.get(digest))
        theirs = ecrs.get(digest)
        other = ("keep", None) if theirs is None else (theirs.action, theirs.priority)
        if own != other:
            reason = ours.reasons.get(digest, "it was not there when the images were listed")
            found.append(Disagreement(digest, *own, reason, *other))
    return tuple(found)
