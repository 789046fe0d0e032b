"""Changes are taken back: whatever was done meanwhile, and wherever an earlier try ended."""

import json
from dataclasses import dataclass, field, replace

import pytest
from fakes import NOW, OUTCOME, Counter, FakeJournal, FakeRegistry, FaultError, Faulty
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.images import Change, StoredImage
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
from ecr_warden.errors import ImageGoneError, RefusedError, RepositoryGoneError
from ecr_warden.domain.places import Place
from ecr_warden.use_cases.undo_change import Status, look_at_change, look_at_changes, undo_change

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
    return undo_change(change.id, HERE, ports)


def state(ports):
    return ports.registry, ports.storage, ports.journal


def assert_left_alone(change, ports, status, said):
    """Nothing is changed, by looking, by undoing, or by undoing again."""
    before = repr(state(ports))
    for act in (look_at_change, undo_change, undo_change):
        found = act(change.id, HERE, ports)
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
    return [(each.change_id, each.status) for each in look_at_changes(change_ids, HERE, ports)]


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
        assert undo_change(change_id, HERE, ports).status is Status.UNDONE
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
    looked = look_at_change(change.id, HERE, ports)
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
    assert_left_alone(gone, world(gone), Status.FAILED, "team/gone")


def test_a_deletion_cannot_be_taken_back():
    deletion = replace(TAG, before={**TAG.before, "manifest": "{}"}, after=None)
    found = assert_left_alone(deletion, world(deletion), Status.IMPOSSIBLE, "cannot be taken back")
    assert "Push the image again" in found.next_step
    assert "manifest" in found.next_step


@pytest.mark.parametrize(
    ("section", "before"),
    [
        ("lifecycle", {"rules": [{"rulePriority": 1}]}),
        ("replicate_to", None),
        # Shapes that a later version may write.
        ("tags", {"labels": []}),
        ("scan_gate", {"image_digest": OLD, "storage_class": "FROZEN"}),
    ],
)
def test_any_other_change_is_shown_for_a_person_to_put_back(section, before):
    change = replace(TAG, section=section, before=before, after={"x": 1})
    found = assert_left_alone(change, world(change), Status.IMPOSSIBLE, f"not this {section}")
    assert found.next_step.endswith(json.dumps(before) if before else "nothing")


@pytest.mark.parametrize("other", [Place("999999999999", "eu-west-1"), Place("123456789012", "us-east-1")])
@BOTH
def test_a_change_of_another_account_or_region_is_refused(change, other):
    foreign = replace(change, account=other.account, region=other.region)
    found = assert_left_alone(
        foreign, world(foreign), Status.IMPOSSIBLE, f"account {other.account} in {other.region}"
    )
    assert (HERE.account in found.said, HERE.region in found.said) == (True, True)


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
    looked = look_at_change(change.id, HERE, ports)
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
        assert look_at_change(change.id, HERE, ports).status is Status.POSSIBLE
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
    parts = (Faulty(part, counter) for part in (ports.registry, ports.storage, ports.journal))
    return Ports(*parts), counter


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
