"""ImageActionFunction: judges every push by the policy's tag rules, and acts on those that break one."""

import logging
import os
from functools import cache
from typing import Any

from ecr_warden.adapters.compiled_policy import load_policy
from ecr_warden.adapters.eventbridge import parse_image_action
from ecr_warden.domain.policy import Policy
from ecr_warden.settings import ImageActionSettings
from ecr_warden.use_cases.enforce_tag_rules import enforce_tag_rules
from ecr_warden.wiring import ImageActionPorts

logger = logging.getLogger(__name__)


@cache
def configured() -> tuple[ImageActionSettings, Policy]:
    """Read the environment and the policy, once."""
    settings = ImageActionSettings.read(os.environ)
    return settings, load_policy(settings.policy_path)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle one ``ECR Image Action`` or ``ECR Referrer Action`` event of EventBridge."""
    settings, policy = configured()
    push = parse_image_action(event)
    handled = enforce_tag_rules(push, policy=policy, ports=ImageActionPorts(settings, push))
    said = {
        "decision": type(handled.decision).__name__,
        "reason": handled.reason,
        "outcome_id": handled.outcome and handled.outcome.id,
    }
    subject = {"repository": push.repository_name, "digest": push.image_digest, "tag": push.image_tag}
    logger.info("image action handled", extra=said | subject | {"event_id": push.event_id})
    return said
