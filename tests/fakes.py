"""The ports' fakes: as small as the ports, and as strict as AWS."""

import json
import time
from collections import Counter as CounterOf
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from ecr_warden.domain.channel_state import ChannelState
from ecr_warden.domain.findings import Finding, Page, Scan
from ecr_warden.domain.images import Change, Manifest, RecordedChange, StoredImage
from ecr_warden.domain.messages import Message, Posted, Thread
from ecr_warden.domain.outcomes import Outcome, OutcomeKind
from ecr_warden.domain.policy import Mode, RuleReference, Severity
from ecr_warden.domain.runs import run_of
from ecr_warden.domain.scan_state import ImageKey, ImageState
from ecr_warden.domain.settings.current import (
    Mutability,
    RegistryDestination,
    RegistryScanning,
    ReplicationRule,
    Repository,
)
from ecr_warden.domain.settings.lifecycle_rules import lifecycle_problems
from ecr_warden.domain.settings.plans import Setting
from ecr_warden.domain.settings.replication import replication_rules
from ecr_warden.domain.settings.scanning import registry_scanning
from ecr_warden.domain.waiting import Waiting
from ecr_warden.errors import AwsError, BusyError, ImageGoneError, RefusedError, RepositoryGoneError
from ecr_warden.ports import Progress, Rendered

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
EVER = datetime(1970, 1, 1, tzinfo=UTC)
# Of an index, and of an image.
_MEDIA_TYPES = ("application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json")

OUTCOME = Outcome(
    id="outcome-1",
    kind=OutcomeKind.TAG_VIOLATION,
    account="123456789012",
    region="eu-west-1",
    repository="team/app",
    image_digest="sha256:" + "ab" * 32,
    image_tag="latest",
    mode=Mode.ENFORCE,
    decision="violation",
    action="quarantine",
    changed=True,
    reason="The tag latest is denied.",
    next_step="Push it again.",
    rule=RuleReference("policy.yaml", 7, ("**",)),
    severity=Severity.HIGH,
    event_id="event-1",
    event_time=NOW - timedelta(seconds=2),
    change_ids=("change-1",),
)


@dataclass
class FakeRegistry:
    """Repositories with images by digest and digests by tag."""

    images: dict[str, dict[str, Manifest]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    children: set[str] = field(default_factory=set)
    immutable: bool = False

    def push(self, repository, digest, *tags, children=None):
        manifest = Manifest(digest, f"manifest of {digest}", "type")
        if children is not None:
            body = json.dumps({"manifests": [{"digest": child} for child in children]})
            manifest = Manifest(digest, body, _MEDIA_TYPES[0])
        self.images.setdefault(repository, {})[digest] = manifest
        for tag in tags:
            self.tags.setdefault(repository, {})[tag] = digest

    def tags_of(self, repository_name, image_digest):
        tags = self.tags.get(repository_name, {}).items()
        return sorted(tag for tag, named in tags if named == image_digest)

    def _check(self, repository):
        if repository not in self.images:
            raise RepositoryGoneError(repository)

    def resource_tags(self, repository_name):
        self._check(repository_name)
        return dict(self.labels)

    def find_manifest(self, repository_name, image_tag):
        self._check(repository_name)
        return self.images[repository_name].get(self.tags.get(repository_name, {}).get(image_tag))

    def find_manifest_by_digest(self, repository_name, image_digest):
        self._check(repository_name)
        return self.images[repository_name].get(image_digest)

    def add_tag(self, repository_name, manifest, image_tag):
        self._check(repository_name)
        # What was deleted a moment ago can be pushed again by its manifest alone.
        known = self.images[repository_name].setdefault(manifest.digest, manifest)
        assert known == manifest, "a manifest is put back to the byte"
        named = self.tags.setdefault(repository_name, {}).get(image_tag)
        if named is not None and named != manifest.digest and self.immutable:
            raise RefusedError(f"the tag {image_tag} names another image and is immutable")
        self.tags[repository_name][image_tag] = manifest.digest

    def remove_tag(self, repository_name, image_tag):
        self._check(repository_name)
        digest = self.tags.get(repository_name, {}).get(image_tag)
        if digest is None:
            return None
        if self.tags_of(repository_name, digest) == [image_tag]:
            if digest in self.children:
                raise RefusedError("an image index refers to the image")
            del self.images[repository_name][digest]
        del self.tags[repository_name][image_tag]
        return digest


@dataclass
class FakeSettings:
    """A registry's settings, and what was called; ``refused`` and ``failing`` are settings that fail."""

    repository: Repository | None = field(default_factory=lambda: Repository("team/app"))
    lifecycle: dict | None = None
    policy: dict | None = None
    labels: dict[str, str] = field(default_factory=dict)
    rules: tuple[ReplicationRule, ...] = ()
    registry_scanning: RegistryScanning = field(default_factory=RegistryScanning)
    refused: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    backfills: list[RegistryDestination] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def _called(self, name):
        self.calls.append(name)
        if name in self.refused:
            raise RefusedError(f"{name}: AccessDeniedException")
        if name in self.failing:
            raise AwsError(f"{name}: ThrottlingException")
        if self.repository is None and name not in {"replication", "scanning"}:
            raise RepositoryGoneError(name)

    def describe(self, _repository_name):
        self._called("describe")
        return self.repository

    def lifecycle_policy(self, _repository_name):
        self._called("lifecycle_policy")
        return self.lifecycle

    def repository_policy(self, _repository_name):
        self._called("repository_policy")
        return self.policy

    def resource_tags(self, _repository_name):
        self._called("resource_tags")
        return dict(self.labels)

    def replication(self):
        self._called("replication")
        return self.rules

    def scanning(self):
        self._called("scanning")
        return self.registry_scanning

    def put(self, setting, repository_name, value):
        # The registry's documents are of no repository.
        if setting not in {Setting.REGISTRY_SCANNING, Setting.REPLICATION}:
            assert repository_name == self.repository.name
        self._called(f"put {setting}")
        match setting:
            case Setting.TAG_MUTABILITY:
                mutability = Mutability(value["mode"], tuple(value.get("except", ())))
                self.repository = replace(self.repository, mutability=mutability)
            case Setting.LIFECYCLE:
                assert lifecycle_problems(value) == []
                self.lifecycle = value
            case Setting.REGISTRY_SCANNING:
                self.registry_scanning = registry_scanning(value)
            case Setting.SCAN_ON_PUSH:
                self.repository = replace(self.repository, scan_on_push=value["scan_on_push"])
            case Setting.REPLICATION:
                self.rules = replication_rules(value)
            case Setting.RESOURCE_TAGS:
                self.labels |= value
            case Setting.REPOSITORY_POLICY:
                self.policy = value

    def remove(self, setting, repository_name, keys=()):
        assert repository_name == self.repository.name
        self._called(f"remove {setting}")
        match setting:
            case Setting.LIFECYCLE:
                self.lifecycle = None
            case Setting.REPOSITORY_POLICY:
                self.policy = None
            case Setting.RESOURCE_TAGS:
                assert keys
                self.labels = {key: value for key, value in self.labels.items() if key not in keys}

    def start_backfill(self, destination):
        self._called("start_backfill")
        if destination.region in self.busy:
            raise BusyError(f"a backfill to {destination.region} is under way")
        self.backfills.append(destination)


@dataclass
class FakeTemplates:
    """Creation templates by prefix; ``refused`` and ``failing`` are prefixes whose writes fail."""

    there: dict = field(default_factory=dict)
    refused: set = field(default_factory=set)
    failing: set = field(default_factory=set)
    reads: int = 0
    written: list = field(default_factory=list)

    def templates(self):
        self.reads += 1
        return tuple(self.there.values())

    def _write(self, template):
        self._check(template.prefix)
        self.written.append(template.prefix)
        self.there[template.prefix] = template

    def _check(self, prefix):
        if prefix in self.refused:
            raise RefusedError(f"{prefix}: AccessDeniedException.")
        if prefix in self.failing:
            raise AwsError(f"{prefix}: ServerException")

    def create_template(self, template):
        assert template.prefix not in self.there
        self._write(template)

    def update_template(self, template):
        assert template.prefix in self.there
        self._write(template)

    replace_template = update_template

    def delete_template(self, prefix):
        self._check(prefix)
        del self.there[prefix]


@dataclass
class FakeJournal:
    entries: dict[str, Change] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    def begin(self, change):
        before = self.progress(change.id)
        if before is not Progress.DONE:
            self.entries[change.id] = change
        return before

    def progress_of(self, change_ids):
        found = {change_id: self.progress(change_id) for change_id in change_ids}
        return {change_id: progress for change_id, progress in found.items() if progress is not Progress.NEW}

    def progress(self, change_id):
        if change_id not in self.entries:
            return Progress.NEW
        return Progress.DONE if change_id in self.done else Progress.BEGUN

    def find(self, change_id):
        change = self.entries.get(change_id)
        return None if change is None else RecordedChange(change, change_id in self.done)

    def changes(self, since):
        # What was begun later comes first, though the clock stands still.
        found = [one for one in reversed(self.entries.values()) if one.begun_at >= since]
        for change in sorted(found, key=lambda one: one.begun_at, reverse=True):
            yield RecordedChange(change, change.id in self.done)

    def changes_of(self, repository_name, since):
        return (one for one in self.changes(since) if one.change.repository == repository_name)

    def changes_in(self, run):
        return (one for one in self.changes(EVER) if run_of(one.change.event_id) == run)

    def finish(self, change_id):
        assert change_id in self.entries
        self.done.add(change_id)

    def cancel(self, change_id):
        if change_id not in self.done:
            self.entries.pop(change_id, None)


@dataclass
class FakeLocks:
    held: dict[str, str] = field(default_factory=dict)

    def acquire(self, name, holder):
        return self.held.setdefault(name, holder) == holder

    def release(self, name, holder):
        if self.held.get(name) == holder:
            del self.held[name]


@dataclass
class FakeUsage:
    """Who uses images; ``asked`` is what was asked about, and ``users_of`` is who uses one digest or tag.

    ``afresh``: of each question, whether it was about what runs now.
    """

    users: tuple[str, ...] = ()
    users_of: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    afresh: list[bool] = field(default_factory=list)

    def who_uses(self, repository_name, image_digests, image_tags, *, afresh=False):
        self.afresh.append(afresh)
        assert not isinstance(image_digests, str)
        assert not isinstance(image_tags, str)
        self.asked.append((repository_name, tuple(image_digests), tuple(image_tags)))
        found = [self.users_of[name] for name in (*image_digests, *image_tags) if name in self.users_of]
        return (*self.users, *found)


@dataclass
class FakeStorage:
    """A repository's images with their storage classes, and the children of those that are indexes.

    ``refused`` are digests whose storage class ECR does not change; ``archived`` those that are archived.
    With ``is_too_large`` there are more images than can be looked through.
    """

    stored: dict[str, StoredImage] = field(default_factory=dict)
    children: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    is_too_large: bool = False
    archived: set[str] = field(default_factory=set)
    repository_name: str = "team/app"

    def add(self, digest, *tags, children=None, pushed_at=None):
        if children is not None:
            assert set(children) <= set(self.stored), "ECR takes no index of images that it does not have"
            self.children[digest] = tuple(children)
        media_type = _MEDIA_TYPES[children is None]
        self.stored[digest] = StoredImage(digest, tags, media_type=media_type, pushed_at=pushed_at or NOW)

    def _check(self, repository_name):
        if repository_name != self.repository_name:
            raise RepositoryGoneError(repository_name)

    def images(self, repository_name, image_digests):
        assert not isinstance(image_digests, str)
        self._check(repository_name)
        return tuple(self.stored[digest] for digest in dict.fromkeys(image_digests) if digest in self.stored)

    def listed(self, repository_name):
        self._check(repository_name)
        if self.is_too_large:
            raise RefusedError(f"{repository_name} has more images than can be looked through")
        return tuple(self.stored.values())

    def indexes(self, repository_name):
        return tuple(
            (image, self.children[image.digest])
            for image in self.listed(repository_name)
            if image.digest in self.children and not image.is_archived
        )

    def archive(self, repository_name, image_digest):
        self._put(repository_name, image_digest, is_archived=True)
        self.archived.add(image_digest)

    def restore(self, repository_name, image_digest):
        self._put(repository_name, image_digest, is_archived=False)
        self.archived.discard(image_digest)

    def _put(self, repository_name, image_digest, *, is_archived):
        self._check(repository_name)
        if image_digest not in self.stored:
            raise ImageGoneError(image_digest)
        if image_digest in self.refused:
            raise RefusedError(f"{image_digest}: ImageStorageClassUpdateNotSupportedException")
        self.stored[image_digest] = replace(self.stored[image_digest], is_archived=is_archived)


@dataclass
class FakeScans:
    """The last scan of each of a repository's images, and what it found.

    An image that has no scan is to be in ``unscanned``. ``inspector`` has findings that Inspector knows
    better than ECR lists them; ``archived`` the digests of images whose findings are not given. ``reads``
    counts the calls, and ``pages_read`` the pages that were asked for.
    """

    scans: dict[str, Scan] = field(default_factory=dict)
    found: dict[str, list[Finding]] = field(default_factory=dict)
    unscanned: set[str] = field(default_factory=set)
    inspector: list[Finding] = field(default_factory=list)
    archived: set[str] = field(default_factory=set)
    reads: int = 0
    page: int = 100
    pages_read: int = 0
    from_inspector: bool = False
    repository_name: str = "team/app"

    def finds(self, digest, *findings, at=NOW, status="COMPLETE"):
        self.found[digest] = list(findings)
        counts = CounterOf(finding.severity for finding in findings)
        self.scans[digest] = Scan(status, completed_at=at, counts=dict(counts))

    def read(self, repository_name, image_digest, *, from_inspector=False):
        self.reads += 1
        self.from_inspector = from_inspector
        if repository_name != self.repository_name:
            raise RepositoryGoneError(repository_name)
        if image_digest in self.archived:
            return Scan("IMAGE_ARCHIVED")
        if image_digest in self.unscanned:
            return Scan("NOT_FOUND")
        if image_digest not in self.scans:
            raise ImageGoneError(image_digest)
        scan, found = self.scans[image_digest], self.found.get(image_digest, [])
        if from_inspector and scan.status == "ACTIVE":
            better = {finding.arn for finding in self.inspector}
            found = [*self.inspector, *(finding for finding in found if finding.arn not in better)]
            scan = replace(scan, counts=None)
        else:
            # ECR does not give that score, and basic scans do not have it.
            found = [replace(finding, epss=None) for finding in found]
        return replace(scan, pages=self._pages(found))

    def _pages(self, found):
        # The first page comes even where it is empty.
        for start in range(0, max(len(found), 1), self.page):
            self.pages_read += 1
            end = start + self.page
            yield Page(tuple(found[start:end]), is_last=end >= len(found))

    def find(self, finding_arn):
        known = {finding.arn: finding for finding in self._of_inspector()}
        return known.get(finding_arn)

    def _of_inspector(self):
        """Give what Inspector has: what ECR lists, but for what it knows better."""
        listed = [finding for found in self.found.values() for finding in found]
        return [*self.inspector, *(one for one in listed if one.arn not in {i.arn for i in self.inspector})]


@dataclass
class FakeScanStates:
    """What is remembered; ``races`` are states that somebody else writes just before."""

    states: dict[ImageKey, ImageState] = field(default_factory=dict)
    races: list[ImageState] = field(default_factory=list)
    reads: int = 0

    def read(self, image):
        self.reads += 1
        return self._of(image)

    def _of(self, image):
        return self.states.get(image, ImageState())

    def write(self, image, state):
        if self.races:
            self.states[image] = self.races.pop(0)
        if self._of(image).version != state.version - 1:
            return False
        self.states[image] = state
        return True

    def settle(self, image, state):
        known = self._of(image)
        if known.version == state.version and known.untold is not None:
            self.states[image] = state.settled


@dataclass
class FakePublisher:
    outcomes: list[Outcome] = field(default_factory=list)

    def publish(self, outcome):
        self.outcomes.append(outcome)

    def publish_all(self, outcomes):
        self.outcomes.extend(outcomes)


@dataclass
class FakeMetrics:
    counted: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    times: list[tuple[str, float]] = field(default_factory=list)

    def count(self, name, **dimensions):
        self.counted.append((name, dimensions))

    def milliseconds(self, name, value):
        self.times.append((name, value))

    seconds = milliseconds


@dataclass
class FakePorts:
    """All that enforcing needs."""

    registry: FakeRegistry = field(default_factory=FakeRegistry)
    journal: FakeJournal = field(default_factory=FakeJournal)
    usage: FakeUsage = field(default_factory=FakeUsage)
    publisher: FakePublisher = field(default_factory=FakePublisher)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)

    def now(self):
        return NOW


@dataclass
class FakeSettingsPorts:
    """All that configuring a repository needs."""

    settings: FakeSettings = field(default_factory=FakeSettings)
    journal: FakeJournal = field(default_factory=FakeJournal)
    locks: FakeLocks = field(default_factory=FakeLocks)
    publisher: FakePublisher = field(default_factory=FakePublisher)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    pauses: list[float] = field(default_factory=list)

    def now(self):
        return NOW

    def pause(self, seconds):
        self.pauses.append(seconds)
        time.sleep(0.001)


@dataclass
class FakeClock:
    """A clock that moves when somebody pauses."""

    at: datetime = NOW

    def now(self):
        return self.at

    def pause(self, seconds):
        assert seconds >= 0
        self.at += timedelta(seconds=seconds)


@dataclass
class FakeOutbox:
    """What waits by channel and outcome id, and what became of all that ever waited."""

    clock: FakeClock = field(default_factory=FakeClock)
    waits: dict[str, dict[str, Waiting]] = field(default_factory=dict)
    status: dict[tuple[str, str], str] = field(default_factory=dict)
    states: dict[str, ChannelState] = field(default_factory=dict)
    holders: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    alarms: dict[str, datetime] = field(default_factory=dict)
    threads: dict[tuple[str, str], Thread] = field(default_factory=dict)

    def put(self, channel, waiting):
        key = (waiting.outcome.id, channel)
        match self.status.get(key):
            case None | "given up":
                self.status[key] = "waiting"
                self.waits.setdefault(channel, {})[waiting.outcome.id] = waiting
                return waiting.due
            case "waiting":
                return self.waits[channel][waiting.outcome.id].due
        return None

    def waiting(self, channel, most):
        return tuple(islice(sorted(self.waits.get(channel, {}).values(), key=lambda one: one.due), most))

    def unread(self, _channel):
        return None

    def told(self, channel, outcome_ids):
        self._settle(channel, outcome_ids, "told")

    def given_up(self, channel, outcome_ids):
        self._settle(channel, outcome_ids, "given up")

    def move(self, channel, fallback, waiting):
        for one in waiting:
            self.put(fallback, one)
        self._settle(channel, [one.outcome.id for one in waiting], "moved")

    def _settle(self, channel, outcome_ids, status):
        for outcome_id in outcome_ids:
            assert self.status[outcome_id, channel] == "waiting"
            self.status[outcome_id, channel] = status
            del self.waits[channel][outcome_id]

    def acquire(self, channel, holder):
        if channel in self.holders and self.holders[channel][1] > self.clock.now():
            return None
        self.holders[channel] = (holder, self.clock.now() + timedelta(minutes=2))
        return self.states.get(channel, ChannelState())

    def release(self, channel, holder, state):
        if self.holders.get(channel, ("",))[0] == holder:
            del self.holders[channel]
            self.states[channel] = state

    def alarm(self, channel):
        return self.alarms.get(channel)

    def set_alarm(self, channel, at):
        self.alarms[channel] = at

    def clear_alarm(self, channel, until):
        if channel in self.alarms and self.alarms[channel] <= until:
            del self.alarms[channel]

    def thread(self, channel, stories):
        return next((self.threads[channel, one] for one in stories if (channel, one) in self.threads), None)

    def keep_thread(self, channel, stories, thread):
        self.threads |= {(channel, story): thread for story in stories}


@dataclass
class FakeWakeUps:
    """Wake-ups that were asked for: when, and of which channel."""

    clock: FakeClock
    asked: list[tuple[datetime, str]] = field(default_factory=list)

    def wake(self, channel, seconds):
        assert 0 <= seconds <= 900
        assert seconds == int(seconds)
        self.asked.append((self.clock.now() + timedelta(seconds=seconds), channel))


@dataclass
class FakeDeadLetters:
    letters: list[tuple[str, str, str]] = field(default_factory=list)

    def put(self, outcome, channel, why):
        self.letters.append((outcome.id, channel, why))


@dataclass
class FakeIdentities:
    """Who pushed, by outcome id; and what channels wait for it."""

    known: dict[str, str] = field(default_factory=dict)
    has_trail: bool = False
    wanted: list[tuple[str, str]] = field(default_factory=list)

    def found(self, outcomes):
        return {one.id: self.known[one.id] for one in outcomes if one.id in self.known}

    def expects(self, _account, _region):
        return self.has_trail

    def want(self, outcome, channel):
        self.wanted.append((outcome.id, channel))

    def record(self, push):
        self.known[push.image_digest] = push.pushed_by
        return tuple(channel for _, channel in self.wanted)


@dataclass
class FakeChannel:
    """A channel that raises the errors that it is given, one a call, and then takes what is sent.

    ``sent`` has every message that it took, with its thread; ``heard`` the outcomes' ids in order.
    """

    errors: list[Exception | None] = field(default_factory=list)
    sent: list[tuple[Message, Thread | None]] = field(default_factory=list)
    pause: float = 0.0
    takes_each: bool = False
    has_threads: bool = False

    @property
    def heard(self):
        return [outcome.id for message, _ in self.sent for outcome in message.outcomes]

    def render(self, message):
        return Rendered(message.outcomes[0].reason, {})

    def send(self, message, thread=None):
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.sent.append((message, thread))
        return Posted("C1", str(len(self.sent))) if self.has_threads and thread is None else None


class FaultError(AwsError):
    """The fault that a test makes."""


class Faulty:
    """A port whose n-th call, over all ports that share the counter, fails before or after its effect."""

    def __init__(self, port, counter):
        self._port = port
        self._counter = counter

    def __getattr__(self, name):
        method = getattr(self._port, name)

        def call(*arguments, **named):
            self._counter.calls += 1
            is_now = self._counter.calls == self._counter.fails_at
            if is_now and not self._counter.after_effect:
                raise FaultError(f"{name}: before its effect")
            answer = method(*arguments, **named)
            if is_now:
                raise FaultError(f"{name}: after its effect")
            return answer

        return call


@dataclass
class Counter:
    fails_at: int | None = None
    after_effect: bool = False
    calls: int = 0
