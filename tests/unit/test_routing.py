"""Which channels an outcome goes to."""

from dataclasses import replace

import pytest
from fakes import OUTCOME
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Channel, ChannelType, Mode, Policy, Route, Severity
from ecr_warden.domain.routing import is_for_repository, routed

OPS = Channel("ops", 1, ChannelType.SNS)
TEAM = Channel("team", 2, ChannelType.SLACK, "secret")
WORST_FIRST = list(Severity)


def names(*routes, outcome=OUTCOME):
    policy = Policy("p", channels=(OPS, TEAM), routes=routes)
    return [found.channel.name for found in routed(policy, outcome)]


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        ({}, True),
        ({"outcomes": frozenset({"tag_violation", "drift_found"})}, True),
        ({"outcomes": frozenset({"drift_found"})}, False),
        ({"min_severity": Severity.LOW}, True),
        ({"min_severity": Severity.HIGH}, True),
        ({"min_severity": Severity.CRITICAL}, False),
        ({"repositories": ("prod/**", "team/*")}, True),
        ({"repositories": ("prod/**",)}, False),
        ({"repositories": ("team",)}, False),
        ({"excluded": ("team/app",)}, False),
        ({"repositories": ("**",), "excluded": ("prod/**", "*/app")}, False),
        ({"repositories": ("**",), "excluded": ("prod/**",)}, True),
        ({"accounts": frozenset({"123456789012"})}, True),
        ({"accounts": frozenset({"210987654321"})}, False),
        ({"regions": frozenset({"eu-west-1", "us-east-1"})}, True),
        ({"regions": frozenset({"us-east-1"})}, False),
        ({"mode": Mode.ENFORCE}, True),
        ({"mode": Mode.AUDIT}, False),
    ],
)
def test_a_route_takes_what_all_that_it_says_is_true_of(wanted, takes):
    assert names(Route(1, ("ops",), **wanted)) == ["ops"] * takes


@pytest.mark.parametrize(
    ("owner", "takes"), [("payments", True), ("Payments", False), ("search", False), (None, False)]
)
def test_a_route_for_owners_takes_what_is_theirs_to_the_letter_and_nothing_of_nobodys(owner, takes):
    outcome = replace(OUTCOME, owner=owner)
    assert names(Route(1, ("ops",), owners=frozenset({"payments"})), outcome=outcome) == ["ops"] * takes
    assert names(Route(1, ("ops",)), outcome=outcome) == ["ops"]


def test_a_channel_of_several_routes_is_there_once_with_those_that_take_the_outcome():
    first, other, second = (
        Route(1, ("team",)),
        Route(2, ("team",), mode=Mode.AUDIT),
        Route(3, ("ops", "team", "ops")),
    )
    policy = Policy("p", channels=(OPS, TEAM), routes=(first, other, second))
    team, ops = routed(policy, OUTCOME)
    assert (team.channel, team.routes) == (TEAM, (first, second))
    assert (ops.channel, ops.routes) == (OPS, (second,))


def test_without_a_route_nobody_is_told():
    assert names() == []


few = st.frozensets
routes = st.builds(
    Route,
    line=st.integers(1, 99),
    to=st.lists(st.sampled_from(["ops", "team"]), min_size=1, max_size=3).map(tuple),
    outcomes=few(st.sampled_from(OutcomeKind), max_size=2),
    min_severity=st.sampled_from(Severity),
    repositories=st.lists(st.sampled_from(["**", "team/*", "prod/**"]), max_size=2).map(tuple),
    excluded=st.lists(st.sampled_from(["team/app", "prod/a*"]), max_size=1).map(tuple),
    accounts=few(st.sampled_from(["123456789012", "210987654321"]), max_size=1),
    regions=few(st.sampled_from(["eu-west-1", "us-east-1"]), max_size=1),
    owners=few(st.sampled_from(["payments", "search"]), max_size=1),
    mode=st.none() | st.sampled_from(Mode),
    quiet_hours=st.none(),
    digest=st.none(),
)
outcomes = st.builds(
    replace,
    st.just(OUTCOME),
    kind=st.sampled_from(OutcomeKind),
    severity=st.sampled_from(Severity),
    repository=st.sampled_from(["team/app", "team/web", "prod/api", "dev"]),
    account=st.sampled_from(["123456789012", "210987654321"]),
    region=st.sampled_from(["eu-west-1", "us-east-1"]),
    owner=st.sampled_from(["payments", "search", None]),
    mode=st.sampled_from(Mode),
)


@given(st.lists(routes, max_size=5), outcomes)
def test_each_channel_is_there_once_and_exactly_where_a_route_by_itself_would_send_it(several, outcome):
    found = names(*several, outcome=outcome)
    assert len(found) == len(set(found))
    assert set(found) == {name for route in several for name in names(route, outcome=outcome)}


@given(routes, outcomes)
def test_what_is_worse_goes_everywhere_where_what_is_less_goes(route, outcome):
    for worse in WORST_FIRST[: WORST_FIRST.index(outcome.severity)]:
        assert set(names(route, outcome=outcome)) <= set(
            names(route, outcome=replace(outcome, severity=worse))
        )


@given(routes, outcomes)
def test_a_route_that_takes_something_is_for_its_repository(route, outcome):
    if names(route, outcome=outcome):
        assert is_for_repository(route, outcome.repository)
    # What is taken out is never taken.
    excluding = replace(route, excluded=("**",))
    assert not is_for_repository(excluding, outcome.repository)
    assert names(excluding, outcome=outcome) == []
