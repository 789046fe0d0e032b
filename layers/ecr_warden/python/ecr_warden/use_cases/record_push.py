"""Who pushed an image is remembered, for the messages that name it and for those that wait for it."""

from ecr_warden.domain.events import Push
from ecr_warden.domain.identity import is_own
from ecr_warden.domain.quarantine import is_quarantine_tag
from ecr_warden.ports import Identities


def record_push(push: Push, *, identities: Identities) -> tuple[str, ...]:
    """Remember who pushed an image, and give the channels that wait for it: they are to be woken.

    Nothing is remembered of a call that failed, nor of a tag that ECR Warden itself gave to an image: that
    would hide who pushed it.

    Raises
    ------
    AwsError
        Where it could not be recorded; the event is to be tried again.

    """
    if push.error_code is not None or push.pushed_by is None or _is_own(push):
        return ()
    return identities.record(push)


def _is_own(push: Push) -> bool:
    has_own_tag = push.image_tag is not None and is_quarantine_tag(push.image_digest, push.image_tag)
    return has_own_tag or is_own(push.pushed_by)
