"""The policy file's model: one description, from which validation and the JSON Schema both come."""

from datetime import date
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from ecr_warden.domain.artifacts import Artifact
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Mode, Severity, TagAction
from ecr_warden_cli.policy.base import Model, RepositoryGlob, TagPattern, Text
from ecr_warden_cli.policy.settings_model import (
    EncryptionModel,
    LifecycleModel,
    ReplicationModel,
    RepositoryPolicyModel,
    ResourceTagsModel,
    ScanningModel,
    TagMutabilityModel,
)

# Sections of the design that this version cannot keep: refused, so that nobody rests on them.
SECTIONS_TO_COME: Final = ("scan_gate",)
JUDGED_ARTIFACTS: Final = tuple(kind for kind in Artifact if kind is not Artifact.REFERRER)


def _whole_number(value: object) -> object:
    # Python takes true and 1.0 for 1.
    if type(value) is not int:
        raise ValueError(f"version: expected 1, got {value!r}")
    return value


def _iso_date(value: object) -> object:
    # Pydantic takes a number for seconds since 1970.
    if not isinstance(value, str):
        raise ValueError(f"until: expected a date such as 2026-12-31, got {value!r}")  # noqa: TRY004  # pydantic's own
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


class ExceptionModel(Model):
    """Tags that pass for a time."""

    repository: RepositoryGlob
    """A glob over repository names."""
    tag: TagPattern
    """The tags that pass."""
    until: Annotated[date, BeforeValidator(_iso_date)]
    """The last day, in UTC. Every exception ends."""
    reason: Text
    """Why."""


class SlackModel(Model):
    """A Slack channel."""

    type: Literal["slack"]
    secret: Text
    """The Secrets Manager secret that holds the incoming webhook's URL."""


class SnsModel(Model):
    """The stack's SNS topic."""

    type: Literal["sns"]


class RouteModel(Model):
    """Which outcomes go to which channels."""

    outcomes: list[OutcomeKind] = []
    """Kinds of outcome; none named: all."""
    min_severity: Severity = Severity.INFO
    """The least severity that is told."""
    to: Annotated[list[Text], Field(min_length=1)]
    """Names of channels."""


class PolicyModel(Model):
    """ECR Warden's policy file."""

    version: Annotated[Literal[1], BeforeValidator(_whole_number)]
    mode: Mode = Mode.AUDIT
    """audit: decide and tell. enforce: act."""
    rules: list[RuleModel] = []
    """The first rule that matches and has a section decides that section."""
    exceptions: list[ExceptionModel] = []
    channels: dict[str, Annotated[SlackModel | SnsModel, Field(discriminator="type")]] = {}
    routes: list[RouteModel] = []


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema for editors."""
    schema = PolicyModel.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
