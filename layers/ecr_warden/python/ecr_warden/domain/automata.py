"""Globs and ECR's own wildcards as finite automata over a name's characters."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, TypeAlias

from ecr_warden.domain.globs import ANY_SEGMENTS

# A segment's parts as fnmatch reads them: a set, whose first character may be "]", or one character.
# Possessive, since fnmatch does not go back either: in "[]" no set ends, and the bracket is itself.
_ATOM: Final = re.compile(r"\[!?+\]?+[^\]]*+\]|.", re.DOTALL)

States = frozenset[int]


@dataclass(frozen=True)
class Wildcard:
    """A filter of ECR's own, in which ``*`` stands for any characters, ``/`` too."""

    text: str


Pattern: TypeAlias = str | Wildcard


def text_of(pattern: Pattern) -> str:
    """Give a pattern as it is written."""
    return pattern.text if isinstance(pattern, Wildcard) else pattern


def atoms_of(pattern: Pattern) -> Iterator[str]:
    """Give what tells characters apart in a pattern: fnmatch patterns of one character."""
    if isinstance(pattern, Wildcard):
        yield from pattern.text.replace("/", "")
    else:
        for segment in pattern.split("/"):
            yield from _ATOM.findall(segment)


class Automaton:
    """A pattern as states, each of which a character leads to one more; a skip costs no character."""

    def __init__(self, pattern: Pattern, characters: tuple[str, ...]) -> None:
        self._moves: list[dict[str, int]] = []
        self._skips: dict[int, int] = {}
        self._known: dict[tuple[States, str], States] = {}
        if isinstance(pattern, Wildcard):
            self._add_wildcard(pattern.text, (*characters, "/"))
        else:
            self._add_glob(pattern, characters)
        self.end = len(self._moves) - 1
        self.start = self._with_skips({0})

    def _add_wildcard(self, text: str, characters: tuple[str, ...]) -> None:
        for character in text:
            here = len(self._moves)
            if character == "*":
                self._skips[here] = here + 1
                self._moves.append(dict.fromkeys(characters, here))
            else:
                self._moves.append({character: here + 1})
        self._moves.append({})

    def _add_glob(self, glob: str, characters: tuple[str, ...]) -> None:
        segments = glob.split("/")
        if segments[-1] == ANY_SEGMENTS:
            # At the end, ** stands for one segment or more.
            segments.append("*")
        for segment in segments:
            if segment == ANY_SEGMENTS:
                self._add_segments(characters)
            else:
                self._add_segment(segment, characters)
        # The last segment is followed by nothing.
        self._moves[-1] = {}

    def _add_segments(self, characters: tuple[str, ...]) -> None:
        between = len(self._moves)
        within = between + 1
        self._skips[between] = within + 1
        self._moves.append(dict.fromkeys(characters, within))
        self._moves.append(dict.fromkeys(characters, within) | {"/": between})

    def _add_segment(self, segment: str, characters: tuple[str, ...]) -> None:
        for atom in _ATOM.findall(segment):
            here = len(self._moves)
            if atom == "*":
                self._skips[here] = here + 1
                self._moves.append(dict.fromkeys(characters, here))
            else:
                self._moves.append({each: here + 1 for each in characters if fnmatchcase(each, atom)})
        self._moves.append({"/": len(self._moves) + 1})

    def step(self, states: States, character: str) -> States:
        """Give the states after one more character; none: no name that begins so matches."""
        key = (states, character)
        if key not in self._known:
            moves = (self._moves[state].get(character) for state in states)
            self._known[key] = self._with_skips({state for state in moves if state is not None})
        return self._known[key]

    def _with_skips(self, states: set[int]) -> States:
        reached = set(states)
        for state in states:
            while state in self._skips:
                state = self._skips[state]  # noqa: PLW2901  # a chain is followed to its end
                reached.add(state)
        return frozenset(reached)
