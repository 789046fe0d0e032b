"""A rule is called unreachable only where nothing is resolved to it."""

import time
from fnmatch import fnmatchcase
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_warden.domain.artifacts import Artifact
from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.policy import Policy, Rule, TagRules
from ecr_warden.domain.reachability import is_for, shares_a_name, unreachable_tags
from ecr_warden.domain.resolution import resolve_tags

IMAGE, CHART, CACHE = Artifact.IMAGE, Artifact.HELM_CHART, Artifact.BUILD_CACHE


def rule(*match, excluded=(), artifacts=(IMAGE,), tags=True):
    """Give a rule without its line, which is its place in the policy."""
    return match, tuple(excluded), frozenset(artifacts), tags


def numbered(rules):
    return [
        Rule(line, match, excluded, tags=TagRules(line, deny=("x",), artifacts=artifacts) if tags else None)
        for line, (match, excluded, artifacts, tags) in enumerate(rules, start=1)
    ]


def found(*rules):
    """Give the line of each unreachable rule with the lines of those that shadow it."""
    return {
        each.rule.line: [rival.line for rival in each.shadowed_by]
        for each in unreachable_tags(numbered(rules))
    }


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("**", "**"),
        ("**", "prod/api"),
        ("**", "prod/**"),
        ("**", "**/api"),
        ("**", "*"),
        ("prod/**", "prod/api"),
        ("prod/**", "prod/*"),
        ("prod/**", "prod/a/**/b"),
        ("prod/**", "prod/*/**"),
        ("prod/*", "prod/a*"),
        ("prod/*", "prod/?"),
        ("prod/a*", "prod/api-*"),
        ("prod/[a-z]*", "prod/[p-r]x"),
        ("prod/[!a]*", "prod/b"),
        ("**/api", "prod/api"),
        ("**/api", "api"),
        ("a/**/b", "a/b"),
        ("**/**", "a/b"),
        ("**/**", "a"),
        ("*", "?*"),
        ("api", "api"),
        ("[]", "[]"),
        ("[]]", "[]]"),
        ("x[[]", "x["),
    ],
)
def test_a_rule_whose_glob_an_earlier_one_includes_is_unreachable(earlier, later):
    assert found(rule(earlier), rule(later)) == {2: [1]}


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("prod/**", "prod"),
        ("prod/**", "**"),
        ("prod/*", "prod/**"),
        ("*", "a/b"),
        ("**/api", "**"),
        ("a/**/b", "a/**"),
        ("prod/a*", "prod/*a"),
        ("prod/?", "prod/*"),
        ("prod/[a-y]", "prod/?"),
        ("prod/[!a]*", "prod/a"),
        ("[]", "]"),
        ("[]]", "[]"),
    ],
)
def test_a_rule_whose_glob_has_more_than_the_earlier_one_is_reachable(earlier, later):
    assert found(rule(earlier), rule(later)) == {}


def test_the_first_rule_is_reachable():
    assert found(rule("**")) == {}


def test_rules_that_cover_another_only_together_are_both_named_and_no_other():
    rules = (rule("dev/**"), rule("a/x"), rule("a/[!x]*"), rule("a/x?*"), rule("a/*"))
    assert found(*rules) == {5: [2, 3, 4]}


def test_an_early_narrow_rule_is_not_named_where_a_wide_one_covers_all():
    assert found(rule("?"), rule("*"), rule("*")) == {3: [2]}


def test_every_glob_of_a_rule_must_be_covered():
    assert found(rule("prod/**"), rule("prod/api", "dev/api")) == {}
    assert found(rule("prod/**", "dev/*"), rule("prod/api", "dev/api")) == {2: [1]}


def test_an_earlier_rule_covers_only_the_artifacts_that_it_is_for():
    assert found(rule("**", artifacts=[IMAGE]), rule("**", artifacts=[CHART])) == {}
    assert found(rule("**", artifacts=[IMAGE]), rule("**", artifacts=[IMAGE, CHART])) == {}
    assert found(rule("**", artifacts=[IMAGE, CHART]), rule("**", artifacts=[CHART])) == {2: [1]}


def test_rules_that_cover_an_artifact_each_are_both_named():
    rules = (rule("**", artifacts=[CHART]), rule("**"), rule("prod/**", artifacts=[IMAGE, CHART]))
    assert found(*rules) == {3: [1, 2]}


def test_an_earlier_rule_covers_nothing_that_its_except_takes_out():
    assert found(rule("**", excluded=["old/**"]), rule("old/api")) == {}
    assert found(rule("**", excluded=["old/**"]), rule("**/api")) == {}
    assert found(rule("**", excluded=["old/**"]), rule("new/api")) == {2: [1]}
    assert found(rule("**", excluded=["old/**"]), rule("**/api", excluded=["old/*"])) == {}
    assert found(rule("**", excluded=["old/*"]), rule("**/api", excluded=["old/**"])) == {2: [1]}


def test_a_rule_that_excepts_all_that_it_matches_is_unreachable_by_itself():
    assert found(rule("prod/*", excluded=["prod/**"])) == {1: []}
    assert found(rule("**"), rule("a", excluded=["*"])) == {2: []}


def test_a_rule_without_tags_shields_nothing_and_is_not_found():
    assert found(rule("**", tags=False), rule("**"), rule("**", tags=False)) == {}


def test_a_long_policy_takes_a_moment():
    rules = [rule(f"team-{number}/**", f"**/svc-{number}-*") for number in range(150)]
    start = time.process_time()
    assert found(*rules, rule("**"), rule("team-7/api")) == {152: [8]}
    assert time.process_time() - start < 10


def test_globs_too_entangled_to_follow_are_left_alone_in_a_moment():
    start = time.process_time()
    assert found(rule("*a" + "?" * 40), rule("*a" + "?" * 40)) == {}
    assert time.process_time() - start < 10


SEGMENTS = st.sampled_from(["**", "*", "a", "b", "a*", "*b", "?", "[!a]*"])
GLOBS = st.lists(SEGMENTS, min_size=1, max_size=2).map("/".join)
RULES = st.lists(
    st.builds(
        lambda match, excluded, artifacts, tags: rule(
            *match, excluded=excluded, artifacts=artifacts, tags=tags
        ),
        st.lists(GLOBS, min_size=1, max_size=2),
        st.lists(GLOBS, max_size=2),
        st.sets(st.sampled_from([IMAGE, CHART]), min_size=1),
        st.sampled_from([True, True, True, False]),
    ),
    min_size=1,
    max_size=4,
)
# Names enough to tell the globs above apart: each segment's kind, at each depth.
NAMES = [
    "/".join(parts)
    for depth in (1, 2, 3)
    for parts in product(["a", "b", "c", "ab", "ac", "cb", "cc"], repeat=depth)
]


@settings(deadline=None)
@given(RULES)
def test_just_the_rules_are_found_that_decide_for_no_name_and_artifact(rules):
    policy = Policy("p", rules=tuple(numbered(rules)))
    deciding = {
        resolution.rules.line
        for name, artifact in product(NAMES, [IMAGE, CHART, CACHE])
        if (resolution := resolve_tags(policy, name, artifact)).rules is not None
    }
    having = {each.line for each in policy.rules if each.tags is not None}
    assert {each.rule.line for each in unreachable_tags(policy.rules)} == having - deciding


@settings(deadline=None)
@given(RULES)
def test_the_rules_that_are_named_decide_for_all_without_the_others(rules):
    for each in unreachable_tags(numbered(rules)):
        alone = Policy("p", rules=(*each.shadowed_by, each.rule))
        for name, artifact in product(NAMES, [IMAGE, CHART]):
            assert resolve_tags(alone, name, artifact).rules != each.rule.tags


@settings(deadline=None)
@given(RULES, GLOBS)
def test_a_rule_shares_a_name_with_a_glob_just_where_it_is_for_a_name_that_the_glob_matches(rules, glob):
    for each in numbered(rules):
        shared = [name for name in NAMES if matches_glob(glob, name) and is_for(each, name)]
        assert shares_a_name(each, glob) is bool(shared)


def test_a_glob_too_entangled_to_follow_may_share_a_name():
    assert shares_a_name(Rule(1, ("*a" + "?" * 40,)), "*b" + "?" * 40)


PIECES = st.lists(st.sampled_from(["[", "]", "!", "-", "a", "b", "*", "?"]), min_size=1, max_size=6).map(
    "".join
)


@given(PIECES, st.text("ab[]!-", min_size=1, max_size=3))
def test_a_segment_is_read_as_fnmatch_reads_it(segment, name):
    # A rule for just one name is shadowed by a glob if, and only if, fnmatch says that it matches.
    literal = "".join(f"[{character}]" if character in "[*?" else character for character in name)
    is_shadowed = bool(found(rule(segment), rule(literal)).get(2))
    assert is_shadowed is fnmatchcase(name, segment)
