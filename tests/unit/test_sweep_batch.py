"""A batch of repositories is judged, repaired and told of; it may be done again, and stops for nothing."""

import gc
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Event as ThreadEvent

import pytest
from tests.fakes import NOW, FakeMetrics, FakePublisher
from tests.scan_world import DIGEST, Story, a_finding
from tests.sweep_world import HERE, World, digest, sweep_policy

from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import IgnoredVulnerability, Mode, ScanAction
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.images import ListedImage
from ecr_warden.domain.sweep.visits import Visit
from ecr_warden.errors import AwsError, CredentialsError, UnfinishedError
from ecr_warden.use_cases.sweep.sweep_batch import sweep_batch
from ecr_warden.use_cases.sweep.sweep_scans import sweep_scans
from ecr_warden.use_cases.sweep.visit_place import AHEAD

MUTABILITY = "tag_mutability: {immutable: true}"
REPLICATION = "replicate_to: [eu-central-1]"
TAGS = "tags: {deny: [latest], on_violation: quarantine, severity: high}"


@dataclass
class SweepWorld(World):
    publisher: FakePublisher = field(default_factory=FakePublisher)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)

    @property
    def told(self):
        """The outcomes as people hear of them: each id once."""
        return list({one.id: one for one in self.publisher.outcomes}.values())


@pytest.fixture
def world():
    return SweepWorld()


def swept(world, policy, *, run="run-1", place=HERE, threads=4, **others):
    listed = others.pop("listed", None) or [each.repository for each in world.settings.each.values()]
    given = {"run": run, "policy": policy, "place": place, "ports": world, "owners": None, "now": NOW}
    return sweep_batch(listed, **given, threads=threads, **others)


def test_what_differs_is_repaired_recorded_and_told_and_what_is_well_is_not_told(world):
    world.add("team/bare")
    world.add("team/well")
    world.settings.each["team/well"].repository = replace(
        world.settings.each["team/well"].repository,
        mutability=replace(world.settings.each["team/well"].repository.mutability, mode="IMMUTABLE"),
    )
    rows = list(swept(world, sweep_policy(MUTABILITY)))
    assert [(row.repository, row.state) for row in rows] == [
        ("team/bare", "repaired"),
        ("team/well", "compliant"),
    ]
    assert world.settings.each["team/bare"].repository.mutability.mode == "IMMUTABLE"
    (outcome,) = world.told
    assert (outcome.repository, outcome.kind, outcome.changed) == ("team/bare", "drift_found", True)
    assert set(outcome.change_ids) == set(world.journal.done) != set()


def test_in_audit_mode_nothing_is_changed_and_the_same_drift_is_told_once_not_each_night(world):
    world.add("team/app")
    policy = sweep_policy(MUTABILITY, mode="audit")
    for night in range(3):
        list(swept(world, policy, run=f"night-{night}"))
    (outcome,) = world.told
    assert outcome.reason == (
        "Nothing was changed, as the rule is in audit mode; in enforce mode: "
        "tag mutability MUTABLE → IMMUTABLE."
    )
    assert world.journal.entries == {}
    assert not any(call.startswith("put") for call in world.settings.calls)


def test_the_same_batch_again_changes_and_tells_nothing_twice_and_its_rows_say_what_was_changed(world):
    world.add("team/app")
    policy = sweep_policy(MUTABILITY, REPLICATION)
    first = list(swept(world, policy))
    told = world.told
    puts = {call: count for call, count in world.settings.calls.items() if call.startswith("put")}
    again = list(swept(world, policy, is_repeat=True))
    assert {call: count for call, count in world.settings.calls.items() if call.startswith("put")} == puts
    assert [one.id for one in world.told] == [one.id for one in told]
    changes = [{repair.change_id for repair in row.repairs} for row in (*first, *again)]
    assert changes[0] & changes[1] != set()


def test_what_drifts_again_is_told_anew_in_the_next_run(world):
    world.add("team/app")
    policy = sweep_policy(MUTABILITY)
    list(swept(world, policy, run="night-1"))
    settings = world.settings.each["team/app"]
    settings.repository = replace(settings.repository, mutability=Repository("x").mutability)
    list(swept(world, policy, run="night-2"))
    assert len(world.told) == 2
    assert len({change for one in world.told for change in one.change_ids}) == 2


def test_a_document_of_the_registry_is_written_and_told_once_for_all_its_repositories(world):
    for number in range(5):
        world.add(f"team/{number}")
    rows = list(swept(world, sweep_policy(REPLICATION)))
    assert world.settings.calls["put replicate_to"] == 1
    (outcome,) = world.told
    assert (outcome.repository, outcome.changed) == ("*", True)
    assert "replication of the registry" in outcome.reason
    assert {row.state for row in rows} == {"repaired"}


def test_a_document_that_cannot_be_read_is_told_once_and_the_rest_goes_on(world):
    for number in range(3):
        world.add(f"team/{number}")
    world.settings.registry.refused.add("replication")
    list(swept(world, sweep_policy(REPLICATION, MUTABILITY)))
    by_repository = {one.repository: one for one in world.told}
    assert set(by_repository) == {"*", "team/0", "team/1", "team/2"}
    assert (by_repository["*"].decision, by_repository["*"].severity) == ("failed", "high")
    assert by_repository["team/0"].decision == "repaired"


def test_one_repositorys_trouble_stops_no_other(world):
    for name in ("a/denied", "b/gone", "c/well"):
        world.add(name)
    listed = [each.repository for each in world.settings.each.values()]
    world.settings.each["a/denied"].refused.add("put tag_mutability")
    del world.settings.each["b/gone"]
    rows = list(swept(world, sweep_policy(MUTABILITY), listed=listed))
    assert [row.state for row in rows] == ["failed", "gone", "repaired"]
    told = {one.repository: one for one in world.told}
    assert set(told) == {"a/denied", "c/well"}
    assert told["a/denied"].severity == "high"
    assert "AccessDeniedException" in told["a/denied"].reason
    assert "the permissions of the sweep's role there" in told["a/denied"].next_step


def test_a_failure_is_told_each_night_until_it_is_mended(world):
    world.add("team/app").refused.add("put tag_mutability")
    for night in ("night-1", "night-2"):
        list(swept(world, sweep_policy(MUTABILITY), run=night))
    assert len(world.told) == 2


def test_credentials_that_end_half_way_stop_it_after_what_was_done_is_told(world):
    for name in ("a/first", "b/second", "c/third"):
        world.add(name)

    def expired(_name):
        raise CredentialsError("ExpiredTokenException")

    world.images = lambda name: expired(name) if name == "b/second" else iter(())
    rows = []
    with pytest.raises(CredentialsError, match="Expired"):
        rows.extend(swept(world, sweep_policy(MUTABILITY), threads=1))
    assert [one.repository for one in world.told] == ["a/first"]
    assert world.settings.each["c/third"].repository.mutability.mode == "MUTABLE"
    world.images = lambda _name: iter(())
    rows = list(swept(world, sweep_policy(MUTABILITY), threads=1))
    assert [row.state for row in rows][1:] == ["repaired", "repaired"]
    assert sorted(one.repository for one in world.told) == ["a/first", "b/second", "c/third"]


def test_credentials_that_end_before_a_document_is_written_tell_nothing_of_it(world):
    world.add("team/app")
    put = world.settings.put

    def expired(*_given):
        raise CredentialsError("ExpiredTokenException")

    world.settings.put, rows = expired, []
    with pytest.raises(CredentialsError):
        rows.extend(swept(world, sweep_policy(REPLICATION)))
    assert world.told == []
    # Were it done, nobody would come to the document any more.
    assert [(row.is_unfinished, row.problem) for row in rows] == [(True, "ExpiredTokenException")]
    world.settings.put = put
    list(swept(world, sweep_policy(REPLICATION), is_repeat=True))
    assert [(one.repository, one.decision) for one in world.told] == [("*", "repaired")]


def test_a_bus_that_takes_nothing_fails_the_batch_which_tells_the_same_when_done_again(world):
    world.add("team/app")

    def refuse(_outcomes):
        raise AwsError("ThrottlingException")

    take, world.publisher.publish_all = world.publisher.publish_all, refuse
    with pytest.raises(AwsError, match="Throttling"):
        list(swept(world, sweep_policy(MUTABILITY)))
    world.publisher.publish_all = take
    list(swept(world, sweep_policy(MUTABILITY), is_repeat=True))
    (outcome,) = world.told
    assert (outcome.decision, outcome.changed) == ("repaired", True)


def test_a_repository_has_no_row_before_everybody_is_told_of_it(world):
    for number in range(25):
        world.add(f"team/{number:02}")
    take, calls = world.publisher.publish_all, []

    def take_one_lot(outcomes):
        calls.append(len(outcomes))
        if len(calls) > 1:
            raise AwsError("ThrottlingException")
        take(outcomes)

    world.publisher.publish_all = take_one_lot
    rows = []
    with pytest.raises(AwsError, match="Throttling"):
        rows.extend(swept(world, sweep_policy(MUTABILITY)))
    assert rows == []


def test_a_mistake_of_ours_in_one_repository_is_raised_when_the_others_are_told(world):
    for name in ("a/first", "b/second", "c/third"):
        world.add(name)
    images, rows = world.images, []

    def broken(name):
        if name == "b/second":
            raise KeyError("a mistake")
        return images(name)

    world.images = broken
    with pytest.raises(KeyError, match="a mistake"):
        rows.extend(swept(world, sweep_policy(MUTABILITY), threads=1))
    assert [row.repository for row in rows] == ["a/first"]
    assert [one.repository for one in world.told] == ["a/first"]


# ---------------------------------------------------------------- the time is over


def test_what_is_not_begun_before_the_time_is_over_has_no_row_and_is_not_changed(world):
    for name in ("a/first", "b/second", "c/third"):
        world.add(name)
    # Before each repository, and before its one change.
    looks = iter([False, False])
    rows = list(swept(world, sweep_policy(MUTABILITY), threads=1, is_over=lambda: next(looks, True)))
    assert [row.repository for row in rows] == ["a/first"]
    assert world.settings.each["b/second"].repository.mutability.mode == "MUTABLE"
    assert world.settings.calls["lifecycle_policy"] <= 1


def with_tags(world, number):
    world.add("team/app")
    for one in range(1, number + 1):
        world.registry.push("team/app", digest(one), f"latest-{one}")
    return sweep_policy("tags: {deny: ['latest-*'], on_violation: quarantine}")


def test_between_two_tags_of_a_repository_it_may_stop_and_tells_and_writes_down_what_it_did(world):
    policy = with_tags(world, 3)
    looks = iter([False] * 3)
    (row,) = swept(world, policy, is_over=lambda: next(looks, True))
    assert (row.is_unfinished, row.repair_counts, row.state) == (True, {"changed": 2}, "unread")
    assert "the worker had to stop" in row.problem
    (so_far,) = world.told
    assert len(so_far.change_ids) == 2
    assert set(so_far.change_ids) == set(world.journal.done)
    assert so_far.reason.startswith("Changed: 2 tags quarantined: ")
    assert so_far.reason.endswith("That is not all: the worker had to stop before all of it was changed.")
    assert "audit" not in so_far.reason + so_far.next_step
    assert so_far.decision == "repaired"
    (row,) = swept(world, policy, is_repeat=True)
    assert (row.is_unfinished, row.repair_counts, row.problem) == (False, {"changed": 3}, "")
    first, last = world.told
    assert first.id != last.id
    assert set(first.change_ids) < set(last.change_ids) == set(world.journal.done)


def test_a_repository_of_which_nothing_was_changed_when_the_time_was_over_is_as_one_that_was_not_begun(world):
    policy = with_tags(world, 3)
    looks = iter([False])
    assert list(swept(world, policy, is_over=lambda: next(looks, True))) == []
    assert world.told == []
    assert world.journal.entries == {}


# ---------------------------------------------------------------- memory


def images_in_memory():
    return sum(isinstance(one, ListedImage) for one in gc.get_objects())


@pytest.mark.parametrize("policy", [sweep_policy(MUTABILITY), Story().policy], ids=["settings", "scan gate"])
def test_no_more_lists_of_images_are_in_memory_than_there_are_threads(world, policy):
    number, threads, each = 40, 4, 50
    for one in range(number):
        world.add(f"team/{one:02}")
    listed, enough, most = Counter(), ThreadEvent(), []

    def images(name):
        listed[name] += 1
        if name == "team/00":
            # What is done before its turn waits for the first, which is slow.
            assert enough.wait(30)
            most.append(images_in_memory())
        elif len(listed) >= threads * AHEAD:
            enough.set()
        for one in range(each):
            yield ListedImage(digest(one), (f"1.{one}",), pushed_at=NOW, finding_counts=(("CRITICAL", 1),))

    world.images = images
    before = images_in_memory()
    rows = list(swept(world, policy, threads=threads, scan_ports=Story().ports))
    assert [row.images.images for row in rows] == [each] * number
    assert [row.vulnerabilities is None for row in rows] == [False] * number
    assert most[0] - before <= threads * each


def test_where_repairing_lists_the_images_once_more_the_first_list_is_gone(world):
    policy, images, found = with_tags(world, 9), world.images, []
    before = images_in_memory()

    def counted(name):
        found.append(images_in_memory() - before)
        return images(name)

    world.images = counted
    (row,) = swept(world, policy)
    assert row.images.images == 9
    assert found == [0, 0]


def test_denied_tags_are_quarantined_but_for_one_in_use_which_a_person_must_move(world):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest")
    world.usage.users_of[digest(1)] = "the ECS service shop"
    list(swept(world, sweep_policy(TAGS)))
    (outcome,) = world.told
    assert (outcome.decision, outcome.changed, outcome.severity) == ("violation", False, "high")
    assert "latest (sha256:000000000000)" in outcome.reason
    assert "the ECS service shop" in outcome.reason
    assert world.registry.tags_of("team/app", digest(1)) == ["latest"]
    world.usage.users_of.clear()
    list(swept(world, sweep_policy(TAGS), run="run-2"))
    assert world.registry.tags_of("team/app", digest(1)) == ["quarantine-000000000000-latest"]
    assert world.told[-1].changed is True


def test_it_counts_repositories_and_what_drifted(world):
    world.add("team/app")
    list(swept(world, sweep_policy(MUTABILITY)))
    assert ("SweepRepositories", {}) in world.metrics.counted
    assert ("Drift", {"section": "tag_mutability", "status": "changed"}) in world.metrics.counted


# ---------------------------------------------------------------- scan gates, without events


def visit_of(**counts):
    image = ListedImage(DIGEST, ("1.0",), pushed_at=NOW, finding_counts=tuple(counts.items()))
    return Visit(Place("123456789012", "eu-west-1"), Repository("team/app"), images=(image,))


def judged_without_event(story, visit, run="run-1"):
    return sweep_scans(visit, run=run, policy=story.policy, ports=story.ports, now=story.ports.now())


def test_an_image_whose_grace_ended_is_told_and_quarantined_without_an_event_and_once():
    story = Story(on_failure=ScanAction.QUARANTINE)
    story.finds(a_finding())
    for run in ("night-1", "night-2"):
        assert judged_without_event(story, visit_of(CRITICAL=1), run) == ()
    assert story.kinds == ["image_vulnerable"]
    assert story.ports.storage.archived == {DIGEST}


def test_an_exception_that_is_made_lets_an_image_pass_again_and_is_told():
    story = Story()
    story.finds(a_finding("CVE-2026-1"))
    judged_without_event(story, visit_of(CRITICAL=1))
    excepted = IgnoredVulnerability(20, "CVE-2026-1", NOW.date() + timedelta(days=9), "not reachable")
    story.policy = replace(
        story.policy,
        rules=(
            replace(
                story.policy.rules[0], scan_gate=replace(story.policy.rules[0].scan_gate, ignore=(excepted,))
            ),
        ),
    )
    judged_without_event(story, visit_of(CRITICAL=1), "night-2")
    assert story.kinds == ["image_vulnerable", "image_recovered"]


@pytest.mark.parametrize(
    "image",
    [
        ListedImage(DIGEST, ("1.0",), pushed_at=NOW, finding_counts=(("LOW", 9),)),
        ListedImage(
            DIGEST, ("1.0",), pushed_at=NOW, finding_counts=(("CRITICAL", 1),), storage_class="ARCHIVE"
        ),
        ListedImage(DIGEST, (), pushed_at=NOW, finding_counts=(("CRITICAL", 1),)),
        ListedImage(DIGEST, ("1.0",), pushed_at=NOW),
    ],
    ids=["passes by its numbers", "archived", "untagged", "not scanned"],
)
def test_what_needs_no_look_costs_no_call(image):
    story = Story()
    story.finds(a_finding())
    judged_without_event(story, replace(visit_of(), images=(image,)))
    assert (story.ports.states.reads, story.ports.scans.reads) == (0, 0)


def test_an_image_of_which_all_is_told_is_not_looked_at_again_as_long_as_its_numbers_are_the_same():
    story = Story()
    story.finds(a_finding("CVE-2026-1"))
    judged_without_event(story, visit_of(CRITICAL=1))
    looked = story.ports.scans.reads
    judged_without_event(story, visit_of(CRITICAL=1), "night-2")
    assert story.ports.scans.reads == looked
    story.finds(a_finding("CVE-2026-1"), a_finding("CVE-2026-2"))
    judged_without_event(story, visit_of(CRITICAL=2), "night-3")
    assert story.kinds == ["image_vulnerable"] * 2


def test_a_gate_that_limits_more_than_it_did_is_asked_again_though_the_numbers_are_the_same():
    story = Story()
    story.finds(a_finding("CVE-2026-1"), a_finding("CVE-2026-2", severity="high"))
    judged_without_event(story, visit_of(CRITICAL=1, HIGH=1))
    story.policy = Story(limits={"critical": 0, "high": 0}).policy
    looked = story.ports.scans.reads
    judged_without_event(story, visit_of(CRITICAL=1, HIGH=1), "night-2")
    assert story.ports.scans.reads > looked


def test_with_a_filter_an_image_is_looked_at_each_night_as_its_day_counts():
    story = Story(fixable_only=True)
    story.finds(a_finding())
    for run in ("night-1", "night-2"):
        looked = story.ports.scans.reads
        judged_without_event(story, visit_of(CRITICAL=1), run)
        assert story.ports.scans.reads > looked


def test_no_image_is_judged_once_the_time_is_over():
    story = Story()
    story.finds(a_finding())
    ports = story.ports
    with pytest.raises(UnfinishedError, match="scan gate"):
        sweep_scans(
            visit_of(CRITICAL=1), run="r", policy=story.policy, ports=ports, now=NOW, is_over=lambda: True
        )
    assert (ports.states.reads, ports.scans.reads) == (0, 0)


def test_an_image_that_cannot_be_judged_is_said_and_by_which_tag():
    story = Story()
    story.finds(a_finding())

    def fails(*_args, **_kwargs):
        raise AwsError("ThrottlingException")

    story.ports.scans.read = fails
    (unread,) = judged_without_event(story, visit_of(CRITICAL=1))
    assert (unread.section, unread.standing, unread.mode) == ("scan_gate", "unread", Mode.ENFORCE)
    assert "1.0" in unread.what
    assert "Throttling" in unread.what


def test_a_batch_judges_scan_gates_where_it_is_given_the_ports(world):
    story = Story()
    story.finds(a_finding())
    world.add("team/app")
    world.images = lambda _name: iter(visit_of(CRITICAL=1).images)
    list(swept(world, story.policy, scan_ports=story.ports))
    assert story.kinds == ["image_vulnerable"]
