"""Channels that lead to one place: what is told there twice, and what cannot lead to it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, product

from ecr_warden.domain.automata import Pattern
from ecr_warden.domain.languages import Languages, TooEntangledError
from ecr_warden.domain.policy import Rule
from ecr_warden.domain.reachability import globs_of, takes
from ecr_warden_cli.policy.problems import Problem
from ecr_warden_cli.policy.source import Source
from ecr_warden_cli.policy.telling_model import AmazonQModel, AnyChannel, RouteModel, SlackModel, SnsModel


def place_problems(
    channels: Mapping[str, AnyChannel], routes: Iterable[RouteModel], source: Source, file: str
) -> Iterator[Problem]:
    """Find fallbacks that fail with their channel, secrets of two kinds, and places that are told twice."""
    yield from _useless_fallbacks(channels, source, file)
    yield from _secrets_of_two_kinds(channels, source, file)
    yield from _told_twice(channels, tuple(routes), source, file)


def _useless_fallbacks(channels: Mapping[str, AnyChannel], source: Source, file: str) -> Iterator[Problem]:
    for name, channel in channels.items():
        fallback = channel.fallback
        # What leads to itself by its own name is told of with the circles.
        if fallback is None or fallback == name or fallback not in channels:
            continue
        position = source.position(("channels", name, "fallback"))
        other = channels[fallback]
        if _place(channel) == _place(other):
            same = "are the same topic" if _secret(channel) is None else "have the same secret"
            message = (
                f"{name} and {fallback} {same}, so that both are down at once: name another channel, or "
                "remove it"
            )
            yield Problem(file, *position, message)
        elif _secret(channel) is not None and _thing(channel) == _thing(other):
            # A conversation that was archived is the bot's only there.
            message = (
                f"{name} and {fallback} have the same secret: where the bot's token is what fails, both are "
                "down"
            )
            yield Problem(file, *position, message, "warning")


def _secrets_of_two_kinds(channels: Mapping[str, AnyChannel], source: Source, file: str) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for name, channel in channels.items():
        secret = _secret(channel)
        if secret is None:
            continue
        other = first.setdefault(secret, name)
        if _thing(channels[other]) != _thing(channel):
            message = (
                f"the channel {other} has the same secret, which cannot be both {_kind(channels[other])} and "
                f"{_kind(channel)}: give each its own"
            )
            yield Problem(file, *source.position(("channels", name, "secret")), message)


def _told_twice(
    channels: Mapping[str, AnyChannel], routes: tuple[RouteModel, ...], source: Source, file: str
) -> Iterator[Problem]:
    leading = {name: [route for route in routes if name in route.to] for name in channels}
    told: set[str] = set()
    for first, second in combinations(channels, 2):
        if second in told or _place(channels[first]) != _place(channels[second]):
            continue
        if any(_meet(one, other) for one, other in product(leading[first], leading[second])):
            told.add(second)
            yield Problem(file, *_where(second, channels, source), _twice(first, channels[first]), "warning")


def _where(name: str, channels: Mapping[str, AnyChannel], source: Source) -> tuple[int, int]:
    path = ("channels", name) if _secret(channels[name]) is None else ("channels", name, "secret")
    return source.position(path)


def _twice(other: str, channel: AnyChannel) -> str:
    match channel:
        case SnsModel():
            same = "is the same topic"
            remedy = "; remove one, or let subscriptions filter on the attribute channel"
        case AmazonQModel():
            same, remedy = "is the same topic", "; remove one"
        case SlackModel(conversation=str()):
            same, remedy = "has the same secret and conversation", ""
        case _:
            same, remedy = "has the same secret", ""
    return f"the channel {other} {same}: what goes to both is told there twice{remedy}"


def _place(channel: AnyChannel) -> tuple[str, ...]:
    """Tell where a channel leads; one bot may post to several conversations."""
    conversation = channel.conversation if isinstance(channel, SlackModel) else None
    return (*_thing(channel), conversation or "")


def _thing(channel: AnyChannel) -> tuple[str, ...]:
    """Tell what a channel's secret is, or which topic it is."""
    return (_kind(channel), _secret(channel) or "")


def _secret(channel: AnyChannel) -> str | None:
    # The stack's topics have none.
    return getattr(channel, "secret", None)


def _kind(channel: AnyChannel) -> str:
    match channel:
        case SlackModel(conversation=str()):
            return "a Slack bot's token"
        case SlackModel():
            return "a Slack webhook's URL"
        case _:
            return {"apprise": "an Apprise URL", "webhook": "a signed webhook's url and key"}.get(
                channel.type, channel.type
            )


def _meet(one: RouteModel, other: RouteModel) -> bool:
    """Tell whether some outcome may go by both routes; what is critical is severe enough for each."""
    pairs = (
        (one.outcomes, other.outcomes),
        (one.accounts, other.accounts),
        (one.regions, other.regions),
        (one.owners, other.owners),
        ([one.mode] if one.mode else [], [other.mode] if other.mode else []),
    )
    # What a route does not give is for all.
    if any(mine and theirs and set(mine).isdisjoint(theirs) for mine, theirs in pairs):
        return False
    return _share_a_repository(as_rule(one), as_rule(other))


def as_rule(route: RouteModel) -> Rule:
    """Give a rule that is for the repositories that a route is for."""
    return Rule(0, tuple(route.repositories) or ("**",), tuple(route.excluded))


def _share_a_repository(one: Rule, other: Rule) -> bool:
    """Tell whether a repository's name matches both, or it would take too long to tell."""

    def shared(matching: set[Pattern]) -> bool:
        return takes(one, matching) and takes(other, matching)

    globs = tuple(globs_of(one, other))
    try:
        return Languages(globs).find(globs, shared, needed=[one.match, other.match]) is not None
    except TooEntangledError:
        return True
