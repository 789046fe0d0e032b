"""An image is made one that cannot be pulled, unless a workload uses it: safe to repeat and to interrupt.

Each image has its own entry in the journal, written before it is archived and closed after. A quarantine that
comes again does what is missing, and leaves alone what somebody has restored since.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from ecr_warden.domain.image_quarantine import QuarantinePlan, plan_quarantine
from ecr_warden.domain.images import Change, StoredImage
from ecr_warden.domain.outcomes import Outcome, change_id
from ecr_warden.domain.policy import RuleReference
from ecr_warden.errors import ImageGoneError, RefusedError
from ecr_warden.ports import ImageStorage, Journal, Progress, Usage

_USERS_SHOWN: Final = 5
_STANDARD: Final = "STANDARD"
_ARCHIVE: Final = "ARCHIVE"
_CHILDREN: Final = "children"


class QuarantinePorts(Protocol):
    """What a quarantine needs."""

    @property
    def storage(self) -> ImageStorage:
        """The storage classes of the registry's images."""

    @property
    def journal(self) -> Journal:
        """The record of changes."""

    @property
    def usage(self) -> Usage:
        """Who runs an image."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock, in UTC."""


@dataclass(frozen=True)
class Quarantined:
    """What came of it: sentences for people, and the journal's entries. ``is_in_use``: nothing was done."""

    changed: bool
    what: str
    next_step: str = ""
    change_ids: tuple[str, ...] = ()
    is_in_use: bool = False


def quarantine_image(
    outcome: Outcome, rule: RuleReference, ports: QuarantinePorts, *, even_in_use: bool
) -> Quarantined:
    """Archive the image that an outcome is about, and of an index the children that no other one shares.

    Raises
    ------
    AwsError, RepositoryGoneError
        Where AWS did not answer well; nothing is lost, and it can be tried again.

    """
    digest = outcome.image_digest or ""
    found = ports.storage.images(outcome.repository, [digest])
    if not found:
        return Quarantined(changed=False, what="Nothing was done: the image does not exist any more.")
    quarantine = _Quarantine(outcome, rule, ports)
    if found[0].is_archived:
        return quarantine.of_archived(digest)
    try:
        plan = plan_quarantine(found[0], ports.storage.indexes(outcome.repository))
    except RefusedError as error:
        if not even_in_use:
            return _in_use((f"it could not be found out: {error}",), outcome)
        plan = plan_quarantine(found[0], ())
    users = () if even_in_use else ports.usage.who_uses(outcome.repository, plan.digests, plan.tags)
    return _in_use(users, outcome) if users else quarantine.carry_out(plan)


@dataclass(frozen=True)
class _Quarantine:
    """One quarantine under way."""

    outcome: Outcome
    rule: RuleReference
    ports: QuarantinePorts

    def of_archived(self, digest: str) -> Quarantined:
        """Answer for an image that is archived already: our own doing, or somebody else's."""
        entry = self._id(digest)
        recorded = self.ports.journal.find(entry)
        if recorded is None:
            return Quarantined(
                changed=False, what="Nothing was changed: it is archived already and cannot be pulled."
            )
        if not recorded.is_done:
            self.ports.journal.finish(entry)
        # An archived index cannot be read; its entry says which of its children were archived before it.
        children = (recorded.change.after or {}).get(_CHILDREN)
        entries = [self._id(str(child)) for child in (children if isinstance(children, list | tuple) else ())]
        known = self.ports.journal.progress_of(entries) if entries else {}
        return _done((*(one for one in entries if one in known), entry), (), ())

    def carry_out(self, plan: QuarantinePlan) -> Quarantined:
        entries = [self._id(digest) for digest in plan.archive]
        known = self.ports.journal.progress_of(entries)
        stored = {image.digest: image for image in self.ports.storage.images(self._repository, plan.archive)}
        changed, refused = [], {}
        for digest, entry in zip(plan.archive, entries, strict=True):
            try:
                if self._archive(stored.get(digest), entry, known, plan):
                    changed.append(entry)
            except RefusedError as error:
                refused[digest] = str(error)
        if self.outcome.image_digest in refused:
            return _refused(refused[self.outcome.image_digest or ""], tuple(changed))
        return _done(tuple(changed), plan.shared, tuple(refused))

    def _archive(
        self,
        image: StoredImage | None,
        entry: str,
        known: Mapping[str, Progress],
        plan: QuarantinePlan,
    ) -> bool:
        """Archive one image; tell whether it is ours, now or since an earlier try."""
        progress = known.get(entry, Progress.NEW)
        if progress is Progress.DONE:
            return True
        if image is None or (image.is_archived and progress is Progress.NEW):
            return False
        if not image.is_archived:
            self.ports.journal.begin(self._change(image.digest, entry, plan))
            try:
                self.ports.storage.archive(self._repository, image.digest)
            except (RefusedError, ImageGoneError) as error:
                self.ports.journal.cancel(entry)
                if isinstance(error, ImageGoneError):
                    return False
                raise
        self.ports.journal.finish(entry)
        return True

    @property
    def _repository(self) -> str:
        return self.outcome.repository

    def _id(self, digest: str) -> str:
        # The outcome's id is the same for each try, and another once there is something new to tell.
        return change_id(event_id=self.outcome.id, repository=self._repository, setting=digest)

    def _change(self, digest: str, entry: str, plan: QuarantinePlan) -> Change:
        children = plan.archive[:-1] if digest == self.outcome.image_digest else ()
        return Change(
            id=entry,
            account=self.outcome.account,
            region=self.outcome.region,
            repository=self._repository,
            section="scan_gate",
            before={"image_digest": digest, "storage_class": _STANDARD},
            after={"image_digest": digest, "storage_class": _ARCHIVE}
            | ({_CHILDREN: list(children)} if children else {}),
            event_id=self.outcome.event_id,
            rule=self.rule,
            begun_at=self.ports.now(),
        )


def _done(entries: tuple[str, ...], shared: Sequence[str], refused: Sequence[str]) -> Quarantined:
    what = "It was quarantined: ECR archived it, so that it cannot be pulled under any tag or digest."
    if len(entries) > 1:
        what += f" So it did with {len(entries) - 1} images of its platforms."
    if shared:
        what += f" Left alone, as another tagged index has them too: {', '.join(shared)}."
    if refused:
        what += f" ECR refused to archive these of its platforms: {', '.join(refused)}."
    undo = (
        f"`ecr-warden undo {' '.join(entries)}` takes it back, which takes ECR up to 20 minutes. "
        "Pushing the very same image again restores it too."
    )
    return Quarantined(changed=True, what=what, next_step=undo, change_ids=entries)


def _refused(why: str, entries: tuple[str, ...]) -> Quarantined:
    platforms = f" {len(entries)} images of its platforms were archived." if entries else ""
    return Quarantined(
        changed=bool(entries),
        what=f"It was not quarantined, as ECR refused it: {why.rstrip('.')}.{platforms}",
        next_step="Keep it from being deployed by other means.",
        change_ids=entries,
    )


def _in_use(users: Sequence[str], outcome: Outcome) -> Quarantined:
    shown = "; ".join(users[:_USERS_SHOWN])
    more = f"; and {len(users) - _USERS_SHOWN} more" if len(users) > _USERS_SHOWN else ""
    return Quarantined(
        changed=False,
        what=f"It was NOT quarantined, as it is or may be in use: {shown}{more}.",
        next_step="Deploy a mended image there first, then archive this one: aws ecr "
        f"update-image-storage-class --repository-name {outcome.repository} "
        f"--image-id imageDigest={outcome.image_digest} --target-storage-class ARCHIVE",
        is_in_use=True,
    )
