"""The undo command: changes of the journal are taken back."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import click

from ecr_warden.domain.undoing import undoes
from ecr_warden.use_cases.undo_change import Status, Undone, look_at_changes, undo_all
from ecr_warden_cli.commands.changes import sides_of
from ecr_warden_cli.commands.common import check_askable, json_option, said_errors, to_json
from ecr_warden_cli.sweep.lines import value_lines

if TYPE_CHECKING:
    from ecr_warden_cli.account.undo import UndoAccount

_COLOURS: Final = {
    Status.POSSIBLE: "yellow",
    Status.UNDONE: "green",
    Status.IMPOSSIBLE: "red",
    Status.FAILED: "red",
}


@click.command()
@click.argument("changes", metavar="[CHANGE…]", nargs=-1)
@click.option("--run", help="All changes of a run: a sweep's, an apply's, or a native apply's; newest first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.option("--region", help="The stack's Region; without it, the session's.")
@click.option(
    "--stack-name",
    default="ecr-warden",
    show_default=True,
    help="The deployed stack, whose journal has the changes.",
)
@click.option("--role-name", help="The role by which changes of other accounts are taken back.")
@click.option("--external-id", help="What the trust of that role asks for.")
def undo(  # noqa: PLR0913  # one for each option
    changes: tuple[str, ...],
    *,
    run: str | None,
    yes: bool,
    as_json: bool,
    region: str | None,
    stack_name: str,
    role_name: str | None,
    external_id: str | None,
) -> None:
    """Take back changes, by their ids, or all of a run: settings, creation templates, quarantines.

    What somebody has changed since stays, and so does what was deleted: each is said. With an image index
    those of its platforms are taken back too. `ecr-warden history` has the ids.

    On the account that the usual credentials, profile and AWS_ENDPOINT_URL name, in all its Regions, by the
    stack's journal, or this machine's where no stack is deployed; other accounts by a role. Exit status 1 if
    any change is not taken back, also where the answer is no.
    """
    if bool(changes) == (run is not None):
        raise click.UsageError("give the ids of changes, or --run with the id of a run")
    check_askable(yes=yes, as_json=as_json)
    # boto3 takes a moment to import, which wrong usage need not wait for.
    from ecr_warden_cli.account.undo import open_account  # noqa: PLC0415

    opened = open_account(
        region,
        stack_name,
        lambda text: click.echo(text, err=True),
        role_name=role_name,
        external_id=external_id,
    )
    with said_errors(), opened as account:
        results = _undone(changes or _of_run(run or "", account), account, yes=yes, is_shown=not as_json)
    if as_json:
        click.echo(to_json({"changes": [_as_json(result) for result in results]}))
    raise SystemExit(int(not all(result.status.is_taken_back for result in results)))


def _of_run(run: str, account: "UndoAccount") -> tuple[str, ...]:
    """Give the ids of a run's changes, the newest first, so that what was changed twice comes back."""
    found = tuple(one.change.id for one in account.history.changes_in(run) if undoes(one.change) is None)
    if not found:
        raise click.ClickException(f"the journal has no changes of a run {run}: see ecr-warden history")
    return found


def _undone(
    changes: tuple[str, ...], account: "UndoAccount", *, yes: bool, is_shown: bool
) -> tuple[Undone, ...]:
    looked = look_at_changes(changes, account)
    if is_shown:
        for result in looked:
            _show(result)
    possible = sum(result.status is Status.POSSIBLE for result in looked)
    if possible and not yes and not click.confirm(f"Take back {possible} of {len(looked)}?"):
        click.echo("Nothing was changed.")
        return looked
    results = {result.change_id: result for result in looked}
    for result in undo_all(looked, account):
        results[result.change_id] = result
        if is_shown:
            _show(result)
    if is_shown and len(results) > 1:
        click.echo(_counted(results.values()))
    return tuple(results.values())


def _counted(results: Iterable[Undone]) -> str:
    counts = Counter(result.status for result in results)
    return f"{', '.join(f'{counts[status]} {status}' for status in Status if counts[status])}."


def _show(result: Undone) -> None:
    change = result.recorded and result.recorded.change
    about = (
        f" ({change.repository} {change.section}, {change.rule.file}:{change.rule.line})" if change else ""
    )
    click.secho(f"{result.status} {result.change_id}{about}", fg=_COLOURS.get(result.status))
    if change and result.status is Status.POSSIBLE:
        click.echo(f"    {sides_of(change, '←')}")
    for text in filter(None, (result.said, *_now_lines(result), result.next_step)):
        click.echo(f"    {text}")
    if result.status is Status.UNDONE:
        click.echo(f"    Recorded as the change {result.undo_id}.")


def _now_lines(result: Undone) -> list[str]:
    if result.now is None or result.recorded is None:
        return []
    return [f"    {line}" for line in value_lines(result.recorded.change.section, result.now)]


def _as_json(result: Undone) -> dict[str, Any]:
    recorded = result.recorded
    names = ("id", "repository", "section", "before", "after")
    return {
        "id": result.change_id,
        "status": result.status,
        "said": result.said,
        "next_step": result.next_step,
        "now": result.now,
        "undo_id": result.undo_id,
        "was_finished": recorded and recorded.is_done,
        "change": recorded and {name: getattr(recorded.change, name) for name in names},
    }
