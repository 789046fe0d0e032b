"""The models about who hears what become the domain's values."""

from ecr_warden.domain.policy import Channel, ChannelType, Messages, QuietHours, Route
from ecr_warden_cli.policy.telling_model import (
    AnyChannel,
    MessagesModel,
    QuietHoursModel,
    RouteModel,
    SlackModel,
)
from ecr_warden_cli.policy.telling_texts import seconds_of


def channel(name: str, model: AnyChannel, line: int) -> Channel:
    """Give a channel's value."""
    slack = model if isinstance(model, SlackModel) else None
    return Channel(
        name=name,
        line=line,
        type=ChannelType(model.type),
        # The stack's topics have none.
        secret=getattr(model, "secret", None),
        conversation=slack.conversation if slack else None,
        mentions=tuple(slack.mentions.items()) if slack else (),
        fallback=model.fallback,
    )


def route(model: RouteModel, line: int) -> Route:
    """Give a route's value."""
    return Route(
        line=line,
        to=tuple(model.to),
        outcomes=frozenset(model.outcomes),
        min_severity=model.min_severity,
        repositories=tuple(model.repositories),
        excluded=tuple(model.excluded),
        accounts=frozenset(model.accounts),
        regions=frozenset(model.regions),
        owners=frozenset(model.owners),
        mode=model.mode,
        quiet_hours=None if model.quiet_hours is None else _quiet_hours(model.quiet_hours),
        digest=model.digest,
    )


def _quiet_hours(model: QuietHoursModel) -> QuietHours:
    return QuietHours(model.start, model.end, model.time_zone)


def messages(model: MessagesModel) -> Messages:
    """Give the section's value."""
    return Messages(
        gather_seconds=seconds_of(model.gather),
        burst=model.burst,
        identity_wait_seconds=seconds_of(model.identity_wait),
    )
