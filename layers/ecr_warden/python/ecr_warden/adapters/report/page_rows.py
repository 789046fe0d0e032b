"""The rows as the page has them: what its table and plots need, and beside it all the rest as text.

A hundred thousand rows stay small in a browser, since it reads the rest of a row when somebody opens it.
"""

import json
from typing import Any

from ecr_warden.domain.finding_summary import FindingSeverity
from ecr_warden.domain.sweep.rows import RepositoryRow, encode_row


def page_line(row: RepositoryRow) -> str:
    """Write a row as a line: a JSON array, a tab, and the row as JSON. In JSON there is no tab."""
    head = [
        row.account,
        row.region,
        row.repository,
        row.owner or "",
        row.created_at and row.created_at.isoformat(),
        row.state.value,
        int(row.has_drifted),
        [[one.section, one.state.value, one.rule] for one in row.sections],
        dict(row.repair_counts),
        _images(row),
        _effect(row),
        _findings(row),
    ]
    return f"{json.dumps(head, separators=(',', ':'))}\t{encode_row(row)}\n"


def _images(row: RepositoryRow) -> list[Any] | None:
    found = row.images
    if found is None:
        return None
    last_pull = found.last_pull and found.last_pull.isoformat()
    return [
        found.images,
        found.standard_bytes,
        found.archive_bytes,
        found.never_pulled,
        found.never_pulled_bytes,
        last_pull,
    ]


def _effect(row: RepositoryRow) -> list[int] | None:
    found = row.lifecycle
    if found is None:
        return None
    return [
        found.expired,
        found.expired_bytes,
        found.archived,
        found.archived_bytes,
        found.left_out,
    ]


def _findings(row: RepositoryRow) -> list[Any] | None:
    found = row.vulnerabilities
    if found is None:
        return None
    by_severity = [found.counts.get(severity.value, ()) for severity in FindingSeverity]
    return [found.scanned, found.not_scanned, *by_severity]
