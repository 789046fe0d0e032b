"""What an outcome says to a person, before any channel gives it a form."""

from dataclasses import dataclass

from ecr_warden.domain.console import console_url
from ecr_warden.domain.outcomes import Outcome, OutcomeKind
from ecr_warden.domain.policy import TagAction

_DONE = {TagAction.QUARANTINE: "Tag quarantined", TagAction.DELETE: "Tag deleted"}
_REPOSITORY = {
    "configured": "New repository configured",
    "incomplete": "New repository is incomplete",
    "would_configure": "New repository differs from the policy",
}


@dataclass(frozen=True)
class Notice:
    """A headline, what happened, what to do, the facts by their labels, and where to look."""

    headline: str
    reason: str
    next_step: str
    facts: tuple[tuple[str, str], ...]
    link: str


def notice(outcome: Outcome) -> Notice:
    """Put an outcome in words."""
    return Notice(
        headline=f"{_title(outcome)}: {_image(outcome)}",
        reason=outcome.reason,
        next_step=outcome.next_step,
        facts=tuple(_facts(outcome)),
        link=console_url(outcome.account, outcome.region, outcome.repository, outcome.image_digest),
    )


def _title(outcome: Outcome) -> str:
    if outcome.kind in {OutcomeKind.REPOSITORY_CONFIGURED, OutcomeKind.REPOSITORY_INCOMPLETE}:
        return _REPOSITORY[outcome.decision]
    if outcome.kind is not OutcomeKind.TAG_VIOLATION:
        return outcome.kind.replace("_", " ").capitalize()
    if outcome.changed:
        return _DONE[TagAction(outcome.action)]
    return "Tag breaks the policy"


def _image(outcome: Outcome) -> str:
    return outcome.repository if outcome.image_tag is None else f"{outcome.repository}:{outcome.image_tag}"


def _facts(outcome: Outcome) -> list[tuple[str, str]]:
    facts = [
        ("Severity", outcome.severity.value),
        ("Account and Region", f"{outcome.account} {outcome.region}"),
        ("Digest", outcome.image_digest or ""),
        ("Rule", _rule(outcome)),
        ("Mode", outcome.mode.value),
        ("Pushed at" if outcome.image_digest else "Created at", outcome.event_time.isoformat()),
        ("Created by", outcome.created_by or ""),
        ("Change", ", ".join(outcome.change_ids)),
    ]
    return [(label, value) for label, value in facts if value]


def _rule(outcome: Outcome) -> str:
    if outcome.rule is None:
        return ""
    return f"{outcome.rule.file}:{outcome.rule.line} ({', '.join(outcome.rule.match)})"
