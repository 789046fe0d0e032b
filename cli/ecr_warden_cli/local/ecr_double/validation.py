"""What ECR does not take: the limits of its API's model, and those that only its documentation has."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import re2
from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from ecr_warden.domain.settings.lifecycle_rules import lifecycle_problems
from ecr_warden_cli.local.ecr_double.api import Handler, Parameters, error, invalid

_TAGS: Final = 50
_TAG_KEY, _TAG_VALUE = 128, 256
_TAG_TEXT: Final = re.compile(r"[\w .:/=+@-]*")
_PLAIN: Final = "MUTABLE"
_EXCLUDING: Final = "_WITH_EXCLUSION"


@lru_cache
def model(service: str = "ecr") -> ServiceModel:
    """Give botocore's model of an API."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def validated(operation: str, handler: Handler) -> Handler:
    """Let an operation first refuse what its model does not allow."""

    def handle(backend: Any, parameters: Parameters) -> Any:  # noqa: ANN401  # moto's own
        check_input(operation, parameters)
        return handler(backend, parameters)

    return handle


def check_input(operation: str, parameters: Parameters) -> None:
    """Refuse what the operation's model does not allow: botocore itself sends most of it."""
    for path, constraint in input_problems("ecr", operation, parameters):
        raise invalid(path, constraint)


def input_problems(service: str, operation: str, parameters: Parameters) -> Iterator[tuple[str, str]]:
    """Give each place that the operation's model does not allow, with the constraint that it breaks."""
    return _problems(model(service).operation_model(operation).input_shape, parameters, "")


def _problems(shape: Shape | None, value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401  # JSON
    """Give each place that is wrong, with the constraint that it breaks."""
    if shape is None or value is None:
        return
    yield from _unlike(shape, value, path)
    if isinstance(shape, StructureShape):
        for name in shape.required_members:
            if value.get(name) is None:
                yield f"{path}{name}", "Member must not be null"
        for name, member in shape.members.items():
            yield from _problems(member, value.get(name), f"{path}{name}" + _step(member))
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value, 1):
            yield from _problems(shape.member, item, f"{path}{number}.member" + _step(shape.member))


def _step(shape: Shape) -> str:
    return "." if shape.type_name in {"structure", "list"} else ""


def _unlike(shape: Shape, value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401  # JSON
    path = path.rstrip(".")
    allowed, limits = shape.metadata.get("enum"), shape.metadata
    if allowed and value not in allowed:
        yield path, f"Member must satisfy enum value set: {allowed}"
    size = value if shape.type_name in {"integer", "long"} else _length(value)
    what = "value" if shape.type_name in {"integer", "long"} else "length"
    if size is not None and size < limits.get("min", size):
        yield path, f"Member must have {what} greater than or equal to {limits['min']}"
    if size is not None and size > limits.get("max", size):
        yield path, f"Member must have {what} less than or equal to {limits['max']}"
    pattern = limits.get("pattern")
    if pattern and not re2.fullmatch(pattern, value):
        # RE2, since one of the model's expressions takes for ever in Python's engine.
        yield path, f"must satisfy regular expression '{pattern}'"


def _length(value: Any) -> int | None:  # noqa: ANN401  # JSON
    return len(value) if isinstance(value, str | list) else None


def check_mutability(mode: str | None, filters: list[dict[str, str]] | None) -> None:
    """Refuse exclusions without a mode that has them, and such a mode without exclusions."""
    mode = mode or _PLAIN
    if mode.endswith(_EXCLUDING) and not filters:
        raise invalid(
            "imageTagMutabilityExclusionFilters",
            f"ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {mode}",
        )
    if filters and not mode.endswith(_EXCLUDING):
        raise invalid(
            "imageTagMutabilityExclusionFilters",
            f"ImageTagMutabilityExclusionFilters must be null when imageTagMutability is set as {mode}",
        )


def check_tags(tags: list[dict[str, str]]) -> None:
    """Refuse more resource tags than a repository can have, and longer ones."""
    if len(tags) > _TAGS:
        raise error("TooManyTagsException", f"A repository can have {_TAGS} tags")
    if any(len(tag["Key"]) > _TAG_KEY or len(tag["Value"]) > _TAG_VALUE for tag in tags):
        raise error(
            "InvalidTagParameterException",
            f"A tag's key has at most {_TAG_KEY} characters, and its value {_TAG_VALUE}",
        )
    if any(not _TAG_TEXT.fullmatch(tag["Key"] + tag["Value"]) for tag in tags):
        raise error("InvalidTagParameterException", "A tag has letters, digits, spaces and _.:/=+-@ alone")


def check_policy_text(text: str) -> None:
    """Refuse a repository's policy that ECR refuses."""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    statements = document.get("Statement", []) if isinstance(document, dict) else []
    statements = statements if isinstance(statements, list) else [statements]
    if not statements or any(not _is_statement(one) for one in statements):
        raise invalid("PolicyText", "Invalid repository policy provided")


def _is_statement(statement: object) -> bool:
    # A repository's policy says of whom and what, and never of which resource.
    return (
        isinstance(statement, dict)
        and statement.get("Effect") in {"Allow", "Deny"}
        and ("Principal" in statement or "NotPrincipal" in statement)
        and ("Action" in statement or "NotAction" in statement)
        and not {"Resource", "NotResource"} & statement.keys()
    )


def check_lifecycle_text(text: str) -> None:
    """Refuse a lifecycle policy that ECR refuses."""
    try:
        problems = lifecycle_problems(json.loads(text))
    except ValueError:
        problems = ["Invalid JSON syntax"]
    if problems:
        raise invalid("LifecyclePolicyText", f"Lifecycle policy validation failure: {problems[0]}")
