"""What the plan and apply commands print: lines for people, or the one JSON document."""

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from shutil import get_terminal_size
from textwrap import wrap

import click

from ecr_warden_cli.native_diff import Line
from ecr_warden_cli.sweep.lines import COLOURS


class Screen:
    """Standard output; ``aside`` takes away what else is on the terminal while something is printed."""

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent
        self.aside: Callable[[], AbstractContextManager[None]] = nullcontext

    def say_aside(self, text: str) -> None:
        """Print what is no result to standard error."""
        with self.aside():
            click.echo(text, err=True)

    def show(self, lines: Iterable[Line]) -> None:
        """Print lines, unless JSON alone is printed."""
        if self._is_silent:
            return
        with self.aside():
            for line in lines:
                is_heading = not line.sign and not line.depth
                click.secho(_fitting(str(line)), fg=COLOURS.get(line.sign), bold=is_heading or None)


def _fitting(text: str) -> str:
    """Break a line where a terminal would, but between words, and indented; of a file, no line is broken."""
    words = text.lstrip(" ")
    is_command = words.startswith("--") or words.endswith("\\")
    # Broken in two, the rest of a command would be taken for another.
    if is_command or not sys.stdout.isatty():
        return text
    indent = " " * (len(text) - len(words))
    return "\n".join(
        wrap(
            text,
            get_terminal_size().columns,
            subsequent_indent=f"{indent}  " if indent else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
