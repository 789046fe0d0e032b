"""The redrive command: what could not be told is shown, and sent back to be told."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from ecr_warden_cli.commands.common import check_askable, json_option, said_errors

if TYPE_CHECKING:
    from ecr_warden_cli.account.channels import ChannelReport
    from ecr_warden_cli.account.letters import Letter
    from ecr_warden_cli.account.redrive import RedriveAccount, Redriven

# A person reads no more; JSON has all.
_LINES: Final = 200


@dataclass
class _Looked:
    """The ids of letters that can be sent back, how many there are, and how many somebody else has."""

    ids: set[str] = field(default_factory=set)
    shown: int = 0
    count: int = 0
    hidden: int = 0
    has_more: bool = False


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--show", "shows_only", is_flag=True, help="Only show; send nothing back.")
@click.option("--channel", help="Only what could not be told in this channel of the policy.")
@json_option
@click.option("--region", help="The stack's Region; without it, the session's.")
@click.option("--stack-name", default="ecr-warden", show_default=True, help="The deployed stack.")
def redrive(  # noqa: PLR0913  # one for each option
    *, yes: bool, shows_only: bool, channel: str | None, as_json: bool, region: str | None, stack_name: str
) -> None:
    """Show what could not be told, and why; then ask, and send it back to be told.

    These are the dead letters of the stack's NotifyQueue, and before them, what waits in the channels. Nobody
    is told twice. What cannot be read stays among the dead letters.

    On the account that the usual credentials, profile and AWS_ENDPOINT_URL name. With --json, one object a
    line. Exit status 1 if any that was to be sent back was not.
    """
    if not shows_only:
        check_askable(yes=yes, as_json=as_json)
    # boto3 takes a moment to import, which wrong usage need not wait for.
    from ecr_warden_cli.account.redrive import open_account  # noqa: PLC0415

    with said_errors():
        account = open_account(region, stack_name)
        known = _show_channels(account, channel, as_json=as_json)
        looked = _look(account, channel, as_json=as_json)
        if channel is not None and not looked.count and channel not in known:
            there = ", ".join(sorted(known)) or "none"
            raise click.UsageError(f"nothing was ever told in a channel {channel!r}: there are {there}")
        if shows_only or not looked.ids:
            return
        if not yes and not click.confirm(f"Send {len(looked.ids)} back to be told?"):
            click.echo("Nothing was sent.")
            return
        redriven = account.send_back(looked.ids)
    _show_result(redriven, looked, as_json=as_json)
    raise SystemExit(int(redriven.failed > 0))


def _show_channels(account: "RedriveAccount", channel: str | None, *, as_json: bool) -> set[str]:
    """Show how channels do, and give the names of all."""
    reports = account.channels()
    for report in reports:
        if channel not in (None, report.name):
            continue
        if as_json:
            _line({"type": "channel", **vars(report)})
        elif report.is_worth_showing:
            click.secho(_channel_text(report), fg="red" if report.failures else None)
    return {report.name for report in reports}


def _channel_text(report: "ChannelReport") -> str:
    parts = [f"{report.waiting} waiting"]
    if report.overdue:
        parts.append(f"{report.overdue} overdue since {_time(report.first_due)}")
    elif report.first_due:
        parts.append(f"the first is due at {_time(report.first_due)}")
    if report.failures:
        said = f"{report.failures} failure{'s' if report.failures > 1 else ''} in a row"
        parts.append(f"{said}, tried again at {_time(report.next_try)}" if report.next_try else said)
    return f"channel {report.name}: {', '.join(parts)}" + (
        f"\n    {report.last_error}" if report.failures and report.last_error else ""
    )


def _look(account: "RedriveAccount", channel: str | None, *, as_json: bool) -> _Looked:
    """Show the letters, and remember of those that can be sent back the ids alone."""
    # Before it hides any itself.
    looked = _Looked(hidden=account.hidden())
    letters = account.letters()
    with letters.reading() as pages:
        for page in pages:
            for letter in page:
                if channel in (None, letter.channel):
                    _look_at(letter, looked, as_json=as_json)
        looked.has_more = letters.is_full
    if not as_json:
        _show_count(looked)
    return looked


def _look_at(letter: "Letter", looked: _Looked, *, as_json: bool) -> None:
    looked.count += 1
    if letter.can_be_sent:
        looked.ids.add(letter.id)
    if as_json:
        _line(_letter_json(letter))
    elif looked.shown < _LINES:
        looked.shown += 1
        click.secho(_letter_text(letter), fg="yellow" if letter.can_be_sent else "red")
        if letter.why:
            click.echo(f"    {letter.why}")


def _letter_text(letter: "Letter") -> str:
    said = (letter.subject, letter.severity, letter.image, _time(letter.happened_at))
    where = f" (channel {letter.channel})" if letter.channel else ""
    return f"{' '.join(part for part in said if part)}{where}"


def _letter_json(letter: "Letter") -> dict[str, Any]:
    outcome = {
        name: getattr(letter, name)
        for name in ("subject", "image", "repository", "severity", "happened_at", "channel", "why")
    }
    return {
        "type": "letter",
        "id": letter.id,
        "about": letter.about,
        **outcome,
        "can_be_sent": letter.can_be_sent,
    }


def _show_count(looked: _Looked) -> None:
    if looked.count > looked.shown:
        click.echo(f"… and {looked.count - looked.shown} more")
    letters = "1 dead letter" if looked.count == 1 else f"{looked.count} dead letters"
    stay = looked.count - len(looked.ids)
    click.echo(letters + (f", of which {stay} cannot be read and stay" if stay else ""))
    if looked.hidden:
        click.echo(
            f"About {looked.hidden} more are hidden: somebody looks at them, or did in the last 15 minutes."
        )
    if looked.has_more:
        click.echo("There may be more: run the command again after this.")


def _show_result(redriven: "Redriven", looked: _Looked, *, as_json: bool) -> None:
    left = looked.count - redriven.sent
    if as_json:
        has_more = looked.has_more
        _line(
            {
                "type": "result",
                "sent": redriven.sent,
                "failed": redriven.failed,
                "left": left,
                "has_more": has_more,
            }
        )
        return
    failed = f", {redriven.failed} could not be sent" if redriven.failed else ""
    click.echo(f"{redriven.sent} sent back{failed}, {left} left among the dead letters")


def _time(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="seconds")


def _line(fields: dict[str, Any]) -> None:
    click.echo(json.dumps(fields, default=lambda value: value.isoformat()))
