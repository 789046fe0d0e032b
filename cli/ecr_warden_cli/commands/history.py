"""The history command: what was changed, by what, and whether it was taken back."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from ecr_warden.use_cases.history import State, Told, told
from ecr_warden_cli.commands.changes import sides_of
from ecr_warden_cli.commands.common import json_option, said_errors, to_json

if TYPE_CHECKING:
    from ecr_warden.ports import History
    from ecr_warden_cli.account.undo import UndoAccount

_DAYS: Final = re.compile(r"(\d{1,4})d", re.ASCII)
_SHOWN: Final = 100
_ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COLOURS: Final = {State.BEGUN: "yellow", State.TAKEN_BACK: "cyan"}


def _since(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    if found := _DAYS.fullmatch(value):
        return datetime.now(UTC) - timedelta(days=int(found.group(1)))
    try:
        time = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r} is neither a date or time, as in 2026-11-24, nor days, as in 7d"
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@click.command()
@click.argument("repository", required=False)
@click.option("--run", help="Only the changes of one run: a sweep's, an apply's, or a native apply's.")
@click.option("--section", help="Only one section of the policy, as in lifecycle.")
@click.option("--since", callback=_since, help="Only since a date or time (UTC), or for days, as in 7d.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=_SHOWN,
    show_default=True,
    help="At most so many; what is older is not read.",
)
@json_option
@click.option("--region", help="The stack's Region; without it, the session's.")
@click.option("--stack-name", default="ecr-warden", show_default=True, help="The deployed stack.")
def history(  # noqa: PLR0913  # one for each option
    repository: str | None,
    *,
    run: str | None,
    section: str | None,
    since: datetime | None,
    limit: int,
    as_json: bool,
    region: str | None,
    stack_name: str,
) -> None:
    """Show what was changed, newest first: of a REPOSITORY, in a run, or all.

    By the stack's journal, which keeps changes for 400 days, or this machine's where no stack is deployed.
    What native apply changed of the registry has the repository *. Without a repository or a run, each day
    that is looked through is a call, and so is each hundred changes.
    """
    # boto3 takes a moment to import, which wrong usage need not wait for.
    from ecr_warden_cli.account.undo import open_account  # noqa: PLC0415

    with said_errors(), open_account(region, stack_name, lambda text: click.echo(text, err=True)) as account:
        found = _found(account, repository, run, section, since or _ALWAYS)
        shown = islice(found, limit)
        if as_json:
            click.echo(to_json({"changes": [_as_json(one) for one in shown]}))
            return
        _show(shown, limit)


def _found(
    account: "UndoAccount", repository: str | None, run: str | None, section: str | None, since: datetime
) -> Iterator[Told]:
    entries = (
        one
        for one in _entries(account.history, repository, run, since)
        if section in {None, one.change.section}
        and repository in {None, one.change.repository}
        and one.change.begun_at >= since
    )
    return told(entries, account.journal)


def _entries(found: "History", repository: str | None, run: str | None, since: datetime) -> Iterator[Any]:
    if run is not None:
        return found.changes_in(run)
    return found.changes(since) if repository is None else found.changes_of(repository, since)


def _show(shown: Iterator[Told], limit: int) -> None:
    count = 0
    for count, one in enumerate(shown, 1):  # noqa: B007  # how many there were
        change = one.change
        head = f"{_time(change.begun_at)}  {change.id}  {change.section}  {change.repository}"
        click.secho(head, fg=_COLOURS.get(one.state))
        state = "" if one.state is State.DONE else f", {_state(one)}"
        click.echo(f"    {sides_of(change)}")
        click.echo(f"    {change.rule.file}:{change.rule.line}, {_cause(one)}{state}")
    if count == limit:
        click.echo(f"There may be more: these are the last {limit}. Give --limit for more.")
    elif not count:
        click.echo("No changes.")


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _cause(one: Told) -> str:
    if one.undoes is not None:
        return f"undo of {one.undoes}"
    return f"event {one.change.event_id}" if one.run is None else f"run {one.run}"


def _state(one: Told) -> str:
    if one.state is State.TAKEN_BACK:
        return f"taken back by {one.undo_id}"
    return "begun and never finished: it may be half done"


def _as_json(one: Told) -> dict[str, Any]:
    names = (
        "id",
        "account",
        "region",
        "repository",
        "section",
        "before",
        "after",
        "before_text",
        "rule",
        "event_id",
        "created_by",
        "begun_at",
    )
    return {
        **{name: getattr(one.change, name) for name in names},
        "state": one.state,
        "run": one.run,
        "undoes": one.undoes,
        "undo_id": one.undo_id,
    }
