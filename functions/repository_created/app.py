"""RepositoryCreatedFunction: gives new repositories the settings that the policy wants."""

import os
from functools import cache
from typing import Any

from ecr_warden.adapters.compiled_policy import load_policy
from ecr_warden.adapters.configuring import Configurer
from ecr_warden.adapters.source_queue import read_batch
from ecr_warden.settings import RepositoryCreatedSettings
from ecr_warden.wiring import RepositoryCreatedPorts, source_queue


@cache
def configurer() -> Configurer:
    """Read the environment and the policy, once, and build what configures."""
    settings = RepositoryCreatedSettings.read(os.environ)
    policy = load_policy(settings.policy_path)
    queue = source_queue(settings.creation_queue_url)
    return Configurer(policy, lambda creation: RepositoryCreatedPorts(settings, creation), queue)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle a batch of CloudTrail's events from the queue; Lambda leaves the failed ones in it."""
    return configurer().configure_batch(read_batch(event)).as_response()
