"""ECR's documented rules for a lifecycle policy, so that a wrong one is found before ECR is asked."""

import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from typing import Any, Final

from ecr_warden.domain.settings.lifecycle_rule import Named, is_count, is_object, key_problems, rule_problems

MOST_RULES: Final = 50
_LEAST_LENGTH: Final = 100
_MOST_LENGTH: Final = 30_720
_STORAGE_CLASSES: Final = ("standard", "archive")


def lifecycle_text(document: object) -> str:
    """Give the text of a policy document as it is put: compact JSON, whose length is what ECR limits."""
    return json.dumps(document, separators=(",", ":"))


def lifecycle_problems(document: object) -> list[str]:
    """Say everything that ECR would not take in a policy document; nothing where it takes it.

    The document is parsed JSON of any kind. A rule is named by its priority, or by its place where it has
    none. Sentences without their stops: each rule's in order, then what is wrong between rules.
    """
    if not isinstance(document, dict):
        return ["the policy is not an object"]
    policy = Named("the policy", document)
    return [*key_problems(policy, needed=("rules",)), *_rules_problems(document), *_length_problems(document)]


def _rules_problems(document: dict[str, Any]) -> Iterator[str]:
    if "rules" not in document:
        return
    rules = document["rules"]
    if not isinstance(rules, list):
        yield "rules is not a list"
        return
    if not 1 <= len(rules) <= MOST_RULES:
        yield f"the policy has {len(rules)} rules: ECR takes 1 to {MOST_RULES}"
    named = [Named(_name(rule, place), rule) for place, rule in enumerate(rules, 1)]
    for rule in named:
        yield from rule_problems(rule)
    sound = [rule for rule in named if is_object(rule.fields) and is_object(rule.fields.get("selection"))]
    yield from _priority_problems(rule.fields.get("rulePriority") for rule in named if is_object(rule.fields))
    yield from _order_problems(sound)
    for storage_class in _STORAGE_CLASSES:
        yield from _shared_problems([rule for rule in sound if _storage_class(rule) == storage_class])


def _length_problems(document: object) -> Iterator[str]:
    length = len(lifecycle_text(document))
    if not _LEAST_LENGTH <= length <= _MOST_LENGTH:
        yield f"the policy's text has {length} characters: ECR takes {_LEAST_LENGTH} to {_MOST_LENGTH}"


def _name(rule: object, place: int) -> str:
    priority = rule.get("rulePriority") if isinstance(rule, dict) else None
    return f"rule {priority}" if is_count(priority) else f"the rule at place {place}"


def _selection(rule: Named) -> dict[str, Any]:
    selection: dict[str, Any] = rule.fields["selection"]
    return selection


def _storage_class(rule: Named) -> object:
    return _selection(rule).get("storageClass", "standard")


def _priority_problems(priorities: Iterable[object]) -> Iterator[str]:
    counted = [priority for priority in priorities if is_count(priority)]
    for priority in dict.fromkeys(counted):
        if counted.count(priority) > 1:
            yield f"{counted.count(priority)} rules have the rulePriority {priority}: each needs its own"


def _order_problems(rules: list[Named]) -> Iterator[str]:
    ordered = [rule for rule in rules if is_count(rule.fields.get("rulePriority"))]
    others = [rule for rule in ordered if _selection(rule).get("tagStatus") in ("tagged", "untagged")]
    last = max(others, key=lambda rule: int(rule.fields["rulePriority"]), default=None)
    for rule in ordered:
        if last is not None and _selection(rule).get("tagStatus") == "any" and _precedes(rule, last):
            yield f"{rule.name} is for any image but comes before {last.name}: rules for any image come last"


def _precedes(rule: Named, other: Named) -> bool:
    return bool(rule.fields["rulePriority"] < other.fields["rulePriority"])


def _shared_problems(rules: list[Named]) -> Iterator[str]:
    """Say which rules of one storage class select what only one of them may."""
    names: defaultdict[tuple[str, Hashable], list[str]] = defaultdict(list)
    for rule in rules:
        for selected in dict.fromkeys(_selected(rule)):
            names[selected].append(rule.name)
    for (noun, what), sharing in names.items():
        if len(sharing) > 1:
            said = f"{noun} {what!r}" if noun in ("pattern", "prefix") else f"{noun} {what}"
            rule_names = " and ".join(sharing)
            yield f"{rule_names} have the {said}: ECR takes it in one rule of a storage class"


def _selected(rule: Named) -> Iterator[tuple[str, Hashable]]:
    selection = _selection(rule)
    if selection.get("tagStatus") in ("untagged", "any"):
        yield "tagStatus", selection["tagStatus"]
    for key, noun in (("tagPatternList", "pattern"), ("tagPrefixList", "prefix")):
        texts = selection.get(key)
        yield from (
            ((noun, text) for text in texts if isinstance(text, str)) if isinstance(texts, list) else ()
        )
