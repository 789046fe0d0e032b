"""What each function is made of: here, and only here, clients are built, each when it is first needed."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol, assert_never

from ecr_warden.adapters.metrics import CloudWatchMetrics
from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Channel as ChannelOfPolicy
from ecr_warden.domain.policy import ChannelType
from ecr_warden.ports import (
    Channel,
    ImageStorage,
    Journal,
    Locks,
    Metrics,
    OutcomePublisher,
    Registry,
    Scans,
    ScanStates,
    SettingsRegistry,
    Usage,
)
from ecr_warden.settings import ActingSettings, ImageScanSettings, NotifySettings, TellingSettings

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

    from ecr_warden.adapters.accounts import Accounts
    from ecr_warden.adapters.secrets import SecretsManager
    from ecr_warden.adapters.source_queue import SourceQueue
    from ecr_warden.use_cases.tell import TellPorts

# The imports below stand inside the properties on purpose: a push that breaks no rule loads no SDK.
# ruff: noqa: PLC0415


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


def pause(seconds: float) -> None:
    """Do nothing for a time."""
    time.sleep(seconds)


class _FromAnAccount(Protocol):
    """An event of one account and Region."""

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...


class _TellingPorts:
    """What every function that answers events has."""

    def __init__(self, settings: TellingSettings) -> None:
        self._settings = settings

    @cached_property
    def publisher(self) -> OutcomePublisher:
        """Where outcomes go."""
        from ecr_warden.adapters.aws import client
        from ecr_warden.adapters.outcome_bus import EventBridgePublisher

        return EventBridgePublisher(client("events"), self._settings.outcome_bus_name)

    @cached_property
    def metrics(self) -> Metrics:
        """What is counted."""
        return CloudWatchMetrics(self._settings.metrics_namespace)


class RegistryEventPorts(_TellingPorts):
    """What RegistryEventFunction acts through."""


@cache
def _accounts(home: Place, role_name: str, external_id: str) -> "Accounts":
    """Give the other accounts; their credentials and clients are kept from one event to the next."""
    from ecr_warden.adapters.accounts import Accounts

    return Accounts(home, role_name, external_id)


class _ActingPorts(_TellingPorts):
    """What every function that acts on a registry has, for one event's account and Region.

    The record of changes, locks, what is remembered and the bus of outcomes are the function's own, wherever
    the registry is.
    """

    now: Callable[[], datetime] = staticmethod(utc_now)
    pause: Callable[[float], None] = staticmethod(time.sleep)

    def __init__(self, settings: ActingSettings, event: _FromAnAccount) -> None:
        super().__init__(settings)
        self._journal_table_name = settings.journal_table_name
        self._acting = settings
        self._place = Place(event.account, event.region)

    @cached_property
    def _client(self) -> Callable[[str], Any]:
        """What gives the clients of the event's account and Region.

        An event that another account or Region forwarded is of a registry there: the function's own clients
        would act on a repository of the same name here.
        """
        if self._place == self._acting.home:
            from ecr_warden.adapters.aws import client

            return client
        from ecr_warden.adapters.accounts import no_member_role

        if not self._acting.member_role_name:
            raise no_member_role(self._place)
        accounts = _accounts(self._acting.home, self._acting.member_role_name, self._acting.external_id)
        return partial(accounts.client, place=self._place)

    @cached_property
    def journal(self) -> Journal:
        """The record of changes."""
        from ecr_warden.adapters.aws import client
        from ecr_warden.adapters.dynamodb import DynamoJournal

        return DynamoJournal(client("dynamodb"), self._journal_table_name)

    @cached_property
    def locks(self) -> Locks:
        """What only one writer may change at a time."""
        from ecr_warden.adapters.aws import client
        from ecr_warden.adapters.dynamodb import DynamoLocks

        return DynamoLocks(client("dynamodb"), self._journal_table_name, utc_now)


class _ImagePorts(_ActingPorts):
    """What a function that acts on images has."""

    @cached_property
    def registry(self) -> Registry:
        """The registry that the event came from."""
        from ecr_warden.adapters.ecr import EcrRegistry

        return EcrRegistry(self._client("ecr"), account=self._place.account, region=self._place.region)

    @cached_property
    def usage(self) -> Usage:
        """Who runs an image."""
        from ecr_warden.adapters.usage import AwsUsage

        return AwsUsage.of(self._client, self._place)


class ImageActionPorts(_ImagePorts):
    """What ImageActionFunction acts through."""


class ImageScanPorts(_ImagePorts):
    """What ImageScanFunction acts through."""

    def __init__(self, settings: ImageScanSettings, event: _FromAnAccount) -> None:
        super().__init__(settings, event)
        self._scan_table_name = settings.scan_table_name

    @cached_property
    def storage(self) -> ImageStorage:
        """The storage classes of the registry's images."""
        from ecr_warden.adapters.ecr_storage import EcrStorage

        return EcrStorage(self._client("ecr"))

    @cached_property
    def scans(self) -> Scans:
        """What scanners found."""
        from ecr_warden.adapters.ecr_scans import EcrScans

        return EcrScans(self._client("ecr"), lambda: self._client("inspector2"))

    @cached_property
    def states(self) -> ScanStates:
        """What is remembered of images."""
        from ecr_warden.adapters.aws import client
        from ecr_warden.adapters.dynamodb_scans import DynamoScanStates

        return DynamoScanStates(client("dynamodb"), self._scan_table_name, utc_now)


class RepositoryCreatedPorts(_ActingPorts):
    """What RepositoryCreatedFunction acts through."""

    @cached_property
    def settings(self) -> SettingsRegistry:
        """The registry that the event came from."""
        from ecr_warden.adapters.ecr_settings import EcrSettings

        return EcrSettings(self._client("ecr"), account=self._place.account, region=self._place.region)


def tell_ports(settings: NotifySettings) -> "TellPorts":
    """Build what telling people needs."""
    from random import SystemRandom
    from secrets import token_hex

    from ecr_warden.adapters.aws import client
    from ecr_warden.adapters.dead_letters import DeadLetterQueue
    from ecr_warden.adapters.dynamodb_identities import DynamoIdentities
    from ecr_warden.adapters.dynamodb_outbox import DynamoOutbox
    from ecr_warden.adapters.source_queue import QueueClock
    from ecr_warden.adapters.telling import log_told
    from ecr_warden.domain.console import logs_url
    from ecr_warden.use_cases.tell import TellPorts

    dynamodb = client("dynamodb")
    return TellPorts(
        channel=channels(settings),
        outbox=DynamoOutbox(
            dynamodb, settings.delivery_table_name, settings.outbox_table_name, _now, pause=_pause
        ),
        wake_ups=QueueClock(client("sqs"), settings.notify_queue_url),
        dead_letters=DeadLetterQueue(client("sqs"), settings.dead_letter_queue_url),
        identities=DynamoIdentities(dynamodb, settings.delivery_table_name, now=_now),
        metrics=CloudWatchMetrics(settings.metrics_namespace),
        link=partial(logs_url, client("sqs").meta.region_name, settings.log_group_name),
        said=log_told,
        now=_now,
        pause=_pause,
        jitter=lambda longest: SystemRandom().uniform(0, longest),
        new_holder=lambda: token_hex(8),
    )


def _now() -> datetime:
    # Looked up at each call, as ``pause`` is: the local AWS has a clock of its own.
    return utc_now()


def _pause(seconds: float) -> None:
    pause(seconds)


def channels(settings: NotifySettings) -> Callable[[ChannelOfPolicy], Channel]:
    """Give what builds a channel of the policy; a channel's library is loaded when it is first told."""
    from ecr_warden.adapters.aws import client
    from ecr_warden.adapters.secrets import SecretsManager

    @cache
    def secrets() -> SecretsManager:
        return SecretsManager(client("secretsmanager"))

    @cache
    def build(channel: ChannelOfPolicy) -> Channel:
        return channel_of(
            channel,
            secrets=secrets,
            sns=lambda: client("sns"),
            topic_arn=settings.topic_arn,
            chat_topic_arn=settings.chat_topic_arn,
        )

    return build


def channel_of(
    channel: ChannelOfPolicy,
    *,
    secrets: Callable[[], "SecretsManager"],
    sns: Callable[[], "SNSClient"],
    topic_arn: str,
    chat_topic_arn: str,
) -> Channel:
    """Build the adapter of a channel's type; what it sends by is asked for only where the type needs it."""
    match channel.type:
        case ChannelType.SLACK if channel.conversation is not None:
            from ecr_warden.adapters.slack_bot import SlackBot

            return SlackBot(channel, secrets())
        case ChannelType.SLACK:
            from ecr_warden.adapters.slack_webhook import SlackWebhook

            return SlackWebhook(channel, secrets())
        case ChannelType.SNS:
            from ecr_warden.adapters.sns import SnsTopic

            return SnsTopic(sns(), topic_arn, channel.name)
        case ChannelType.AMAZON_Q:
            from ecr_warden.adapters.amazon_q import AmazonQ

            return AmazonQ(sns(), chat_topic_arn, channel.name)
        case ChannelType.APPRISE:
            from ecr_warden.adapters.apprise_channel import Apprise

            return Apprise(channel, secrets())
        case ChannelType.WEBHOOK:
            from ecr_warden.adapters.signed_webhook import SignedWebhook

            return SignedWebhook(channel, secrets(), _now)
        case unknown:
            assert_never(unknown)


def source_queue(queue_url: str) -> "SourceQueue":
    """Build the queue that a function reads."""
    from ecr_warden.adapters.aws import client
    from ecr_warden.adapters.source_queue import SourceQueue

    return SourceQueue(client("sqs"), queue_url)
