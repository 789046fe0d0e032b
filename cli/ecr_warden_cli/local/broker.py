"""What EventBridge, Lambda and SQS do between a rule and a function, which moto does not.

Simulated: a rule's pattern and state; its targets (functions and queues), and the target's
dead-letter queue where one cannot be reached; Lambda's asynchronous retries and dead-letter queue; who
reads a queue, until nothing is left in it. Waiting is not simulated: retries follow at once, and time jumps
to when the next message comes.
"""

import json
import logging
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Final
from unittest.mock import patch

from moto.core.exceptions import JsonRESTError, ServiceException
from moto.events.models import EventBus, Rule, events_backends
from moto.sqs.models import Message

from ecr_warden_cli.local.clock import Clock
from ecr_warden_cli.local.errors import LocalAwsError
from ecr_warden_cli.local.functions import LocalFunction
from ecr_warden_cli.local.patterns import is_enabled, matches
from ecr_warden_cli.local.queues import (
    Queues,
    comes_next,
    named_by_cloudformation,
    receive,
    record_of,
    settle,
)
from ecr_warden_cli.local.stack import LocalStack, QueueReader

logger = logging.getLogger(__name__)
Event = dict[str, Any]
_MOST_ROUNDS: Final = 10_000
# Longer than what is held for a day, and than the retries of what a channel does not take.
_LONGEST: Final = timedelta(days=8)
# SQS counts in seconds: what was sent within one comes together.
_TOGETHER: Final = 1.0


@dataclass(frozen=True)
class Invocation:
    """A function and the event that it got, and how it ended: ``error`` is that of the last try.

    ``failed`` are the ids of the messages that stayed in a queue.
    """

    function: str
    event: Event
    answer: Any = None
    error: Exception | None = None
    failed: frozenset[str] = frozenset()

    def event_ids(self) -> set[object]:
        """Give the ids of the events that the function got, one by one or as a batch of messages."""
        if not (records := self._records()):
            return {self.event.get("id")}
        return {body["id"] for body in map(_body, records) if "id" in body}

    def message_ids(self) -> set[str]:
        """Give the ids of the messages that the function got."""
        return {record["messageId"] for record in self._records()}

    def decisions(self) -> list[dict[str, Any]]:
        """Give what the function decided; one that reads a queue answers a list of it, or nothing."""
        if not isinstance(self.answer, dict):
            return []
        return self.answer.get("decisions", []) if self._records() else [self.answer]

    def _records(self) -> list[dict[str, Any]]:
        return [record for record in self.event.get("Records", []) if "messageId" in record]


@dataclass
class Trace:
    """What happened since somebody began to look.

    ``sent`` are the events that no function caused; ``repeated`` the ids of those that a queue had already.
    """

    invocations: list[Invocation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    sent: list[Event] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)


class Broker:
    """Carries events to the functions of every stack, in the time of ``clock``."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._stacks: dict[tuple[str, str], LocalStack] = {}
        self._waiting: deque[tuple[LocalStack, LocalFunction, Event]] = deque()
        self._queues = Queues(self.clock)
        self._is_draining = False
        self._calling = Lock()
        self.trace = Trace()

    def add(self, stack: LocalStack) -> None:
        """Let a stack's functions react from now on."""
        self._stacks[stack.account, stack.region] = stack

    def emit(  # noqa: PLR0913  # what an event has
        self,
        account: str,
        region: str,
        detail_type: str,
        detail: dict[str, Any],
        /,
        *,
        source: str = "aws.ecr",
        resources: Sequence[str] = (),
        time: datetime | None = None,
    ) -> None:
        """Send an event of ECR's own, or of another service, to the default bus."""
        self.put(
            {
                "version": "0",
                "id": str(uuid.uuid4()),
                "detail-type": detail_type,
                "source": source,
                "account": account,
                "time": (time or self.clock.now()).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": region,
                "resources": list(resources),
                "detail": detail,
            }
        )

    def put(self, event: Event, bus: str = "default", to: LocalStack | None = None) -> None:
        """Send an event, as it is, through the rules of a bus of its account and Region, or of a stack's.

        A rule of another account or Region forwards an event so.
        """
        self._note(event)
        account, region = (event["account"], event["region"]) if to is None else (to.account, to.region)
        backend = events_backends[account][region]
        for rule in list(backend.describe_event_bus(bus).rules.values()):
            self._through(rule, event)

    def _note(self, event: Event) -> None:
        self.trace.events.append(event)
        if not self._is_draining:
            self.trace.sent.append(event)

    def _through(self, rule: Rule, event: Event) -> None:
        if not is_enabled(rule.state, event) or not matches(rule.event_pattern.get_pattern(), event):
            return
        for target in rule.targets:
            try:
                self._to_target(rule, target, event)
            except (JsonRESTError, ServiceException, LocalAwsError) as error:
                self._set_aside(rule, target, event, error)

    def _to_target(self, rule: Rule, target: dict[str, Any], event: Event) -> None:
        stack = self._stacks.get((rule.account_id, rule.region_name))
        if stack is None:
            raise LocalAwsError(f"{rule.name}: no stack of the product is in {rule.region_name}")
        match target["Arn"].split(":")[2]:
            case "lambda":
                self._waiting.append((stack, stack.function_of(target["Arn"]), event))
            case "sqs":
                group = target.get("SqsParameters", {}).get("MessageGroupId")
                if not self._queues.send(stack, target["Arn"], json.dumps(event), group=group):
                    self.trace.repeated.append(str(event.get("id")))
            case service:
                raise LocalAwsError(f"{rule.name}: a target of {service} is not simulated")

    def _set_aside(self, rule: Rule, target: dict[str, Any], event: Event, error: Exception) -> None:
        """Put what could not be delivered in the target's dead-letter queue, as EventBridge does."""
        queue = target.get("DeadLetterConfig", {}).get("Arn")
        self.trace.undelivered.append(f"{rule.name}: {error}")
        stack = self._stacks.get((rule.account_id, rule.region_name))
        if queue is not None and stack is not None:
            attributes = {"RULE_ARN": rule.arn, "ERROR_MESSAGE": str(error)}
            self._queues.send(stack, queue, json.dumps(event), attributes=attributes)

    def call(self, account: str, region: str, name: str, event: Event) -> Invocation:
        """Run a function as a state machine does, that waits for its answer; one at a time."""
        stack = self._stacks.get((account, region))
        if stack is None:
            raise LocalAwsError(f"{name}: no stack of the product is in {region}")
        # A function runs in this process's environment, which there is one of.
        with self._calling:
            # What it sends is what came of the call.
            before, self._is_draining = self._is_draining, True
            try:
                tried = self._try(stack.function_of(name), event)
            finally:
                self._is_draining = before
            self.trace.invocations.append(tried)
        return tried

    def drain(self) -> None:
        """Run functions until no event and no message is left, or raise ``LocalAwsError`` if some always is.

        A message that is to come later is not waited for: the clock jumps to it once there is no other.
        """
        self._is_draining = True
        try:
            self._drain()
        finally:
            self._is_draining = False

    def _drain(self) -> None:
        latest = self.clock.ahead + _LONGEST.total_seconds()
        for _ in range(_MOST_ROUNDS):
            if not self._invoke_next() and not self._read_next() and not self._jump():
                return
            if self.clock.ahead > latest:
                raise LocalAwsError(
                    f"the functions go on waking themselves: nothing ends in {_LONGEST.days} days"
                )
        raise LocalAwsError("the functions go on causing events of their own without end")

    def _read_next(self) -> bool:
        return any(self._read(stack, reader) for stack, reader in self._readers())

    def _readers(self) -> list[tuple[LocalStack, QueueReader]]:
        return [(stack, reader) for stack in list(self._stacks.values()) for reader in stack.readers]

    def _jump(self) -> bool:
        """Let it be the time of the message that comes next; tell whether there is any."""
        times = [comes_next(stack, reader, self.clock.seconds()) for stack, reader in self._readers()]
        known = [time for time in times if time is not None]
        if known:
            self.clock.jump_to(min(known) + _TOGETHER)
        return bool(known)

    def _invoke_next(self) -> bool:
        if not self._waiting:
            return False
        stack, function, event = self._waiting.popleft()
        tried = Invocation(function.name, event)
        for _ in range(1 + function.retries):
            tried = self._try(function, event)
            if tried.error is None:
                break
        if tried.error is not None and function.dead_letters is not None:
            attributes = {"ErrorMessage": str(tried.error)[:1024]}
            self._queues.send(stack, function.dead_letters, json.dumps(event), attributes=attributes)
        self.trace.invocations.append(tried)
        return True

    def _read(self, stack: LocalStack, reader: QueueReader) -> bool:
        """Give a reader one batch; tell whether there was any."""
        with self._watching_dead_letters(stack, reader):
            # SQS sets a message aside when it is received once too often.
            messages = receive(stack, reader)
        if not messages:
            return False
        with self._watching_dead_letters(stack, reader):
            self._give(stack, reader, messages)
        return True

    @contextmanager
    def _watching_dead_letters(self, stack: LocalStack, reader: QueueReader) -> Iterator[None]:
        """Note that a message went to the dead letters of a queue, with what its function complained of."""
        letters = stack.waiting(reader.dead_letters) if reader.dead_letters else 0
        yield
        if reader.dead_letters and stack.waiting(reader.dead_letters) > letters:
            function = stack.functions[reader.function]
            why = "; ".join(function.complaints)
            self.trace.undelivered.append(f"a message went to {reader.dead_letters}: {function.name}: {why}")

    def _give(self, stack: LocalStack, reader: QueueReader, messages: list[Message]) -> None:
        """Give a reader a batch; keep in the queue what it could not do."""
        function = stack.functions[reader.function]
        tried = self._try(function, {"Records": [record_of(stack, reader, message) for message in messages]})
        if tried.error is None:
            failed = {item["itemIdentifier"] for item in (tried.answer or {}).get("batchItemFailures", [])}
        else:
            # The whole batch comes again.
            failed = {message.id for message in messages}
        self.trace.invocations.append(replace(tried, failed=frozenset(failed)))
        settle(stack, reader, messages, failed)

    def _try(self, function: LocalFunction, event: Event) -> Invocation:
        # Lambda's own edge: whatever a handler raises is an error of the invocation.
        try:
            return Invocation(function.name, event, answer=function.invoke(event, self.clock))
        except Exception as error:
            logger.info("%s failed: %s", function.name, error, exc_info=error)
            return Invocation(function.name, event, error=error)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take over from moto what it does with rules, and its queues' time, while the context lasts."""

        def send_to_targets(rule: Rule, event: Event, *_: object, **__: object) -> None:
            sent = {**event, "account": rule.account_id, "time": _iso(event["time"])}
            sent.pop("ingestion-time", None)
            # moto calls this once for each rule of the bus.
            if all(known["id"] != sent["id"] for known in self.trace.events[-10:]):
                self._note(sent)
            self._through(rule, sent)

        with (
            patch.object(Rule, "send_to_targets", send_to_targets),
            # moto's buses have no name that CloudFormation could refer to.
            patch.object(EventBus, "physical_resource_id", property(lambda bus: bus.name), create=True),
            named_by_cloudformation(),
            self.clock.in_queues(),
        ):
            yield


def _body(record: dict[str, Any]) -> dict[str, Any]:
    try:
        body = json.loads(record["body"])
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def _iso(time: object) -> object:
    """Give the time as EventBridge does; PutEvents takes seconds since 1970 on the wire."""
    if isinstance(time, int | float):
        return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return time
