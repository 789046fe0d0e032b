"""The models of the sections about who hears what, where and when."""

from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Digest, Mode, Severity
from ecr_warden_cli.policy.base import Model, RepositoryGlob, Text, whole_number
from ecr_warden_cli.policy.telling_texts import (
    CHANNEL_NAME,
    DURATION_SCHEMA,
    OWNER_SCHEMA,
    AccountId,
    ChannelName,
    ClockTime,
    ConversationId,
    MentionedId,
    OwnerName,
    Region,
    SecretName,
    TimeZone,
    duration,
)

# In seconds.
_MOST_GATHER: Final = 900
_MOST_IDENTITY_WAIT: Final = 900
_MOST_BURST: Final = 50
# Why a channel of another type has no such key.
KEYS_OF_SOME_CHANNELS: Final = {
    "conversation": "only a channel of the type slack has a conversation: remove it",
    "mentions": "only a channel of the type slack mentions anybody: remove it",
    "secret": "this channel is a topic of the stack, which needs no secret: remove it",
}


class ChannelModel(Model):
    """What every channel has."""

    fallback: Text | None = None
    """The channel that is told instead while this one is down."""


class SlackModel(ChannelModel):
    """A Slack channel: an incoming webhook's, or a conversation to which a bot posts."""

    type: Literal["slack"]
    secret: SecretName
    """The secret, in Secrets Manager, of the incoming webhook's URL or, for a conversation, a bot's token."""
    conversation: ConversationId | None = None
    """The id of the conversation to which a bot posts."""
    mentions: dict[OwnerName, MentionedId] = {}
    """Whom a message about an owner's images mentions: the id of a user group or user, by owner."""


class SnsModel(ChannelModel):
    """The stack's topic for e-mail and machines."""

    type: Literal["sns"]


class AmazonQModel(ChannelModel):
    """The stack's topic for Amazon Q Developer in chat applications."""

    type: Literal["amazon-q"]


class AppriseModel(ChannelModel):
    """Any service that Apprise knows, such as Teams, PagerDuty and Opsgenie."""

    type: Literal["apprise"]
    secret: SecretName
    """The Secrets Manager secret that holds the Apprise URL."""


class WebhookModel(ChannelModel):
    """A machine, which gets each outcome at once in a signed request."""

    type: Literal["webhook"]
    secret: SecretName
    """The Secrets Manager secret that holds the url, and the key that signs."""


AnyChannel = Annotated[
    SlackModel | SnsModel | AmazonQModel | AppriseModel | WebhookModel, Field(discriminator="type")
]
Channels = Annotated[
    dict[ChannelName, AnyChannel],
    Field(json_schema_extra={"propertyNames": {"pattern": f"^{CHANNEL_NAME}$"}}),
]


class QuietHoursModel(Model):
    """From when to when, every day, only what is critical is told; what else there is waits until the end."""

    start: Annotated[ClockTime, Field(alias="from")]
    """A time of day, such as 22:00."""
    end: Annotated[ClockTime, Field(alias="to")]
    """A time of day, such as 07:00; one that is earlier than from is of the next day."""
    time_zone: TimeZone
    """The IANA name of the time zone, such as Europe/Berlin."""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.start == self.end:
            raise ValueError(
                "quiet_hours begin and end at the same time: give another end, or, to hold all day, "
                "digest: daily"
            )
        return self


class RouteModel(Model):
    """Which outcomes go to which channels, and when. What is not given is for all."""

    outcomes: list[OutcomeKind] = []
    """Kinds of outcome, such as image_vulnerable."""
    min_severity: Severity = Severity.INFO
    """The least severity that is told."""
    repositories: list[RepositoryGlob] = []
    """Globs over repository names; ** stands for any number of segments."""
    excluded: Annotated[list[RepositoryGlob], Field(alias="except")] = []
    """Globs of the repositories that the route is not for."""
    accounts: list[AccountId] = []
    """Ids of AWS accounts, in quotes."""
    regions: list[Region] = []
    """Codes of AWS Regions."""
    mode: Mode | None = None
    """The mode in which it was decided."""
    owners: list[Annotated[OwnerName, OWNER_SCHEMA]] = []
    """Owners of repositories, by their resource tag team or owner; what has no owner is not told."""
    to: Annotated[list[Text], Field(min_length=1)]
    """Names of channels."""
    quiet_hours: QuietHoursModel | None = None
    """When only what is critical is told; the rest waits."""
    digest: Digest | None = None
    """Tells what is not critical together: every quarter of an hour, every hour, or every day at 09:00."""


class MessagesModel(Model):
    """What is told together, and what is waited for."""

    gather: Annotated[str, BeforeValidator(duration("gather", _MOST_GATHER)), DURATION_SCHEMA] = "60s"
    """For how long an outcome waits for others of the same push; 15m at most."""
    burst: Annotated[
        int, Field(strict=True, ge=1, le=_MOST_BURST), BeforeValidator(whole_number(1, _MOST_BURST))
    ] = 5
    """More repositories than these, with outcomes of one kind at the same time, are one message."""
    identity_wait: Annotated[
        str, BeforeValidator(duration("identity_wait", _MOST_IDENTITY_WAIT)), DURATION_SCHEMA
    ] = "0s"
    """For how long, at most, an outcome waits for CloudTrail to say who pushed; 15m at most."""
