"""The product's stack in an account and Region, found by its name."""

import os
from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, translated
from ecr_warden.errors import EcrWardenError

CLIENT_CONFIG: Final = Config(retries={"mode": "standard", "total_max_attempts": 5})


class NoRegionError(EcrWardenError):
    """Report that nothing says which Region is meant."""


@dataclass(frozen=True)
class DeployedStack:
    """What a command needs of a deployed stack; what a stack of an earlier version lacks is empty."""

    outcome_bus: str
    journal_table: str
    delivery_table: str
    scan_table: str
    topic_arn: str
    queue_url: str
    dead_letter_queue_url: str
    outbox_table: str
    chat_topic_arn: str
    log_group: str


def find_stack(session: boto3.session.Session, name: str, region: str) -> DeployedStack | None:
    """Find the stack, or ``None`` if there is none of the name; raises ``AwsError``."""
    client = session.client("cloudformation", region_name=region)
    with translated(f"looking for the stack {name} in {region}"):
        try:
            resources: Any = client.describe_stack_resources(StackName=name)["StackResources"]
        except ClientError as error:
            # CloudFormation has no code of its own for a stack that does not exist.
            if code_of(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
    # What an emulator of AWS does not know it may list without a name.
    physical = {
        item["LogicalResourceId"]: item.get("PhysicalResourceId", "")
        for item in resources
        if "LogicalResourceId" in item
    }
    return DeployedStack(
        outcome_bus=physical["OutcomeBus"],
        journal_table=physical["JournalTable"],
        delivery_table=physical["DeliveryTable"],
        scan_table=physical.get("ScanTable", ""),
        topic_arn=physical["OutcomeTopic"],
        queue_url=physical["NotifyQueue"],
        dead_letter_queue_url=physical.get("NotifyDeadLetterQueue", ""),
        outbox_table=physical.get("OutboxTable", ""),
        chat_topic_arn=physical.get("ChatTopic", ""),
        log_group=physical.get("NotifyLogGroup", ""),
    )


def account_of(session: boto3.session.Session) -> str:
    """Give the account that the credentials are of; raises ``AwsError``."""
    with translated("asking whose credentials these are"):
        client = session.client("sts", region_name=session.region_name or "us-east-1")
        return str(client.get_caller_identity()["Account"])


def usual_session(region: str | None = None) -> boto3.session.Session:
    """Give a session of the usual credentials, in a Region, or else in the environment's or the profile's."""
    # boto3 does not read AWS_REGION, as other SDKs do, and Lambda's own environment has.
    named = region or os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")
    return boto3.session.Session(region_name=named)


def open_session(region: str | None) -> tuple[boto3.session.Session, str]:
    """Open a usual session, and give its Region; raises ``NoRegionError`` and ``AwsError``."""
    with translated("reading the AWS configuration"):
        session = usual_session(region)
        found = session.region_name
    if found is None:
        raise NoRegionError(
            "no Region: give --region, set AWS_DEFAULT_REGION or AWS_REGION, or name one in the profile"
        )
    return session, found
