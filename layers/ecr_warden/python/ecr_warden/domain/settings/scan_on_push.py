"""A repository's own setting to scan on push, which the registry's configuration supersedes."""

from ecr_warden.domain.settings.plans import Compliant, Kept, Plan, Put


def plan_scan_on_push(current: bool, wanted: bool, *, override: bool) -> Plan:  # noqa: FBT001  # the setting itself
    """Compare a repository's setting with what is wanted; off is ECR's default, and nobody's choice."""
    if current == wanted:
        return Compliant()
    if current and not override:
        return Kept("somebody switched its scan on push on")
    return Put({"scan_on_push": current}, {"scan_on_push": wanted})
