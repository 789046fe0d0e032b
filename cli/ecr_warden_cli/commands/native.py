"""The native commands: what ECR can do by itself, shown as a diff and written."""

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

import click

from ecr_warden.domain.runs import event_id_of
from ecr_warden.domain.settings.native import NativeChange, NativePlan
from ecr_warden.use_cases.apply_native import NativeResult, Status, apply_native
from ecr_warden.use_cases.plan_native import plan_native
from ecr_warden_cli.commands.common import (
    check_askable,
    json_option,
    policy_option,
    read_policy,
    said_errors,
    to_json,
)
from ecr_warden_cli.native_diff import Line, Sign, name_of, plan_lines

if TYPE_CHECKING:
    from ecr_warden_cli.account.native import NativeAccount

_COLOURS: Final = {"+": "green", "-": "red", "~": "yellow"}
_SIGNS: Final[dict[Status, Sign]] = {Status.APPLIED: "+", Status.FAILED: "-", Status.SKIPPED: "~"}
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+", re.ASCII)
_Command = TypeVar("_Command", bound=Callable[..., None])


def _role(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _ROLE_ARN.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no role's ARN, as in arn:aws:iam::123456789012:role/ecr")
    return value


def _options(command: _Command) -> _Command:
    """Add what both commands take, so that what was planned is applied by changing one word."""
    for option in (
        click.option(
            "--stack-name",
            default="ecr-warden",
            show_default=True,
            help="The deployed stack, in whose journal apply records its changes.",
        ),
        click.option(
            "--role-arn",
            callback=_role,
            help="The role for ECR to assume where a template sets resource tags or encrypts with KMS. A "
            "template's own role stays.",
        ),
        click.option("--region", help="The registry's Region; without it, the session's."),
        json_option,
        policy_option,
    ):
        command = option(command)
    return command


@click.group()
def native() -> None:
    """Let ECR itself do what it can: creation templates, the registry's scanning and replication.

    On the account that the usual credentials, profile and AWS_ENDPOINT_URL name. A template is for the
    repositories that ECR creates itself: for a pull through cache, on push, by replication.
    """


@native.command()
@_options
def plan(
    policy: Path,
    *,
    as_json: bool,
    region: str | None,
    role_arn: str | None,
    stack_name: str,  # noqa: ARG001  # a plan records nothing; it takes what apply takes
) -> None:
    """Show what apply would change, what stays as somebody chose it, and what ECR cannot do.

    The exit status is 0 with changes, too.
    """
    checked = read_policy(policy)
    with said_errors():
        account = _account(region)
        planned = plan_native(checked, account.place, role_arn=role_arn, ports=account.ports)
    if as_json:
        click.echo(to_json(_plan_json(planned)))
    else:
        _show(plan_lines(planned))


@native.command()
@_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def apply(  # noqa: PLR0913  # one for each option
    policy: Path,
    *,
    as_json: bool,
    region: str | None,
    role_arn: str | None,
    stack_name: str,
    yes: bool,
) -> None:
    """Show what plan shows, ask, and write it; each change is journaled.

    What somebody changed meanwhile is left alone. Exit status 1 if anything failed.
    """
    check_askable(yes=yes, as_json=as_json)
    checked = read_policy(policy)
    with said_errors():
        account = _account(region)
        planned = plan_native(checked, account.place, role_arn=role_arn, ports=account.ports)
        if not as_json:
            _show(plan_lines(planned))
        if planned.changes and not yes and not click.confirm("Apply?"):
            click.echo("Nothing was changed.")
            return
        results = _applied(planned, account, stack_name)
    if as_json:
        click.echo(to_json(_plan_json(planned) | _results_json(results)))
    else:
        _show(map(_result_line, results))
    raise SystemExit(int(any(result.status is Status.FAILED for result in results)))


def _account(region: str | None) -> "NativeAccount":
    # boto3 takes a moment to import, which a policy with errors need not wait for.
    from ecr_warden_cli.account.native import open_account  # noqa: PLC0415

    return open_account(region)


def _applied(planned: NativePlan, account: "NativeAccount", stack_name: str) -> tuple[NativeResult, ...]:
    if not planned.changes:
        return ()
    run = f"native-{uuid4()}"
    # Its changes are found, and taken back, by it.
    click.echo(f"run {run}", err=True)
    with account.writing(stack_name, lambda text: click.echo(text, err=True)) as ports:
        event_id = event_id_of(run, account.place)
        return apply_native(planned.changes, account.place, event_id=event_id, ports=ports)


def _show(lines: Iterable[Line]) -> None:
    for line in lines:
        click.secho(str(line), fg=_COLOURS.get(line.sign))


def _result_line(result: NativeResult) -> Line:
    name = name_of(result.change.section, result.change.prefix)
    said = f": {result.said}" if result.said else ""
    return Line(_SIGNS[result.status], f"{result.status} {name}{said}")


def _plan_json(planned: NativePlan) -> dict[str, Any]:
    return {
        "changes": [_change_json(change) for change in planned.changes],
        "kept": [asdict(each) for each in planned.kept],
        "not_native": [asdict(each) for each in planned.not_native],
    }


def _change_json(change: NativeChange) -> dict[str, Any]:
    return {
        "section": change.section,
        "prefix": change.prefix,
        "action": "create" if change.before is None else "update",
        "before": change.before,
        "after": change.after,
        "in_place_of": change.in_place_of,
        "backfill": [asdict(each) for each in change.backfill],
        "rule": asdict(change.rule),
    }


def _results_json(results: Iterable[NativeResult]) -> dict[str, Any]:
    found: dict[str, Any] = {status.value: [] for status in Status}
    for result in results:
        found[result.status].append(
            {
                "section": result.change.section,
                "prefix": result.change.prefix,
                "said": result.said,
                "change_id": result.change_id,
            }
        )
    return found
