"""The names that globs match, walked together to find one that some match and others do not.

A glob is a small finite automaton over a name's characters, so whether there is such a name has an answer
that is no guess.
"""

import string
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from ecr_warden.domain.automata import Automaton, Pattern, atoms_of, text_of

_WORD: Final = string.ascii_lowercase + string.digits
# Globs such as *a????????????? have automata of many thousand states: better unanswered than slow.
_MOST_STATES: Final = 5_000


class TooEntangledError(Exception):
    """A search that would take too long."""


@dataclass(frozen=True)
class Names:
    """Which names are looked among: what may follow what, by kinds of characters.

    ``moves`` leads from a place within a name, by the kind of a character, to the next place; where the
    place is ``word``, a name may end. The kinds are ``word``, and each character of ``apart`` by itself.
    Where names are open, the patterns' own characters may be in them too.
    """

    is_open: bool
    characters: str
    apart: str
    start: str
    moves: Mapping[str, Mapping[str, str]]

    def kind(self, character: str) -> str:
        """Give the kind of a character."""
        return character if character in self.apart else "word"


# Any name whose segments are not empty.
ANY_NAMES: Final = Names(
    is_open=True,
    characters=_WORD + "._-",
    apart="/",
    start="/",
    moves={"/": {"word": "word"}, "word": {"word": "word", "/": "/"}},
)
_IN_WORD: Final = {"word": "word", ".": ".", "_": "_", "-": "-", "/": "/"}
# What ECR takes for a repository's name: [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* between slashes, two
# characters or more. Letters first, so that a name that is found reads as a name.
ECR_NAMES: Final = Names(
    is_open=False,
    characters=_WORD + "._-",
    apart="/._-",
    start="",
    moves={
        "": {"word": "first"},
        "first": _IN_WORD,
        "word": _IN_WORD,
        "/": {"word": "word"},
        ".": {"word": "word"},
        "_": {"word": "word", "_": "__"},
        "__": {"word": "word"},
        "-": {"word": "word", "-": "-"},
    },
)


class Languages:
    """Some patterns, and the search for names by which of them match."""

    def __init__(self, patterns: Iterable[Pattern], names: Names = ANY_NAMES) -> None:
        distinct = dict.fromkeys(patterns)
        self._names = names
        self._characters = _characters(distinct, names)
        self._automata = {pattern: Automaton(pattern, self._characters) for pattern in distinct}

    def find(
        self,
        patterns: Iterable[Pattern],
        wanted: Callable[[set[Pattern]], bool],
        *,
        needed: Sequence[Collection[Pattern]] = (),
    ) -> str | None:
        """Find a shortest name for which something holds of the patterns that match it, if there is one.

        Parameters
        ----------
        patterns
            Those that are told apart; all are the constructor's.
        wanted
            Tells of those that match whether such a name is looked for.
        needed
            Groups of patterns: of each, one at least must match. The search is the shorter for it.

        Raises
        ------
        TooEntangledError
            If there are too many states to look through.

        """
        keys = tuple(dict.fromkeys(patterns))
        groups = [[keys.index(pattern) for pattern in group] for group in needed]
        automata = [self._automata[key] for key in keys]
        start = (self._names.start, tuple(automaton.start for automaton in automata))
        queue, seen = deque([("", *start)]), {start}
        while queue:
            name, place, states = queue.popleft()
            if place == "word":
                reached = zip(keys, automata, states, strict=True)
                if wanted({key for key, automaton, at in reached if automaton.end in at}):
                    return name
            for character, following in self._steps(place):
                steps = zip(automata, states, strict=True)
                after = tuple(automaton.step(at, character) for automaton, at in steps)
                is_new = (following, after) not in seen
                if is_new and all(any(after[index] for index in group) for group in groups):
                    seen.add((following, after))
                    queue.append((name + character, following, after))
            if len(seen) > _MOST_STATES:
                raise TooEntangledError
        return None

    def _steps(self, place: str) -> Iterator[tuple[str, str]]:
        moves = self._names.moves[place]
        for character in (*self._characters, "/"):
            following = moves.get(self._names.kind(character))
            if following is not None:
                yield character, following


def _characters(patterns: Iterable[Pattern], names: Names) -> tuple[str, ...]:
    """Give one character of each kind that the patterns tell apart; all of a kind lead the same way."""
    atoms = sorted({atom for pattern in patterns for atom in atoms_of(pattern)})
    characters: Sequence[str] = names.characters
    if names.is_open:
        own = {character for pattern in patterns for character in text_of(pattern)} - {"/"}
        characters = sorted(own.union(names.characters))
    kinds: dict[tuple[object, ...], str] = {}
    for character in characters:
        told_apart = [fnmatchcase(character, atom) for atom in atoms]
        kinds.setdefault((names.kind(character), *told_apart), character)
    return tuple(kinds.values())
