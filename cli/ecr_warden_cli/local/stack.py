"""One stack of the template in moto, for one account and Region."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import boto3
from moto.cloudformation import cloudformation_backends
from moto.cloudformation.parsing import get_model_map
from moto.sqs import sqs_backends

from ecr_warden.domain.console import partition
from ecr_warden_cli.local.errors import LocalAwsError
from ecr_warden_cli.local.functions import LocalFunction
from ecr_warden_cli.local.template import Resource, Template, logical_id

STACK_NAME: Final = "ecr-warden"

# What is left out of moto's stack, each with why nothing here depends on moto's having it.
NOT_SIMULATED: Final = {
    "AWS::Scheduler::Schedule": "the local AWS starts nothing by the clock; tests/template asserts it",
    "AWS::S3::BucketPolicy": "moto does not judge bucket policies; tests/template asserts it",
    "AWS::CloudWatch::Alarm": "nothing here computes metrics; tests/template asserts the alarms",
    "AWS::SQS::QueuePolicy": "moto does not judge queue policies; tests/template asserts them",
    "AWS::SNS::TopicPolicy": "moto does not judge topic policies; tests/template asserts them",
    "AWS::SNS::Subscription": "the template's are e-mail addresses; the local AWS subscribes its own queue",
    "AWS::Lambda::Permission": "functions run in this process; tests/template asserts who may invoke them",
    "AWS::Lambda::LayerVersion": "functions run the checkout's code; `make e2e` uses the layers",
    "AWS::Events::EventBusPolicy": "events are put by this process; tests/template asserts who else may",
    # These two are carried out here, not by moto.
    "AWS::Lambda::EventInvokeConfig": "LocalFunction.retries",
    "AWS::Lambda::EventSourceMapping": "QueueReader",
}


_PLACEHOLDER: Final = re.compile(r"\$\{(\w+)\}")
_PERCENTAGE: Final = re.compile(r'("ToleratedFailurePercentage": *[0-9]+)\b')


@dataclass(frozen=True)
class QueueReader:
    """An event source mapping: which queue a function reads, and how many messages at once."""

    queue_url: str
    function: str
    batch_size: int
    dead_letters: str | None


@dataclass
class LocalStack:
    """A deployed stack: physical ids by logical id, its functions, and who reads its queues."""

    account: str
    region: str
    physical: Mapping[str, str]
    functions: dict[str, LocalFunction] = field(default_factory=dict)
    readers: list[QueueReader] = field(default_factory=list)

    def arn(self, name: str) -> str:
        """Give the ARN of a queue or function of the stack."""
        physical = self.physical[name]
        if physical.startswith("http"):
            return self.queue_arn(physical)
        return f"arn:{partition(self.region)}:lambda:{self.region}:{self.account}:function:{physical}"

    def queue_arn(self, queue_url: str) -> str:
        """Give the ARN of a queue of the stack's account and Region."""
        return f"arn:{partition(self.region)}:sqs:{self.region}:{self.account}:{queue_url.rpartition('/')[2]}"

    def waiting(self, queue: str) -> int:
        """Count the messages in one of the stack's queues."""
        name = self.physical[queue].rpartition("/")[2]
        return len(sqs_backends[self.account][self.region].queues[name].messages)

    def function_of(self, arn: str) -> LocalFunction:
        """Find a function by the ARN that a rule's target names."""
        name = arn.rpartition(":")[2]
        for function in self.functions.values():
            if self.physical[function.name] == name:
                return function
        raise LocalAwsError(f"{arn}: a rule's target is no function of the stack")


def deploy(  # a stack's parts
    template: Template,
    *,
    account: str,
    region: str,
    policy: Path,
    variables: Mapping[str, str],
) -> LocalStack:
    """Create the stack; ``variables`` are added to every function's environment."""
    client = boto3.client("cloudformation", region_name=region)
    client.create_stack(
        StackName=STACK_NAME,
        TemplateBody=json.dumps(_for_moto(template)),
        Capabilities=["CAPABILITY_IAM"],
    )
    stack = LocalStack(account, region, _physical_ids(account, region))
    for name, resource in template.of_type("AWS::Lambda::Function"):
        stack.functions[name] = _function(
            stack, template, name, resource, {**variables, "ECR_WARDEN_POLICY_PATH": str(policy)}
        )
    for _, resource in template.of_type("AWS::Lambda::EventSourceMapping"):
        properties = resource["Properties"]
        queue = logical_id(properties["EventSourceArn"])
        redrive = template.resources[queue]["Properties"].get("RedrivePolicy", {})
        stack.readers.append(
            QueueReader(
                queue_url=stack.physical[queue],
                function=logical_id(properties["FunctionName"]),
                batch_size=int(properties.get("BatchSize", 10)),
                dead_letters=logical_id(redrive["deadLetterTargetArn"]) if redrive else None,
            )
        )
    return stack


def _for_moto(template: Template) -> dict[str, Any]:
    """Leave out what moto cannot have, and refuse what nobody has thought about."""
    kept: dict[str, Resource] = {}
    for name, resource in template.resources.items():
        # moto lists one whose condition does not hold, without a name.
        if resource["Type"] in NOT_SIMULATED or not template.is_made(resource):
            continue
        if resource["Type"] not in get_model_map():
            raise LocalAwsError(f"{name}: moto has no {resource['Type']}: add it to NOT_SIMULATED, with why")
        kept[name] = _FOR_MOTO.get(resource["Type"], _as_it_is)(resource)
    return {**template.document, "Resources": kept}


def _function_for_moto(resource: Resource) -> Resource:
    # moto wants to read the code, which here is run from the checkout.
    properties = {key: value for key, value in resource["Properties"].items() if key != "Layers"}
    return {**resource, "Properties": {**properties, "Code": {"ZipFile": "#"}}}


def _bucket_for_moto(resource: Resource) -> Resource:
    # moto has it in an API of its own, and takes other names for it here.
    return {**resource, "Properties": {}}


def _state_machine_for_moto(resource: Resource) -> Resource:
    """Put what stands for resources into the definition, which moto does not."""
    properties = dict(resource["Properties"])
    known = properties.pop("DefinitionSubstitutions", {})
    # Names are in odd places. By Fn::Join: moto's Fn::Sub takes "$$" for "$".
    parts = _PLACEHOLDER.split(_text_of(properties["DefinitionString"]))
    properties["DefinitionString"] = {
        "Fn::Join": ["", [known[part] if odd % 2 else part for odd, part in enumerate(parts)]]
    }
    return {**resource, "Properties": properties}


def _text_of(definition: Any) -> str:  # noqa: ANN401  # as the translator gives it
    """Give a definition that the translator cut into lines."""
    match definition:
        case {"Fn::Join": [str(between), list(lines)]}:
            # moto's grammar knows a whole number only as a count.
            return _PERCENTAGE.sub(r"\1.0", between.join(lines))
    raise LocalAwsError("the translator gives a state machine's definition in a way that is not known here")


def _as_it_is(resource: Resource) -> Resource:
    return resource


_FOR_MOTO: Final = {
    "AWS::Lambda::Function": _function_for_moto,
    "AWS::S3::Bucket": _bucket_for_moto,
    "AWS::StepFunctions::StateMachine": _state_machine_for_moto,
}


def _physical_ids(account: str, region: str) -> dict[str, str]:
    """Read the stack's resources from moto itself: DescribeStackResources lacks those without a name."""
    stack = next(iter(cloudformation_backends[account][region].stacks.values()))
    resources = stack.resource_map
    return {
        name: str(resources[name].physical_resource_id) for name in resources.resources if resources[name]
    }


def _function(
    stack: LocalStack, template: Template, name: str, resource: Resource, variables: Mapping[str, str]
) -> LocalFunction:
    configuration = boto3.client("lambda", region_name=stack.region).get_function_configuration(
        FunctionName=stack.physical[name]
    )
    invoke: dict[str, Any] = next(
        (
            item["Properties"]
            for _, item in template.of_type("AWS::Lambda::EventInvokeConfig")
            if logical_id(item["Properties"]["FunctionName"]) == name
        ),
        {},
    )
    dead_letters = resource["Properties"].get("DeadLetterConfig", {}).get("TargetArn")
    return LocalFunction(
        name=name,
        code=template.code[name],
        environment={
            # moto leaves a parameter's number a number.
            **{
                key: str(value)
                for key, value in configuration.get("Environment", {}).get("Variables", {}).items()
            },
            "AWS_REGION": stack.region,
            "AWS_DEFAULT_REGION": stack.region,
            "AWS_LAMBDA_FUNCTION_NAME": stack.physical[name],
            **variables,
        },
        timeout=int(resource["Properties"].get("Timeout", 3)),
        retries=int(invoke.get("MaximumRetryAttempts", 2)),
        dead_letters=stack.arn(logical_id(dead_letters)) if dead_letters else None,
    )
