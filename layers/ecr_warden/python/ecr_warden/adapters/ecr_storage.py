"""The storage classes of a registry's images, through ECR's API."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, refusable
from ecr_warden.adapters.parts import in_parts
from ecr_warden.domain.images import INDEX_TYPES, StoredImage
from ecr_warden.errors import AwsError, RefusedError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

# What ECR takes in one call, by id and by page.
_IDS_A_CALL: Final = 100
_IMAGES_A_PAGE: Final = 1000
# What can be read within the time of a function: 20 pages, and 10 calls for manifests.
MOST_IMAGES: Final = 20_000
MOST_INDEXES: Final = 1_000
_ARCHIVED: Final = "ARCHIVED"
_ACTIVATING: Final = "ACTIVATING"


class EcrStorage:
    """One account's registry in one Region."""

    def __init__(self, client: "ECRClient") -> None:
        self._client = client

    def images(self, repository_name: str, image_digests: Collection[str]) -> tuple[StoredImage, ...]:
        """Describe images; those that do not exist are left out."""
        digests = list(dict.fromkeys(image_digests))
        with refusable(f"describing images of {repository_name}"):
            found = [
                image
                for part in in_parts(digests, _IDS_A_CALL)
                for image in self._described(repository_name, part)
            ]
        missing = set(digests) - {image["imageDigest"] for image in found}
        if missing:
            # That ECR describes archived images by digest is not documented; that it lists them is.
            archived = self._all(repository_name, _ARCHIVED)
            found += [image for image in archived if image["imageDigest"] in missing]
        return tuple(_stored(image) for image in found)

    def listed(self, repository_name: str) -> tuple[StoredImage, ...]:
        """Give every image of a repository, archived ones too.

        Raises ``RefusedError`` where there are more than can be looked through in time.
        """
        return tuple(_stored(image) for image in self._all(repository_name))

    def indexes(self, repository_name: str) -> tuple[tuple[StoredImage, tuple[str, ...]], ...]:
        """Give every image index of a repository that can be pulled, with its children's digests.

        Raises ``RefusedError`` where there are more images than can be looked through in time.
        """
        indexes = {
            image["imageDigest"]: image
            for image in self._all(repository_name)
            if image.get("imageManifestMediaType") in INDEX_TYPES and image.get("imageStatus") != _ARCHIVED
        }
        if len(indexes) > MOST_INDEXES:
            raise RefusedError(
                f"{repository_name} has {len(indexes)} image indexes, more than can be looked through "
                f"({MOST_INDEXES}): have a lifecycle policy expire old ones"
            )
        return tuple(
            (_stored(indexes[digest]), children)
            for part in in_parts(list(indexes), _IDS_A_CALL)
            for digest, children in self._children(repository_name, [indexes[one] for one in part]).items()
        )

    def archive(self, repository_name: str, image_digest: str) -> None:
        """Make an image one that cannot be pulled; that it is already is well."""
        self._put(repository_name, image_digest, "ARCHIVE")

    def restore(self, repository_name: str, image_digest: str) -> None:
        """Let an image be pulled again, which takes ECR up to 20 minutes; that it can be is well."""
        self._put(repository_name, image_digest, "STANDARD")

    def _described(self, repository_name: str, digests: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Describe images by at most 100 digests."""
        try:
            answer: Any = self._client.describe_images(
                repositoryName=repository_name, imageIds=[{"imageDigest": digest} for digest in digests]
            )
        except ClientError as error:
            if code_of(error) != "ImageNotFoundException":
                raise
            # One that is missing fails the whole call: half by half it is found in a few calls.
            if len(digests) > 1:
                middle = len(digests) // 2
                yield from self._described(repository_name, digests[:middle])
                yield from self._described(repository_name, digests[middle:])
            return
        yield from answer["imageDetails"]

    def _all(self, repository_name: str, status: Literal["ANY", "ARCHIVED"] = "ANY") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        with refusable(f"listing the images of {repository_name}"):
            pages: Any = self._client.get_paginator("describe_images").paginate(
                repositoryName=repository_name,
                # Without it ECR leaves out those that are archived or being restored.
                filter={"imageStatus": status},
                PaginationConfig={"PageSize": _IMAGES_A_PAGE},
            )
            for page in pages:
                found += page["imageDetails"]
                if len(found) > MOST_IMAGES:
                    raise RefusedError(
                        f"{repository_name} has more images than can be looked through ({MOST_IMAGES}): "
                        "have a lifecycle policy expire old ones"
                    )
        return found

    def _children(
        self, repository_name: str, indexes: Sequence[dict[str, Any]]
    ) -> dict[str, tuple[str, ...]]:
        """Read at most 100 indexes: give each one's children; those that nobody can pull are left out."""
        what = f"reading the image indexes of {repository_name}"
        with refusable(what):
            # ECR has no other way to a manifest, and counts it as a pull: a lifecycle rule by the last pull
            # then takes these images to be in use for longer.
            answer: Any = self._client.batch_get_image(
                repositoryName=repository_name,
                imageIds=[{"imageDigest": index["imageDigest"]} for index in indexes],
                acceptedMediaTypes=list(INDEX_TYPES),
            )
            children = {
                image["imageId"]["imageDigest"]: _children_of(image["imageManifest"])
                for image in answer["images"]
            }
        failures = {
            failure.get("imageId", {}).get("imageDigest"): failure for failure in answer.get("failures", [])
        }
        for index in indexes:
            digest = index["imageDigest"]
            if digest not in children:
                _check_unreadable(what, index, failures.get(digest, {}))
        return children

    def _put(
        self, repository_name: str, image_digest: str, storage_class: Literal["ARCHIVE", "STANDARD"]
    ) -> None:
        try:
            with refusable(
                f"putting {repository_name} {image_digest} into the storage class {storage_class}"
            ):
                self._client.update_image_storage_class(
                    repositoryName=repository_name,
                    imageId={"imageDigest": image_digest},
                    targetStorageClass=storage_class,
                )
        except RefusedError:
            # Whether ECR refuses a class that an image has already is not documented.
            found = self.images(repository_name, [image_digest])
            if not found or found[0].is_archived != (storage_class == "ARCHIVE"):
                raise


def _check_unreadable(what: str, index: dict[str, Any], failure: dict[str, Any]) -> None:
    """Raise an error, unless nobody can pull an index whose manifest ECR did not give."""
    digest, code = index["imageDigest"], failure.get("failureCode")
    if code == "ImageInaccessible" and index.get("imageStatus") == _ACTIVATING:
        raise RefusedError(f"{what}: {digest} is being restored, and cannot be read until it is")
    # Archived or deleted since it was listed.
    if code not in {"ImageInaccessible", "ImageNotFound"}:
        raise AwsError(f"{what}: {digest}: {code}: {failure.get('failureReason')}")


def _children_of(manifest: str) -> tuple[str, ...]:
    return tuple(child["digest"] for child in json.loads(manifest).get("manifests", []))


def _stored(image: Mapping[str, Any]) -> StoredImage:
    return StoredImage(
        digest=image["imageDigest"],
        tags=tuple(image.get("imageTags", [])),
        is_archived=image.get("imageStatus") == _ARCHIVED,
        media_type=image.get("imageManifestMediaType"),
        pushed_at=image.get("imagePushedAt"),
    )
