"""The report command: every repository of a registry, as a page, a table or a document."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TextIO

import click

from ecr_warden.adapters.report import write_csv, write_html, write_json
from ecr_warden.adapters.report.row_file import RowFile
from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.sweep.rows import RepositoryRow, row_of
from ecr_warden.domain.sweep.storage_cost import PRICE_PER_GB_MONTH
from ecr_warden.domain.sweep.summary import RunSummary, Unseen
from ecr_warden.domain.sweep.tally import Tally
from ecr_warden.domain.sweep.totals import ReportTotals
from ecr_warden.wiring import utc_now
from ecr_warden_cli.commands.common import OUT_FILE, json_option, policy_option, read_policy, said_errors
from ecr_warden_cli.commands.progress import Progress
from ecr_warden_cli.commands.scope_options import open_accounts, scope_of, scope_options
from ecr_warden_cli.sweep.looking import Look
from ecr_warden_cli.sweep.plan_file import written_at_once
from ecr_warden_cli.sweep.stopping import INTERRUPTED, Stopping
from ecr_warden_cli.sweep.tally import counted

_PAGE: Final = Path("report.html")
_RUN: Final = "report"
_CENT: Final = 0.01


@click.command()
@policy_option
@scope_options
@click.option("--out", type=OUT_FILE, help="The page's file; without --csv and --json, report.html.")
@click.option("--csv", "table", type=OUT_FILE, help="Write a table, a repository a line, to a file.")
@click.option(
    "--price-per-gb-month",
    type=click.FloatRange(min=0),
    default=PRICE_PER_GB_MONTH,
    show_default=True,
    help="Dollars for a GB of standard storage and a month.",
)
@json_option
def report(
    policy: Path,
    *,
    as_json: bool,
    out: Path | None,
    table: Path | None,
    price_per_gb_month: float,
    **asked: Any,  # noqa: ANN401  # the options of a scope
) -> None:
    """Look at every repository and its images: what differs, what it costs, what scans found. Change nothing.

    Of the account that the usual credentials, profile and AWS_ENDPOINT_URL name. Exit status 1 where anything
    could not be looked at (the report says what, and has the rest), or no repository matches.
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
        # What could not be looked at might match.
        unmatched = [] if summary.is_partial else _unmatched(asked["repositories"], rows)
    if stopping.is_asked():
        raise SystemExit(INTERRUPTED)
    if unmatched:
        raise click.ClickException(f"no repository matches {', '.join(unmatched)}")
    raise SystemExit(int(summary.is_partial))


def _looked(  # noqa: PLR0913  # what is looked at, by what, and who is told
    policy: Policy, asked: dict[str, Any], rows: RowFile, stopping: Stopping, *, is_quiet: bool, price: float
) -> tuple[RunSummary, ReportTotals]:
    accounts = open_accounts(asked)
    now, tally, totals, unseen = utc_now(), Tally(), ReportTotals(price), []
    with Progress("repositories looked at", one="repository looked at", is_quiet=is_quiet) as progress:
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
    return replace(summary, scope=_narrowed(asked)), totals


def _narrowed(asked: dict[str, Any]) -> str:
    """Say what of the registries alone was asked for; accounts and Regions are in the report itself."""
    only = [
        f"{what} {', '.join(values)}"
        for what, values in (
            ("repositories that match", asked["repositories"]),
            ("the sections", asked["sections"]),
            ("rules in mode", (asked["mode"],) if asked["mode"] else ()),
        )
        if values
    ]
    return f"only {' and '.join(only)}" if only else ""


def _unmatched(globs: Iterable[str], rows: Iterable[RepositoryRow]) -> list[str]:
    left = list(globs)
    for row in rows if left else ():
        left = [one for one in left if not matches_glob(one, row.repository)]
        if not left:
            break
    return left


def _write(path: Path, write: Callable[[TextIO], None]) -> None:
    # Each writer says itself how its lines end: a table's end as its format has it, whatever the system.
    with written_at_once(path, newline="") as file:
        write(file)


def _say(summary: RunSummary, totals: ReportTotals, paths: list[Path]) -> None:
    share = totals.compliant_share
    well = "" if share is None else f", {share:.0%} of them as the policy wants"
    scope = f" ({summary.scope})" if summary.scope else ""
    click.echo(f"{counted(totals.repositories, 'repository', 'repositories')}{scope}{well}")
    if totals.images:
        click.echo(
            f"{counted(totals.images, 'image', 'images')} for {_dollars(totals.monthly_cost)} a month at "
            f"most, of which lifecycle rules would save {_dollars(totals.monthly_savings)}; "
            f"{totals.never_pulled} never pulled; {_findings(totals)}"
        )
    elif totals.repositories:
        click.echo("no images")
    for one in summary.unseen:
        click.secho(f"not looked at: {one.what} in {one.place}: {one.why}", fg="red")
    for path in paths:
        click.echo(f"written: {path}")


def _dollars(value: float) -> str:
    return "under $0.01" if 0 < value < _CENT else f"${value:,.2f}"


def _findings(totals: ReportTotals) -> str:
    if not totals.scanned:
        return "no image has a scan"
    return f"{totals.findings['critical']} critical and {totals.findings['high']} high findings"
