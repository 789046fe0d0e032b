"""The functions' settings: the environment is read here, once, at the cold start."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

from ecr_warden.errors import SettingsError

_VARIABLES: Final = {
    "policy_path": "ECR_WARDEN_POLICY_PATH",
    "metrics_namespace": "ECR_WARDEN_METRICS_NAMESPACE",
    "outcome_bus_name": "ECR_WARDEN_OUTCOME_BUS_NAME",
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
}


@dataclass(frozen=True)
class _Settings:
    """What every function's environment says."""

    policy_path: str
    metrics_namespace: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings, or raise ``SettingsError`` with the name of what is missing."""
        return cls(**{field.name: _required(environment, _VARIABLES[field.name]) for field in fields(cls)})


@dataclass(frozen=True)
class TellingSettings(_Settings):
    """What the environment of every function says that publishes outcomes."""

    outcome_bus_name: str


@dataclass(frozen=True)
class ActingSettings(TellingSettings):
    """What the environment of every function says that changes anything."""

    journal_table_name: str


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
class NotifySettings(_Settings):
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
