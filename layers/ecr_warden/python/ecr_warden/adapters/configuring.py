"""A batch of CloudTrail events from the queue: each repository is configured on its own."""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ecr_warden.adapters.eventbridge import parse_repository_creation
from ecr_warden.adapters.source_queue import QueueRecord, SourceQueue, batch_response
from ecr_warden.domain.events import RepositoryCreation
from ecr_warden.domain.policy import Policy
from ecr_warden.errors import MalformedEventError
from ecr_warden.use_cases.configure_repository import ConfigurationPorts, Configured, configure_repository

logger = logging.getLogger(__name__)
_FIRST_WAIT: Final = 5
_LONGEST_WAIT: Final = 60


@dataclass
class BatchAnswer:
    """What a batch came to: messages that stay in the queue, decisions, and what failed."""

    failed: list[str] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)

    def as_response(self) -> dict[str, Any]:
        """Give what Lambda reads (the messages that stay), and what ``replay`` shows."""
        return {**batch_response(self.failed), "decisions": self.decisions, "failures": self.failures}


def wait_before(receive_count: int) -> int:
    """Give the seconds before the next try, doubling with each.

    All messages are of one group, so that the repositories behind this one wait as long.
    """
    return min(_FIRST_WAIT << min(receive_count - 1, 10), _LONGEST_WAIT)


class Configurer:
    """Configures batches of new repositories by one policy."""

    def __init__(
        self, policy: Policy, ports: Callable[[RepositoryCreation], ConfigurationPorts], queue: SourceQueue
    ) -> None:
        self._policy = policy
        self._ports = ports
        self._queue = queue

    def configure_batch(self, records: Iterable[QueueRecord]) -> BatchAnswer:
        """Configure each record's repository; what failed stays in the queue."""
        answer = BatchAnswer()
        for record in records:
            # The edge of a batch record: whatever goes wrong with one leaves it in the queue, and in the
            # queue's dead letters at last, with the cause in the log.
            try:
                self._configure(record, answer)
            except Exception as error:
                logger.exception("a repository was not configured", extra={"message_id": record.message_id})
                answer.failures.append({"type": type(error).__name__, "message": str(error)})
                self._leave(record, answer, is_hopeless=isinstance(error, MalformedEventError))
        return answer

    def _configure(self, record: QueueRecord, answer: BatchAnswer) -> None:
        creation = parse_repository_creation(_parsed(record.body))
        configured = configure_repository(
            creation,
            policy=self._policy,
            ports=self._ports(creation),
            delivery=record.receive_count,
        )
        answer.decisions.append(_said(creation, configured))
        if configured.failures:
            message = "; ".join(configured.failures)
            answer.failures.append({"type": "IncompleteError", "message": message})
            self._leave(record, answer, is_hopeless=not configured.may_heal)

    def _leave(self, record: QueueRecord, answer: BatchAnswer, *, is_hopeless: bool = False) -> None:
        """Leave a message in the queue.

        What does not heal by itself is tried at once, and soon set aside: all others wait behind it.
        """
        answer.failed.append(record.message_id)
        if not record.receipt_handle:
            # It came from no queue.
            return
        try:
            self._queue.retry_in(record, 0 if is_hopeless else wait_before(record.receive_count))
        except Exception:
            # It comes back all the same, when the queue's visibility timeout is over.
            logger.exception("a message's wait was not set", extra={"message_id": record.message_id})


def _parsed(body: str) -> object:
    try:
        return json.loads(body)
    except ValueError as error:
        raise MalformedEventError("body", f"not JSON: {error}") from error


def _said(creation: RepositoryCreation, configured: Configured) -> dict[str, Any]:
    said = {
        "decision": configured.decision,
        "reason": configured.reason,
        "outcome_id": configured.outcome and configured.outcome.id,
        "event_id": creation.event_id,
        "repository": creation.repository_name,
    }
    level = logging.WARNING if configured.failures else logging.INFO
    logger.log(level, "repository creation handled", extra=said | {"failed": configured.failures})
    return said
