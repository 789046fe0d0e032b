"""Replaying an event on a real account: the functions' use cases run here, on that account's registry."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

from ecr_warden.adapters import aws
from ecr_warden.adapters.eventbridge import parse_image_action, parse_repository_creation
from ecr_warden.adapters.outcome_bus import SOURCE, read_outcome_event
from ecr_warden.adapters.push_parsing import parse_push
from ecr_warden.adapters.registry_parsing import parse_registry_event
from ecr_warden.adapters.scan_parsing import parse_scan_event
from ecr_warden.domain.events import ImageAction, RepositoryCreation
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.scan_events import RegistryEvent
from ecr_warden.errors import EcrWardenError
from ecr_warden.settings import ImageScanSettings, NotifySettings
from ecr_warden.use_cases.configure_repository import configure_repository
from ecr_warden.use_cases.enforce_tag_rules import enforce_tag_rules
from ecr_warden.use_cases.judge_scan import judge_scan
from ecr_warden.use_cases.record_push import record_push
from ecr_warden.use_cases.tell import TellPorts, arm
from ecr_warden.use_cases.tell_registry_event import tell_registry_event
from ecr_warden.wiring import ImageActionPorts, ImageScanPorts, RepositoryCreatedPorts, tell_ports
from ecr_warden_cli.account.journal import FileJournal, journal_path
from ecr_warden_cli.account.recording import NoMetrics, RecordingJournal, RecordingPublisher, recording_ports
from ecr_warden_cli.account.scan_memory import ScanMemory
from ecr_warden_cli.account.stack import DeployedStack, account_of, find_stack, usual_session
from ecr_warden_cli.caused import Caused, error_as_json
from ecr_warden_cli.local.patterns import is_enabled, matches
from ecr_warden_cli.local.template import Resource, Template, logical_id

# A delivery of a message after which no other may come.
_LAST = 5
_About = ImageAction | RepositoryCreation | RegistryEvent
Wired = TypeVar("Wired", ImageActionPorts, ImageScanPorts, RepositoryCreatedPorts)


class IncompleteError(EcrWardenError):
    """Report settings that could not be written."""


class WrongAccountError(EcrWardenError):
    """Report an event of an account that the credentials are not of. Nothing is done."""


class AccountReplay:
    """Replays events on the account of the usual credentials.

    With a stack deployed there, changes go into its journal, and outcomes to its channels and its bus.
    Without one, changes go into a journal on this machine, and nobody is told.
    """

    def __init__(
        self, policy: Policy, template: Template, stack_name: str, say: Callable[[str], None]
    ) -> None:
        self._policy = policy
        self._template = template
        self._stack_name = stack_name
        self._say = say
        self._stacks: dict[str, DeployedStack | None] = {}
        self._account: str | None = None
        self._memory = ScanMemory()

    def deliver(self, event: dict[str, Any]) -> Caused:
        """Run one event through the template's rules to the functions that it reaches."""
        functions = list(dict.fromkeys(reached(self._template, event)))
        caused = Caused(event.get("id"), event.get("detail-type"), functions)
        try:
            for function in functions:
                match function:
                    case "ImageActionFunction":
                        self._image_action(event, caused)
                    case "ImageScanFunction":
                        self._image_scan(event, caused)
                    case "RegistryEventFunction":
                        self._registry_event(event, caused)
                    case "RepositoryCreatedFunction":
                        self._repository_created(event, caused)
                    case "NotifyFunction" if event.get("source") == SOURCE:
                        self._outcome(event, caused)
                    case "NotifyFunction":
                        self._pushed(event, caused)
        except EcrWardenError as error:
            return Caused(**{**vars(caused), "error": error_as_json(error)})
        return caused

    def _image_action(self, event: dict[str, Any], caused: Caused) -> None:
        push = parse_image_action(event)
        with self._recorded(push, ImageActionPorts, caused) as ports:
            handled = enforce_tag_rules(push, policy=self._policy, ports=ports)
        _decided(caused, type(handled.decision).__name__, handled.reason, handled.outcome)

    def _image_scan(self, event: dict[str, Any], caused: Caused) -> None:
        scan = parse_scan_event(event)
        with self._recorded(scan, ImageScanPorts, caused) as ports:
            stack = self._stack(scan.region)
            if stack is None or not stack.scan_table:
                ports.states = self._memory
            judged = judge_scan(scan, policy=self._policy, ports=ports)
        _decided(caused, judged.decision, judged.reason, judged.outcome)

    def _registry_event(self, event: dict[str, Any], caused: Caused) -> None:
        happened = parse_registry_event(event)
        with self._recorded(happened, ImageScanPorts, caused) as ports:
            told = tell_registry_event(happened, policy=self._policy, ports=ports)
        caused.decisions.append(
            _decision(told.decision, told.reason, told.outcome_ids[0] if told.outcome_ids else None)
        )

    def _repository_created(self, event: dict[str, Any], caused: Caused) -> None:
        creation = parse_repository_creation(event)
        with self._recorded(creation, RepositoryCreatedPorts, caused) as ports:
            configured = configure_repository(
                creation,
                policy=self._policy,
                ports=ports,
                # Whoever replays an event is to hear of whatever fails.
                delivery=_LAST,
            )
        _decided(caused, configured.decision, configured.reason, configured.outcome)
        if configured.failures:
            raise IncompleteError("; ".join(configured.failures))

    def _outcome(self, event: dict[str, Any], caused: Caused) -> None:
        outcome = read_outcome_event(json.dumps(event))
        publisher = RecordingPublisher(self._policy)
        with self._telling_at(outcome.account, outcome.region, caused) as publisher.ports:
            publisher.publish(outcome)
        caused.outcomes.extend(publisher.outcomes)
        _decided(caused, outcome.decision, outcome.reason, outcome)

    def _pushed(self, event: dict[str, Any], caused: Caused) -> None:
        """Remember who pushed, where somebody may ask: with a stack."""
        push = parse_push(event)
        with self._telling_at(push.account, push.region, caused) as ports:
            if ports is not None:
                for channel in record_push(push, identities=ports.identities):
                    arm(channel, ports.now(), ports)
        _decided(
            caused, "Recorded" if ports else "Ignored", f"pushed by {push.pushed_by or 'nobody known'}", None
        )

    @contextmanager
    def _telling_at(self, account: str, region: str, caused: Caused) -> Iterator[TellPorts | None]:
        """Give what tells people in an account and Region; ``None`` where no stack does."""
        self._check_account(account)
        with _region(region):
            stack = self._stack(region)
            yield None if stack is None else self._telling(stack, region, caused)

    def _check_account(self, account: str) -> None:
        """Refuse an event of another account: its repository's name may exist in this one too."""
        if self._account is None:
            self._account = account_of(usual_session())
        if account != self._account:
            raise WrongAccountError(
                f"the event is of account {account}, the credentials are of {self._account}: nothing was done"
            )

    @contextmanager
    def _recorded(
        self,
        about: _About,
        wire: Callable[[Any, Any], Wired],
        caused: Caused,
    ) -> Iterator[Wired]:
        """Give what acts on the event's account and Region; note what it does, however it ends."""
        self._check_account(about.account)
        publisher = RecordingPublisher(self._policy)
        with ExitStack() as parts:
            parts.enter_context(_region(about.region))
            stack = self._stack(about.region)
            ports = wire(_function_settings(stack, about), about)
            if stack is None:
                ports.journal = ports.locks = parts.enter_context(closing(FileJournal(journal_path())))
            else:
                publisher.bus = ports.publisher
                publisher.ports = self._telling(stack, about.region, caused)
            journal = RecordingJournal(ports.journal)
            ports.journal, ports.publisher, ports.metrics = journal, publisher, NoMetrics()
            try:
                yield ports
            finally:
                caused.outcomes.extend(publisher.outcomes)
                caused.changes.extend(journal.changes)

    def _telling(self, stack: DeployedStack, region: str, caused: Caused) -> TellPorts | None:
        """Give what tells people, where the stack is of a version that has it."""
        if not stack.outbox_table:
            self._say(f"the stack {self._stack_name} in {region} is of an earlier version: nobody is told")
            return None
        return recording_ports(tell_ports(_notify_settings(stack)), caused.messages)

    def _stack(self, region: str) -> DeployedStack | None:
        if region not in self._stacks:
            self._stacks[region] = find_stack(usual_session(), self._stack_name, region)
            if self._stacks[region] is None:
                self._say(
                    f"no stack {self._stack_name} in {region}: changes are recorded in {journal_path()}, and "
                    "nobody is told"
                )
        return self._stacks[region]


def _decided(caused: Caused, decision: str, reason: str, outcome: Outcome | None) -> None:
    caused.decisions.append(_decision(decision, reason, None if outcome is None else outcome.id))


def _decision(decision: str, reason: str, outcome_id: str | None) -> dict[str, Any]:
    """Give what the function would answer."""
    return {"decision": decision, "reason": reason, "outcome_id": outcome_id}


def _function_settings(stack: DeployedStack | None, about: _About) -> ImageScanSettings:
    # Without a stack, neither its bus nor its tables are asked for. The credentials are of the event's
    # account, and of its Region: it is at home there.
    return ImageScanSettings(
        account=about.account,
        region=about.region,
        policy_path="",
        metrics_namespace="",
        outcome_bus_name=stack.outcome_bus if stack else "",
        journal_table_name=stack.journal_table if stack else "",
        scan_table_name=stack.scan_table if stack else "",
    )


def _notify_settings(stack: DeployedStack) -> NotifySettings:
    return NotifySettings(
        policy_path="",
        metrics_namespace="",
        delivery_table_name=stack.delivery_table,
        outbox_table_name=stack.outbox_table,
        topic_arn=stack.topic_arn,
        chat_topic_arn=stack.chat_topic_arn,
        notify_queue_url=stack.queue_url,
        dead_letter_queue_url=stack.dead_letter_queue_url,
        log_group_name=stack.log_group,
    )


@contextmanager
def _region(region: str) -> Iterator[None]:
    aws.client.cache_clear()
    with patch.dict(os.environ, {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}):
        yield
    aws.client.cache_clear()


def reached(template: Template, event: dict[str, Any]) -> Iterator[str]:
    """Give the logical ids of the functions to which the template's rules bring an event."""
    readers = {
        logical_id(item["Properties"]["EventSourceArn"]): logical_id(item["Properties"]["FunctionName"])
        for _, item in template.of_type("AWS::Lambda::EventSourceMapping")
    }
    for _, rule in template.of_type("AWS::Events::Rule"):
        if not _is_reached(rule, template.state_of(rule), event):
            continue
        for target in rule["Properties"]["Targets"]:
            reached_first = logical_id(target["Arn"])
            yield readers.get(reached_first, reached_first)


def _is_reached(rule: Resource, state: str, event: dict[str, Any]) -> bool:
    properties = rule["Properties"]
    # Outcomes have a bus of their own.
    is_of_bus = ("EventBusName" in properties) is (event.get("source") == SOURCE)
    return is_of_bus and is_enabled(state, event) and matches(properties["EventPattern"], event)
