"""Which repositories one of ECR's filters takes that the policy's rules decide otherwise."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from ecr_warden.domain.automata import Pattern, Wildcard
from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.languages import ECR_NAMES, Languages
from ecr_warden.domain.policy import Rule
from ecr_warden.domain.reachability import globs_of, is_for, takes
from ecr_warden.domain.settings.filters import prefix_of


class Overlap:
    """Some rules in their order, of which the first that is for a name decides, and some filters."""

    def __init__(self, rules: Sequence[Rule], filters: Iterable[str]) -> None:
        self._rules = rules
        self._languages = Languages([*globs_of(*rules), *map(Wildcard, filters)], ECR_NAMES)

    def deciding(self, repository_name: str) -> Rule | None:
        """Give the rule that decides for a repository."""
        return _first(self._rules, repository_name)

    def example(self, rule: Rule, glob: str, filter_: str) -> str | None:
        """Find a name that a rule decides by one of its globs, among those that a filter takes.

        Raises
        ------
        TooEntangledError
            If the globs have too many states to look through.

        """
        place = next(place for place, one in enumerate(self._rules) if one is rule)
        return self._left_over(Wildcard(filter_), replace(rule, match=(glob,)), self._rules[:place])

    def misjudged(self, filter_: str, is_right: Callable[[Rule], bool]) -> str | None:
        """Find a name that a filter takes and for which no rule decides, or one that is not right.

        Raises
        ------
        TooEntangledError
            If the globs have too many states to look through.

        """
        wrong = [
            (part, self._rules[:index])
            for index, rule in enumerate(self._rules)
            if not is_right(rule)
            for part in _parts(rule, filter_)
        ]
        # What an early rule decides is found at once; that nothing is left to no rule, only at the end.
        for part, earlier in (*wrong, (None, self._rules)):
            name = self._left_over(Wildcard(filter_), part, earlier)
            if name is not None:
                return name
        return None

    def _left_over(self, wildcard: Wildcard, rule: Rule | None, earlier: Sequence[Rule]) -> str | None:
        """Find a name of a filter that a rule, or no rule, is left to decide for.

        A name that escapes the globs chosen so far says which one to add, so that the walk has to do with
        few however long the policy is.
        """
        chosen: list[Rule] = []
        while (name := self._escaping(wildcard, rule, chosen)) is not None:
            deciding = _first(earlier, name)
            if deciding is None:
                return name
            glob = next(glob for glob in deciding.match if matches_glob(glob, name))
            chosen.append(replace(deciding, match=(glob,)))
        return None

    def _escaping(self, wildcard: Wildcard, rule: Rule | None, chosen: list[Rule]) -> str | None:
        def escapes(matching: set[Pattern]) -> bool:
            is_left = rule is None or takes(rule, matching)
            return wildcard in matching and is_left and not any(takes(each, matching) for each in chosen)

        rules = chosen if rule is None else [rule, *chosen]
        needed: list[Sequence[Pattern]] = [[wildcard]] if rule is None else [[wildcard], rule.match]
        return self._languages.find([wildcard, *globs_of(*rules)], escapes, needed=needed)


def _first(rules: Sequence[Rule], repository_name: str) -> Rule | None:
    return next((rule for rule in rules if is_for(rule, repository_name)), None)


def _parts(rule: Rule, filter_: str) -> Iterator[Rule]:
    """Give a rule as rules with one glob each, without those that match nothing that a filter takes."""
    beginning = prefix_of(filter_)
    for glob in rule.match:
        literal = prefix_of(glob)
        if literal.startswith(beginning) or beginning.startswith(literal):
            yield replace(rule, match=(glob,))
