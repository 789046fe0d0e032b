"""NotifyFunction: tells people about outcomes; what could not be told waits until it can."""

import os
from functools import cache
from typing import Any

from ecr_warden.adapters.compiled_policy import load_policy
from ecr_warden.adapters.source_queue import batch_response, read_batch
from ecr_warden.adapters.telling import Teller
from ecr_warden.settings import NotifySettings
from ecr_warden.wiring import tell_ports


@cache
def teller() -> Teller:
    """Read the environment and the policy, once, and build what tells."""
    settings = NotifySettings.read(os.environ)
    return Teller(load_policy(settings.policy_path), tell_ports(settings))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle a batch of messages from the queue; Lambda leaves the failed ones in it."""
    return batch_response(teller().tell_batch(read_batch(event)))
