"""Why a tag stays though it breaks a rule: its image would be lost with it, or something pulls it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from ecr_warden.domain.policy import Policy, TagAction
from ecr_warden.domain.quarantine import quarantine_tag, quarantined_digest
from ecr_warden.domain.resolution import resolve
from ecr_warden.domain.settings.lifecycle import lifecycle_document
from ecr_warden.domain.settings.lifecycle_rules import lifecycle_problems
from ecr_warden.domain.simulation.rules import SimulatedRule, read_rules
from ecr_warden.domain.simulation.values import SimulatedImage
from ecr_warden.domain.sweep.image_totals import simulated
from ecr_warden.domain.sweep.images import ListedImage
from ecr_warden.domain.sweep.judgements import TagProblem
from ecr_warden.domain.tag_rules import is_allowed

# What was pulled so lately may be pulled again: at the next deployment, or by a node that is added.
_LATELY: Final = timedelta(days=30)
# Whoever misses a tag that was taken has so long to find out where its image is.
_SOON: Final = timedelta(days=7)


def pulled_lately(image: ListedImage, now: datetime) -> str | None:
    """Say that an image is being pulled, in half a sentence; ``None`` where no late pull is recorded."""
    if image.pulled_at is None or now - image.pulled_at > _LATELY:
        return None
    return f"it was pulled on {image.pulled_at:%Y-%m-%d}, and something may pull it by this very tag"


def is_begun(problem: TagProblem, tags: Iterable[str]) -> bool:
    """Tell whether an earlier try was stopped before it took the tag: ECR counts its reading as a pull."""
    return quarantine_tag(problem.push.image_digest, problem.violation.image_tag) in tags


def tags_after(tags: Iterable[str], problem: TagProblem, policy: Policy) -> frozenset[str]:
    """Give an image's tags once what a rule asks for is done; none where the image goes with its last one."""
    push, violation = problem.push, problem.violation
    left = frozenset(tags) - {violation.image_tag}
    if violation.action is not TagAction.QUARANTINE:
        return left
    kept_as = quarantine_tag(push.image_digest, violation.image_tag)
    is_kept = any(quarantined_digest(tag) is None and is_allowed(push, tag, policy) for tag in left)
    return left - {kept_as} if is_kept else left | {kept_as}


@dataclass(frozen=True)
class LifecycleThere:
    """A lifecycle policy's document, and for how many images it is.

    ``name`` is what sentences call it. ``problem`` is why what it does is not known; empty where it is.
    """

    name: str
    rules: tuple[SimulatedRule, ...]
    images: int
    problem: str = ""

    @classmethod
    def of_document(cls, name: str, document: Mapping[str, Any], images: int) -> "LifecycleThere":
        """Read a document, be it the policy's or one that somebody put."""
        problems = lifecycle_problems(document)
        if problems:
            return cls(name, (), images, problems[0])
        return cls(name, tuple(read_rules(document)), images)

    def why_kept(
        self, image: ListedImage, before: Iterable[str], after: Iterable[str], now: datetime
    ) -> str | None:
        """Say why an image is not to get other tags, in half a sentence: it, or another, would go soon.

        Of images that are counted, what already has the same place among them keeps it: it only moves up as
        others leave.
        """
        if not after or image.subject is not None:
            # With its last tag it goes anyway; a signature goes with what it is about, whatever its tags.
            return None
        if self.problem:
            return f"what {self.name} would do to it cannot be told ({self.problem})"
        listed = simulated(image)
        rule = self._taking(
            replace(listed, tags=tuple(before)), replace(listed, tags=tuple(after)), now + _SOON
        )
        if rule is None:
            return None
        return (
            f"without it, {self.name} ({rule.name}) would take an image within {_SOON.days} days: "
            f"this one was pushed on {image.pushed_at:%Y-%m-%d}"
        )

    def _taking(self, before: SimulatedImage, after: SimulatedImage, at: datetime) -> SimulatedRule | None:
        mine = [rule for rule in self.rules if rule.selects(after)]
        for rule in mine:
            if rule.counts and rule.count < self.images and not rule.selects(before):
                # One more that it counts, so that the oldest may be one too many.
                return rule
        if not mine:
            return None
        first = mine[0]
        if first.counts:
            was_first = next((rule for rule in self.rules if rule.selects(before)), None) is first
            return None if was_first or first.count >= self.images else first
        since = first.since(after)
        return first if since is not None and at - since > first.limit else None


def policys_lifecycle(policy: Policy, repository_name: str, images: int) -> LifecycleThere | None:
    """Give what the policy wants a repository's lifecycle to be, if anything."""
    lifecycle = resolve(policy, repository_name, "lifecycle").rules
    if lifecycle is None:
        return None
    return LifecycleThere.of_document("the policy's lifecycle", lifecycle_document(lifecycle), images)
