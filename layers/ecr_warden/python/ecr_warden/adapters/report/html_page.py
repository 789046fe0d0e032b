"""The report as a page: one file, which loads nothing and runs no script but its own."""

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
from typing import Final, TextIO

from ecr_warden.adapters.report.json_file import summary_text
from ecr_warden.adapters.report.page_rows import page_line
from ecr_warden.domain.sweep.rows import RepositoryRow
from ecr_warden.domain.sweep.storage_cost import PRICE_PER_GB_MONTH, PRICES_AS_OF
from ecr_warden.domain.sweep.summary import RunSummary

# Base64 has four signs for three bytes: what is a multiple of three needs no filling.
_STEP: Final = 3 * 1024 * 16
_GZIP: Final = 31


def write_html(
    out: TextIO,
    rows: Iterable[RepositoryRow],
    summary: RunSummary,
    *,
    price_per_gb_month: float = PRICE_PER_GB_MONTH,
) -> None:
    """Write the page. Its data is compressed, in an alphabet that ends no element: no name is ever HTML."""
    style, script = _file("page.css"), _file("page.js")
    before, after = _file("page.html").split("<!-- data -->")
    out.write(
        before.replace("<!-- policy -->", escape(_policy(style, script)))
        .replace("<!-- said -->", escape(_said(summary)))
        .replace("<!-- style -->", f"<style>{style}</style>")
    )
    # No browser takes a script of this type for one: it is data.
    out.write('<script type="application/gzip" id="data">')
    first = json.dumps({"price": price_per_gb_month, "prices_as_of": PRICES_AS_OF})
    lines = _lines(f"{summary_text(summary)}\n{first}\n", rows)
    out.writelines(_encoded(lines))
    out.write("</script>\n")
    out.write(after.replace("<!-- script -->", f"<script>{script}</script>"))


def _file(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Give the Content Security Policy: only this very style and script, and nothing from anywhere."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _said(summary: RunSummary) -> str:
    repositories = f"{summary.repositories} repositor{'y' if summary.repositories == 1 else 'ies'}"
    scope = f"; {summary.scope}" if summary.scope else ""
    return f"{repositories}, {summary.ended_at:%Y-%m-%d %H:%M} UTC, run {summary.run}{scope}"


def _lines(first: str, rows: Iterable[RepositoryRow]) -> Iterator[bytes]:
    yield first.encode()
    for row in rows:
        yield page_line(row).encode()


def _encoded(lines: Iterable[bytes]) -> Iterator[str]:
    packer = zlib.compressobj(wbits=_GZIP)
    waiting = bytearray()
    for line in lines:
        waiting += packer.compress(line)
        if len(waiting) >= _STEP:
            yield base64.b64encode(waiting[:_STEP]).decode()
            del waiting[:_STEP]
    yield base64.b64encode(waiting + packer.flush()).decode()
