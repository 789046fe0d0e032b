"""The journal in a file: what it has, newest first, whichever version wrote it."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.images import Change
from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import RuleReference
from ecr_warden.domain.runs import event_id_of
from ecr_warden.ports import Progress
from ecr_warden_cli.account.journal import FileJournal, JournalFileError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
HERE, THERE = Place("123456789012", "us-east-1"), Place("999999999999", "eu-west-1")
CHANGE = Change(
    id="c1",
    account=HERE.account,
    region=HERE.region,
    repository="team/a",
    section="lifecycle",
    before={"rules": []},
    after=None,
    event_id="event-1",
    rule=RuleReference("policy.yaml", 9, ("**",)),
    begun_at=NOW,
    created_by="somebody",
    before_text=' {"rules": []}\n',
)
# As version 0 wrote it: without what was added since.
EARLIER = {
    "account": HERE.account,
    "region": HERE.region,
    "repository": "team/a",
    "section": "tags",
    "before": {"image_tag": "latest", "image_digest": "sha256:ab"},
    "after": None,
    "event_id": f"native-1 {HERE}",
    "rule": "policy.yaml:3",
    "begun_at": (NOW - timedelta(days=30)).isoformat(),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "journal.sqlite3"


@pytest.fixture
def journal(path):
    with closing(FileJournal(path)) as found:
        yield found


def ids(found):
    return [one.change.id for one in found]


def test_a_change_is_found_as_it_was_recorded_with_the_text_of_what_was_there(journal):
    journal.begin(CHANGE)
    found = journal.find("c1")
    assert (found.change, found.is_done) == (CHANGE, False)
    journal.finish("c1")
    for again in (journal.changes(ALWAYS), journal.changes_of("team/a", ALWAYS)):
        (found,) = again
        assert (found.change, found.is_done) == (CHANGE, True)


def test_a_file_of_an_earlier_version_is_read_and_written_on(path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE change (id TEXT PRIMARY KEY, is_done INTEGER NOT NULL, entry TEXT NOT NULL)"
        )
        database.execute("INSERT INTO change VALUES ('old', 1, ?)", [json.dumps(EARLIER)])
        database.commit()
    with closing(FileJournal(path)) as journal:
        for found in (
            journal.changes(ALWAYS),
            journal.changes_of("team/a", ALWAYS),
            journal.changes_in("native-1"),
        ):
            (recorded,) = found
            assert recorded.is_done
            assert recorded.change == Change(
                **{
                    **EARLIER,
                    "id": "old",
                    "rule": RuleReference("policy.yaml", 3, ()),
                    "begun_at": NOW - timedelta(days=30),
                }
            )
        assert journal.begin(CHANGE) is Progress.NEW
        assert ids(journal.changes(ALWAYS)) == ["c1", "old"]
        assert journal.acquire("a lock", "me")
    # And once more, with all that was added.
    with closing(FileJournal(path)) as journal:
        assert ids(journal.changes(ALWAYS)) == ["c1", "old"]


def test_a_run_has_its_changes_of_all_places_and_none_of_a_run_whose_name_begins_alike(journal):
    for change_id, event_id in {
        "here": event_id_of("apply-1", HERE),
        "there": event_id_of("apply-1", THERE),
        "other": event_id_of("apply-10", HERE),
        "event": "apply-1",
        "more": f"apply-1 and more {HERE}",
    }.items():
        journal.begin(replace(CHANGE, id=change_id, event_id=event_id))
    assert sorted(ids(journal.changes_in("apply-1"))) == ["here", "there"]
    assert ids(journal.changes_in("apply-10")) == ["other"]
    assert ids(journal.changes_in("apply")) == []


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20), st.booleans()), max_size=40), st.integers(0, 20)
)
def test_changes_come_newest_first_each_once_and_none_that_is_older_than_asked_for(rows, since):
    with closing(FileJournal(_memory())) as journal:
        recorded = {}
        for number, (repository, seconds, has_fraction) in enumerate(rows):
            begun_at = NOW + timedelta(seconds=seconds, microseconds=5 * has_fraction)
            change = replace(CHANGE, id=f"c{number}", repository=f"r{repository}", begun_at=begun_at)
            journal.begin(change)
            recorded[change.id] = change
        first = NOW + timedelta(seconds=since)
        for repository, found in (
            (None, ids(journal.changes(first))),
            *((f"r{number}", ids(journal.changes_of(f"r{number}", first))) for number in range(4)),
        ):
            wanted = [
                one
                for one in recorded.values()
                if one.begun_at >= first and repository in {None, one.repository}
            ]
            assert sorted(found) == sorted(one.id for one in wanted)
            times = [recorded[change_id].begun_at for change_id in found]
            assert times == sorted(times, reverse=True)


class _memory:  # noqa: N801  # a path, of no file
    parent = type("Folder", (), {"mkdir": lambda *_, **__: None})

    def __fspath__(self):
        return ":memory:"


def test_more_changes_than_are_read_at_once_come_each_once_though_many_are_of_one_moment(journal):
    for number in range(1203):
        journal.begin(replace(CHANGE, id=f"c{number:04}", begun_at=NOW + timedelta(seconds=number // 700)))
    found = ids(journal.changes(ALWAYS))
    assert found == [f"c{number:04}" for number in reversed(range(1203))]


def test_what_is_recorded_while_the_history_is_read_neither_repeats_nor_hides_anything(journal):
    for number in range(600):
        journal.begin(replace(CHANGE, id=f"c{number:04}", begun_at=NOW + timedelta(seconds=number)))
    found = []
    for recorded in journal.changes(ALWAYS):
        if len(found) == 10:
            journal.begin(replace(CHANGE, id="new", begun_at=NOW + timedelta(days=1)))
        found.append(recorded.change.id)
    assert found == [f"c{number:04}" for number in reversed(range(600))]


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_file_that_is_no_journal_is_said_with_what_to_do(path, is_folder):
    path.parent.mkdir()
    if is_folder:
        path.mkdir()
    else:
        path.write_text("this is no database, and long enough that it cannot be the beginning of one" * 20)
    with pytest.raises(JournalFileError, match="XDG_STATE_HOME") as raised:
        FileJournal(path)
    assert str(path) in str(raised.value)


def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(path):
    path.parent.write_text("a file")
    with pytest.raises(JournalFileError, match="XDG_STATE_HOME"):
        FileJournal(path)
