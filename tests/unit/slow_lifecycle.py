"""A second, slow evaluation of lifecycle policies, per image and rule by sets, for tests alone."""

from datetime import timedelta
from fnmatch import fnmatchcase


def selected(rule, images):
    """Give the images of a rule: by storage class, then by tags, each entry by any tag."""
    selection = rule["selection"]
    found = set()
    for image in images:
        patterns = selection.get("tagPatternList", []) + [p + "*" for p in selection.get("tagPrefixList", [])]
        wanted = {
            "any": True,
            "untagged": len(image.tags) == 0,
            "tagged": all(any(fnmatchcase(tag, one) for tag in image.tags) for one in patterns),
        }
        if (
            image.storage_class == selection.get("storageClass", "standard")
            and wanted[selection["tagStatus"]]
        ):
            found.add(image)
    return found


def age_from(image):
    return image.pushed_at if image.activated_at is None else image.activated_at


def counted_from(count_type, image):
    if count_type == "sinceImageTransitioned":
        return image.archived_at
    if count_type == "sinceImagePushed":
        return age_from(image)
    if image.activated_at is not None and (image.pulled_at is None or image.pulled_at < image.activated_at):
        return image.activated_at
    return image.pushed_at if image.pulled_at is None else image.pulled_at


def marked(rule, images, now):
    """Give the images that a rule marks, as if it were alone."""
    mine, selection = selected(rule, images), rule["selection"]
    number = selection["countNumber"]
    found = set()
    for image in mine:
        if selection["countType"] == "imageCountMoreThan":
            newer = [one for one in mine if (age_from(one), one.digest) > (age_from(image), image.digest)]
            over = len(newer) >= number
        else:
            since = counted_from(selection["countType"], image)
            over = since is not None and since < now - timedelta(days=number)
        if over:
            found.add(image)
    return found


def fates(document, images, now):
    """Give what becomes of each image, by its digest: expire, archive or keep."""
    by_digest = {image.digest: image for image in images}
    asked = {image for image in images if image.subject is None}
    found = {}
    for image in asked:
        rules = [rule for rule in document["rules"] if image in selected(rule, asked)]
        rule = min(rules, key=lambda one: one["rulePriority"], default=None)
        held = [
            one
            for one in image.referenced_by
            if one not in by_digest or by_digest[one].storage_class == "standard"
        ]
        takes = rule is not None and not held and image in marked(rule, asked, now)
        action = {"expire": "expire", "transition": "archive"}
        found[image.digest] = action[rule["action"]["type"]] if takes else "keep"
    for image in images:
        if image.subject is not None:
            root = image
            for _ in images:
                root = by_digest.get(root.subject, root) if root.subject else root
            fate = found[root.digest] if root.subject is None else "keep"
            found[image.digest] = "keep" if (fate, image.storage_class) == ("archive", "archive") else fate
    return found
