"""Whether what a message told of is settled by what happened since."""

from collections.abc import Iterable, Sequence

from ecr_warden.domain.messages import story_of
from ecr_warden.domain.outcomes import Outcome, OutcomeKind

# What each kind is settled by. A tag that broke the policy did, whatever is pushed later.
_SETTLED_BY = {
    OutcomeKind.IMAGE_VULNERABLE: OutcomeKind.IMAGE_RECOVERED,
    OutcomeKind.SCAN_FAILED: OutcomeKind.IMAGE_RECOVERED,
    OutcomeKind.IMAGE_NOT_SCANNED: OutcomeKind.IMAGE_RECOVERED,
    OutcomeKind.REPOSITORY_INCOMPLETE: OutcomeKind.REPOSITORY_CONFIGURED,
}
# In audit mode a repository that differs from the policy goes on to differ.
_NOT_DONE = "would_configure"


def settled(told: Sequence[Outcome], since: Iterable[Outcome]) -> frozenset[str]:
    """Give the ids of those outcomes that the last word on their image or repository settles.

    ``told`` and ``since`` may be in any order: when they happened counts, not when they were told.
    """
    happened = sorted((*told, *since), key=lambda outcome: outcome.event_time)
    return frozenset(outcome.id for outcome in told if _is_settled(outcome, happened))


def _is_settled(outcome: Outcome, happened: Sequence[Outcome]) -> bool:
    end = _SETTLED_BY.get(outcome.kind)
    if end is None:
        return False
    # Of an image that failed to be scanned and then failed its gate, the later one is the last word.
    matters = {end, *(kind for kind, its_end in _SETTLED_BY.items() if its_end is end)}
    words = [one for one in happened if one.kind in matters and story_of(one) == story_of(outcome)]
    return words[-1].kind is end and words[-1].decision != _NOT_DONE
