"""NotifyFunction's batches: outcomes, wake-ups of channels, and who pushed what; each on its own."""

import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from ecr_warden.adapters.outcome_bus import outcome_as_json, read_outcome_event
from ecr_warden.adapters.push_parsing import parse_push
from ecr_warden.adapters.source_queue import QueueRecord, read_message
from ecr_warden.domain.policy import Policy
from ecr_warden.errors import PolicyError
from ecr_warden.use_cases.deliver import deliver
from ecr_warden.use_cases.record_push import record_push
from ecr_warden.use_cases.tell import TellPorts, Told, arm, reroute, take

logger = logging.getLogger(__name__)
# No message is begun later than this after a batch has come. The function has 90 s: one may take 50.
_TIME: Final = timedelta(seconds=40)
# Of a digest, this many outcomes go into one line of the log, which takes 256 KB.
_A_LINE: Final = 50
# Received so often, a message has waited for longer than functions of an older policy go on.
_SURE_OF_POLICY: Final = 2


class Teller:
    """Tells batches by one policy."""

    def __init__(self, policy: Policy, ports: TellPorts) -> None:
        self._policy = policy
        self._ports = ports
        self._channels = {channel.name: channel for channel in policy.channels}

    def tell_batch(self, records: Iterable[QueueRecord]) -> list[str]:
        """Handle each record, and tell what is due; give the ids of the messages that must come again."""
        until = self._ports.now() + _TIME
        failed: list[str] = []
        asked_by: dict[str, list[str]] = {}
        for record in records:
            # The edge of a batch record: whatever goes wrong with one leaves it in the queue, and in the
            # queue's dead letters at last, with the cause in the log.
            try:
                for name in self._channels_of(record):
                    asked_by.setdefault(name, []).append(record.message_id)
            except Exception:
                logger.exception("a message was not handled", extra={"message_id": record.message_id})
                failed.append(record.message_id)
        while asked_by:
            name, message_ids = next(iter(asked_by.items()))
            del asked_by[name]
            # Likewise: one channel's trouble is not another's.
            try:
                delivered = deliver(self._channels[name], policy=self._policy, ports=self._ports, until=until)
                if delivered.moved_to is not None:
                    asked_by.setdefault(delivered.moved_to, []).extend(message_ids)
                if delivered.next_at is not None:
                    arm(name, delivered.next_at, self._ports)
            except Exception:
                logger.exception("a channel was not told", extra={"channel": name})
                failed += message_ids
        return list(dict.fromkeys(failed))

    def _channels_of(self, record: QueueRecord) -> Iterable[str]:
        """Handle one record; give the channels to look at now."""
        body = read_message(record.body)
        if "wake" in body:
            return self._woken(str(body["wake"]), record.receive_count)
        if body.get("detail-type") == "AWS API Call via CloudTrail":
            woken = record_push(parse_push(body), identities=self._ports.identities)
            return [name for name in woken if name in self._channels]
        outcome = read_outcome_event(record.body)
        names = take(outcome, policy=self._policy, ports=self._ports, at_once=not record.receipt_handle)
        logger.info("an outcome was taken", extra=_said(outcome_as_json(outcome)))
        return names

    def _woken(self, name: str, receive_count: int) -> Iterable[str]:
        """Give the channel that is woken, or those to which the policy sends now what waits in it."""
        if name in self._channels:
            return [name]
        if receive_count < _SURE_OF_POLICY:
            # While a policy is deployed, functions of both are there: the next reader may know the channel.
            raise PolicyError(f"no channel is named {name}: the message comes again, for a newer policy")
        return reroute(name, policy=self._policy, ports=self._ports)


def log_told(told: Told) -> None:
    """Write what came of a message: a line, and for a digest, its outcomes in lines of their own.

    The link of a digest leads to these.
    """
    said = {
        "channel": told.channel,
        "outcome_ids": [outcome.id for outcome in told.outcomes[:_A_LINE]],
        "outcomes": len(told.outcomes),
        "digest": told.digest,
        "failed": told.why,
        "moved_to": told.moved_to,
    }
    if told.is_given_up:
        logger.error("an outcome was given up", extra=said)
    elif told.why is not None:
        logger.warning("a message was not told", extra=said)
    elif told.moved_to is not None:
        logger.warning("outcomes are told elsewhere", extra=said)
    else:
        logger.info("a message was told", extra=said)
    if told.digest is not None and told.why is None:
        for outcome in told.outcomes:
            listed = _said(outcome_as_json(outcome))
            logger.info("an outcome of a digest", extra=listed | {"digest": told.digest})


def _said(outcome: Mapping[str, object]) -> dict[str, object]:
    names = ("kind", "severity", "account", "region", "repository", "image_tag", "image_digest", "reason")
    return {name: outcome[name] for name in names} | {
        "outcome_id": outcome["id"],
        "event_id": outcome["event_id"],
    }
