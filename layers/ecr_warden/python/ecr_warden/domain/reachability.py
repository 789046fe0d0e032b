"""Which tag rules can never decide, because earlier rules decide for all that they match.

A glob is a small finite automaton over a name's characters, so the question has an answer that is no
guess: walk the automata of a rule and of the earlier ones together, and look for a name that the rule
matches and the earlier ones leave to it. A rule is unreachable only where the walk has ended without one.
"""

import re
import string
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from ecr_warden.domain.globs import ANY_SEGMENTS, matches_glob
from ecr_warden.domain.policy import Rule

# A segment's parts as fnmatch reads them: a set, whose first character may be "]", or one character.
# Possessive, since fnmatch does not go back either: in "[]" no set ends, and the bracket is itself.
_ATOM: Final = re.compile(r"\[!?+\]?+[^\]]*+\]|.", re.DOTALL)
# What ECR lets a repository's name have; "/" is apart.
_NAME_CHARACTERS: Final = frozenset(string.ascii_lowercase + string.digits + "._-")
# Globs such as *a????????????? have automata of many thousand states: better unanswered than slow.
_MOST_STATES: Final = 5_000

States = frozenset[int]


@dataclass(frozen=True)
class Unreachable:
    """A rule whose tags never decide, and the rules that decide instead.

    ``shadowed_by`` is in the policy's order; it is empty where no name is left even to the rule alone,
    because its ``except`` takes out all that its ``match`` names.
    """

    rule: Rule
    shadowed_by: tuple[Rule, ...]


def unreachable_tags(rules: Sequence[Rule]) -> list[Unreachable]:
    """Find the rules whose tags section decides for no repository and artifact.

    None of those found is reachable. One that is unreachable may be missed where its globs are too
    entangled to be followed in a moment.
    """
    search = _Search(rules)
    found = []
    for index, rule in enumerate(rules):
        if rule.tags is None:
            continue
        shadows = _shadows(rule, rules[:index], search)
        if shadows is not None:
            found.append(Unreachable(rule, shadows))
    return found


def _shadows(rule: Rule, earlier: Sequence[Rule], search: "_Search") -> tuple[Rule, ...] | None:
    """Give the rules that decide in a rule's place, or ``None`` if it may decide for something."""
    shadows: list[Rule] = []
    for artifact in rule.tags.artifacts if rule.tags else ():
        rivals = [rival for rival in earlier if rival.tags is not None and artifact in rival.tags.artifacts]
        try:
            cover = _cover(rule, rivals, search)
        except _TooEntangledError:
            return None
        if cover is None:
            return None
        shadows += cover
    return tuple(rival for rival in earlier if rival in shadows)


def _cover(rule: Rule, rivals: list[Rule], search: "_Search") -> list[Rule] | None:
    """Give few rivals that together match all that a rule matches, or ``None`` if all do not.

    A name that escapes the rivals chosen so far says which rival to add, so that the walk has to do
    with few globs however long the policy is.
    """
    chosen: list[Rule] = []
    while (name := search.escaping(rule, chosen)) is not None:
        deciding = next((rival for rival in rivals if rival not in chosen and _is_for(rival, name)), None)
        if deciding is None:
            return None
        chosen.append(deciding)
    for rival in tuple(chosen):
        # An early narrow rival is not needed once a wide one covers what it does.
        others = [other for other in chosen if other is not rival]
        if search.escaping(rule, others) is None:
            chosen = others
    return chosen


def _is_for(rule: Rule, repository_name: str) -> bool:
    return _takes(rule, {glob for glob in _globs(rule) if matches_glob(glob, repository_name)})


def _takes(rule: Rule, matching: set[str]) -> bool:
    """Tell whether a rule is for a name, by the globs that match it."""
    return not matching.isdisjoint(rule.match) and matching.isdisjoint(rule.excluded)


def _globs(*rules: Rule) -> Iterator[str]:
    return (glob for rule in rules for glob in (*rule.match, *rule.excluded))


class _TooEntangledError(Exception):
    """A search that would take too long."""


class _Search:
    """Finds names that some rules leave to another."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        globs = dict.fromkeys(_globs(*rules))
        self._characters = _characters(globs)
        self._automata = {glob: _Automaton(glob, self._characters) for glob in globs}

    def escaping(self, rule: Rule, covering: list[Rule]) -> str | None:
        """Find a shortest name that a rule is for and none of the covering rules is, if there is one.

        Raises
        ------
        _TooEntangledError
            If there are too many states to look through.

        """
        globs = tuple(dict.fromkeys(_globs(rule, *covering)))
        start = tuple(self._automata[glob].start for glob in globs)
        queue, seen = deque([("", start)]), {(False, start)}
        while queue:
            name, states = queue.popleft()
            if _is_whole(name):
                matching = {glob for glob, at in zip(globs, states, strict=True) if self._accepts(glob, at)}
                if _takes(rule, matching) and not any(_takes(rival, matching) for rival in covering):
                    return name
            for character, after in self._steps(name, globs, states):
                # Only a segment that has begun may end, so that too is part of where the walk is.
                place = (character != "/", after)
                if place not in seen and any(after[globs.index(glob)] for glob in rule.match):
                    seen.add(place)
                    queue.append((name + character, after))
            if len(seen) > _MOST_STATES:
                raise _TooEntangledError
        return None

    def _accepts(self, glob: str, states: States) -> bool:
        return self._automata[glob].end in states

    def _steps(
        self, name: str, globs: tuple[str, ...], states: tuple[States, ...]
    ) -> Iterator[tuple[str, tuple[States, ...]]]:
        for character in (*self._characters, "/") if _is_whole(name) else self._characters:
            after = (self._automata[glob].step(at, character) for glob, at in zip(globs, states, strict=True))
            yield character, tuple(after)


def _is_whole(name: str) -> bool:
    # No segment of a name is empty.
    return name != "" and not name.endswith("/")


def _characters(globs: Iterable[str]) -> tuple[str, ...]:
    """Give one character of each kind that the globs tell apart; all of a kind lead the same way."""
    segments = [segment for glob in globs for segment in glob.split("/")]
    atoms = sorted({atom for segment in segments for atom in _ATOM.findall(segment)})
    kinds: dict[tuple[bool, ...], str] = {}
    for character in sorted(_NAME_CHARACTERS.union(*segments)):
        kinds.setdefault(tuple(fnmatchcase(character, atom) for atom in atoms), character)
    return tuple(kinds.values())


class _Automaton:
    """A glob as states, each of which a character leads to one more; a skip costs no character."""

    def __init__(self, glob: str, characters: tuple[str, ...]) -> None:
        self._moves: list[dict[str, int]] = []
        self._skips: dict[int, int] = {}
        self._known: dict[tuple[States, str], States] = {}
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
        self.end = len(self._moves) - 1
        self.start = self._with_skips({0})

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
