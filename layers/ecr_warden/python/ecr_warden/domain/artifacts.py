"""What a manifest holds: an image, a Helm chart, a build cache, or something about an image."""

import json
import re
from collections.abc import Iterable
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
    if push.detail_type == _REFERRER_EVENT or is_referrer_tag(push.image_tag or ""):
        return Artifact.REFERRER
    return _by_type(push.artifact_media_type)


def is_referrer_tag(image_tag: str) -> bool:
    """Tell whether a tag is one that signatures and the like are found by."""
    return _REFERRER_TAG.fullmatch(image_tag) is not None


def classify_manifest(body: str, image_tags: Iterable[str] = ()) -> Artifact:
    """Tell what a manifest is of, from what it says; one that cannot be read is taken for an image's."""
    if any(map(is_referrer_tag, image_tags)):
        return Artifact.REFERRER
    try:
        manifest = json.loads(body)
    except ValueError:
        return Artifact.IMAGE
    if not isinstance(manifest, dict):
        return Artifact.IMAGE
    layers = manifest.get("layers")
    types = {_media_type(layer) for layer in layers} if isinstance(layers, list) else set()
    # BuildKit's attestations have an image's configuration; what they are is in their layers.
    if "subject" in manifest or any(_REFERRER_TYPE.search(name) for name in types):
        return Artifact.REFERRER
    artifact_type = manifest.get("artifactType") or _media_type(manifest.get("config")) or None
    return _by_type(artifact_type if isinstance(artifact_type, str) else None)


def _media_type(descriptor: object) -> str:
    found = descriptor.get("mediaType") if isinstance(descriptor, dict) else None
    return found if isinstance(found, str) else ""


def _by_type(artifact_type: str | None) -> Artifact:
    # An index and an event from before 2021 name no artifact type: both are images.
    if artifact_type is None or artifact_type in _IMAGE_TYPES:
        return Artifact.IMAGE
    if artifact_type == "application/vnd.cncf.helm.config.v1+json":
        return Artifact.HELM_CHART
    if artifact_type.startswith("application/vnd.buildkit.cacheconfig."):
        return Artifact.BUILD_CACHE
    return Artifact.REFERRER if _REFERRER_TYPE.search(artifact_type) else Artifact.OTHER
