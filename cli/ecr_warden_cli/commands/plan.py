"""The plan command: what differs from the policy, in every repository that is asked for."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from ecr_warden_cli.commands.common import OUT_FILE, json_option, policy_option, read_policy, said_errors
from ecr_warden_cli.commands.scope_options import (
    open_accounts,
    scope_of,
    scope_options,
    unmatched_text,
    verbose_option,
)
from ecr_warden_cli.sweep.gathering import Gathering
from ecr_warden_cli.sweep.plan_file import CHANGES, Document, written_at_once
from ecr_warden_cli.sweep.planning import head_of, look_into
from ecr_warden_cli.sweep.screen import Screen
from ecr_warden_cli.sweep.stopping import INTERRUPTED, Stopping
from ecr_warden_cli.sweep.tally import Tally

_HAS_CHANGES = 2


@click.command()
@policy_option
@scope_options
@verbose_option
@click.option("--out", type=OUT_FILE, help="Write the plan to a file, for apply.")
@json_option
def plan(
    policy: Path,
    *,
    as_json: bool,
    is_verbose: bool,
    out: Path | None,
    **asked: Any,  # noqa: ANN401  # what the options gave, of which scope_options makes values
) -> None:
    """Show what differs from the policy, and change nothing.

    Of the account that the usual credentials, profile and AWS_ENDPOINT_URL name, or others by a role.

    The exit status is 0 where nothing is to change, 2 where something is, in audit mode too (--mode enforce
    leaves that out), and 1 where anything could not be looked at, or no repository matches. Wrong usage gives
    2 as well.
    """
    checked = read_policy(policy)
    screen = Screen(is_silent=as_json)
    with said_errors(), Stopping() as stopping:
        accounts = open_accounts(asked)
        with _document(out, as_json=as_json) as document:
            document.begin(head_of(policy, checked, accounts.places))
            document.begin_array(CHANGES)
            scope = scope_of(asked)
            shown = Gathering(screen.show, document, is_verbose=is_verbose, globs=scope.repositories)
            with shown as gathering:
                look_into(
                    gathering,
                    checked,
                    scope,
                    accounts.places,
                    accounts.looking,
                    screen=screen,
                    stopping=stopping,
                    is_quiet=as_json,
                )
                if stopping.is_asked():
                    _stop(gathering, out)
                gathering.write_rest()
                document.end({"counts": gathering.tally.known(), "unmatched": gathering.unmatched})
                gathering.show_end()
    if gathering.unmatched:
        raise click.ClickException(unmatched_text(gathering))
    raise SystemExit(_status(gathering.tally))


@contextmanager
def _document(out: Path | None, *, as_json: bool) -> Iterator[Document]:
    with ExitStack() as files:
        written = [files.enter_context(written_at_once(out))] if out else []
        yield Document([*written, sys.stdout] if as_json else written)


def _stop(gathering: Gathering, out: Path | None) -> None:
    gathering.show_end()
    not_written = f" {out} was not written." if out else ""
    click.echo(f"Stopped: this is not the whole plan.{not_written} Run it again.", err=True)
    raise SystemExit(INTERRUPTED)


def _status(tally: Tally) -> int:
    if tally.unseen:
        return 1
    return _HAS_CHANGES if tally.changes else 0
