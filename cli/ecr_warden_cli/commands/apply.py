"""The apply command: what a plan found is changed, as far as it is still as it was planned."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from ecr_warden.domain.policy import Policy
from ecr_warden.domain.sweep.visits import Repair
from ecr_warden.use_cases.sweep.ports import Scope
from ecr_warden_cli.commands.common import (
    POLICY_FILE,
    check_askable,
    json_option,
    read_policy,
    said_errors,
)
from ecr_warden_cli.commands.progress import Progress
from ecr_warden_cli.commands.scope_options import (
    has_judgement,
    open_accounts,
    scope_of,
    scope_options,
    unmatched_text,
    verbose_option,
)
from ecr_warden_cli.native_diff import Line
from ecr_warden_cli.sweep.changing import Changing
from ecr_warden_cli.sweep.gathering import Gathering, read_into
from ecr_warden_cli.sweep.lines import repair_lines
from ecr_warden_cli.sweep.plan_file import (
    CHANGES,
    Document,
    PlanHead,
    encode_judgement,
    read_head,
    read_items,
)
from ecr_warden_cli.sweep.planning import digest_of, head_of, look_into
from ecr_warden_cli.sweep.screen import Screen
from ecr_warden_cli.sweep.stopping import INTERRUPTED, Stopping
from ecr_warden_cli.sweep.tally import Done, counted

if TYPE_CHECKING:
    from ecr_warden_cli.account.sweep import SweepAccounts

_DEFAULT_POLICY = "policy.yaml"
_STACK = "ecr-warden"


@dataclass(frozen=True)
class _Command:
    """One run of the command."""

    asked: dict[str, Any]
    scope: Scope
    policy: Policy
    policy_file: Path
    plan_file: Path | None
    accounts: "SweepAccounts"
    stack_name: str
    screen: Screen
    document: Document
    as_json: bool
    is_verbose: bool
    yes: bool


@click.command()
@click.argument("plan_file", metavar="[PLAN]", required=False, type=POLICY_FILE)
@click.option(
    "--policy", type=POLICY_FILE, help=f"The policy file; without it, the plan's, or {_DEFAULT_POLICY}."
)
@scope_options
@verbose_option
@click.option(
    "--stack-name",
    default=_STACK,
    show_default=True,
    help="The deployed stack, in whose journal the changes are recorded.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def apply(  # noqa: PLR0913  # one for each option
    plan_file: Path | None,
    policy: Path | None,
    *,
    as_json: bool,
    is_verbose: bool,
    yes: bool,
    stack_name: str,
    **asked: Any,  # noqa: ANN401  # what the options gave, of which scope_options makes values
) -> None:
    """Show a plan, ask, and make its changes; each is journaled.

    PLAN is a file that plan --out wrote; without it, a plan is made. What somebody changed since is left
    alone. Ctrl-C stops between two changes; run it again to go on.

    The exit status is 1 if anything failed, was skipped, or was not looked at, or no repository matches. It
    is 0 otherwise: also where the answer is no, and where all is in audit mode, of which nothing is changed.
    """
    with said_errors():
        head = None if plan_file is None else read_head(plan_file)
        check_askable(yes=yes, as_json=as_json)
        policy_file = _policy_file(policy, head)
        checked = read_policy(policy_file)
        command = _Command(
            asked=asked,
            scope=scope_of(asked),
            policy=checked,
            policy_file=policy_file,
            plan_file=plan_file,
            accounts=open_accounts(asked, None if head is None else head.places),
            stack_name=stack_name,
            screen=Screen(is_silent=as_json),
            document=Document([sys.stdout] if as_json else []),
            as_json=as_json,
            is_verbose=is_verbose,
            yes=yes,
        )
        if head is not None and head.policy_digest not in {None, digest_of(checked)}:
            command.screen.say_aside(
                f"{plan_file} was made by another policy than {policy_file} is now: what that does not ask "
                "for is left alone. To change all that it asks for, plan again."
            )
        status = _run(command)
    raise SystemExit(status)


def _policy_file(policy: Path | None, head: PlanHead | None) -> Path:
    if policy is not None:
        return policy
    found = Path(_DEFAULT_POLICY if head is None else head.policy)
    if not found.is_file():
        raise click.UsageError(f"there is no policy file {found} here: give --policy")
    return found


def _run(command: _Command) -> int:
    document = command.document
    document.begin(head_of(command.policy_file, command.policy, command.accounts.places))
    document.begin_array(CHANGES)
    shown = Gathering(
        command.screen.show, document, is_verbose=command.is_verbose, globs=command.scope.repositories
    )
    with shown as gathering:
        if _is_stopped_while_gathering(command, gathering):
            return INTERRUPTED
        gathering.write_rest()
        gathering.show_end()
        tally = gathering.tally
        if gathering.unmatched:
            document.end({"counts": tally.known(), "unmatched": gathering.unmatched})
            raise click.ClickException(f"{unmatched_text(gathering)}: nothing was changed")
        if tally.in_audit:
            command.screen.show([Line("", _audit_text(tally.in_audit))])
        if tally.to_apply and not command.yes and not _is_wanted(tally.to_apply):
            return int(tally.unseen > 0)
        return _change(command, gathering)


def _is_stopped_while_gathering(command: _Command, gathering: Gathering) -> bool:
    if command.plan_file is not None:
        places = command.accounts.places
        items = read_items(command.plan_file)
        read_into(gathering, items, lambda one: has_judgement(command.scope, places, one))
        return False
    with Stopping() as stopping:
        look_into(
            gathering,
            command.policy,
            command.scope,
            command.accounts.places,
            command.accounts.looking,
            screen=command.screen,
            stopping=stopping,
            is_quiet=command.as_json,
        )
        if stopping.is_asked():
            gathering.show_end()
            click.echo("Stopped: nothing was changed. Run it again.", err=True)
        return stopping.is_asked()


def _audit_text(count: int) -> str:
    are = "is" if count == 1 else "are"
    return f"{count} {are} in audit mode, and not applied: give the rule mode: enforce for that."


def _is_wanted(count: int) -> bool:
    wanted = click.confirm(f"Apply {counted(count, 'change', 'changes')}?")
    if not wanted:
        click.echo("Nothing was changed.")
    return wanted


def _change(command: _Command, gathering: Gathering) -> int:
    run, done, tally = f"apply-{uuid4()}", Done(), gathering.tally
    command.document.begin_array("results")
    with Stopping() as stopping:
        for repair in _repairs(command, gathering, run, stopping) if tally.to_apply else ():
            done.add(repair)
            command.document.add(_result_json(repair))
            command.screen.show(repair_lines(repair))
        done.left = tally.to_apply - sum(done.statuses.values())
        is_stopped = stopping.is_asked()
    undo = _undo_command(command, run) if done.has_written else None
    command.document.end({"counts": tally.known(), "done": done.known(), "run": run, "undo": undo})
    _show_done(command, done, undo)
    if is_stopped:
        click.echo("Stopped: run it again to go on.", err=True)
        return INTERRUPTED
    return int(not done.is_well or tally.unseen > 0)


def _repairs(command: _Command, gathering: Gathering, run: str, stopping: Stopping) -> Iterator[Repair]:
    with ExitStack() as parts:
        opened = parts.enter_context(command.accounts.changing(command.stack_name, command.screen.say_aside))
        changing = Changing(command.policy, run, opened, stopping.is_asked)
        progress = parts.enter_context(
            Progress("changes made", is_quiet=command.as_json, total=gathering.tally.to_apply)
        )
        command.screen.aside = progress.hidden
        for is_documents, changes in gathering.to_apply():
            made = changing.documents(changes) if is_documents else changing.repositories(changes)
            for repair in made:
                yield repair
                progress.advance()


def _show_done(command: _Command, done: Done, undo: str | None) -> None:
    lines = [Line("", ""), Line("", str(done))]
    if undo is not None:
        lines.append(Line("", f"Take it back: {undo}"))
    if not done.is_well and not done.left:
        lines.append(Line("", "What was skipped or failed is there still: plan again."))
    command.screen.show(lines)


def _undo_command(command: _Command, run: str) -> str:
    asked = command.asked
    stack_name = None if command.stack_name == _STACK else command.stack_name
    options = {
        "--run": run,
        "--region": next(iter(asked["regions"]), None),
        "--stack-name": stack_name,
        "--role-name": asked["role_name"],
        "--external-id": asked["external_id"],
    }
    said = (f"{name} {quote(value)}" for name, value in options.items() if value)
    return " ".join(["ecr-warden undo", *said])


def _result_json(repair: Repair) -> dict[str, Any]:
    return {
        **encode_judgement(repair.judgement),
        "status": repair.status,
        "said": repair.said,
        "change_id": repair.change_id,
    }
