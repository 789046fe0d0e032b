"""What a change of the journal is, in a few words."""

from collections.abc import Mapping
from typing import Any

from ecr_warden.domain.images import Change
from ecr_warden.domain.texts import cut
from ecr_warden_cli.sweep.tally import counted

_LONGEST = 60


def sides_of(change: Change, arrow: str = "→") -> str:
    """Say from what to what a change is."""
    before, after = _side(change.before), _side(change.after)
    if before == after:
        # A document that is of the same size.
        after = f"{after}, otherwise"
    return f"{before} {arrow} {after}"


def _side(value: Mapping[str, Any] | None) -> str:  # noqa: PLR0911  # one for each form that a side has
    match value:
        case None:
            return "nothing"
        case {"image_tag": str(tag), "image_digest": str(digest)}:
            return f"{tag} ({digest[:19]})"
        case {"storage_class": str(storage_class), "image_digest": str(digest)}:
            return f"{storage_class} ({digest[:19]})"
        case {"mode": str(mode)}:
            excluded = value.get("except")
            return f"{mode} (except {', '.join(excluded)})" if excluded else mode
        case {"scan_on_push": bool(is_on)}:
            return "on" if is_on else "off"
        case {"scanType": str(scan_type), "rules": list(rules)}:
            return f"{scan_type}, {counted(len(rules), 'rule')}"
        case {"rules": list(rules)}:
            return counted(len(rules), "rule")
        case {"Statement": statements}:
            return counted(len(statements) if isinstance(statements, list) else 1, "statement")
        case {"appliedFor": _}:
            return "a template"
    # Resource tags, of which there may be none.
    return cut(", ".join(f"{key}={text}" for key, text in value.items()), _LONGEST) or "nothing"
