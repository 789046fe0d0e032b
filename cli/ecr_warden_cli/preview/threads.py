"""Which messages answer another, in a channel that has threads."""

from collections.abc import Sequence
from dataclasses import dataclass

from ecr_warden.domain.messages import Message
from ecr_warden.domain.outcomes import Outcome


@dataclass
class _Begun:
    """A thread: the message that began it, and what was told below it."""

    root: Message
    since: tuple[Outcome, ...] = ()


@dataclass(frozen=True)
class Answered:
    """The message that one answers, and all that was told below it, this one included."""

    root: Message
    since: tuple[Outcome, ...]


def answered(messages: Sequence[Message]) -> dict[int, Answered]:
    """Give, by its place, what a message answers that stands below another.

    They are taken as told when they happened, in whatever order they are.
    """
    found: dict[int, Answered] = {}
    begun: dict[str, _Begun] = {}
    for place, message in sorted(enumerate(messages), key=lambda one: one[1].outcomes[0].event_time):
        thread = next((begun[story] for story in message.stories if story in begun), None)
        if thread is None:
            thread = _Begun(message)
        else:
            thread.since += message.outcomes
            found[place] = Answered(thread.root, thread.since)
        for story in message.stories:
            begun.setdefault(story, thread)
    return found
