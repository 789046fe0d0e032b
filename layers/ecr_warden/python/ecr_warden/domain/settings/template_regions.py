"""For which names a creation template of each prefix is, and what the policy says of all of them alike.

A template has one value for all its repositories, so that a section can be in it only where the policy
decides it alike for every name that the template is for.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ecr_warden.domain.automata import Pattern
from ecr_warden.domain.globs import ANY_SEGMENTS, matches_glob
from ecr_warden.domain.languages import ECR_NAMES, Languages
from ecr_warden.domain.policy import Policy, Rule
from ecr_warden.domain.reachability import globs_of, is_for, takes
from ecr_warden.domain.settings.filters import prefix_of
from ecr_warden.domain.settings.templates import ROOT, TEMPLATE_SECTIONS, is_broader

_LONGEST: Final = 256
# CreateRepositoryCreationTemplate's own constraint, without ROOT, which is no name.
_WORDS: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PREFIX: Final = re.compile(rf"{_WORDS}(?:/{_WORDS})*", re.ASCII)
_BELOW: Final = f"/{ANY_SEGMENTS}"


def template_sections(rule: Rule) -> tuple[str, ...]:
    """Give a rule's sections that a template could have; resource tags that are only required are told."""
    return tuple(
        section
        for section in TEMPLATE_SECTIONS
        if getattr(rule, section) is not None
        and not (section == "resource_tags" and rule.resource_tags and not rule.resource_tags.set)
    )


def template_prefix(glob: str) -> str | None:
    """Give the prefix whose template is for just what a glob matches, or ``None``: ECR has none."""
    if glob == ANY_SEGMENTS:
        return ROOT
    prefix = glob.removesuffix(_BELOW)
    is_prefix = prefix != glob and len(prefix) <= _LONGEST and _PREFIX.fullmatch(prefix)
    return prefix if is_prefix else None


def template_prefixes(policy: Policy) -> list[str]:
    """Give the prefixes of the policy's globs, of the rules that have something for a template."""
    found = {template_prefix(glob) for rule in policy.rules if template_sections(rule) for glob in rule.match}
    return sorted(prefix for prefix in found if prefix is not None)


@dataclass(frozen=True)
class Divided:
    """A section that the policy decides in more than one way for a prefix's names.

    ``rule`` is the one that is for all of the names, ``example`` a name for which another decides:
    ``deciding``, or ``None`` where none does.
    """

    rule: Rule
    example: str
    deciding: Rule | None


class Regions:
    """The names that each prefix's template is for, and how a policy decides for them.

    ``prefixes`` are all that there may be templates of.
    """

    def __init__(self, policy: Policy, prefixes: Iterable[str]) -> None:
        self._policy = policy
        self._languages = Languages([*globs_of(*policy.rules), *map(_below, prefixes)], ECR_NAMES)

    def decide(self, prefix: str, section: str, taken: Sequence[str]) -> Rule | Divided | None:
        """Give the rule that decides a section for all names of a prefix, or ``None`` if none does.

        ``None`` is also for what is decided in several ways by rules none of which is for the whole
        prefix. ``taken`` are the prefixes whose templates take names before this one.

        Raises
        ------
        TooEntangledError
            If the policy's globs have too many states to look through.

        """
        region = _Region(self._languages, prefix, taken)
        rules = [rule for rule in self._policy.rules if getattr(rule, section) is not None]
        meeting = [rule for rule in rules if _may_meet(rule, prefix)]
        name = region.find()
        if name is None:  # pragma: no cover  # more specific prefixes always leave names
            return None
        rule = _first(meeting, name)
        other = _differing(region, meeting, rule)
        if other is None:
            return rule
        whole = covering(meeting, prefix)
        if whole is None:
            return None
        example = name if rule is not whole else other
        return Divided(whole, example, _first(meeting, example))


def covering(rules: Sequence[Rule], prefix: str) -> Rule | None:
    """Give the first rule one of whose globs is for all that is below a prefix."""
    for rule in rules:
        prefixes = {template_prefix(glob) for glob in rule.match} - {None}
        if any(each == prefix or is_broader(str(each), prefix) for each in prefixes):
            return rule
    return None


def _differing(region: "_Region", rules: Sequence[Rule], deciding: Rule | None) -> str | None:
    """Find a name of a region for which another rule decides, or none."""
    # By identity: rules that are the same, on one line, are equal.
    at = next((index for index, rule in enumerate(rules) if rule is deciding), len(rules))
    for earlier in rules[:at]:
        name = region.find(earlier, is_taken=True)
        if name is not None:
            return name
    return None if deciding is None else region.find(deciding, is_taken=False)


class _Region:
    """The names below a prefix that no more specific template takes."""

    def __init__(self, languages: Languages, prefix: str, taken: Sequence[str]) -> None:
        self._languages = languages
        self._glob = _below(prefix)
        self._taken = [_below(each) for each in taken if is_broader(prefix, each)]

    def find(self, rule: Rule | None = None, *, is_taken: bool = True) -> str | None:
        """Find a name that a rule takes, or does not.

        A name of another template says which one to leave out, so that the walk has to do with few globs
        however many templates there are.
        """
        left_out: list[str] = []
        while (name := self._find(rule, left_out, is_taken=is_taken)) is not None:
            other = next((glob for glob in self._taken if matches_glob(glob, name)), None)
            if other is None:
                return name
            left_out.append(other)
        return None

    def _find(self, rule: Rule | None, left_out: list[str], *, is_taken: bool) -> str | None:
        def wanted(matching: set[Pattern]) -> bool:
            is_here = self._glob in matching and matching.isdisjoint(left_out)
            return is_here and (rule is None or takes(rule, matching) is is_taken)

        patterns = [self._glob, *left_out, *(globs_of(rule) if rule else ())]
        needed: list[Sequence[Pattern]] = [[self._glob]]
        if rule is not None and is_taken:
            needed.append(rule.match)
        return self._languages.find(patterns, wanted, needed=needed)


def _below(prefix: str) -> str:
    return ANY_SEGMENTS if prefix == ROOT else prefix + _BELOW


def _first(rules: Sequence[Rule], repository_name: str) -> Rule | None:
    return next((rule for rule in rules if is_for(rule, repository_name)), None)


def _may_meet(rule: Rule, prefix: str) -> bool:
    beginning = "" if prefix == ROOT else f"{prefix}/"
    others = (prefix_of(glob) for glob in rule.match)
    return any(other.startswith(beginning) or beginning.startswith(other) for other in others)
