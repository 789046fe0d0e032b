"""Many outcomes become one message."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from ecr_warden.domain.gathering import Parcel
from ecr_warden.domain.messages import Digest, Message, Traits
from ecr_warden.domain.notices import title
from ecr_warden.domain.outcomes import Outcome

# So many of a digest are told in full.
_SHOWN: Final = 5


def message_of(parcel: Parcel, identified: Mapping[str, str], link: str) -> Message:
    """Put outcomes into one message.

    Parameters
    ----------
    identified
        Who pushed, by outcome id.
    link
        Where the outcomes of a digest are listed.

    """
    outcomes = [
        replace(one.outcome, pushed_by=identified.get(one.outcome.id, one.outcome.pushed_by))
        for one in parcel.waiting
    ]
    # The sort keeps the order in which they came within a severity.
    worst_first = tuple(sorted(outcomes, key=lambda outcome: outcome.severity.rank))
    instead_of = parcel.waiting[0].instead_of
    if not parcel.is_digest:
        return Message(worst_first, instead_of=instead_of)
    return Message(worst_first[:_SHOWN], digest=_digest(worst_first, link), instead_of=instead_of)


def _digest(worst_first: Sequence[Outcome], link: str) -> Digest:
    times = [outcome.event_time for outcome in worst_first]
    counts = Counter(map(title, worst_first))
    return Digest(
        counts=tuple(counts.most_common()),
        total=len(worst_first),
        first=min(times),
        last=max(times),
        severity=worst_first[0].severity,
        link=link,
        traits=Traits.of(worst_first),
    )
