"""The sweep's state machine is executed: every step runs the checkout's functions."""

import json
import threading
from contextlib import contextmanager
from itertools import count

import pytest
from moto.ecr.models import ecr_backends

from ecr_warden.errors import AwsError, RefusedError, UnfinishedError
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION
from ecr_warden_cli.local.ecr_double import make_repository

POLICY = """\
version: 1
mode: enforce
rules:
  - match: ["**"]
    tag_mutability: {immutable: true}
channels:
  ops: {type: sns}
routes:
  - {to: [ops]}
"""
OTHER_REGION = "eu-west-1"


class SweepWorld:
    """A local AWS with repositories that differ from the policy, swept two a batch."""

    def __init__(self, world):
        self.world = world
        self.stack = world.stack
        self.s3 = world.client("s3")
        self.bucket = self.stack.physical["ReportBucket"]
        self.set("SweepListFunction", SWEEP_BATCH_SIZE="2")

    def set(self, function, **variables):
        environment = self.stack.functions[function].environment
        environment.update({f"ECR_WARDEN_{name}": value for name, value in variables.items()})

    def repositories(self, number, region=DEFAULT_REGION):
        for one in range(number):
            make_repository(ecr_backends[DEFAULT_ACCOUNT][region], f"team/app{one}", {})

    def sweep(self, name="run"):
        self.world.aws.broker.trace.events.clear()
        return self.world.aws.sweep(self.stack, name)

    def immutable(self, region=DEFAULT_REGION):
        repositories = ecr_backends[DEFAULT_ACCOUNT][region].repositories.values()
        return sum(one.image_tag_mutability == "IMMUTABLE" for one in repositories)

    def told(self, kind):
        events = self.world.aws.broker.trace.events
        return [event["detail"] for event in events if event["detail-type"] == kind]

    def stored(self):
        return {item["Key"] for item in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])}

    def read(self, key):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode()

    def summary(self, name="run"):
        return json.loads(self.read(f"runs/sweep-{name}/summary.json"))

    def ran(self, function):
        return [one for one in self.world.aws.broker.trace.invocations if one.function == function]

    def changes(self):
        dynamodb = self.world.client("dynamodb")
        items = dynamodb.scan(TableName=self.stack.physical["JournalTable"])["Items"]
        return sorted(item["id"]["S"] for item in items if item.get("status", {}).get("S") == "done")


@contextmanager
def failing(sweep, function, error, when=lambda *_: True):
    """Let a function raise, for the events and the times (from 1) that are named."""
    target = sweep.stack.functions[function]
    invoke, calls = target.invoke, []

    def invoke_or_fail(event, clock):
        calls.append(event)
        if when(event, len(calls)):
            raise error
        return invoke(event, clock)

    target.invoke = invoke_or_fail
    yield calls
    target.invoke = invoke


@pytest.fixture
def sweep(open_world):
    with open_world(policy=POLICY) as world:
        yield SweepWorld(world)


def test_every_repository_of_every_registry_is_repaired_and_reported(sweep):
    sweep.set("SweepPlacesFunction", SWEEP_REGIONS=f"{DEFAULT_REGION},{OTHER_REGION}")
    sweep.repositories(5)
    sweep.repositories(3, OTHER_REGION)
    run = sweep.sweep()
    assert (run.status, run.output["status"], run.output["repositories"]) == ("SUCCEEDED", "complete", 8)
    assert (sweep.immutable(), sweep.immutable(OTHER_REGION)) == (5, 3)
    assert len(sweep.ran("SweepBatchFunction")) == 3 + 2
    summary = sweep.summary()
    assert summary["places"] == [f"{DEFAULT_ACCOUNT}/{DEFAULT_REGION}", f"{DEFAULT_ACCOUNT}/{OTHER_REGION}"]
    assert summary["repairs"] == {"changed": 8}
    assert not summary["unseen"]


def test_the_report_lies_in_the_runs_folder_and_as_the_latest(sweep):
    sweep.repositories(3)
    sweep.sweep()
    for name in ("report.html", "report.csv", "report.json", "summary.json"):
        assert sweep.read(f"runs/sweep-run/{name}") == sweep.read(f"latest/{name}")
    assert len(json.loads(sweep.read("latest/report.json"))["rows"]) == 3
    assert sweep.read("latest/report.csv").count("team/app") == 3


def test_one_outcome_ends_a_run_and_names_the_report(sweep):
    sweep.repositories(2)
    run = sweep.sweep()
    (outcome,) = sweep.told("sweep_finished")
    assert outcome["decision"] == "complete"
    assert "report.html" in outcome["next_step"]
    assert run.output["report"] == f"s3://{sweep.bucket}/runs/sweep-run/report.html"


def test_a_registry_without_repositories_is_complete(sweep):
    run = sweep.sweep()
    assert (run.output["status"], run.output["repositories"]) == ("complete", 0)


def test_a_worker_that_fails_twice_is_tried_again_and_nothing_is_missing(sweep):
    sweep.repositories(4)
    with failing(sweep, "SweepBatchFunction", AwsError("busy"), lambda _, number: number <= 2):
        run = sweep.sweep()
    assert (run.output["status"], sweep.immutable()) == ("complete", 4)


def test_a_batch_that_always_fails_is_in_the_summary_and_the_others_are_done(sweep):
    sweep.repositories(6)
    is_second = lambda event, _: event["number"] == 1  # noqa: E731  # a predicate of one line
    with failing(sweep, "SweepBatchFunction", AwsError("the worker is broken"), is_second) as calls:
        run = sweep.sweep()
    assert (run.status, run.output["status"]) == ("SUCCEEDED", "partial")
    assert sum(event["number"] == 1 for event in calls) == 5
    assert sweep.immutable() == 4
    (unseen,) = sweep.summary()["unseen"]
    assert (unseen["what"], unseen["repositories"]) == ("batch 2 of 3", 2)
    assert unseen["why"] == "AwsError: the worker is broken"
    (outcome,) = sweep.told("sweep_finished")
    assert outcome["decision"] == "partial"
    assert "the worker is broken" in outcome["reason"]


def test_a_worker_that_needs_more_tries_than_one_that_fails_gets_them(sweep):
    sweep.repositories(2)
    is_early = lambda _, number: number <= 7  # noqa: E731  # as above
    with failing(sweep, "SweepBatchFunction", UnfinishedError("1 of 2 are done"), is_early) as calls:
        run = sweep.sweep()
    assert len(calls) == 8
    assert (run.output["status"], sweep.immutable()) == ("complete", 2)


def test_what_trying_again_does_not_help_against_is_tried_once(sweep):
    sweep.repositories(2)
    with failing(sweep, "SweepBatchFunction", RefusedError("denied")) as calls:
        run = sweep.sweep()
    assert len(calls) == 1
    assert run.output["status"] == "partial"


def test_an_account_without_the_role_is_in_the_summary_and_the_others_are_done(sweep):
    other = "999999999999"
    sweep.set("SweepPlacesFunction", SWEEP_ACCOUNTS=f"{other},{DEFAULT_ACCOUNT}")
    sweep.repositories(3)
    run = sweep.sweep()
    assert (run.output["status"], sweep.immutable()) == ("partial", 3)
    (unseen,) = sweep.summary()["unseen"]
    assert (unseen["place"], unseen["repositories"]) == (f"{other}/{DEFAULT_REGION}", None)
    assert "MemberRoleName" in unseen["why"]


def test_where_more_batches_fail_than_are_tolerated_the_rest_of_that_registry_alone_is_given_up(sweep):
    regions = f"{DEFAULT_REGION},{OTHER_REGION}"
    sweep.set("SweepPlacesFunction", SWEEP_REGIONS=regions, SWEEP_TOLERATED_FAILURE_PERCENTAGE="30")
    sweep.repositories(4)
    sweep.repositories(2, OTHER_REGION)
    broken = lambda event, _: (event["region"], event["number"]) == (DEFAULT_REGION, 0)  # noqa: E731  # as above
    with failing(sweep, "SweepBatchFunction", RefusedError("denied"), broken):
        run = sweep.sweep()
    assert run.output["status"] == "partial"
    assert sweep.immutable(OTHER_REGION) == 2
    folder = f"runs/sweep-run/{DEFAULT_ACCOUNT}/{DEFAULT_REGION}"
    assert "ExceedToleratedFailureThreshold" in sweep.read(f"{folder}/failed.json")
    assert {one["what"] for one in sweep.summary()["unseen"]} == {"batch 1 of 2"}


def test_a_report_that_cannot_be_written_fails_the_run_after_it_was_tried_again(sweep):
    sweep.repositories(1)
    with failing(sweep, "SweepFinishFunction", AwsError("no bucket")) as calls:
        run = sweep.sweep()
    assert (run.status, run.error) == ("FAILED", "AwsError")
    assert len(calls) == 5


def test_a_worker_whose_time_is_over_goes_on_where_it_stopped(sweep, monkeypatch):
    monkeypatch.setattr("ecr_warden.adapters.sweeping._PART", 1)
    sweep.set("SweepListFunction", SWEEP_BATCH_SIZE="4")
    sweep.repositories(4)
    function = sweep.stack.functions["SweepBatchFunction"]
    # It looks at the time before each part, each repository and each change: six times each try, and then
    # far more often than a try that fails would be begun again.
    looks = count()
    monkeypatch.setattr(type(function), "timeout", property(lambda _: 60 if next(looks) % 6 == 5 else 900))
    run = sweep.sweep()
    answers = sweep.ran("SweepBatchFunction")
    assert [type(one.error).__name__ for one in answers[:-1]] == ["UnfinishedError"] * (len(answers) - 1)
    assert len(answers) > 1
    assert answers[-1].error is None
    assert (run.output["status"], sweep.immutable(), len(sweep.changes())) == ("complete", 4, 4)


def test_a_run_that_is_made_again_changes_and_tells_nothing_twice(sweep):
    sweep.repositories(3)
    sweep.sweep()
    changes = sweep.changes()
    told = {one["id"] for kind in ("drift_found", "sweep_finished") for one in sweep.told(kind)}
    # As a worker that was stopped before it wrote anything.
    for key in [key for key in sweep.stored() if "/results/" in key]:
        sweep.s3.delete_object(Bucket=sweep.bucket, Key=key)
    for function in ("SweepBatchFunction", "SweepFinishFunction"):
        for invocation in sweep.ran(function):
            sweep.world.aws.broker.call(
                DEFAULT_ACCOUNT, DEFAULT_REGION, sweep.stack.physical[function], invocation.event
            )
    assert sweep.changes() == changes
    assert len(changes) == 3
    assert {one["id"] for kind in ("drift_found", "sweep_finished") for one in sweep.told(kind)} <= told
    assert sweep.summary()["repositories"] == 3


def test_no_more_workers_are_at_one_registry_at_once_than_the_parameter_says(sweep, monkeypatch):
    sweep.set("SweepPlacesFunction", SWEEP_BATCHES_AT_ONCE="2")
    sweep.repositories(8)
    running, most, lock = 0, 0, threading.Lock()
    call = type(sweep.world.aws.broker).call

    def counted(*arguments):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            return call(*arguments)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(type(sweep.world.aws.broker), "call", counted)
    assert sweep.sweep().output["status"] == "complete"
    assert most == 2
