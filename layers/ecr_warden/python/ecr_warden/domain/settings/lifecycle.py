"""A rule's ``lifecycle`` section: compiled into ECR's own document, checked, and compared."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ecr_warden.domain.policy import Lifecycle
from ecr_warden.domain.settings.lifecycle_rule import LEAST_ARCHIVED_DAYS
from ecr_warden.domain.settings.lifecycle_rules import lifecycle_problems
from ecr_warden.domain.settings.plans import Compliant, Kept, Plan, Put

# What every quarantine tag matches, and few others do.
QUARANTINE_PATTERN: Final = "quarantine-*-*"
# More images than ECR lets a repository have, so that a rule keeps all that it selects.
_MORE_THAN_ANY: Final = 1_000_000
# ECR counts the days of archived images only, never their number; a hundred years keep them.
_DAYS_FOR_EVER: Final = 36_500
_OPTIONS: Final = (
    "keep_last",
    "keep_tagged",
    "expire_untagged_after_days",
    "expire_after_days",
    "archive_unpulled_after_days",
    "delete_archived_after_days",
)
_SHIELDS: Final = "keep_tagged's rule has every tagged image, and ECR lets no later rule take one of those"
_EXCLUSIVE: Final = (
    ("keep_last", "expire_after_days", "each needs the one rule for any image that ECR takes"),
    ("keep_tagged", "keep_last", _SHIELDS),
    ("keep_tagged", "expire_after_days", _SHIELDS),
    ("keep_tagged", "archive_unpulled_after_days", _SHIELDS),
)
_EXPIRE: Final = {"type": "expire"}
_ARCHIVE: Final = {"type": "transition", "targetStorageClass": "archive"}
_ANY: Final = {"tagStatus": "any"}
_UNTAGGED: Final = {"tagStatus": "untagged"}
_ARCHIVED: Final = {"storageClass": "archive"}

_Json = dict[str, Any]


def lifecycle_document(lifecycle: Lifecycle) -> _Json:
    """Give the policy document that ECR is to have: the section's own, or what its shorthand means.

    An image is taken by the first rule whose tags it meets, or by none: so the rules that keep come first,
    then the narrower ones. ECR wants the rules for any image last. What ECR cannot express is not looked
    for here: see `combination_problems`.
    """
    if lifecycle.document is not None:
        document: _Json = json.loads(lifecycle.document)
        return document
    rules = [*_standard_rules(lifecycle), *_archive_shields(lifecycle), *_any_rules(lifecycle)]
    return {"rules": [{"rulePriority": priority} | rule for priority, rule in enumerate(rules, 1)]}


def _standard_rules(lifecycle: Lifecycle) -> Iterator[_Json]:
    for pattern in dict.fromkeys(lifecycle.keep):
        yield _rule("keep these images", _tagged(pattern) | _more_than(_MORE_THAN_ANY))
    quarantined = _tagged(QUARANTINE_PATTERN) | _days("sinceImagePushed", lifecycle.quarantine_days)
    yield _rule("delete quarantined images", quarantined)
    if lifecycle.expire_untagged_after_days is not None:
        untagged = _UNTAGGED | _days("sinceImagePushed", lifecycle.expire_untagged_after_days)
        yield _rule("delete untagged images", untagged)
    if lifecycle.keep_tagged is not None:
        yield _rule("keep the last tagged images", _tagged("*") | _more_than(lifecycle.keep_tagged))
    if _any_rule_option(lifecycle) is not None:
        # ECR takes one rule for any image of a storage class, and it is not archiving's.
        yield from _archiving(lifecycle, _tagged("*"))


def _archive_shields(lifecycle: Lifecycle) -> Iterator[_Json]:
    if lifecycle.delete_archived_after_days is not None:
        days = _days("sinceImageTransitioned", _DAYS_FOR_EVER)
        for pattern in dict.fromkeys(lifecycle.keep):
            yield _rule("keep these archived images", _tagged(pattern) | _ARCHIVED | days)


def _any_rules(lifecycle: Lifecycle) -> Iterator[_Json]:
    if lifecycle.keep_last is not None:
        yield _rule("keep the last images", _ANY | _more_than(lifecycle.keep_last))
    if lifecycle.expire_after_days is not None:
        yield _rule("delete old images", _ANY | _days("sinceImagePushed", lifecycle.expire_after_days))
    if _any_rule_option(lifecycle) is None:
        yield from _archiving(lifecycle, _ANY)
    if lifecycle.delete_archived_after_days is not None:
        days = _days("sinceImageTransitioned", lifecycle.delete_archived_after_days)
        yield _rule("delete archived images", _ANY | _ARCHIVED | days)


def _archiving(lifecycle: Lifecycle, images: _Json) -> Iterator[_Json]:
    if lifecycle.archive_unpulled_after_days is not None:
        days = _days("sinceImagePulled", lifecycle.archive_unpulled_after_days)
        yield _rule("archive images that nobody pulls", images | days, _ARCHIVE)


def _any_rule_option(lifecycle: Lifecycle) -> str | None:
    """Name the option that can do its work only with the standard class's rule for any image."""
    return next((name for name in ("keep_last", "expire_after_days") if _is_given(lifecycle, name)), None)


def _rule(what: str, selection: _Json, action: _Json = _EXPIRE) -> _Json:
    return {"description": f"ECR Warden: {what}", "selection": selection, "action": dict(action)}


def _tagged(pattern: str) -> _Json:
    return {"tagStatus": "tagged", "tagPatternList": [pattern]}


def _more_than(count: int) -> _Json:
    return {"countType": "imageCountMoreThan", "countNumber": count}


def _days(count_type: str, days: int) -> _Json:
    return {"countType": count_type, "countUnit": "days", "countNumber": days}


def _is_given(lifecycle: Lifecycle, name: str) -> bool:
    return getattr(lifecycle, name) is not None


def combination_problems(lifecycle: Lifecycle) -> list[str]:
    """Say what of a section's shorthand ECR cannot express together; sentences without their stops.

    ECR takes one rule for any image of a storage class, and an image is only ever taken by the first rule
    whose tags it meets. What would quietly do nothing is refused. Each untagged image that
    ``expire_untagged_after_days`` is for is its alone; the others then take tagged images, as one would
    expect. ``keep_last`` or ``expire_after_days`` with ``archive_unpulled_after_days`` is taken, since
    archiving takes the tagged images in their place: see `lifecycle_warnings`. Where nothing else is wrong,
    the compiled document is checked too. ECR's own document is checked by `lifecycle_problems` alone.
    """
    given = [name for name in _OPTIONS if _is_given(lifecycle, name)]
    defaults = Lifecycle(line=lifecycle.line)
    beside = [*given, *(name for name in ("keep", "quarantine_days") if _differs(lifecycle, defaults, name))]
    if lifecycle.document is not None:
        own = "rules is the whole policy, in ECR's own words"
        return [f"{own}: remove {' and '.join(beside)}, or remove rules"] if beside else []
    if not beside:
        return [f"the section asks for nothing: give {', '.join(_OPTIONS)}, keep or rules"]
    return list(_shorthand_problems(lifecycle)) or lifecycle_problems(lifecycle_document(lifecycle))


def _differs(lifecycle: Lifecycle, other: Lifecycle, name: str) -> bool:
    return bool(getattr(lifecycle, name) != getattr(other, name))


def _shorthand_problems(lifecycle: Lifecycle) -> Iterator[str]:
    for one, other, why in _EXCLUSIVE:
        if _is_given(lifecycle, one) and _is_given(lifecycle, other):
            yield f"{one} and {other} exclude each other: {why}; give one of them"
    for pattern in lifecycle.keep:
        if pattern and not pattern.strip("*"):
            yield f"keep has {pattern!r}, which is every tagged image: no rule could take one; remove it"
        if pattern == QUARANTINE_PATTERN:
            yield f"keep has {pattern!r}, which is every quarantined image: none would be deleted; remove it"
    days = lifecycle.delete_archived_after_days
    if days is not None and days < LEAST_ARCHIVED_DAYS:
        least = f"ECR deletes archived images after {LEAST_ARCHIVED_DAYS} days at the earliest"
        yield f"delete_archived_after_days is {days}: {least}"


def lifecycle_warnings(lifecycle: Lifecycle) -> list[str]:
    """Say what a section that ECR takes does otherwise than one may think; sentences without their stops."""
    return [*_kept_quarantined(lifecycle), *_idle(lifecycle)]


def _kept_quarantined(lifecycle: Lifecycle) -> Iterator[str]:
    for pattern in lifecycle.keep:
        if _may_both_match(pattern, QUARANTINE_PATTERN):
            yield (
                f"keep has {pattern!r}, which quarantine tags may match: such images are kept too, and not "
                f"deleted after {lifecycle.quarantine_days} days; begin it with what your own tags begin with"
            )


def _may_both_match(one: str, other: str) -> bool:
    """Tell whether some tag matches two patterns, whose ``*`` stands for any characters."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _may_both_match(one[1:], other) or (other != "" and _may_both_match(one, other[1:]))
    if other[0] == "*":
        return _may_both_match(other, one)
    return one[0] == other[0] and _may_both_match(one[1:], other[1:])


def _idle(lifecycle: Lifecycle) -> list[str]:
    option = _any_rule_option(lifecycle)
    if option is None or lifecycle.archive_unpulled_after_days is None:
        return []
    takes = "takes untagged images only"
    if lifecycle.expire_untagged_after_days is not None:
        takes = "takes no image (expire_untagged_after_days has the untagged ones)"
    why = "ECR lets a tagged image be taken only by the first rule whose tags it meets, which is archiving's"
    deleting = "delete_archived_after_days deletes the images that were archived"
    if lifecycle.delete_archived_after_days is None:
        deleting = "give delete_archived_after_days to delete the images that were archived"
    or_else = f"or remove archive_unpulled_after_days for {option} to take tagged images"
    return [f"with archive_unpulled_after_days, {option} {takes}: {why}; {deleting}, {or_else}"]


def plan_lifecycle(current: Mapping[str, object] | None, wanted: Lifecycle, *, override: bool) -> Plan:
    """Compare a repository's policy document, ``None`` where it has none, with the wanted one.

    Documents that do the same are the same: how rules are described, written and numbered is no difference,
    only their order by priority. Without ``override``, a policy that does something else stays.
    """
    document = lifecycle_document(wanted)
    if current is None:
        return Put(None, document)
    if _meaning(current) == _meaning(document):
        return Compliant()
    if override:
        return Put(current, document)
    return Kept("it has a lifecycle policy of its own, and the rule does not say override: true")


def _meaning(document: Mapping[str, Any]) -> list[_Json]:
    """Give the rules of a document that ECR took or takes, first to last, without what changes nothing."""
    rules = sorted(document["rules"], key=lambda rule: int(rule["rulePriority"]))
    return [{"selection": _selected(rule["selection"]), "action": rule["action"]} for rule in rules]


def _selected(selection: _Json) -> _Json:
    # All of a list's entries must match, in any order.
    lists = {key: sorted(value) for key, value in selection.items() if isinstance(value, list)}
    return {"storageClass": "standard"} | selection | lists
