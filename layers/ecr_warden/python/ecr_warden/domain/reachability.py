"""Which sections of rules can never decide, because earlier rules decide for all that they match.

The globs of a rule and of the earlier ones are walked together, to find a name that the rule matches and
the earlier ones leave to it. A rule is unreachable only where the walk has ended without one.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ecr_warden.domain.automata import Pattern
from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.languages import Languages, TooEntangledError
from ecr_warden.domain.policy import Rule


@dataclass(frozen=True)
class Unreachable:
    """A rule whose section never decides, and the rules that decide instead.

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
    languages = Languages(globs_of(*rules))
    found = []
    for index, rule in enumerate(rules):
        if rule.tags is None:
            continue
        shadows = _shadows(rule, rules[:index], languages)
        if shadows is not None:
            found.append(Unreachable(rule, shadows))
    return found


def unreachable_settings(rules: Sequence[Rule], section: str) -> list[Unreachable]:
    """Find the rules whose section decides for no repository, as ``unreachable_tags`` does.

    ``section`` is one that is for all artifacts.
    """
    having = [rule for rule in rules if getattr(rule, section) is not None]
    languages = Languages(globs_of(*having))
    found = []
    for index, rule in enumerate(having):
        try:
            cover = _cover(rule, having[:index], languages)
        except TooEntangledError:
            continue
        if cover is not None:
            found.append(Unreachable(rule, tuple(rival for rival in having[:index] if rival in cover)))
    return found


def _shadows(rule: Rule, earlier: Sequence[Rule], languages: Languages) -> tuple[Rule, ...] | None:
    """Give the rules that decide in a rule's place, or ``None`` if it may decide for something."""
    shadows: list[Rule] = []
    for artifact in rule.tags.artifacts if rule.tags else ():
        rivals = [rival for rival in earlier if rival.tags is not None and artifact in rival.tags.artifacts]
        try:
            cover = _cover(rule, rivals, languages)
        except TooEntangledError:
            return None
        if cover is None:
            return None
        shadows += cover
    return tuple(rival for rival in earlier if rival in shadows)


def _cover(rule: Rule, rivals: list[Rule], languages: Languages) -> list[Rule] | None:
    """Give few rivals that together match all that a rule matches, or ``None`` if all do not.

    A name that escapes the rivals chosen so far says which rival to add, so that the walk has to do
    with few globs however long the policy is.
    """
    chosen: list[Rule] = []
    while (name := _escaping(rule, chosen, languages)) is not None:
        deciding = next((rival for rival in rivals if rival not in chosen and is_for(rival, name)), None)
        if deciding is None:
            return None
        chosen.append(deciding)
    for rival in tuple(chosen):
        # An early narrow rival is not needed once a wide one covers what it does.
        others = [other for other in chosen if other is not rival]
        if _escaping(rule, others, languages) is None:
            chosen = others
    return chosen


def _escaping(rule: Rule, covering: list[Rule], languages: Languages) -> str | None:
    """Find a shortest name that a rule is for and none of the covering rules is, if there is one."""

    def escapes(matching: set[Pattern]) -> bool:
        return takes(rule, matching) and not any(takes(rival, matching) for rival in covering)

    return languages.find(globs_of(rule, *covering), escapes, needed=[rule.match])


def is_for(rule: Rule, repository_name: str) -> bool:
    """Tell whether a rule is for a repository."""
    return takes(rule, {glob for glob in globs_of(rule) if matches_glob(glob, repository_name)})


def shares_a_name(rule: Rule, glob: str) -> bool:
    """Tell whether a rule is for any repository that a glob matches, or it would take too long to tell."""

    def shared(matching: set[Pattern]) -> bool:
        return takes(rule, matching) and glob in matching

    globs = (*globs_of(rule), glob)
    try:
        return Languages(globs).find(globs, shared, needed=[rule.match, [glob]]) is not None
    except TooEntangledError:
        return True


def takes(rule: Rule, matching: AbstractSet[Pattern]) -> bool:
    """Tell whether a rule is for a name, by the globs that match it."""
    return not matching.isdisjoint(rule.match) and matching.isdisjoint(rule.excluded)


def globs_of(*rules: Rule) -> Iterator[str]:
    """Give all globs of some rules."""
    return (glob for rule in rules for glob in (*rule.match, *rule.excluded))
