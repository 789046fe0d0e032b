"""ECR's images, as ECR really treats them, on top of moto.

Simulated here, after ECR's API reference: PutImage (digests, tags' form and number, mutability with
exclusions, moving a tag, an index's children, ImageAlreadyExists), BatchGetImage, BatchDeleteImage (last
tags, children of an index, 100 images a call), and the events that ECR sends of them. Not simulated:
layers that are missing, and the PutImage rate. What moto does otherwise is in moto's own code.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

from moto.core.exceptions import ServiceException
from moto.ecr.exceptions import (
    ImageAlreadyExistsException,
    InvalidParameterException,
    RepositoryNotFoundException,
)
from moto.ecr.models import ECRBackend, Image, Repository

# What takes an event's account, Region, detail-type and detail.
Emit = Callable[[str, str, str, dict[str, Any]], None]

IMAGES_A_CALL: Final = 100
TAGS_AN_IMAGE: Final = 1000
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,299}", re.ASCII)


def _error(code: str, message: str) -> Exception:
    """Give one of ECR's errors that moto lacks; moto tells the service by the class's module."""
    error: Exception = type(code, (ServiceException,), {"code": code, "__module__": "moto.ecr.exceptions"})(
        message
    )
    return error


def put_image(  # noqa: PLR0913, PLR0917  # moto's signature
    backend: ECRBackend,
    repository_name: str,
    image_manifest: str,
    image_tag: str | None,
    image_manifest_mediatype: str | None = None,
    digest: str | None = None,
) -> Image:
    """Store a manifest, or give a stored one a tag."""
    repository = repository_of(backend, repository_name)
    media_type = image_manifest_mediatype or _parsed(image_manifest).get("mediaType")
    if not isinstance(media_type, str):
        raise InvalidParameterException("The manifest's media type must be given or be in the manifest")
    if image_tag is not None and not _TAG.fullmatch(image_tag):
        raise InvalidParameterException(f"Invalid parameter at 'imageTag': {image_tag!r}")
    image = _stored(repository, image_manifest)
    true_digest = image.image_digest if image else _digest(image_manifest)
    if digest is not None and digest != true_digest:
        raise _error(
            "ImageDigestDoesNotMatchException", f"The digest {digest} is not the manifest's: {true_digest}"
        )
    if image is None:
        _check_children(repository, image_manifest)
    elif image_tag is None or image_tag in image.image_tags:
        raise ImageAlreadyExistsException(
            registry_id=repository.registry_id,
            image_tag=image_tag or "",
            digest=true_digest,
            repository_name=repository_name,
        )
    elif len(image.image_tags) >= TAGS_AN_IMAGE:
        raise _error("LimitExceededException", f"An image can have {TAGS_AN_IMAGE} tags")
    if image_tag is not None:
        _free_tag(repository, image_tag)
    if image is None:
        image = Image(
            backend.account_id,
            image_tag,
            image_manifest,
            repository_name,
            media_type,
            true_digest,
        )
        repository.images.append(image)
    elif image_tag is not None:
        image.update_tag(image_tag)
    return image


def repository_of(backend: ECRBackend, name: str) -> Repository:
    """Give a repository, or raise ECR's error."""
    repository = backend.repositories.get(name)
    if repository is None:
        raise RepositoryNotFoundException(name, backend.account_id)
    return repository


def _parsed(manifest: str) -> dict[str, Any]:
    try:
        parsed = json.loads(manifest)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise InvalidParameterException("Invalid parameter at 'ImageManifest': 'Invalid JSON syntax'")
    return parsed


def _stored(repository: Repository, manifest: str) -> Image | None:
    return next((image for image in repository.images if image.image_manifest == manifest), None)


def _digest(manifest: str) -> str:
    return f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"


def children(manifest: str) -> set[str]:
    """Give the digests that an index's manifest refers to."""
    return {child["digest"] for child in _parsed(manifest).get("manifests", [])}


def _check_children(repository: Repository, manifest: str) -> None:
    missing = children(manifest) - {image.image_digest for image in repository.images}
    if missing:
        raise _error("ReferencedImagesNotFoundException", f"The images {sorted(missing)} do not exist")


def _free_tag(repository: Repository, image_tag: str) -> None:
    """Take a tag from the image that has it, where the repository lets it move."""
    holder = next((image for image in repository.images if image_tag in image.image_tags), None)
    if holder is None:
        return
    if is_immutable(repository, image_tag):
        raise _error(
            "ImageTagAlreadyExistsException",
            f"The tag {image_tag} is immutable and names {holder.image_digest} in {repository.name}",
        )
    _untag(holder, image_tag)


def is_immutable(repository: Repository, image_tag: str) -> bool:
    """Tell whether a tag that exists may not be moved."""
    filters = repository.image_tag_mutability_exclusion_filters or []
    excluded = any(_wildcard(item["filter"]).fullmatch(image_tag) for item in filters)
    mode = str(getattr(repository.image_tag_mutability, "value", repository.image_tag_mutability))
    return mode.startswith("IMMUTABLE") != (excluded and mode.endswith("_WITH_EXCLUSION"))


def _wildcard(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")))


def _untag(image: Image, image_tag: str) -> None:
    image.remove_tag(image_tag)
    if not image.image_tags:
        image.image_tag = None


def batch_get_image(
    backend: ECRBackend,
    repository_name: str,
    _registry_id: str | None = None,
    image_ids: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Give images by digest or tag, each with the tag that it was asked by."""
    repository = repository_of(backend, repository_name)
    found: list[dict[str, Any]] = []
    failures = []
    for image_id in image_ids or []:
        image = _find(repository, image_id)
        if image is None:
            failures.append(_failure(image_id, "ImageNotFound", "Requested image not found"))
            continue
        found.append(
            {
                "registryId": repository.registry_id,
                "repositoryName": repository_name,
                "imageId": {"imageDigest": image.image_digest}
                | ({"imageTag": image_id["imageTag"]} if "imageTag" in image_id else {}),
                "imageManifest": image.image_manifest,
                "imageManifestMediaType": image.image_manifest_media_type,
            }
        )
    return {"images": found, "failures": failures}


def _find(repository: Repository, image_id: dict[str, str]) -> Image | None:
    digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
    return next(
        (
            image
            for image in repository.images
            if (digest is None or image.image_digest == digest) and (tag is None or tag in image.image_tags)
        ),
        None,
    )


def _failure(image_id: dict[str, str], code: str, reason: str) -> dict[str, Any]:
    return {"imageId": image_id, "failureCode": code, "failureReason": reason}


def batch_delete_image(
    backend: ECRBackend,
    repository_name: str,
    _registry_id: str | None = None,
    image_ids: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    """Remove tags and images."""
    repository = repository_of(backend, repository_name)
    if not image_ids or len(image_ids) > IMAGES_A_CALL:
        raise InvalidParameterException(f"Invalid parameter at 'imageIds': 1 to {IMAGES_A_CALL} images")
    removed: list[dict[str, str]] = []
    failures: list[dict[str, Any]] = []
    for image_id in image_ids:
        problem = _delete(repository, image_id, removed)
        if problem is not None:
            failures.append(_failure(image_id, *problem))
    return {"imageIds": removed, "failures": failures}


def _delete(
    repository: Repository, image_id: dict[str, str], removed: list[dict[str, str]]
) -> tuple[str, str] | None:
    """Remove one tag or image, noting it in ``removed``; give the code and reason of a failure."""
    tag = image_id.get("imageTag")
    image = _find(repository, image_id)
    if image is None:
        if tag is not None and "imageDigest" in image_id and _find(repository, {"imageTag": tag}):
            return "ImageTagDoesNotMatchDigest", "The tag names another image"
        return "ImageNotFound", "Requested image not found"
    if tag is None or len(image.image_tags) == 1:
        referrers = [
            other.image_digest
            for other in repository.images
            if image.image_digest in children(other.image_manifest)
        ]
        if referrers:
            return (
                "ImageReferencedByManifestList",
                f"Requested image referenced by manifest list: {referrers}",
            )
        tags = image.image_tags if tag is None else [tag]
        removed.extend({"imageDigest": image.image_digest, "imageTag": one} for one in tags)
        if not tags:
            removed.append({"imageDigest": image.image_digest})
        repository.images.remove(image)
        return None
    _untag(image, tag)
    removed.append({"imageDigest": image.image_digest, "imageTag": tag})
    return None


def seed_image(  # noqa: PLR0913  # what an event names
    backend: ECRBackend,
    repository_name: str,
    *,
    digest: str,
    tag: str | None,
    manifest: str,
    media_type: str,
) -> None:
    """Make an image as if it had been pushed long ago: no event, and the digest as it is given."""
    repository = repository_of(backend, repository_name)
    if tag is not None and (holder := _find(repository, {"imageTag": tag})) is not None:
        _untag(holder, tag)
    image = _find(repository, {"imageDigest": digest})
    if image is None:
        repository.images.append(
            Image(backend.account_id, tag, manifest, repository_name, media_type, digest)
        )
    elif tag is not None:
        image.update_tag(tag)


@contextmanager
def faithful_images(emit: Emit) -> Iterator[None]:
    """Let moto treat images as above, and send ECR's events while the context lasts."""

    def put(backend: ECRBackend, *arguments: Any, **named: Any) -> dict[str, Any]:  # noqa: ANN401  # moto's own
        image = put_image(backend, *arguments, **named)
        tag = named.get("image_tag", arguments[2] if len(arguments) > 2 else None)  # noqa: PLR2004  # moto's order
        emit(backend.account_id, backend.region_name, "ECR Image Action", _push_detail(image, tag))
        return {
            "registryId": image.registry_id,
            "repositoryName": image.repository_name,
            "imageId": {"imageDigest": image.image_digest} | ({"imageTag": tag} if tag else {}),
            "imageManifest": image.image_manifest,
            "imageManifestMediaType": image.image_manifest_media_type,
        }

    def delete(backend: ECRBackend, repository_name: str, *arguments: Any) -> dict[str, Any]:  # noqa: ANN401  # moto's own
        answer = batch_delete_image(backend, repository_name, *arguments)
        for image_id in answer["imageIds"]:
            detail = {
                "action-type": "DELETE",
                "result": "SUCCESS",
                "repository-name": repository_name,
                "image-digest": image_id["imageDigest"],
                "image-tag": image_id.get("imageTag", ""),
            }
            emit(backend.account_id, backend.region_name, "ECR Image Action", detail)
        return answer

    with ExitStack() as patches:
        for name, method in (
            ("put_image", put),
            ("batch_get_image", batch_get_image),
            ("batch_delete_image", delete),
        ):
            patches.enter_context(patch.object(ECRBackend, name, method))
        yield


def _push_detail(image: Image, tag: str | None) -> dict[str, Any]:
    manifest = _parsed(image.image_manifest)
    detail = {
        "action-type": "PUSH",
        "result": "SUCCESS",
        "repository-name": image.repository_name,
        "image-digest": image.image_digest,
        "image-tag": tag or "",
        "manifest-media-type": image.image_manifest_media_type,
    }
    # An OCI artifact says what it is in artifactType, or else in its config's media type.
    artifact = manifest.get("artifactType") or manifest.get("config", {}).get("mediaType")
    return detail | ({"artifact-media-type": artifact} if artifact else {})
