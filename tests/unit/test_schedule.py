"""When what happens is told: soon, at the end of a digest's period, or when quiet hours are over."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecr_warden.domain.policy import Channel, ChannelType, Digest, QuietHours, Route, Severity
from ecr_warden.domain.routing import Routed
from ecr_warden.domain.schedule import Due, due

TEAM = Channel("team", 1, ChannelType.SLACK, "secret")
SIEM = Channel("siem", 1, ChannelType.WEBHOOK, "secret")
NIGHT = QuietHours(time(22), time(7), "Europe/Berlin")
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Africa/Casablanca",
)

clock_times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
quiet_hours = st.builds(QuietHours, clock_times, clock_times, st.sampled_from(ZONES)).filter(
    lambda quiet: quiet.start != quiet.end
)
routes = st.builds(
    Route,
    line=st.just(1),
    to=st.just(("team",)),
    outcomes=st.just(frozenset()),
    min_severity=st.just(Severity.INFO),
    repositories=st.just(()),
    excluded=st.just(()),
    accounts=st.just(frozenset()),
    regions=st.just(frozenset()),
    owners=st.just(frozenset()),
    mode=st.none(),
    quiet_hours=st.none() | quiet_hours,
    digest=st.none() | st.sampled_from(Digest),
)
several_routes = st.lists(routes, min_size=1, max_size=3).map(tuple)
# The years have every kind of change of clocks; Apia skipped a whole day in 2011.
moments = st.datetimes(datetime(2011, 12, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis wants naive bounds
severities = st.sampled_from(Severity)
gathers = st.integers(0, 900)


def route(**when):
    return Route(1, ("team",), **when)


def told(now, *routes, severity=Severity.HIGH, gather=60, channel=TEAM):
    return due(Routed(channel, routes), severity, now, gather)


def at(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def test_what_nothing_holds_is_told_when_what_goes_with_it_had_time_to_come():
    now = at("2026-06-01T12:00:00Z")
    assert told(now, route()) == Due(now + timedelta(seconds=60), is_held=False)
    assert told(now, route(), gather=0) == Due(now, is_held=False)


@pytest.mark.parametrize(
    ("digest", "now", "end"),
    [
        (Digest.QUARTER_HOUR, "12:00:00", "2026-06-01T12:15Z"),
        (Digest.QUARTER_HOUR, "12:14:59", "2026-06-01T12:15Z"),
        (Digest.QUARTER_HOUR, "23:50:00", "2026-06-02T00:00Z"),
        (Digest.HOURLY, "12:59:59", "2026-06-01T13:00Z"),
        (Digest.HOURLY, "13:00:00", "2026-06-01T14:00Z"),
        (Digest.DAILY, "08:59:59", "2026-06-01T09:00Z"),
        (Digest.DAILY, "09:00:00", "2026-06-02T09:00Z"),
    ],
)
def test_a_digest_is_told_at_the_next_end_of_its_period(digest, now, end):
    assert told(at(f"2026-06-01T{now}Z"), route(digest=digest)) == Due(at(end), is_held=True)


def test_a_daily_digest_is_told_at_nine_where_the_people_are():
    daily = route(digest=Digest.DAILY, quiet_hours=NIGHT)
    assert told(at("2026-06-01T06:00:00Z"), daily).at == at("2026-06-01T09:00+02:00")
    assert told(at("2026-12-01T07:30:00Z"), daily).at == at("2026-12-01T09:00+01:00")


@pytest.mark.parametrize(
    ("digest", "quiet", "now", "end"),
    [
        (Digest.HOURLY, NIGHT, "2026-06-01T23:30+02:00", "2026-06-02T07:00+02:00"),
        (Digest.QUARTER_HOUR, NIGHT, "2026-06-01T21:50+02:00", "2026-06-02T07:00+02:00"),
        (
            Digest.DAILY,
            QuietHours(time(8), time(10, 30), "Europe/Berlin"),
            "2026-06-01T12:00+02:00",
            "2026-06-02T10:30+02:00",
        ),
    ],
)
def test_a_digest_that_would_come_within_quiet_hours_comes_at_their_end(digest, quiet, now, end):
    assert told(at(now), route(digest=digest, quiet_hours=quiet)) == Due(at(end), is_held=True)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        # One that would be told within them is held too, and it is not told at an hour that nobody named.
        ("2026-06-01T21:59:30+02:00", "2026-06-02T07:00+02:00"),
        ("2026-06-01T23:59:59+02:00", "2026-06-02T07:00+02:00"),
        ("2026-06-02T00:00:00+02:00", "2026-06-02T07:00+02:00"),
        ("2026-06-02T06:58:59+02:00", "2026-06-02T07:00+02:00"),
    ],
)
def test_quiet_hours_over_midnight_hold_what_comes_within_them(now, end):
    assert told(at(now), route(quiet_hours=NIGHT)) == Due(at(end), is_held=True)


@pytest.mark.parametrize("now", ["2026-06-02T06:59:00+02:00", "2026-06-02T12:00:00+02:00"])
def test_what_is_told_after_quiet_hours_is_not_held(now):
    assert told(at(now), route(quiet_hours=NIGHT)) == Due(at(now) + timedelta(seconds=60), is_held=False)


def test_quiet_hours_within_a_day_hold_until_that_day():
    lunch = QuietHours(time(12), time(13), "Asia/Kathmandu")
    assert told(at("2026-06-01T12:30+05:45"), route(quiet_hours=lunch)).at == at("2026-06-01T13:00+05:45")


def test_what_is_critical_goes_through():
    now = at("2026-06-01T23:00+02:00")
    held = route(quiet_hours=NIGHT, digest=Digest.DAILY)
    assert told(now, held, severity=Severity.CRITICAL) == Due(now + timedelta(seconds=60), is_held=False)


@given(several_routes, severities, moments, gathers)
def test_a_machine_is_told_at_once(several, severity, now, gather):
    assert due(Routed(SIEM, several), severity, now, gather) == Due(now, is_held=False)


def test_the_route_that_tells_first_decides():
    now = at("2026-06-01T12:14:30Z")
    quarter, hourly = route(digest=Digest.QUARTER_HOUR), route(digest=Digest.HOURLY)
    assert told(now, hourly, quarter) == Due(at("2026-06-01T12:15Z"), is_held=True)
    assert told(now, hourly, route()).is_held is False
    # At the same second, what waits for nobody is not held.
    assert told(now, quarter, route(), gather=30) == Due(at("2026-06-01T12:15Z"), is_held=False)


@pytest.mark.parametrize(
    ("start", "end", "now", "until"),
    [
        # In Berlin, 2026-03-29 has no time from 02:00 to 03:00, and 2026-10-25 has it twice.
        (time(22), time(2, 30), "2026-03-29T00:30Z", "2026-03-29T01:00Z"),
        (time(22), time(2, 30), "2026-03-29T01:00Z", None),
        (time(2, 30), time(7), "2026-03-29T00:59Z", None),
        (time(2, 30), time(7), "2026-03-29T01:00Z", "2026-03-29T05:00Z"),
        (time(2, 10), time(2, 50), "2026-03-29T01:00Z", None),
        (time(2, 45), time(3, 15), "2026-03-29T01:00Z", "2026-03-29T01:15Z"),
        (time(22), time(2, 30), "2026-10-25T00:29Z", "2026-10-25T00:30Z"),
        (time(22), time(2, 30), "2026-10-25T00:30Z", None),
        (time(22), time(2, 30), "2026-10-25T01:15Z", None),
        (time(2, 30), time(7), "2026-10-25T00:29Z", None),
        (time(2, 30), time(7), "2026-10-25T00:30Z", "2026-10-25T06:00Z"),
        # A quarter past two for the second time.
        (time(2, 30), time(7), "2026-10-25T01:15Z", "2026-10-25T06:00Z"),
        (time(22), time(7), "2026-03-28T22:00Z", "2026-03-29T05:00Z"),
        (time(22), time(7), "2026-10-24T21:00Z", "2026-10-25T06:00Z"),
    ],
)
def test_a_time_that_is_not_there_is_when_the_clock_jumps_and_one_that_is_twice_the_first(
    start, end, now, until
):
    quiet = route(quiet_hours=QuietHours(start, end, "Europe/Berlin"))
    expected = Due(at(now), is_held=False) if until is None else Due(at(until), is_held=True)
    assert told(at(now), quiet, gather=0) == expected


def test_a_day_that_a_zone_skipped_has_no_morning():
    skipped = route(digest=Digest.DAILY, quiet_hours=QuietHours(time(1), time(2), "Pacific/Apia"))
    # After 2011-12-29 comes 2011-12-31: nine o'clock of the day between is when it was skipped.
    assert told(at("2011-12-29T12:00-10:00"), skipped).at == at("2011-12-31T00:00+14:00")


@given(several_routes, severities, moments, gathers)
@example(
    (route(digest=Digest.DAILY, quiet_hours=QuietHours(time(9), time(8, 59), "UTC")),),
    Severity.LOW,
    datetime(2026, 1, 1, 9, tzinfo=UTC),
    0,
)
def test_nothing_is_told_before_it_came_or_more_than_49_hours_later(several, severity, now, gather):
    given_due = due(Routed(TEAM, several), severity, now, gather)
    assert now <= given_due.at <= now + timedelta(hours=49)
    assert given_due.at.tzinfo is UTC


@given(several_routes, severities, moments, st.integers(0, 3 * 86_400), gathers)
def test_what_comes_later_is_not_told_earlier(several, severity, now, seconds, gather):
    first = due(Routed(TEAM, several), severity, now, gather)
    assert first.at <= due(Routed(TEAM, several), severity, now + timedelta(seconds=seconds), gather).at


@given(several_routes, moments, gathers)
def test_one_more_route_never_makes_it_later(several, now, gather):
    whole = due(Routed(TEAM, several), Severity.LOW, now, gather)
    alone = [due(Routed(TEAM, (one,)), Severity.LOW, now, gather) for one in several]
    assert whole.at == min(one.at for one in alone)
    assert whole.is_held is all(one.is_held for one in alone if one.at == whole.at)


@given(quiet_hours, moments, gathers)
def test_what_is_not_critical_is_never_told_within_quiet_hours(quiet, now, gather):
    given_due = told(now, route(quiet_hours=quiet), gather=gather)
    local = given_due.at.astimezone(ZoneInfo(quiet.time_zone))
    clock = local.time()
    is_over_midnight = quiet.end < quiet.start
    within = (
        clock >= quiet.start or clock < quiet.end if is_over_midnight else quiet.start <= clock < quiet.end
    )
    # An hour that comes twice is within quiet hours the second time too only if they end later.
    is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    assert not within or is_twice
