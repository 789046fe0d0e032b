"""The functions' settings: the environment is read here, once, at the cold start."""

from collections.abc import Mapping
from dataclasses import dataclass

from ecr_warden.errors import SettingsError


@dataclass(frozen=True)
class ImageActionSettings:
    """What ImageActionFunction's environment says."""

    policy_path: str
    metrics_namespace: str
    outcome_bus_name: str
    journal_table_name: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "ImageActionSettings":
        """Read the settings, or raise ``SettingsError`` with the name of what is missing."""
        return cls(
            policy_path=_required(environment, "ECR_WARDEN_POLICY_PATH"),
            metrics_namespace=_required(environment, "ECR_WARDEN_METRICS_NAMESPACE"),
            outcome_bus_name=_required(environment, "ECR_WARDEN_OUTCOME_BUS_NAME"),
            journal_table_name=_required(environment, "ECR_WARDEN_JOURNAL_TABLE_NAME"),
        )


@dataclass(frozen=True)
class RepositoryCreatedSettings:
    """What RepositoryCreatedFunction's environment says."""

    policy_path: str
    metrics_namespace: str
    outcome_bus_name: str
    journal_table_name: str
    queue_url: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "RepositoryCreatedSettings":
        """Read the settings, or raise ``SettingsError`` with the name of what is missing."""
        return cls(
            policy_path=_required(environment, "ECR_WARDEN_POLICY_PATH"),
            metrics_namespace=_required(environment, "ECR_WARDEN_METRICS_NAMESPACE"),
            outcome_bus_name=_required(environment, "ECR_WARDEN_OUTCOME_BUS_NAME"),
            journal_table_name=_required(environment, "ECR_WARDEN_JOURNAL_TABLE_NAME"),
            queue_url=_required(environment, "ECR_WARDEN_CREATION_QUEUE_URL"),
        )


@dataclass(frozen=True)
class ImageScanSettings:
    """What ImageScanFunction's environment says."""

    policy_path: str
    metrics_namespace: str
    outcome_bus_name: str
    journal_table_name: str
    scan_table_name: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "ImageScanSettings":
        """Read the settings, or raise ``SettingsError`` with the name of what is missing."""
        return cls(
            policy_path=_required(environment, "ECR_WARDEN_POLICY_PATH"),
            metrics_namespace=_required(environment, "ECR_WARDEN_METRICS_NAMESPACE"),
            outcome_bus_name=_required(environment, "ECR_WARDEN_OUTCOME_BUS_NAME"),
            journal_table_name=_required(environment, "ECR_WARDEN_JOURNAL_TABLE_NAME"),
            scan_table_name=_required(environment, "ECR_WARDEN_SCAN_TABLE_NAME"),
        )


@dataclass(frozen=True)
class RegistryEventSettings:
    """What RegistryEventFunction's environment says."""

    policy_path: str
    metrics_namespace: str
    outcome_bus_name: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "RegistryEventSettings":
        """Read the settings, or raise ``SettingsError`` with the name of what is missing."""
        return cls(
            policy_path=_required(environment, "ECR_WARDEN_POLICY_PATH"),
            metrics_namespace=_required(environment, "ECR_WARDEN_METRICS_NAMESPACE"),
            outcome_bus_name=_required(environment, "ECR_WARDEN_OUTCOME_BUS_NAME"),
        )


@dataclass(frozen=True)
class NotifySettings:
    """What NotifyFunction's environment says."""

    policy_path: str
    metrics_namespace: str
    delivery_table_name: str
    topic_arn: str
    queue_url: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "NotifySettings":
        """Read the settings, or raise ``SettingsError`` with the name of what is missing."""
        return cls(
            policy_path=_required(environment, "ECR_WARDEN_POLICY_PATH"),
            metrics_namespace=_required(environment, "ECR_WARDEN_METRICS_NAMESPACE"),
            delivery_table_name=_required(environment, "ECR_WARDEN_DELIVERY_TABLE_NAME"),
            topic_arn=_required(environment, "ECR_WARDEN_TOPIC_ARN"),
            queue_url=_required(environment, "ECR_WARDEN_NOTIFY_QUEUE_URL"),
        )


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set: the template sets it for every function")
    return value
