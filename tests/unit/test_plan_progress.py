"""How far plan and apply are, where there is no terminal: a line now and then, of what is done and left."""

import pytest

from ecr_warden_cli.commands.progress import Progress


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
