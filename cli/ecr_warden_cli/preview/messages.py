"""Outcomes become the messages that a channel would send of them."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from ecr_warden.domain.console import logs_url
from ecr_warden.domain.digests import message_of
from ecr_warden.domain.gathering import MOST_TOGETHER, Parcel
from ecr_warden.domain.messages import Message
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.waiting import Waiting

# A stack's own has a name that CloudFormation gives.
_LOG_GROUP: Final = "/aws/lambda/ecr-warden-NotifyFunction"


class Gathered(Enum):
    """How outcomes are put into messages."""

    EACH = auto()
    TOGETHER = auto()
    DIGEST = auto()


def messages(outcomes: Sequence[Outcome], gathered: Gathered) -> tuple[Message, ...]:
    """Give the messages to people; a machine gets each outcome by itself, as with ``EACH``.

    Of more outcomes than are told together there is a digest, here as elsewhere.
    """
    if gathered is Gathered.EACH:
        return tuple(Message((outcome,)) for outcome in outcomes)
    waiting = tuple(Waiting(outcome, outcome.event_time, outcome.event_time) for outcome in outcomes)
    is_digest = gathered is Gathered.DIGEST or len(outcomes) > MOST_TOGETHER
    first = outcomes[0]
    link = logs_url(first.region, _LOG_GROUP, f"digest {first.id}", first.event_time)
    return (message_of(Parcel(waiting, is_digest=is_digest), {}, link),)
