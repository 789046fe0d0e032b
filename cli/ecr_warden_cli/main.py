"""The ecr-warden command: thin, over the same code that the functions run."""

import click

from ecr_warden_cli.commands.apply import apply
from ecr_warden_cli.commands.check import check
from ecr_warden_cli.commands.demo import demo
from ecr_warden_cli.commands.explain import explain
from ecr_warden_cli.commands.history import history
from ecr_warden_cli.commands.local import local
from ecr_warden_cli.commands.native import native
from ecr_warden_cli.commands.plan import plan
from ecr_warden_cli.commands.preview import preview
from ecr_warden_cli.commands.redrive import redrive
from ecr_warden_cli.commands.replay import replay
from ecr_warden_cli.commands.report import report
from ecr_warden_cli.commands.simulate import simulate
from ecr_warden_cli.commands.undo import undo


# As wide as the product's own texts may be.
@click.group(context_settings={"max_content_width": 100})
@click.version_option(package_name="ecr-warden")
def main() -> None:
    """Keep Amazon ECR registries in order, by one policy file."""


for command in (
    apply,
    check,
    demo,
    explain,
    history,
    local,
    native,
    plan,
    preview,
    redrive,
    replay,
    report,
    simulate,
    undo,
):
    main.add_command(command)
