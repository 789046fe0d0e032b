"""What an event is about, so that it can be made before the event is replayed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_DOCKER: Final = "application/vnd.docker.distribution.manifest.v2+json"
_INDEXES: Final = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
_REPOSITORY: Final = ":repository/"


@dataclass(frozen=True)
class Subject:
    """A repository, and an image of it where the event names one that is there."""

    repository: str
    image_digest: str | None = None
    image_tag: str | None = None
    media_type: str = _DOCKER

    @property
    def manifest(self) -> str:
        """Give a manifest of its own for the image, of the media type that the event names."""
        body: dict[str, Any] = {"schemaVersion": 2, "mediaType": self.media_type}
        body |= {"manifests": []} if self.media_type in _INDEXES else {"config": {}, "layers": []}
        return json.dumps(body | {"annotations": {"ecr-warden.replayed": self.image_digest}})


def subject_of(event: Mapping[str, Any]) -> Subject | None:
    """Find what an event is about; ``None`` where it names no repository, or is not well formed."""
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        return None
    name = _repository(detail)
    if name is None:
        return None
    digest, tag = detail.get("image-digest"), detail.get("image-tag")
    is_there = detail.get("action-type") != "DELETE" and detail.get("result", "SUCCESS") == "SUCCESS"
    if not isinstance(digest, str) or not is_there:
        return Subject(name)
    media_type = detail.get("manifest-media-type")
    return Subject(
        repository=name,
        image_digest=digest,
        image_tag=tag if isinstance(tag, str) and tag else None,
        media_type=media_type if isinstance(media_type, str) else _DOCKER,
    )


def _repository(detail: Mapping[str, Any]) -> str | None:
    """Give the repository's name, wherever this kind of event has it."""
    places = (
        detail.get("repository-name"),
        _in(detail, "requestParameters", "repositoryName"),
        _in(detail, "serviceEventDetails", "repositoryName"),
    )
    name = next((place for place in places if isinstance(place, str) and place), None)
    # Inspector gives the ARN where ECR gives the name.
    return name.partition(_REPOSITORY)[2] if name and _REPOSITORY in name else name


def _in(detail: Mapping[str, Any], first: str, second: str) -> object:
    inner = detail.get(first)
    return inner.get(second) if isinstance(inner, Mapping) else None
