"""A repository's policy: who may do what with it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ecr_warden.domain.policy import RepositoryPolicy
from ecr_warden.domain.settings.plans import Compliant, Kept, Plan, Put, Violation

LONGEST: Final = 10_240
_EFFECTS: Final = ("Allow", "Deny")
_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_KEYS: Final = frozenset({"Version", "Id", "Statement"})
# The policy is of one repository: ECR refuses a statement that says of which.
_STATEMENT_KEYS: Final = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition"}
)
_ROOT: Final = re.compile(r"arn:[a-z-]+:iam::(\d{12}):root", re.ASCII)
Document = Mapping[str, Any]


def document_problems(document: object, *, needs_sids: bool = False) -> list[str]:
    """Say what ECR would refuse of a repository's policy, and whether statements lack the Sid they need."""
    if not isinstance(document, Mapping):
        return ["the policy is no JSON object"]
    statements = _statements(document)
    if not statements:
        return ["the policy has no Statement"]
    problems = [f"{key} is no key of a policy" for key in sorted(set(document) - _KEYS)]
    if document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        problems.append(f"the Version is {' or '.join(_VERSIONS)}, not {document['Version']!r}")
    problems += [problem for at, one in enumerate(statements, 1) for problem in _problems(one, at)]
    sids = [one.get("Sid") for one in statements if isinstance(one, Mapping)]
    if needs_sids and None in sids:
        problems.append("each statement needs a Sid, by which it is merged")
    given = [sid for sid in sids if sid is not None]
    problems += [
        f"the Sid {sid} is there twice" for sid in sorted({sid for sid in given if given.count(sid) > 1})
    ]
    if len(policy_text(document)) > LONGEST:
        problems.append(f"the policy is longer than {LONGEST} characters")
    return problems


def _problems(statement: object, at: int) -> Iterator[str]:
    if not isinstance(statement, Mapping):
        yield f"statement {at} is no object"
        return
    for key in sorted(set(statement) - _STATEMENT_KEYS):
        yield f"statement {at}: {key} is no key of a statement of a repository's policy"
    if statement.get("Effect") not in _EFFECTS:
        yield f"statement {at}: Effect is Allow or Deny"
    if "Principal" not in statement and "NotPrincipal" not in statement:
        yield f"statement {at} needs a Principal: it is the policy of a resource"
    if "Action" not in statement and "NotAction" not in statement:
        yield f"statement {at} needs an Action"
    for action in _as_list(statement.get("Action", [])):
        if not isinstance(action, str) or not (action == "*" or action.lower().startswith("ecr:")):
            yield f"statement {at}: {action!r} is no action of ECR"


def policy_text(document: Document) -> str:
    """Give the text that is put."""
    return json.dumps(document, separators=(",", ":"))


def plan_repository_policy(current: Document | None, wanted: RepositoryPolicy, *, override: bool) -> Plan:
    """Compare a repository's policy with what is wanted.

    It is put where there is none. One that is there stays, or gets the statements whose Sid it lacks,
    where the rule merges. With ``override`` it is replaced, or its statements of the same Sid are.
    """
    document: dict[str, Any] = json.loads(wanted.document)
    if current is None:
        return Put(None, document)
    if not wanted.merge:
        if _same(current, document):
            return Compliant()
        return Put(current, document) if override else Kept("it has a policy of its own")
    return _merged(current, document, override=override)


def _merged(current: Document, wanted: Document, *, override: bool) -> Plan:
    there = {one.get("Sid"): one for one in _statements(current) if one.get("Sid") is not None}
    new = [one for one in _statements(wanted) if one["Sid"] not in there]
    other = {
        one["Sid"]: one
        for one in _statements(wanted)
        if one["Sid"] in there and not _same_statement(there[one["Sid"]], one)
    }
    if not new and not (other and override):
        if other:
            return Kept(f"its policy has statements of its own: {', '.join(sorted(other))}")
        return Compliant()
    kept = [other.get(one.get("Sid"), one) if override else one for one in _statements(current)]
    after = {**current, "Statement": [*kept, *new]}
    if len(policy_text(after)) > LONGEST:
        sids = ", ".join(str(one["Sid"]) for one in new)
        return Violation(
            f"with the statements {sids} its policy would have more than {LONGEST} characters",
            "Shorten the repository's own policy, or the statements",
        )
    return Put(current, after)


def _statements(document: Document) -> list[Any]:
    return _as_list(document.get("Statement", []))


def _as_list(value: object) -> list[Any]:
    """Give IAM's one or many as many."""
    return list(value) if isinstance(value, list) else [value]


def _same(one: Document, other: Document) -> bool:
    """Tell whether two policies mean the same: IAM knows no order, and one element for a list of one."""
    return (
        one.get("Version") == other.get("Version")
        and len(_statements(one)) == len(_statements(other))
        and all(any(_same_statement(a, b) for b in _statements(other)) for a in _statements(one))
    )


def _same_statement(one: Document, other: Document) -> bool:
    return _normal(one) == _normal(other)


def _normal(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _normal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        parts = [_normal(inner) for inner in value]
        return parts[0] if len(parts) == 1 else sorted(parts, key=repr)
    # IAM gives an account as its root user.
    root = _ROOT.fullmatch(value) if isinstance(value, str) else None
    return root.group(1) if root else value
