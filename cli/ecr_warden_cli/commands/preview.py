"""The preview command: what each channel would send, and how people would see it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from ecr_warden.domain.outcomes import Outcome, OutcomeKind
from ecr_warden.domain.policy import Channel, Policy
from ecr_warden_cli.commands.common import json_option, policy_option, read_policy, said_errors, to_json
from ecr_warden_cli.preview.html import json_text
from ecr_warden_cli.preview.messages import Gathered
from ecr_warden_cli.preview.page import page
from ecr_warden_cli.preview.previews import Told, previews
from ecr_warden_cli.preview.reading import read_outcomes
from ecr_warden_cli.preview.renderers import with_every_type
from ecr_warden_cli.preview.samples import sample

_PAGE: Final = Path("ecr-warden-preview.html")
_STDIN: Final = Path("-")


@click.command()
@click.argument(
    "files",
    metavar="[OUTCOME.json]…",
    nargs=-1,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in OutcomeKind]),
    metavar="KIND",
    help=f"A sample of this kind; may be repeated. Kinds: {', '.join(OutcomeKind)}.",
)
@policy_option
@click.option("--channel", "names", multiple=True, help="Only this channel of the policy; may be repeated.")
@click.option("--every-type", is_flag=True, help="Add an example of each type of channel the policy lacks.")
@click.option("--together", is_flag=True, help="All outcomes in one message, as those of one push are.")
@click.option("--digest", is_flag=True, help="All outcomes in one digest, as those of a burst are.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help=f"Where the page is written; {_PAGE} without this, and without --json.",
)
@json_option
def preview(  # noqa: PLR0913  # one for each option
    files: tuple[Path, ...],
    kinds: tuple[str, ...],
    policy: Path,
    names: tuple[str, ...],
    html: Path | None,
    *,
    every_type: bool,
    together: bool,
    digest: bool,
    as_json: bool,
) -> None:
    """Show what each channel would send of some outcomes, and write a page that shows how people see it.

    An OUTCOME.json has an outcome, an event of the bus, or what replay --json prints; - is standard input.
    Without any and without --kind, a sample of each kind is shown. Nothing is sent, nothing of AWS is called,
    and no secret is read.
    """
    if together and digest:
        raise click.UsageError("--together and --digest are two forms of one message: give one of them")
    channels = _channels(read_policy(policy), names, every_type=every_type)
    with said_errors():
        outcomes = _outcomes(files, kinds)
        told = previews(outcomes, channels, _gathered(together=together, digest=digest))
    _print(told, as_json=as_json)
    where = html or (None if as_json else _PAGE)
    if where is not None:
        made_of = "made of " + (", ".join(map(str, files)) if files else "samples")
        _write(where, page(told, made_of=f"{made_of}, with the channels of {policy}"))


def _channels(policy: Policy, names: Sequence[str], *, every_type: bool) -> tuple[Channel, ...]:
    # What a policy without channels could have is better to see than nothing.
    channels = with_every_type(policy.channels) if every_type or not policy.channels else policy.channels
    there = [channel.name for channel in channels]
    if missing := [name for name in names if name not in there]:
        raise click.UsageError(f"there is no channel {missing[0]!r}: there are {', '.join(there)}")
    return tuple(channel for channel in channels if not names or channel.name in names)


def _gathered(*, together: bool, digest: bool) -> Gathered:
    if digest:
        return Gathered.DIGEST
    return Gathered.TOGETHER if together else Gathered.EACH


def _outcomes(files: Sequence[Path], kinds: Sequence[str]) -> list[Outcome]:
    found = [outcome for path in files for outcome in _read(path)]
    if not files:
        kinds = kinds or tuple(OutcomeKind)
    found += [sample(OutcomeKind(kind)) for kind in kinds]
    # Each is told once.
    distinct = list({outcome.id: outcome for outcome in reversed(found)}.values())[::-1]
    if not distinct:
        raise click.ClickException("there is no outcome in what was given, so nobody would be told anything")
    return distinct


def _read(path: Path) -> tuple[Outcome, ...]:
    source = "standard input" if path == _STDIN else str(path)
    try:
        data = sys.stdin.buffer.read() if path == _STDIN else path.read_bytes()
        text = data.decode()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{source} is not UTF-8 text: {error}") from error
    except OSError as error:
        raise click.ClickException(f"{source} cannot be read: {error}") from error
    return read_outcomes(text, source)


def _print(told: Sequence[Told], *, as_json: bool) -> None:
    for one in told:
        for shown in one.previews:
            if as_json:
                click.echo(to_json(shown.as_json()))
                continue
            # A headline may have what a terminal obeys.
            headline = json_text(one.headline)[1:-1]
            click.secho(f"# {shown.channel.name} ({shown.channel.type}): {headline}", bold=True)
            click.echo(f"{json_text(shown.payload)}\n")


def _write(path: Path, html: str) -> None:
    try:
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"the page cannot be written to {path}: {error}") from error
    click.echo(f"The page is in {path}: open it in a browser.", err=True)
