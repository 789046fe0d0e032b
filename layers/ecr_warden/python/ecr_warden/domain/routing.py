"""Which channels an outcome goes to, and by which routes."""

from dataclasses import dataclass

from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.policy import Channel, Policy, Route


@dataclass(frozen=True)
class Routed:
    """A channel that an outcome goes to, and the routes that send it there: one at least."""

    channel: Channel
    routes: tuple[Route, ...]


def routed(policy: Policy, outcome: Outcome) -> tuple[Routed, ...]:
    """Give each channel that some route sends the outcome to, once, in the order of the routes."""
    by_name = {channel.name: channel for channel in policy.channels}
    routes = [route for route in policy.routes if _takes(route, outcome)]
    names = dict.fromkeys(name for route in routes for name in route.to)
    return tuple(
        Routed(by_name[name], tuple(route for route in routes if name in route.to)) for name in names
    )


def is_for_repository(route: Route, repository_name: str) -> bool:
    """Tell whether a route sends what happens in a repository, whatever that is."""

    def is_one_of(globs: tuple[str, ...]) -> bool:
        return any(matches_glob(glob, repository_name) for glob in globs)

    return (not route.repositories or is_one_of(route.repositories)) and not is_one_of(route.excluded)


def _takes(route: Route, outcome: Outcome) -> bool:
    return (
        (not route.outcomes or outcome.kind in route.outcomes)
        and outcome.severity.rank <= route.min_severity.rank
        and (route.mode is None or outcome.mode is route.mode)
        and (not route.accounts or outcome.account in route.accounts)
        and (not route.regions or outcome.region in route.regions)
        # What nobody owns is in no set of owners.
        and (not route.owners or outcome.owner in route.owners)
        and is_for_repository(route, outcome.repository)
    )
