"""The policy file's model: one description, from which validation and the JSON Schema both come."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, model_validator

from ecr_warden.domain.artifacts import Artifact
from ecr_warden.domain.policy import Mode, Severity, TagAction
from ecr_warden_cli.policy.base import LastDay, Model, RepositoryGlob, TagPattern, Text
from ecr_warden_cli.policy.scan_gate_model import PackageName, ScanGateModel, VulnerabilityId
from ecr_warden_cli.policy.settings_model import (
    EncryptionModel,
    LifecycleModel,
    ReplicationModel,
    RepositoryPolicyModel,
    ResourceTagsModel,
    ScanningModel,
    TagMutabilityModel,
)
from ecr_warden_cli.policy.telling_model import Channels, MessagesModel, RouteModel

JUDGED_ARTIFACTS: Final = tuple(kind for kind in Artifact if kind is not Artifact.REFERRER)


def _whole_number(value: object) -> object:
    # Python takes true and 1.0 for 1.
    if type(value) is not int:
        raise ValueError(f"version: expected 1, got {value!r}")
    return value


class TagRulesModel(Model):
    """Which tags may be pushed."""

    allow: list[TagPattern] = []
    """Any must match: semver, git-sha, calver, date, a glob, or re: and an RE2 expression."""
    deny: list[TagPattern] = []
    """None may match."""
    on_violation: TagAction = TagAction.NOTIFY
    """What to do, in enforce mode, with a tag that breaks the rule."""
    artifacts: Annotated[list[Literal[*JUDGED_ARTIFACTS]], Field(min_length=1)] = [Artifact.IMAGE]  # type: ignore[valid-type]
    """The kinds of artifact that the rule is for."""
    severity: Severity = Severity.MEDIUM
    """How much a violation matters."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.allow and not self.deny:
            raise ValueError("tags has neither allow nor deny: give one of them, or remove the section")
        return self


class RuleModel(Model):
    """The repositories that a rule is for, and its sections."""

    match: Annotated[list[RepositoryGlob], Field(min_length=1)]
    """Globs over repository names; ** stands for any number of segments."""
    excluded: Annotated[list[RepositoryGlob], Field(alias="except")] = []
    """Globs of the repositories that the rule is not for."""
    mode: Mode | None = None
    """Overrides the policy's mode."""
    tags: TagRulesModel | None = None
    """Which tags may be pushed."""
    override: StrictBool = False
    """Whether a setting that somebody chose is replaced too."""
    tag_mutability: TagMutabilityModel | None = None
    lifecycle: LifecycleModel | None = None
    scanning: ScanningModel | None = None
    replicate_to: ReplicationModel | None = None
    resource_tags: ResourceTagsModel | None = None
    repository_policy: RepositoryPolicyModel | None = None
    encryption: EncryptionModel | None = None
    scan_gate: ScanGateModel | None = None
    """What scans may find in an image, and what happens to one in which they find more."""


class ExceptionModel(Model):
    """Tags that pass, or a vulnerability that does not count, for a time."""

    model_config = ConfigDict(
        # What _names_one_thing says, for editors.
        json_schema_extra={
            "oneOf": [{"required": ["tag"]}, {"required": ["vulnerability"]}],
            "dependentRequired": {"package": ["vulnerability"]},
        }
    )

    repository: RepositoryGlob
    """A glob over repository names."""
    tag: TagPattern | None = None
    """The tags that pass; or else give a vulnerability."""
    vulnerability: VulnerabilityId | None = None
    """The id of what does not count, such as CVE-2026-1234, in upper or lower case; or else give a tag."""
    package: PackageName | None = None
    """The package in which the vulnerability does not count; without it, in all."""
    until: LastDay
    """The last day, in UTC. Every exception ends."""
    reason: Text
    """Why."""

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        if self.tag is None and self.vulnerability is None:
            raise ValueError("the exception has neither tag nor vulnerability: give one of them")
        if self.tag is not None and self.vulnerability is not None:
            raise ValueError("the exception has tag and vulnerability: make two of it, one for each")
        if self.package is not None and self.vulnerability is None:
            raise ValueError("package goes with vulnerability: remove it from the exception of a tag")
        return self


class PolicyModel(Model):
    """ECR Warden's policy file."""

    version: Annotated[Literal[1], BeforeValidator(_whole_number)]
    mode: Mode = Mode.AUDIT
    """audit: decide and tell. enforce: act."""
    rules: list[RuleModel] = []
    """The first rule that matches and has a section decides that section."""
    exceptions: list[ExceptionModel] = []
    channels: Channels = {}
    """Where people look, and machines listen, by name."""
    routes: list[RouteModel] = []
    """Which outcomes go to which channels, and when; each goes to the channels of all routes that take it."""
    messages: MessagesModel = MessagesModel()


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema for editors."""
    schema = PolicyModel.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
