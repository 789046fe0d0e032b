"""NotifyFunction: tells people about outcomes; what could not be told stays in the queue."""

import os
from functools import cache
from typing import Any

from ecr_warden.adapters.compiled_policy import load_policy
from ecr_warden.adapters.metrics import CloudWatchMetrics
from ecr_warden.adapters.source_queue import batch_response, read_batch
from ecr_warden.adapters.telling import Teller
from ecr_warden.settings import NotifySettings
from ecr_warden.use_cases.tell import TellPorts
from ecr_warden.wiring import channels, deliveries, source_queue


@cache
def teller() -> Teller:
    """Read the environment and the policy, once, and build what tells."""
    settings = NotifySettings.read(os.environ)
    ports = TellPorts(channels(settings), deliveries(settings), CloudWatchMetrics(settings.metrics_namespace))
    return Teller(load_policy(settings.policy_path), ports, source_queue(settings.notify_queue_url))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle a batch of outcomes from the queue; Lambda leaves the failed ones in it."""
    return batch_response(teller().tell_batch(read_batch(event)))
