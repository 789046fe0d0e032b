"""What Step Functions does that moto's interpreter does not.

Simulated: a task of Lambda's runs the checkout's function in this process; a Distributed Map fails
where more of its items failed than it tolerates; a JSON value is an object's body. Waiting before a retry
is not simulated.
"""

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import boto3
from moto.stepfunctions import models
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (  # noqa: E501  # moto's
    DistributedIterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from ecr_warden_cli.local.broker import Broker
from ecr_warden_cli.local.errors import LocalAwsError
from ecr_warden_cli.local.stack import LocalStack

_LONGEST: Final = 600.0
_EXCEEDED: Final = "States.ExceedToleratedFailureThreshold"


@dataclass(frozen=True)
class Run:
    """How an execution ended: ``SUCCEEDED``, ``FAILED`` …; ``output`` where it succeeded."""

    status: str
    output: Any = None
    error: str = ""
    cause: str = ""


def execute(stack: LocalStack, state_machine: str, name: str, given: object = None) -> Run:
    """Run a state machine of the stack to its end."""
    client = boto3.client("stepfunctions", region_name=stack.region)
    arn = client.start_execution(
        stateMachineArn=stack.physical[state_machine], name=name, input=json.dumps(given or {})
    )["executionArn"]
    until = time.monotonic() + _LONGEST
    while (found := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
        if time.monotonic() > until:
            raise LocalAwsError(f"{name}: the state machine does not come to its end")
        time.sleep(0.02)
    output = json.loads(found["output"]) if "output" in found else None
    return Run(found["status"], output, found.get("error", ""), found.get("cause", ""))


@contextmanager
def faithful_step_functions(broker: Broker) -> Iterator[None]:
    """Let state machines run the stack's functions, and maps fail, while the context lasts."""

    def invoke(parameters: dict[str, Any], region: str, state_credentials: object) -> dict[str, Any]:
        del state_credentials
        account = os.environ.get("MOTO_ACCOUNT_ID", "123456789012")
        event = json.loads(parameters["Payload"])
        tried = broker.call(account, region, parameters["FunctionName"], event)
        answer: dict[str, Any] = {"ExecutedVersion": "$LATEST", "StatusCode": 200}
        if tried.error is None:
            # As Lambda does, by JSON.
            return {**answer, "Payload": json.loads(json.dumps(tried.answer))}
        told = {"errorMessage": str(tried.error), "errorType": type(tried.error).__name__}
        return {**answer, "FunctionError": "Unhandled", "Payload": told}

    run_map = DistributedIterationComponent._map_run  # noqa: SLF001  # there is no other way in

    def judged(self: DistributedIterationComponent, env: Any, eval_input: Any) -> None:  # noqa: ANN401  # moto's
        run_map(self, env, eval_input)
        counter = eval_input.map_run_record.item_counter
        failed, total = counter.failed.get() + counter.timed_out.get(), counter.total.get()
        tolerated = eval_input.tolerated_failure_percentage or 0
        if failed * 100 > tolerated * total:
            raise FailureEventException(_exceeded(env, f"{failed} of {total} items failed"))

    run_sdk = StateTaskServiceAwsSdk._eval_service_task  # noqa: SLF001  # as above

    def written(self: Any, *, normalised_parameters: dict[str, Any], **others: Any) -> None:  # noqa: ANN401  # moto's
        parameters = normalised_parameters
        if not isinstance(parameters.get("Body", b""), str | bytes):
            parameters = {**parameters, "Body": json.dumps(parameters["Body"]).encode()}
        run_sdk(self, normalised_parameters=parameters, **others)

    with ExitStack() as patches, _quiet():
        for place, name, new in (
            # What CloudFormation makes is otherwise where nothing runs it.
            (models, "stepfunctions_backends", stepfunctions_parser_backends),
            (lambda_eval_utils, "_invoke_lambda_function", invoke),
            (DistributedIterationComponent, "_map_run", judged),
            (StateTaskServiceAwsSdk, "_eval_service_task", written),
            (retrier_decl, "time", SimpleNamespace(sleep=lambda _: None)),
        ):
            patches.enter_context(patch.object(place, name, new))
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the interpreter from writing pages about what is caught, and what it leaves to us."""
    interpreter = logging.getLogger("moto.stepfunctions")
    before = interpreter.level
    interpreter.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        interpreter.setLevel(before)


def _exceeded(env: Any, cause: str) -> FailureEvent:  # noqa: ANN401  # moto's
    return FailureEvent(
        env=env,
        error_name=CustomErrorName(_EXCEEDED),
        event_type=HistoryEventType.MapRunFailed,
        event_details=EventDetails(mapRunFailedEventDetails={"error": _EXCEEDED, "cause": cause}),
    )
