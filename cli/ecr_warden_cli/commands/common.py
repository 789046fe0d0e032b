"""What several commands share: the policy that they read, and the options that they take."""

import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time
from pathlib import Path
from typing import Any

import click

from ecr_warden.domain.policy import Policy
from ecr_warden.errors import EcrWardenError
from ecr_warden_cli.policy.check import Checked, check_policy

# click's own check gives exit status 2, wrong usage, where there is no such file.
POLICY_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _OutFile(click.Path):
    """A file that is to be written, which is found to be impossible before anything is read for it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401  # click's own contract
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(f"the folder {path.parent} does not exist", param, ctx)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            self.fail(f"nothing can be written to the folder {path.parent}", param, ctx)
        return path


OUT_FILE = _OutFile(dir_okay=False, path_type=Path)

policy_option = click.option(
    "--policy", type=POLICY_FILE, default="policy.yaml", show_default=True, help="The policy file."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON alone to standard output.")


def check_file(path: Path, *, name: str | None = None) -> Checked:
    """Check a policy file, or raise ``ClickException`` where it is no text.

    ``name`` is what problems and decisions call the file; without it, its path.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path} is not UTF-8 text: {error}") from error
    return check_policy(text, name or str(path))


def read_policy(path: Path, *, name: str | None = None) -> Policy:
    """Read a policy as ``check_file`` does, or raise ``ClickException`` with all that is wrong with it."""
    checked = check_file(path, name=name)
    if checked.policy is None:
        # Each problem on a line of its own, so that editors and terminals can jump to it.
        raise click.ClickException("\n".join((f"{path} is not valid", *map(str, checked.problems))))
    return checked.policy


@contextmanager
def said_errors() -> Iterator[None]:
    """Say what went wrong without a traceback."""
    try:
        yield
    except EcrWardenError as error:
        raise click.ClickException(str(error)) from error


def check_askable(*, yes: bool, as_json: bool) -> None:
    """Refuse a command that would ask, where nobody can answer, as wrong usage."""
    if not yes and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked here: give --yes to do it without asking")


def to_json(value: object) -> str:
    """Write plain data, in which there may be dataclasses, dates, times and sets, as JSON."""
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> object:  # noqa: ANN401  # json's own contract
    if isinstance(value, date | time):
        return value.isoformat()
    return sorted(value) if isinstance(value, frozenset) else dataclasses.asdict(value)
