"""How far plan and apply are, where there is no terminal: a line now and then, of what is done and left."""

import re
from io import StringIO
from types import SimpleNamespace

import pytest
from click import unstyle
from rich.console import Console

from ecr_warden.domain.places import Place
from ecr_warden.domain.sweep.summary import Unseen
from ecr_warden.errors import RefusedError
from ecr_warden.use_cases.sweep.ports import Scope
from ecr_warden_cli.commands import progress as progress_module
from ecr_warden_cli.commands.progress import Progress
from ecr_warden_cli.sweep.planning import look_into
from ecr_warden_cli.sweep.screen import Screen


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def advance(progress, clock, count, seconds):
    for _ in range(count):
        clock.now += seconds
        progress.advance()


def test_a_line_every_ten_seconds_has_the_count_and_the_rate(capsys):
    clock = Clock()
    with Progress("repositories looked at", is_quiet=False, monotonic=clock) as progress:
        advance(progress, clock, 50, 0.5)
    assert capsys.readouterr() == (
        "",
        "20 repositories looked at, 2 a second\n40 repositories looked at, 2 a second\n",
    )


@pytest.mark.parametrize(("total", "left"), [(120, "50 seconds"), (620, "5 minutes")])
def test_once_it_is_known_how_many_there_are_the_time_left_is_said(capsys, total, left):
    clock = Clock()
    with Progress("changes made", is_quiet=False, monotonic=clock) as progress:
        progress.set_total(total)
        advance(progress, clock, 20, 0.5)
    assert capsys.readouterr().err == f"20 of {total} changes made, 2 a second, {left} left\n"


def test_with_json_nothing_is_said(capsys):
    clock = Clock()
    with Progress("changes made", is_quiet=True, monotonic=clock) as progress:
        advance(progress, clock, 20, 5)
        with progress.hidden():
            pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("total", "said"), [(None, "1 thing done,"), (1, "1 of 1 thing done,")])
def test_a_single_thing_is_said_as_one(capsys, total, said):
    clock = Clock()
    with Progress("things done", one="thing done", is_quiet=False, total=total, monotonic=clock) as progress:
        advance(progress, clock, 1, 10)
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(("number", "last"), [(1, "thing done"), (2, "things done")])
def test_what_a_bar_is_of_is_said_as_many_as_there_are(monkeypatch, number, last):
    shown = StringIO()
    monkeypatch.setattr(progress_module, "Console", lambda **_: Console(force_terminal=True, file=shown))
    with Progress("things done", one="thing done", is_quiet=False) as progress:
        for _ in range(number):
            progress.advance()
    assert re.findall("things? done", unstyle(shown.getvalue()))[-1] == last


def test_a_registry_that_cannot_be_looked_at_is_not_counted_as_a_repository(monkeypatch):
    counted = []
    monkeypatch.setattr(Progress, "advance", lambda _self: counted.append(1))

    def refused(_place):
        raise RefusedError("the role cannot be taken")

    found = []
    look_into(
        SimpleNamespace(take=found.append),
        None,
        Scope(),
        (Place("111111111111", "us-east-1"),),
        refused,
        screen=Screen(is_silent=False),
        stopping=SimpleNamespace(is_asked=lambda: False),
        is_quiet=False,
    )
    assert [type(one) for one in found] == [Unseen]
    assert counted == []
