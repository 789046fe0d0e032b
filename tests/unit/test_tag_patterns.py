import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.tag_patterns import NAMED_PATTERNS, matches_tag, pattern_problem

TAGS = st.text("abcXYZ019._-", min_size=1, max_size=128)


@pytest.mark.parametrize(
    ("pattern", "tag", "matches"),
    [
        ("semver", "1.2.3", True),
        ("semver", "v1.2.3-rc.1", True),
        ("semver", "1.2", False),
        ("semver", "01.2.3", False),
        ("semver", "1.2.3-", False),
        ("git-sha", "0123abc", True),
        ("git-sha", "012345", False),
        ("git-sha", "g123abc", False),
        ("calver", "2026.11", True),
        ("calver", "24.04.1-rc1", True),
        ("calver", "2026.13", False),
        ("date", "2026-11-24", True),
        ("date", "20261124-0130", True),
        ("date", "2026-13-01", False),
        ("release-*", "release-7", True),
        ("release-*", "Release-7", False),
        ("latest", "latest2", False),
        ("re:^hotfix-[0-9]+$", "hotfix-12", True),
        ("re:tmp|test", "tmp", True),
        ("re:tmp|test", "tmp2", False),
    ],
)
def test_a_pattern_matches_whole_tags(pattern, tag, matches):
    assert matches_tag(pattern, tag) is matches


@pytest.mark.parametrize("pattern", ["", "a/b", "a b", "re:(", "re:(?=a)", "re:(a)\\1", "re:a{1000}{1000}"])
def test_a_pattern_that_cannot_work_is_refused(pattern):
    assert pattern_problem(pattern)


@pytest.mark.parametrize("pattern", [*NAMED_PATTERNS, "*", "v?.[0-9]", "re:^a+$"])
def test_a_sound_pattern_is_taken(pattern):
    assert pattern_problem(pattern) is None


@given(TAGS)
def test_a_tag_without_wildcards_matches_itself_alone(tag):
    assert matches_tag("re:" + tag.replace(".", "\\."), tag)
    assert not matches_tag("re:" + tag.replace(".", "\\."), tag + "x")


@pytest.mark.parametrize(
    "pattern", [*NAMED_PATTERNS, "*a*a*a*a*a*a*a*b", "re:(a+)+$", "re:(a|aa)*b", "re:([0-9.-]+)*x"]
)
@pytest.mark.parametrize("tag", ["a" * 300 + "!", "1.1.1-" + "1" * 290 + "!", "2026.01." + "1." * 140 + "!"])
def test_no_pattern_hangs_on_any_tag(pattern, tag):
    start = time.process_time()
    matches_tag(pattern, tag)
    assert time.process_time() - start < 0.5
