"""ECR, as ECR really treats what it is asked, on top of moto.

Simulated here, after the API's model and AWS's documentation:

- the model's limits (lengths, patterns, enumerations, required members) of every operation below, as
  InvalidParameterException;
- PutImage (digests, the tags' form and number, mutability with exclusions, moving a tag, an index's
  children, ImageAlreadyExists, create on push), BatchGetImage, BatchDeleteImage (last tags, children of an
  index), and the events that ECR sends of them;
- paging of DescribeRepositories, DescribeImages and ListImages, with their filters;
- CreateRepository with CloudTrail's event of each call, and of the repositories that ECR makes itself;
- PutImageTagMutability, PutLifecyclePolicy, SetRepositoryPolicy, TagResource; DescribeRegistry and
  PutReplicationConfiguration, the registry's scanning configuration; repository creation templates;
- replication backfills, lifecycle previews, storage classes.

Not simulated: layers that are missing, the rates of calls, quotas on repositories and templates,
replication, scans, lifecycle runs, pull-through caches, KMS keys and roles that are not there, the waiting
between ACTIVATING and ACTIVE. A repository that CloudFormation makes sends no event. What AWS does not
document is decided so: a template with KMS or resource tags and without a role is an
InvalidParameterException; BatchGetImage fails for an archived image as ImageInaccessible; a storage class
that an image already has is answered as it is, without an event. What moto does otherwise is moto's own.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final
from unittest.mock import patch

from botocore import xform_name
from moto.core.responses import ActionResult
from moto.ecr import models
from moto.ecr.models import ECRBackend
from moto.ecr.responses import ECRResponse

from ecr_warden_cli.local.ecr_double import (
    backfill,
    images,
    lifecycle_preview,
    listing,
    registry,
    repositories,
    storage,
    templates,
)
from ecr_warden_cli.local.ecr_double.api import Emit, Handler, repository_of
from ecr_warden_cli.local.ecr_double.backfill import end_backfill
from ecr_warden_cli.local.ecr_double.events import recorded
from ecr_warden_cli.local.ecr_double.images import is_immutable, seed_image
from ecr_warden_cli.local.ecr_double.manifests import children
from ecr_warden_cli.local.ecr_double.repositories import make_repository
from ecr_warden_cli.local.ecr_double.storage import Storage, storage_of
from ecr_warden_cli.local.ecr_double.templates import create_by_service
from ecr_warden_cli.local.ecr_double.validation import model, validated

__all__ = [
    "Emit",
    "Storage",
    "children",
    "create_by_service",
    "end_backfill",
    "faithful_ecr",
    "is_immutable",
    "make_repository",
    "repository_of",
    "seed_image",
    "storage_of",
]

_OPERATIONS: Final[dict[str, Handler]] = {
    "BatchGetImage": images.batch_get_image,
    "CreateRepositoryCreationTemplate": templates.create,
    "DeleteRepositoryCreationTemplate": templates.delete,
    "DescribeImages": listing.describe_images,
    "DescribeRegistry": registry.describe_registry,
    "DescribeReplicationBackfillResults": backfill.describe_results,
    "DescribeRepositories": repositories.describe_repositories,
    "DescribeRepositoryCreationTemplates": templates.describe,
    "GetDownloadUrlForLayer": storage.get_download_url_for_layer,
    "GetLifecyclePolicyPreview": lifecycle_preview.get,
    "GetRegistryScanningConfiguration": registry.get_registry_scanning_configuration,
    "ListImages": listing.list_images,
    "ListReplicationBackfills": backfill.list_all,
    "PutImageTagMutability": repositories.put_image_tag_mutability,
    "PutLifecyclePolicy": repositories.put_lifecycle_policy,
    "PutRegistryScanningConfiguration": registry.put_registry_scanning_configuration,
    "PutReplicationConfiguration": registry.put_replication_configuration,
    "SetRepositoryPolicy": repositories.set_repository_policy,
    "StartLifecyclePolicyPreview": lifecycle_preview.start,
    "StartReplicationBackfill": backfill.start,
    "StopReplicationBackfill": backfill.stop,
    "TagResource": repositories.tag_resource,
    "UpdateRepositoryCreationTemplate": templates.update,
}


@contextmanager
def faithful_ecr(emit: Emit) -> Iterator[None]:
    """Let moto answer as above, and send ECR's events while the context lasts."""
    operations = {name: validated(name, handler) for name, handler in _OPERATIONS.items()}
    for name, handler in (
        ("PutImage", images.putting(emit)),
        ("BatchDeleteImage", images.deleting(emit)),
        ("UpdateImageStorageClass", storage.updating_storage_class(emit)),
    ):
        operations[name] = validated(name, handler)
    # What the model refuses is a call of CreateRepository too, which CloudTrail tells of.
    create = validated("CreateRepository", repositories.create_repository)
    operations["CreateRepository"] = recorded(emit, create)
    name_pattern = model().shape_for("RepositoryName").metadata["pattern"]
    with ExitStack() as patches:
        # moto's own knows no two hyphens in a row.
        patches.enter_context(patch.object(models, "ECR_REPOSITORY_NAME_PATTERN", name_pattern))
        matches = registry.matches_scanning_filter
        patches.enter_context(patch.object(ECRBackend, "_match_repository_filter", matches))
        for name, handler in operations.items():
            patches.enter_context(
                patch.object(ECRResponse, xform_name(name), _answering(handler), create=True)
            )
        yield


def _answering(handler: Handler) -> Callable[[ECRResponse], ActionResult]:
    def answer(response: ECRResponse) -> ActionResult:
        return ActionResult(handler(response.ecr_backend, json.loads(response.body or "{}")))

    return answer
