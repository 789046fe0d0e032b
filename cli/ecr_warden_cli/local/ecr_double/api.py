"""What every operation of ECR has in common: what it takes and gives, its errors, and its pages."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from moto.core.exceptions import ServiceException
from moto.ecr.exceptions import InvalidParameterException, RepositoryNotFoundException
from moto.ecr.models import ECRBackend, Repository


class Emit(Protocol):
    """What takes an event to the default bus of its account and Region; ``time`` is now by default."""

    def __call__(  # noqa: PLR0913  # what an event has
        self,
        account: str,
        region: str,
        detail_type: str,
        detail: dict[str, Any],
        /,
        *,
        source: str = "aws.ecr",
        resources: Sequence[str] = (),
        time: datetime | None = None,
    ) -> None:
        """Send the event."""


Parameters: TypeAlias = dict[str, Any]

# What answers an operation: it takes a registry in a Region, and what was asked.
Handler: TypeAlias = Callable[[ECRBackend, Parameters], Any]

_PAGE: Final = 100
# The number that tokens have which are taken; those of a lower one are stale.
_issue: Final = [0]
_Item = TypeVar("_Item")


def error(code: str, message: str, *, service: str = "ecr") -> Exception:
    """Give one of a service's errors that moto lacks; moto tells the service by the class's module."""
    members = {"code": code, "__module__": f"moto.{service}.exceptions"}
    raised: Exception = type(code, (ServiceException,), members)(message)
    return raised


def invalid(parameter: str, constraint: str) -> Exception:
    """Give the error that ECR answers when it does not take a parameter."""
    raised: Exception = InvalidParameterException(
        f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"
    )
    return raised


def now() -> datetime:
    """Give the time, to the second, as ECR gives it."""
    return datetime.now(UTC).replace(microsecond=0)


def repository_of(backend: ECRBackend, name: str, registry_id: str | None = None) -> Repository:
    """Give a repository, or raise ECR's error."""
    repository = backend.repositories.get(name)
    if repository is None or registry_id not in {None, backend.account_id}:
        raise RepositoryNotFoundException(name, registry_id or backend.account_id)
    return repository


def named(backend: ECRBackend, parameters: Parameters) -> Repository:
    """Give the repository that a call names, or raise ECR's error."""
    return repository_of(backend, parameters["repositoryName"], parameters.get("registryId"))


def refuse_pages_of(what: str, parameters: Parameters) -> None:
    """Refuse pages where a call names what it wants, as ECR does."""
    if parameters.get(what) is None:
        return
    for paging in ("maxResults", "nextToken"):
        if parameters.get(paging) is not None:
            raise invalid(paging, f"{paging} cannot be used when you specify {what}")


def page(
    items: Sequence[_Item], parameters: Parameters, *, default: int = _PAGE
) -> tuple[Sequence[_Item], dict[str, str]]:
    """Give the page that a call asks for, and the answer's ``nextToken`` if more are left."""
    asked = {key: value for key, value in parameters.items() if key not in {"maxResults", "nextToken"}}
    start = _start(parameters.get("nextToken"), asked)
    end = start + (parameters.get("maxResults") or default)
    return items[start:end], {"nextToken": _token(end, asked)} if end < len(items) else {}


def make_tokens_stale() -> None:
    """Let no page's token be taken any more that was given until now."""
    _issue[0] += 1


def _token(start: int, asked: Parameters) -> str:
    said = json.dumps([_issue[0], start, asked], sort_keys=True)
    return base64.urlsafe_b64encode(said.encode()).decode()


def _start(token: str | None, asked: Parameters) -> int:
    """Read a token; one that is stale, of another call, or of nobody's, is refused."""
    if token is None:
        return 0
    try:
        issue, start, of = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (TypeError, ValueError):
        issue, start, of = None, None, None
    if not isinstance(start, int) or issue != _issue[0] or of != asked:
        raise invalid("nextToken", "Invalid token")
    return start
