import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.globs import glob_problem, matches_glob

NAMES = st.lists(st.text("ab.-", min_size=1, max_size=4), min_size=1, max_size=5)
GLOB_SEGMENTS = st.lists(st.sampled_from(["**", "*", "a*", "?", "ab", "*b"]), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("**", "app", True),
        ("**", "team/app", True),
        ("prod/**", "prod/a/b", True),
        ("prod/**", "prod", False),
        ("prod/**", "production/a", False),
        ("prod/legacy-*", "prod/legacy-a", True),
        ("prod/legacy-*", "prod/legacy-a/b", False),
        ("**/api", "api", True),
        ("**/api", "a/b/api", True),
        ("a/**/b", "a/b", True),
        ("a/**/b/**/c", "a/x/b/b/y/c", True),
        ("a/**/b/**/c", "a/x/b", False),
        ("app", "app2", False),
        ("app-?", "app-1", True),
    ],
)
def test_a_glob_matches_whole_names_by_segments(glob, name, matches):
    assert matches_glob(glob, name) is matches


@pytest.mark.parametrize("glob", ["", "/a", "a/", "a//b", "prod**", "a/**b"])
def test_a_glob_that_cannot_mean_what_it_says_is_refused(glob):
    assert glob_problem(glob)


def _slow(patterns, names):
    """Match by trying everything: slow and plain."""
    if not patterns:
        return not names
    first, rest = patterns[0], patterns[1:]
    if first == "**":
        least = 1 if not rest else 0
        return any(_slow(rest, names[taken:]) for taken in range(least, len(names) + 1))
    return bool(names) and matches_glob(first, names[0]) and _slow(rest, names[1:])


@given(GLOB_SEGMENTS, NAMES)
def test_matching_agrees_with_trying_everything(patterns, names):
    assert matches_glob("/".join(patterns), "/".join(names)) == _slow(patterns, names)


def test_no_glob_hangs():
    start = time.process_time()
    assert not matches_glob("**/a*a*a*a*a*b/" * 8 + "x", "/".join(["a" * 25] * 10))
    assert time.process_time() - start < 1
