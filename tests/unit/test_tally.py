"""What a run's rows come to does not rest on their order, nor on how they were dealt out."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_world import NOW, row, section, some_rows
from sweep_bucket import Bucket
from tests.fakes import FakeMetrics, FakePublisher

from ecr_warden.adapters.report.json_file import summary_text
from ecr_warden.adapters.sweep_store import batch_item, place_item
from ecr_warden.adapters.sweeping import finish_run
from ecr_warden.domain.places import Place
from ecr_warden.domain.sweep.judgements import Standing
from ecr_warden.domain.sweep.rows import encode_row
from ecr_warden.domain.sweep.summary import Unseen
from ecr_warden.domain.sweep.tally import Tally
from ecr_warden.domain.sweep.visits import RepairStatus

HERE = Place("111111111111", "eu-central-1")
MOST_NAMED = 100
SETTINGS = st.sampled_from(["replicate_to", "scanning"])
DOCUMENTS = st.builds(
    lambda setting, standing, before, after: section(
        setting, standing, before=before, after=after, is_registrys=True
    ),
    SETTINGS,
    st.sampled_from(Standing),
    st.sampled_from(["", "{}", '{"rules": []}']),
    st.sampled_from(["", "{}", '{"rules": []}']),
)
OWN = st.builds(
    lambda standing, count, what: section("tags", standing, count=count, what=what),
    st.sampled_from(Standing),
    st.integers(1, 9),
    st.sampled_from(["", "access denied"]),
)
ROWS = st.lists(
    st.builds(
        lambda name, place, sections, counts, problem, is_gone: row(
            name,
            account=place.account,
            region=place.region,
            sections=tuple(sections),
            repair_counts=counts,
            problem=problem,
            is_gone=is_gone,
        ),
        st.sampled_from(["a", "b/c", "d"]),
        st.builds(Place, st.just("111111111111"), st.sampled_from(["eu-central-1", "us-east-1"])),
        st.lists(DOCUMENTS | OWN, max_size=4),
        st.dictionaries(st.sampled_from(RepairStatus).map(str), st.integers(1, 5)),
        st.sampled_from(["", "throttled"]),
        st.booleans(),
    ),
    max_size=20,
)


def summed(rows, unseen=()):
    tally = Tally()
    for one in rows:
        tally.add(one)
    return tally.summary("run", started_at=NOW, ended_at=NOW, places=[HERE], unseen=unseen)


def in_any_order(summary):
    """Give a summary without the order of what was not seen."""
    return replace(summary, unseen=()), Counter(summary.unseen)


@given(ROWS, st.randoms(use_true_random=False))
def test_rows_in_any_order_come_to_the_same(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert in_any_order(summed(shuffled)) == in_any_order(summed(rows))


# Each writes a whole report.
@settings(max_examples=15, deadline=None)
@given(ROWS, st.lists(st.integers(1, 7), min_size=1))
def test_rows_dealt_out_to_batches_in_any_way_come_to_the_same(rows, sizes):
    bucket, publisher = Bucket(), FakePublisher()
    place = place_item("run", HERE, batches_at_once=1, tolerated_failure_percentage=0)
    batches, left = [], list(rows)
    while left:
        some, left = left[: sizes[len(batches) % len(sizes)]], left[sizes[len(batches) % len(sizes)] :]
        item = batch_item(place, len(batches), len(some))
        bucket.store.put_result(item, map(encode_row, some))
        batches.append(item)
    bucket.store.put_places("run", [place])
    bucket.store.put_batches(place, batches)
    ports = type("Ports", (), {"publisher": publisher, "metrics": FakeMetrics()})
    finished = finish_run(
        {"run": "run", "started_at": NOW.isoformat()},
        store=bucket.store,
        ports=ports,
        home=HERE,
        now=lambda: NOW,
    )
    expected = summed(rows)
    assert bucket.s3.objects["runs/run/summary.json"].decode() == summary_text(expected)
    assert finished["status"] == ("partial" if expected.is_partial else "complete")


def test_of_each_standing_and_each_repair_there_are_as_many_as_the_rows_have():
    rows = some_rows(60)
    found = summed(rows)
    seen = [one for one in rows if not one.is_gone]
    expected = Counter()
    for one in seen:
        for part in one.sections:
            expected[part.standing.value] += part.count
    assert found.standings == expected
    assert found.repositories == len(seen)
    repairs = Counter()
    for one in rows:
        repairs.update(one.repair_counts)
    assert found.repairs == repairs


def test_tags_count_each():
    found = summed([row(sections=(section("tags", Standing.VIOLATION, count=7),))])
    assert found.standings == {"violation": 7}


def test_a_document_of_the_registry_counts_once_in_each_registry():
    document = section(
        "replicate_to", Standing.DIFFERS, before="{}", after='{"rules": []}', is_registrys=True
    )
    places = [Place("1" * 12, "eu-central-1"), Place("1" * 12, "us-east-1"), Place("2" * 12, "us-east-1")]
    rows = [
        row(f"team/{number}", account=place.account, region=place.region, sections=(document,))
        for place in places
        for number in range(4)
    ]
    assert summed(rows).standings == {"differs": 3}


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({"standing": Standing.COMPLIANT}, {"differs": 1, "compliant": 1}),
        ({"before": "", "after": "ab"}, {"differs": 2}),
        ({"setting": "scanning"}, {"differs": 2}),
        ({"what": "said in other words"}, {"differs": 1}),
    ],
    ids=["standing", "before and after", "setting", "words"],
)
def test_what_makes_two_documents_of_a_registry(others, expected):
    one = section("replicate_to", Standing.DIFFERS, before="a", after="b", is_registrys=True)
    rows = [row("a", sections=(one,)), row("b", sections=(replace(one, **others),))]
    assert summed(rows).standings == expected == summed(rows[::-1]).standings


def test_what_is_gone_is_not_counted_and_nothing_is_missing_but_what_was_done_to_it_is_told():
    gone = row(is_gone=True, repair_counts={"changed": 1, "gone": 2}, problem="it is gone")
    found = summed([gone])
    assert (found.repositories, found.unseen, found.is_partial) == (0, (), False)
    assert found.repairs == {"changed": 1, "gone": 2}


def test_a_repository_that_could_not_be_read_is_named_with_the_reason():
    unread = section("lifecycle", Standing.UNREAD, what="access denied")
    plain = section("scanning", Standing.UNREAD)
    found = summed([row("a", problem="throttled"), row("b", sections=(unread, plain)), row("c")])
    assert found.unseen == (
        Unseen(str(HERE), "a", "throttled", 1),
        Unseen(str(HERE), "b", "lifecycle: access denied; scanning", 1),
    )
    assert found.is_partial
    assert found.repositories == 3


def test_no_more_are_named_than_anybody_reads_and_the_others_are_counted_by_registry():
    rows = [
        row(f"team/{number}", region=region, problem="throttled")
        for region, number in [("eu-central-1", n) for n in range(MOST_NAMED + 20)]
        + [("us-east-1", n) for n in range(5)]
    ]
    found = summed(rows, unseen=[Unseen("2/x", "batch 1 of 2", "no answer", 50)])
    assert found.unseen[0] == Unseen("2/x", "batch 1 of 2", "no answer", 50)
    assert [one.what for one in found.unseen[1 : MOST_NAMED + 1]] == [f"team/{n}" for n in range(MOST_NAMED)]
    assert [(one.place, one.what, one.repositories) for one in found.unseen[MOST_NAMED + 1 :]] == [
        ("111111111111/eu-central-1", "other repositories", 20),
        ("111111111111/us-east-1", "other repositories", 5),
    ]
    assert sum(one.repositories for one in found.unseen[1:]) == len(rows)


def test_a_summary_is_not_changed_by_rows_that_come_after_it():
    tally = Tally()
    tally.add(row("a", sections=(section(),)))
    first = tally.summary("run", started_at=NOW, ended_at=NOW, places=[], unseen=[])
    tally.add(row("b", sections=(section(),), repair_counts={"changed": 1}))
    assert (first.repositories, first.standings, first.repairs) == (1, {"compliant": 1}, {})
