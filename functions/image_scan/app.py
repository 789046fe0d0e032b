"""ImageScanFunction: judges what scanners find in images by the policy's scan gates."""

import logging
import os
from functools import cache
from typing import Any

from ecr_warden.adapters.compiled_policy import load_policy
from ecr_warden.adapters.scan_parsing import parse_scan_event
from ecr_warden.domain.policy import Policy
from ecr_warden.settings import ImageScanSettings
from ecr_warden.use_cases.judge_scan import judge_scan
from ecr_warden.wiring import ImageScanPorts

logger = logging.getLogger(__name__)


@cache
def configured() -> tuple[ImageScanSettings, Policy]:
    """Read the environment and the policy, once."""
    settings = ImageScanSettings.read(os.environ)
    return settings, load_policy(settings.policy_path)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle one event of ECR's or Inspector's about an image's scan."""
    settings, policy = configured()
    scan = parse_scan_event(event)
    judged = judge_scan(scan, policy=policy, ports=ImageScanPorts(settings, scan))
    said = {
        "decision": judged.decision,
        "reason": judged.reason,
        "outcome_id": judged.outcome and judged.outcome.id,
    }
    subject = {"repository": scan.repository_name, "digest": scan.image_digest, "tags": scan.image_tags}
    logger.info("image scan handled", extra=said | subject | {"event_id": scan.event_id})
    return said
