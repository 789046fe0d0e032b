"""The check command: what is wrong with a policy file."""

import sys
from pathlib import Path

import click

from ecr_warden_cli.commands.common import POLICY_FILE, check_file, json_option, to_json


@click.command()
@click.argument("policy", type=POLICY_FILE, default="policy.yaml")
@json_option
def check(policy: Path, *, as_json: bool) -> None:
    """Check a policy file: exit status 0, or 1 with every error at once."""
    checked = check_file(policy)
    if as_json:
        click.echo(to_json({"valid": checked.policy is not None, "problems": checked.problems}))
    else:
        for problem in checked.problems:
            click.echo(str(problem), err=True)
        if checked.policy is not None:
            click.echo(f"{policy}: valid, {len(checked.policy.rules)} rules")
    sys.exit(checked.policy is None)
