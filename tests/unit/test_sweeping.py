"""The steps of a scheduled sweep: what was planned is done once, or is in the summary with the reason."""

import contextlib
import gzip
import json
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from report_world import NOW, row, section
from sweep_bucket import Bucket, KilledError
from tests.fakes import FakeMetrics, FakePublisher
from tests.sweep_world import HERE, World, sweep_policy

from ecr_warden.adapters import sweeping
from ecr_warden.adapters.sweep_store import Batch, BatchItem, PlaceItem, batch_item, place_item, read_item
from ecr_warden.adapters.sweeping import Limits, begin_run, finish_run, list_place, sweep_item
from ecr_warden.domain.places import Place
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.judgements import Standing
from ecr_warden.domain.sweep.rows import decode_row, encode_row
from ecr_warden.errors import AwsError, CredentialsError, MalformedEventError, RefusedError, UnfinishedError
from ecr_warden.use_cases.sweep.sweep_batch import sweep_batch

RUN = "sweep-night"
STARTED = "2026-11-24T03:00:00.123Z"
EVENT = {"run": RUN, "started_at": STARTED}
LIMITS = Limits(places_at_once=7, batches_at_once=3, tolerated_failure_percentage=40)
PLACE = place_item(RUN, HERE, batches_at_once=3, tolerated_failure_percentage=40)
PART = 50


@pytest.fixture
def bucket():
    return Bucket()


def repositories(number):
    return tuple(Repository(f"team/{one:04}") for one in range(number))


def some(bucket, number, *, owners=None):
    """Write a batch of so many repositories; give its item."""
    item = batch_item(PLACE, 0, number)
    bucket.store.put_batch(item, Batch(repositories(number), owners))
    return item


@dataclass
class Sweeper:
    """What sweeps; it keeps what it was given, and fails at the repositories that are named, once each."""

    failing: dict[str, BaseException] = field(default_factory=dict)
    given: list[tuple[tuple[str, ...], object, bool]] = field(default_factory=list)

    def __call__(self, some_repositories, owners, *, is_repeat):
        self.given.append((tuple(one.name for one in some_repositories), owners, is_repeat))
        for one in some_repositories:
            if one.name in self.failing:
                raise self.failing.pop(one.name)
            yield row(one.name)

    @property
    def names(self):
        return [name for names, _, _ in self.given for name in names]

    @property
    def repeats(self):
        return [is_repeat for _, _, is_repeat in self.given]


def swept(bucket, item, sweep, *, is_over=lambda: False):
    return sweep_item(item, sweep=sweep, store=bucket.store, is_over=is_over)


def written(bucket, item):
    return [decode_row(line).repository for line in bucket.store.result(item)]


# ---------------------------------------------------------------- one batch


@pytest.mark.parametrize("number", [0, 1, PART - 1, PART, PART + 1, 3 * PART])
def test_each_repository_of_a_batch_is_swept_once_and_has_a_row_in_its_order(bucket, number):
    item, sweeper = some(bucket, number), Sweeper()
    assert swept(bucket, item, sweeper) == {"repositories": number, "swept": number}
    names = [one.name for one in repositories(number)]
    assert sweeper.names == names == written(bucket, item)
    assert not any(sweeper.repeats)


def test_what_the_list_said_of_owners_reaches_what_sweeps(bucket):
    for owners in (None, {"team/0000": {"owner": "search"}}):
        sweeper = Sweeper()
        swept(bucket, some(bucket, 1, owners=owners), sweeper)
        bucket.s3.objects.pop(batch_item(PLACE, 0, 1).result)
        assert [given for _, given, _ in sweeper.given] == [owners]


def test_a_batch_that_is_done_is_not_swept_again(bucket):
    item, sweeper = some(bucket, 3), Sweeper()
    swept(bucket, item, sweeper)
    before = dict(bucket.s3.objects)
    assert swept(bucket, item, sweeper) == {"repositories": 3, "swept": 0}
    assert len(sweeper.given) == 1
    assert bucket.s3.objects == before


def test_where_the_time_is_over_what_was_done_is_kept_and_the_next_try_goes_on_from_there(bucket):
    item, sweeper = some(bucket, 3 * PART), Sweeper()
    looks = iter([False, False, True])
    with pytest.raises(UnfinishedError, match=f"{2 * PART} of {3 * PART} repositories are done"):
        swept(bucket, item, sweeper, is_over=lambda: next(looks))
    assert len(written(bucket, item)) == 2 * PART
    assert swept(bucket, item, sweeper) == {"repositories": 3 * PART, "swept": PART}
    assert sweeper.names == [one.name for one in repositories(3 * PART)] == written(bucket, item)


def test_where_the_time_is_over_at_once_nothing_is_swept_and_what_comes_next_asks_the_journal(bucket):
    item, sweeper = some(bucket, 2), Sweeper()
    with pytest.raises(UnfinishedError, match="0 of 2"):
        swept(bucket, item, sweeper, is_over=lambda: True)
    assert sweeper.given == []
    swept(bucket, item, sweeper)
    # It cannot be known any more that nobody began.
    assert sweeper.repeats == [True]


def test_a_part_in_which_a_worker_is_killed_is_done_again_from_its_beginning_and_those_before_it_are_not(
    bucket,
):
    item = some(bucket, 3 * PART)
    sweeper = Sweeper({f"team/{PART + 7:04}": KilledError()})
    with pytest.raises(KilledError):
        swept(bucket, item, sweeper)
    assert len(written(bucket, item)) == PART
    assert swept(bucket, item, sweeper) == {"repositories": 3 * PART, "swept": 2 * PART}
    assert written(bucket, item) == [one.name for one in repositories(3 * PART)]
    assert sweeper.names.count("team/0000") == 1
    assert sweeper.names.count(f"team/{PART:04}") == 2


@pytest.mark.parametrize("error", [AwsError("busy"), CredentialsError("expired"), KeyError("a mistake")])
def test_what_a_part_came_to_before_it_ended_by_an_error_is_written_and_not_done_again(bucket, error):
    item = some(bucket, 3 * PART)
    sweeper = Sweeper({f"team/{PART + 7:04}": error})
    with pytest.raises(type(error)):
        swept(bucket, item, sweeper)
    assert len(written(bucket, item)) == PART + 7
    assert swept(bucket, item, sweeper) == {"repositories": 3 * PART, "swept": 2 * PART - 7}
    assert written(bucket, item) == [one.name for one in repositories(3 * PART)]
    assert sweeper.repeats == [False, False, True, False]


def test_a_repository_that_was_left_half_way_is_in_the_result_and_the_next_try_goes_on_with_it(bucket):
    item, sweeper = some(bucket, 3), Sweeper()
    half = row("team/0001", is_unfinished=True, problem="the time was over", repair_counts={"changed": 7})

    def runs_out(_repositories, _owners, *, is_repeat):
        assert not is_repeat
        yield from (row("team/0000"), half)

    with pytest.raises(UnfinishedError, match="1 of 3 repositories are done"):
        swept(bucket, item, runs_out)
    assert [decode_row(line) for line in bucket.store.result(item)] == [row("team/0000"), half]
    assert swept(bucket, item, sweeper) == {"repositories": 3, "swept": 2}
    assert sweeper.given == [(("team/0001", "team/0002"), None, True)]
    rows = [decode_row(line) for line in bucket.store.result(item)]
    assert rows == [row(f"team/{number:04}") for number in range(3)]


def test_a_part_of_which_something_is_left_fails_the_batch_so_that_it_is_tried_again(bucket):
    item = some(bucket, 2)
    with pytest.raises(UnfinishedError, match="0 of 2"):
        swept(bucket, item, lambda *_, **__: iter(()))


def test_only_the_part_that_may_have_been_begun_asks_the_journal_what_was_done(bucket):
    item = some(bucket, 3 * PART)
    sweeper = Sweeper({f"team/{PART:04}": AwsError("busy")})
    with pytest.raises(AwsError):
        swept(bucket, item, sweeper)
    assert sweeper.repeats == [False, False]
    sweeper.given.clear()
    swept(bucket, item, sweeper)
    assert sweeper.repeats == [True, False]
    assert sweeper.given[0][0] == tuple(f"team/{one:04}" for one in range(PART, 2 * PART))


def test_a_result_that_could_not_be_written_fails_the_batch(bucket):
    item = some(bucket, 1)
    bucket.s3.refused[item.result] = "SlowDown"
    with pytest.raises(AwsError, match="SlowDown"):
        swept(bucket, item, Sweeper())


def test_a_batch_whose_list_is_gone_is_not_tried_again(bucket):
    with pytest.raises(MalformedEventError, match=r"batches/00000\.json\.gz"):
        swept(bucket, batch_item(PLACE, 0, 5), Sweeper())


# ---------------------------------------------------------------- a worker is killed half-way


class Killer:
    """Ends the process before or after the nth of the calls that leave something behind."""

    def __init__(self, at, *, after):
        self.left, self.after = at, after

    def watch(self, patch, port, *names):
        for name in names:
            patch.setattr(port, name, self._killing(getattr(port, name)))

    def _killing(self, call):
        def called(*given, **named):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise KilledError
            answer = call(*given, **named)
            if self.left == 0 and self.after:
                raise KilledError
            return answer

        return called


@dataclass
class SweepWorld(World):
    publisher: FakePublisher = field(default_factory=FakePublisher)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)

    @property
    def told(self):
        """The outcomes as people hear of them: each id once, as it was told first."""
        told = {}
        for outcome in self.publisher.outcomes:
            told.setdefault(outcome.id, outcome)
        return told


POLICY = sweep_policy(
    "tag_mutability: {immutable: true}",
    "lifecycle: {keep_last: 3}",
    "tags: {deny: [latest], on_violation: quarantine}",
    "replicate_to: [eu-central-1]",
)


def a_world(number):
    world = SweepWorld()
    for one in range(number):
        world.add(f"team/{one:04}")
        world.registry.push(f"team/{one:04}", f"sha256:{one:064x}", "latest")
    return world


def real(world, is_over=lambda: False):
    """Give what sweeps, as SweepBatchFunction has it, in one thread."""

    def sweep(some_repositories, owners, *, is_repeat):
        return sweep_batch(
            some_repositories,
            run=RUN,
            policy=POLICY,
            place=HERE,
            ports=world,
            owners=owners,
            now=NOW,
            is_repeat=is_repeat,
            is_over=is_over,
            threads=1,
        )

    return sweep


def what_is_there(world):
    """Give what a sweep leaves behind: settings, tags, the journal, what was told."""
    return (
        {name: (each.repository, each.lifecycle) for name, each in world.settings.each.items()},
        (world.registry.images, world.registry.tags, world.settings.registry.rules),
        world.journal.entries.keys(),
        world.journal.done,
        {id_: (one.repository, set(one.change_ids)) for id_, one in world.told.items()},
    )


NUMBER = 5
PART_HERE = 2


def quiet_run(number):
    """Give what a run that nothing befell leaves behind."""
    bucket, world = Bucket(), a_world(number)
    swept(bucket, some(bucket, number), real(world))
    return what_is_there(world)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=3))
# Between a setting and its entry's end; between a quarantine tag and the tag that it stands for.
@example([(4, False)])
@example([(10, False)])
def test_a_worker_that_is_killed_anywhere_any_number_of_times_leaves_what_one_that_was_not_does(kills):
    bucket, world = Bucket(), a_world(NUMBER)
    item = some(bucket, NUMBER)
    with pytest.MonkeyPatch.context() as patch:
        # Several parts, of a few repositories.
        patch.setattr(sweeping, "_PART", PART_HERE)
        for at, after in kills:
            with pytest.MonkeyPatch.context() as while_it_runs:
                killer = Killer(at, after=after)
                killer.watch(while_it_runs, world.settings, "put")
                killer.watch(while_it_runs, world.registry, "add_tag", "remove_tag")
                killer.watch(while_it_runs, world.journal, "begin", "finish")
                killer.watch(while_it_runs, world.publisher, "publish_all")
                killer.watch(while_it_runs, bucket.s3, "put_object")
                with contextlib.suppress(KilledError):
                    swept(bucket, item, real(world))
        assert swept(bucket, item, real(world))["repositories"] == NUMBER
        assert written(bucket, item) == [one.name for one in repositories(NUMBER)]
        assert what_is_there(world) == quiet_run(NUMBER)


def test_what_was_changed_before_the_credentials_ended_is_in_the_runs_end():
    bucket, world = Bucket(), a_world(6)
    begin_run(EVENT, [HERE], limits=LIMITS, store=bucket.store)
    item = some(bucket, 6)
    bucket.store.put_batches(PLACE, [item])
    put, names = world.settings.put, []

    def expire(setting, name, value):
        names.append(name)
        # Amid the settings of the third.
        if name == "team/0002" and names.count(name) > 1:
            raise CredentialsError("ExpiredTokenException")
        put(setting, name, value)

    world.settings.put = expire
    with pytest.raises(CredentialsError):
        swept(bucket, item, real(world))
    rows = [decode_row(line) for line in bucket.store.result(item)]
    assert [(one.repository, one.is_unfinished) for one in rows] == [
        ("team/0000", False),
        ("team/0001", False),
        ("team/0002", True),
    ]
    finish_run(EVENT, store=bucket.store, ports=world, home=HERE, now=lambda: NOW)
    *_, end = world.told.values()
    assert (end.kind, end.decision, end.changed) == ("sweep_finished", "partial", True)
    assert "Nothing was changed" not in end.reason
    changed = {change for one in world.told.values() for change in one.change_ids}
    assert changed == set(world.journal.done) != set()
    # Begun again by a person, it goes on with the one that was left half-way.
    world.settings.put = put
    assert swept(bucket, item, real(world)) == {"repositories": 6, "swept": 4}
    assert what_is_there(world)[:4] == quiet_run(6)[:4]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_however_often_the_time_is_over_a_run_ends_as_one_that_had_time_enough(looks):
    bucket, world = Bucket(), a_world(NUMBER)
    item = some(bucket, NUMBER)
    for most in looks:
        left = iter([False] * most)

        def is_over(left=left):
            return next(left, True)

        with contextlib.suppress(UnfinishedError):
            swept(bucket, item, real(world, is_over), is_over=is_over)
        # Whatever was changed, somebody was told.
        told = {change for one in world.publisher.outcomes for change in one.change_ids}
        assert told == set(world.journal.done)
        of_rows = {decode_row(line).repository for line in bucket.store.result(item)}
        assert {one.repository for one in world.publisher.outcomes} <= {*of_rows, "*"}
    assert swept(bucket, item, real(world))["repositories"] == NUMBER
    there, quiet = what_is_there(world), quiet_run(NUMBER)
    assert there[:4] == quiet[:4]
    # What was told in the middle has an id of its own; what is told at the end is as ever.
    assert quiet[4].items() <= there[4].items()


# ---------------------------------------------------------------- the beginning


def test_a_run_begins_with_its_registries_as_the_state_machine_goes_through_them(bucket):
    places = [HERE, Place("2" * 12, "us-east-1")]
    begun = begin_run(EVENT, places, limits=LIMITS, store=bucket.store)
    assert begun == {
        "run": RUN,
        "started_at": STARTED,
        "places": f"runs/{RUN}/places.json",
        "places_at_once": 7,
    }
    items = [read_item(item, PlaceItem) for item in json.loads(bucket.s3.objects[begun["places"]])]
    assert [item.place for item in items] == places
    assert {(item.batches_at_once, item.tolerated_failure_percentage) for item in items} == {(3, 40)}


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({"started_at": STARTED}, "run"),
        ({"run": "", "started_at": STARTED}, "run"),
        ({"run": 3, "started_at": STARTED}, "run"),
        ({"run": RUN}, "started_at"),
        ({"run": RUN, "started_at": "at night"}, "started_at"),
    ],
)
def test_what_the_state_machine_would_never_give_is_refused_by_its_name(bucket, event, named):
    with pytest.raises(MalformedEventError, match=f"^{named}: "):
        begin_run(event, [HERE], limits=LIMITS, store=bucket.store)
    assert bucket.s3.objects == {}


# ---------------------------------------------------------------- the list


@dataclass
class Listing:
    """A registry's list: its pages, and what reading them or the resource tags runs into."""

    pages_of: tuple[tuple[Repository, ...], ...]
    tags: object = field(default_factory=dict)
    failing: Exception | None = None

    def pages(self):
        yield from self.pages_of
        if self.failing is not None:
            raise self.failing

    def resource_tags(self):
        if isinstance(self.tags, Exception):
            raise self.tags
        return self.tags


def paged(number, size):
    names = repositories(number)
    return tuple(names[start : start + size] for start in range(0, number, size))


@given(st.integers(0, 40), st.integers(1, 12), st.integers(1, 12))
def test_whatever_pages_and_batches_there_are_each_repository_is_in_one_batch_in_order(number, page, size):
    bucket = Bucket()
    listed = list_place(PLACE, repositories=Listing(paged(number, page)), batch_size=size, store=bucket.store)
    batches = bucket.store.batches(PLACE)
    assert listed == {"repositories": number, "batches": len(batches)}
    assert [item.number for item in batches] == list(range(len(batches)))
    found = [bucket.store.batch(item).repositories for item in batches]
    assert [one for part in found for one in part] == list(repositories(number))
    assert [len(part) for part in found] == [item.repositories for item in batches]
    # All but the last are full.
    assert all(len(part) == size for part in found[:-1])
    assert all(found)


def test_an_account_without_repositories_has_no_batch_and_was_listed(bucket):
    listed = list_place(PLACE, repositories=Listing(()), batch_size=10, store=bucket.store)
    assert listed == {"repositories": 0, "batches": 0}
    assert bucket.store.batches(PLACE) == ()


def test_the_resource_tags_of_a_batchs_repositories_go_with_it_and_no_others(bucket):
    tags = {"team/0000": {"owner": "search"}, "other/app": {"owner": "x"}}
    list_place(PLACE, repositories=Listing(paged(3, 2), tags), batch_size=2, store=bucket.store)
    owners = [bucket.store.batch(item).owners for item in bucket.store.batches(PLACE)]
    assert owners == [{"team/0000": {"owner": "search"}, "team/0001": {}}, {"team/0002": {}}]


def test_where_the_tags_may_not_be_read_at_once_workers_read_each_ones(bucket):
    refused = Listing(paged(1, 1), RefusedError("tag:GetResources: AccessDenied"))
    list_place(PLACE, repositories=refused, batch_size=2, store=bucket.store)
    (item,) = bucket.store.batches(PLACE)
    assert bucket.store.batch(item).owners is None


@pytest.mark.parametrize("error", [AwsError("busy"), CredentialsError("expired")])
def test_where_the_tags_cannot_be_read_just_now_the_list_is_tried_again(bucket, error):
    with pytest.raises(type(error)):
        list_place(PLACE, repositories=Listing(paged(1, 1), error), batch_size=2, store=bucket.store)
    assert bucket.store.batches(PLACE) is None


def test_a_list_that_breaks_off_is_no_list_and_the_next_try_makes_it_whole(bucket):
    listing = Listing(paged(5, 2), failing=AwsError("busy"))
    with pytest.raises(AwsError):
        list_place(PLACE, repositories=listing, batch_size=2, store=bucket.store)
    assert bucket.store.batches(PLACE) is None
    listing.failing = None
    list_place(PLACE, repositories=listing, batch_size=2, store=bucket.store)
    assert sum(item.repositories for item in bucket.store.batches(PLACE)) == 5


# ---------------------------------------------------------------- the end


@dataclass
class Ports:
    publisher: FakePublisher = field(default_factory=FakePublisher)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)


@dataclass
class Run:
    """A run of one registry with batches of two repositories, each of which has its result."""

    bucket: Bucket = field(default_factory=Bucket)
    ports: Ports = field(default_factory=Ports)

    def plan(self, batches, *, places=(HERE,)):
        begin_run(EVENT, places, limits=LIMITS, store=self.bucket.store)
        names = paged(2 * batches, 2)
        list_place(PLACE, repositories=Listing(names), batch_size=2, store=self.bucket.store)
        for item in self.batches:
            rows = [row(one.name) for one in self.bucket.store.batch(item).repositories]
            self.bucket.store.put_result(item, map(encode_row, rows))

    @property
    def batches(self):
        return self.bucket.store.batches(PLACE)

    def lose(self, key):
        del self.bucket.s3.objects[key]

    def record(self, key, error, cause):
        self.bucket.s3.objects[key] = json.dumps({"Error": error, "Cause": cause}).encode()

    def finish(self, **event):
        return finish_run(
            EVENT | event,
            store=self.bucket.store,
            ports=self.ports,
            home=HERE,
            now=lambda: NOW + timedelta(minutes=9),
        )

    @property
    def summary(self):
        return json.loads(self.bucket.s3.objects[f"runs/{RUN}/summary.json"])

    @property
    def unseen(self):
        return [(one["what"], one["why"], one["repositories"]) for one in self.summary["unseen"]]


@pytest.fixture
def run():
    return Run()


NO_ANSWER = "no answer: the worker timed out, was stopped, or is still at work"


def test_a_run_of_which_nothing_is_missing_is_complete_and_told_once_with_its_report(run):
    run.plan(3)
    finished = run.finish()
    report = f"s3://bucket/runs/{RUN}/report.html"
    assert finished == {
        "run": RUN,
        "status": "complete",
        "repositories": 6,
        "unseen": 0,
        "report": report,
    }
    (outcome,) = run.ports.publisher.outcomes
    assert (outcome.kind, outcome.decision) == ("sweep_finished", "complete")
    assert run.ports.metrics.counted == [("SweepComplete", {})]
    assert run.summary["places"] == [str(HERE)]
    assert run.summary["started_at"].startswith("2026-11-24T03:00:00.123")


def test_the_report_lies_in_the_runs_folder_and_as_the_latest_each_file_with_its_type(run):
    run.plan(1)
    run.finish()
    s3 = run.bucket.s3
    types = {"report.html": "text/html", "report.csv": "text/csv", "report.json": "application/json"}
    for name, type_ in (types | {"summary.json": "application/json"}).items():
        assert s3.objects[f"runs/{RUN}/{name}"] == s3.objects[f"latest/{name}"]
        assert s3.types[f"runs/{RUN}/{name}"].startswith(type_)
    assert b"team/0001" in s3.objects["latest/report.csv"]


def test_the_summary_is_written_last_so_that_with_it_everything_is_there(run):
    run.plan(1)
    run.finish()
    written_keys = [key for operation, key in run.bucket.s3.calls if operation == "PutObject"]
    assert written_keys[-2:] == [f"runs/{RUN}/summary.json", "latest/summary.json"]


def test_a_batch_without_an_answer_is_missing_with_the_reason_that_was_recorded(run):
    run.plan(3)
    batch = run.batches[1]
    run.lose(batch.result)
    run.record(batch.failed, "AwsError", json.dumps({"errorMessage": "ECR is busy."}))
    assert run.finish()["status"] == "partial"
    assert run.unseen == [("batch 2 of 3", "AwsError: ECR is busy", 2)]
    (outcome,) = run.ports.publisher.outcomes
    assert (outcome.decision, outcome.severity) == ("partial", "high")
    assert "ECR is busy" in outcome.reason
    assert run.ports.metrics.counted == [("SweepPartial", {})]
    assert run.summary["repositories"] == 4


def test_a_batch_without_an_answer_of_which_nothing_is_recorded_is_missing_all_the_same(run):
    run.plan(2)
    run.lose(run.batches[0].result)
    assert run.finish()["status"] == "partial"
    assert run.unseen == [("batch 1 of 2", NO_ANSWER, 2)]


def test_a_batch_that_was_given_up_with_its_registry_has_the_registrys_reason(run):
    run.plan(2)
    run.lose(run.batches[1].result)
    run.record(PLACE.failed, "States.ExceedToleratedFailureThreshold", "too many failed")
    run.finish()
    why = (
        "States.ExceedToleratedFailureThreshold: too many failed; "
        "workers that had begun may be at work for 15 minutes more"
    )
    assert run.unseen == [("batch 2 of 2", why, 2)]


def test_of_a_batch_that_was_half_done_the_rest_is_missing_and_what_was_done_counts(run):
    run.plan(2)
    run.bucket.store.put_result(run.batches[1], [encode_row(row("team/0002"))])
    finished = run.finish()
    assert (finished["status"], finished["repositories"]) == ("partial", 3)
    assert run.unseen == [("batch 2 of 2", NO_ANSWER, 1)]


def test_a_batch_that_was_begun_and_never_answered_is_missing_as_a_whole(run):
    run.plan(1)
    run.lose(run.batches[0].result)
    assert run.bucket.store.begin(run.batches[0])
    run.finish()
    assert run.unseen == [("batch 1 of 1", NO_ANSWER, 2)]


def test_a_failure_that_was_recorded_of_a_batch_that_is_done_after_all_is_not_told(run):
    run.plan(1)
    run.record(run.batches[0].failed, "States.Timeout", "")
    run.record(PLACE.failed, "States.Timeout", "")
    assert run.finish()["status"] == "complete"


@pytest.mark.parametrize(
    ("recorded", "why"),
    [(None, NO_ANSWER), (("RefusedError", "AccessDenied."), "RefusedError: AccessDenied")],
    ids=["nothing recorded", "recorded"],
)
def test_a_registry_that_was_not_listed_is_missing_and_nobody_knows_how_much_it_has(run, recorded, why):
    other = Place("2" * 12, "us-east-1")
    run.plan(1, places=(HERE, other))
    item = place_item(RUN, other, batches_at_once=1, tolerated_failure_percentage=0)
    if recorded:
        run.record(item.failed, *recorded)
    assert run.finish()["status"] == "partial"
    assert run.unseen == [("the registry's repositories", why, None)]
    assert run.summary["unseen"][0]["place"] == str(other)
    assert run.summary["repositories"] == 2


def test_an_account_without_repositories_is_complete(run):
    run.plan(0)
    finished = run.finish()
    assert (finished["status"], finished["repositories"], finished["unseen"]) == ("complete", 0, 0)


def test_a_change_that_failed_makes_a_run_partial_though_everything_was_looked_at(run):
    run.plan(1)
    failed = row("team/0000", sections=(section(standing=Standing.DIFFERS),), repair_counts={"failed": 1})
    run.bucket.store.put_result(run.batches[0], map(encode_row, [failed, row("team/0001")]))
    finished = run.finish()
    assert (finished["status"], finished["unseen"]) == ("partial", 0)


def test_what_failed_on_the_way_comes_with_the_event_and_changes_nothing(run):
    run.plan(1)
    assert run.finish(failure={"Error": "States.Runtime", "Cause": "x"}, places="x")["status"] == "complete"


def test_a_run_that_is_finished_twice_is_told_with_one_id(run):
    run.plan(1)
    assert run.finish() == run.finish()
    assert len({outcome.id for outcome in run.ports.publisher.outcomes}) == 1


def test_a_report_that_cannot_be_written_is_told_of_by_nobody_and_the_step_is_tried_again(run):
    run.plan(1)
    run.bucket.s3.refused[f"runs/{RUN}/report.csv"] = "SlowDown"
    with pytest.raises(AwsError, match=r"report\.csv"):
        run.finish()
    assert run.ports.publisher.outcomes == []
    assert run.ports.metrics.counted == []


def test_a_results_object_that_cannot_be_read_is_not_taken_for_a_batch_without_an_answer(run):
    run.plan(1)
    run.bucket.s3.refused[run.batches[0].result] = "AccessDenied"
    with pytest.raises(AwsError, match="AccessDenied"):
        run.finish()


def test_batches_are_written_compressed(bucket):
    list_place(PLACE, repositories=Listing(paged(2, 2)), batch_size=2, store=bucket.store)
    (item,) = bucket.store.batches(PLACE)
    assert len(json.loads(gzip.decompress(bucket.s3.objects[item.batch]))["repositories"]) == 2
    assert read_item(json.loads(bucket.s3.objects[f"{PLACE.folder}/batches.json"])[0], BatchItem) == item
