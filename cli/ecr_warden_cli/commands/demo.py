"""The demo command."""

import json
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ecr_warden_cli.commands.common import json_option, read_policy
from ecr_warden_cli.commands.showing import console, show_caused

if TYPE_CHECKING:
    from ecr_warden_cli.demo.day import Shown
    from ecr_warden_cli.demo.sweep import Sweep

# Of what befell many repositories.
_MOST: Final = 6
# The worst first, by the states of a report's rows, whose words these are.
_STATES: Final = {
    "failed": "repair failed",
    "unread": "not read",
    "violation": "needs a person",
    "differs": "differs from the policy",
    "kept": "kept as its owner chose",
    "repaired": "repaired",
    "exempt": "exempt",
    "compliant": "as the policy wants it",
    "undecided": "no rule is for it",
    "gone": "deleted meanwhile",
}


@click.command()
@json_option
def demo(*, as_json: bool) -> None:
    """Run the main job in an embedded AWS and show what each event caused. Exit status 0 if all was right."""
    out = console()
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        # On a terminal the steps and the progress share one console, or they would overwrite each other.
        console=out if out.is_terminal and not as_json else Console(stderr=True),
        transient=True,
    )
    with progress:
        task = progress.add_task("Starting an AWS in this process", total=None)
        # It takes seconds to import, and is to be seen doing so.
        from ecr_warden_cli.demo.day import POLICY, Demo  # noqa: PLC0415
        from ecr_warden_cli.local.aws import local_aws  # noqa: PLC0415

        policy = read_policy(POLICY, name=POLICY.name)
        with local_aws(policy) as aws:
            steps = Demo(aws, policy)
            progress.update(task, total=len(steps.steps), description="Events")
            shown = []
            for step in steps.run():
                progress.advance(task)
                progress.update(task, description=step.title)
                shown.append(step)
                if not as_json:
                    out.print()
                    show_caused(out, step.caused, title=f"{len(shown)}. {step.title}", most=_MOST)
    if as_json:
        steps_as_json = [
            {"title": step.title, "problems": step.problems, **step.caused.as_json()} for step in shown
        ]
        click.echo(
            json.dumps(
                {
                    "steps": steps_as_json,
                    "ok": not any(s.problems for s in shown),
                    "report": str(steps.sweep.report),
                },
                default=str,
            )
        )
    else:
        _summary(out, shown)
        _sweep(out, steps.sweep)
        out.print(f"\n{sum(not step.problems for step in shown)} of {len(shown)} steps went as they should.")
    raise SystemExit(int(any(step.problems for step in shown)))


def _sweep(out: Console, sweep: "Sweep") -> None:
    """Show how the swept repositories were, how they are, and where the report is."""
    table = Table(
        title=f"The sweep's {len(sweep.rows)} repositories",
        title_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("")
    for column in ("found", "left"):
        table.add_column(column, justify="right")
    before, after = sweep.before(), sweep.after()
    for state, words in _STATES.items():
        if before[state] or after[state]:
            table.add_row(words, str(before[state]), str(after[state]))
    out.print()
    out.print(table)
    out.print(f"\nThe sweep's report: {sweep.report.as_uri()}", soft_wrap=True)


def _summary(out: Console, shown: list["Shown"]) -> None:
    table = Table(title="What came of it", title_justify="left", show_edge=False, pad_edge=False)
    for column in ("", "step", "changes", "told", "as it should be"):
        table.add_column(column)
    for number, step in enumerate(shown, 1):
        told = ", ".join(message.channel for message in step.caused.messages) or "nobody"
        verdict = "[red]no: " + "; ".join(step.problems) if step.problems else "[green]yes"
        table.add_row(str(number), step.title, str(len(step.caused.changes)), told, verdict)
    out.print()
    out.print(table)
