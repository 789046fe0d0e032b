"""What the plan and apply commands print: lines for people, or the one JSON document."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import click

from ecr_warden_cli.native_diff import Line
from ecr_warden_cli.sweep.lines import COLOURS


class Screen:
    """Standard output; ``aside`` takes away what else is on the terminal while something is printed."""

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent
        self.aside: Callable[[], AbstractContextManager[None]] = nullcontext

    def show(self, lines: Iterable[Line]) -> None:
        """Print lines, unless JSON alone is printed."""
        if self._is_silent:
            return
        with self.aside():
            for line in lines:
                is_heading = not line.sign and not line.depth
                click.secho(str(line), fg=COLOURS.get(line.sign), bold=is_heading or None)
