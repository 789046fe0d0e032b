"""Replication rules are appended, as few as can be, and nothing of other people's is touched."""

import time
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_warden.domain.policy import Destination, Mode, Policy, Replication, Rule
from ecr_warden.domain.settings.current import RegistryDestination, ReplicationRule
from ecr_warden.domain.settings.grouping import grouped
from ecr_warden.domain.settings.plans import Compliant, Put, Violation
from ecr_warden.domain.settings.replication import (
    backfill_destinations,
    plan_replication,
    replication_json,
    replication_rules,
    wanted_replication,
)

ACCOUNT = "111111111111"


def to(*regions):
    return tuple(RegistryDestination(region, ACCOUNT) for region in regions)


def existing(regions, *prefixes, delete=None):
    return ReplicationRule(to(*regions), prefixes, delete)


def wanting(**prefixes):
    """Give destinations, a letter each, by prefix; ``_`` is the empty one."""
    return {"" if prefix == "_" else prefix: frozenset(to(*regions)) for prefix, regions in prefixes.items()}


def added(plan, current=()):
    """Give the rules that a plan appends: destinations' letters, and prefixes."""
    after = replication_rules(plan.after)
    assert after[: len(current)] == tuple(current)
    return [
        ("".join(each.region for each in rule.destinations), *rule.prefixes) for rule in after[len(current) :]
    ]


def applied(current, plan):
    return replication_rules(plan.after) if isinstance(plan, Put) else current


def policy(*rules, mode=Mode.ENFORCE):
    return Policy(
        "p",
        mode,
        tuple(
            Rule(line, match, mode=own, replicate_to=Replication(line, destinations))
            for line, (match, destinations, own) in enumerate(rules, start=1)
        ),
    )


def test_enforced_rules_alone_are_wanted_and_the_registry_itself_is_no_destination():
    here, there = Destination("us-east-1"), Destination("eu-west-1")
    other = Destination("us-east-1", "222222222222")
    rules = policy(
        (("prod/**", "team-*"), (here, there), None),
        (("prod/**",), (other, Destination("us-east-1", ACCOUNT)), Mode.ENFORCE),
        (("dev/**",), (there,), Mode.AUDIT),
        (("local/**",), (here,), None),
    )
    assert wanted_replication(rules, account=ACCOUNT, region="us-east-1") == {
        "prod/": {
            RegistryDestination("eu-west-1", ACCOUNT),
            RegistryDestination("us-east-1", "222222222222"),
        },
        "team-": {RegistryDestination("eu-west-1", ACCOUNT)},
    }


def test_a_rule_is_appended_in_the_apis_own_shape():
    current = (existing("a", delete=True),)
    plan = plan_replication(current, wanting(prod="b"))
    first = {
        "destinations": [{"region": "a", "registryId": ACCOUNT}],
        "deleteReplication": {"enabled": True},
    }
    second = {
        "destinations": [{"region": "b", "registryId": ACCOUNT}],
        "repositoryFilters": [{"filter": "prod", "filterType": "PREFIX_MATCH"}],
    }
    assert plan == Put({"rules": [first]}, {"rules": [first, second]})


@pytest.mark.parametrize(
    ("current", "wanted"),
    [
        ((), {}),
        ((existing("ab"),), wanting(prod="a", _="b")),
        ((existing("a", "pr"),), wanting(prod="a")),
        ((existing("a", "prod"), existing("b", "prod", "dev")), wanting(prod="ab")),
        ((existing("a", "prod", delete=True),), wanting(prod="a")),
    ],
)
def test_what_rules_give_already_is_not_asked_again(current, wanted):
    assert plan_replication(current, wanted) == Compliant()


def test_a_longer_prefix_gives_a_shorter_one_nothing():
    current = (existing("a", "prod/api"),)
    assert added(plan_replication(current, wanting(prod="a")), current) == [("a", "prod")]


def test_only_a_rule_without_prefixes_gives_everything():
    current = (existing("a", "prod", "dev"),)
    assert added(plan_replication(current, wanting(_="a", prod="a")), current) == [("a",)]


def test_a_prefix_that_a_shorter_one_brings_is_left_out():
    assert added(plan_replication((), wanting(prod="ab", prod_x="abc"))) == [("ab", "prod"), ("c", "prod_x")]


def test_prefixes_with_the_same_destinations_share_a_rule():
    plan = plan_replication((), wanting(prod="ab", dev="ab", test="b"))
    assert added(plan) == [("ab", "dev", "prod"), ("b", "test")]


def test_a_prefix_may_be_in_two_rules_where_that_makes_fewer():
    plan = plan_replication((), wanting(dev="a", prod="abc", test="bc"))
    assert added(plan) == [("a", "dev", "prod"), ("bc", "prod", "test")]


def test_more_than_a_hundred_prefixes_are_several_rules():
    plan = plan_replication((), {f"team-{n:03}": frozenset(to("a")) for n in range(201)})
    assert [len(rule) - 1 for rule in added(plan)] == [100, 100, 1]


def test_a_rule_that_has_just_what_the_policy_writes_is_extended():
    own, others = existing("a", "prod"), [existing("z", f"team-{n}") for n in range(9)]
    many = (others[0], own, *others[1:])
    after = replication_rules(plan_replication(many, wanting(prod="a", dev="a")).after)
    assert after == (others[0], existing("a", "prod", "dev"), *others[1:])


@pytest.mark.parametrize(
    "foreign",
    [
        existing("a", "prod", "secret"),
        existing("az", "prod"),
        existing("a", "prod", delete=False),
        ReplicationRule((), ("prod",)),
    ],
)
def test_a_rule_that_says_more_than_the_policy_is_not_extended(foreign):
    current = (foreign, *(existing("z", f"team-{n}") for n in range(9)))
    plan = plan_replication(current, wanting(prod="a", dev="a"))
    assert isinstance(plan, Violation)
    assert plan.reason == (
        "the registry's replication would have 11 rules, and ECR takes 10; 10 of them are not the policy's"
    )


def test_a_rule_with_a_hundred_prefixes_is_not_extended():
    wanted = {f"p{n:03}": frozenset(to("a")) for n in range(101)}
    full = existing("a", *sorted(wanted)[:100])
    current = (full, *(existing("z", f"team-{n}") for n in range(9)))
    assert isinstance(plan_replication(current, wanted), Violation)
    assert isinstance(plan_replication(current[:9], wanted), Put)


def test_more_than_twenty_five_destinations_are_a_violation():
    current = (ReplicationRule(to(*(f"r{n}" for n in range(24)))),)
    assert isinstance(plan_replication(current, wanting(prod="a")), Put)
    plan = plan_replication(current, wanting(prod="ab"))
    assert isinstance(plan, Violation)
    assert plan.reason == (
        "the registry's replication would have 26 different destinations, and ECR takes 25; "
        "24 of them are in rules that are not the policy's"
    )


def test_many_different_sets_of_destinations_take_a_moment():
    sets = ["".join(some) for some in combinations("abcdef", 3)]
    start = time.process_time()
    rules = grouped(wanting(**{f"team{n:02}": some for n, some in enumerate(sets)}))
    # Each of six destinations has prefixes of its own.
    assert len(rules) == 6
    assert len(grouped(wanting(**{f"team-{region}": region for region in "abcdefghijklmnop"}))) == 16
    assert time.process_time() - start < 3


def test_backfill_is_for_destinations_that_get_more():
    before = (existing("ab", "prod"), existing("c"))
    after = (*before, existing("ac", "dev"), existing("b", "prod/x"), existing("d", "prod"))
    assert backfill_destinations(before, after) == to("a", "d")
    assert backfill_destinations((existing("a", "prod"),), (existing("a"),)) == to("a")


REGIONS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True).map(sorted)
# Prefixes that begin each other, and some that do not.
PREFIXES = st.sampled_from(["aa", "aa/", "aa/b", "aa/bb", "cc", "cc-", "dd/", "ee/"])
WANTED = st.dictionaries(
    st.one_of(PREFIXES, st.just("")), REGIONS.map(lambda some: frozenset(to(*some))), max_size=6
)
EXISTING = st.builds(
    lambda regions, prefixes, delete: existing(regions, *prefixes, delete=delete),
    REGIONS,
    st.lists(PREFIXES, max_size=3, unique=True),
    st.sampled_from([None, None, True, False]),
)
NAMES = [
    "".join(parts) for parts in product(["aa", "cc", "dd", "ee", "ff"], ["", "/", "-", "x"], ["", "b", "bb"])
]


def by_rules(rules, name):
    """Give a name's destinations, as ECR gives them."""
    return {
        destination
        for rule in rules
        if not rule.prefixes or any(name.startswith(prefix) for prefix in rule.prefixes)
        for destination in rule.destinations
    }


def by_policy(wanted, name):
    return {to for prefix in wanted if name.startswith(prefix) for to in wanted[prefix]}


def is_written_by_the_policy(rule, wanted):
    is_plain = bool(rule.prefixes) and rule.delete_replication is None
    return is_plain and all(wanted.get(prefix, set()) >= set(rule.destinations) for prefix in rule.prefixes)


def is_kept(rule, after):
    same = [each for each in after if each.destinations == rule.destinations]
    return any(
        each.delete_replication == rule.delete_replication
        and bool(each.prefixes) == bool(rule.prefixes)
        and set(each.prefixes) >= set(rule.prefixes)
        for each in same
    )


@settings(deadline=None)
@given(st.lists(EXISTING, max_size=10).map(tuple), WANTED)
def test_a_plan_gives_just_what_was_given_and_what_is_wanted(current, wanted):
    plan = plan_replication(current, wanted)
    if not isinstance(plan, Violation):
        after = applied(current, plan)
        for name in NAMES:
            assert by_rules(after, name) == by_rules(current, name) | by_policy(wanted, name)


@settings(deadline=None)
@given(st.lists(EXISTING, max_size=10).map(tuple), WANTED)
def test_planning_again_finds_nothing_to_do(current, wanted):
    plan = plan_replication(current, wanted)
    if isinstance(plan, Put):
        assert plan_replication(applied(current, plan), wanted) == Compliant()
        assert replication_rules(plan.before) == current


@settings(deadline=None)
@given(st.lists(EXISTING, max_size=10).map(tuple), WANTED)
def test_every_rule_that_was_there_is_there(current, wanted):
    plan = plan_replication(current, wanted)
    after = applied(current, plan)
    assert all(is_kept(rule, after) for rule in current)
    for rule, now in zip(current, after, strict=False):
        assert now == rule or is_written_by_the_policy(rule, wanted)


@settings(deadline=None)
@given(st.lists(EXISTING, max_size=10).map(tuple), WANTED)
def test_ecrs_limits_are_kept_by_all_that_is_put(current, wanted):
    plan = plan_replication(current, wanted)
    if isinstance(plan, Put):
        after = applied(current, plan)
        assert len(after) <= 10
        assert len({each for rule in after for each in rule.destinations}) <= 25
        assert all(len(rule.prefixes) <= 100 for rule in after)


@settings(deadline=None)
@given(
    st.lists(EXISTING, max_size=6).map(tuple),
    WANTED,
    WANTED,
    st.lists(EXISTING, max_size=2).map(tuple),
)
def test_two_that_write_in_turn_lose_nothing(current, first, second, foreign):
    # Both plan on the same; the second reads again before it writes, and so may somebody else have.
    plans = [plan_replication(current, wanted) for wanted in (first, second)]
    between = (*applied(current, plans[0]), *foreign)
    again = plan_replication(between, second)
    after = applied(between, again)
    assert all(is_kept(rule, after) for rule in (*current, *foreign))
    for name in NAMES:
        given_ = by_rules(after, name)
        assert given_ >= by_rules(between, name)
        if not any(isinstance(plan, Violation) for plan in (plans[0], again)):
            assert given_ >= by_policy(first, name) | by_policy(second, name)


@settings(deadline=None)
@given(WANTED)
def test_the_order_in_which_things_are_wanted_does_not_matter(wanted):
    turned = dict(reversed(wanted.items()))
    assert plan_replication((), wanted) == plan_replication((), turned)


RELATIONS = st.dictionaries(
    st.sampled_from(["p", "q", "r", "s"]), REGIONS.map(lambda some: frozenset(to(*some))), min_size=1
)


def fewest(wanted):
    """Give the fewest rules and prefixes by trying every set of rectangles of prefixes and destinations."""
    destinations = sorted({each for some in wanted.values() for each in some}, key=str)
    pairs = {(prefix, each) for prefix in wanted for each in wanted[prefix]}
    rectangles = []
    for size in range(1, len(destinations) + 1):
        for some in combinations(destinations, size):
            fitting = [prefix for prefix in wanted if wanted[prefix] >= set(some)]
            for number in range(1, len(fitting) + 1):
                chosen = combinations(fitting, number)
                rectangles += [(number, frozenset(product(prefixes, some))) for prefixes in chosen]
    # Of two rectangles with the same prefixes, only the one with more destinations matters.
    useful = [
        one for one in rectangles if not any(one[0] == other[0] and one[1] < other[1] for other in rectangles)
    ]
    for number in range(1, len(pairs) + 1):
        costs = [
            sum(size for size, _ in some)
            for some in combinations(useful, number)
            if frozenset().union(*(cells for _, cells in some)) == pairs
        ]
        if costs:
            return number, min(costs)
    return 0, 0


@settings(deadline=None, max_examples=60)
@given(RELATIONS)
def test_no_fewer_rules_and_prefixes_would_do(wanted):
    rules = grouped(wanted)
    assert (len(rules), sum(len(rule.prefixes) for rule in rules)) == fewest(wanted)


@given(st.lists(EXISTING, max_size=4).map(tuple))
def test_rules_are_read_as_they_are_written(rules):
    assert replication_rules(replication_json(rules)) == rules


def test_a_registry_without_a_configuration_has_no_rules():
    assert replication_rules({}) == ()
