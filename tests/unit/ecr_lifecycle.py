"""What ECR does by a lifecycle policy, written anew from its documentation, for tests alone."""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Image:
    """An image, its times in days ago; ``archived`` is None in the standard class."""

    tags: frozenset[str] = frozenset()
    pushed: float = 0
    pulled: float | None = None
    archived: float | None = None


def _selects(selection, image):
    """Tell whether an image meets a rule's storage class and tags: every entry must match some tag."""
    if (image.archived is None) != (selection.get("storageClass", "standard") == "standard"):
        return False
    patterns = selection.get("tagPatternList", [])
    patterns = patterns + [prefix + "*" for prefix in selection.get("tagPrefixList", [])]
    matched = all(any(fnmatchcase(tag, pattern) for tag in image.tags) for pattern in patterns)
    by_status = {"any": True, "untagged": not image.tags, "tagged": bool(image.tags) and matched}
    return by_status[selection["tagStatus"]]


def _marked(selection, images):
    """Give the places of the images that a rule marks, as if it were the only one."""
    places = [place for place, image in enumerate(images) if _selects(selection, image)]
    number = selection["countNumber"]
    if selection["countType"] == "imageCountMoreThan":
        return set(sorted(places, key=lambda place: images[place].pushed)[number:])
    since = {
        "sinceImagePushed": lambda image: image.pushed,
        "sinceImagePulled": lambda image: image.pushed if image.pulled is None else image.pulled,
        "sinceImageTransitioned": lambda image: image.archived,
    }[selection["countType"]]
    return {place for place in places if since(images[place]) > number}


def run(document, images):
    """Evaluate a document as ECR says that it does: what becomes of each image, None where it stays."""
    fates = [None] * len(images)
    free = set(range(len(images)))
    for rule in sorted(document["rules"], key=lambda rule: rule["rulePriority"]):
        selected = {place for place in free if _selects(rule["selection"], images[place])}
        for place in selected & _marked(rule["selection"], images):
            fates[place] = rule["action"]["type"]
        # An image that meets a rule's tags is out of reach of later rules, even where this one keeps it.
        free -= selected
    return fates
