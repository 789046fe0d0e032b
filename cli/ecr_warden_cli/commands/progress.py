"""How far a command is, on standard error: a bar on a terminal, elsewhere a line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Final, Self

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

_SECONDS: Final = 10.0
_MINUTE: Final = 60


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:.0f} a second")


class Progress(AbstractContextManager["Progress"]):
    """How many things are done, how many of them a second, and how long the others take.

    Parameters
    ----------
    what
        What they are and what is done with them, as in "repositories looked at".
    one
        The same of a single one; without it, as of many.
    is_quiet
        Whether nothing is said where there is no terminal.
    total
        How many there are; ``None`` until that is known.

    """

    def __init__(
        self,
        what: str,
        *,
        is_quiet: bool,
        one: str | None = None,
        total: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._many, self._one, self._total, self._monotonic = what, one or what, total, monotonic
        self._done = 0
        self._begun = self._said = monotonic()
        self._is_quiet = is_quiet
        console = Console(stderr=True)
        # JSON on the same terminal would be torn apart.
        is_shown = console.is_terminal and not (is_quiet and sys.stdout.isatty())
        self._bar = _bar(console) if is_shown else None
        self._task = self._bar.add_task(what, total=total) if self._bar else None

    def __enter__(self) -> Self:
        """Begin to show it."""
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away, for good."""
        if self._bar:
            self._bar.stop()
        self._bar = None

    def set_total(self, total: int) -> None:
        """Say how many there are."""
        self._total = total
        if self._bar and self._task is not None:
            self._bar.update(self._task, total=total)

    def advance(self) -> None:
        """One more is done."""
        self._done += 1
        if self._bar and self._task is not None:
            self._bar.update(self._task, advance=1, description=self._what(self._total or self._done))
        elif not self._is_quiet and self._monotonic() - self._said >= _SECONDS:
            self._said = self._monotonic()
            click.echo(self._text(), err=True)

    def _what(self, number: int) -> str:
        return self._one if number == 1 else self._many

    def _text(self) -> str:
        rate = self._done / (self._said - self._begun)
        if self._total is None:
            return f"{self._done} {self._what(self._done)}, {rate:.0f} a second"
        left = (self._total - self._done) / rate
        time_left = f"{left / _MINUTE:.0f} minutes" if left > _MINUTE else f"{left:.0f} seconds"
        return (
            f"{self._done} of {self._total} {self._what(self._total)}, {rate:.0f} a second, {time_left} left"
        )

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the bar away while something is printed to the same terminal."""
        if self._bar is None or not sys.stdout.isatty():
            yield
            return
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


def _bar(console: Console) -> Bar:
    return Bar(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        # What is printed goes to standard output, whatever that is.
        redirect_stdout=False,
        redirect_stderr=False,
    )
