"""A repository's resource tags: which are set, and which are missing."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from ecr_warden.domain.policy import ResourceTags
from ecr_warden.domain.settings.plans import Compliant, Kept, Plan, Put, Violation

MOST_TAGS: Final = 50
_KEY_LENGTH: Final = 128
_VALUE_LENGTH: Final = 256
# Letters and digits of any script, spaces, and these marks.
_CHARACTERS: Final = re.compile(r"[\w .:/=+@-]*")
_NOT_TAKEN: Final = re.compile(r"[^\w .:/=+@-]")
UNKNOWN_CREATOR: Final = "unknown"


def tag_problems(tags: Mapping[str, str]) -> list[str]:
    """Say what ECR would refuse of tags, whose values may still have placeholders."""
    problems = [problem for key, value in tags.items() if (problem := _problem(key, value)) is not None]
    if len(tags) > MOST_TAGS:
        problems.append(f"a repository has at most {MOST_TAGS} resource tags, and these are {len(tags)}")
    return problems


def _problem(key: str, value: str) -> str | None:
    if len(key) > _KEY_LENGTH:
        return f"{key!r}: a resource tag's key has at most {_KEY_LENGTH} characters"
    if key.lower().startswith("aws:"):
        return f"{key!r}: keys that begin with aws: are AWS's own"
    if len(value) > _VALUE_LENGTH:
        return f"{key!r}: a resource tag's value has at most {_VALUE_LENGTH} characters"
    for text in (key, re.sub(r"[{}]", "", value)):
        if not _CHARACTERS.fullmatch(text):
            return f"{text!r}: resource tags have letters, digits, spaces and _ . : / = + - @ alone"
    return None


def wanted_tags(wanted: ResourceTags, *, creator: str | None, created_at: datetime) -> dict[str, str]:
    """Give the tags to set, with who created the repository and when in place of the placeholders."""
    values = {"{creator}": creator or UNKNOWN_CREATOR, "{created_at}": created_at.isoformat()}
    return {key: _filled(value, values) for key, value in wanted.set}


def _filled(value: str, values: Mapping[str, str]) -> str:
    for placeholder, text in values.items():
        # A session's name may have characters that a tag's value may not.
        value = value.replace(placeholder, _NOT_TAKEN.sub("_", text))
    return value[:_VALUE_LENGTH]


def plan_resource_tags(
    current: Mapping[str, str], wanted: ResourceTags, tags: Mapping[str, str], *, override: bool
) -> Plan:
    """Compare a repository's resource tags with those that are wanted.

    Parameters
    ----------
    current
        The repository's own.
    wanted
        The rule's section.
    tags
        The tags to set, as ``wanted_tags`` gives them.
    override
        Whether a tag that is there with another value is changed.

    """
    missing = {key: value for key, value in tags.items() if key not in current}
    other = {key: value for key, value in tags.items() if key in current and current[key] != value}
    # A value with a placeholder is what it was on the day: it is never another value.
    fixed = {key for key, value in wanted.set if "{" not in value}
    other = {key: value for key, value in other.items() if key in fixed}
    to_set = missing | (other if override else {})
    if to_set:
        if len(current.keys() | to_set.keys()) > MOST_TAGS:
            return Violation(
                f"with {', '.join(sorted(to_set))} it would have more than {MOST_TAGS} resource tags",
                "Remove resource tags that nobody needs",
            )
        before = {key: current[key] for key in to_set if key in current}
        return Put(before, to_set)
    if other:
        return Kept(f"it has resource tags of its own: {', '.join(sorted(other))}")
    return Compliant()


def missing_tags(
    current: Mapping[str, str], wanted: ResourceTags, tags: Mapping[str, str]
) -> tuple[str, ...]:
    """Give the keys that are required and not there, nor about to be set."""
    return tuple(key for key in wanted.require if key not in current and key not in tags)
