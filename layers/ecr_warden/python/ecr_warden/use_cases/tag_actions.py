"""Taking a tag from an image: quarantine and delete, safe to repeat and to interrupt anywhere.

The journal's entry is written before the first change and closed after the last. An event that comes
again finds its entry: closed, nothing is done again (a person may have put the tag back since); open,
what is missing is done.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeGuard

from ecr_warden.domain.events import ImageAction
from ecr_warden.domain.images import Change, Manifest, children_of
from ecr_warden.domain.quarantine import quarantine_tag, quarantined_digest
from ecr_warden.domain.tag_rules import Violation
from ecr_warden.errors import AwsError, RefusedError
from ecr_warden.ports import ImageChangePorts, Progress, Registry

# A DynamoDB item holds 400 KB, names and all.
MAX_JOURNALED_MANIFEST: Final = 300_000


class TagActionPorts(ImageChangePorts, Protocol):
    """What taking a tag needs."""

    @property
    def registry(self) -> Registry:
        """The registry that the event came from."""


@dataclass(frozen=True)
class Acted:
    """What came of an action.

    ``what`` and ``next_step`` are sentences for people. ``is_gone``: there was nothing left to act on.
    ``is_harmful``: an image lost what it should have kept. ``is_repeat``: an earlier delivery did it all.
    ``kept_as``: the image's quarantine tag, while it has it.
    """

    changed: bool
    what: str
    next_step: str
    change_ids: tuple[str, ...] = ()
    is_gone: bool = False
    is_harmful: bool = False
    is_repeat: bool = False
    kept_as: str | None = None


def quarantine(
    push: ImageAction,
    violation: Violation,
    change_id: str,
    ports: TagActionPorts,
    *,
    passes: Callable[[str], bool],
) -> Acted:
    """Give the image its quarantine tag, then take the denied tag from it; the digest stays.

    ``passes`` tells of a tag whether the policy allows it. An image that has such a tag is kept by it: its
    quarantine tag goes again, or a lifecycle rule for quarantined images would delete it with all its tags.
    """
    acted = _quarantine(push, violation, change_id, ports)
    if acted.kept_as is None:
        return acted
    tags = ports.registry.tags_of(push.repository_name, push.image_digest)
    allowed = [tag for tag in tags if quarantined_digest(tag) is None and passes(tag)]
    if not allowed or acted.kept_as not in tags:
        return acted
    manifest = ports.registry.find_manifest_by_digest(push.repository_name, push.image_digest)
    if manifest is None:
        return acted
    ports.registry.remove_tag(push.repository_name, acted.kept_as)
    names = ", ".join(sorted(allowed))
    kept = replace(
        acted,
        what=f"The tag {violation.image_tag} was taken from the image, which keeps {names}.",
        next_step=f"Use {names} in place of {violation.image_tag}.",
        kept_as=None,
    )
    return _saved(push, manifest, acted, names, ports) or kept


def _saved(
    push: ImageAction, manifest: Manifest, acted: Acted, names: str, ports: TagActionPorts
) -> Acted | None:
    """Push an image again that lost its last tag, under its quarantine tag; ``None`` where it is there.

    The others may have gone in that moment, and with its last tag ECR deletes an image.
    """
    try:
        if ports.registry.find_manifest_by_digest(push.repository_name, push.image_digest) is not None:
            return None
        ports.registry.add_tag(push.repository_name, manifest, acted.kept_as or "")
    except (AwsError, RefusedError) as error:
        # Another try would find no image, and nothing to say of it: it is told now, or never.
        return replace(
            acted,
            what=f"The tag {push.image_tag} was taken from the image, whose other tags ({names}) another "
            f"push may have moved in that moment: then ECR deleted it. It could not be put back: {error}.",
            next_step=f"See whether {push.image_digest} is still there, and push it again now if not.",
            is_harmful=True,
            kept_as=None,
        )
    moved = f"In that moment another push had moved {names}, so that it keeps its quarantine tag."
    return replace(acted, what=f"{acted.what} {moved}")


def _quarantine(push: ImageAction, violation: Violation, change_id: str, ports: TagActionPorts) -> Acted:
    kept_as = quarantine_tag(push.image_digest, violation.image_tag)
    removal = _Removal(
        push,
        violation,
        change_id,
        ports,
        after={"image_tag": kept_as, "image_digest": push.image_digest},
        done=Acted(
            changed=True,
            what=f"The image was kept as {push.repository_name}:{kept_as} and the tag {violation.image_tag} "
            "was taken from it.",
            # A scan gate may archive it in the meantime, and be told in the same message.
            next_step=f"{_push_again(violation)} Until then it can be pulled as {kept_as} or by its digest, "
            "unless it is archived.",
            change_ids=(change_id,),
            kept_as=kept_as,
        ),
    )
    manifest = removal.named()
    if not removal.is_pushed_image(manifest):
        return removal.finish_or_say_gone(manifest, was_ours=lambda: removal.is_kept_as(kept_as))
    if removal.begin() is Progress.DONE:
        return replace(removal.done, is_repeat=True)
    try:
        ports.registry.add_tag(push.repository_name, manifest, kept_as)
    except RefusedError as error:
        ports.journal.cancel(change_id)
        return _refused(error, violation)
    # Between reading the tag and here another push may have moved it: that image is not ours to touch.
    if not removal.is_pushed_image(removal.named()):
        return removal.finish()
    return removal.remove_tag()


def delete(push: ImageAction, violation: Violation, change_id: str, ports: TagActionPorts) -> Acted:
    """Take the tag, and with its last tag the image, unless something uses it or refers to it."""
    tag = violation.image_tag
    removal = _Removal(
        push,
        violation,
        change_id,
        ports,
        after=None,
        done=Acted(
            changed=True,
            what=f"The tag {tag} was deleted, and the image too if that was its last tag.",
            next_step=f"{_push_again(violation)} The journal's entry {change_id} has the manifest.",
            change_ids=(change_id,),
        ),
    )
    manifest = removal.named()
    kept_because = _reason_to_keep(manifest, push, tag, ports) if removal.is_pushed_image(manifest) else None
    if kept_because is not None:
        # An interrupted delivery may have begun what is not to be done any more.
        ports.journal.cancel(change_id)
        return _kept(kept_because, violation)
    # Finding the users took a while, in which another push may have moved the tag.
    manifest = removal.named()
    if not removal.is_pushed_image(manifest):
        # A deletion leaves no trace but the absence of the tag.
        return removal.finish_or_say_gone(manifest, was_ours=lambda: manifest is None)
    if removal.begin(manifest) is Progress.DONE:
        return replace(removal.done, is_repeat=True)
    try:
        return removal.remove_tag()
    except RefusedError as error:
        ports.journal.cancel(change_id)
        return _refused(error, violation)


def _reason_to_keep(manifest: Manifest, push: ImageAction, tag: str, ports: TagActionPorts) -> str | None:
    if len(manifest.body) > MAX_JOURNALED_MANIFEST:
        return "Its manifest is too large for the journal, so that it could not be looked up later"
    users = users_of(push, children_of(manifest), ports, tag=tag, afresh=True)
    return f"It is or may be in use: {'; '.join(users)}" if users else None


def users_of(
    push: ImageAction,
    children: tuple[str, ...] | None,
    ports: TagActionPorts,
    *,
    tag: str,
    afresh: bool = False,
) -> tuple[str, ...]:
    """Name the workloads that use an image by one of its tags, or its children, as `children_of` gives them.

    What a workload runs of an index is one of those. Where they are not known, it counts as in use.
    """
    if children is None:
        return ("it could not be found out (the images of its platforms cannot be read)",)
    name = push.repository_name
    own = (one for child in children for one in ports.registry.tags_of(name, child))
    tags = tuple(dict.fromkeys((tag, *own)))
    return ports.usage.who_uses(name, (push.image_digest, *children), tags, afresh=afresh)


@dataclass(frozen=True)
class _Removal:
    """One tag that is to be taken from the image that a push gave it to; ``done`` is what to say then."""

    push: ImageAction
    violation: Violation
    change_id: str
    ports: TagActionPorts
    after: dict[str, str] | None
    done: Acted

    def named(self) -> Manifest | None:
        """Read what the tag names now."""
        return self.ports.registry.find_manifest(self.push.repository_name, self.violation.image_tag)

    def is_pushed_image(self, manifest: Manifest | None) -> TypeGuard[Manifest]:
        return manifest is not None and manifest.digest == self.push.image_digest

    def is_kept_as(self, kept_as: str) -> bool:
        return self.is_pushed_image(self.ports.registry.find_manifest(self.push.repository_name, kept_as))

    def begin(self, manifest: Manifest | None = None) -> Progress:
        before = {"image_tag": self.violation.image_tag, "image_digest": self.push.image_digest}
        if manifest is not None:
            before |= {"manifest": manifest.body, "manifest_media_type": manifest.media_type}
        change = Change(
            id=self.change_id,
            account=self.push.account,
            region=self.push.region,
            repository=self.push.repository_name,
            section="tags",
            before=before,
            after=self.after,
            event_id=self.push.event_id,
            rule=self.violation.rule,
            begun_at=self.ports.now(),
        )
        return self.ports.journal.begin(change)

    def finish(self) -> Acted:
        self.ports.journal.finish(self.change_id)
        return self.done

    def remove_tag(self) -> Acted:
        removed_from = self.ports.registry.remove_tag(self.push.repository_name, self.violation.image_tag)
        if removed_from is None or removed_from == self.push.image_digest:
            return self.finish()
        acted = self._put_back(removed_from)
        self.finish()
        return acted

    def finish_or_say_gone(self, named: Manifest | None, *, was_ours: Callable[[], bool]) -> Acted:
        """Answer for a tag that names the image no longer: our own doing, or somebody else's."""
        progress = self.ports.journal.progress(self.change_id)
        if progress is Progress.DONE:
            return replace(self.done, is_repeat=True)
        if progress is Progress.BEGUN and was_ours():
            return self.finish()
        if progress is Progress.BEGUN:
            self.ports.journal.cancel(self.change_id)
        return _gone(self.violation.image_tag, named)

    def _put_back(self, removed_from: str) -> Acted:
        """Mend what a push in the very moment of the removal made of it: the tag went from that image."""
        repository, tag = self.push.repository_name, self.violation.image_tag
        moved = f"In that moment another push had moved {tag} to {removed_from}"
        try:
            other = self.ports.registry.find_manifest_by_digest(repository, removed_from)
            if other is not None:
                self.ports.registry.add_tag(repository, other, tag)
        except RefusedError:
            # Immutable, and yet another push has it by now: the tag is where its owners want it.
            return replace(self.done, what=f"{self.done.what} {moved}, and by now elsewhere again.")
        except AwsError as error:
            # Another try would find the tag gone and not know whose it was: it is told now, or never.
            return replace(
                self.done,
                what=f"{self.done.what} {moved}, and it could not be put back: {error}.",
                next_step=f"See whether {removed_from} is still there, and push it again if not.",
                is_harmful=True,
            )
        if other is not None:
            return replace(self.done, what=f"{self.done.what} {moved}: it was put back there.")
        return replace(
            self.done,
            what=f"{self.done.what} {moved}, which had no other tag: ECR deleted that image.",
            next_step=f"Push {removed_from} again now, under a tag that the policy allows.",
            is_harmful=True,
        )


def _gone(tag: str, named: Manifest | None) -> Acted:
    now = "no image has it any more" if named is None else f"it names {named.digest} by now"
    return Acted(
        changed=False,
        what=f"Nothing was done about the tag {tag}: {now}.",
        next_step="Nothing is left to do for this image.",
        is_gone=True,
    )


def _refused(error: RefusedError, violation: Violation) -> Acted:
    return Acted(
        changed=False,
        what=f"Nothing was changed, as ECR refused it: {str(error).rstrip('.')}.",
        next_step=f"Remove the tag {violation.image_tag} yourself. {_push_again(violation)}",
    )


def _kept(why: str, violation: Violation) -> Acted:
    return Acted(
        changed=False,
        what=f"It was not deleted. {why}.",
        next_step=f"Move what uses it to another tag, then remove {violation.image_tag} yourself. "
        f"{_push_again(violation)}",
    )


def _push_again(violation: Violation) -> str:
    if violation.allowed:
        return f"Push the image again under a tag that is allowed: {', '.join(violation.allowed)}."
    return "Push the image again under a tag that the rule does not deny."


def advise_only(push: ImageAction, violation: Violation, ports: TagActionPorts) -> Acted:
    """Change nothing; say why, and what to do, if the tag still names the image."""
    named = ports.registry.find_manifest(push.repository_name, violation.image_tag)
    if named is None or named.digest != push.image_digest:
        return _gone(violation.image_tag, named)
    if violation.mode is not violation.mode.ENFORCE and violation.action is not violation.action.NOTIFY:
        what = f"Nothing was changed: the rule is in audit mode; in enforce mode it would {violation.action}."
    else:
        what = "Nothing was changed: the rule asks only to tell you."
    return Acted(changed=False, what=what, next_step=_push_again(violation))
