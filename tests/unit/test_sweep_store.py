"""What a sweep keeps in S3 comes back as it was written, whatever it is called, and says what is missing."""

import gzip
import json
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hostile import HOSTILE, TEXTS
from hypothesis import given
from hypothesis import strategies as st
from report_world import some_rows
from sweep_bucket import Bucket

from ecr_warden.adapters.sweep_store import (
    Batch,
    BatchItem,
    PlaceItem,
    batch_item,
    cause_of,
    place_item,
    read_item,
)
from ecr_warden.domain.places import Place
from ecr_warden.domain.settings.current import Mutability, Repository
from ecr_warden.domain.sweep.rows import decode_row, encode_row
from ecr_warden.errors import AwsError, CredentialsError, MalformedEventError

HERE = Place("123456789012", "eu-west-1")
PLACE = place_item("sweep-1", HERE, batches_at_once=4, tolerated_failure_percentage=50)
ITEM = batch_item(PLACE, 3, 2)
# The SDK gives the offset of where it runs.
ZONES = (UTC, timezone(timedelta(hours=5, minutes=30)))
REPOSITORIES = st.lists(
    st.builds(
        Repository,
        name=TEXTS,
        mutability=st.builds(Mutability, TEXTS, st.lists(TEXTS, max_size=2).map(tuple)),
        scan_on_push=st.booleans(),
        encryption_type=TEXTS,
        kms_key=st.none() | TEXTS,
        created_at=st.none() | st.datetimes(timezones=st.sampled_from(ZONES)),
    ),
    max_size=4,
).map(tuple)
OWNERS = st.none() | st.dictionaries(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=2), max_size=3)


@pytest.fixture
def bucket():
    return Bucket()


@given(REPOSITORIES, OWNERS)
def test_a_batch_comes_back_as_it_was_written(repositories, owners):
    store = Bucket().store
    store.put_batch(ITEM, Batch(repositories, owners))
    assert store.batch(ITEM) == Batch(repositories, owners)


def test_that_tags_could_not_be_read_is_not_the_same_as_that_there_are_none(bucket):
    for owners in (None, {}, {"team/app": {}}):
        bucket.store.put_batch(ITEM, Batch((Repository("team/app"),), owners))
        assert bucket.store.batch(ITEM).owners == owners


def test_rows_come_back_as_they_were_written(bucket):
    rows = some_rows(40)
    bucket.store.put_result(ITEM, map(encode_row, rows))
    assert list(map(decode_row, bucket.store.result(ITEM))) == rows


@pytest.mark.parametrize("text", HOSTILE)
def test_a_row_is_one_line_whatever_it_says(bucket, text):
    (row,) = some_rows(1)
    lines = [encode_row(type(row)(row.account, row.region, text, owner=text, problem=text))] * 3
    bucket.store.put_result(ITEM, lines)
    assert list(bucket.store.result(ITEM)) == lines


def test_the_same_content_is_the_same_bytes(bucket):
    written = []
    for _ in range(2):
        bucket.store.put_batch(ITEM, Batch((Repository("team/app"),), None))
        bucket.store.put_result(ITEM, ["{}"])
        written.append((bucket.s3.objects[ITEM.batch], bucket.s3.objects[ITEM.result]))
    assert written[0] == written[1]


def test_places_and_batches_are_written_as_the_state_machine_reads_them_and_come_back(bucket):
    places = [
        PLACE,
        place_item("sweep-1", Place("2" * 12, "x"), batches_at_once=1, tolerated_failure_percentage=0),
    ]
    key = bucket.store.put_places("sweep-1", places)
    batches = [batch_item(PLACE, number, 100) for number in range(3)]
    bucket.store.put_batches(PLACE, batches)
    # An array of objects, each of which is an item of a map.
    items = json.loads(bucket.s3.objects[key])
    assert [read_item(item, PlaceItem) for item in items] == places
    items = json.loads(bucket.s3.objects[f"{PLACE.folder}/batches.json"])
    assert [read_item(item, BatchItem) for item in items] == batches
    assert bucket.store.places("sweep-1") == tuple(places)
    assert bucket.store.batches(PLACE) == tuple(batches)


def test_everything_of_a_run_is_in_its_folder_and_of_a_registry_in_its_own():
    assert PLACE.folder == "runs/sweep-1/123456789012/eu-west-1"
    keys = {ITEM.batch, ITEM.result, ITEM.failed, PLACE.failed}
    assert len(keys) == 4
    assert all(key.startswith(f"{PLACE.folder}/") for key in keys)


def test_no_two_batches_and_no_two_registries_share_a_key():
    items = [
        batch_item(place_item(run, place, batches_at_once=1, tolerated_failure_percentage=0), number, 1)
        for run in ("a", "b")
        for place in (HERE, Place("123456789012", "eu-west-2"), Place("2" * 12, "eu-west-1"))
        for number in (0, 1, 10, 100_000)
    ]
    keys = [key for item in items for key in (item.batch, item.result, item.failed)]
    assert len(set(keys)) == len(keys)


# ---------------------------------------------------------------- what is not there


def test_a_run_whose_places_are_missing_looks_at_none(bucket):
    assert bucket.store.places("never-begun") == ()


def test_a_registry_that_was_not_listed_to_its_end_is_not_one_without_repositories(bucket):
    assert bucket.store.batches(PLACE) is None
    bucket.store.put_batches(PLACE, [])
    assert bucket.store.batches(PLACE) == ()


def test_a_worker_that_never_answered_wrote_no_line_and_nothing_is_recorded_of_it(bucket):
    assert list(bucket.store.result(ITEM)) == []
    assert bucket.store.failure(ITEM.failed) is None


def test_a_batch_that_is_not_there_is_named_with_its_bucket_and_is_not_tried_again(bucket):
    with pytest.raises(MalformedEventError, match=f"there is no {ITEM.batch} in bucket"):
        bucket.store.batch(ITEM)


def test_a_batch_is_begun_once(bucket):
    assert bucket.store.begin(ITEM) is True
    assert bucket.store.begin(ITEM) is False


def test_beginning_a_batch_again_leaves_what_was_found(bucket):
    bucket.store.put_result(ITEM, ["{}"])
    assert bucket.store.begin(ITEM) is False
    assert list(bucket.store.result(ITEM)) == ["{}"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AccessDenied", AwsError),
        ("SlowDown", AwsError),
        ("NoSuchBucket", AwsError),
        ("ExpiredToken", CredentialsError),
    ],
)
def test_a_refusal_is_never_taken_for_what_is_not_there(bucket, code, error):
    bucket.s3.refused = dict.fromkeys([ITEM.result, ITEM.failed, f"{PLACE.folder}/batches.json"], code)
    for ask in (
        lambda: list(bucket.store.result(ITEM)),
        lambda: bucket.store.failure(ITEM.failed),
        lambda: bucket.store.batches(PLACE),
        lambda: bucket.store.begin(ITEM),
        lambda: bucket.store.put_result(ITEM, []),
    ):
        with pytest.raises(error, match="bucket") as raised:
            ask()
        assert isinstance(raised.value.__cause__, ClientError)


# ---------------------------------------------------------------- why something failed


@given(TEXTS, TEXTS)
def test_a_recorded_failure_is_told_in_its_own_words_however_step_functions_wrote_it(error, cause):
    failure = {"Error": error, "Cause": cause}
    told = cause_of(failure)
    assert cause_of(json.dumps(failure)) == told
    assert error.rstrip(".") in told or cause


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (
            {"Error": "AwsError", "Cause": json.dumps({"errorMessage": "busy.", "stackTrace": ["x"]})},
            "AwsError: busy",
        ),
        ({"Error": "States.Timeout", "Cause": ""}, "States.Timeout"),
        ({"Error": "States.Timeout"}, "States.Timeout"),
        ({"Error": "Lambda.Unknown", "Cause": "The worker died."}, "Lambda.Unknown: The worker died"),
        ({"Error": "E", "Cause": "[1]"}, "E: [1]"),
        ({"Error": "E", "Cause": json.dumps({"errorMessage": ""})}, 'E: {"errorMessage": ""}'),
        (["neither"], "['neither']"),
    ],
)
def test_a_functions_own_message_is_told_and_not_its_stack(failure, told):
    assert cause_of(failure) == told


def test_a_failure_is_read_from_its_key(bucket):
    bucket.s3.objects[ITEM.failed] = json.dumps({"Error": "AwsError", "Cause": "busy"}).encode()
    assert bucket.store.failure(ITEM.failed) == "AwsError: busy"


# ---------------------------------------------------------------- what the state machine gives


@pytest.mark.parametrize("kind", [PlaceItem, BatchItem])
def test_an_item_that_lacks_something_is_refused_by_the_name_of_what_it_lacks(kind):
    item = PLACE if kind is PlaceItem else ITEM
    for name in vars(item):
        event = {key: value for key, value in vars(item).items() if key != name}
        with pytest.raises(MalformedEventError, match=name):
            read_item(event, kind)


@pytest.mark.parametrize("event", [None, [], "x", 3, {"run": 1}])
def test_what_is_no_item_is_refused(event):
    with pytest.raises(MalformedEventError):
        read_item(event, BatchItem)


def test_the_sample_events_are_what_the_state_machine_gives():
    events = Path(__file__).parents[2] / "events" / "sweep"
    place = read_item(json.loads((events / "sweep_list.json").read_text()), PlaceItem)
    assert place == place_item("sweep-sample", HERE, batches_at_once=4, tolerated_failure_percentage=50)
    batch = read_item(json.loads((events / "sweep_batch.json").read_text()), BatchItem)
    assert batch == batch_item(place, 0, 2)


def test_an_item_may_have_more_than_is_read():
    assert read_item(vars(ITEM) | {"failure": {"Error": "x"}}, BatchItem) == ITEM
    assert ITEM.place == PLACE.place == HERE


# ---------------------------------------------------------------- files


def test_a_file_is_written_under_each_key_with_its_type(bucket, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("<!doctype html>")
    bucket.store.upload(path, ["runs/1/report.html", "latest/report.html"], "text/html")
    assert bucket.s3.objects == dict.fromkeys(
        ["runs/1/report.html", "latest/report.html"], b"<!doctype html>"
    )
    assert set(bucket.s3.types.values()) == {"text/html"}


def test_results_are_compressed(bucket):
    bucket.store.put_result(ITEM, ["x" * 10_000] * 10)
    assert len(bucket.s3.objects[ITEM.result]) < 1_000
    assert gzip.decompress(bucket.s3.objects[ITEM.result]).decode().splitlines() == ["x" * 10_000] * 10
