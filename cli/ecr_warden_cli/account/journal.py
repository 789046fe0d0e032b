"""The journal of an account: the deployed stack's, or else one in a file of this machine, with its locks."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import boto3

from ecr_warden.adapters.dynamodb import DynamoJournal, DynamoLocks
from ecr_warden.adapters.dynamodb_history import DynamoHistory
from ecr_warden.adapters.rate import SWEEP_CONFIG
from ecr_warden.domain.images import Change, RecordedChange, rule_at
from ecr_warden.domain.runs import run_of
from ecr_warden.errors import AwsError
from ecr_warden.ports import History, Journal, Locks, Progress
from ecr_warden.wiring import utc_now
from ecr_warden_cli.account.stack import find_stack

# Seconds; longer than a command holds a lock, so that one that is still held was left by one that died.
_HELD: Final = 120.0
_REPOSITORY: Final = "json_extract(entry, '$.repository')"
_EVENT: Final = "json_extract(entry, '$.event_id')"
_BEGUN: Final = "json_extract(entry, '$.begun_at')"
_INDEXES: Final = {
    "change_by_repository": f"{_REPOSITORY}, {_BEGUN}",
    "change_by_event": _EVENT,
    "change_by_time": _BEGUN,
}
# As many entries as are in memory at once.
_PART: Final = 500
# Later than any time.
_LAST: Final = "9999"
_ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)


def journal_path() -> Path:
    """Give the file's place: ``$XDG_STATE_HOME/ecr-warden/journal.sqlite3``."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "ecr-warden" / "journal.sqlite3"


class JournalFileError(AwsError):
    """Report that the file cannot be read or written: what it does not have is not changed."""


class FileJournal:
    """Every change, under its id; SQLite makes two commands at once as safe as DynamoDB's conditions do.

    All methods raise ``JournalFileError``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._one_at_a_time = threading.Lock()
        with self._said():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Settings are written by several threads at once.
            self._database = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        self._execute(
            "CREATE TABLE IF NOT EXISTS change"
            " (id TEXT PRIMARY KEY, is_done INTEGER NOT NULL, entry TEXT NOT NULL)"
        )
        # A file of an earlier version gets them, too; what they are of is in its entries.
        for name, by in _INDEXES.items():
            self._execute(f"CREATE INDEX IF NOT EXISTS {name} ON change ({by})")
        self._execute(
            "CREATE TABLE IF NOT EXISTS lock"
            " (name TEXT PRIMARY KEY, holder TEXT NOT NULL, held_until REAL NOT NULL)"
        )

    def begin(self, change: Change) -> Progress:
        """Record a change that is about to be made, anew if it was begun; tell how far it was before."""
        entry = {
            "account": change.account,
            "region": change.region,
            "repository": change.repository,
            "section": change.section,
            "before": change.before,
            "after": change.after,
            "event_id": change.event_id,
            "rule": f"{change.rule.file}:{change.rule.line}",
            "rule_match": change.rule.match,
            "created_by": change.created_by,
            "before_text": change.before_text,
            "begun_at": change.begun_at.isoformat(),
        }
        before = self.progress(change.id)
        # In one statement, so that another command cannot finish it in between.
        written = self._execute(
            "INSERT INTO change VALUES (?, 0, ?)"
            " ON CONFLICT (id) DO UPDATE SET entry = excluded.entry WHERE NOT is_done",
            change.id,
            json.dumps(entry),
        )
        return before if written.rowcount else Progress.DONE

    def _execute(self, statement: str, *values: str | float) -> sqlite3.Cursor:
        with self._one_at_a_time, self._said():
            return self._database.execute(statement, values)

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise JournalFileError(
                f"the journal {self._path} cannot be used: {error}. Set XDG_STATE_HOME to a folder "
                "that can be written, or move the file away if it is no journal"
            ) from error

    def progress(self, change_id: str) -> Progress:
        """Tell how far a change is; ``NEW`` if it is not recorded."""
        row = self._execute("SELECT is_done FROM change WHERE id = ?", change_id).fetchone()
        if row is None:
            return Progress.NEW
        return Progress.DONE if row[0] else Progress.BEGUN

    def progress_of(self, change_ids: Collection[str]) -> Mapping[str, Progress]:
        """Tell how far some changes are; those that are not recorded are left out."""
        found = {change_id: self.progress(change_id) for change_id in change_ids}
        return {change_id: progress for change_id, progress in found.items() if progress is not Progress.NEW}

    def find(self, change_id: str) -> RecordedChange | None:
        """Give a change that is recorded, or ``None``."""
        row = self._execute("SELECT entry, is_done FROM change WHERE id = ?", change_id).fetchone()
        return None if row is None else RecordedChange(_change(change_id, json.loads(row[0])), bool(row[1]))

    def changes(self, since: datetime) -> Iterator[RecordedChange]:
        """Give all changes, newest first."""
        return self._found("1", (), since)

    def changes_of(self, repository_name: str, since: datetime) -> Iterator[RecordedChange]:
        """Give the changes of a repository, newest first."""
        return self._found(f"{_REPOSITORY} = ?", (repository_name,), since)

    def changes_in(self, run: str) -> Iterator[RecordedChange]:
        """Give the changes of a run, newest first."""
        # An event's id is the run and the place: what begins with the run and a blank.
        named = self._found(f"{_EVENT} >= ? AND {_EVENT} < ?", (f"{run} ", f"{run}!"), _ALWAYS)
        return (recorded for recorded in named if run_of(recorded.change.event_id) == run)

    def _found(self, where: str, values: tuple[str, ...], since: datetime) -> Iterator[RecordedChange]:
        """Give what a condition finds, in parts that each begin after the last one's end."""
        statement = (
            f"SELECT id, entry, is_done, {_BEGUN} AS begun FROM change WHERE {where} AND begun >= ?"  # noqa: S608  # constants of this module
            " AND (begun, id) < (?, ?) ORDER BY begun DESC, id DESC LIMIT ?"
        )
        last: tuple[str, str] = (_LAST, "")
        while True:
            rows = self._execute(
                statement, *values, since.astimezone(UTC).isoformat(), *last, _PART
            ).fetchall()
            for row in rows:
                yield RecordedChange(_change(row[0], json.loads(row[1])), bool(row[2]))
            if len(rows) < _PART:
                return
            last = (rows[-1][3], rows[-1][0])

    def finish(self, change_id: str) -> None:
        """Record that a change is made."""
        self._execute("UPDATE change SET is_done = 1 WHERE id = ?", change_id)

    def cancel(self, change_id: str) -> None:
        """Forget a change that was begun and surely not made."""
        self._execute("DELETE FROM change WHERE id = ? AND NOT is_done", change_id)

    def acquire(self, name: str, holder: str) -> bool:
        """Take the right to change something; ``False`` while another holder has it."""
        now = time.time()
        self._execute("DELETE FROM lock WHERE name = ? AND (holder = ? OR held_until < ?)", name, holder, now)
        added = self._execute("INSERT OR IGNORE INTO lock VALUES (?, ?, ?)", name, holder, now + _HELD)
        return added.rowcount == 1

    def release(self, name: str, holder: str) -> None:
        """Give the right back."""
        self._execute("DELETE FROM lock WHERE name = ? AND holder = ?", name, holder)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _change(change_id: str, entry: dict[str, Any]) -> Change:
    # Entries from before a rule's globs were kept have none.
    rule = rule_at(entry.pop("rule"), entry.pop("rule_match", ()))
    begun_at = datetime.fromisoformat(entry.pop("begun_at"))
    return Change(**entry, id=change_id, rule=rule, begun_at=begun_at)


@dataclass(frozen=True)
class Records:
    """The journal, what it has, and its locks."""

    journal: Journal
    locks: Locks
    history: History


@contextmanager
def open_journal(
    session: boto3.session.Session, stack_name: str, region: str, say: Callable[[str], None]
) -> Iterator[tuple[Journal, Locks]]:
    """Give the stack's journal and locks, or where none is deployed, those in a file; raises ``AwsError``."""
    with open_records(session, stack_name, region, say) as records:
        yield records.journal, records.locks


@contextmanager
def open_records(
    session: boto3.session.Session, stack_name: str, region: str, say: Callable[[str], None]
) -> Iterator[Records]:
    """Give the stack's journal with what it has, or where none is deployed, a file's; raises ``AwsError``."""
    stack = find_stack(session, stack_name, region)
    if stack is not None:
        # Many threads record changes at once.
        client = session.client("dynamodb", region_name=region, config=SWEEP_CONFIG)
        table = stack.journal_table
        yield Records(
            DynamoJournal(client, table),
            DynamoLocks(client, table, utc_now),
            DynamoHistory(client, table, utc_now),
        )
        return
    say(f"no stack {stack_name} in {region}: changes are recorded in {journal_path()}")
    with closing(FileJournal(journal_path())) as file:
        yield Records(file, file, file)
