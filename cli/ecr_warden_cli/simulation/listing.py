"""The images that a simulation is about, and how large they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ecr_warden.domain.lifecycle_simulation import SimulatedImage


@dataclass(frozen=True)
class Listing:
    """Images, and the bytes of those whose size is known, by digest."""

    images: tuple[SimulatedImage, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Previewed:
    """What ECR's preview says that becomes of an image: ``expire`` or ``archive``, and by which rule."""

    action: str
    priority: int | None
