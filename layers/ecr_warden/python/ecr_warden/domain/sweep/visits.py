"""What came of a sweep's visit to one repository."""

from dataclasses import dataclass
from enum import StrEnum

from ecr_warden.domain.places import Place
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.images import ListedImage
from ecr_warden.domain.sweep.judgements import Judgement


@dataclass(frozen=True)
class Visit:
    """What a repository is like.

    Attributes
    ----------
    judgements
        One for each section that the policy decides, compliant ones too; for ``tags`` one for each tag that
        breaks a rule, or one that is compliant.
    owner
        Whose it is, where its resource tags were read.
    images
        All its images, where they were listed; ``None`` where nothing needed them.
    problem
        Why it could not be looked at (further), a sentence without its stop; empty where it was.
    is_gone
        Whether it was deleted since it was listed.

    """

    place: Place
    repository: Repository
    judgements: tuple[Judgement, ...] = ()
    owner: str | None = None
    images: tuple[ListedImage, ...] | None = None
    problem: str = ""
    is_gone: bool = False


class RepairStatus(StrEnum):
    """What came of changing one thing.

    ``ALREADY``: it is as the policy wants it by now. ``KEPT``: something uses it, or it is exempt. ``GONE``:
    the repository or image was deleted. ``SKIPPED``: somebody changed it since it was planned.
    """

    CHANGED = "changed"
    ALREADY = "already"
    KEPT = "kept"
    GONE = "gone"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Repair:
    """What came of one judgement that was to be applied; ``said`` is a sentence without its stop."""

    judgement: Judgement
    status: RepairStatus
    said: str = ""
    change_id: str | None = None
