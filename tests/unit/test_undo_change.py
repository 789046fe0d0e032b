"""Changes are taken back: whatever was done meanwhile, and wherever an earlier try ended."""

import json
from dataclasses import dataclass, field, replace

import pytest
from fakes import (
    NOW,
    OUTCOME,
    Counter,
    FakeJournal,
    FakeLocks,
    FakeRegistry,
    FakeSettings,
    FakeTemplates,
    FaultError,
    Faulty,
)
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.images import Change, StoredImage
from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import ScanFrequency
from ecr_warden.domain.settings.current import (
    Mutability,
    RegistryDestination,
    RegistryScanning,
    ReplicationRule,
    Repository,
    ScanningRule,
)
from ecr_warden.domain.settings.documents import Document, text_of
from ecr_warden.domain.settings.plans import Setting
from ecr_warden.domain.settings.replication import replication_json
from ecr_warden.domain.settings.scanning import scanning_json
from ecr_warden.domain.settings.templates import CreationTemplate, template_json
from ecr_warden.domain.undo_settings import decide_tags, tags_back
from ecr_warden.domain.undoing import (
    AsBefore,
    Impossible,
    PutBack,
    TakenTag,
    changes_of_children,
    decide_tag,
    undoes,
    undoing,
)
from ecr_warden.errors import CredentialsError, ImageGoneError, RefusedError, RepositoryGoneError
from ecr_warden.use_cases.undo_change import Status, look_at_change, look_at_changes, undo_all, undo_change

OLD, NEW = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
KEPT = "quarantine-abababababab-latest"
REPOSITORY = "team/app"
HERE = Place("123456789012", "eu-west-1")

TAG = Change(
    id="tag-1",
    account=HERE.account,
    region=HERE.region,
    repository=REPOSITORY,
    section="tags",
    before={"image_tag": "latest", "image_digest": OLD},
    after={"image_tag": KEPT, "image_digest": OLD},
    event_id="event-1",
    rule=OUTCOME.rule,
    begun_at=NOW,
)
IMAGE = replace(
    TAG,
    id="image-1",
    section="scan_gate",
    before={"image_digest": OLD, "storage_class": "STANDARD"},
    after={"image_digest": OLD, "storage_class": "ARCHIVE"},
)
BOTH = pytest.mark.parametrize("change", [TAG, IMAGE], ids=["tag", "image"])


@dataclass
class Storage:
    """The storage classes of one repository's images."""

    archived: dict[str, bool] = field(default_factory=lambda: {OLD: True})

    def images(self, repository_name, image_digests):
        if repository_name != REPOSITORY:
            raise RepositoryGoneError(repository_name)
        return tuple(
            StoredImage(digest, is_archived=self.archived[digest])
            for digest in image_digests
            if digest in self.archived
        )

    def restore(self, _repository_name, image_digest):
        if image_digest not in self.archived:
            raise ImageGoneError(image_digest)
        self.archived[image_digest] = False


@dataclass
class Ports:
    registry: FakeRegistry = field(default_factory=FakeRegistry)
    storage: Storage = field(default_factory=Storage)
    journal: FakeJournal = field(default_factory=FakeJournal)
    settings: FakeSettings = field(default_factory=lambda: FakeSettings(Repository(REPOSITORY)))
    templates: FakeTemplates = field(default_factory=FakeTemplates)
    locks: FakeLocks = field(default_factory=FakeLocks)
    place: Place = HERE

    def at(self, place):
        return self if place == HERE else None

    def pause(self, _seconds):
        pass

    def now(self):
        return NOW

    def recorded(self, change, *, is_done=True):
        self.journal.begin(change)
        if is_done:
            self.journal.finish(change.id)
        return self


def world(*changes, **options):
    ports = Ports()
    ports.registry.push(REPOSITORY, OLD, KEPT)
    for change in changes or (TAG, IMAGE):
        ports.recorded(change, **options)
    return ports


def undo(change, ports):
    return undo_change(change.id, ports)


def state(ports):
    settings, templates = replace(ports.settings, calls=[]), replace(ports.templates, reads=0)
    return ports.registry, ports.storage, ports.journal, settings, templates, ports.locks


def assert_left_alone(change, ports, status, said):
    """Nothing is changed, by looking, by undoing, or by undoing again."""
    before = repr(state(ports))
    for act in (look_at_change, undo_change, undo_change):
        found = act(change.id, ports)
        assert (found.status, said in found.said) == (status, True), found
        assert repr(state(ports)) == before
    return found


def test_an_images_quarantine_is_taken_back_by_restoring_it():
    ports = world()
    done = undo(IMAGE, ports)
    assert ports.storage.archived == {OLD: False}
    assert done.status is Status.UNDONE
    assert OLD in done.said
    assert "20 minutes" in done.next_step


def image_change(change_id, digest, children=None):
    after = {"image_digest": digest, "storage_class": "ARCHIVE"}
    return replace(
        IMAGE,
        id=change_id,
        before={"image_digest": digest, "storage_class": "STANDARD"},
        after=after if children is None else {**after, "children": children},
    )


CHILDREN = ["sha256:" + character * 64 for character in "123"]
OF_CHILDREN = [image_change(f"child-{number}", digest) for number, digest in enumerate(CHILDREN, 1)]
# The third was never archived by this quarantine.
OF_INDEX = image_change("index-1", OLD, {digest: f"child-{n}" for n, digest in enumerate(CHILDREN, 1)})


def world_of_index(*others):
    ports = world(OF_INDEX, *OF_CHILDREN[:2], TAG, *others)
    ports.storage.archived |= dict.fromkeys(CHILDREN, True)
    return ports


def looked(ports, *change_ids):
    return [(each.change_id, each.status) for each in look_at_changes(change_ids, ports)]


def test_with_an_index_those_of_its_children_that_have_changes_of_their_own_are_taken_back():
    ports = world_of_index()
    before = repr(state(ports))
    found = looked(ports, "index-1", "tag-1")
    assert repr(state(ports)) == before
    assert found == [
        ("index-1", Status.POSSIBLE),
        ("child-1", Status.POSSIBLE),
        ("child-2", Status.POSSIBLE),
        ("tag-1", Status.POSSIBLE),
    ]
    for change_id, _ in found:
        assert undo_change(change_id, ports).status is Status.UNDONE
    assert ports.storage.archived == {OLD: False, **dict(zip(CHILDREN, [False, False, True], strict=True))}


def test_a_change_comes_once_whoever_names_it():
    named = [
        change_id for change_id, _ in looked(world_of_index(), "child-2", "index-1", "child-2", "index-1")
    ]
    assert named == ["child-2", "index-1", "child-1"]
    named = [change_id for change_id, _ in looked(world_of_index(), "index-1", "tag-1", "child-1")]
    assert named == ["index-1", "child-1", "child-2", "tag-1"]
    # Who asks for one by its id is told that it is not there.
    assert ("child-3", Status.IMPOSSIBLE) in looked(world_of_index(), "index-1", "child-3")


def test_children_are_gone_on_with_where_an_earlier_try_took_back_the_index_alone():
    ports = world_of_index()
    undo(OF_INDEX, ports)
    assert looked(ports, "index-1") == [
        ("index-1", Status.ALREADY),
        ("child-1", Status.POSSIBLE),
        ("child-2", Status.POSSIBLE),
    ]


def test_the_change_that_took_back_an_index_has_no_children():
    ports = world_of_index()
    undo_id = undo(OF_INDEX, ports).undo_id
    assert looked(ports, undo_id) == [(undo_id, Status.IMPOSSIBLE)]


def test_a_child_whose_change_cannot_be_read_is_told_of_and_not_left_out():
    ports = world_of_index()
    find = ports.journal.find

    def failing(change_id):
        if change_id == "child-2":
            raise FaultError("throttled")
        return find(change_id)

    ports.journal.find = failing
    assert looked(ports, "index-1")[1:] == [("child-1", Status.POSSIBLE), ("child-2", Status.FAILED)]


@pytest.mark.parametrize("children", [None, CHILDREN, {}, "child-1", {CHILDREN[0]: None, CHILDREN[1]: 5}])
def test_an_entry_that_does_not_name_its_childrens_changes_has_none(children):
    change = image_change("index-1", OLD, children)
    assert changes_of_children(change) == ()
    ports = world(change, *OF_CHILDREN)
    assert looked(ports, "index-1") == [("index-1", Status.POSSIBLE)]


@pytest.mark.parametrize("after", [None, {}, {"children": {"a": "child-1"}}])
def test_only_an_images_quarantine_has_children(after):
    assert changes_of_children(replace(TAG, after=after)) == ()
    assert changes_of_children(replace(IMAGE, before=None, after=after)) == ()


@given(children=st.dictionaries(st.text(), st.sampled_from(["a", "b", "c"])))
def test_each_childs_change_is_named_once(children):
    found = changes_of_children(image_change("index-1", OLD, children))
    assert sorted(found) == sorted(set(children.values()))


def test_a_tags_quarantine_is_taken_back_by_moving_the_tag():
    ports = world()
    done = undo(TAG, ports)
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest"]
    assert done.status is Status.UNDONE
    assert "is a push, which the deployed policy judges" in done.next_step


def test_the_images_other_tags_stay():
    ports = world()
    ports.registry.push(REPOSITORY, OLD, "stable")
    undo(TAG, ports)
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest", "stable"]


def test_a_tag_comes_back_where_another_tag_kept_the_image_in_place_of_its_quarantine_tag():
    ports = world()
    ports.registry.push(REPOSITORY, OLD, "v1.0.0")
    ports.registry.remove_tag(REPOSITORY, KEPT)
    undo(TAG, ports)
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest", "v1.0.0"]


def test_a_tag_that_somebody_put_back_loses_its_quarantine_tag():
    ports = world()
    ports.registry.push(REPOSITORY, OLD, "latest")
    assert undo(TAG, ports).status is Status.UNDONE
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest"]


@BOTH
def test_taking_back_is_a_change_of_its_own_in_the_journal(change):
    ports = world(change)
    done = undo(change, ports)
    entry = ports.journal.entries[done.undo_id]
    assert (entry.before, entry.after) == (change.after, change.before)
    assert (entry.section, entry.repository, entry.rule) == (change.section, REPOSITORY, change.rule)
    assert undoes(entry) == change.id
    assert ports.journal.done == {change.id, entry.id}


@BOTH
def test_the_second_time_it_is_said_to_be_taken_back_already(change):
    ports = world(change)
    first = undo(change, ports)
    found = assert_left_alone(change, ports, Status.ALREADY, "taken back already")
    assert found.undo_id == first.undo_id
    assert found.status.is_taken_back


@BOTH
def test_what_the_owners_did_after_an_undoing_is_not_undone_by_a_second_one(change):
    ports = world(change)
    undo(change, ports)
    ports.storage.archived[OLD] = True
    ports.registry.push(REPOSITORY, NEW, "latest")
    assert_left_alone(change, ports, Status.ALREADY, "taken back already")


@BOTH
def test_looking_changes_nothing(change):
    ports = world(change)
    before = repr(state(ports))
    looked = look_at_change(change.id, ports)
    assert (looked.status, looked.recorded.change, looked.undo_id) == (Status.POSSIBLE, change, None)
    assert repr(state(ports)) == before


def test_what_somebody_put_back_by_hand_is_so_already_and_not_recorded():
    ports = world()
    ports.registry.push(REPOSITORY, OLD, "latest")
    ports.registry.remove_tag(REPOSITORY, KEPT)
    ports.storage.archived[OLD] = False
    assert_left_alone(TAG, ports, Status.ALREADY, "which has no quarantine tag")
    assert_left_alone(IMAGE, ports, Status.ALREADY, "not in the archive")


def test_a_tag_that_names_another_image_by_now_stays_there():
    ports = world()
    ports.registry.push(REPOSITORY, NEW, "latest")
    found = assert_left_alone(TAG, ports, Status.IMPOSSIBLE, f"names {NEW} by now")
    assert OLD in found.next_step
    assert not found.status.is_taken_back


def test_an_image_that_is_gone_does_not_come_back():
    ports = world()
    ports.registry.remove_tag(REPOSITORY, KEPT)
    del ports.storage.archived[OLD]
    for change in (TAG, IMAGE):
        found = assert_left_alone(change, ports, Status.IMPOSSIBLE, "does not exist any more")
        assert "Push it again" in found.next_step


@BOTH
def test_a_repository_that_is_gone_is_said_to_be(change):
    gone = replace(change, repository="team/gone")
    for act in (look_at_change, undo_change):
        found = act(gone.id, world(gone))
        assert found.status is Status.IMPOSSIBLE, "another try comes to the same"
        assert found.said == "The repository was deleted meanwhile: nothing is left to take back."


def test_a_deletion_cannot_be_taken_back():
    deletion = replace(TAG, before={**TAG.before, "manifest": "{}"}, after=None)
    found = assert_left_alone(deletion, world(deletion), Status.IMPOSSIBLE, "cannot be taken back")
    assert "Push the image again" in found.next_step
    assert "manifest" in found.next_step


@pytest.mark.parametrize(
    ("section", "before"),
    [
        # Shapes that a later version may write.
        ("tags", {"labels": []}),
        ("scan_gate", {"image_digest": OLD, "storage_class": "FROZEN"}),
        ("signing", None),
        ("tag_mutability", None),
    ],
)
def test_a_change_of_an_unknown_kind_is_shown_for_a_person_to_put_back(section, before):
    change = replace(TAG, section=section, before=before, after={"x": 1})
    found = assert_left_alone(change, world(change), Status.IMPOSSIBLE, f"such a change of {section}")
    assert found.next_step.endswith(json.dumps(before) if before else "nothing")


@pytest.mark.parametrize("other", [Place("999999999999", "eu-west-1"), Place("123456789012", "us-east-1")])
@BOTH
def test_a_change_of_another_account_or_region_is_refused(change, other):
    foreign = replace(change, account=other.account, region=other.region)
    found = assert_left_alone(
        foreign, world(foreign), Status.IMPOSSIBLE, f"account {other.account} in {other.region}"
    )
    assert (HERE.account in found.said, "--role-name" in found.next_step) == (True, True)


def test_a_change_that_the_journal_does_not_have_is_said_to_be_unknown():
    found = assert_left_alone(replace(TAG, id="none"), world(), Status.IMPOSSIBLE, "no such change")
    assert found.recorded is None


@BOTH
def test_an_undoing_is_not_undone(change):
    ports = world(change)
    done = undo(change, ports)
    entry = ports.journal.entries[done.undo_id]
    assert_left_alone(entry, ports, Status.IMPOSSIBLE, f"took back the change {change.id}")


@BOTH
def test_a_change_that_was_begun_and_never_finished_is_taken_back_and_closed(change):
    ports = world(change, is_done=False)
    looked = look_at_change(change.id, ports)
    assert f"begun at {NOW.isoformat()} and never finished" in looked.said
    done = undo(change, ports)
    assert done.status is Status.UNDONE
    # Or else the event, when it comes again, would go on with it.
    assert ports.journal.done == {change.id, done.undo_id}
    assert_left_alone(change, ports, Status.ALREADY, "taken back already")


def test_a_change_that_was_begun_and_not_made_is_closed_too():
    ports = Ports().recorded(TAG, is_done=False).recorded(IMAGE, is_done=False)
    ports.registry.push(REPOSITORY, OLD, "latest")
    ports.storage.archived[OLD] = False
    for change in (TAG, IMAGE):
        assert look_at_change(change.id, ports).status is Status.POSSIBLE
        assert undo(change, ports).status is Status.UNDONE
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest"]
    assert ports.journal.done == set(ports.journal.entries)


def test_a_tag_that_was_half_quarantined_loses_its_quarantine_tag():
    ports = world(TAG, is_done=False)
    ports.registry.push(REPOSITORY, OLD, "latest")
    undo(TAG, ports)
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest"]


def test_what_ecr_refuses_is_said_and_not_recorded():
    ports = world()

    def refuse(*_):
        raise RefusedError("the image has as many tags as ECR allows")

    ports.registry.add_tag = ports.storage.restore = refuse
    for change in (TAG, IMAGE):
        found = undo(change, ports)
        assert (found.status, found.said) == (Status.FAILED, "the image has as many tags as ECR allows.")
    assert set(ports.journal.entries) == {TAG.id, IMAGE.id}


def test_of_an_earlier_try_nobody_knows_so_that_a_refusal_leaves_its_entry_open():
    ports = world()
    entry = undoing(IMAGE, NOW)
    ports.journal.begin(entry)

    def refuse(*_):
        raise ImageGoneError("gone")

    ports.storage.restore = refuse
    assert undo(IMAGE, ports).status is Status.FAILED
    assert entry.id in ports.journal.entries


def test_a_change_that_another_command_takes_back_in_that_moment_is_taken_back_already():
    ports = world()

    def progress(change_id):
        # Asked before the other command is done.
        found = FakeJournal.progress(ports.journal, change_id)
        del ports.journal.progress
        undo(IMAGE, ports)
        return found

    ports.journal.progress = progress
    assert undo(IMAGE, ports).status is Status.ALREADY
    assert ports.storage.archived == {OLD: False}


class Racing(FakeRegistry):
    """A registry in which something happens just before a method's first call."""

    def before(self, method, happen):
        call = getattr(self, method)

        def racing(*arguments):
            setattr(self, method, call)
            happen()
            return call(*arguments)

        setattr(self, method, racing)

    def add_tag(self, repository_name, manifest, image_tag):
        # ECR takes a manifest that it deleted a moment ago as a push.
        self.images[repository_name].setdefault(manifest.digest, manifest)
        super().add_tag(repository_name, manifest, image_tag)


def racing(method, happen):
    ports = world()
    registry = ports.registry = Racing(ports.registry.images, ports.registry.tags)
    # What is looked at comes first, and is not what these tests are about.
    add_tag = registry.add_tag

    def add(*arguments):
        registry.add_tag = add_tag
        add_tag(*arguments)
        registry.before(method, lambda: happen(registry))

    registry.add_tag = add
    return ports


def test_a_tag_that_another_push_takes_in_that_moment_stays_there_and_the_image_is_kept():
    ports = racing("tags_of", lambda registry: registry.push(REPOSITORY, NEW, "latest"))
    found = undo(TAG, ports)
    assert found.status is Status.FAILED
    assert "in the moment that it was put back" in found.said
    assert ports.registry.tags_of(REPOSITORY, NEW) == ["latest"]
    assert ports.registry.tags_of(REPOSITORY, OLD) == [KEPT]
    assert set(ports.journal.entries) == {TAG.id, IMAGE.id}


def test_an_image_is_not_lost_where_a_function_takes_the_tag_again_in_that_moment():
    ports = racing("remove_tag", lambda registry: FakeRegistry.remove_tag(registry, REPOSITORY, "latest"))
    found = undo(TAG, ports)
    assert found.status is Status.FAILED
    assert ports.registry.tags_of(REPOSITORY, OLD) == [KEPT]
    assert set(ports.journal.entries) == {TAG.id, IMAGE.id}


def test_an_image_that_cannot_be_saved_is_named_to_be_pushed_again():
    def fail(*_):
        raise FaultError("throttled")

    def take(registry):
        FakeRegistry.remove_tag(registry, REPOSITORY, "latest")
        registry.add_tag = fail

    found = undo(TAG, racing("remove_tag", take))
    assert found.status is Status.FAILED
    assert f"push {OLD} again now" in found.said


CALLS = [(TAG, True, 11), (TAG, False, 12), (IMAGE, True, 6), (IMAGE, False, 7)]


def faulty(ports, **options):
    counter = Counter(**options)
    names = ("registry", "storage", "journal", "settings", "templates", "locks")
    return Ports(**{name: Faulty(getattr(ports, name), counter) for name in names}), counter


@pytest.mark.parametrize(("change", "is_done", "calls"), CALLS)
def test_taking_back_makes_as_many_calls_as_it_needs(change, is_done, calls):
    found, counter = faulty(world(change, is_done=is_done))
    undo(change, found)
    assert counter.calls == calls


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize(
    ("change", "is_done", "call"),
    [(change, is_done, n + 1) for change, is_done, calls in CALLS for n in range(calls)],
)
def test_a_fault_at_any_call_and_another_try_end_as_if_there_had_been_none(
    change, is_done, call, after_effect
):
    smooth = world(change, is_done=is_done)
    undo(change, smooth)
    ports = world(change, is_done=is_done)
    found, _ = faulty(ports, fails_at=call, after_effect=after_effect)
    failed = undo(change, found)
    assert (failed.status, "its effect" in failed.said) == (Status.FAILED, True)
    assert undo(change, ports).status in {Status.UNDONE, Status.ALREADY}
    assert state(ports) == state(smooth)


TAKEN = TakenTag(OLD, "latest", KEPT)
TAGS = st.sets(st.sampled_from(["latest", KEPT, "v1", "v2"]))


@given(named=st.sampled_from([None, OLD, NEW]), tags=st.none() | TAGS)
def test_a_tag_is_never_taken_from_another_image_and_a_gone_image_never_tagged(named, tags):
    decision = decide_tag(TAKEN, named=named, tags=None if tags is None else tuple(tags))
    if tags is None or named == NEW:
        assert isinstance(decision, Impossible)
    else:
        is_before = named == OLD and KEPT not in tags
        assert isinstance(decision, AsBefore if is_before else PutBack)


# Settings.

LIFECYCLE_TEXT = (
    '{ "rules": [ {"rulePriority": 1, "description": "theirs",\n "selection": {"tagStatus": "any", '
    '"countType": "imageCountMoreThan", "countNumber": 9}, "action": {"type": "expire"}} ] }'
)
THEIRS = Document(LIFECYCLE_TEXT)
OURS = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "ours",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 30},
            "action": {"type": "expire"},
        }
    ]
}
ON_PUSH = ScanFrequency.SCAN_ON_PUSH
STATEMENT = {"Sid": "Pull", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
POLICY_DOCUMENT = {"Statement": [STATEMENT]}


def replicated(*prefixes):
    to = (RegistryDestination("us-east-1", HERE.account),)
    return tuple(ReplicationRule(to, (prefix,)) for prefix in prefixes)


SCANNED = {
    "scanType": "BASIC",
    "rules": [
        {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "a*", "filterType": "WILDCARD"}]}
    ],
}
PLAIN_SCANNING = {"scanType": "BASIC", "rules": []}
# Of each setting: what was before, what is after, and before in FakeSettings' own fields.
SETTINGS = {
    Setting.TAG_MUTABILITY: (
        {"mode": "MUTABLE_WITH_EXCLUSION", "except": ["b*", "a*"]},
        {"mode": "IMMUTABLE"},
    ),
    Setting.LIFECYCLE: (THEIRS, OURS),
    Setting.SCAN_ON_PUSH: ({"scan_on_push": False}, {"scan_on_push": True}),
    Setting.REGISTRY_SCANNING: (PLAIN_SCANNING, SCANNED),
    Setting.REPLICATION: (
        replication_json(replicated("theirs/")),
        replication_json(replicated("theirs/", "team/")),
    ),
    Setting.REPOSITORY_POLICY: (POLICY_DOCUMENT, {"Statement": [STATEMENT, {**STATEMENT, "Sid": "Ours"}]}),
    Setting.RESOURCE_TAGS: ({"by": "them"}, {"by": "us", "team": "a"}),
}
EVERY = pytest.mark.parametrize("setting", SETTINGS)


def setting_change(setting, before, after, **other):
    return replace(
        TAG,
        id=str(setting),
        section=setting.section,
        before=before,
        after=after,
        before_text=text_of(before),
        **other,
    )


def world_of(setting, *, now=None, change=None):
    """Give a world in which a setting is what a change made it, and the change."""
    before, after = SETTINGS[setting]
    change = change or setting_change(setting, before, after)
    ports = world(change)
    ports.settings.labels = {"cost": "1"}
    if change.before is not None:
        ports.settings.put(setting, REPOSITORY, change.before)
    was = settings_of(ports)
    ports.settings.put(setting, REPOSITORY, change.after if now is None else now)
    return ports, change, was


def settings_of(ports):
    return repr(replace(ports.settings, calls=[]))


@EVERY
def test_a_setting_is_taken_back_and_recorded(setting):
    ports, change, was = world_of(setting)
    assert settings_of(ports) != was
    assert look_at_change(change.id, ports).status is Status.POSSIBLE
    done = undo(change, ports)
    assert (done.status, "as" in done.said) == (Status.UNDONE, True), done
    assert "policy" in done.next_step
    assert settings_of(ports) == was
    assert ports.journal.done == {change.id, done.undo_id}
    assert (ports.journal.entries[done.undo_id].before, ports.locks.held) == (change.after, {})
    assert undo(change, ports).status is Status.ALREADY


@pytest.mark.parametrize("setting", [Setting.LIFECYCLE, Setting.REPOSITORY_POLICY])
def test_a_document_that_was_not_there_before_is_removed(setting):
    change = setting_change(setting, None, SETTINGS[setting][1])
    ports, change, _ = world_of(setting, change=change)
    done = undo(change, ports)
    assert (done.status, "removed" in done.said) == (Status.UNDONE, True)
    assert (ports.settings.lifecycle, ports.settings.policy) == (None, None)


def test_a_document_is_put_back_by_the_text_that_ecr_gave_it_as():
    ports, change, _ = world_of(Setting.LIFECYCLE)
    undo(change, ports)
    assert text_of(ports.settings.lifecycle) == LIFECYCLE_TEXT
    # Entries of an earlier version have none.
    old = replace(change, before=dict(THEIRS), before_text=None)
    ports, change, _ = world_of(Setting.LIFECYCLE, change=old)
    undo(change, ports)
    assert (ports.settings.lifecycle, text_of(ports.settings.lifecycle)) == (dict(THEIRS), None)


OTHERS = {
    Setting.TAG_MUTABILITY: {"mode": "MUTABLE"},
    Setting.LIFECYCLE: {"rules": [{**OURS["rules"][0], "description": "somebody's"}]},
    Setting.REGISTRY_SCANNING: {**PLAIN_SCANNING, "scanType": "ENHANCED"},
    Setting.REPLICATION: replication_json(replicated("other/")),
    Setting.REPOSITORY_POLICY: {"Statement": [{**STATEMENT, "Sid": "Other"}]},
    Setting.RESOURCE_TAGS: {"by": "somebody"},
}


@pytest.mark.parametrize("setting", OTHERS)
def test_what_somebody_has_changed_since_stays_and_is_shown(setting):
    ports, change, _ = world_of(setting, now=OTHERS[setting])
    found = assert_left_alone(change, ports, Status.IMPOSSIBLE, "Somebody has changed the")
    assert "Take a setting back" in found.next_step
    assert found.now == OTHERS[setting]


def test_what_somebody_removed_since_stays_so():
    ports, change, _ = world_of(Setting.LIFECYCLE)
    ports.settings.lifecycle = None
    found = undo(change, ports)
    assert (found.status, found.now) == (Status.IMPOSSIBLE, None)
    assert "since: there is none, which stays so." in found.said


@EVERY
def test_what_is_as_before_is_so_already(setting):
    ports, change, was = world_of(setting)
    undo(change, ports)
    again = replace(change, id="again")
    ports.recorded(again)
    assert settings_of(ports) == was
    assert_left_alone(again, ports, Status.ALREADY, "as")


@pytest.mark.parametrize(
    ("setting", "after", "now"),
    [
        (
            Setting.TAG_MUTABILITY,
            {"mode": "IMMUTABLE_WITH_EXCLUSION", "except": ["b*", "a*"]},
            {"mode": "IMMUTABLE_WITH_EXCLUSION", "except": ["a*", "b*"]},
        ),
        (
            Setting.REGISTRY_SCANNING,
            scanning_json(RegistryScanning(rules=(ScanningRule(ON_PUSH, ("a", "b")),))),
            scanning_json(RegistryScanning(rules=(ScanningRule(ON_PUSH, ("b", "a")),))),
        ),
    ],
)
def test_exclusions_and_filters_have_no_order(setting, after, now):
    change = setting_change(setting, SETTINGS[setting][0], after)
    ports, change, was = world_of(setting, now=now, change=change)
    assert undo(change, ports).status is Status.UNDONE
    assert settings_of(ports) == was


def test_resource_tags_that_the_change_did_not_set_are_nobodys_business():
    ports, change, _ = world_of(Setting.RESOURCE_TAGS)
    ports.settings.labels |= {"later": "2"}
    undo(change, ports)
    assert ports.settings.labels == {"cost": "1", "by": "them", "later": "2"}


@given(
    before=st.dictionaries(st.sampled_from("abc"), st.sampled_from("12")),
    after=st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), min_size=1),
    now=st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123")),
)
def test_resource_tags_are_put_back_only_where_each_is_as_the_change_or_an_earlier_try_left_it(
    before, after, now
):
    before = {key: value for key, value in before.items() if key in after}
    decision = decide_tags(setting_change(Setting.RESOURCE_TAGS, before, after), now)
    known = all(now.get(key) in (after[key], before.get(key)) for key in after)
    assert isinstance(decision, Impossible) == (not known)
    if known:
        back = tags_back(setting_change(Setting.RESOURCE_TAGS, before, after), now)
        result = {key: value for key, value in {**now, **back.put}.items() if key not in back.remove}
        others = {key: value for key, value in now.items() if key not in after}
        assert result == {**others, **before}
        assert isinstance(decision, AsBefore) == (result == now)


def test_a_document_of_the_registry_is_written_by_one_writer_at_a_time_and_not_over_somebodys():
    ports, change, _ = world_of(Setting.REPLICATION)
    ports.locks.held[f"{HERE}/replicate_to"] = "somebody"
    found = undo(change, ports)
    assert (found.status, "another writer" in found.said) == (Status.FAILED, True)
    assert set(ports.journal.entries) == {change.id}
    ports.locks.held.clear()
    acquire = ports.locks.acquire

    def acquire_late(name, holder):
        # Who had the lock before has changed it.
        ports.settings.put(Setting.REPLICATION, REPOSITORY, OTHERS[Setting.REPLICATION])
        return acquire(name, holder)

    ports.locks.acquire = acquire_late
    found = undo(change, ports)
    assert (found.status, "Somebody has changed" in found.said) == (Status.FAILED, True)
    assert replication_json(ports.settings.rules) == OTHERS[Setting.REPLICATION]
    assert (set(ports.journal.entries), ports.locks.held) == ({change.id}, {})


@pytest.mark.parametrize("is_newest_first", [True, False])
def test_a_document_that_was_changed_twice_comes_back(is_newest_first):
    first, second, third = (replication_json(replicated(*"abc"[:number])) for number in (1, 2, 3))
    changes = [
        setting_change(Setting.REPLICATION, second, third, repository="c"),
        setting_change(Setting.REPLICATION, first, second, repository="b"),
    ]
    changes = [replace(change, id=change.repository) for change in changes]
    ports = world(*changes)
    ports.settings.put(Setting.REPLICATION, REPOSITORY, third)
    ids = [change.id for change in changes][:: 1 if is_newest_first else -1]
    found = look_at_changes(ids, ports)
    assert {one.change_id: one.status for one in found} == dict.fromkeys("bc", Status.POSSIBLE)
    assert [one.status for one in undo_all(found, ports)] == [Status.UNDONE, Status.UNDONE]
    assert replication_json(ports.settings.rules) == first


def test_what_somebody_changes_while_people_think_stays_and_the_others_are_taken_back():
    ports, change, _ = world_of(Setting.LIFECYCLE)
    ports.recorded(IMAGE)
    found = look_at_changes([change.id, IMAGE.id], ports)
    ports.settings.lifecycle = OTHERS[Setting.LIFECYCLE]
    results = {one.change_id: one.status for one in undo_all(found, ports)}
    assert results == {change.id: Status.IMPOSSIBLE, IMAGE.id: Status.UNDONE}
    assert ports.settings.lifecycle == OTHERS[Setting.LIFECYCLE]


def test_once_the_credentials_are_over_the_rest_is_failed_and_not_tried():
    ports, change, _ = world_of(Setting.LIFECYCLE)
    ports.recorded(IMAGE)
    found = look_at_changes([change.id, IMAGE.id], ports)

    def over(*_):
        raise CredentialsError("the token is expired")

    ports.settings.put = over
    results = list(undo_all(found, ports))
    assert [(one.change_id, one.status, one.said) for one in results] == [
        (change.id, Status.FAILED, "the token is expired."),
        (IMAGE.id, Status.FAILED, "the token is expired."),
    ]
    assert ports.storage.archived == {OLD: True}


TEMPLATE = CreationTemplate("prod", mutability=Mutability("IMMUTABLE"), lifecycle=OURS)


def template_change(before, after):
    return replace(
        TAG,
        id="template",
        section="creation_template",
        repository="prod",
        before=before and template_json(before),
        after=template_json(after),
    )


@pytest.mark.parametrize("before", [None, replace(TEMPLATE, lifecycle=None, resource_tags={"a": "1"})])
def test_a_creation_template_is_put_back_or_removed(before):
    ports = world(change := template_change(before, TEMPLATE))
    ports.templates.there["prod"] = TEMPLATE
    assert undo(change, ports).status is Status.UNDONE
    assert ports.templates.there == ({} if before is None else {"prod": before})
    again = replace(change, id="again")
    ports.recorded(again)
    assert_left_alone(again, ports, Status.ALREADY, "as it was before")


def test_a_creation_template_that_somebody_changed_since_stays():
    ports = world(change := template_change(None, TEMPLATE))
    ports.templates.there["prod"] = replace(TEMPLATE, description="mine")
    assert_left_alone(change, ports, Status.IMPOSSIBLE, "changed the creation template prod since")


# With the find, the reading of the entry's progress, and one or two reads of what is there.
SETTING_CALLS = {
    Setting.TAG_MUTABILITY: 6,
    Setting.LIFECYCLE: 6,
    Setting.SCAN_ON_PUSH: 6,
    Setting.REGISTRY_SCANNING: 9,
    Setting.REPLICATION: 9,
    Setting.REPOSITORY_POLICY: 6,
    Setting.RESOURCE_TAGS: 8,
}


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize(
    ("setting", "call"), [(one, n + 1) for one, calls in SETTING_CALLS.items() for n in range(calls)]
)
def test_a_fault_while_a_setting_is_taken_back_and_another_try_end_as_if_there_had_been_none(
    setting, call, after_effect
):
    ports, change, was = world_of(setting)
    found, counter = faulty(ports, fails_at=call, after_effect=after_effect)
    failed = undo(change, found)
    assert counter.calls >= call
    # A lock that is not given back ends by itself.
    assert failed.status in {Status.FAILED, Status.UNDONE}
    ports.locks.held.clear()
    assert undo(change, ports).status in {Status.UNDONE, Status.ALREADY}
    assert settings_of(ports) == was
    assert ports.journal.done == set(ports.journal.entries)


@EVERY
def test_taking_a_setting_back_makes_as_many_calls_as_it_needs(setting):
    ports, change, _ = world_of(setting)
    found, counter = faulty(ports)
    undo(change, found)
    assert counter.calls == SETTING_CALLS[setting]
