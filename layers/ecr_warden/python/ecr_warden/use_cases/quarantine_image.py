"""An image is made one that cannot be pulled, unless a workload uses it: safe to repeat and to interrupt.

Each image has its own entry in the journal, written before it is archived and closed after. The image itself
comes first, so that from then on nobody pulls it; its entry names the children that are to follow, as an
archived index cannot be read any more. A quarantine that comes again does what is missing, and leaves alone
what somebody has restored since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from ecr_warden.domain.image_quarantine import QuarantinePlan, plan_quarantine, shared_with
from ecr_warden.domain.images import Change, StoredImage
from ecr_warden.domain.outcomes import Outcome, change_id
from ecr_warden.domain.policy import RuleReference
from ecr_warden.domain.resolution import SCAN_GATE
from ecr_warden.domain.texts import some
from ecr_warden.errors import ImageGoneError, RefusedError
from ecr_warden.ports import ImageChangePorts, ImageStorage, Progress

_SHOWN: Final = 5
_STANDARD: Final = "STANDARD"
_ARCHIVE: Final = "ARCHIVE"
_CHILDREN: Final = "children"
_NOT_FOUND_OUT: Final = "it could not be found out"


class QuarantinePorts(ImageChangePorts, Protocol):
    """What a quarantine needs."""

    @property
    def storage(self) -> ImageStorage:
        """The storage classes of the registry's images."""


@dataclass(frozen=True)
class Wanted:
    """What the rule wants done now; when an outcome was decided, the policy may have been another.

    ``platforms``: whether an image is quarantined that an index has among its platforms. ``why_not``: why it
    is not wanted, if it is not.
    """

    quarantine: bool
    even_in_use: bool = False
    platforms: bool = True
    why_not: str = "by now the image passes, or the policy does not ask for it any more"


@dataclass(frozen=True)
class Quarantined:
    """What came of it: sentences for people, and the journal's entries. ``is_in_use``: nothing was done."""

    changed: bool
    what: str
    next_step: str = ""
    change_ids: tuple[str, ...] = ()
    is_in_use: bool = False


def quarantine_image(outcome: Outcome, ports: QuarantinePorts, wanted: Wanted) -> Quarantined:
    """Archive the image that an outcome is about, and of an index the children that no other one has.

    Where it is not wanted (any more), only what an earlier try has begun is gone on with.

    Raises
    ------
    AwsError, RepositoryGoneError
        Where AWS did not answer well; nothing is lost, and it can be tried again.

    """
    quarantine = _Quarantine(outcome, ports)
    try:
        found = ports.storage.images(outcome.repository, [quarantine.digest])
        if not found:
            return _unchanged("the image does not exist any more")
        if found[0].is_archived:
            return quarantine.go_on(wanted)
        if not wanted.quarantine:
            return _unchanged(wanted.why_not)
        return _begin(quarantine, found[0], wanted)
    except RefusedError as error:
        return Quarantined(
            changed=False,
            what=f"It was not quarantined, as ECR refused it: {str(error).rstrip('.')}.",
            next_step="Keep it from being deployed by other means.",
        )


def _begin(quarantine: "_Quarantine", image: StoredImage, wanted: Wanted) -> Quarantined:
    outcome, ports = quarantine.outcome, quarantine.ports
    try:
        plan = plan_quarantine(image, ports.storage.indexes(outcome.repository))
    except RefusedError as error:
        # Workloads may be interrupted, if the rule says so; other people's indexes may not.
        return _in_use((f"it could not be found out: {error}",), outcome)
    if plan.is_platform and not wanted.platforms:
        return _unchanged("it is one of the platforms, or an attestation, of an image index")
    if len(plan.indexes) > 1:
        names = ", ".join(f"{outcome.repository}:{index.tags[0]}" for index in plan.indexes[:_SHOWN])
        return Quarantined(
            changed=False,
            what=f"It was NOT quarantined, as {len(plan.indexes)} tagged indexes have it: {names}.",
            next_step="Push mended images under these tags.",
        )
    users = () if wanted.even_in_use else quarantine.users(plan.children, plan.digests, plan.tags)
    return _in_use(users, outcome) if users else quarantine.carry_out(plan)


def entry_of(outcome: Outcome, digest: str) -> str:
    """Give the id of the journal's entry about an image that an outcome asks to quarantine.

    The outcome's id is the same for each try, and another once there is something new to tell.
    """
    return change_id(event_id=outcome.id, repository=outcome.repository, setting=digest)


def is_archived_now(ports: QuarantinePorts, repository: str, image_digest: str) -> bool:
    """Tell whether an image is there and archived."""
    return any(image.is_archived for image in ports.storage.images(repository, [image_digest]))


class _Ended(Enum):
    """What became of one image."""

    OURS = auto()
    OF_OTHERS = auto()
    RESTORED = auto()
    GONE = auto()


@dataclass(frozen=True)
class _Quarantine:
    """One quarantine under way."""

    outcome: Outcome
    ports: QuarantinePorts

    @property
    def digest(self) -> str:
        return self.outcome.image_digest or ""

    def users(
        self, children: Sequence[str], digests: Sequence[str], tags: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Name the workloads that use any of what would be archived; children may have tags of their own."""
        stored = self.ports.storage.images(self.outcome.repository, children) if children else ()
        own = (tag for child in stored for tag in child.tags)
        every = tuple(dict.fromkeys((*tags, *own)))
        return self.ports.usage.who_uses(self.outcome.repository, digests, every)

    def go_on(self, wanted: Wanted) -> Quarantined:
        """Answer for an image that is archived already: our own doing, which is gone on with, or others'."""
        recorded = self.ports.journal.find(self._id(self.digest))
        if recorded is None:
            return _unchanged("it is archived already, and cannot be pulled")
        named = (recorded.change.after or {}).get(_CHILDREN)
        children = tuple(named) if isinstance(named, Mapping) else ()
        known = self.ports.journal.progress_of([self._id(child) for child in children])
        missing = tuple(child for child in children if known.get(self._id(child)) is not Progress.DONE)
        left = self._not_to_follow(missing, wanted) if missing else ()
        why = "by now they are needed or not to follow"
        return self._archive_all(tuple(child for child in children if child not in left), _left(left, why))

    def _not_to_follow(self, children: tuple[str, ...], wanted: Wanted) -> tuple[str, ...]:
        """Give the children that are to stay by now: it may be days since they were to follow."""
        if not wanted.quarantine:
            return children
        try:
            indexes = self.ports.storage.indexes(self.outcome.repository)
        except RefusedError:
            return children
        shared = shared_with(children, indexes)
        own = tuple(child for child in children if child not in shared)
        if own and not wanted.even_in_use and self.users(own, own):
            return children
        return shared

    def carry_out(self, plan: QuarantinePlan) -> Quarantined:
        """Archive what is planned."""
        left = _left(plan.shared, "another tagged index has them too")
        done = self._archive_all(plan.children, left)
        if done.changed and plan.indexes:
            tag = f"{self.outcome.repository}:{plan.indexes[0].tags[0]}"
            what = f"{done.what} It is a platform of {tag}, which cannot be pulled on that platform now."
            return Quarantined(done.changed, what, done.next_step, done.change_ids)
        return done

    def _archive_all(self, children: tuple[str, ...], left: str) -> Quarantined:
        digests = (self.digest, *children)
        # In this order: what another handling of the event does in between is then known to be ours.
        stored = {
            image.digest: image for image in self.ports.storage.images(self.outcome.repository, digests)
        }
        known = self.ports.journal.progress_of([self._id(digest) for digest in digests])
        match self._archive(self.digest, stored, known, children):
            case _Ended.GONE:
                return _unchanged("the image does not exist any more")
            case _Ended.OF_OTHERS:
                return _unchanged("it is archived already, and cannot be pulled")
            case _Ended.RESTORED:
                return _unchanged("it was quarantined before, and somebody has restored it since")
        entries, refused = [self._id(self.digest)], []
        for child in children:
            try:
                if self._archive(child, stored, known, ()) is _Ended.OURS:
                    entries.append(self._id(child))
            except RefusedError:
                refused.append(child)
        return _done(tuple(entries), left, refused)

    def _archive(
        self,
        digest: str,
        stored: Mapping[str, StoredImage],
        known: Mapping[str, Progress],
        children: tuple[str, ...],
    ) -> _Ended:
        """Archive one image, and say whose doing it is that it is archived."""
        image, entry = stored.get(digest), self._id(digest)
        progress = known.get(entry, Progress.NEW)
        if image is None:
            return _Ended.GONE
        if progress is Progress.DONE:
            # Looked at again: another handling may have archived it since it was looked at.
            is_archived = image.is_archived or is_archived_now(self.ports, self.outcome.repository, digest)
            return _Ended.OURS if is_archived else _Ended.RESTORED
        if image.is_archived and progress is Progress.NEW:
            return _Ended.OF_OTHERS
        if not image.is_archived:
            self.ports.journal.begin(self._change(digest, entry, children))
            try:
                self.ports.storage.archive(self.outcome.repository, digest)
            except ImageGoneError:
                self.ports.journal.cancel(entry)
                return _Ended.GONE
            except RefusedError:
                self.ports.journal.cancel(entry)
                raise
        self.ports.journal.finish(entry)
        return _Ended.OURS

    def _id(self, digest: str) -> str:
        return entry_of(self.outcome, digest)

    def _change(self, digest: str, entry: str, children: tuple[str, ...]) -> Change:
        outcome = self.outcome
        after: dict[str, object] = {"image_digest": digest, "storage_class": _ARCHIVE}
        if children:
            after[_CHILDREN] = {child: self._id(child) for child in children}
        return Change(
            id=entry,
            account=outcome.account,
            region=outcome.region,
            repository=outcome.repository,
            section=SCAN_GATE,
            before={"image_digest": digest, "storage_class": _STANDARD},
            after=after,
            event_id=outcome.event_id,
            # Only a rule asks for a quarantine.
            rule=outcome.rule or RuleReference("", 0, ()),
            begun_at=self.ports.now(),
        )


def _unchanged(why: str) -> Quarantined:
    return Quarantined(changed=False, what=f"Nothing was changed: {why}.")


def _left(children: Sequence[str], why: str) -> str:
    return f"Left alone, as {why}: {some(children, _SHOWN)}." if children else ""


def _done(entries: tuple[str, ...], left: str, refused: Sequence[str]) -> Quarantined:
    what = "It was quarantined: ECR archived it, so that it cannot be pulled under any tag or digest."
    if len(entries) > 1:
        what += f" So were {len(entries) - 1} images of its platforms."
    if left:
        what += f" {left}"
    if refused:
        what += f" ECR refused to archive these of its platforms: {some(refused, _SHOWN)}."
    # Of an index, that takes back its platforms' too.
    undo = (
        f"`ecr-warden undo {entries[0]}` takes it back, which takes ECR up to 20 minutes. "
        "Pushing the very same image again restores it too."
    )
    return Quarantined(changed=True, what=what, next_step=undo, change_ids=entries)


def _in_use(users: Sequence[str], outcome: Outcome) -> Quarantined:
    return Quarantined(
        changed=False,
        what=f"It was NOT quarantined, as {some(users, _SHOWN, '; ')}."
        if all(user.startswith(_NOT_FOUND_OUT) for user in users)
        else f"It was NOT quarantined, as it is in use: {some(users, _SHOWN, '; ')}.",
        next_step="Deploy a mended image there first, then archive this one: aws ecr "
        f"update-image-storage-class --repository-name {outcome.repository} "
        f"--image-id imageDigest={outcome.image_digest} --target-storage-class ARCHIVE",
        is_in_use=True,
    )
