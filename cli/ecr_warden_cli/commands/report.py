"""The report command: every repository of a registry, as a page, a table or a document."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TextIO

import click

from ecr_warden.adapters.report import write_csv, write_html, write_json
from ecr_warden.adapters.report.row_file import RowFile
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.sweep.rows import row_of
from ecr_warden.domain.sweep.storage_cost import PRICE_PER_GB_MONTH
from ecr_warden.domain.sweep.summary import RunSummary, Unseen
from ecr_warden.domain.sweep.tally import Tally
from ecr_warden.domain.sweep.totals import ReportTotals
from ecr_warden.wiring import utc_now
from ecr_warden_cli.commands.common import json_option, policy_option, read_policy, said_errors
from ecr_warden_cli.commands.progress import Progress
from ecr_warden_cli.commands.scope_options import open_accounts, scope_of, scope_options
from ecr_warden_cli.sweep.looking import Look
from ecr_warden_cli.sweep.plan_file import written_at_once
from ecr_warden_cli.sweep.stopping import INTERRUPTED, Stopping

_PAGE: Final = Path("report.html")
_RUN: Final = "report"
_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.command()
@policy_option
@scope_options
@click.option("--out", type=_FILE, help="The page's file; without --csv and --json, report.html.")
@click.option("--csv", "table", type=_FILE, help="Write a table, a repository a line, to a file.")
@click.option(
    "--price-per-gb-month",
    type=click.FloatRange(min=0),
    default=PRICE_PER_GB_MONTH,
    show_default=True,
    help="Dollars for a GB of standard storage and a month.",
)
@json_option
def report(  # noqa: PLR0913  # one for each option
    policy: Path,
    *,
    as_json: bool,
    is_verbose: bool,  # noqa: ARG001  # the page has everything; it takes what plan takes
    out: Path | None,
    table: Path | None,
    price_per_gb_month: float,
    **asked: Any,  # noqa: ANN401  # the options of a scope
) -> None:
    """Look at every repository and its images: what differs, what it costs, what scans found. Change nothing.

    Of the account that the usual credentials, profile and AWS_ENDPOINT_URL name. Exit status 1 where anything
    could not be looked at: the report says what, and has the rest.
    """
    checked = read_policy(policy)
    page = out or (None if table or as_json else _PAGE)
    with said_errors(), Stopping() as stopping, RowFile() as rows:
        summary, totals = _looked(checked, asked, rows, stopping, is_quiet=as_json, price=price_per_gb_month)
        if page:
            _write(page, lambda file: write_html(file, rows, summary, price_per_gb_month=price_per_gb_month))
        if table:
            _write(table, lambda file: write_csv(file, rows, price_per_gb_month=price_per_gb_month))
        if as_json:
            write_json(sys.stdout, rows, summary, price_per_gb_month=price_per_gb_month)
        else:
            _say(summary, totals, [path for path in (page, table) if path])
    if stopping.is_asked():
        raise SystemExit(INTERRUPTED)
    raise SystemExit(int(summary.is_partial))


def _looked(  # noqa: PLR0913  # what is looked at, by what, and who is told
    policy: Policy, asked: dict[str, Any], rows: RowFile, stopping: Stopping, *, is_quiet: bool, price: float
) -> tuple[RunSummary, ReportTotals]:
    accounts = open_accounts(asked)
    now, tally, totals, unseen = utc_now(), Tally(), ReportTotals(price), []
    with Progress("repositories looked at", is_quiet=is_quiet) as progress:
        look = Look(
            policy=policy,
            places=accounts.places,
            open_place=accounts.looking,
            scope=replace(scope_of(asked), with_images=True, with_owners=True),
            now=now,
            is_stopped=stopping.is_asked,
            counted=progress.set_total,
        )
        for found in look.visits():
            if isinstance(found, Unseen):
                unseen.append(found)
                continue
            row = row_of(found, (), policy=policy, now=now)
            rows.add(row)
            tally.add(row)
            totals.add(row)
            progress.advance()
    if stopping.is_asked():
        unseen.append(Unseen("the run", "all that came after", "somebody stopped it"))
    summary = tally.summary(_RUN, started_at=now, ended_at=utc_now(), places=accounts.places, unseen=unseen)
    return summary, totals


def _write(path: Path, write: Callable[[TextIO], None]) -> None:
    with written_at_once(path) as file:
        write(file)


def _say(summary: RunSummary, totals: ReportTotals, paths: list[Path]) -> None:
    share = totals.compliant_share
    well = "" if share is None else f", {share:.0%} of them as the policy wants"
    click.echo(f"{totals.repositories} repositor{'y' if totals.repositories == 1 else 'ies'}{well}")
    click.echo(
        f"{totals.images} images for ${totals.monthly_cost:,.2f} a month at most, of which lifecycle rules "
        f"would save ${totals.monthly_savings:,.2f}; {totals.never_pulled} never pulled; "
        f"{totals.findings['critical']} critical and {totals.findings['high']} high findings"
    )
    for one in summary.unseen:
        click.secho(f"not looked at: {one.what} in {one.place}: {one.why}", fg="red")
    for path in paths:
        click.echo(f"written: {path}")
