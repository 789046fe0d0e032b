"""The history of a deployed stack's journal: by its indexes, page by page, and where it has none yet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from click.testing import CliRunner
from tests.faults import faults

from ecr_warden.adapters.dynamodb import DynamoJournal
from ecr_warden.adapters.dynamodb_history import DynamoHistory
from ecr_warden.domain.images import Change
from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import RuleReference
from ecr_warden.domain.runs import event_id_of
from ecr_warden.errors import AwsError
from ecr_warden_cli.main import main

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
HERE = Place("123456789012", "us-east-1")
RUN = "apply-1"
CHANGE = Change(
    id="c1",
    account=HERE.account,
    region=HERE.region,
    repository="team/a",
    section="lifecycle",
    before={"rules": []},
    after={"rules": [{"rulePriority": 1}]},
    event_id=event_id_of(RUN, HERE),
    rule=RuleReference("policy.yaml", 9, ("**",)),
    begun_at=NOW,
    before_text=' {"rules": []}\n',
)


@pytest.fixture
def table(aws):
    return aws.stack.physical["JournalTable"]


@pytest.fixture
def journal(aws, table):
    return DynamoJournal(aws.client("dynamodb"), table)


@pytest.fixture
def history(aws, table):
    return DynamoHistory(aws.client("dynamodb"), table, lambda: NOW)


class Calls:
    """Count calls of DynamoDB."""

    def __init__(self):
        self.queries = self.reads = 0

    def __call__(self, service, operation, _asked):
        if service == "dynamodb":
            self.queries += operation == "Query"
            self.reads += operation == "BatchGetItem"


def ids(found):
    return [one.change.id for one in found]


def test_a_change_is_found_as_it_was_recorded_with_the_text_of_what_was_there(journal, history):
    journal.begin(CHANGE)
    for found in (history.changes(ALWAYS), history.changes_of("team/a", ALWAYS), history.changes_in(RUN)):
        (recorded,) = found
        assert (recorded.change, recorded.is_done) == (CHANGE, False)
    journal.finish("c1")
    assert [one.is_done for one in history.changes_in(RUN)] == [True]


def test_a_long_history_is_read_page_by_page_newest_first_and_no_further_than_asked_for(journal, history):
    for number in range(250):
        begun_at = NOW - timedelta(minutes=number)
        journal.begin(replace(CHANGE, id=f"c{number:03}", begun_at=begun_at))
    everything = [f"c{number:03}" for number in range(250)]
    for of_all in (
        lambda: history.changes_in(RUN),
        lambda: history.changes_of("team/a", ALWAYS),
        lambda: history.changes(NOW - timedelta(days=2)),
    ):
        assert ids(of_all()) == everything
    with faults(calls := Calls()):
        assert ids(history.changes_in(RUN)) == everything
    assert (calls.queries, calls.reads) == (3, 3)
    with faults(calls := Calls()):
        assert ids(islice(history.changes_in(RUN), 100)) == everything[:100]
    assert (calls.queries, calls.reads) == (1, 1), "what is not shown is not read"
    since = NOW - timedelta(minutes=120)
    assert ids(history.changes_of("team/a", since)) == everything[:121]


def test_all_changes_are_found_day_by_day_and_also_what_a_clock_that_is_ahead_recorded(journal, history):
    days = {"ahead": -1, "today": 0, "yesterday": 1, "long ago": 399}
    for change_id, age in days.items():
        journal.begin(replace(CHANGE, id=change_id, begun_at=NOW - timedelta(days=age)))
    assert ids(history.changes(ALWAYS)) == ["ahead", "today", "yesterday", "long ago"]
    with faults(calls := Calls()):
        assert ids(history.changes(NOW - timedelta(days=1))) == ["ahead", "today", "yesterday"]
    assert calls.queries == 3, "a day is a call"


def test_what_was_taken_out_since_the_index_was_read_is_no_change(aws, table, journal, history):
    journal.begin(CHANGE)
    journal.begin(replace(CHANGE, id="c2"))
    client = aws.client("dynamodb")

    def gone(_service, operation, _asked):
        if operation == "BatchGetItem":
            client.delete_item(TableName=table, Key={"id": {"S": "c2"}})

    with faults(gone):
        assert ids(history.changes_in(RUN)) == ["c1"]


def run(aws, *arguments):
    with aws.aws.acting_in(aws.stack.account):
        return CliRunner().invoke(main, arguments)


INDEXES = {"ByRun": ("--run", RUN), "ByRepository": ("team/a",), "ByDay": ()}
NO_INDEX = "The table does not have the specified index: {}"
BUILDING = "Cannot read from backfilling global secondary index: {}"


def without(index, said=NO_INDEX):
    """Have a table without an index, as DynamoDB says so."""

    def cause(_service, operation, asked):
        if operation == "Query" and asked["IndexName"] == index:
            return "ValidationException", said.format(index)
        return None

    return faults(cause)


@pytest.mark.parametrize("said", [NO_INDEX, BUILDING])
@pytest.mark.parametrize("index", INDEXES)
def test_a_table_of_an_earlier_version_lacks_an_index_and_it_is_said_what_to_do(  # fixtures
    aws, table, journal, index, said
):
    journal.begin(CHANGE)
    with without(index, said):
        done = run(aws, "history", *INDEXES[index])
        # The other ways to look at it are as good as before.
        others = [run(aws, "history", *arguments) for name, arguments in INDEXES.items() if name != index]
    assert done.exit_code == 1, done.output
    assert f"the journal {table} has no index {index} yet: its stack is of an earlier version." in done.stderr
    assert [other.exit_code for other in others] == [0, 0]


def test_a_run_cannot_be_taken_back_without_its_index_and_nothing_is_changed(aws, journal):
    journal.begin(CHANGE)
    with without("ByRun"):
        done = run(aws, "undo", "--run", RUN, "--yes")
    assert (done.exit_code, "no index ByRun yet" in done.stderr) == (1, True), done.output
    assert journal.find("c1").is_done is False


def test_an_entry_of_an_earlier_version_is_in_no_index_and_is_found_by_its_id_alone(
    aws, table, journal, history
):
    journal.begin(CHANGE)
    client = aws.client("dynamodb")
    item = client.get_item(TableName=table, Key={"id": {"S": "c1"}})["Item"]
    newer = ("run", "day", "before_text", "rule_match")
    client.put_item(TableName=table, Item={name: value for name, value in item.items() if name not in newer})
    assert journal.find("c1").change == replace(
        CHANGE, before_text=None, rule=RuleReference("policy.yaml", 9, ())
    )
    assert ids(history.changes_in(RUN)) == ids(history.changes(ALWAYS)) == []
    assert ids(history.changes_of("team/a", ALWAYS)) == ["c1"]


def test_other_errors_of_the_journal_are_not_taken_for_a_missing_index(history):
    with (
        faults(lambda service, *_: "AccessDeniedException" if service == "dynamodb" else None),
        pytest.raises(AwsError, match="AccessDenied") as raised,
    ):
        list(history.changes_in(RUN))
    assert "index" not in str(raised.value).partition("AccessDenied")[0]
