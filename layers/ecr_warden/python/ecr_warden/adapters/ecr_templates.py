"""Repository creation templates, through ECR's API."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, refusable
from ecr_warden.domain.settings.current import Mutability
from ecr_warden.domain.settings.lifecycle_rules import lifecycle_text
from ecr_warden.domain.settings.repository_policy import policy_text
from ecr_warden.domain.settings.templates import CreationTemplate, template_json
from ecr_warden.errors import RefusedError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

# Somebody was there first: nothing was written.
_OVERTAKEN: Final = frozenset({"TemplateAlreadyExistsException", "TemplateNotFoundException"})


class EcrTemplates:
    """The templates of one account's registry in one Region."""

    def __init__(self, client: "ECRClient") -> None:
        self._client = client

    def templates(self) -> tuple[CreationTemplate, ...]:
        """Give all templates."""
        found: list[CreationTemplate] = []
        more: dict[str, Any] = {}
        with refusable("reading the repository creation templates"):
            while True:
                answer: Any = self._client.describe_repository_creation_templates(**more)
                found += map(_template, answer.get("repositoryCreationTemplates", []))
                if not answer.get("nextToken"):
                    return tuple(found)
                more = {"nextToken": answer["nextToken"]}

    def create_template(self, template: CreationTemplate) -> None:
        """Make a template; ``RefusedError`` if there is one of the prefix."""
        with template_written(f"creating the creation template {template.prefix}"):
            self._client.create_repository_creation_template(**template_arguments(template))

    def update_template(self, template: CreationTemplate) -> None:
        """Replace all of a template; ``RefusedError`` if there is none of the prefix."""
        # ECR does not document whether a field that is left out stays as it is, so that none is.
        with template_written(f"updating the creation template {template.prefix}"):
            self._client.update_repository_creation_template(**template_arguments(template))


@contextmanager
def template_written(what: str) -> Iterator[None]:
    """Raise the SDK's errors as ours, and that somebody was there first as ``RefusedError``."""
    with refusable(what):
        try:
            yield
        except ClientError as error:
            if code_of(error) in _OVERTAKEN:
                raise RefusedError(f"{what}: {error}") from error
            raise


def _template(found: Mapping[str, Any]) -> CreationTemplate:
    mode = found.get("imageTagMutability")
    filters = found.get("imageTagMutabilityExclusionFilters") or ()
    encryption = found.get("encryptionConfiguration") or {}
    return CreationTemplate(
        # ECR assumes the / at the end, with which somebody may have written it.
        prefix=found["prefix"].removesuffix("/"),
        applied_for=frozenset(found.get("appliedFor") or ()),
        mutability=Mutability(mode, tuple(each["filter"] for each in filters)) if mode else None,
        lifecycle=_document(found.get("lifecyclePolicy")),
        repository_policy=_document(found.get("repositoryPolicy")),
        resource_tags={tag["Key"]: tag.get("Value", "") for tag in found.get("resourceTags") or ()},
        encryption_type=encryption.get("encryptionType"),
        kms_key=encryption.get("kmsKey") or None,
        custom_role_arn=found.get("customRoleArn") or None,
        description=found.get("description") or None,
    )


def _document(text: str | None) -> Mapping[str, Any] | None:
    """Read a policy as ECR gives it back; a template may have an empty one."""
    if not text:
        return None
    document: Mapping[str, Any] = json.loads(text)
    return document


def template_arguments(template: CreationTemplate) -> dict[str, Any]:
    """Give what ECR's API takes: the template's JSON, with lists and texts where ECR has them."""
    arguments = template_json(template)
    for name, form in _FORMS.items():
        if name in arguments:
            arguments[name] = form(arguments[name])
    return arguments


def _filters(wildcards: list[str]) -> list[dict[str, str]]:
    return [{"filterType": "WILDCARD", "filter": wildcard} for wildcard in wildcards]


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


_FORMS: Final[dict[str, Callable[[Any], object]]] = {
    "imageTagMutabilityExclusionFilters": _filters,
    "lifecyclePolicy": lifecycle_text,
    "repositoryPolicy": policy_text,
    "resourceTags": _tags,
}
