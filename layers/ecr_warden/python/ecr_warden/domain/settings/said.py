"""What came of several settings of a repository, in words."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ecr_warden.domain.outcomes import SettingOutcome, SettingStatus

# What is told decides the outcome; the first that is there gives it its rule.
WORST_FIRST: Final = (
    SettingStatus.FAILED,
    SettingStatus.VIOLATION,
    SettingStatus.CHANGED,
    SettingStatus.WOULD_CHANGE,
)
_SAID: Final = {
    SettingStatus.CHANGED: "Changed: {}.",
    SettingStatus.WOULD_CHANGE: "Nothing was changed, as the rule is in audit mode; in enforce mode: {}.",
    SettingStatus.FAILED: "Failed: {}.",
    SettingStatus.VIOLATION: "Not as the policy wants it: {}.",
    SettingStatus.KEPT: "Left as it is: {}.",
}
# Where the message tells of something that was changed, too.
_ELSEWHERE: Final = "Not changed, as the rule is in audit mode; in enforce mode: {}."


def worst_of(found: Iterable[SettingOutcome]) -> SettingStatus | None:
    """Give the worst of what came of settings, or ``None`` where nothing is to be told."""
    statuses = {one.status for one in found}
    return next((status for status in WORST_FIRST if status in statuses), None)


def sentences(found: Sequence[SettingOutcome]) -> Iterator[str]:
    """Say what came of settings, a sentence for each status, worst first."""
    is_changed = any(one.status is SettingStatus.CHANGED for one in found)
    for status in (*WORST_FIRST, SettingStatus.KEPT):
        texts = [one.what for one in found if one.status is status]
        if texts:
            said = _ELSEWHERE if is_changed and status is SettingStatus.WOULD_CHANGE else _SAID[status]
            yield said.format("; ".join(texts))


def next_steps(found: Iterable[SettingOutcome]) -> tuple[str, ...]:
    """Give what a person is to do about settings, each once."""
    return tuple(dict.fromkeys(f"{one.next_step}." for one in found if one.next_step))
