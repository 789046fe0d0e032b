"""A finding of a basic scan becomes a value."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ecr_warden.adapters.finding_fields import (
    HIGHEST_SCORE,
    NO_NAME,
    NO_SEVERITY,
    fixed_version,
    link,
    number,
    text,
)
from ecr_warden.domain.findings import Finding, Package, severity_name

# AWS does not document the attributes of basic findings. Most say no fixed version; these are seen of those
# that do.
_FIXED: Final = (
    "fixed_in_version",
    "fixed_in_versions",
    "fixed_version",
    "fixed_versions",
    "patched_version",
    "patched_versions",
)
_SCORES: Final = ("CVSS4_SCORE", "CVSS3_SCORE", "CVSS2_SCORE")


def basic_finding_of(finding: Mapping[str, Any]) -> Finding:
    """Read a finding of a basic scan: what it does not say stays unknown, and is never passed over."""
    attributes = {one.get("key"): text(one.get("value")) for one in finding.get("attributes", [])}
    fixed = fixed_version(_first(attributes, _FIXED))
    name = attributes.get("package_name")
    return Finding(
        id=text(finding.get("name")) or NO_NAME,
        severity=severity_name(text(finding.get("severity")) or NO_SEVERITY),
        packages=(Package(name, attributes.get("package_version"), fixed),) if name else (),
        url=link(finding.get("uri")),
        # Where no fixed version is given, one may be known to others all the same.
        fix_available=True if fixed is not None else None,
        score=_score(_first(attributes, _SCORES)),
    )


def _first(attributes: Mapping[str, str | None], keys: Sequence[str]) -> str | None:
    return next((value for value in map(attributes.get, keys) if value), None)


def _score(said: str | None) -> float | None:
    try:
        return number(float(said or ""), HIGHEST_SCORE)
    except ValueError:
        return None
