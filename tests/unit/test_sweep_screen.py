"""What plan and apply print fits a terminal, and is whole in a file."""

import sys

import pytest
from click import unstyle

from ecr_warden_cli.native_diff import Line
from ecr_warden_cli.sweep.screen import Screen

LONG = Line("!", f"resource_tags: {'it lacks something ' * 8}".rstrip(), 1)
COMMAND = [
    Line("", "aws ecr tag-resource \\", 3),
    Line("", f"--resource-arn arn:aws:ecr:eu-central-1:123456789012:repository/{'long/' * 12}name \\", 3),
    Line("", f"--tags {' '.join(f'Key=key{at},Value=VALUE' for at in range(9))}", 3),
]


@pytest.fixture
def on_terminal(monkeypatch, capsys):
    """Give what shows lines on a terminal of 80 columns, and what it then has."""

    def shown(*lines):
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        Screen(is_silent=False).show(lines)
        return unstyle(capsys.readouterr().out).splitlines()

    return shown


def test_a_line_is_broken_between_words_and_stays_below_its_beginning(on_terminal):
    first, *others = on_terminal(LONG)
    assert first.startswith("    ! resource_tags: it lacks")
    assert others
    assert all(len(line) <= 80 for line in (first, *others))
    assert all(line.startswith("      ") for line in others)
    assert " ".join((first, *others)).split() == str(LONG).split()


def test_a_command_is_not_broken_as_the_rest_of_it_would_be_another(on_terminal):
    assert on_terminal(*COMMAND) == [str(line) for line in COMMAND]


def test_in_a_file_no_line_is_broken(capsys):
    Screen(is_silent=False).show([LONG, Line("", "")])
    assert capsys.readouterr().out == f"{LONG}\n\n"
