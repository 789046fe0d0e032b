"""Every repository of a registry is looked at, many at once, with few of them in memory."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.visits import Visit
from ecr_warden.errors import RefusedError
from ecr_warden.ports import Repositories
from ecr_warden.use_cases.sweep.in_order import in_order
from ecr_warden.use_cases.sweep.judge_repository import judge_repository
from ecr_warden.use_cases.sweep.ports import Scope, VisitPorts
from ecr_warden.use_cases.sweep.shared_facts import SharedFacts

THREADS: Final = 16
# Enough that a slow repository does not keep the others waiting.
AHEAD: Final = 4


def visit_place(  # noqa: PLR0913  # what is judged, by what, and how
    *,
    policy: Policy,
    place: Place,
    ports: VisitPorts,
    scope: Scope,
    now: datetime,
    event_id: str = "",
    threads: int = THREADS,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Visit]:
    """Look at every repository of a registry, in the order in which ECR lists them.

    Parameters
    ----------
    policy, scope
        What is wanted, and what of it is looked at.
    place, ports
        The registry.
    now, event_id
        As ``judge_repository`` has them.
    threads
        How many repositories are looked at at once.
    is_stopped
        Asked before each repository; once it is true, no other is begun.

    Raises
    ------
    CredentialsError
        Where the credentials are over, after what was seen before.
    AwsError, RefusedError
        Where the repositories cannot be listed (further), likewise.

    """
    shared = SharedFacts(ports.settings)
    tags = _resource_tags(ports.repositories, policy, scope)

    def look(repository: Repository) -> Visit:
        return judge_repository(
            repository,
            policy=policy,
            place=place,
            ports=ports,
            shared=shared,
            scope=scope,
            now=now,
            event_id=event_id,
            resource_tags=None if tags is None else tags.get(repository.name, {}),
        )

    with ThreadPoolExecutor(threads) as pool:
        yield from in_order(pool, look, _listed(ports.repositories, scope, is_stopped), ahead=threads * AHEAD)


def _listed(repositories: Repositories, scope: Scope, is_stopped: Callable[[], bool]) -> Iterator[Repository]:
    for page in repositories.pages():
        for repository in page:
            if is_stopped():
                return
            if scope.has(repository.name):
                yield repository
        # It is not to be in memory while the next one is read.
        del page


def _resource_tags(
    repositories: Repositories, policy: Policy, scope: Scope
) -> Mapping[str, Mapping[str, str]] | None:
    """Read all repositories' resource tags at once where each one's are needed.

    Where that is refused, each repository's are read by themselves: more calls, and the same answers.
    """
    is_judged = "resource_tags" in scope.sections and any(rule.resource_tags for rule in policy.rules)
    if not is_judged and not scope.with_owners:
        return None
    try:
        return repositories.resource_tags()
    except RefusedError:
        return None
