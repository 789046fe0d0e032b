"""The product's stack in an account and Region, found by its name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, UnknownRegionError

from ecr_warden.adapters.aws import code_of, translated
from ecr_warden.errors import AwsError, CredentialsError, EcrWardenError

CLIENT_CONFIG: Final = Config(retries={"mode": "standard", "total_max_attempts": 5})


class NoRegionError(EcrWardenError):
    """Report that nothing says which Region is meant."""


class NoSuchRegionError(EcrWardenError):
    """Report that what is meant for a Region cannot be one."""


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
    with _advised(), translated(f"looking for the stack {name} in {region}"):
        try:
            resources: Any = client.describe_stack_resources(StackName=name)["StackResources"]
        except ClientError as error:
            # CloudFormation has no code of its own for a stack that does not exist.
            if code_of(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
    physical = {item["LogicalResourceId"]: item.get("PhysicalResourceId", "") for item in resources}
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
    with _advised(), translated("asking whose credentials these are"):
        client = session.client("sts", region_name=session.region_name or "us-east-1")
        return str(client.get_caller_identity()["Account"])


@contextmanager
def _advised() -> Iterator[None]:
    """Say beside what went wrong with a command's first call what to do."""
    try:
        yield
    except CredentialsError as error:
        raise CredentialsError(
            f"{_ended(error)} Set AWS_PROFILE to a profile that has credentials, or run aws sso login"
        ) from error
    except AwsError as error:
        if isinstance(error.__cause__, ClientError):
            raise
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        step = (
            f"AWS_ENDPOINT_URL is {endpoint}: is ecr-warden local, or whatever is to answer there, running? "
            "To use AWS itself, unset it"
            if endpoint
            else "See whether there is such a Region, and whether AWS can be reached from here"
        )
        raise AwsError(f"{_ended(error)} {step}") from error


def _ended(error: Exception) -> str:
    text = str(error)
    return text if text.endswith(".") else f"{text}."


def check_region(session: boto3.session.Session, region: str) -> None:
    """Refuse what has no Region's form; raises ``NoSuchRegionError``.

    Regions that are newer than the SDK have the form of others, and are taken.
    """
    try:
        session.get_partition_for_region(region)
    except UnknownRegionError as error:
        raise NoSuchRegionError(
            f"{region} is no Region that this version knows: give it as in eu-central-1"
        ) from error


def usual_session(region: str | None = None) -> boto3.session.Session:
    """Give a session of the usual credentials, in a Region, or else in the environment's or the profile's."""
    # boto3 does not read AWS_REGION, as other SDKs do, and Lambda's own environment has.
    named = region or os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")
    return boto3.session.Session(region_name=named)


def open_session(region: str | None) -> tuple[boto3.session.Session, str]:
    """Open a usual session, and give its Region.

    Raises ``NoRegionError``, ``NoSuchRegionError`` and ``AwsError``.
    """
    with translated("reading the AWS configuration"):
        session = usual_session(region)
        found = session.region_name
    if found is None:
        raise NoRegionError(
            "no Region: give --region, set AWS_DEFAULT_REGION or AWS_REGION, or name one in the profile"
        )
    check_region(session, found)
    return session, found
