"""Globs over repository names: ``*`` and ``?`` stay within a segment, ``**`` stands for whole segments."""

import re
from fnmatch import translate
from functools import lru_cache

ANY_SEGMENTS = "**"


def glob_problem(glob: str) -> str | None:
    """Say what is wrong with a glob, or ``None`` if it is sound."""
    if not glob:
        return "an empty glob matches no repository; ** matches every one"
    segments = glob.split("/")
    if "" in segments:
        return "a repository's name has no empty segment: remove the leading, trailing or double /"
    if any(ANY_SEGMENTS in segment and segment != ANY_SEGMENTS for segment in segments):
        return "** stands for whole segments, so it must be alone between slashes, as in prod/**"
    return None


@lru_cache(maxsize=1024)
def _segment(pattern: str) -> re.Pattern[str]:
    # translate() writes atomic groups from Python 3.11 on: matching is linear in the name's length.
    return re.compile(translate(pattern))


def matches_glob(glob: str, repository_name: str) -> bool:
    """Tell whether a repository's name matches a glob.

    ``prod/**`` matches everything below ``prod`` and not ``prod`` itself; ``**/api`` matches ``api`` at
    any depth. It takes at most segments of the glob times segments of the name steps.
    """
    patterns, names = glob.split("/"), repository_name.split("/")
    if patterns[-1] == ANY_SEGMENTS:
        # At the end, ** stands for one segment or more.
        patterns[-1:] = [ANY_SEGMENTS, "*"]
    position = name = 0
    star: int | None = None
    star_name = 0
    while name < len(names):
        if position < len(patterns) and patterns[position] == ANY_SEGMENTS:
            star, star_name = position, name
            position += 1
        elif position < len(patterns) and _segment(patterns[position]).match(names[name]):
            position += 1
            name += 1
        elif star is not None:
            # Only the last ** needs to give way: what stood before it matched at its earliest.
            star_name += 1
            position, name = star + 1, star_name
        else:
            return False
    return all(pattern == ANY_SEGMENTS for pattern in patterns[position:])
