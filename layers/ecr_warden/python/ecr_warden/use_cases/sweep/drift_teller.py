"""People are told of what a sweep found in repositories, many at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from ecr_warden.domain.outcomes import Outcome, outcome_id
from ecr_warden.domain.sweep.outcomes import drift_outcome
from ecr_warden.domain.sweep.visits import Repair, Visit
from ecr_warden.ports import OutcomePorts

# As many as EventBridge takes in one call.
_TOLD_AT_ONCE: Final = 10


@dataclass
class DriftTeller:
    """Publishes outcomes, as many at once as may be; what waits is told by ``finish``."""

    ports: OutcomePorts
    run: str
    now: datetime
    _waiting: list[Outcome] = field(default_factory=list)

    def tell(self, visit: Visit, repairs: Sequence[Repair], *, is_unfinished: bool = False) -> None:
        """Tell of a repository, if there is anything to tell.

        Raises
        ------
        AwsError
            Where it, or what waited with it, could not be published.

        """
        if is_unfinished:
            # Of what is left the next try tells: here it would be taken for a rule in audit mode.
            left = tuple(one for one in visit.judgements if not one.is_to_apply)
            visit = replace(visit, judgements=left)
        outcome = drift_outcome(visit, repairs, run=self.run, event_time=self.now)
        if outcome is None:
            return
        self._waiting.append(_so_far(outcome, visit.problem) if is_unfinished else outcome)
        for setting in outcome.settings:
            self.ports.metrics.count("Drift", section=setting.section, status=setting.status.value)
        if len(self._waiting) >= _TOLD_AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Tell what waits; errors are as those of ``tell``."""
        if self._waiting:
            self.ports.publisher.publish_all(self._waiting)
            self._waiting.clear()


def _so_far(outcome: Outcome, why: str) -> Outcome:
    """Give the outcome of a repository that is not done to its end: what the next try tells is another."""
    about = ("so far", outcome.reason, *sorted(outcome.change_ids))
    return replace(
        outcome,
        id=outcome_id(outcome.kind, event_id=outcome.event_id, repository=outcome.repository, about=about),
        reason=f"{outcome.reason} That is not all: {why}.",
    )
