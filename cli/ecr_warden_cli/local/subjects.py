"""What an event is about, so that it can be made before the event is replayed."""

import json
from collections.abc import Iterator, Mapping
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
    """A repository, and an image of it where the event names one that is there.

    ``moves_tags`` is whether the event says that the image got its tags now, so that no other has them.
    """

    repository: str
    image_digest: str | None = None
    image_tags: tuple[str, ...] = ()
    media_type: str = _DOCKER
    moves_tags: bool = True

    @property
    def manifest(self) -> str:
        """Give a manifest of its own for the image, of the media type that the event names."""
        body: dict[str, Any] = {"schemaVersion": 2, "mediaType": self.media_type}
        body |= {"manifests": []} if self.media_type in _INDEXES else {"config": {}, "layers": []}
        return json.dumps(body | {"annotations": {"ecr-warden.replayed": self.image_digest}})


def subjects_of(event: Mapping[str, Any]) -> tuple[Subject, ...]:
    """Find what an event is about: nothing where it names no repository, or is not well formed."""
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        return ()
    if (name := _repository(detail)) is not None:
        return (_named(name, detail),)
    return tuple(dict.fromkeys((*_listed(detail), *_among_resources(event, detail))))


def _named(name: str, detail: Mapping[str, Any]) -> Subject:
    digest = detail.get("image-digest")
    if not isinstance(digest, str) or not digest or not _is_there(detail):
        return Subject(name)
    media_type = detail.get("manifest-media-type")
    return Subject(
        repository=name,
        image_digest=digest,
        image_tags=_tags([detail.get("image-tag")]) or _tags(detail.get("image-tags")),
        media_type=media_type if isinstance(media_type, str) else _DOCKER,
        moves_tags="image-tags" not in detail,
    )


def _is_there(detail: Mapping[str, Any]) -> bool:
    """Tell whether the image of an event is in the registry, or else was deleted or never came."""
    return (
        detail.get("action-type") != "DELETE"
        and detail.get("result", "SUCCESS") == "SUCCESS"
        and detail.get("sync-status", "SUCCESS") == "SUCCESS"
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


def _listed(detail: Mapping[str, Any]) -> Iterator[Subject]:
    """Give the repositories of an event that is about several."""
    for one in _list(detail.get("repositories")):
        name = one.get("repository-name") if isinstance(one, Mapping) else None
        if isinstance(name, str) and name:
            yield Subject(name)


def _among_resources(event: Mapping[str, Any], detail: Mapping[str, Any]) -> Iterator[Subject]:
    """Give the images that Inspector names by their ARNs: in the event, and in a finding with their tags."""
    tags: dict[str, tuple[str, ...]] = {}
    for resource in _list(detail.get("resources")):
        if isinstance(resource, Mapping) and isinstance(resource.get("id"), str):
            tags[resource["id"]] = _tags_of(resource)
    for arn in dict.fromkeys((*tags, *_list(event.get("resources")))):
        name, _, digest = str(arn).partition(_REPOSITORY)[2].rpartition("/")
        if name and digest.startswith("sha256:"):
            yield Subject(name, digest, tags.get(arn, ()), moves_tags=False)


def _tags_of(resource: Mapping[str, Any]) -> tuple[str, ...]:
    details = resource.get("details")
    # Inspector says it in one place until 2026, and in both since.
    for place in ("awsEcrContainerImage", "image"):
        if isinstance(details, Mapping) and (tags := _tags(_in(details, place, "imageTags"))):
            return tags
    return ()


def _tags(value: object) -> tuple[str, ...]:
    return tuple(tag for tag in _list(value) if isinstance(tag, str) and tag)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _in(detail: Mapping[str, Any], first: str, second: str) -> object:
    inner = detail.get(first)
    return inner.get(second) if isinstance(inner, Mapping) else None
