"""Scanning filters are added, the type stays as somebody chose it, and no filter is lost."""

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_warden.domain.policy import Mode, Policy, Rule, ScanFrequency, Scanning, ScanType
from ecr_warden.domain.settings.current import RegistryScanning, ScanningRule
from ecr_warden.domain.settings.plans import Compliant, Kept, Put, Violation
from ecr_warden.domain.settings.scanning import (
    FREQUENCIES,
    WantedScanning,
    plan_registry_scanning,
    registry_scanning,
    scanning_json,
    wanted_scanning,
)

MANUAL, ON_PUSH, CONTINUOUS = ScanFrequency
BASIC, ENHANCED = ScanType


def at(frequency, *filters):
    return ScanningRule(frequency, filters)


def registry(scan_type, *rules):
    return RegistryScanning(scan_type, rules)


def plan(current, scan_type, *rules, override=False):
    return plan_registry_scanning(current, WantedScanning(scan_type, rules), override=override)


def applied(current, answer):
    return registry_scanning(answer.after) if isinstance(answer, Put) else current


def policy(*rules, mode=Mode.ENFORCE):
    return Policy(
        "p",
        mode,
        tuple(
            Rule(line, match, mode=own, scanning=Scanning(line, scan_type, frequency))
            for line, (match, scan_type, frequency, own) in enumerate(rules, start=1)
        ),
    )


def test_enforced_rules_alone_are_wanted_without_filters_that_others_include():
    rules = policy(
        (("prod/**",), ENHANCED, CONTINUOUS, None),
        (("prod/api/**", "dev/**"), None, ON_PUSH, None),
        (("test/**", "test/a*"), None, ON_PUSH, Mode.ENFORCE),
        (("old/**",), None, ON_PUSH, Mode.AUDIT),
    )
    wanted = wanted_scanning(rules)
    assert wanted == WantedScanning(ENHANCED, (at(ON_PUSH, "dev/*", "test/*"), at(CONTINUOUS, "prod/*")))


def test_manual_is_wanted_without_a_filter():
    assert wanted_scanning(policy((("**",), BASIC, MANUAL, None))) == WantedScanning(BASIC)


@pytest.mark.parametrize(
    "rules",
    [
        policy(),
        policy((("**",), BASIC, ON_PUSH, Mode.AUDIT)),
        policy((("**",), None, None, None)),
        policy((("**",), BASIC, ON_PUSH, None), mode=Mode.AUDIT),
    ],
)
def test_a_policy_that_asks_for_nothing_wants_nothing(rules):
    assert wanted_scanning(rules) is None


def test_filters_are_added_to_the_rule_of_their_frequency_in_the_apis_own_shape():
    current = registry(BASIC, at(ON_PUSH, "dev/*"))
    before = {
        "scanType": "BASIC",
        "rules": [
            {
                "scanFrequency": "SCAN_ON_PUSH",
                "repositoryFilters": [{"filter": "dev/*", "filterType": "WILDCARD"}],
            }
        ],
    }
    after = {
        "scanType": "BASIC",
        "rules": [
            {
                "scanFrequency": "SCAN_ON_PUSH",
                "repositoryFilters": [
                    {"filter": "dev/*", "filterType": "WILDCARD"},
                    {"filter": "prod/*", "filterType": "WILDCARD"},
                ],
            }
        ],
    }
    assert plan(current, BASIC, at(ON_PUSH, "prod/*")) == Put(before, after)


@pytest.mark.parametrize(
    "current",
    [
        registry(BASIC, at(ON_PUSH, "*")),
        registry(BASIC, at(ON_PUSH, "prod*")),
        registry(BASIC, at(MANUAL, "x*"), at(ON_PUSH, "prod/*")),
        # ECR takes a filter without * for every name that contains it.
        registry(BASIC, at(ON_PUSH, "prod")),
        registry(ENHANCED, at(ON_PUSH, "prod/*")),
        registry(ENHANCED, at(CONTINUOUS, "*")),
    ],
)
def test_what_filters_take_already_is_not_asked_again(current):
    assert plan(current, None, at(ON_PUSH, "prod/*")) == Compliant()


@pytest.mark.parametrize(
    "current", [at(ON_PUSH, "*"), at(CONTINUOUS, "prod/api/*"), at(CONTINUOUS, "*prod/")]
)
def test_a_lower_frequency_or_a_narrower_filter_does_not_do(current):
    answer = plan(registry(ENHANCED, current), ENHANCED, at(CONTINUOUS, "prod/*"))
    after = applied(None, answer)
    assert current.filters[0] in {text for rule in after.rules for text in rule.filters}
    assert "prod/*" in after.rules[-1].filters


def test_a_manual_filter_covers_nothing():
    answer = plan(registry(BASIC, at(MANUAL, "*")), BASIC, at(ON_PUSH, "prod/*"))
    assert applied(None, answer) == registry(BASIC, at(MANUAL, "*"), at(ON_PUSH, "prod/*"))


def test_ecrs_default_is_nobodys_choice():
    answer = plan(registry(BASIC), ENHANCED, at(CONTINUOUS, "*"))
    assert applied(None, answer) == registry(ENHANCED, at(CONTINUOUS, "*"))


@pytest.mark.parametrize(
    ("current", "wanted"),
    [(registry(BASIC, at(ON_PUSH, "*")), ENHANCED), (registry(ENHANCED), BASIC)],
)
def test_a_type_that_somebody_chose_is_kept_and_nothing_written(current, wanted):
    answer = plan(current, wanted, at(ON_PUSH, "prod/*"))
    assert isinstance(answer, Kept)
    assert answer.reason == (
        f"the registry's scanning is {current.type}, and the policy wants {wanted}; with override: true it "
        "is switched, and the results of earlier scans are no longer available"
    )


def test_override_switches_to_basic_and_scans_on_push_what_was_scanned_continuously():
    current = registry(ENHANCED, at(ON_PUSH, "dev/*"), at(CONTINUOUS, "prod/*", "dev/*"))
    answer = plan(current, BASIC, at(ON_PUSH, "test/*"), override=True)
    assert applied(None, answer) == registry(BASIC, at(ON_PUSH, "dev/*", "prod/*", "test/*"))


def test_override_switches_to_enhanced_without_filters_that_say_manual():
    current = registry(BASIC, at(MANUAL, "old/*"), at(ON_PUSH, "dev/*"))
    answer = plan(current, ENHANCED, at(CONTINUOUS, "prod/*"), override=True)
    assert applied(None, answer) == registry(ENHANCED, at(ON_PUSH, "dev/*"), at(CONTINUOUS, "prod/*"))


def test_a_type_alone_may_be_wanted():
    assert applied(None, plan(registry(BASIC), ENHANCED)) == registry(ENHANCED)
    assert plan(registry(ENHANCED), ENHANCED) == Compliant()


@pytest.mark.parametrize("override", [True, False])
def test_continuous_scanning_is_not_begun_where_the_type_has_none(override):
    for scan_type in (None, BASIC):
        answer = plan(registry(BASIC), scan_type, at(CONTINUOUS, "*"), override=override)
        assert isinstance(answer, Kept)
        assert "the registry's scanning is BASIC, which has no CONTINUOUS_SCAN" in answer.reason


def test_more_than_a_hundred_filters_are_a_violation():
    current = registry(BASIC, at(ON_PUSH, *(f"team-{n}/*" for n in range(99))))
    assert isinstance(plan(current, BASIC, at(ON_PUSH, "prod/*")), Put)
    answer = plan(current, BASIC, at(ON_PUSH, "prod/*", "dev/*"))
    assert isinstance(answer, Violation)
    assert answer.reason == (
        "the registry's scanning would have 101 filters at SCAN_ON_PUSH, and ECR takes 100; "
        "99 of them are there already"
    )


FILTERS = st.sampled_from(["*", "aa*", "aa/*", "*bb", "*bb*", "aa*bb", "cc/*", "aa"])


def registries(scan_type):
    rules = [st.lists(FILTERS, max_size=3, unique=True) for _ in FREQUENCIES[scan_type]]
    return st.tuples(*rules).map(
        lambda some: registry(
            scan_type,
            *(
                at(*each)
                for each in ((f, *x) for f, x in zip(FREQUENCIES[scan_type], some, strict=True) if x)
            ),
        )
    )


REGISTRIES = st.sampled_from(ScanType).flatmap(registries)
GLOBS = st.sampled_from(["**", "aa*", "aa/**", "**/bb", "**/*bb", "cc/*", "aa/**/bb"])
POLICIES = st.sampled_from(ScanType).flatmap(
    lambda scan_type: st.lists(
        st.tuples(
            st.lists(GLOBS, min_size=1, max_size=2).map(tuple),
            st.sampled_from([scan_type, None]),
            st.sampled_from(FREQUENCIES[scan_type]),
            st.none(),
        ),
        min_size=1,
        max_size=3,
    ).map(lambda rules: policy(*rules))
)
NAMES = ["/".join(x) for n in (1, 2, 3) for x in product(["aa", "bb", "cc", "aac", "cbb", "cbbc"], repeat=n)]


def frequency(rules, name):
    """Give how often ECR scans a repository's images."""
    taking = [
        rule.frequency
        for rule in rules
        for text in rule.filters
        if (re.fullmatch(text.replace("*", ".*"), name) if "*" in text else text in name)
    ]
    return max(taking, key=list(ScanFrequency).index, default=MANUAL)


@settings(deadline=None)
@given(REGISTRIES, POLICIES, st.booleans())
def test_a_plan_scans_as_often_as_was_scanned_and_as_is_wanted(current, rules, override):
    wanted = wanted_scanning(rules)
    answer = plan_registry_scanning(current, wanted, override=override)
    after = applied(current, answer)
    for name in NAMES:
        was, wants = frequency(current.rules, name), frequency(wanted.rules, name)
        # BASIC has nothing above SCAN_ON_PUSH.
        carried = min(was, FREQUENCIES[after.type][-1], key=list(ScanFrequency).index)
        expected = max(carried, MANUAL if isinstance(answer, Kept) else wants, key=list(ScanFrequency).index)
        assert frequency(after.rules, name) == expected


@settings(deadline=None)
@given(REGISTRIES, POLICIES, st.booleans())
def test_planning_again_finds_nothing_to_do(current, rules, override):
    wanted = wanted_scanning(rules)
    answer = plan_registry_scanning(current, wanted, override=override)
    if isinstance(answer, Put):
        assert registry_scanning(answer.before) == current
        again = plan_registry_scanning(applied(current, answer), wanted, override=override)
        assert again == Compliant()


@settings(deadline=None)
@given(REGISTRIES, POLICIES, st.booleans())
def test_no_filter_of_others_is_lost(current, rules, override):
    after = applied(current, plan_registry_scanning(current, wanted_scanning(rules), override=override))
    filters = {(rule.frequency, text) for rule in after.rules for text in rule.filters}
    for rule in current.rules:
        if after.type is current.type:
            assert filters >= {(rule.frequency, text) for text in rule.filters}
        elif rule.frequency is not MANUAL:
            assert {text for _, text in filters} >= set(rule.filters)


@settings(deadline=None)
@given(REGISTRIES, POLICIES, POLICIES)
def test_two_that_write_in_turn_lose_nothing(current, first, second):
    between = applied(current, plan_registry_scanning(current, wanted_scanning(first), override=False))
    after = applied(between, plan_registry_scanning(between, wanted_scanning(second), override=False))
    was = {
        (rule.frequency, text) for each in (current, between) for rule in each.rules for text in rule.filters
    }
    assert {(rule.frequency, text) for rule in after.rules for text in rule.filters} >= was


@settings(deadline=None)
@given(REGISTRIES, POLICIES, st.booleans())
def test_ecrs_limits_are_kept_by_all_that_is_put(current, rules, override):
    after = applied(current, plan_registry_scanning(current, wanted_scanning(rules), override=override))
    frequencies = [rule.frequency for rule in after.rules]
    assert len(frequencies) == len(set(frequencies)) <= 2
    assert set(frequencies) <= set(FREQUENCIES[after.type])
    assert all(len(rule.filters) <= 100 for rule in after.rules)


@given(REGISTRIES)
def test_a_configuration_is_read_as_it_is_written(current):
    assert registry_scanning(scanning_json(current)) == current


def test_a_registry_without_a_configuration_is_basic():
    assert registry_scanning({}) == registry(BASIC)
