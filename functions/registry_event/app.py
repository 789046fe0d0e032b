"""RegistryEventFunction: tells what befell the registry, and acts on nothing."""

import logging
import os
from functools import cache
from typing import Any

from ecr_warden.adapters.compiled_policy import load_policy
from ecr_warden.adapters.registry_parsing import parse_registry_event
from ecr_warden.domain.policy import Policy
from ecr_warden.settings import RegistryEventSettings
from ecr_warden.use_cases.tell_registry_event import tell_registry_event
from ecr_warden.wiring import RegistryEventPorts

logger = logging.getLogger(__name__)


@cache
def configured() -> tuple[RegistryEventSettings, Policy]:
    """Read the environment and the policy, once."""
    settings = RegistryEventSettings.read(os.environ)
    return settings, load_policy(settings.policy_path)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle one event about replication, a pull-through cache, scan settings or a lifecycle run."""
    settings, policy = configured()
    happened = parse_registry_event(event)
    told = tell_registry_event(happened, policy=policy, ports=RegistryEventPorts(settings))
    said = {
        "decision": told.decision,
        "reason": told.reason,
        "outcome_id": told.outcome_ids[0] if told.outcome_ids else None,
    }
    subject = {"detail_type": happened.detail_type, "outcomes": len(told.outcome_ids)}
    logger.info("registry event handled", extra=said | subject | {"event_id": happened.event_id})
    return said
