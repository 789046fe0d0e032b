"""The template as CloudFormation gets it, and what the tests ask of it."""

import json
from pathlib import Path

from ecr_warden_cli.local.template import load_template

ROOT = Path(__file__).parents[2]
TEMPLATE = load_template()
SAMPLES = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "events").glob("*.json"))}


def of_type(resource_type):
    """Give the properties of the resources of a type, by their logical ids."""
    return {name: resource["Properties"] for name, resource in TEMPLATE.of_type(resource_type)}


def named(value):
    """Give the logical id that a reference names."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), "Arn" | "QueueName"]}:
            return name
    raise AssertionError(f"no reference to a resource of the stack: {value}")


FUNCTIONS = of_type("AWS::Lambda::Function")
QUEUES = of_type("AWS::SQS::Queue")
RULES = of_type("AWS::Events::Rule")
ALARMS = of_type("AWS::CloudWatch::Alarm")
TOPICS = of_type("AWS::SNS::Topic")
TABLES = of_type("AWS::DynamoDB::Table")
ROLES = of_type("AWS::IAM::Role")
READERS = of_type("AWS::Lambda::EventSourceMapping")
SCHEDULES = of_type("AWS::Scheduler::Schedule")
TARGETS = [(name, target) for name, rule in RULES.items() for target in rule["Targets"]]

DEAD_LETTER_QUEUES = {
    named(arn)
    for arn in (
        *(target["DeadLetterConfig"]["Arn"] for _, target in TARGETS),
        *(schedule["Target"]["DeadLetterConfig"]["Arn"] for schedule in SCHEDULES.values()),
        *(item["DeadLetterConfig"]["TargetArn"] for item in FUNCTIONS.values() if "DeadLetterConfig" in item),
        *(
            item["RedrivePolicy"]["deadLetterTargetArn"]
            for item in QUEUES.values()
            if "RedrivePolicy" in item
        ),
    )
}
