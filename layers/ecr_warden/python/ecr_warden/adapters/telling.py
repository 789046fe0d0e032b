"""A batch of outcomes from the queue is told, each on its own: one that fails keeps none of the others."""

import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Final

from ecr_warden.adapters.outcome_bus import read_outcome_event
from ecr_warden.adapters.source_queue import QueueRecord, SourceQueue
from ecr_warden.domain.policy import Policy
from ecr_warden.use_cases.tell import Outages, TellPorts, Told, tell

logger = logging.getLogger(__name__)
_WIDEST_SPREAD: Final = 1800


def spread_over(receive_count: int) -> int:
    """Give seconds by chance, in a span that doubles with each try.

    All messages of a burst are told to wait as long; without this they would come back together, and use up
    their tries against a channel that takes one a second.
    """
    return secrets.randbelow(min(2**receive_count, _WIDEST_SPREAD))


class Teller:
    """Tells batches by one policy."""

    def __init__(
        self,
        policy: Policy,
        ports: TellPorts,
        queue: SourceQueue,
        spread: Callable[[int], int] = spread_over,
    ) -> None:
        self._spread = spread
        self._policy = policy
        self._ports = ports
        self._queue = queue

    def tell_batch(self, records: Iterable[QueueRecord]) -> list[str]:
        """Tell each record's outcome; give the ids of the messages that must come again."""
        outages = Outages()
        return [record.message_id for record in records if not self._was_told(record, outages)]

    def _was_told(self, record: QueueRecord, outages: Outages) -> bool:
        # The edge of a batch record: whatever goes wrong with one leaves it in the queue, and the queue's
        # dead letters at last, with the cause in the log.
        try:
            outcome = read_outcome_event(record.body)
            told = tell(outcome, policy=self._policy, ports=self._ports, outages=outages)
            if told.retry_after is not None:
                self._queue.retry_in(record, told.retry_after + self._spread(record.receive_count))
        except Exception:
            logger.exception("an outcome was not told", extra={"message_id": record.message_id})
            return False
        _log(outcome.id, outcome.event_id, told)
        return not told.failed


def _log(outcome_id: str, event_id: str, told: Told) -> None:
    said = {
        "outcome_id": outcome_id,
        "event_id": event_id,
        "told": told.told,
        "told_before": told.before,
        "failed": {name: str(error) for name, error in told.failed.items()},
    }
    logger.log(logging.WARNING if told.failed else logging.INFO, "outcome handled", extra=said)
