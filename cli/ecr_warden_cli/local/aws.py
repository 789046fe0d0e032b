"""The local AWS as a whole: stacks where events need them, and what each event caused."""

import json
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.ecr.models import ecr_backends
from moto.server import ThreadedMotoServer

from ecr_warden.adapters.compiled_policy import encode_policy
from ecr_warden.adapters.outcome_bus import SOURCE
from ecr_warden.domain.policy import Policy
from ecr_warden_cli.caused import Caused, error_as_json
from ecr_warden_cli.local.broker import Broker, Event, Trace
from ecr_warden_cli.local.ecr_double import faithful_ecr
from ecr_warden_cli.local.inspector_double import faithful_inspector
from ecr_warden_cli.local.people import People, people, subscribe
from ecr_warden_cli.local.seeding import make, note
from ecr_warden_cli.local.stack import LocalStack, deploy
from ecr_warden_cli.local.step_functions import Run, execute, faithful_step_functions
from ecr_warden_cli.local.subjects import Subject, subjects_of
from ecr_warden_cli.local.template import Template, load_template
from ecr_warden_cli.local.topics import read_topics

DEFAULT_ACCOUNT: Final = "123456789012"
DEFAULT_REGION: Final = "us-east-1"
_REPEATED: Final = {
    "decision": "Repeated",
    "reason": "a queue had this very event within the last five minutes, and dropped it",
    "outcome_id": None,
}


class LocalAws:
    """moto with the product's stack in it, for each account and Region that an event names."""

    def __init__(
        self, template: Template, policy: Policy, compiled: Path, broker: Broker, heard: People
    ) -> None:
        self._template = template
        self._policy = policy
        self._compiled = compiled
        self.people = heard
        self._stacks: dict[tuple[str, str], LocalStack] = {}
        self._seeded: set[tuple[str, str, Subject]] = set()
        self._journaled: set[str] = set()
        self.broker = broker

    def stack(self, account: str, region: str) -> LocalStack:
        """Give the stack of an account and Region, deployed when it is first asked for."""
        key = (account, region)
        if key not in self._stacks:
            with self.acting_in(account):
                stack = deploy(
                    self._template,
                    account=account,
                    region=region,
                    policy=self._compiled,
                    variables={"MOTO_ACCOUNT_ID": account},
                )
                subscribe(stack, self._policy, self.people)
            self._stacks[key] = stack
            self.broker.add(stack)
        return self._stacks[key]

    @contextmanager
    def acting_in(self, account: str) -> Iterator[None]:
        """Let calls made in the context be those of an account; moto reads it here for each call."""
        with patch.dict(os.environ, {"MOTO_ACCOUNT_ID": account}):
            yield

    def seed(self, event: Mapping[str, Any]) -> None:
        """Make what an event names, unless an event before it did, and let scanners know what it says."""
        subjects = subjects_of(event)
        if not subjects:
            return
        account, region = str(event["account"]), str(event["region"])
        backend = ecr_backends[account][region]
        for subject in subjects:
            if (account, region, subject) not in self._seeded:
                self._seeded.add((account, region, subject))
                make(backend, subject)
            # Every event of a scan counts, though its image is there already.
            note(backend, event, subject)

    def deliver(self, event: Event) -> Caused:
        """Send one event through the rules, let the functions react, and say what came of it."""
        stack = self.stack(str(event["account"]), str(event["region"]))
        # An outcome, from a dead letter for instance, has a bus of its own.
        bus = stack.physical["OutcomeBus"] if event.get("source") == SOURCE else "default"
        return self.watch(lambda: self.broker.put(event, bus), stack)

    def watch(self, act: Callable[[], object], stack: LocalStack) -> Caused:
        """Do something in an account, let the functions react, and say what came of it.

        What is told an hour later is there too: time jumps until nothing is left to come.
        """
        self.broker.trace = Trace()
        with self.acting_in(stack.account):
            act()
        self.broker.drain()
        return self._caused(stack)

    def sweep(self, stack: LocalStack, name: str) -> Run:
        """Run the stack's sweep to its end, and let the functions react to what it told."""
        with self.acting_in(stack.account):
            run = execute(stack, "SweepStateMachine", name)
        self.broker.drain()
        return run

    def react_if_anything_came(self, stack: LocalStack) -> Caused | None:
        """Let the functions react to what came since the last time; ``None`` if nothing did."""
        # A message whose delay is over comes without an event.
        self.broker.drain()
        if not self.broker.trace.events and not self.broker.trace.invocations:
            return None
        caused = self._caused(stack)
        self.broker.trace = Trace()
        return caused

    def _caused(self, stack: LocalStack) -> Caused:
        """Say what came of the events of the trace."""
        trace = self.broker.trace
        ids = {event.get("id") for event in trace.sent}
        # A state machine gives its functions what is no event, and has no id.
        called = [item for item in trace.invocations if item.event_ids() == {None}]
        reached = [item for item in trace.invocations if not ids.isdisjoint(item.event_ids())]
        with self.acting_in(stack.account):
            messages = self.people.take() + read_topics(stack)
            changes = self._new_changes(stack)
        # The last event is what the others led to: an index comes after its platforms' manifests.
        about = trace.sent[-1] if trace.sent and not called else {}
        return Caused(
            event_id=about.get("id"),
            detail_type=about.get("detail-type"),
            functions=list(dict.fromkeys(item.function for item in (*called, *reached))),
            decisions=[decision for item in reached for decision in item.decisions()]
            + [_REPEATED for event_id in trace.repeated if event_id in ids],
            outcomes=[item["detail"] for item in trace.events if item["source"] == SOURCE],
            changes=changes,
            messages=messages,
            error=_error(trace),
        )

    def _new_changes(self, stack: LocalStack) -> list[dict[str, Any]]:
        """Read from the journal what was changed since the last time."""
        table = stack.physical["JournalTable"]
        pages = (
            boto3.client("dynamodb", region_name=stack.region).get_paginator("scan").paginate(TableName=table)
        )
        items = [item for page in pages for item in page["Items"] if _is_done(item)]
        new = [item for item in items if item["id"]["S"] not in self._journaled]
        self._journaled.update(item["id"]["S"] for item in new)
        return [
            {
                "id": item["id"]["S"],
                "repository": item["repository"]["S"],
                "section": item["section"]["S"],
                "before": json.loads(item["before"]["S"]),
                "after": json.loads(item["after"]["S"]),
            }
            for item in new
        ]


def _is_done(item: Mapping[str, Any]) -> bool:
    # Locks are in the journal's table too, and have no status.
    return bool(item.get("status", {}).get("S") == "done")


def _error(trace: Trace) -> dict[str, str] | None:
    failed = [item.error for item in trace.invocations if item.error is not None]
    if failed:
        return error_as_json(failed[0])
    if (failure := _failure(trace)) is not None:
        return failure
    if trace.undelivered:
        return {"type": "UndeliveredError", "message": trace.undelivered[0]}
    return None


def _failure(trace: Trace) -> dict[str, str] | None:
    """Give what a function says of a message that it could not handle, and that no later try could."""
    handled: set[str] = set()
    for item in reversed(trace.invocations):
        failures = item.answer.get("failures") if isinstance(item.answer, dict) else None
        if failures and item.failed - handled:
            return {"type": str(failures[0]["type"]), "message": str(failures[0]["message"])}
        handled |= item.message_ids() - item.failed
    return None


@contextmanager
def local_aws(policy: Policy, *, template: Template | None = None) -> Iterator[LocalAws]:
    """Run a local AWS in this process, with no socket but that of people on loopback."""
    with ExitStack() as parts:
        parts.enter_context(_clean_environment({}))
        parts.enter_context(faithful_inspector())
        parts.enter_context(mock_aws(config={"stepfunctions": {"execute_state_machine": True}}))
        yield _assemble(parts, policy, template or load_template())


@contextmanager
def served_aws(
    policy: Policy, *, host: str, port: int, account: str, region: str
) -> Iterator[tuple[LocalAws, str]]:
    """Run a local AWS that listens on a port; give it with its endpoint's URL."""
    with ExitStack() as parts:
        parts.enter_context(faithful_inspector())
        # A line for each call would hide what the functions do.
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        # moto waits for ever for a server whose address it could not take.
        with socket.create_server((host, port)):
            pass
        server = ThreadedMotoServer(ip_address=host, port=port, verbose=False)
        server.start()
        parts.callback(server.stop)
        url = f"http://{host}:{server.get_host_and_port()[1]}"
        variables = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": region,
            "MOTO_ACCOUNT_ID": account,
        }
        parts.enter_context(_clean_environment(variables))
        yield _assemble(parts, policy, load_template()), url


def _assemble(parts: ExitStack, policy: Policy, template: Template) -> LocalAws:
    folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="ecr-warden-")))
    compiled = folder / "policy.json"
    compiled.write_bytes(encode_policy(policy))
    broker = Broker()
    parts.enter_context(broker.listening())
    parts.enter_context(faithful_step_functions(broker))
    parts.enter_context(faithful_ecr(broker.emit))
    heard = parts.enter_context(people(broker.clock))
    return LocalAws(template, policy, compiled, broker, heard)


@contextmanager
def _clean_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Keep the credentials, profiles and endpoints of whoever runs this out of it."""
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update({"AWS_DEFAULT_REGION": DEFAULT_REGION, **variables})
        # boto3 keeps a session of the old environment.
        with patch.object(boto3, "DEFAULT_SESSION", None):
            yield
