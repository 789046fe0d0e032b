"""The undo command: changes of the journal are taken back."""

from typing import TYPE_CHECKING, Any, Final

import click

from ecr_warden.use_cases.undo_change import Status, Undone, look_at_changes, undo_change
from ecr_warden_cli.commands.common import check_askable, json_option, said_errors, to_json
from ecr_warden_cli.commands.showing import side_of_change

if TYPE_CHECKING:
    from ecr_warden_cli.account.undo import UndoAccount

_COLOURS: Final = {
    Status.POSSIBLE: "yellow",
    Status.UNDONE: "green",
    Status.IMPOSSIBLE: "red",
    Status.FAILED: "red",
}


@click.command()
@click.argument("changes", metavar="CHANGE…", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.option("--region", help="The changes' Region; without it, the session's.")
@click.option(
    "--stack-name",
    default="ecr-warden",
    show_default=True,
    help="The deployed stack, whose journal has the changes.",
)
def undo(changes: tuple[str, ...], *, yes: bool, as_json: bool, region: str | None, stack_name: str) -> None:
    """Take back changes, by their ids: quarantines of images and of tags.

    With an image index those of its platforms are taken back too.

    On the account that the usual credentials, profile and AWS_ENDPOINT_URL name, by the stack's journal, or
    this machine's where no stack is deployed. Exit status 1 if any change is not taken back.
    """
    check_askable(yes=yes, as_json=as_json)
    # boto3 takes a moment to import, which wrong usage need not wait for.
    from ecr_warden_cli.account.undo import open_account  # noqa: PLC0415

    with said_errors(), open_account(region, stack_name, lambda text: click.echo(text, err=True)) as account:
        results = _undone(changes, account, yes=yes, is_shown=not as_json)
    if as_json:
        click.echo(to_json({"changes": [_as_json(result) for result in results]}))
    raise SystemExit(int(not all(result.status.is_taken_back for result in results)))


def _undone(
    changes: tuple[str, ...], account: "UndoAccount", *, yes: bool, is_shown: bool
) -> tuple[Undone, ...]:
    looked = look_at_changes(changes, account.place, account)
    if is_shown:
        for result in looked:
            _show(result)
    possible = sum(result.status is Status.POSSIBLE for result in looked)
    if not possible:
        return looked
    if not yes and not click.confirm(f"Take back {possible} of {len(looked)}?"):
        click.echo("Nothing was changed.")
        return looked
    results = []
    for result in looked:
        if result.status is Status.POSSIBLE:
            # Looked at anew: while people think, somebody may change what it rests on.
            result = undo_change(result.change_id, account.place, account)  # noqa: PLW2901
            if is_shown:
                _show(result)
        results.append(result)
    return tuple(results)


def _show(result: Undone) -> None:
    change = result.recorded and result.recorded.change
    about = (
        f" ({change.repository} {change.section}, {change.rule.file}:{change.rule.line})" if change else ""
    )
    click.secho(f"{result.status} {result.change_id}{about}", fg=_COLOURS.get(result.status))
    if change and result.status is Status.POSSIBLE:
        click.echo(f"    {side_of_change(change.before)} ← {side_of_change(change.after)}")
    for text in (result.said, result.next_step):
        if text:
            click.echo(f"    {text}")
    if result.status is Status.UNDONE:
        click.echo(f"    Recorded as the change {result.undo_id}.")


def _as_json(result: Undone) -> dict[str, Any]:
    recorded = result.recorded
    names = ("id", "repository", "section", "before", "after")
    return {
        "id": result.change_id,
        "status": result.status,
        "said": result.said,
        "next_step": result.next_step,
        "undo_id": result.undo_id,
        "was_finished": recorded and recorded.is_done,
        "change": recorded and {name: getattr(recorded.change, name) for name in names},
    }
