"""SweepBatchFunction: compares some repositories with the policy, repairs them, and tells what was found."""

import logging
import os
from functools import cache
from typing import Any

from ecr_warden.sweep_wiring import BatchSweeper, LambdaContext

logger = logging.getLogger(__name__)


@cache
def sweeper() -> BatchSweeper:
    """Read the environment and the policy, once, and build what sweeps."""
    return BatchSweeper(os.environ)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one batch of a registry, an item of its batches.json."""
    swept = sweeper().sweep(event, context)
    subject = {name: event[name] for name in ("run", "account", "region", "number")}
    logger.info("batch swept", extra=swept | subject)
    return swept
