"""When an outcome is told in a channel: soon, or at the end of quiet hours or of a digest's period."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from ecr_warden.domain.policy import ChannelType, Digest, QuietHours, Route, Severity
from ecr_warden.domain.routing import Routed

# Channels in which a machine listens: it takes each outcome at once.
MACHINES: Final = frozenset({ChannelType.WEBHOOK})
_DAILY_AT: Final = time(9)
_DAY: Final = timedelta(days=1)
_PERIODS: Final = {Digest.QUARTER_HOUR: timedelta(minutes=15), Digest.HOURLY: timedelta(hours=1)}


@dataclass(frozen=True)
class Due:
    """When an outcome is told, in UTC, and whether a digest or quiet hours hold it until then."""

    at: datetime
    is_held: bool


def due(routed: Routed, severity: Severity, now: datetime, gather_seconds: int) -> Due:
    """Give when an outcome of a severity is told in a channel, at most 49 hours from now.

    Of several routes the one that tells it first decides. ``now`` is in UTC.
    """
    if routed.channel.type in MACHINES:
        return Due(now, is_held=False)
    soon = now + timedelta(seconds=gather_seconds)
    if severity is Severity.CRITICAL:
        return Due(soon, is_held=False)
    return min(
        (_by_route(route, now, soon) for route in routed.routes), key=lambda one: (one.at, one.is_held)
    )


def _by_route(route: Route, now: datetime, soon: datetime) -> Due:
    told = soon if route.digest is None else _boundary(route.digest, route.quiet_hours, now)
    end = None if route.quiet_hours is None else _end_of_quiet(route.quiet_hours, told)
    return Due(end or told, is_held=route.digest is not None or end is not None)


def _boundary(digest: Digest, quiet_hours: QuietHours | None, now: datetime) -> datetime:
    """Give the next end of a digest's period, later than now."""
    if digest is Digest.DAILY:
        zone = ZoneInfo(quiet_hours.time_zone if quiet_hours else "UTC")
        today = now.astimezone(zone).date()
        mornings = (_instant(today + days * _DAY, _DAILY_AT, zone) for days in range(3))
        return next(morning for morning in mornings if morning > now)
    midnight = datetime.combine(now.date(), time(), UTC)
    period = _PERIODS[digest]
    return midnight + ((now - midnight) // period + 1) * period


def _end_of_quiet(quiet_hours: QuietHours, at: datetime) -> datetime | None:
    """Give when the quiet hours end that a time is within, or ``None`` if it is within none."""
    zone = ZoneInfo(quiet_hours.time_zone)
    day = at.astimezone(zone).date()
    nights = _DAY if quiet_hours.end < quiet_hours.start else timedelta(0)
    # Those that began yesterday may last over midnight.
    for first_day in (day - _DAY, day):
        end = _instant(first_day + nights, quiet_hours.end, zone)
        if _instant(first_day, quiet_hours.start, zone) <= at < end:
            return end
    return None


def _instant(day: date, clock_time: time, zone: ZoneInfo) -> datetime:
    """Give the first time, in UTC, at which a zone's clock has reached a time of a day.

    Where the clock is put back that is the first of two; where it jumps over the time, when it jumps.
    """
    wall = datetime.combine(day, clock_time)
    first, other = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if _wall(first, zone) == wall:
        return first

    # In a gap, the times that the two folds give lie on both sides of the jump.
    def has_jumped(seconds: int) -> bool:
        return _wall(other + timedelta(seconds=seconds), zone) > wall

    width = int((first - other).total_seconds())
    return other + timedelta(seconds=bisect_left(range(width), True, key=has_jumped))  # noqa: FBT003  # what is looked for


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)
