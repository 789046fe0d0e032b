"""The report as one JSON document, written row by row."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any, TextIO

from ecr_warden.domain.sweep.rows import RepositoryRow, encode_row
from ecr_warden.domain.sweep.storage_cost import PRICE_PER_GB_MONTH
from ecr_warden.domain.sweep.summary import RunSummary
from ecr_warden.domain.sweep.totals import ReportTotals


def write_json(
    out: TextIO,
    rows: Iterable[RepositoryRow],
    summary: RunSummary,
    *,
    price_per_gb_month: float = PRICE_PER_GB_MONTH,
) -> None:
    """Write ``{"summary": …, "rows": […], "totals": …}``, a row a line; the totals are known last."""
    totals = ReportTotals(price_per_gb_month)
    out.write(f'{{"summary": {summary_text(summary)},\n"rows": [')
    separator = "\n"
    for row in rows:
        totals.add(row)
        out.write(separator + encode_row(row)[:-1] + f',"state":"{row.state}"}}')
        separator = ",\n"
    out.write(f'\n],\n"totals": {json.dumps(totals.as_json())}}}\n')


def summary_text(summary: RunSummary) -> str:
    """Write a run's summary as JSON in ASCII."""
    plain: dict[str, Any] = asdict(summary) | {"is_partial": summary.is_partial}
    return json.dumps(plain, default=datetime.isoformat)
