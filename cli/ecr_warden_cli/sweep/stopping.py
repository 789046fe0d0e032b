"""Ctrl-C, of which the first asks to stop, and the second ends the command as it usually does."""

import os
import signal
from contextlib import AbstractContextManager
from threading import Event
from types import FrameType, TracebackType
from typing import Final, Self

INTERRUPTED: Final = 130
_STANDARD_ERROR: Final = 2
_SAID: Final = "\nStopping once what is under way is done; Ctrl-C again aborts.\n"


class Stopping(AbstractContextManager["Stopping"]):
    """Whether somebody asked to stop. It is for the main thread, which gets the signals."""

    def __init__(self) -> None:
        self._asked = Event()

    def __enter__(self) -> Self:
        """Take Ctrl-C over."""
        self._usual = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let Ctrl-C be what it was."""
        signal.signal(signal.SIGINT, self._usual)

    def is_asked(self) -> bool:
        """Tell whether to begin nothing new."""
        return self._asked.is_set()

    def _interrupted(self, _signal: int, _frame: FrameType | None) -> None:
        if self._asked.is_set():
            raise KeyboardInterrupt
        self._asked.set()
        # The signal may have come in the middle of a print, in which another would be an error.
        os.write(_STANDARD_ERROR, _SAID.encode())
