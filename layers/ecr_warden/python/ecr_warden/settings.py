"""The functions' settings: the environment is read here, once, at the cold start."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Final, Self

from ecr_warden.domain.places import Place
from ecr_warden.errors import SettingsError

VARIABLES: Final = {
    "policy_path": "ECR_WARDEN_POLICY_PATH",
    "metrics_namespace": "ECR_WARDEN_METRICS_NAMESPACE",
    "outcome_bus_name": "ECR_WARDEN_OUTCOME_BUS_NAME",
    "account": "ECR_WARDEN_ACCOUNT_ID",
    # Lambda itself sets it.
    "region": "AWS_REGION",
    "member_role_name": "ECR_WARDEN_MEMBER_ROLE_NAME",
    "external_id": "ECR_WARDEN_EXTERNAL_ID",
    "journal_table_name": "ECR_WARDEN_JOURNAL_TABLE_NAME",
    "scan_table_name": "ECR_WARDEN_SCAN_TABLE_NAME",
    "creation_queue_url": "ECR_WARDEN_CREATION_QUEUE_URL",
    "delivery_table_name": "ECR_WARDEN_DELIVERY_TABLE_NAME",
    "outbox_table_name": "ECR_WARDEN_OUTBOX_TABLE_NAME",
    "topic_arn": "ECR_WARDEN_TOPIC_ARN",
    "chat_topic_arn": "ECR_WARDEN_CHAT_TOPIC_ARN",
    "notify_queue_url": "ECR_WARDEN_NOTIFY_QUEUE_URL",
    "dead_letter_queue_url": "ECR_WARDEN_NOTIFY_DEAD_LETTER_QUEUE_URL",
    "log_group_name": "ECR_WARDEN_LOG_GROUP_NAME",
    "report_bucket_name": "ECR_WARDEN_REPORT_BUCKET_NAME",
    "sweep_accounts": "ECR_WARDEN_SWEEP_ACCOUNTS",
    "sweep_organizational_units": "ECR_WARDEN_SWEEP_ORGANIZATIONAL_UNITS",
    "sweep_regions": "ECR_WARDEN_SWEEP_REGIONS",
    "sweep_places_at_once": "ECR_WARDEN_SWEEP_PLACES_AT_ONCE",
    "sweep_batches_at_once": "ECR_WARDEN_SWEEP_BATCHES_AT_ONCE",
    "sweep_batch_size": "ECR_WARDEN_SWEEP_BATCH_SIZE",
    "sweep_tolerated_failure_percentage": "ECR_WARDEN_SWEEP_TOLERATED_FAILURE_PERCENTAGE",
}


@dataclass(frozen=True)
class Settings:
    """What every function's environment says."""

    policy_path: str
    metrics_namespace: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings, or raise ``SettingsError`` with the name of what is missing."""
        return cls(
            **{
                field.name: _required(environment, VARIABLES[field.name])
                if field.default is MISSING
                else environment.get(VARIABLES[field.name], field.default)
                for field in fields(cls)
            }
        )


@dataclass(frozen=True)
class TellingSettings(Settings):
    """What the environment of every function says that publishes outcomes."""

    outcome_bus_name: str


@dataclass(frozen=True, kw_only=True)
class ActingSettings(TellingSettings):
    """What the environment of every function says that changes anything.

    Attributes
    ----------
    account, region
        The function's own.
    member_role_name
        The role by which other accounts and Regions are acted in; empty where there is one only.
    external_id
        What that role's trust asks for; empty where it asks for nothing.

    """

    account: str
    region: str
    member_role_name: str = ""
    external_id: str = ""
    journal_table_name: str

    @property
    def home(self) -> Place:
        """The function's own account and Region."""
        return Place(self.account, self.region)


class ImageActionSettings(ActingSettings):
    """What ImageActionFunction's environment says."""


class RegistryEventSettings(TellingSettings):
    """What RegistryEventFunction's environment says."""


@dataclass(frozen=True)
class ImageScanSettings(ActingSettings):
    """What ImageScanFunction's environment says."""

    scan_table_name: str


@dataclass(frozen=True)
class RepositoryCreatedSettings(ActingSettings):
    """What RepositoryCreatedFunction's environment says."""

    creation_queue_url: str


@dataclass(frozen=True)
class NotifySettings(Settings):
    """What NotifyFunction's environment says."""

    delivery_table_name: str
    outbox_table_name: str
    topic_arn: str
    chat_topic_arn: str
    notify_queue_url: str
    dead_letter_queue_url: str
    log_group_name: str


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set: the template sets it for every function")
    return value
