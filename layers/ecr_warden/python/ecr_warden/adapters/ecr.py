"""The registry, through ECR's API."""

from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, translated
from ecr_warden.domain.console import repository_arn
from ecr_warden.domain.images import Manifest
from ecr_warden.errors import AwsError, RefusedError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef


class EcrRegistry:
    """One account's registry in one Region."""

    def __init__(self, client: "ECRClient", *, account: str, region: str) -> None:
        self._client = client
        self._arn = partial(repository_arn, account, region)

    def resource_tags(self, repository_name: str) -> dict[str, str]:
        """Give the repository's resource tags."""
        with translated(f"reading the resource tags of {repository_name}"):
            answer = self._client.list_tags_for_resource(resourceArn=self._arn(repository_name))
        return {tag["Key"]: tag.get("Value", "") for tag in answer.get("tags", [])}

    def find_manifest(self, repository_name: str, image_tag: str) -> Manifest | None:
        """Give the manifest that a tag names now, or ``None`` if no image has the tag."""
        return self._find(repository_name, {"imageTag": image_tag})

    def find_manifest_by_digest(self, repository_name: str, image_digest: str) -> Manifest | None:
        """Give an image's manifest, or ``None`` if there is no such image."""
        return self._find(repository_name, {"imageDigest": image_digest})

    def _find(self, repository_name: str, image_id: "ImageIdentifierTypeDef") -> Manifest | None:
        what = f"reading the manifest of {repository_name} {image_id}"
        with translated(what):
            answer = self._client.batch_get_image(repositoryName=repository_name, imageIds=[image_id])
        if answer["images"]:
            image = answer["images"][0]
            return Manifest(
                digest=image["imageId"]["imageDigest"],
                body=image["imageManifest"],
                media_type=image["imageManifestMediaType"],
            )
        # BatchGetImage answers with status 200 and says in failures what it could not give.
        failures = answer["failures"]
        if failures and failures[0].get("failureCode") != "ImageNotFound":
            raise AwsError(f"{what}: {failures[0].get('failureCode')}: {failures[0].get('failureReason')}")
        return None

    def tags_of(self, repository_name: str, image_digest: str) -> tuple[str, ...]:
        """Give an image's tags; none where there is no such image."""
        with translated(f"reading the tags of {repository_name} {image_digest}"):
            try:
                answer = self._client.describe_images(
                    repositoryName=repository_name, imageIds=[{"imageDigest": image_digest}]
                )
            except ClientError as error:
                if code_of(error) == "ImageNotFoundException":
                    return ()
                raise
        return tuple(tag for image in answer["imageDetails"] for tag in image.get("imageTags", []))

    def add_tag(self, repository_name: str, manifest: Manifest, image_tag: str) -> None:
        """Give an image one more tag; that it has it already is well."""
        with translated(f"tagging {repository_name} {manifest.digest} as {image_tag}"):
            try:
                self._client.put_image(
                    repositoryName=repository_name,
                    imageManifest=manifest.body,
                    imageManifestMediaType=manifest.media_type,
                    imageTag=image_tag,
                    imageDigest=manifest.digest,
                )
            except ClientError as error:
                match code_of(error):
                    case "ImageAlreadyExistsException":
                        return
                    case "ImageTagAlreadyExistsException":
                        raise RefusedError(
                            f"the tag {image_tag} names another image and is immutable"
                        ) from error
                    case "LimitExceededException":
                        raise RefusedError("the image has as many tags as ECR allows") from error
                raise

    def remove_tag(self, repository_name: str, image_tag: str) -> str | None:
        """Remove a tag, and with its last tag the image. Give the digest that it named, or ``None``."""
        what = f"removing the tag {image_tag} in {repository_name}"
        with translated(what):
            # By tag alone: what ECR does when it is given both the tag and its digest is not documented.
            answer = self._client.batch_delete_image(
                repositoryName=repository_name, imageIds=[{"imageTag": image_tag}]
            )
        for failure in answer["failures"]:
            code, reason = failure.get("failureCode"), failure.get("failureReason")
            if code == "ImageReferencedByManifestList":
                raise RefusedError(f"an image index refers to the image ({reason})")
            if code != "ImageNotFound":
                raise AwsError(f"{what}: {code}: {reason}")
        return next((image.get("imageDigest") for image in answer["imageIds"]), None)
