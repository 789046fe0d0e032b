"""What came of one repository of a batch."""

from dataclasses import dataclass, field, replace

from ecr_warden.domain.sweep.judgements import Judgement
from ecr_warden.domain.sweep.rows import RepositoryRow
from ecr_warden.domain.sweep.visits import Repair, Visit


@dataclass
class Swept:
    """What came of one repository.

    Attributes
    ----------
    listed
        Its row as it was listed, for what that says of the images; ``None`` where it could not be looked at.
    is_unfinished
        Whether there is more to do about it, why the visit's problem says.
    error
        Why its batch ends with it, if it does.

    """

    visit: Visit
    documents: tuple[Judgement, ...] = ()
    listed: RepositoryRow | None = None
    repairs: list[Repair] = field(default_factory=list)
    is_unfinished: bool = False
    error: Exception | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether nothing was done about it, so that it is as if it had not been begun."""
        return self.is_unfinished and not self.repairs

    def leave(self, why: Exception) -> None:
        """Leave it half-way."""
        self.visit = replace(self.visit, problem=str(why).rstrip("."))
        self.is_unfinished = True
