"""Which image of a repository was pushed before another, to say what the newer one brought."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from ecr_warden.domain.artifacts import is_referrer_tag
from ecr_warden.domain.images import StoredImage

# The platforms of an index are pushed one after the other, and are no earlier versions of each other.
_ONE_PUSH: Final = timedelta(minutes=5)


def previous_image(images: Iterable[StoredImage], image_digest: str) -> StoredImage | None:
    """Find the image that was pushed last before another, ``None`` where there is none or it is not known.

    An image with a tag is compared with one that has a tag; one without, a platform of an index, with one
    that has none and is not of the same push. Signatures and the like are no images.
    """
    known = {image.digest: image for image in images if not any(map(is_referrer_tag, image.tags))}
    image = known.get(image_digest)
    if image is None or image.pushed_at is None:
        return None
    before = image.pushed_at if image.tags else image.pushed_at - _ONE_PUSH
    earlier = [
        (other.pushed_at, other.digest)
        for other in known.values()
        if other.pushed_at is not None
        and other.digest != image_digest
        and other.pushed_at <= before
        and bool(other.tags) == bool(image.tags)
    ]
    return known[max(earlier)[1]] if earlier else None
