"""What each rule finds of the images, and the sentences that say so."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ecr_warden.domain.simulation.rules import SimulatedRule, pulled_or_begun
from ecr_warden.domain.simulation.values import SimulatedImage


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says of an image that it is for.

    ``place`` is the image's, newest first from 1, of ``total`` images that the rule is for.
    """

    rule: SimulatedRule
    image: SimulatedImage
    place: int
    total: int
    is_over: bool


def find(rule: SimulatedRule, oldest_first: list[SimulatedImage], now: datetime) -> list[Finding]:
    """Apply one rule as if it were alone; oldest first, one of each image that it is for."""
    mine = [image for image in oldest_first if rule.selects(image)]
    total = len(mine)
    if rule.counts:
        return [
            Finding(rule, image, total - number, total, total - number > rule.count)
            for number, image in enumerate(mine)
        ]
    limit = rule.limit
    return [
        Finding(
            rule,
            image,
            total - number,
            total,
            (since := rule.since(image)) is not None and now - since > limit,
        )
        for number, image in enumerate(mine)
    ]


def what_it_does(rule: SimulatedRule) -> str:
    """Say the rule's action, as in "expires"."""
    return "archives" if rule.is_archiving else "expires"


def would(rule: SimulatedRule) -> str:
    """Say that a rule would do its action."""
    return f"{rule.name} would {'archive' if rule.is_archiving else 'expire'} it"


def taken_text(finding: Finding, now: datetime) -> str:
    """Say why a rule takes an image."""
    return f"{finding.rule.name} {what_it_does(finding.rule)} it: {_why(finding, now)}"


def kept_text(finding: Finding, now: datetime) -> str:
    """Say why the rule that an image is first for keeps it."""
    return f"{finding.rule.name} keeps it: {_why(finding, now)}"


def _why(finding: Finding, now: datetime) -> str:
    rule, image = finding.rule, finding.image
    if rule.counts:
        place = f"it is number {finding.place} of {finding.total}, newest first"
        among = "not among" if finding.is_over else "among"
        return f"{place}, {among} the newest {rule.count} ({rule.count_type})"
    since = rule.since(image)
    if since is None:
        return f"when it was archived is not known ({rule.count_type})"
    compared = "more" if finding.is_over else "not more"
    return (
        f"{_event(rule, image)} {ago(now - since)}, {compared} than {_days(rule.count)} ({rule.count_type})"
    )


def _event(rule: SimulatedRule, image: SimulatedImage) -> str:
    begun = "pushed" if image.activated_at is None else "restored from the archive"
    if rule.count_type == "sinceImageTransitioned":
        return "it was archived"
    if rule.count_type == "sinceImagePushed":
        return f"it was {begun}"
    if image.pulled_at is not None and pulled_or_begun(image) == image.pulled_at:
        return "it was last pulled"
    since = " since" if image.pulled_at is not None or image.activated_at is not None else ""
    return f"it was {begun} and never pulled{since},"


def ago(age: timedelta) -> str:
    """Say how long ago something was; of days and hours, minutes or seconds what is more than none."""
    if age < timedelta(0):
        return "after the given time"
    hours, rest = divmod(age.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(age.days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second")]
    said = [_counted(number, unit) for number, unit in parts if number]
    return f"{' '.join(said[:2]) or 'less than a second'} ago"


def _days(number: int) -> str:
    return _counted(number, "day")


def _counted(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"
