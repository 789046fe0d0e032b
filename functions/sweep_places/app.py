"""SweepPlacesFunction: says which accounts and Regions a sweep looks at."""

import logging
import os
from functools import cache
from typing import Any

from ecr_warden.sweep_wiring import Places

logger = logging.getLogger(__name__)


@cache
def places() -> Places:
    """Read the environment, once, and build what finds the registries."""
    return Places(os.environ)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle the beginning of a run: ``run`` and ``started_at`` are the state machine's."""
    begun = places().begin(event)
    logger.info("sweep began", extra={"run": begun["run"], "places": begun["places"]})
    return begun
