"""DescribeImages and ListImages, page by page.

An image that is removed between two pages moves those after it: a caller that removes as it lists may
miss some, as it must expect of ECR too.
"""

from typing import Any

from moto.ecr.models import ECRBackend, Image

from ecr_warden_cli.local.ecr_double.api import Parameters, named, page, refuse_pages_of
from ecr_warden_cli.local.ecr_double.events import media_types
from ecr_warden_cli.local.ecr_double.manifests import parsed, subject
from ecr_warden_cli.local.ecr_double.scans import summary
from ecr_warden_cli.local.ecr_double.storage import storage_of, the_image


def describe_images(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Give the images that are named, or a page of those that the filter lets through."""
    refuse_pages_of("imageIds", parameters)
    repository, image_ids = named(backend, parameters), parameters.get("imageIds")
    if image_ids is None:
        found = [image for image in repository.images if _passes(image, parameters.get("filter") or {})]
    else:
        # An image that is named is given in whatever state it is, and once.
        images = {id(image): image for image in (the_image(repository, one) for one in image_ids)}
        found = list(images.values())
    images_of_page, more = page(found, parameters)
    return {"imageDetails": [_detail(image) for image in images_of_page], **more}


def list_images(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Give a page of the tags, and of the images that have none."""
    found = [
        {"imageDigest": image.image_digest} | ({"imageTag": tag} if tag else {})
        for image in named(backend, parameters).images
        if _passes(image, parameters.get("filter") or {})
        for tag in image.image_tags or [None]
    ]
    image_ids, more = page(found, parameters)
    return {"imageIds": image_ids, **more}


def _passes(image: Image, wanted: dict[str, str]) -> bool:
    tags, status = wanted.get("tagStatus", "ANY"), wanted.get("imageStatus", "ACTIVE")
    has_tags = "TAGGED" if image.image_tags else "UNTAGGED"
    return tags in {"ANY", has_tags} and status in {"ANY", storage_of(image).status}


def _detail(image: Image) -> dict[str, Any]:
    storage, manifest = storage_of(image), parsed(image.image_manifest)
    detail = {
        "registryId": image.registry_id,
        "repositoryName": image.repository_name,
        "imageDigest": image.image_digest,
        # ECR leaves out what is not there.
        "imageTags": list(image.image_tags) or None,
        "imageSizeInBytes": _size(manifest),
        "imagePushedAt": image.image_pushed_at,
        "imageManifestMediaType": image.image_manifest_media_type,
        "artifactMediaType": media_types(image, manifest).get("artifact_media_type"),
        "lastRecordedPullTime": storage.pulled_at,
        "subjectManifestDigest": subject(image.image_manifest),
        "imageStatus": storage.status,
        "lastArchivedAt": storage.archived_at,
        "lastActivatedAt": storage.activated_at,
        **summary(image),
    }
    return {name: value for name, value in detail.items() if value is not None}


def _size(manifest: dict[str, Any]) -> int:
    parts = [*manifest.get("layers", []), *manifest.get("manifests", []), manifest.get("config", {})]
    return sum(part.get("size", 0) for part in parts)
