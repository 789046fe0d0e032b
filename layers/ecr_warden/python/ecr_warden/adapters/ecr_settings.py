"""The settings of a registry and its repositories, through ECR's API."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, refusable
from ecr_warden.domain.console import repository_arn
from ecr_warden.domain.settings.current import (
    Mutability,
    RegistryDestination,
    RegistryScanning,
    ReplicationRule,
    Repository,
)
from ecr_warden.domain.settings.documents import Document, text_of
from ecr_warden.domain.settings.lifecycle_rules import lifecycle_text
from ecr_warden.domain.settings.plans import Setting
from ecr_warden.domain.settings.replication import replication_rules
from ecr_warden.domain.settings.repository_policy import policy_text
from ecr_warden.domain.settings.scanning import registry_scanning
from ecr_warden.errors import BusyError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

_BUSY: Final = frozenset({"ReplicationBackfillInProgressException", "LimitExceededException"})


class EcrSettings:
    """One account's registry in one Region."""

    def __init__(self, client: "ECRClient", *, account: str, region: str) -> None:
        self._client = client
        self._arn = partial(repository_arn, account, region)

    def describe(self, repository_name: str) -> Repository:
        """Give what DescribeRepositories says."""
        with refusable(f"describing {repository_name}"):
            answer: Any = self._client.describe_repositories(repositoryNames=[repository_name])
            (found,) = answer["repositories"]
            return repository_of(found)

    def lifecycle_policy(self, repository_name: str) -> Mapping[str, Any] | None:
        """Give the lifecycle policy's document, or ``None``."""
        with refusable(f"reading the lifecycle policy of {repository_name}"):
            try:
                answer = self._client.get_lifecycle_policy(repositoryName=repository_name)
            except ClientError as error:
                if code_of(error) == "LifecyclePolicyNotFoundException":
                    return None
                raise
            return Document(answer["lifecyclePolicyText"])

    def repository_policy(self, repository_name: str) -> Mapping[str, Any] | None:
        """Give the repository policy's document, or ``None``."""
        with refusable(f"reading the policy of {repository_name}"):
            try:
                answer = self._client.get_repository_policy(repositoryName=repository_name)
            except ClientError as error:
                if code_of(error) == "RepositoryPolicyNotFoundException":
                    return None
                raise
            return Document(answer["policyText"])

    def resource_tags(self, repository_name: str) -> dict[str, str]:
        """Give the repository's resource tags."""
        with refusable(f"reading the resource tags of {repository_name}"):
            answer = self._client.list_tags_for_resource(resourceArn=self._arn(repository_name))
        return {tag["Key"]: tag.get("Value", "") for tag in answer.get("tags", [])}

    def replication(self) -> tuple[ReplicationRule, ...]:
        """Give the registry's replication rules."""
        with refusable("reading the registry's replication"):
            answer: Any = self._client.describe_registry()
            return replication_rules(answer.get("replicationConfiguration", {}))

    def scanning(self) -> RegistryScanning:
        """Give the registry's scanning configuration."""
        with refusable("reading the registry's scanning"):
            answer: Any = self._client.get_registry_scanning_configuration()
            return registry_scanning(answer.get("scanningConfiguration", {}))

    def put(self, setting: Setting, repository_name: str, value: Mapping[str, Any]) -> None:
        """Write one setting; ``value`` is as planners' ``Put`` has it."""
        writers: dict[Setting, Callable[[str, Mapping[str, Any]], object]] = {
            Setting.TAG_MUTABILITY: self._put_tag_mutability,
            Setting.LIFECYCLE: self._put_lifecycle,
            Setting.REGISTRY_SCANNING: self._put_scanning,
            Setting.SCAN_ON_PUSH: self._put_scan_on_push,
            Setting.REPLICATION: self._put_replication,
            Setting.RESOURCE_TAGS: self._put_resource_tags,
            Setting.REPOSITORY_POLICY: self._put_repository_policy,
        }
        with refusable(f"setting {setting} of {repository_name}"):
            writers[setting](repository_name, value)

    def _put_tag_mutability(self, repository_name: str, value: Mapping[str, Any]) -> None:
        filters: Any = [
            {"filterType": "WILDCARD", "filter": wildcard} for wildcard in value.get("except", [])
        ]
        # ECR wants filters with the two modes that have exclusions, and none with the others.
        named: Any = {"imageTagMutabilityExclusionFilters": filters} if filters else {}
        self._client.put_image_tag_mutability(
            repositoryName=repository_name, imageTagMutability=value["mode"], **named
        )

    def _put_lifecycle(self, repository_name: str, value: Mapping[str, Any]) -> None:
        self._client.put_lifecycle_policy(
            repositoryName=repository_name, lifecyclePolicyText=text_of(value) or lifecycle_text(value)
        )

    def _put_scanning(self, _repository_name: str, value: Mapping[str, Any]) -> None:
        self._client.put_registry_scanning_configuration(scanType=value["scanType"], rules=value["rules"])

    def _put_scan_on_push(self, repository_name: str, value: Mapping[str, Any]) -> None:
        self._client.put_image_scanning_configuration(
            repositoryName=repository_name, imageScanningConfiguration={"scanOnPush": value["scan_on_push"]}
        )

    def _put_replication(self, _repository_name: str, value: Mapping[str, Any]) -> None:
        self._client.put_replication_configuration(replicationConfiguration={"rules": value["rules"]})

    def _put_resource_tags(self, repository_name: str, value: Mapping[str, Any]) -> None:
        self._client.tag_resource(
            resourceArn=self._arn(repository_name),
            tags=[{"Key": key, "Value": text} for key, text in value.items()],
        )

    def _put_repository_policy(self, repository_name: str, value: Mapping[str, Any]) -> None:
        self._client.set_repository_policy(
            repositoryName=repository_name, policyText=text_of(value) or policy_text(value)
        )

    def start_backfill(self, destination: RegistryDestination) -> None:
        """Replicate what was pushed before, or raise ``BusyError`` while another backfill is under way."""
        what = f"starting a backfill to {destination.registry_id}/{destination.region}"
        with refusable(what):
            try:
                self._client.start_replication_backfill(
                    destination={"region": destination.region, "registryId": destination.registry_id}
                )
            except ClientError as error:
                if code_of(error) in _BUSY:
                    raise BusyError(f"{what}: {error}") from error
                raise


def repository_of(found: Mapping[str, Any]) -> Repository:
    """Read one of DescribeRepositories's repositories."""
    encryption = found.get("encryptionConfiguration") or {"encryptionType": "AES256"}
    filters = found.get("imageTagMutabilityExclusionFilters", [])
    mode = found.get("imageTagMutability", "MUTABLE")
    return Repository(
        name=found["repositoryName"],
        mutability=Mutability(mode, tuple(one["filter"] for one in filters)),
        scan_on_push=found.get("imageScanningConfiguration", {}).get("scanOnPush", False),
        encryption_type=encryption["encryptionType"],
        kms_key=encryption.get("kmsKey"),
        created_at=found.get("createdAt"),
    )
