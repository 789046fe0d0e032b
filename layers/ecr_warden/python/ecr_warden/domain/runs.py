"""One run over registries, and how its changes are told apart from others."""

import re
from typing import Final

from ecr_warden.domain.places import Place

_OF_A_RUN: Final = re.compile(r"(\S+) \d{12}/[a-z0-9-]+", re.ASCII)


def event_id_of(run: str, place: Place) -> str:
    """Give what stands for an event's id in a run's changes in one registry.

    Two registries may have repositories of one name, whose changes are not to be taken for one another.
    """
    return f"{run} {place}"


def run_of(event_id: str) -> str | None:
    """Give the run that a change was made in, or ``None`` where an event led to it."""
    found = _OF_A_RUN.fullmatch(event_id)
    return None if found is None else found.group(1)
