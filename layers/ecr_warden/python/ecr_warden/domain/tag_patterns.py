"""Patterns over image tags: named kinds of tag, globs, and regular expressions in linear time."""

import re
from collections.abc import Callable
from fnmatch import translate
from functools import lru_cache
from typing import Any, Final

REGEX_PREFIX: Final = "re:"

_SEMVER_ID: Final = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
# Our own expressions, each without nested or adjacent ambiguous repetition: linear in a tag's length.
NAMED_PATTERNS: Final = {
    "semver": re.compile(
        rf"v?(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-{_SEMVER_ID}(?:\.{_SEMVER_ID})*)?", re.ASCII
    ),
    "git-sha": re.compile(r"[0-9a-f]{7,40}|[0-9a-f]{64}"),
    "calver": re.compile(
        r"v?(?:\d{4}|\d{2})\.(?:0?[1-9]|1[0-2])(?:\.\d+)?(?:[.-][0-9A-Za-z][0-9A-Za-z.-]*)?", re.ASCII
    ),
    "date": re.compile(
        r"\d{4}(?:-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))"
        r"(?:[T.-]?[0-2]\d[0-5]\d(?:[0-5]\d)?)?",
        re.ASCII,
    ),
}

_TAG_CHARACTERS: Final = re.compile(r"[A-Za-z0-9_.*?\[\]!-]*", re.ASCII)


def pattern_problem(pattern: str) -> str | None:
    """Say what is wrong with a tag pattern, or ``None`` if it is sound."""
    if pattern.startswith(REGEX_PREFIX):
        return _regex_problem(pattern.removeprefix(REGEX_PREFIX))
    if not pattern:
        return "an empty pattern matches no tag"
    if not _TAG_CHARACTERS.fullmatch(pattern):
        return (
            "no tag can match: tags have letters, digits, '_', '.' and '-' only; write re:… for an expression"
        )
    return None


def _regex_problem(expression: str) -> str | None:
    re2 = _engine()
    try:
        re2.compile(expression, _quiet(re2))
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error.args[0])
        return (
            f"not a regular expression of RE2's syntax ({reason}); RE2 has no look-around and no "
            "back-references, so that no expression can hang"
        )
    return None


def _engine() -> Any:  # noqa: ANN401  # google-re2 ships no types
    # A policy without expressions never loads the engine.
    import re2  # noqa: PLC0415

    return re2


def _quiet(re2: Any) -> Any:  # noqa: ANN401  # google-re2 ships no types
    options = re2.Options()
    # The error is raised; without this RE2 prints it too.
    options.log_errors = False
    return options


@lru_cache(maxsize=1024)
def _matcher(pattern: str) -> Callable[[str], object]:
    if pattern in NAMED_PATTERNS:
        return NAMED_PATTERNS[pattern].fullmatch
    if pattern.startswith(REGEX_PREFIX):
        re2 = _engine()
        matcher: Callable[[str], object] = re2.compile(
            pattern.removeprefix(REGEX_PREFIX), _quiet(re2)
        ).fullmatch
        return matcher
    return re.compile(translate(pattern)).match


def matches_tag(pattern: str, image_tag: str) -> bool:
    """Tell whether a whole tag matches a pattern: a name, a glob (case matters) or ``re:`` expression."""
    return _matcher(pattern)(image_tag) is not None
