"""Images: PutImage, BatchGetImage and BatchDeleteImage, and the events that ECR sends of them."""

import re
from collections.abc import Sequence
from typing import Any, Final

from moto.ecr.exceptions import ImageAlreadyExistsException
from moto.ecr.models import ECRBackend, Image, Repository

from ecr_warden_cli.local.ecr_double.api import Emit, Handler, Parameters, error, invalid, named, now
from ecr_warden_cli.local.ecr_double.events import image_action, media_types
from ecr_warden_cli.local.ecr_double.manifests import children, digest_of, parsed
from ecr_warden_cli.local.ecr_double.storage import activate, is_archived, storage_of
from ecr_warden_cli.local.ecr_double.templates import create_by_service, template_for

TAGS_AN_IMAGE: Final = 1000
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,299}", re.ASCII)


def putting(emit: Emit) -> Handler:
    """Give PutImage, which sends an event, and makes a repository where a template lets it."""

    def put(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
        name, tag = parameters["repositoryName"], parameters.get("imageTag")
        if name not in backend.repositories and template_for(backend, name, "CREATE_ON_PUSH"):
            create_by_service(emit, backend, name, "CREATE_ON_PUSH")
        image = put_image(backend, parameters)
        types = media_types(image, parsed(image.image_manifest))
        detail = {"image_digest": image.image_digest, "image_tag": tag or "", **types}
        image_action(emit, backend, name, "PUSH", **detail)
        return {"image": _given(image, tag)}

    return put


def put_image(backend: ECRBackend, parameters: Parameters) -> Image:
    """Store a manifest, or give a stored one a tag; one that is archived is active again."""
    repository, manifest, tag = (
        named(backend, parameters),
        parameters["imageManifest"],
        parameters.get("imageTag"),
    )
    media_type = parameters.get("imageManifestMediaType") or parsed(manifest).get("mediaType")
    if not isinstance(media_type, str):
        raise invalid("imageManifestMediaType", "The media type must be given or be in the manifest")
    if tag is not None and not _TAG.fullmatch(tag):
        raise invalid("imageTag", f"{tag!r} is not a tag")
    image = next((image for image in repository.images if image.image_manifest == manifest), None)
    digest = image.image_digest if image else digest_of(manifest)
    if parameters.get("imageDigest") not in {None, digest}:
        raise error("ImageDigestDoesNotMatchException", f"The manifest's digest is {digest}")
    if image is None:
        _check_children(repository, manifest)
    else:
        _check_new(repository, image, tag)
    if tag is not None:
        _free_tag(repository, tag)
    if image is None:
        image = Image(backend.account_id, tag, manifest, repository.name, media_type, digest)
        repository.images.append(image)
    elif tag is not None:
        image.update_tag(tag)
    return image


def _check_new(repository: Repository, image: Image, tag: str | None) -> None:
    """Refuse what changes nothing; pushing an archived image restores it."""
    if is_archived(image):
        activate(image)
    elif tag is None or tag in image.image_tags:
        raise ImageAlreadyExistsException(
            registry_id=repository.registry_id,
            image_tag=tag or "",
            digest=image.image_digest,
            repository_name=repository.name,
        )
    if len(image.image_tags) >= TAGS_AN_IMAGE and tag is not None and tag not in image.image_tags:
        raise error("LimitExceededException", f"An image can have {TAGS_AN_IMAGE} tags")


def _check_children(repository: Repository, manifest: str) -> None:
    missing = children(manifest) - {image.image_digest for image in repository.images}
    if missing:
        raise error("ReferencedImagesNotFoundException", f"The images {sorted(missing)} do not exist")


def _free_tag(repository: Repository, image_tag: str) -> None:
    """Take a tag from the image that has it, where the repository lets it move."""
    holder = find_image(repository, {"imageTag": image_tag})
    if holder is None:
        return
    if is_immutable(repository, image_tag):
        raise error(
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


def _given(image: Image, tag: str | None) -> dict[str, Any]:
    return {
        "registryId": image.registry_id,
        "repositoryName": image.repository_name,
        "imageId": {"imageDigest": image.image_digest} | ({"imageTag": tag} if tag else {}),
        "imageManifest": image.image_manifest,
        "imageManifestMediaType": image.image_manifest_media_type,
    }


def batch_get_image(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Give images by digest or tag, each with the tag that it was asked by; ECR calls this a pull."""
    repository = named(backend, parameters)
    found: list[dict[str, Any]] = []
    failures = []
    for image_id in parameters["imageIds"]:
        image = find_image(repository, image_id)
        if image is None:
            failures.append(_failure(image_id, "ImageNotFound", "Requested image not found"))
        elif is_archived(image):
            failures.append(_failure(image_id, "ImageInaccessible", "Requested image is archived"))
        else:
            storage_of(image).pulled_at = now()
            found.append(_given(image, image_id.get("imageTag")))
    return {"images": found, "failures": failures}


def find_image(repository: Repository, image_id: dict[str, str]) -> Image | None:
    """Find an image by its digest, one of its tags, or both."""
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


def deleting(emit: Emit) -> Handler:
    """Give BatchDeleteImage, which sends an event of each tag and image that it removed."""

    def delete(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
        repository = named(backend, parameters)
        removed: list[dict[str, str]] = []
        failures: list[dict[str, Any]] = []
        for image_id in parameters["imageIds"]:
            problem = _delete(repository, image_id, removed)
            if problem is not None:
                failures.append(_failure(image_id, *problem))
        for one in removed:
            detail = {"image_digest": one["imageDigest"], "image_tag": one.get("imageTag", "")}
            image_action(emit, backend, repository.name, "DELETE", **detail)
        return {"imageIds": removed, "failures": failures}

    return delete


def _delete(
    repository: Repository, image_id: dict[str, str], removed: list[dict[str, str]]
) -> tuple[str, str] | None:
    """Remove one tag or image, noting it in ``removed``; give the code and reason of a failure."""
    tag = image_id.get("imageTag")
    image = find_image(repository, image_id)
    if image is None:
        if tag is not None and "imageDigest" in image_id and find_image(repository, {"imageTag": tag}):
            return "ImageTagDoesNotMatchDigest", "The tag names another image"
        return "ImageNotFound", "Requested image not found"
    if tag is not None and len(image.image_tags) > 1:
        _untag(image, tag)
        removed.append({"imageDigest": image.image_digest, "imageTag": tag})
        return None
    indexes = [
        one.image_digest for one in repository.images if image.image_digest in children(one.image_manifest)
    ]
    if indexes:
        return "ImageReferencedByManifestList", f"Requested image referenced by manifest list: {indexes}"
    tags = image.image_tags if tag is None else [tag]
    removed.extend({"imageDigest": image.image_digest, "imageTag": one} for one in tags)
    if not tags:
        removed.append({"imageDigest": image.image_digest})
    repository.images.remove(image)
    return None


def seed_image(  # noqa: PLR0913  # what an event names
    backend: ECRBackend,
    repository_name: str,
    *,
    digest: str,
    tags: Sequence[str],
    manifest: str,
    media_type: str,
    moves_tags: bool = True,
) -> None:
    """Make an image as if it had been pushed long ago: no event, and the digest as it is given.

    Without ``moves_tags``, a tag that another image has stays there.
    """
    repository = named(backend, {"repositoryName": repository_name})
    image = find_image(repository, {"imageDigest": digest})
    if image is None:
        image = Image(backend.account_id, None, manifest, repository_name, media_type, digest)
        repository.images.append(image)
    for tag in tags:
        holder = find_image(repository, {"imageTag": tag})
        if holder is None or (moves_tags and holder is not image):
            if holder is not None:
                _untag(holder, tag)
            image.update_tag(tag)
