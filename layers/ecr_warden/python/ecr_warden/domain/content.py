"""What a message says, before any channel gives it a form."""

from dataclasses import dataclass

from ecr_warden.domain.messages import Message
from ecr_warden.domain.notices import Notice, notice
from ecr_warden.domain.policy import Severity


@dataclass(frozen=True)
class Content:
    """What a message says.

    Attributes
    ----------
    headline
        One line.
    remark
        Why it is told here; empty where there is nothing to say about that.
    summary
        Of a digest, how many there are of what, one a line.
    notices
        What happened, each with its reason and what to do, worst first. Of a digest, the first few.
    more
        How many are not among the notices.
    link, link_text
        Where to look, and the words for it.

    """

    headline: str
    severity: Severity
    remark: str
    summary: tuple[str, ...]
    notices: tuple[Notice, ...]
    more: int
    link: str
    link_text: str


def content(message: Message) -> Content:
    """Put a message in words."""
    notices = tuple(notice(outcome) for outcome in message.outcomes)
    digest = message.digest
    if digest is None:
        others = len(notices) - 1
        headline = notices[0].headline + (f", and {others} more" if others else "")
        summary: tuple[str, ...] = ()
        link, link_text, more = notices[0].link, "Open it in the ECR console", 0
    else:
        titles = [f"{title}: {count}" for title, count in digest.counts]
        are_alike = len(titles) == 1
        headline = (
            f"{digest.counts[0][0]}, {digest.total} times"
            if are_alike
            else f"{titles[0]}, and {digest.total - digest.counts[0][1]} more"
        )
        period = f"From {digest.first.isoformat()} to {digest.last.isoformat()}"
        summary = (*titles, period)
        link, link_text, more = digest.link, f"List all {digest.total}", digest.total - len(notices)
    return Content(
        headline=headline,
        severity=message.severity,
        remark="" if message.instead_of is None else f"Told here in place of {message.instead_of}",
        summary=summary,
        notices=notices,
        more=more,
        link=link,
        link_text=link_text,
    )
