"""What each command says of itself."""

import click
import pytest
from click.testing import CliRunner

from ecr_warden_cli.main import main


def commands(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        yield (*path, name), command


COMMANDS = dict(commands(main))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_of_a_command_fits_a_hundred_columns_and_says_what_each_option_is_for(path):
    done = CliRunner().invoke(main, [*path, "--help"], terminal_width=100)
    assert done.exit_code == 0
    assert max(map(len, done.output.splitlines())) <= 100
    for option in COMMANDS[path].params:
        assert isinstance(option, click.Argument) or option.help.endswith((".", ")")), option.name


SCOPE = {"regions", "accounts", "organizational_units", "role_name", "external_id"}
SCOPE |= {"repositories", "sections", "mode"}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("plan", {"policy", "is_verbose", "out", "as_json"}),
        ("apply", {"policy", "is_verbose", "stack_name", "plan_file", "yes", "as_json"}),
        ("report", {"policy", "out", "table", "price_per_gb_month", "as_json"}),
    ],
)
def test_what_looks_at_registries_has_the_options_that_do_something_there_and_no_other(name, more):
    assert {option.name for option in COMMANDS[name,].params} == SCOPE | more
