"""Which channels an outcome goes to."""

from typing import Final

from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.policy import Channel, Policy, Route, Severity

_WORST_FIRST: Final = tuple(Severity)


def channels_for(policy: Policy, outcome: Outcome) -> tuple[Channel, ...]:
    """Give each channel that some route sends the outcome to, once, in the order of the routes."""
    by_name = {channel.name: channel for channel in policy.channels}
    names = [name for route in policy.routes if _takes(route, outcome) for name in route.to]
    return tuple(by_name[name] for name in dict.fromkeys(names))


def _takes(route: Route, outcome: Outcome) -> bool:
    is_of_kind = not route.outcomes or outcome.kind in route.outcomes
    return is_of_kind and _WORST_FIRST.index(outcome.severity) <= _WORST_FIRST.index(route.min_severity)
