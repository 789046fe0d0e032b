"""What the policy says and ECR cannot: found before anything is written, and nothing else is found."""

import re
import time
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.policy import (
    Destination,
    Mode,
    Policy,
    Replication,
    Rule,
    ScanFrequency,
    Scanning,
    ScanType,
)
from ecr_warden.domain.settings.coverage import replication_problems, scanning_problems
from ecr_warden.domain.settings.current import RegistryDestination
from ecr_warden.domain.settings.filters import (
    filter_problem,
    includes,
    prefix_of,
    prefix_problem,
    wildcards_of,
)
from ecr_warden.domain.settings.replication import wanted_replication
from ecr_warden.domain.settings.scanning import wanted_scanning

MANUAL, ON_PUSH, CONTINUOUS = ScanFrequency
BASIC, ENHANCED = ScanType


def replicated(*match, to=("eu-west-1",), excluded=(), mode=None):
    destinations = tuple(Destination(*reversed(each.split("/"))) for each in to)
    return lambda line: Rule(line, match, tuple(excluded), mode, replicate_to=Replication(line, destinations))


def scanned(*match, at=ON_PUSH, scan_type=None, excluded=(), mode=None):
    return lambda line: Rule(line, match, tuple(excluded), mode, scanning=Scanning(line, scan_type, at))


def policy(*rules):
    return Policy("p", Mode.ENFORCE, tuple(rule(line) for line, rule in enumerate(rules, start=1)))


def found(problems):
    return [(each.rule.line, each.message) for each in problems]


def replication(*rules):
    return found(replication_problems(policy(*rules)))


def scanning(*rules):
    return found(scanning_problems(policy(*rules)))


@pytest.mark.parametrize(
    ("glob", "prefix"),
    [
        ("**", ""),
        ("prod/**", "prod/"),
        ("prod/api", "prod/api"),
        ("team-*", "team-"),
        ("**/api", ""),
        ("a/**/b", "a/"),
        ("team-?/x", "team-"),
        ("team-[ab]", "team-"),
    ],
)
def test_a_prefix_is_all_that_stands_before_the_first_wildcard(glob, prefix):
    assert prefix_of(glob) == prefix


@pytest.mark.parametrize(
    ("glob", "wildcards"),
    [
        ("**", "*"),
        ("*", "*"),
        ("prod/**", "prod/*"),
        ("prod/*", "prod/*"),
        ("team-*", "team-*"),
        ("**/api", "*api"),
        ("**/*-api", "*-api"),
        ("a/**/b", "a/*b"),
        ("a/**/**", "a/*"),
        ("prod/?x", "prod/*x"),
        ("prod/[ab]?x[!c]", "prod/*x*"),
        ("prod/api", "prod/api*"),
    ],
)
def test_a_scanning_filter_has_an_asterisk_for_what_it_has_no_word_for(glob, wildcards):
    assert wildcards_of(glob) == wildcards


def test_a_prefix_with_an_exception_takes_the_exception_too():
    message = (
        "replicate_to cannot be expressed by one prefix: ECR replicates by prefix alone, and the prefix "
        "prod/ of prod/** takes prod/legacy too, which except takes out; so each repository gets a prefix of "
        "its own when it is created, and one that can have none is told"
    )
    assert replication(replicated("prod/**", excluded=["prod/legacy"])) == [(1, message)]


def test_a_segment_alone_is_no_prefix_but_with_what_is_below_it_is():
    ((_, message),) = replication(replicated("team-*"))
    assert "takes team-a/a too, for which no rule has replicate_to" in message
    assert replication(replicated("team-*", "team-*/**")) == []


def test_what_no_name_of_ecrs_can_be_is_no_example():
    assert replication(replicated("prod/[a-z0-9]*", "prod/[!.]*/**")) == []
    assert replication(replicated("**", excluded=["?", "*..*", "*-", "**/_*"])) == []


def test_an_exact_name_is_no_prefix_unless_the_rule_has_all_that_begins_so():
    ((_, message),) = replication(replicated("prod/api"))
    assert "ECR knows no exact names, only prefixes, and the prefix prod/api" in message
    assert replication(replicated("prod/api", "prod/**")) == []
    ((_, message),) = scanning(scanned("prod/api"))
    assert "ECR knows no exact names, only wildcards, and the filter prod/api*" in message
    assert scanning(scanned("prod/api", "prod/**")) == []


def test_another_rule_may_decide_only_for_as_many_destinations():
    everything = replicated("**", to=["eu-west-1", "222222222222/us-east-1"])
    ((line, message),) = replication(replicated("prod/**"), everything)
    assert line == 2
    assert (
        "takes prod/a too, for which the rule of line 1 decides, without 222222222222/us-east-1;" in message
    )
    superset = replicated("prod/**", to=["us-east-1", "222222222222/us-east-1", "eu-west-1"])
    assert replication(superset, everything) == []


def test_a_later_rule_decides_for_what_except_takes_out():
    first = replicated("prod/**", excluded=["prod/legacy/**"])
    assert replication(first, replicated("**")) == []
    ((line, message),) = replication(first, replicated("prod/**", to=["us-east-1"]))[:1]
    assert line == 1
    assert "the rule of line 2 decides, without eu-west-1" in message


def test_an_enforced_filter_must_not_take_what_is_only_audited():
    audited = replicated("prod/**", mode=Mode.AUDIT)
    ((line, message),) = replication(audited, replicated("**"))
    assert (line, "the rule of line 1 decides, in audit mode" in message) == (2, True)
    assert replication(replicated("prod/**"), replicated("**", mode=Mode.AUDIT)) == []
    assert replication(audited, replicated("**", mode=Mode.AUDIT)) == []


def test_globs_that_come_to_one_filter_are_one_problem():
    assert len(replication(replicated("prod/*", "prod/?", excluded=["prod/x"]))) == 1


@pytest.mark.parametrize(
    ("glob", "reason"),
    [
        ("a*", "ECR's prefixes have 2 to 256 characters"),
        (f"{'a' * 257}*", "ECR's prefixes have 2 to 256 characters"),
        ("Prod/**", "no repository's name begins so"),
        ("-x/**", "no repository's name begins so"),
    ],
)
def test_a_prefix_that_ecr_refuses_is_a_problem(glob, reason):
    ((_, message),) = replication(replicated(glob))
    assert reason in message


@pytest.mark.parametrize(
    ("glob", "reason"),
    [
        ("a--*", "lower-case letters, digits and *"),
        ("Prod/**", "lower-case letters, digits and *"),
        (f"{'a' * 255}*", "ECR's filters have 1 to 255 characters"),
    ],
)
def test_a_scanning_filter_that_ecr_refuses_is_a_problem(glob, reason):
    ((_, message),) = scanning(scanned(glob))
    assert reason in message


@given(st.text("a9*-./A", max_size=7))
def test_what_ecr_refuses_is_what_its_published_patterns_refuse(text):
    prefixes = r"(?:[a-z0-9]+(?:[._-][a-z0-9]*)*/)*[a-z0-9]*(?:[._-][a-z0-9]*)*"
    filters = r"[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*"
    if len(text) > 1:
        assert (prefix_problem(text) is None) is bool(re.fullmatch(prefixes, text))
    assert (filter_problem(text) is None) is bool(re.fullmatch(filters, text))


def test_globs_too_entangled_to_follow_are_a_problem_that_says_so():
    tangle = replicated("*a" + "?" * 40, to=["us-east-1"])
    start = time.process_time()
    assert any("cannot be checked" in message for _, message in replication(replicated("aa*"), tangle))
    assert time.process_time() - start < 10


def test_a_long_policy_is_checked_in_a_moment():
    teams = [replicated(f"team-{n}/**", to=[f"eu-west-{n % 3}"]) for n in range(150)]
    everything = replicated("**", to=["eu-west-0", "eu-west-1", "eu-west-2"])
    start = time.process_time()
    assert [line for line, _ in replication(*teams, everything)] == [151]
    assert time.process_time() - start < 10


def test_the_policy_alone_may_come_to_ten_replication_rules():
    teams = [replicated(f"team-{n}/**", to=[f"eu-west-{n}"]) for n in range(11)]
    assert replication(*teams[:10]) == []
    ((line, message),) = replication(*teams)
    assert (line, "comes to 11 replication rules, and ECR takes 10" in message) == (11, True)


def test_rules_with_more_than_a_hundred_prefixes_count_as_several():
    assert replication(replicated(*(f"team-{n}/**" for n in range(1000)))) == []
    ((_, message),) = replication(replicated(*(f"team-{n}/**" for n in range(1001))))
    assert "comes to 11 replication rules" in message


def test_prefixes_that_a_shorter_one_brings_do_not_count():
    assert replication(replicated("team-*", "team-*/**", *(f"team-{n}/**" for n in range(1001)))) == []


def test_the_policy_alone_may_have_twenty_five_destinations():
    assert replication(replicated("prod/**", to=[f"eu-west-{n}" for n in range(25)])) == []
    ((_, message),) = replication(replicated("prod/**", to=[f"eu-west-{n}" for n in range(26)]))
    assert "26 different destinations, and ECR takes 25" in message


def test_a_filter_may_take_what_is_scanned_more_often_but_not_what_is_scanned_less():
    assert scanning(scanned("prod/**", at=CONTINUOUS), scanned("**", at=ON_PUSH)) == []
    ((line, message),) = scanning(scanned("prod/**", at=ON_PUSH), scanned("**", at=CONTINUOUS))
    assert line == 2
    assert "the filter * of ** takes prod/a too, for which the rule of line 1 decides, with SCAN_ON_PUSH" in (
        message
    )


def test_a_manual_rule_needs_no_filter_and_restricts_others():
    assert scanning(scanned("prod/api", at=MANUAL)) == []
    ((line, message),) = scanning(scanned("prod/api", at=MANUAL), scanned("**"))
    assert (line, "for which the rule of line 1 decides, with MANUAL" in message) == (2, True)


def test_a_rule_without_a_frequency_leaves_the_registry_to_the_others():
    assert scanning(scanned("prod/**", at=None), scanned("**")) == []
    assert scanning(scanned("prod/api", at=None)) == []


def test_a_name_at_any_depth_takes_names_that_end_so():
    ((_, message),) = scanning(scanned("**/api"))
    assert "the filter *api of **/api takes aapi too, for which no rule has scanning" in message
    assert scanning(scanned("**/*api")) == []


def test_a_registry_has_one_type_of_scanning():
    rules = [scanned(f"{name}/**", scan_type=kind) for name, kind in (("aa", BASIC), ("bb", None))]
    assert scanning(*rules) == []
    ((line, message),) = scanning(*rules, scanned("cc/**", scan_type=ENHANCED))
    assert (line, "scanning cannot be ENHANCED here and BASIC by line 1" in message) == (3, True)


@pytest.mark.parametrize(("scan_type", "lacking"), [(BASIC, CONTINUOUS), (ENHANCED, MANUAL)])
def test_each_type_lacks_a_frequency(scan_type, lacking):
    for frequency in ScanFrequency:
        problems = scanning(scanned("prod/**", at=frequency, scan_type=scan_type))
        assert len(problems) == (frequency is lacking)
    ((line, message),) = scanning(scanned("aa/**", at=lacking), scanned("bb/**", scan_type=scan_type))
    assert (line, f"no {lacking} with the type {scan_type}, which line 2 asks for:" in message) == (1, True)


def test_frequencies_of_different_types_exclude_each_other():
    ((line, _),) = scanning(scanned("aa/**", at=MANUAL), scanned("bb/**", at=CONTINUOUS))
    assert line == 2


def test_a_frequency_may_have_a_hundred_filters():
    assert scanning(scanned(*(f"team-{n}/**" for n in range(100)))) == []
    ((line, message),) = scanning(scanned("xx/**"), scanned(*(f"team-{n}/**" for n in range(100))))
    assert (line, "comes to 101 filters at SCAN_ON_PUSH, and ECR takes 100" in message) == (2, True)
    assert scanning(scanned("**"), scanned(*(f"team-{n}/**" for n in range(100)))) == []


SEGMENTS = st.sampled_from(["**", "*", "aa", "bb", "aa*", "*bb", "aa[!b]*"])
GLOBS = st.lists(SEGMENTS, min_size=1, max_size=2).map("/".join)
# Among the rules that ECR can express, many have a glob with all that is below it.
MATCHES = st.one_of(
    st.lists(GLOBS, min_size=1, max_size=2),
    st.sampled_from([["**"], ["aa/**"], ["aa*", "aa*/**"], ["bb/**", "bb"], ["**/*bb"], ["bb/aa/**"]]),
)
MODES = st.sampled_from([None, None, Mode.AUDIT])
EXCLUDED = st.one_of(st.just([]), st.lists(GLOBS, max_size=1))
DESTINATIONS = st.lists(st.sampled_from(["eu-west-1", "eu-west-2"]), min_size=1, max_size=2, unique=True)
REPLICATED = st.builds(
    lambda match, to, excluded, mode: replicated(*match, to=to, excluded=excluded, mode=mode),
    MATCHES,
    DESTINATIONS,
    EXCLUDED,
    MODES,
)
SCANNED = st.builds(
    lambda match, at, excluded, mode: scanned(*match, at=at, excluded=excluded, mode=mode),
    MATCHES,
    st.sampled_from([ON_PUSH, CONTINUOUS, None]),
    EXCLUDED,
    MODES,
)
# Names enough to tell the globs above apart: each segment's kind, at each depth.
NAMES = [
    "/".join(parts)
    for depth in (1, 2, 3)
    for parts in product(["aa", "bb", "cc", "aaa", "aab", "aac", "bbc", "aacbb", "cbb", "caa"], repeat=depth)
]


def deciding(policy, name, has):
    for rule in policy.rules:
        matches = any(matches_glob(glob, name) for glob in rule.match)
        if has(rule) and matches and not any(matches_glob(glob, name) for glob in rule.excluded):
            return rule
    return None


def destinations_by_rule(policy, name):
    rule = deciding(policy, name, lambda rule: rule.replicate_to is not None)
    if rule is None or rule.mode is Mode.AUDIT:
        return set()
    return {each.region for each in rule.replicate_to.destinations}


def destinations_by_prefix(wanted, name):
    return {to.region for prefix in wanted if name.startswith(prefix) for to in wanted[prefix]}


def frequency_by_rule(policy, name):
    rule = deciding(policy, name, lambda rule: rule.scanning.frequency is not None)
    return None if rule is None or rule.mode is Mode.AUDIT else rule.scanning.frequency


def frequency_by_filter(wanted, name):
    taking = [
        rule.frequency
        for rule in (wanted.rules if wanted else ())
        if any(re.fullmatch(text.replace("*", ".*"), name) for text in rule.filters)
    ]
    return max(taking, key=list(ScanFrequency).index, default=None)


@settings(deadline=None, max_examples=150)
@given(st.lists(REPLICATED, min_size=1, max_size=3))
def test_a_policy_without_problems_replicates_just_what_its_rules_decide(rules):
    has = policy(*rules)
    if not replication_problems(has):
        wanted = wanted_replication(has, account="111111111111", region="us-east-1")
        for name in NAMES:
            assert destinations_by_prefix(wanted, name) == destinations_by_rule(has, name)


@settings(deadline=None, max_examples=150)
@given(st.lists(REPLICATED.filter(lambda rule: rule(0).mode is None), min_size=1, max_size=3))
def test_a_policy_with_a_problem_would_replicate_something_else(rules):
    has = policy(*rules)
    wanted = wanted_replication(has, account="111111111111", region="us-east-1")
    is_other = any(destinations_by_prefix(wanted, name) != destinations_by_rule(has, name) for name in NAMES)
    assert bool(replication_problems(has)) is is_other


@settings(deadline=None, max_examples=150)
@given(st.lists(SCANNED, min_size=1, max_size=3))
def test_a_policy_without_problems_scans_just_as_its_rules_decide(rules):
    has = policy(*rules)
    if not scanning_problems(has):
        wanted = wanted_scanning(has)
        for name in NAMES:
            assert frequency_by_filter(wanted, name) == frequency_by_rule(has, name)


@settings(deadline=None, max_examples=150)
@given(st.lists(SCANNED.filter(lambda rule: rule(0).mode is None), min_size=1, max_size=3))
def test_a_policy_with_a_problem_would_scan_something_otherwise(rules):
    has = policy(*rules)
    wanted = wanted_scanning(has)
    is_other = any(frequency_by_filter(wanted, name) != frequency_by_rule(has, name) for name in NAMES)
    assert bool(scanning_problems(has)) is is_other


@settings(deadline=None)
@given(GLOBS)
def test_a_native_filter_takes_every_name_of_its_glob(glob):
    filter_ = re.compile(wildcards_of(glob).replace("*", ".*"))
    for name in NAMES:
        if matches_glob(glob, name):
            assert name.startswith(prefix_of(glob))
            assert filter_.fullmatch(name)


FILTERS = st.text("ab*", min_size=1, max_size=4)
TEXTS = ["".join(parts) for length in range(1, 7) for parts in product("abc", repeat=length)]


@settings(deadline=None, max_examples=50)
@given(FILTERS, FILTERS)
def test_a_filter_includes_another_if_it_takes_all_names_that_the_other_takes(wide, narrow):
    def names(text):
        # ECR takes a filter without * for every name that contains it.
        pattern = re.compile(text.replace("*", ".*"))
        return {name for name in TEXTS if (pattern.fullmatch if "*" in text else pattern.search)(name)}

    assert includes(wide, narrow) is (names(narrow) <= names(wide))


def test_destinations_without_an_account_are_the_registrys_own():
    rule = replicated("prod/**", to=["eu-west-1", "222222222222/us-east-1", "us-east-1"])
    assert wanted_replication(policy(rule), account="111111111111", region="us-east-1") == {
        "prod/": {
            RegistryDestination("eu-west-1", "111111111111"),
            RegistryDestination("us-east-1", "222222222222"),
        }
    }
