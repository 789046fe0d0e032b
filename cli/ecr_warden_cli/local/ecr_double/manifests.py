"""What is in an image's manifest."""

import hashlib
import json
from typing import Any

from ecr_warden_cli.local.ecr_double.api import invalid


def parsed(manifest: str) -> dict[str, Any]:
    """Read a manifest, or raise ECR's error."""
    try:
        found = json.loads(manifest)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise invalid("ImageManifest", "Invalid JSON syntax")
    return found


def digest_of(manifest: str) -> str:
    """Give the digest of a manifest's bytes."""
    return f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"


def children(manifest: str) -> set[str]:
    """Give the digests that an index's manifest refers to."""
    return {child["digest"] for child in parsed(manifest).get("manifests", [])}


def layers(manifest: str) -> set[str]:
    """Give the digests of an image's layers and of its configuration."""
    body = parsed(manifest)
    parts = [*body.get("layers", []), body.get("config", {})]
    return {part["digest"] for part in parts if "digest" in part}


def subject(manifest: str) -> str | None:
    """Give the digest of the image that a signature or an SBOM is about."""
    found = parsed(manifest).get("subject", {}).get("digest")
    return str(found) if found else None
