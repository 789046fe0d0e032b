"""Repository creation templates, and the repositories that ECR makes itself by them."""

import json
from typing import Any, Final, Literal, TypeAlias, cast

from moto.ecr.models import ECRBackend, Repository

from ecr_warden_cli.local.ecr_double.api import Emit, Parameters, error, invalid, now, page
from ecr_warden_cli.local.ecr_double.events import created_by_service
from ecr_warden_cli.local.ecr_double.repositories import make_repository
from ecr_warden_cli.local.ecr_double.validation import (
    check_lifecycle_text,
    check_mutability,
    check_tags,
)

Reason: TypeAlias = Literal["PULL_THROUGH_CACHE", "CREATE_ON_PUSH", "REPLICATION"]
Template: TypeAlias = dict[str, Any]

ROOT: Final = "ROOT"
_MUTABILITY: Final = ("imageTagMutability", "imageTagMutabilityExclusionFilters")


def templates_of(backend: ECRBackend) -> dict[str, Template]:
    """Give a registry's templates by prefix, without its last ``/``: moto empties a backend at its reset."""
    return cast("dict[str, Template]", vars(backend).setdefault("creation_templates", {}))


def create(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Make a template."""
    templates, key = templates_of(backend), _key(parameters["prefix"])
    if key in templates:
        raise error(
            "TemplateAlreadyExistsException",
            f"The template with prefix '{key}' already exists in the registry with id '{backend.account_id}'",
        )
    template: Template = {
        "imageTagMutability": "MUTABLE",
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }
    template |= parameters
    _check(template)
    templates[key] = template | {"createdAt": now(), "updatedAt": now()}
    return _answer(backend, templates[key])


def describe(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Give a page of the templates; a prefix that has none is left out."""
    wanted = parameters.get("prefixes")
    keys = None if wanted is None else {_key(prefix) for prefix in wanted}
    found = [item for key, item in templates_of(backend).items() if keys is None or key in keys]
    templates, more = page(found, parameters)
    return {"registryId": backend.account_id, "repositoryCreationTemplates": templates, **more}


def update(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Replace what is given; what is not stays, but for the mutability, which becomes MUTABLE."""
    old = _find(backend, parameters)
    kept = {name: value for name, value in old.items() if name not in _MUTABILITY}
    # ECR's reference: "If this parameter is omitted, the default setting of MUTABLE will be used".
    template = kept | {"imageTagMutability": "MUTABLE"} | parameters | {"prefix": old["prefix"]}
    _check(template)
    templates_of(backend)[_key(old["prefix"])] = template | {"updatedAt": now()}
    return _answer(backend, _find(backend, parameters))


def delete(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Remove a template."""
    template = _find(backend, parameters)
    del templates_of(backend)[_key(template["prefix"])]
    return _answer(backend, template)


def _key(prefix: str) -> str:
    # "There is always an assumed / applied to the end of the prefix."
    return prefix.removesuffix("/")


def _answer(backend: ECRBackend, template: Template) -> dict[str, Any]:
    return {"registryId": backend.account_id, "repositoryCreationTemplate": template}


def _find(backend: ECRBackend, parameters: Parameters) -> Template:
    template = templates_of(backend).get(_key(parameters["prefix"]))
    if template is None:
        raise error(
            "TemplateNotFoundException",
            f"The template with prefix '{parameters['prefix']}' does not exist "
            f"in the registry with id '{backend.account_id}'",
        )
    return template


def _check(template: Template) -> None:
    if not template["appliedFor"]:
        raise invalid("appliedFor", "Member must have length greater than or equal to 1")
    check_mutability(*(template.get(name) for name in _MUTABILITY))
    check_tags(template.get("resourceTags", []))
    if template.get("lifecyclePolicy"):
        check_lifecycle_text(template["lifecyclePolicy"])
    if template.get("repositoryPolicy"):
        _check_json(template["repositoryPolicy"])
    has_key = template["encryptionConfiguration"]["encryptionType"] != "AES256"
    if (has_key or template.get("resourceTags")) and not template.get("customRoleArn"):
        raise invalid("customRoleArn", "A custom role is required for KMS encryption and for resource tags")


def _check_json(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        raise invalid("PolicyText", "Invalid repository policy provided") from None


def template_for(backend: ECRBackend, repository_name: str, reason: Reason) -> Template | None:
    """Give the template of the most specific prefix that is for this reason; ROOT comes last."""
    able = {key: item for key, item in templates_of(backend).items() if reason in item["appliedFor"]}
    prefixes = [key for key in able if repository_name.startswith(f"{key}/")]
    return able[max(prefixes, key=len)] if prefixes else able.get(ROOT)


def create_by_service(emit: Emit, backend: ECRBackend, name: str, reason: Reason) -> Repository:
    """Make a repository as ECR makes one itself: by the template that matches, with CloudTrail's event.

    Without a template the repository has ECR's defaults.
    """
    template = template_for(backend, name, reason) or {}
    repository = make_repository(backend, name, template | {"tags": template.get("resourceTags", [])})
    repository.lifecycle_policy = template.get("lifecyclePolicy") or None
    repository.policy = template.get("repositoryPolicy") or None
    source = "replication.ecr.amazonaws.com" if reason == "REPLICATION" else "ecr.amazonaws.com"
    created_by_service(emit, backend, repository, source)
    return repository
