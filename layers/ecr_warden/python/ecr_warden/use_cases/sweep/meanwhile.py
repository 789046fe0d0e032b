"""Whether what was planned is still as it was: somebody may have changed it in between."""

import json
from collections.abc import Mapping
from threading import Lock
from typing import Final

from ecr_warden.domain.policy import Mode
from ecr_warden.domain.settings.plans import Put
from ecr_warden.domain.sweep.judgements import TAGS, Judgement, Standing
from ecr_warden.domain.sweep.visits import Repair, RepairStatus, Visit

MEANWHILE: Final = "it was changed since it was planned, so that it was left alone: plan again"
NOT_ASKED: Final = "the policy does not ask to change it any more: plan again"
OTHERWISE: Final = "the policy asks for something else by now, so that it was left alone: plan again"


class Documents:
    """What the registry's documents may be for them to be changed: as planned, or as this run left them."""

    def __init__(self, *, may_move: bool) -> None:
        self._may_move = may_move
        self._lock = Lock()
        self._left: set[str] = set()

    def why_left(self, judgement: Judgement, now: Put) -> str | None:
        """Say why a document is left alone; ``None`` where it is about to be changed as planned."""
        before, after = _text(now.before), _text(now.after)
        with self._lock:
            is_ours = self._may_move or before in self._left
            if not is_ours and before != _text(judgement.before):
                return MEANWHILE
            # On what this run wrote, it is to come to more than was planned.
            if not is_ours and after != _text(judgement.after):
                return OTHERWISE
            self._left.add(after)
        return None


class StandingNow:
    """How a repository is by now."""

    def __init__(self, visit: Visit) -> None:
        self._by_key = {_key(one): one for one in visit.judgements}
        self._by_subject = {_subject(one): one for one in visit.judgements}

    def same_as(self, judgement: Judgement) -> Judgement | None:
        """Find what was judged before, if it is still to be changed in the same way."""
        found = self._by_key.get(_key(judgement))
        return found if found is not None and found.is_to_apply else None

    def otherwise(self, judgement: Judgement) -> Repair:
        """Say why something is not changed that was to be."""
        now = self._by_subject.get(_subject(judgement))
        if now is None and not self._is_asked(judgement):
            return Repair(judgement, RepairStatus.SKIPPED, NOT_ASKED)
        if now is None or now.standing is Standing.COMPLIANT:
            what = f"{judgement.section} is as the policy wants it by now"
            return Repair(judgement, RepairStatus.ALREADY, what)
        match now.standing:
            case Standing.KEPT | Standing.EXEMPT:
                return Repair(judgement, RepairStatus.KEPT, now.what)
            case Standing.UNREAD:
                return Repair(judgement, RepairStatus.FAILED, now.what)
        return Repair(judgement, RepairStatus.SKIPPED, _why_skipped(judgement, now))

    def _is_asked(self, judgement: Judgement) -> bool:
        """Tell whether the policy says anything of it; a tag that is well has no judgement of its own."""
        return judgement.section == TAGS and any(one.section == TAGS for one in self._by_subject.values())


def _why_skipped(judgement: Judgement, now: Judgement) -> str:
    """Tell what somebody changed from what the policy does not ask for any more."""
    if now.standing is Standing.VIOLATION:
        return f"a person must act by now: {now.what}"
    if now.mode is Mode.AUDIT:
        return NOT_ASKED
    return OTHERWISE if _text(now.before) == _text(judgement.before) else MEANWHILE


def _key(judgement: Judgement) -> tuple[str, ...]:
    return (*_subject(judgement), _text(judgement.before), _text(judgement.after))


def _subject(judgement: Judgement) -> tuple[str, ...]:
    return (judgement.setting, judgement.image_digest or "", judgement.image_tag or "")


def _text(value: Mapping[str, object] | None) -> str:
    return json.dumps(value, sort_keys=True)
