"""A lifecycle policy's effect on images, as ECR documents it: evaluated purely, with a reason for each image.

By ECR's user guide, "Automate the cleanup of images by using lifecycle policies" and its examples. What the
guide leaves open:

- An image of exactly so many days is not older than that, and stays (as in an example of the guide).
- Of images of the same time, the one whose digest sorts first counts as the older.
- An index that was archived before keeps its children no longer. One that is taken in this very run does.
- What an archived image's rule asks of tags claims archived images alone, a standard one's standard ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ecr_warden.domain.simulation.findings import Finding, find, kept_text, taken_text, what_it_does, would
from ecr_warden.domain.simulation.rules import SimulatedRule, read_rules
from ecr_warden.domain.simulation.values import SimulatedImage, Simulation

__all__ = ["SimulatedImage", "Simulation", "simulate_lifecycle"]


def simulate_lifecycle(
    document: Mapping[str, Any], images: Sequence[SimulatedImage], now: datetime
) -> Simulation:
    """Say what ECR would do to each image by a policy document in which ``lifecycle_problems`` finds nothing.

    Each digest must be there once. The order of ``images`` does not matter.
    """
    rules = read_rules(document)
    ordered = sorted(images, key=lambda image: (image.aged_from, image.digest))
    run = _Run(ordered, now)
    for rule in rules:
        run.apply(rule)
    run.settle(rules)
    return run.result()


class _Run:
    """One evaluation, on images from the oldest to the newest."""

    def __init__(self, ordered: list[SimulatedImage], now: datetime) -> None:
        self._ordered, self._now = ordered, now
        self._images = {image.digest: image for image in ordered}
        # Signatures and the like go with their subject: no rule is asked about them, and none counts them.
        self._asked = [image for image in ordered if image.subject is None]
        self._first: dict[str, Finding] = {}
        self._later: dict[str, SimulatedRule] = {}
        self._taken: dict[str, SimulatedRule] = {}
        self._reasons: dict[str, str] = {}

    def apply(self, rule: SimulatedRule) -> None:
        """Note what a rule finds; all of it counts, and what a rule before it is for is not its to take."""
        for finding in find(rule, self._asked, self._now):
            digest = finding.image.digest
            if self._first.setdefault(digest, finding) is not finding:
                if finding.is_over and not self._first[digest].is_over:
                    self._later.setdefault(digest, rule)
            elif finding.is_over and not self._holders(finding.image):
                self._taken[digest] = rule

    def settle(self, rules: Sequence[SimulatedRule]) -> None:
        """Give every image its reason, and what has a subject its subject's fate."""
        archive_rules = any(rule.storage_class == "archive" for rule in rules)
        for image in self._asked:
            found = self._first.get(image.digest)
            self._reasons[image.digest] = (
                _no_rule(image, archive_rules=archive_rules) if found is None else self._reason(found)
            )
        for image in self._ordered:
            if image.subject is not None:
                self._reasons[image.digest] = self._with_subject(image, image.subject)

    def result(self) -> Simulation:
        taken = self._taken
        return Simulation(
            expire=tuple(digest for digest, rule in taken.items() if not rule.is_archiving),
            archive=tuple(digest for digest, rule in taken.items() if rule.is_archiving),
            keep=tuple(image.digest for image in self._ordered if image.digest not in taken),
            reasons=self._reasons,
            priorities={digest: rule.priority for digest, rule in taken.items()},
        )

    def _holders(self, image: SimulatedImage) -> list[str]:
        """Give the indexes that keep an image: those that are not archived, and those nothing is known of."""
        return [one for one in image.referenced_by if not self._is_archived(one)]

    def _is_archived(self, digest: str) -> bool:
        found = self._images.get(digest)
        return found is not None and found.storage_class == "archive"

    def _reason(self, found: Finding) -> str:
        digest = found.image.digest
        if digest in self._taken:
            return taken_text(found, self._now)
        if found.is_over:
            holders = ", ".join(self._holders(found.image))
            return f"the image index {holders} refers to it: without that, {would(found.rule)}"
        said = kept_text(found, self._now)
        later = self._later.get(digest)
        if later is None:
            return said
        return f"{said}; {would(later)}, but may not: {found.rule.name} is for it and comes first"

    def _with_subject(self, image: SimulatedImage, subject: str) -> str:
        root = self._root(subject)
        if root is None:
            return f"it goes with its subject {subject}, which is not among the images"
        rule = self._taken.get(root)
        if rule is None:
            return f"it goes with its subject {subject}, which is kept"
        if rule.is_archiving and image.storage_class == "archive":
            return f"it goes with its subject {subject}, which {rule.name} archives, and is archived already"
        self._taken[image.digest] = rule
        return f"it goes with its subject {subject}, which {rule.name} {what_it_does(rule)}"

    def _root(self, subject: str) -> str | None:
        """Give the image that a chain of subjects ends at (a signature of an SBOM is of its image)."""
        seen: set[str] = set()
        while subject not in seen:
            seen.add(subject)
            found = self._images.get(subject)
            if found is None:
                return None
            if found.subject is None:
                return subject
            subject = found.subject
        # Two that name each other are about no image.
        return None


def _no_rule(image: SimulatedImage, *, archive_rules: bool) -> str:
    if image.storage_class == "archive" and not archive_rules:
        return "it is archived, and no rule is for archived images"
    what = _described(image.tags)
    return f"no rule is for it: it is {image.storage_class}, {what}"


def _described(tags: Iterable[str]) -> str:
    said = ", ".join(sorted(tags))
    return f"and no rule's tags match {said}" if said else "untagged, and no rule is for such images"
