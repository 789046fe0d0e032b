"""An outcome that waits to be told in a channel."""

from dataclasses import dataclass
from datetime import datetime

from ecr_warden.domain.outcomes import Outcome


@dataclass(frozen=True)
class Waiting:
    """An outcome that waits to be told in a channel.

    Attributes
    ----------
    since
        When it came to wait.
    due
        When it is told, at the latest.
    due_identified
        When it is told if CloudTrail has said who pushed by then; ``None`` where that is not waited for.
    is_held
        Whether a digest or quiet hours hold it: what is held until the same time is one message.
    instead_of
        The channel that should have told it, and why it could not.

    """

    outcome: Outcome
    since: datetime
    due: datetime
    is_held: bool = False
    instead_of: str | None = None
    due_identified: datetime | None = None
