"""The report as a table: a repository a line, for spreadsheets."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, TextIO

from ecr_warden.domain.finding_summary import FindingSeverity
from ecr_warden.domain.sweep.rows import RepositoryRow, SectionRow, State
from ecr_warden.domain.sweep.storage_cost import PRICE_PER_GB_MONTH, monthly_cost
from ecr_warden.domain.sweep.visits import RepairStatus
from ecr_warden.use_cases.sweep.ports import SWEPT_SECTIONS

# What makes a spreadsheet take a text for a formula; some skip white space before it.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_SEVERITIES: Final = tuple(one.value for one in FindingSeverity)
_COLUMNS: Final = (
    "account",
    "region",
    "repository",
    "owner",
    "created_at",
    "state",
    "problem",
    *SWEPT_SECTIONS,
    "differences",
    *(f"repairs_{one}" for one in RepairStatus),
    "images",
    "tagged_images",
    "never_pulled_images",
    "never_pulled_bytes",
    "standard_bytes",
    "archive_bytes",
    "monthly_cost_at_most",
    "lifecycle_expires_images",
    "lifecycle_expires_bytes",
    "lifecycle_archives_images",
    "lifecycle_archives_bytes",
    "monthly_savings_at_most",
    "oldest_push",
    "last_push",
    "last_pull",
    "scanned_images",
    "unscanned_images",
    *_SEVERITIES,
)
_TIMES: Final = ("oldest_push", "last_push", "last_pull")
_BAD: Final = (State.FAILED, State.UNREAD, State.VIOLATION, State.DIFFERS)
_Field = str | int | float | None


def write_csv(
    out: TextIO, rows: Iterable[RepositoryRow], *, price_per_gb_month: float = PRICE_PER_GB_MONTH
) -> None:
    """Write a line for each repository below one of names; what is not known is empty.

    ``out`` must leave line ends as they are: open a file with ``newline=""``.
    """
    table = csv.writer(out)
    table.writerow(_COLUMNS)
    for row in rows:
        table.writerow([_harmless(value) for value in _fields(row, price_per_gb_month)])


def _harmless(value: _Field) -> _Field:
    """Let no spreadsheet take a text for a formula, as people who name things may want it to."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def _fields(row: RepositoryRow, price: float) -> Iterator[_Field]:
    yield from (row.account, row.region, row.repository, row.owner, _time(row.created_at))
    yield from (row.state.value, row.problem)
    for section in SWEPT_SECTIONS:
        yield _worst([one for one in row.sections if one.section == section])
    yield "; ".join(f"{one.section}: {one.what} ({one.rule})" for one in row.sections if one.state in _BAD)
    yield from (row.repair_counts.get(one, 0) for one in RepairStatus)
    yield from _images(row, price)
    yield from _findings(row)


def _worst(sections: list[SectionRow]) -> str:
    order = tuple(State)
    return min((one.state for one in sections), key=order.index).value if sections else ""


def _images(row: RepositoryRow, price: float) -> Iterator[_Field]:
    images, effect = row.images, row.lifecycle
    if images is None:
        yield from [None] * 7
    else:
        yield from (images.images, images.tagged, images.never_pulled, images.never_pulled_bytes)
        yield from (images.standard_bytes, images.archive_bytes, _dollars(images.size, price))
    if effect is None:
        yield from [None] * 5
    else:
        yield from (effect.expired, effect.expired_bytes, effect.archived, effect.archived_bytes)
        yield _dollars(effect.expired_bytes, price)
    yield from (None if images is None else _time(getattr(images, name)) for name in _TIMES)


def _findings(row: RepositoryRow) -> Iterator[_Field]:
    found = row.vulnerabilities
    if found is None:
        yield from [None] * (2 + len(_SEVERITIES))
        return
    yield from (found.scanned, found.not_scanned)
    yield from (found.of(severity) for severity in _SEVERITIES)


def _dollars(size: int, price: float) -> float:
    return round(monthly_cost(size, price), 4)


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
