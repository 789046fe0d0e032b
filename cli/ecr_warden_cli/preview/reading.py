"""Outcomes in files: as they are, in events of the bus, or in what `replay --json` prints."""

import json
import re
from collections.abc import Iterator
from json import JSONDecoder
from typing import Any, Final

from ecr_warden.adapters.outcome_bus import read_outcome_event
from ecr_warden.domain.notices import title
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.errors import MalformedEventError

_DECODER: Final = JSONDecoder()
_SPACE: Final = re.compile(r"[\ufeff \t\r\n]*")
_HOW: Final = (
    "An outcome is what ECR Warden puts on its bus; of one of ECR's own events, "
    "`ecr-warden replay --json EVENT.json | ecr-warden preview -` makes one"
)


def read_outcomes(text: str, source: str) -> tuple[Outcome, ...]:
    """Read the outcomes of a file: of one JSON document, or of several, as on lines.

    ``source`` is what errors call the file. Raises ``MalformedEventError`` where one is not an outcome.
    """
    found = []
    for number, document in enumerate(_documents(text, source), 1):
        where = f"{source}, document {number}" if number > 1 else source
        found += [_outcome(fields, where) for fields in _outcomes_of(document)]
    return tuple(found)


def _documents(text: str, source: str) -> Iterator[object]:
    position = _end_of_space(text, 0)
    while position < len(text):
        try:
            document, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise MalformedEventError(source, f"not JSON: {error}") from error
        yield document
        position = _end_of_space(text, end)


def _end_of_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return position if found is None else found.end()


def _outcomes_of(document: object) -> Iterator[object]:
    """Give what in a document should be outcomes."""
    match document:
        case {"outcomes": list(outcomes)}:
            yield from outcomes
        case {"detail": detail}:
            yield detail
        case list(outcomes):
            yield from outcomes
        case outcome:
            yield outcome


def _outcome(fields: object, where: str) -> Outcome:
    try:
        # The reader of the bus, so that here is valid what is valid there.
        outcome = read_outcome_event(json.dumps({"detail": fields}))
    except MalformedEventError as error:
        field = error.field.removeprefix("$.detail").lstrip(".") or "the outcome"
        problem = str(error).removeprefix(f"{error.field}: ")
        raise MalformedEventError(f"{where}: {field}", f"{problem}. {_HOW}") from error
    return _sound(outcome, where)


def _sound(outcome: Outcome, where: str) -> Outcome:
    if outcome.event_time.tzinfo is None:
        raise MalformedEventError(
            f"{where}: event_time", f"{outcome.event_time} has no time zone: end it with Z"
        )
    try:
        title(outcome)
    except (KeyError, ValueError) as error:
        said: dict[str, Any] = {"decision": outcome.decision, "action": outcome.action}
        raise MalformedEventError(
            f"{where}: {outcome.kind}", f"no outcome of this kind has {json.dumps(said)}"
        ) from error
    return outcome
