"""Repositories and what is set on each: CreateRepository, tag mutability, the lifecycle policy."""

import copy
from typing import Any

from moto.ecr.models import ECRBackend, Repository, RepositoryUpdateProperty

from ecr_warden_cli.local.ecr_double.api import Parameters, named, page, refuse_pages_of
from ecr_warden_cli.local.ecr_double.validation import (
    check_lifecycle_text,
    check_mutability,
    check_policy_text,
    check_tags,
)


def make_repository(backend: ECRBackend, name: str, settings: Parameters | None = None) -> Repository:
    """Make a repository as if it had always been there: no event; ``settings`` as CreateRepository has."""
    given = copy.deepcopy(settings or {})
    return backend.create_repository(
        repository_name=name,
        registry_id=None,
        encryption_config=given.get("encryptionConfiguration"),
        image_scan_config=given.get("imageScanningConfiguration"),
        image_tag_mutability=given.get("imageTagMutability"),
        image_tag_mutability_exclusion_filters=given.get("imageTagMutabilityExclusionFilters"),
        tags=given.get("tags", []),
    )


def create_repository(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Create a repository."""
    check_mutability(
        parameters.get("imageTagMutability"), parameters.get("imageTagMutabilityExclusionFilters")
    )
    check_tags(parameters.get("tags", []))
    return {"repository": make_repository(backend, parameters["repositoryName"], parameters)}


def describe_repositories(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Give the repositories that are named, or a page of all."""
    refuse_pages_of("repositoryNames", parameters)
    found = backend.describe_repositories(
        registry_id=parameters.get("registryId"), repository_names=parameters.get("repositoryNames")
    )
    repositories, more = page(found, parameters)
    return {"repositories": repositories, **more}


def put_image_tag_mutability(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Set whether tags may move."""
    mode = parameters["imageTagMutability"]
    filters = parameters.get("imageTagMutabilityExclusionFilters")
    check_mutability(mode, filters)
    repository = named(backend, parameters)
    repository.update(
        RepositoryUpdateProperty.IMAGE_TAG_MUTABILITY,
        image_tag_mutability=mode,
        image_tag_mutability_exclusion_filters=filters,
    )
    set_now = {"imageTagMutability": mode} | (
        {"imageTagMutabilityExclusionFilters": filters} if filters else {}
    )
    return {"registryId": repository.registry_id, "repositoryName": repository.name, **set_now}


def put_lifecycle_policy(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Store a lifecycle policy as it is given; ECR runs it once a day, and nothing runs it here."""
    repository, text = named(backend, parameters), parameters["lifecyclePolicyText"]
    check_lifecycle_text(text)
    repository.lifecycle_policy = text
    return {
        "registryId": repository.registry_id,
        "repositoryName": repository.name,
        "lifecyclePolicyText": text,
    }


def set_repository_policy(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Store a repository's policy as it is given."""
    repository, text = named(backend, parameters), parameters["policyText"]
    check_policy_text(text)
    repository.policy = text
    return {"registryId": repository.registry_id, "repositoryName": repository.name, "policyText": text}


def tag_resource(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Give a repository resource tags."""
    check_tags(parameters["tags"])
    backend.tag_resource(parameters["resourceArn"], parameters["tags"])
    return {}
