"""What the use cases need of the world: small Protocols, each with its fake in tests/fakes.py."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Protocol

from ecr_warden.domain.images import Change, Manifest, RecordedChange, StoredImage
from ecr_warden.domain.outcomes import Outcome

if TYPE_CHECKING:
    # For their names alone: a push that breaks no rule has nothing to do with settings, scans and messages.
    from ecr_warden.domain.channel_state import ChannelState
    from ecr_warden.domain.events import Push
    from ecr_warden.domain.findings import Finding, Scan
    from ecr_warden.domain.messages import Message, Posted, Thread
    from ecr_warden.domain.scan_state import ImageKey, ImageState
    from ecr_warden.domain.settings.current import (
        RegistryDestination,
        RegistryScanning,
        ReplicationRule,
        Repository,
    )
    from ecr_warden.domain.settings.plans import Setting
    from ecr_warden.domain.settings.templates import CreationTemplate
    from ecr_warden.domain.sweep.images import ListedImage
    from ecr_warden.domain.waiting import Waiting


class Registry(Protocol):
    """The ECR registry of one account and Region.

    Every method raises ``RepositoryGoneError`` where the repository does not exist, and ``AwsError``
    where ECR did not answer well.
    """

    def resource_tags(self, repository_name: str) -> dict[str, str]:
        """Give the repository's resource tags."""

    def find_manifest(self, repository_name: str, image_tag: str) -> Manifest | None:
        """Give the manifest that a tag names now, or ``None`` if no image has the tag."""

    def find_manifest_by_digest(self, repository_name: str, image_digest: str) -> Manifest | None:
        """Give an image's manifest, or ``None`` if there is no such image."""

    def tags_of(self, repository_name: str, image_digest: str) -> tuple[str, ...]:
        """Give an image's tags; none where there is no such image."""

    def add_tag(self, repository_name: str, manifest: Manifest, image_tag: str) -> None:
        """Give an image one more tag; that it has it already is well.

        Raises ``RefusedError`` where the tag names another image or the image can have no more tags.
        """

    def remove_tag(self, repository_name: str, image_tag: str) -> str | None:
        """Remove a tag, and with its last tag the image. Give the digest that it named, or ``None``.

        Raises ``RefusedError`` where ECR keeps it, as it does the last tag of an index's child.
        """


class SettingsRegistry(Protocol):
    """The settings of one account's registry in one Region, and of its repositories.

    Methods that name a repository raise ``RepositoryGoneError`` where it does not exist. All raise
    ``RefusedError`` where ECR refuses for good (denied, invalid, over a limit), and ``AwsError`` where it did
    not answer well.
    """

    def describe(self, repository_name: str) -> "Repository":
        """Give what DescribeRepositories says."""

    def lifecycle_policy(self, repository_name: str) -> Mapping[str, Any] | None:
        """Give the lifecycle policy's document, or ``None``."""

    def repository_policy(self, repository_name: str) -> Mapping[str, Any] | None:
        """Give the repository policy's document, or ``None``."""

    def resource_tags(self, repository_name: str) -> dict[str, str]:
        """Give the repository's resource tags."""

    def replication(self) -> "tuple[ReplicationRule, ...]":
        """Give the registry's replication rules."""

    def scanning(self) -> "RegistryScanning":
        """Give the registry's scanning configuration."""

    def put(self, setting: "Setting", repository_name: str, value: Mapping[str, Any]) -> None:
        """Write one setting; ``value`` is as planners' ``Put`` has it."""

    def start_backfill(self, destination: "RegistryDestination") -> None:
        """Replicate what was pushed before, or raise ``BusyError`` while another backfill is under way."""


class RemovableSettings(SettingsRegistry, Protocol):
    """Settings that can be taken away, too."""

    def remove(self, setting: "Setting", repository_name: str, keys: Collection[str] = ()) -> None:
        """Remove a lifecycle policy, a repository policy, or the resource tags of some keys.

        That it is gone already is well.
        """


class Repositories(Protocol):
    """Every repository of one account's registry in one Region.

    Methods raise ``CredentialsError`` where the credentials are over, ``RefusedError`` where ECR refuses for
    good, and ``AwsError`` where it did not answer well.
    """

    def pages(self) -> "Iterator[tuple[Repository, ...]]":
        """Give all repositories, a thousand at a time, each once.

        Where a page's token is not taken any more, it begins anew and leaves out what it gave before.
        """

    def named(self, repository_names: Sequence[str]) -> "tuple[Repository, ...]":
        """Describe repositories; those that do not exist are left out."""

    def images(self, repository_name: str) -> "Iterator[ListedImage]":
        """Give every image of a repository, archived ones too; raises ``RepositoryGoneError``."""

    def resource_tags(self) -> Mapping[str, Mapping[str, str]]:
        """Give the resource tags of all repositories that have any, by name; some seconds may be missing."""


class Progress(Enum):
    """How far the journal knows a change to be."""

    NEW = auto()
    BEGUN = auto()
    DONE = auto()


class Journal(Protocol):
    """The record of every change, written before it is made and again after."""

    def begin(self, change: Change) -> Progress:
        """Record a change that is about to be made; ``NEW`` if nobody has recorded it before.

        One that was begun and not finished is recorded anew: what was there before may have changed since.
        """

    def progress(self, change_id: str) -> Progress:
        """Tell how far a change is; ``NEW`` if it is not recorded."""

    def progress_of(self, change_ids: Collection[str]) -> Mapping[str, Progress]:
        """Tell how far some changes are, in few calls; those that are not recorded are left out."""

    def find(self, change_id: str) -> RecordedChange | None:
        """Give a change that is recorded, or ``None``."""

    def finish(self, change_id: str) -> None:
        """Record that a change is made."""

    def cancel(self, change_id: str) -> None:
        """Forget a change that was begun and surely not made."""


class History(Protocol):
    """What the journal has, newest first. Methods raise ``AwsError``, while they are gone through, too.

    What has begun before ``since`` is left out. Memory is flat in the number of changes.
    """

    def changes(self, since: datetime) -> "Iterator[RecordedChange]":
        """Give all changes."""

    def changes_of(self, repository_name: str, since: datetime) -> "Iterator[RecordedChange]":
        """Give the changes of a repository; of ``*``, those of the registry's documents."""

    def changes_in(self, run: str) -> "Iterator[RecordedChange]":
        """Give the changes of a run, in every account and Region."""


class Locks(Protocol):
    """The right to change what only one writer may change at a time."""

    def acquire(self, name: str, holder: str) -> bool:
        """Take the right; ``False`` while another has it. One that a dead holder left ends by itself."""

    def release(self, name: str, holder: str) -> None:
        """Give the right back."""


class Usage(Protocol):
    """Which workloads run an image."""

    def who_uses(
        self,
        repository_name: str,
        image_digests: Collection[str],
        image_tags: Collection[str],
        *,
        afresh: bool = False,
    ) -> tuple[str, ...]:
        """Name the workloads that use an image by one of its digests or tags.

        An index has its children's digests, too. What could not be found out is named as well: it counts as
        in use. ``afresh``: by what runs now, where what ran a while ago is remembered.
        """


class ImageStorage(Protocol):
    """The storage classes of one registry's images.

    Methods raise ``RepositoryGoneError`` where the repository does not exist, ``RefusedError`` where ECR
    refuses for good, ``AwsError`` where it did not answer well.
    """

    def images(self, repository_name: str, image_digests: Collection[str]) -> tuple[StoredImage, ...]:
        """Describe images; those that do not exist are left out."""

    def listed(self, repository_name: str) -> tuple[StoredImage, ...]:
        """Give every image of a repository, archived ones too.

        Raises ``RefusedError`` where there are more than can be looked through in time.
        """

    def indexes(self, repository_name: str) -> tuple[tuple[StoredImage, tuple[str, ...]], ...]:
        """Give every image index of a repository that can be pulled, with its children's digests.

        Raises ``RefusedError`` where there are more images than can be looked through in time.
        """

    def archive(self, repository_name: str, image_digest: str) -> None:
        """Make an image one that cannot be pulled; that it is already is well.

        Raises ``ImageGoneError`` where there is no such image.
        """

    def restore(self, repository_name: str, image_digest: str) -> None:
        """Let an image be pulled again, which takes ECR up to 20 minutes; that it can be is well.

        Raises ``ImageGoneError`` where there is no such image.
        """


class Scans(Protocol):
    """What the scanners know of the images of one registry.

    Methods raise ``RepositoryGoneError`` and ``ImageGoneError`` where there is no such image, ``AwsError``
    where AWS did not answer well.
    """

    def read(self, repository_name: str, image_digest: str, *, from_inspector: bool = False) -> "Scan":
        """Give an image's last scan; its findings are read page by page as they are asked for.

        With ``from_inspector`` they are Inspector's own, where it scans the image: it has EPSS scores, and
        knows first what has changed.
        """

    def find(self, finding_arn: str) -> "Finding | None":
        """Give a finding of Inspector's as it is now, or ``None`` if it has none of that ARN."""


class ScanStates(Protocol):
    """What is remembered of images between their scans. Methods raise ``AwsError``."""

    def read(self, image: "ImageKey") -> "ImageState":
        """Give what is known of an image; version 0 where nothing is."""

    def write(self, image: "ImageKey", state: "ImageState") -> bool:
        """Write a state over the one of the version before it; ``False`` where somebody else did first."""

    def settle(self, image: "ImageKey", state: "ImageState") -> None:
        """Record that a state's outcome is told, with its changes.

        Nothing is recorded where somebody did before, or a later state is there.
        """


class OutcomePublisher(Protocol):
    """Where outcomes go."""

    def publish(self, outcome: Outcome) -> None:
        """Put an outcome on the bus, or raise ``AwsError``."""

    def publish_all(self, outcomes: Sequence[Outcome]) -> None:
        """Put outcomes on the bus, or raise ``AwsError`` where any of them is not: all may be put again."""


class Metrics(Protocol):
    """Counts and times for CloudWatch."""

    def count(self, name: str, **dimensions: str) -> None:
        """Count one."""

    def milliseconds(self, name: str, value: float) -> None:
        """Record a time."""

    def seconds(self, name: str, value: float) -> None:
        """Record a time that is long."""


class OutcomePorts(Protocol):
    """What telling what came of an event needs."""

    @property
    def publisher(self) -> OutcomePublisher:
        """Where outcomes go."""

    @property
    def metrics(self) -> Metrics:
        """What is counted."""


class ImageChangePorts(Protocol):
    """What taking an image, or a tag of it, from people needs."""

    @property
    def journal(self) -> Journal:
        """The record of changes."""

    @property
    def usage(self) -> Usage:
        """Who runs an image."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock, in UTC."""


class Outbox(Protocol):
    """What waits to be told, by channel, and what was told. Methods raise ``AwsError``.

    ``channel`` is a channel's name in the policy.
    """

    def put(self, channel: str, waiting: "Waiting") -> datetime | None:
        """Let an outcome wait, and give until when; ``None`` if it was told there, or elsewhere in its place.

        One that waits already goes on as it did. One that was given up waits anew.
        """

    def waiting(self, channel: str, most: int) -> "tuple[Waiting, ...]":
        """Give the outcomes that wait, the first that is due first. What was put before is there."""

    def unread(self, channel: str) -> datetime | None:
        """Give when the first was due of what ``waiting`` could not read the last time, if there was any."""

    def told(self, channel: str, outcome_ids: Sequence[str]) -> None:
        """Record that outcomes which waited are told."""

    def given_up(self, channel: str, outcome_ids: Sequence[str]) -> None:
        """Record that outcomes which waited are not told there any more: they are in the dead letters."""

    def move(self, channel: str, fallback: str, waiting: "Sequence[Waiting]") -> None:
        """Let outcomes of one channel wait in another, unless they do, or were told there."""

    def acquire(self, channel: str, holder: str) -> "ChannelState | None":
        """Take the right to tell in a channel for two minutes; ``None`` while another has it."""

    def release(self, channel: str, holder: str, state: "ChannelState") -> None:
        """Give the right back, and record how the channel does."""

    def alarm(self, channel: str) -> datetime | None:
        """Give the time at which a message in the queue wakes the channel, or ``None``."""

    def set_alarm(self, channel: str, at: datetime) -> None:
        """Record that a message in the queue wakes the channel then."""

    def clear_alarm(self, channel: str, until: datetime) -> None:
        """Forget an alarm that is not later than a time."""

    def thread(self, channel: str, stories: Sequence[str]) -> "Thread | None":
        """Give the message that one of some stories was begun with, if any was."""

    def keep_thread(self, channel: str, stories: Sequence[str], thread: "Thread") -> None:
        """Record the message that stories were begun with, and what was told below it."""


class WakeUps(Protocol):
    """The queue, as a clock."""

    def wake(self, channel: str, seconds: int) -> None:
        """Let a message come after so many seconds, or the most that the queue can; raises ``AwsError``."""


class DeadLetters(Protocol):
    """Where outcomes are kept that a channel will never take."""

    def put(self, outcome: Outcome, channel: str, why: str) -> None:
        """Keep an outcome until somebody looks, or raise ``AwsError``."""


class Identities(Protocol):
    """Who pushed which image, as CloudTrail told. Methods raise ``AwsError``."""

    def found(self, outcomes: Sequence[Outcome]) -> Mapping[str, str]:
        """Give who pushed the images of some outcomes, by the outcome's id; who is not known is left out."""

    def expects(self, account: str, region: str) -> bool:
        """Tell whether CloudTrail has told of pushes there lately, so that it is worth waiting for."""

    def want(self, outcome: Outcome, channel: str) -> None:
        """Let the channel be woken when CloudTrail says who pushed the image."""

    def record(self, push: "Push") -> tuple[str, ...]:
        """Remember who pushed an image; give the names of the channels that wait for it."""


@dataclass(frozen=True)
class Rendered:
    """A message: its text, and all that is sent, as plain JSON."""

    text: str
    payload: dict[str, Any]


class Channel(Protocol):
    """Where people look, or a machine listens.

    Attributes
    ----------
    pause
        Seconds between two messages.
    takes_each
        Whether each outcome is a message of its own, at once: a machine reads it.
    has_threads
        Whether what is told of an image later can stand below what was told first.

    """

    pause: float
    takes_each: bool
    has_threads: bool

    def render(self, message: "Message") -> Rendered:
        """Give what would be sent."""

    def send(self, message: "Message", thread: "Thread | None" = None) -> "Posted | None":
        """Tell, or raise ``ChannelError``; give where the message is, if the channel has threads.

        With a thread, the message goes below its root, which is changed where this settles what it told.
        """


class TemplatesRegistry(Protocol):
    """The repository creation templates of one account's registry in one Region.

    Methods raise ``RefusedError`` where ECR refuses for good, and ``AwsError`` where it did not answer well.
    """

    def templates(self) -> "tuple[CreationTemplate, ...]":
        """Give all templates."""

    def create_template(self, template: "CreationTemplate") -> None:
        """Make a template; ``RefusedError`` if there is one of the prefix."""

    def update_template(self, template: "CreationTemplate") -> None:
        """Replace all of a template; ``RefusedError`` if there is none of the prefix."""


class RestorableTemplates(TemplatesRegistry, Protocol):
    """Templates that can be as they were before, too."""

    def replace_template(self, template: "CreationTemplate") -> None:
        """Replace all of a template, also what it is to have no more; ``RefusedError`` where ECR keeps it."""

    def delete_template(self, prefix: str) -> None:
        """Remove a template; ``RefusedError`` if there is none of the prefix."""
