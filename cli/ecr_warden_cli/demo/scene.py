"""What every chapter of the demo has: steps, the registry, and what came of a step."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import boto3
from moto.ecr.models import ECRBackend, ecr_backends

from ecr_warden_cli.caused import Caused
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION, LocalAws

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True)
class Step:
    """What is done, and what must come of it."""

    title: str
    act: Callable[[], object]
    problems: Callable[[Caused], Iterator[str]]


class Scene:
    """A registry in the embedded AWS."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.ecr = boto3.client("ecr", region_name=DEFAULT_REGION)

    @property
    def backend(self) -> ECRBackend:
        """The registry, to do what ECR does by itself."""
        return ecr_backends[DEFAULT_ACCOUNT][DEFAULT_REGION]

    def push(self, repository: str, tag: str | None, seed: str, media_type: str = _CONFIG) -> str:
        """Push an image, and give its digest."""
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": media_type, "size": 2, "digest": f"sha256:{seed * 64}"},
                "layers": [],
            }
        )
        return self.put(repository, tag, manifest, MANIFEST)

    def put(self, repository: str, tag: str | None, manifest: str, media_type: str) -> str:
        """Push a manifest, and give its digest."""
        named: dict[str, Any] = {} if tag is None else {"imageTag": tag}
        answer = self.ecr.put_image(
            repositoryName=repository, imageManifest=manifest, imageManifestMediaType=media_type, **named
        )
        return str(answer["image"]["imageId"]["imageDigest"])


def nothing(caused: Caused) -> Iterator[str]:
    """Find what came of an event of which nothing should have."""
    yield from told(caused, [])
    yield from changed(caused, 0)
    if caused.outcomes or caused.error:
        yield f"nothing should have come of it, and there is {caused.outcomes or caused.error}"


def told_once(caused: Caused) -> Iterator[str]:
    """Find what came of an event that came before."""
    yield from told(caused, [])
    yield from changed(caused, 0)


def told(caused: Caused, channels: list[str]) -> Iterator[str]:
    """Find whether other channels were told than these, in this order."""
    got = [message.channel for message in caused.messages]
    if got != channels:
        yield f"{channels or 'nobody'} should have been told, not {got or 'nobody'}"


def changed(caused: Caused, number: int) -> Iterator[str]:
    """Find whether another number of changes was made."""
    if len(caused.changes) != number:
        yield f"{number} changes should have been made, not {len(caused.changes)}"
