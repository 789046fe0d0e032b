"""The stack's functions, run in this process as Lambda would run them."""

import contextlib
import importlib.util
import io
import logging
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from ecr_warden.adapters import aws
from ecr_warden_cli.local.clock import Clock
from ecr_warden_cli.local.errors import LocalAwsError

logger = logging.getLogger(__name__)
Handler = Callable[[dict[str, Any], object], Any]


@dataclass
class LocalFunction:
    """One function of a stack; ``complaints`` is what it logged as a warning or worse in its last run.

    Attributes
    ----------
    code
        The folder of its ``app.py``.
    environment
        Its variables as the template declares them, resolved, and those that Lambda itself sets.
    retries
        How often Lambda tries an asynchronous event again.
    dead_letters
        The ARN of the queue that gets the events that failed.
    timeout
        Seconds for which it may run.

    """

    name: str
    code: Path
    environment: Mapping[str, str]
    retries: int = 2
    dead_letters: str | None = None
    timeout: int = 60
    complaints: list[str] = field(default_factory=list)
    _handler: Handler | None = field(default=None, repr=False)
    _client: Callable[[str], Any] = field(default_factory=lambda: cache(aws.client.__wrapped__), repr=False)

    def invoke(self, event: dict[str, Any], clock: Clock) -> Any:  # noqa: ANN401  # whatever it answers
        """Run the handler in the function's environment and time; the first call is the cold start."""
        self.complaints = []
        with self._environment(), clock.in_functions(), _listening(self.complaints):
            if self._handler is None:
                self._handler = _load(self.code / "app.py")
            printed = io.StringIO()
            # In Lambda, what a handler prints goes to the log: metrics, above all.
            with contextlib.redirect_stdout(printed):
                context = SimpleNamespace(
                    aws_request_id=str(uuid.uuid4()),
                    # Time does not go on in here.
                    get_remaining_time_in_millis=lambda: self.timeout * 1000,
                )
                answer = self._handler(event, context)
            for line in printed.getvalue().splitlines():
                logger.debug("%s printed %s", self.name, line)
            return answer

    @contextmanager
    def _environment(self) -> Iterator[None]:
        # One process plays several functions of several accounts, each with clients of its own.
        with patch.dict(os.environ, self.environment), patch.object(aws, "client", self._client):
            yield


class _Listener(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        cause = getattr(record, "failed", None) or (record.exc_info and record.exc_info[1]) or ""
        self._heard.append(f"{record.getMessage()} {cause}".strip())


@contextmanager
def _listening(heard: list[str]) -> Iterator[None]:
    """Note what the product's own loggers complain about."""
    product, listener = logging.getLogger("ecr_warden"), _Listener(heard)
    product.addHandler(listener)
    try:
        yield
    finally:
        product.removeHandler(listener)


def _load(path: Path) -> Handler:
    """Load a function's module anew, under a name of its own, as each Lambda container does."""
    spec = importlib.util.spec_from_file_location(f"function_{uuid.uuid4().hex}", path)
    if spec is None or spec.loader is None or not path.exists():
        raise LocalAwsError(f"{path}: the template names this function, but it is not there")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    # Without any handler, Python writes warnings to the terminal.
    logging.getLogger(spec.name).addHandler(logging.NullHandler())
    # SAM packs a function's folder as it is: nothing is to be left in it.
    with patch.object(sys, "dont_write_bytecode", True):  # noqa: FBT003  # the attribute's value
        spec.loader.exec_module(module)
    return cast("Handler", module.handler)
