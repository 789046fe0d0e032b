"""What a manifest holds: an image, a Helm chart, a build cache, or something about an image."""

import re
from enum import StrEnum
from typing import Final

from ecr_warden.domain.events import ImageAction


class Artifact(StrEnum):
    """The kinds of artifact that a rule may be for, and the one that no rule is ever for."""

    IMAGE = "image"
    HELM_CHART = "helm-chart"
    BUILD_CACHE = "build-cache"
    OTHER = "other"
    REFERRER = "referrer"


_REFERRER_EVENT: Final = "ECR Referrer Action"
# cosign's signature tags, and the fallback tag of OCI's referrers API, which is a digest alone.
_REFERRER_TAG: Final = re.compile(r"sha256-[0-9a-f]{64}(?:\..+)?")
_REFERRER_TYPE: Final = re.compile(
    r"cosign|sigstore|notary|in-toto|spdx|cyclonedx|sbom|attestation|signature", re.IGNORECASE
)
_IMAGE_TYPES: Final = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)


def classify(push: ImageAction) -> Artifact:
    """Tell what was pushed, from the event alone."""
    artifact_type = push.artifact_media_type
    if push.detail_type == _REFERRER_EVENT or _REFERRER_TAG.fullmatch(push.image_tag or ""):
        return Artifact.REFERRER
    # An index and an event from before 2021 name no artifact type: both are images.
    if artifact_type is None or artifact_type in _IMAGE_TYPES:
        return Artifact.IMAGE
    if artifact_type == "application/vnd.cncf.helm.config.v1+json":
        return Artifact.HELM_CHART
    if artifact_type.startswith("application/vnd.buildkit.cacheconfig."):
        return Artifact.BUILD_CACHE
    return Artifact.REFERRER if _REFERRER_TYPE.search(artifact_type) else Artifact.OTHER
