"""A journal in a file of this machine, for an account in which no stack is deployed."""

import json
import os
import sqlite3
from pathlib import Path

from ecr_warden.domain.images import Change
from ecr_warden.ports import Progress


def journal_path() -> Path:
    """Give the file's place: ``$XDG_STATE_HOME/ecr-warden/journal.sqlite3``."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "ecr-warden" / "journal.sqlite3"


class FileJournal:
    """Every change, under its id; SQLite makes two commands at once as safe as DynamoDB's conditions do."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS change"
            " (id TEXT PRIMARY KEY, is_done INTEGER NOT NULL, entry TEXT NOT NULL)"
        )

    def begin(self, change: Change) -> Progress:
        """Record a change that is about to be made; ``NEW`` if nobody has recorded it before."""
        entry = {
            "account": change.account,
            "region": change.region,
            "repository": change.repository,
            "section": change.section,
            "before": change.before,
            "after": change.after,
            "event_id": change.event_id,
            "rule": f"{change.rule.file}:{change.rule.line}",
            "begun_at": change.begun_at.isoformat(),
        }
        added = self._database.execute(
            "INSERT OR IGNORE INTO change VALUES (?, 0, ?)", (change.id, json.dumps(entry))
        )
        return Progress.NEW if added.rowcount else self.progress(change.id)

    def progress(self, change_id: str) -> Progress:
        """Tell how far a change is; ``NEW`` if it is not recorded."""
        row = self._database.execute("SELECT is_done FROM change WHERE id = ?", (change_id,)).fetchone()
        if row is None:
            return Progress.NEW
        return Progress.DONE if row[0] else Progress.BEGUN

    def finish(self, change_id: str) -> None:
        """Record that a change is made."""
        self._database.execute("UPDATE change SET is_done = 1 WHERE id = ?", (change_id,))

    def cancel(self, change_id: str) -> None:
        """Forget a change that was begun and surely not made."""
        self._database.execute("DELETE FROM change WHERE id = ? AND NOT is_done", (change_id,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()
