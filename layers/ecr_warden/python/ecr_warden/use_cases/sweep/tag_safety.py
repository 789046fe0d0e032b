"""Whether a tag may be taken now: by the lifecycle in force, and by who uses its image or its platforms."""

from functools import cached_property

from ecr_warden.domain.images import INDEX_TYPES, children_of
from ecr_warden.domain.policy import Policy, TagAction
from ecr_warden.domain.sweep.judgements import TagProblem
from ecr_warden.domain.sweep.kept_tags import (
    LifecycleThere,
    is_begun,
    policys_lifecycle,
    pulled_lately,
    tags_after,
)
from ecr_warden.domain.sweep.visits import Visit
from ecr_warden.use_cases.sweep.ports import RepairPorts
from ecr_warden.use_cases.tag_actions import users_of


class TagSafety:
    """Looks at one repository's images, as they were listed a moment ago, before a tag of theirs is taken."""

    def __init__(self, visit: Visit, policy: Policy, ports: RepairPorts) -> None:
        self._name = visit.repository.name
        self._images = {image.digest: image for image in visit.images or ()}
        self._policy = policy
        self._ports = ports

    def why_kept(self, problem: TagProblem) -> str | None:
        """Say why a tag is to stay, a sentence without its stop; ``None`` where it may be taken."""
        push, violation = problem.push, problem.violation
        tags = self._ports.registry.tags_of(self._name, push.image_digest)
        if violation.image_tag not in tags:
            # What takes it says so.
            return None
        children = self._children(push.image_digest)
        why = self._taken_soon(problem, tags)
        if why is None and not is_begun(problem, tags):
            why = self._child_pulled(children)
        if why is not None or violation.action is not TagAction.QUARANTINE:
            # A deletion asks by itself who uses it.
            return why
        # Nobody waits for what is there already, and something may pull it by this very tag.
        users = users_of(push, children, self._ports, tag=violation.image_tag)
        return f"it is or may be in use: {'; '.join(users)}" if users else None

    def _children(self, digest: str) -> tuple[str, ...] | None:
        if self._images[digest].media_type not in INDEX_TYPES:
            # Not read: ECR would count it as a pull, and another try of the run would find that.
            return ()
        manifest = self._ports.registry.find_manifest_by_digest(self._name, digest)
        return None if manifest is None else children_of(manifest)

    def _taken_soon(self, problem: TagProblem, before: tuple[str, ...]) -> str | None:
        image, now = self._images[problem.push.image_digest], self._ports.now()
        after = tags_after(before, problem, self._policy)
        found = (one.why_kept(image, before, after, now) for one in self._lifecycles)
        return next((f"it stays: {why}" for why in found if why is not None), None)

    def _child_pulled(self, children: tuple[str, ...] | None) -> str | None:
        """Say that an image of an index's platforms was pulled; of the index itself it is known by now."""
        now = self._ports.now()
        images = (self._images.get(child) for child in children or ())
        found = (pulled_lately(image, now) for image in images if image is not None)
        return next((f"it stays: of one of its platforms' images, {why}" for why in found if why), None)

    @cached_property
    def _lifecycles(self) -> tuple[LifecycleThere, ...]:
        """Give what may take an image there; what is in force is read when a tag is first to be taken."""
        number = len(self._images)
        document = self._ports.settings.lifecycle_policy(self._name)
        there = (
            None
            if document is None
            else LifecycleThere.of_document("the lifecycle policy there", document, number)
        )
        wanted = policys_lifecycle(self._policy, self._name, number)
        return tuple(one for one in (there, wanted) if one is not None)
