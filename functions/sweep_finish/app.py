"""SweepFinishFunction: writes a sweep's report, and tells what it came to."""

import logging
import os
from functools import cache
from typing import Any

from ecr_warden.sweep_wiring import Finisher

logger = logging.getLogger(__name__)


@cache
def finisher() -> Finisher:
    """Read the environment, once, and build what finishes."""
    return Finisher(os.environ)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle the end of a run, whatever became of its parts."""
    finished = finisher().finish(event)
    level = logging.WARNING if finished["status"] == "partial" else logging.INFO
    logger.log(level, "sweep finished", extra=finished)
    return finished
