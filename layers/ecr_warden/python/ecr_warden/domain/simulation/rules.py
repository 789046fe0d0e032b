"""A lifecycle policy's rules as values: which images each is for, and which of those it takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from ecr_warden.domain.simulation.values import SimulatedImage

Matcher: TypeAlias = Callable[[str], bool]
# More days than there are between any two times, so that no number of days is too large to compare.
_MOST_DAYS: Final = 4_000_000


@dataclass(frozen=True)
class SimulatedRule:
    """One rule of a policy; ``entries`` match a tag each, and all of them must match some tag."""

    priority: int
    description: str
    is_archiving: bool
    storage_class: str
    tag_status: str
    entries: tuple[Matcher, ...]
    count_type: str
    count: int

    @property
    def name(self) -> str:
        """What sentences call it."""
        return f"rule {self.priority} ({self.description})" if self.description else f"rule {self.priority}"

    @property
    def counts(self) -> bool:
        """Whether it takes what is too many, rather than what is too old."""
        return self.count_type == "imageCountMoreThan"

    @property
    def limit(self) -> timedelta:
        """How old an image may be."""
        return timedelta(days=min(self.count, _MOST_DAYS))

    def selects(self, image: SimulatedImage) -> bool:
        """Tell whether an image has the rule's storage class and meets what it asks of tags."""
        if image.storage_class != self.storage_class:
            return False
        if self.tag_status == "any":
            return True
        if self.tag_status == "untagged":
            return not image.tags
        return all(any(map(matches, image.tags)) for matches in self.entries)

    def since(self, image: SimulatedImage) -> datetime | None:
        """Give the time that an image's age counts from; ``None`` where it is not known."""
        if self.count_type == "sinceImageTransitioned":
            return image.archived_at
        if self.count_type == "sinceImagePulled":
            return pulled_or_begun(image)
        return image.aged_from


def pulled_or_begun(image: SimulatedImage) -> datetime:
    """Give the last pull; the restoring where no pull came after it, the push where there was none at all."""
    pulled, restored = image.pulled_at, image.activated_at
    if pulled is None or (restored is not None and pulled < restored):
        return image.aged_from
    return pulled


def read_rules(document: Mapping[str, Any]) -> list[SimulatedRule]:
    """Read a policy document that has no problems, in the order in which its rules are applied."""
    return sorted(map(_rule, document["rules"]), key=lambda rule: rule.priority)


def _rule(fields: Mapping[str, Any]) -> SimulatedRule:
    selection = fields["selection"]
    patterns = [
        *selection.get("tagPatternList", ()),
        *(f"{one}*" for one in selection.get("tagPrefixList", ())),
    ]
    return SimulatedRule(
        priority=fields["rulePriority"],
        description=fields.get("description", ""),
        is_archiving=fields["action"]["type"] == "transition",
        storage_class=selection.get("storageClass", "standard"),
        tag_status=selection["tagStatus"],
        entries=tuple(map(wildcard, patterns)),
        count_type=selection["countType"],
        count=selection["countNumber"],
    )


def wildcard(pattern: str) -> Matcher:
    """Give what tells whether a tag matches a pattern, whose ``*`` stands for any characters or none."""
    first, *others = pattern.split("*")
    if not others:
        return first.__eq__
    *inner, last = others
    if not any(inner) and not last:
        return lambda tag: tag.startswith(first)
    return lambda tag: _matches(tag, first, inner, last)


def _matches(tag: str, first: str, inner: Sequence[str], last: str) -> bool:
    # An expression would try again and again on a tag that nearly matches; taking each part where it
    # comes first is enough, and its time grows with the tag alone.
    place, end = len(first), len(tag) - len(last)
    if not (tag.startswith(first) and tag.endswith(last)):
        return False
    for part in inner:
        found = tag.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return place <= end
