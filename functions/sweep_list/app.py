"""SweepListFunction: lists one registry's repositories, in batches."""

import logging
import os
from functools import cache
from typing import Any

from ecr_warden.sweep_wiring import Lister

logger = logging.getLogger(__name__)


@cache
def lister() -> Lister:
    """Read the environment, once, and build what lists."""
    return Lister(os.environ)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle one registry of a run, an item of its places.json."""
    listed = lister().list_place(event)
    subject = {name: event[name] for name in ("run", "account", "region")}
    logger.info("registry listed", extra=listed | subject)
    return listed
