"""The models of the sections about a repository's settings, with what ECR would refuse of each."""

import json
import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, StrictBool, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from ecr_warden.domain.settings.repository_policy import document_problems
from ecr_warden.domain.settings.resource_tags import tag_problems
from ecr_warden_cli.policy.base import Model, Text

_EXCLUSION: Final = re.compile(r"[0-9a-zA-Z._*-]{1,128}", re.ASCII)
_DESTINATION: Final = re.compile(r"(?:\d{12}/)?[a-z]{2,}(?:-[a-z]+)+-\d+", re.ASCII)
_KEY_ARN: Final = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+", re.ASCII)
_PLACEHOLDER_LIKE: Final = re.compile(r"\{[^}]*\}?")
PLACEHOLDERS: Final = ("{creator}", "{created_at}")


def _exclusion(wildcard: str) -> str:
    if not _EXCLUSION.fullmatch(wildcard):
        raise ValueError(
            f"{wildcard!r}: an exclusion has 1 to 128 letters, digits, '.', '_', '-', and * for any others"
        )
    return wildcard


def _destination(text: str) -> str:
    if not _DESTINATION.fullmatch(text):
        raise ValueError(
            f"{text!r} is no destination: give a Region, as in eu-west-1, or account/Region, as in "
            "222222222222/eu-west-1"
        )
    return text


def _tag_value(value: str) -> str:
    for placeholder in _PLACEHOLDER_LIKE.findall(value):
        if placeholder not in PLACEHOLDERS:
            raise ValueError(f"{value!r}: {placeholder} is not known here: {' or '.join(PLACEHOLDERS)}")
    return value


Days = Annotated[int, Field(strict=True, ge=1)]
Destination = Annotated[str, AfterValidator(_destination)]


class TagMutabilityModel(Model):
    """Whether a tag that exists may be moved to another image."""

    immutable: StrictBool
    """true: tags stay where they are."""
    excluded: Annotated[
        list[Annotated[str, AfterValidator(_exclusion)]], Field(alias="except", max_length=5)
    ] = []
    """Wildcards of tags that are the other way; at most five."""


class LifecycleModel(Model):
    """Which images expire or go to the archive: ECR's own document (rules), or the shorthand."""

    rules: list[dict[str, Any]] | None = None
    """ECR's own rules, as they are. Nothing else may be given with them."""
    keep_last: Days | None = None
    """Keep so many images, the newest; others expire."""
    keep_tagged: Days | None = None
    """Keep so many tagged images, the newest; other tagged ones expire."""
    expire_untagged_after_days: Days | None = None
    """Untagged images expire so many days after their push."""
    expire_after_days: Days | None = None
    """All images expire so many days after their push."""
    archive_unpulled_after_days: Days | None = None
    """Images go to the archive when they were not pulled for so many days."""
    delete_archived_after_days: Days | None = None
    """Archived images expire after so many days in the archive; 90 at least."""
    keep: list[Text] = []
    """Patterns of tags whose images are always kept; * stands for any characters."""
    quarantine_days: Days = 14
    """Quarantined images expire so many days after their push."""


class ScanningModel(Model):
    """How images are scanned: the registry's configuration, and the repository's own setting."""

    type: Literal["basic", "enhanced"] | None = None
    """The registry's type of scanning; one for the whole registry."""
    frequency: Literal["scan_on_push", "continuous", "manual"] | None = None
    """How often the registry scans the images of what the rule matches."""
    scan_on_push: StrictBool | None = None
    """The repository's own setting, which the registry's supersedes."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.frequency is None and self.scan_on_push is None:
            raise ValueError("scanning says nothing: give frequency, for the registry, or scan_on_push")
        return self


class ReplicationModel(Model):
    """Where images are replicated to."""

    destinations: Annotated[list[Destination], Field(min_length=1)]
    """Regions, or account/Region."""
    backfill: StrictBool = False
    """Whether images that were pushed before are replicated too."""

    @model_validator(mode="before")
    @classmethod
    def _of_list(cls, value: object) -> object:
        return {"destinations": value} if isinstance(value, list) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Let editors take the list alone too."""
        whole = handler.resolve_ref_schema(handler(core))
        shorthand = dict(whole["properties"]["destinations"])
        return {"title": whole["title"], "anyOf": [shorthand, whole]}


class ResourceTagsModel(Model):
    """The repository's resource tags."""

    set: dict[Text, Annotated[str, AfterValidator(_tag_value)]] = {}
    """Tags that it gets. {creator} and {created_at} stand for who created it, and when."""
    require: list[Text] = []
    """Keys that it must have; people are told which are missing."""

    @model_validator(mode="after")
    def _is_what_ecr_takes(self) -> Self:
        if not self.set and not self.require:
            raise ValueError("resource_tags says nothing: give set or require")
        problems = tag_problems({**dict.fromkeys(self.require, ""), **self.set})
        if problems:
            raise ValueError("; ".join(problems))
        return self


class RepositoryPolicyModel(Model):
    """Who may do what with the repository: an IAM policy document."""

    document: dict[str, Any]
    """The document. It may also stand in place of this object."""
    merge_by_sid: StrictBool = False
    """Put statements into a policy that is there, each unless it has one of its Sid."""

    @model_validator(mode="before")
    @classmethod
    def _of_document(cls, value: object) -> object:
        return {"document": value} if isinstance(value, dict) and "Statement" in value else value

    @model_validator(mode="after")
    def _is_what_ecr_takes(self) -> Self:
        problems = document_problems(self.document, needs_sids=self.merge_by_sid)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Let editors take the document alone too."""
        whole = handler.resolve_ref_schema(handler(core))
        return {"title": whole["title"], "anyOf": [{"type": "object", "required": ["Statement"]}, whole]}


class EncryptionModel(Model):
    """How the repository must be encrypted. It cannot be changed later, so a violation is told."""

    type: Literal["AES256", "KMS", "KMS_DSSE"]
    """ECR's encryption type."""
    kms_key: Text | None = None
    """The ARN of the key; without it, any key will do."""

    @model_validator(mode="after")
    def _key_goes_with_kms(self) -> Self:
        if self.kms_key is not None and self.type == "AES256":
            raise ValueError("kms_key goes with KMS or KMS_DSSE: AES256 uses a key of ECR's own")
        if self.kms_key is not None and not _KEY_ARN.fullmatch(self.kms_key):
            raise ValueError(
                f"{self.kms_key!r} is no key's ARN: ECR says which key it is by that alone, as in "
                "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-…"
            )
        return self


def as_json_text(document: object) -> str:
    """Give a document as JSON, the same for the same document."""
    return json.dumps(document, separators=(",", ":"))
