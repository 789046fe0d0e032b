"""Storage classes: an image is archived at once, and active again at the call after its restoring."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from moto.ecr.exceptions import ImageNotFoundException
from moto.ecr.models import ECRBackend, Image, Repository

from ecr_warden_cli.local.ecr_double.api import Emit, Handler, Parameters, error, named, now
from ecr_warden_cli.local.ecr_double.events import image_action, media_types
from ecr_warden_cli.local.ecr_double.manifests import layers, parsed

ACTIVE, ARCHIVED, ACTIVATING = "ACTIVE", "ARCHIVED", "ACTIVATING"


@dataclass
class Storage:
    """What ECR knows of an image beyond what moto has; a test may set any of it."""

    status: str = ACTIVE
    archived_at: datetime | None = None
    activated_at: datetime | None = None
    pulled_at: datetime | None = None


def storage_of(image: Image) -> Storage:
    """Give an image's storage."""
    return cast("Storage", vars(image).setdefault("storage", Storage()))


def is_archived(image: Image) -> bool:
    """Tell whether an image cannot be pulled."""
    return storage_of(image).status == ARCHIVED


def activate(image: Image) -> None:
    """Restore an image."""
    storage = storage_of(image)
    storage.status, storage.activated_at = ACTIVE, now()


def archive(image: Image) -> None:
    """Put an image into the archive."""
    storage = storage_of(image)
    storage.status, storage.archived_at = ARCHIVED, now()


def the_image(repository: Repository, image_id: dict[str, str]) -> Image:
    """Find an image, or raise ECR's error."""
    digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
    for image in repository.images:
        if digest in {None, image.image_digest} and (tag is None or tag in image.image_tags):
            return image
    asked = f"{{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}}"
    raise ImageNotFoundException(asked, repository.name, repository.registry_id)


def updating_storage_class(emit: Emit) -> Handler:
    """Give UpdateImageStorageClass; an image that has the class already stays so, without an event."""

    def update(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
        repository, target = named(backend, parameters), parameters["targetStorageClass"]
        image = the_image(repository, parameters["imageId"])
        is_new = is_archived(image) != (target == "ARCHIVE")
        if is_new:
            (archive if target == "ARCHIVE" else activate)(image)
            image_action(emit, backend, repository.name, "UPDATE_STORAGE_CLASS", **_detail(image, target))
        status = ACTIVATING if is_new and target == "STANDARD" else storage_of(image).status
        return {
            "registryId": repository.registry_id,
            "repositoryName": repository.name,
            "imageId": {**parameters["imageId"], "imageDigest": image.image_digest},
            "imageStatus": status,
        }

    return update


def _detail(image: Image, target: str) -> dict[str, str]:
    detail = {"target_storage_class": target, "image_digest": image.image_digest}
    detail |= media_types(image, parsed(image.image_manifest))
    activated = storage_of(image).activated_at
    if target == "STANDARD" and activated is not None:
        detail["last_activated_at"] = f"{activated:%Y-%m-%dT%H:%M:%S.00Z}"
    return detail


def get_download_url_for_layer(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Give a URL of a layer that an image has; nothing answers at it."""
    repository, layer = named(backend, parameters), parameters["layerDigest"]
    holders = [image for image in repository.images if layer in layers(image.image_manifest)]
    if not holders:
        raise error("LayersNotFoundException", f"The layer {layer} is not in {repository.name}")
    if all(is_archived(image) for image in holders):
        raise error("LayerInaccessibleException", f"The layer {layer} is archived")
    url = f"https://layers.invalid/{backend.account_id}/{repository.name}/{layer}"
    return {"downloadUrl": url, "layerDigest": layer}
