"""A registry of many repositories, as a sweep sees and changes it, of fakes."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

from tests.fakes import NOW, FakeJournal, FakeLocks, FakeRegistry, FakeSettings, FakeUsage

from ecr_warden.domain.places import Place
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.images import ListedImage
from ecr_warden.errors import RepositoryGoneError
from ecr_warden.use_cases.settings_changes import REGISTRY_WIDE
from ecr_warden.use_cases.sweep.judge_repository import judge_repository
from ecr_warden.use_cases.sweep.ports import Scope
from ecr_warden.use_cases.sweep.shared_facts import SharedFacts
from ecr_warden_cli.policy.check import check_policy

HERE = Place("123456789012", "eu-west-1")


def digest(number):
    return f"sha256:{number:064x}"


def sweep_policy(*sections, mode="enforce", override=True, match="'**'", more=""):
    """Read a policy of one rule, whose sections are lines of YAML."""
    lines = "\n".join(f"    {section}" for section in sections)
    text = (
        f"version: 1\nmode: {mode}\nrules:\n  - match: [{match}]\n"
        f"    override: {str(override).lower()}\n{lines}\n{more}"
    )
    checked = check_policy(text, "policy.yaml")
    assert checked.policy is not None, checked.problems
    return checked.policy


@dataclass
class WorldSettings:
    """Each repository's settings, and the registry's documents; ``calls`` counts what was called."""

    each: dict[str, FakeSettings] = field(default_factory=dict)
    registry: FakeSettings = field(default_factory=FakeSettings)
    calls: Counter = field(default_factory=Counter)

    def _of(self, name, call):
        self.calls[call] += 1
        if name not in self.each:
            raise RepositoryGoneError(f"{name}: the repository does not exist")
        return self.each[name]

    def lifecycle_policy(self, name):
        return self._of(name, "lifecycle_policy").lifecycle_policy(name)

    def repository_policy(self, name):
        return self._of(name, "repository_policy").repository_policy(name)

    def resource_tags(self, name):
        return self._of(name, "resource_tags").resource_tags(name)

    def replication(self):
        self.calls["replication"] += 1
        return self.registry.replication()

    def scanning(self):
        self.calls["scanning"] += 1
        return self.registry.scanning()

    def put(self, setting, name, value):
        if setting in REGISTRY_WIDE:
            self.calls[f"put {setting}"] += 1
            self.registry.put(setting, self.registry.repository.name, value)
        else:
            self._of(name, f"put {setting}").put(setting, name, value)

    def start_backfill(self, destination):
        self.registry.start_backfill(destination)


@dataclass
class World:
    """All that a sweep acts through in one registry."""

    settings: WorldSettings = field(default_factory=WorldSettings)
    registry: FakeRegistry = field(default_factory=FakeRegistry)
    journal: FakeJournal = field(default_factory=FakeJournal)
    locks: FakeLocks = field(default_factory=FakeLocks)
    usage: FakeUsage = field(default_factory=FakeUsage)
    pushed: dict[str, datetime] = field(default_factory=dict)
    pulled: dict[str, datetime] = field(default_factory=dict)
    calls: Counter = field(default_factory=Counter)
    failing: Exception | None = None

    @property
    def repositories(self):
        return self

    def add(self, name, *, tags=None, lifecycle=None, **described):
        repository = replace(Repository(name, created_at=NOW), **described)
        self.settings.each[name] = FakeSettings(repository, lifecycle=lifecycle, labels=tags or {})
        self.registry.images.setdefault(name, {})
        return self.settings.each[name]

    def now(self):
        return NOW

    def pause(self, _seconds):
        raise AssertionError("nobody else writes here")

    def pages(self):
        self.calls["pages"] += 1
        yield tuple(each.repository for each in self.settings.each.values())
        if self.failing is not None:
            raise self.failing

    def named(self, names):
        self.calls["named"] += 1
        return tuple(self.settings.each[name].repository for name in names if name in self.settings.each)

    def images(self, name):
        self.calls["images"] += 1
        if name not in self.settings.each:
            raise RepositoryGoneError(f"{name}: the repository does not exist")
        for found in self.registry.images.get(name, {}):
            yield ListedImage(
                found,
                tuple(self.registry.tags_of(name, found)),
                pushed_at=self.pushed.get(found, NOW),
                pulled_at=self.pulled.get(found),
                media_type=self.registry.images[name][found].media_type,
            )

    def resource_tags(self):
        self.calls["all resource tags"] += 1
        return {name: dict(each.labels) for name, each in self.settings.each.items() if each.labels}


def judged(world, policy, name, *, scope=None, place=HERE, event_id="", resource_tags=None):  # noqa: PLR0913  # as it takes
    """Judge one repository of a world."""
    return judge_repository(
        world.settings.each[name].repository,
        policy=policy,
        place=place,
        ports=world,
        shared=SharedFacts(world.settings),
        scope=scope or Scope(),
        now=NOW,
        event_id=event_id,
        resource_tags=resource_tags,
    )
