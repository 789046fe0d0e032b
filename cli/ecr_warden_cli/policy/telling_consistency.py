"""What is wrong between channels and routes, each of which is sound by itself, and what has no effect."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from ecr_warden.domain.policy import Policy, Severity, TagRules
from ecr_warden.domain.reachability import unreachable_tags
from ecr_warden.domain.schedule import MACHINES
from ecr_warden_cli.policy.problems import Problem
from ecr_warden_cli.policy.source import Source
from ecr_warden_cli.policy.telling_model import AnyChannel, RouteModel, SlackModel
from ecr_warden_cli.policy.telling_places import as_rule

# The default of the template's parameter SecretNamePrefix.
DEFAULT_NAME_PREFIX: Final = "ecr-warden/"


def route_problems(
    routes: Mapping[int, RouteModel], names: Sequence[str], source: Source, file: str
) -> Iterator[Problem]:
    """Find routes to channels that are not there, and routes that take nothing."""
    for place, route in routes.items():
        for index, name in enumerate(route.to):
            if name not in names:
                position = source.position(("routes", place, "to", index))
                yield Problem(file, *position, f"no channel is named {name}: {_hint(name, names)}")
        if unreachable_tags([replace(as_rule(route), tags=TagRules(0))]):
            message = (
                "no repository's name matches this route that its except does not take out; make "
                "repositories wider or except narrower, or remove the route"
            )
            yield Problem(file, *source.position(("routes", place)), message)


def _hint(name: str, names: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {nearest[0]}?" if nearest else "add it under channels"


def timing_problems(
    routes: Mapping[int, RouteModel], channels: Mapping[str, AnyChannel], source: Source, file: str
) -> Iterator[Problem]:
    """Find quiet hours and digests that have no effect."""
    for place, route in routes.items():
        for key in ("quiet_hours", "digest"):
            why = _no_effect(route, channels)
            if getattr(route, key) is not None and why is not None:
                position = source.position(("routes", place, key))
                yield Problem(file, *position, f"{key} has no effect: {why}; remove it", "warning")


def _no_effect(route: RouteModel, channels: Mapping[str, AnyChannel]) -> str | None:
    if route.min_severity is Severity.CRITICAL:
        return "the route takes what is critical alone, which is told at once"
    types = {channels[name].type if name in channels else None for name in route.to}
    if types <= MACHINES:
        return "a webhook takes each outcome at once"
    return None


def channel_problems(
    names: Sequence[str],
    channels: Mapping[str, AnyChannel],
    routes: Mapping[int, RouteModel],
    source: Source,
    file: str,
) -> Iterator[Problem]:
    """Find channels that hear nothing, and mentions that nothing causes."""
    fallbacks = {channel.fallback for channel in channels.values()}
    for name in names:
        leading = [route for route in routes.values() if name in route.to]
        if not leading and name not in fallbacks:
            position = source.position(("channels", name))
            yield Problem(file, *position, f"no route names the channel {name}", "warning")
        channel = channels.get(name)
        # As a fallback it hears what routes of other channels take.
        if isinstance(channel, SlackModel) and name not in fallbacks and all(one.owners for one in leading):
            heard = {owner for route in leading for owner in route.owners}
            for owner in channel.mentions:
                if leading and owner not in heard:
                    position = source.position(("channels", name, "mentions", owner))
                    message = f"no route to the channel {name} is for the owner {owner}: nobody is mentioned"
                    yield Problem(file, *position, message, "warning")


def fallback_problems(
    channels: Mapping[str, AnyChannel], names: Sequence[str], source: Source, file: str
) -> Iterator[Problem]:
    """Find fallbacks that are not there, and those that lead round in a circle."""
    fallbacks = {name: channel.fallback for name, channel in channels.items() if channel.fallback is not None}
    told: set[str] = set()
    for name, fallback in fallbacks.items():
        position = source.position(("channels", name, "fallback"))
        if fallback not in names:
            # It is not repeated: what stands below channels may be a secret.
            yield Problem(file, *position, f"no channel has this name: {_hint(fallback, names)}")
        elif fallback == name:
            yield Problem(file, *position, f"{name} is its own fallback: name another channel, or remove it")
        elif name not in told and (circle := _circle(name, fallbacks)):
            # Each circle is told of once, where the file comes to it first.
            told.update(circle)
            way = " → ".join((*circle, name))
            yield Problem(file, *position, f"the fallbacks lead round in a circle, {way}: remove one of them")


def _circle(name: str, fallbacks: Mapping[str, str]) -> list[str]:
    """Give the channels through which fallbacks lead back to a channel, itself first; none if they do not."""
    way = [name]
    while (following := fallbacks.get(way[-1])) is not None and following not in way:
        way.append(following)
    return way if following == name else []


def secret_problems(policy: Policy, source: Source) -> Iterator[Problem]:
    """Find secrets that the stack's default cannot read."""
    for channel in policy.channels:
        if channel.secret is not None and not channel.secret.startswith(DEFAULT_NAME_PREFIX):
            position = source.position(("channels", channel.name, "secret"))
            message = (
                f"NotifyFunction reads secrets whose names begin with {DEFAULT_NAME_PREFIX}: name it so, or "
                "deploy with another SecretNamePrefix"
            )
            yield Problem(policy.file, *position, message, "warning")
