"""Lifecycle previews: ECR's documented rules, on the images that are there. They are COMPLETE at once.

A referrer (a signature, an SBOM) goes with its subject, so no rule is asked about it. An image that an
index refers to is counted, and kept as long as the index is there.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from moto.ecr.exceptions import LifecyclePolicyNotFoundException
from moto.ecr.models import ECRBackend, Image, Repository

from ecr_warden_cli.local.ecr_double.api import Parameters, error, named, page, refuse_pages_of
from ecr_warden_cli.local.ecr_double.manifests import children, subject
from ecr_warden_cli.local.ecr_double.storage import is_archived, storage_of, the_image
from ecr_warden_cli.local.ecr_double.validation import check_lifecycle_text

Rule: TypeAlias = dict[str, Any]
_LEAST: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Marked:
    """An image that a rule takes."""

    image: Image
    rule: Rule


def start(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Evaluate a policy: the given one, or the repository's own."""
    repository, text = named(backend, parameters), parameters.get("lifecyclePolicyText")
    if text is not None:
        check_lifecycle_text(text)
    elif not repository.lifecycle_policy:
        raise LifecyclePolicyNotFoundException(repository.name, repository.registry_id)
    text = text or repository.lifecycle_policy
    marked = evaluate(repository, json.loads(text)["rules"], datetime.now(UTC))
    vars(repository)["preview"] = {"text": text, "results": [_result(item) for item in marked]}
    return _shown(repository, "IN_PROGRESS")


def get(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Give a page of what the last preview found, and its summary."""
    refuse_pages_of("imageIds", parameters)
    repository = named(backend, parameters)
    if "preview" not in vars(repository):
        raise error(
            "LifecyclePolicyPreviewNotFoundException",
            f"There is no dry run for repository '{repository.name}'",
        )
    found = vars(repository)["preview"]["results"]
    ids, wanted = parameters.get("imageIds"), (parameters.get("filter") or {}).get("tagStatus", "ANY")
    if ids is not None:
        digests = {the_image(repository, one).image_digest for one in ids}
        matching = [item for item in found if item["imageDigest"] in digests]
    else:
        matching = [
            item for item in found if wanted in {"ANY", "TAGGED" if item["imageTags"] else "UNTAGGED"}
        ]
    results, more = page(matching, parameters)
    return _shown(repository, "COMPLETE") | {"previewResults": results, "summary": _summary(found), **more}


def _shown(repository: Repository, status: str) -> dict[str, Any]:
    return {
        "registryId": repository.registry_id,
        "repositoryName": repository.name,
        "lifecyclePolicyText": vars(repository)["preview"]["text"],
        "status": status,
    }


def _result(marked: Marked) -> dict[str, Any]:
    action = marked.rule["action"]
    target = action.get("targetStorageClass")
    return {
        "imageTags": list(marked.image.image_tags),
        "imageDigest": marked.image.image_digest,
        "imagePushedAt": marked.image.image_pushed_at,
        "action": {"type": action["type"].upper()}
        | ({"targetStorageClass": target.upper()} if target else {}),
        "appliedRulePriority": marked.rule["rulePriority"],
        "storageClass": "ARCHIVE" if is_archived(marked.image) else "STANDARD",
    }


def _summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    types = [result["action"]["type"] for result in results]
    archived = types.count("TRANSITION")
    moved = [{"targetStorageClass": "ARCHIVE", "imageTotalCount": archived}] if archived else []
    summary: dict[str, Any] = {"expiringImageTotalCount": types.count("EXPIRE")}
    return summary | ({"transitioningImageTotalCounts": moved} if moved else {})


def evaluate(repository: Repository, rules: Iterable[Rule], at: datetime) -> list[Marked]:
    """Give each image that a policy takes, with the rule that takes it, by priority and then by age."""
    images = [image for image in repository.images if subject(image.image_manifest) is None]
    # An index that was archived keeps its images no longer.
    indexes = [image for image in repository.images if not is_archived(image)]
    kept = {digest for image in indexes for digest in children(image.image_manifest)}
    marked: list[Marked] = []
    # An image that a rule's tags match is no rule's of a lower priority, even where the first keeps it.
    claimed: set[str] = set()
    for rule in sorted(rules, key=lambda rule: int(rule["rulePriority"])):
        mine = [image for image in images if _selects(rule["selection"], image)]
        # Those that a rule of higher priority has are counted as if they were still there.
        taken = _over(rule["selection"], sorted(mine, key=_order), at)
        marked += [Marked(image, rule) for image in taken if image.image_digest not in claimed | kept]
        claimed |= {image.image_digest for image in mine}
    return marked


def _selects(selection: dict[str, Any], image: Image) -> bool:
    if (selection.get("storageClass", "standard") == "archive") != is_archived(image):
        return False
    tags = image.image_tags
    match selection["tagStatus"]:
        case "any":
            return True
        case "untagged":
            return not tags
        case _:
            prefixes = [f"{prefix}*" for prefix in selection.get("tagPrefixList", [])]
            wildcards = [_wildcard(item) for item in [*prefixes, *selection.get("tagPatternList", [])]]
            # Every entry must match, each by any of the image's tags.
            return all(any(map(wildcard.fullmatch, tags)) for wildcard in wildcards)


def _wildcard(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))))


def _over(selection: dict[str, Any], oldest_first: list[Image], at: datetime) -> list[Image]:
    """Give those that are too many or too old."""
    count = int(selection["countNumber"])
    if selection["countType"] == "imageCountMoreThan":
        return oldest_first[: max(0, len(oldest_first) - count)]
    since = _SINCE[selection["countType"]]
    return [image for image in oldest_first if at - since(image) > timedelta(days=count)]


def _age_from(image: Image) -> datetime:
    """Give when an image was pushed, or last restored where it ever was."""
    return storage_of(image).activated_at or datetime.fromtimestamp(image.image_pushed_at, UTC)


def _order(image: Image) -> tuple[datetime, str]:
    # Which of two images of the same time is the older ECR does not say; here it does not hang on chance.
    return _age_from(image), image.image_digest


def _pulled(image: Image) -> datetime:
    # An image that nobody pulled counts from its push or its restoring; one restored after its last pull too.
    storage = storage_of(image)
    if storage.pulled_at is None or storage.pulled_at < (storage.activated_at or _LEAST):
        return _age_from(image)
    return storage.pulled_at


def _archived(image: Image) -> datetime:
    return storage_of(image).archived_at or _age_from(image)


_SINCE: Final[dict[str, Callable[[Image], datetime]]] = {
    "sinceImagePushed": _age_from,
    "sinceImagePulled": _pulled,
    "sinceImageTransitioned": _archived,
}
