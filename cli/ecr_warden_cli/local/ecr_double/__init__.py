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
- replication backfills, lifecycle previews, storage classes;
- DescribeImageScanFindings of basic scans and of Inspector's, StartImageScan, and the events of scans and
  findings. DescribeImages has the summary of Inspector's scans, and says nothing of basic ones, as ECR has it
  since Clair's ended;
- GetResources of the Resource Groups Tagging API, of repositories that have tags.

Not simulated: layers that are missing, the rates of calls, quotas on repositories and templates,
replication, lifecycle runs, pull-through caches, KMS keys and roles that are not there, the waiting between
ACTIVATING and ACTIVE. Nothing scans: what a scan found is what somebody says (``set_scan``,
``complete_scan``). A repository that CloudFormation makes sends no event.

What AWS does not document is decided so:

- a template with KMS or resource tags and without a role is an InvalidParameterException;
- BatchGetImage fails for an archived image as ImageInaccessible; a storage class that an image already has
  is answered as it is, without an event;
- the scan of an archived image has the status IMAGE_ARCHIVED and gives no findings; once the image is
  restored, the scan is as it was;
- neither counts nor dates are given before there are findings, and where a scan failed;
- the counts that a replayed event gave stay, until more findings are listed, or some that it counted are
  closed; ECR counts as UNTRIAGED what Inspector calls so;
- StartImageScan refuses an index, and what is no container, as UnsupportedImageTypeException; where Inspector
  scans the registry, it refuses everything.

What moto does otherwise is moto's own.
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
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend

from ecr_warden_cli.local.ecr_double import (
    backfill,
    images,
    lifecycle_preview,
    listing,
    registry,
    repositories,
    scans,
    storage,
    tagging,
    templates,
)
from ecr_warden_cli.local.ecr_double.api import Emit, Handler, make_tokens_stale, repository_of
from ecr_warden_cli.local.ecr_double.backfill import end_backfill
from ecr_warden_cli.local.ecr_double.events import recorded
from ecr_warden_cli.local.ecr_double.findings import Finding, Generated, basic_finding, enhanced_finding
from ecr_warden_cli.local.ecr_double.images import find_image, is_immutable, seed_image
from ecr_warden_cli.local.ecr_double.manifests import children
from ecr_warden_cli.local.ecr_double.repositories import make_repository
from ecr_warden_cli.local.ecr_double.scan_events import change_finding, complete_scan, fail_scan
from ecr_warden_cli.local.ecr_double.scans import (
    Scan,
    note_finding,
    note_scan,
    note_status,
    scan_of,
    set_scan,
)
from ecr_warden_cli.local.ecr_double.storage import Storage, storage_of
from ecr_warden_cli.local.ecr_double.templates import create_by_service
from ecr_warden_cli.local.ecr_double.validation import model, validated

__all__ = [
    "Emit",
    "Finding",
    "Generated",
    "Scan",
    "Storage",
    "basic_finding",
    "change_finding",
    "children",
    "complete_scan",
    "create_by_service",
    "end_backfill",
    "enhanced_finding",
    "fail_scan",
    "faithful_ecr",
    "find_image",
    "is_immutable",
    "make_repository",
    "make_tokens_stale",
    "note_finding",
    "note_scan",
    "note_status",
    "repository_of",
    "scan_of",
    "seed_image",
    "set_scan",
    "storage_of",
]

_OPERATIONS: Final[dict[str, Handler]] = {
    "BatchGetImage": images.batch_get_image,
    "CreateRepositoryCreationTemplate": templates.create,
    "DeleteRepositoryCreationTemplate": templates.delete,
    "DescribeImageScanFindings": scans.describe_image_scan_findings,
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
    "StartImageScan": scans.start_image_scan,
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
        listing = tagging.with_repositories(ResourceGroupsTaggingAPIBackend._get_resources_generator)  # noqa: SLF001  # moto has no other place where all resources come together
        patches.enter_context(
            patch.object(ResourceGroupsTaggingAPIBackend, "_get_resources_generator", listing)
        )
        for name, handler in operations.items():
            patches.enter_context(
                patch.object(ECRResponse, xform_name(name), _answering(handler), create=True)
            )
        yield


def _answering(handler: Handler) -> Callable[[ECRResponse], ActionResult]:
    def answer(response: ECRResponse) -> ActionResult:
        return ActionResult(handler(response.ecr_backend, json.loads(response.body or "{}")))

    return answer
