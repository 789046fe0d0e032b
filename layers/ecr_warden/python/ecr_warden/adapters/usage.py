"""Which workloads run an image: ECS, Lambda, and what Inspector knows of clusters, EKS among them."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.parts import in_parts
from ecr_warden.domain.console import repository_arn
from ecr_warden.domain.places import Place
from ecr_warden.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_lambda import LambdaClient

_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")

# Unless asked for more, ListServices gives ten services a page.
_SERVICES_A_PAGE: Final = 100
_TASKS_A_CALL: Final = 100
_SERVICES_A_CALL: Final = 10
# Seconds. With the call that runs then, and its retries, well within what ImageScanFunction has.
_AT_MOST: Final = 120


class _TooLongError(Exception):
    def __init__(self) -> None:
        super().__init__(f"looking took longer than {_AT_MOST} seconds")


class _Budget:
    """The time for looking; it begins now. Where it is over, no call is made, but an error raised."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ends = monotonic() + _AT_MOST

    def call(self, method: Callable[_Asked, _Answer], *args: _Asked.args, **kwargs: _Asked.kwargs) -> _Answer:
        """Call AWS, unless the time is over."""
        if self._monotonic() > self._ends:
            raise _TooLongError
        return method(*args, **kwargs)

    def pages(self, pages: Iterable[_Answer]) -> Iterator[_Answer]:
        """Give pages, each of which is a call."""
        left = iter(pages)
        while (page := self.call(next, left, None)) is not None:
            yield page


@dataclass(frozen=True)
class _Image:
    """An image by all its names: an index has its children's digests, too."""

    repository: str
    digests: frozenset[str]
    tags: frozenset[str]

    def is_named_by(self, reference: str) -> bool:
        """Tell whether a reference, as in a container's definition, means this image."""
        name, _, digest = reference.partition("@")
        path, _, tag = name.rpartition("/")[2].partition(":")
        repository = f"{name.rpartition('/')[0]}/{path}"
        if not repository.endswith(f"/{self.repository}"):
            return False
        # Where a reference has a digest, its tag does not count; where it has neither, it means latest.
        return digest in self.digests if digest else (tag or "latest") in self.tags


@dataclass(frozen=True)
class _User:
    """A workload, and the images that it runs: as its definition names them, and by what was pulled."""

    name: str
    references: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()

    def runs(self, image: _Image) -> bool:
        return not image.digests.isdisjoint(self.digests) or any(map(image.is_named_by, self.references))


@dataclass(frozen=True)
class _Found:
    """What a search found, and why there may be more; ``None`` where there is no more."""

    users: tuple[_User, ...]
    unknown: str | None


class AwsUsage:
    """The workloads of one account and Region. Those of other accounts cannot be seen from here.

    Parameters
    ----------
    ecs, functions, inspector
        The clients.
    account, region
        Where it is.
    remembered
        Seconds for which the tasks, services and functions that run are not listed again: a run over a
        registry asks about many images. By default they are listed each time.
    monotonic
        The clock, in seconds.

    """

    def __init__(  # noqa: PLR0913  # whom to ask, about which registry, and for how long
        self,
        *,
        ecs: "ECSClient",
        functions: "LambdaClient",
        inspector: "Inspector2Client",
        account: str,
        region: str,
        remembered: float = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ecs = ecs
        self._functions = functions
        self._inspector = inspector
        self._account = account
        self._region = region
        self._remembered = remembered
        self._monotonic = monotonic
        self._lock = Lock()
        self._known: dict[str, tuple[float, _Found]] = {}

    @classmethod
    def of(cls, client: Callable[[str], Any], place: Place, *, remembered: float = 0) -> "AwsUsage":
        """Build it of what gives the client of a service in a place."""
        return cls(
            ecs=client("ecs"),
            functions=client("lambda"),
            inspector=client("inspector2"),
            account=place.account,
            region=place.region,
            remembered=remembered,
        )

    def who_uses(
        self,
        repository_name: str,
        image_digests: Collection[str],
        image_tags: Collection[str],
        *,
        afresh: bool = False,
    ) -> tuple[str, ...]:
        """Name the workloads that use an image by one of its digests or tags.

        What could not be found out, in two minutes, is named as well: it counts as in use. ``afresh``: all
        that runs is listed again, whatever is remembered.
        """
        budget = _Budget(self._monotonic)
        image = _Image(repository_name, frozenset(image_digests), frozenset(image_tags))
        found = [
            self._running(search, budget, afresh=afresh)
            for search in (self._tasks, self._services, self._lambda_functions)
        ]
        found.append(_find(lambda: self._clusters(repository_name, image_digests, budget)))
        users: dict[str, None] = {}
        for one in found:
            users |= dict.fromkeys(user.name for user in one.users if user.runs(image))
            if one.unknown is not None:
                users[f"it could not be found out ({one.unknown})"] = None
        return tuple(users)

    def _running(
        self, search: Callable[[_Budget], Iterator[_User]], budget: _Budget, *, afresh: bool
    ) -> _Found:
        """Give all that runs of a kind: as it was found not long ago, where that is to be remembered."""
        if afresh or not self._remembered:
            return _find(lambda: search(budget))
        # One looks while the others wait for what it finds.
        with self._lock:
            at, found = self._known.get(search.__name__, (None, None))
            if found is None or at is None or self._monotonic() - at >= self._remembered:
                # What could not be found out is remembered, too: looking again would take as long.
                found = _find(lambda: search(budget))
                self._known[search.__name__] = self._monotonic(), found
        return found

    def _tasks(self, budget: _Budget) -> Iterator[_User]:
        with translated("looking for ECS tasks that use the image"):
            for cluster in self._ecs_clusters(budget):
                pages = self._ecs.get_paginator("list_tasks").paginate(cluster=cluster)
                arns = [arn for page in budget.pages(pages) for arn in page["taskArns"]]
                for some in in_parts(arns, _TASKS_A_CALL):
                    for task in budget.call(self._ecs.describe_tasks, cluster=cluster, tasks=some)["tasks"]:
                        containers = task.get("containers", [])
                        yield _User(
                            f"ECS task {task['taskArn']}",
                            frozenset(container.get("image", "") for container in containers),
                            frozenset(container.get("imageDigest", "") for container in containers),
                        )

    def _services(self, budget: _Budget) -> Iterator[_User]:
        # Many services name the same definitions, each in its deployments too.
        images = cache(lambda task_definition: self._images_of(task_definition, budget))
        with translated("looking for ECS services that use the image"):
            for cluster in self._ecs_clusters(budget):
                pages = self._ecs.get_paginator("list_services").paginate(
                    cluster=cluster, PaginationConfig={"PageSize": _SERVICES_A_PAGE}
                )
                arns = [arn for page in budget.pages(pages) for arn in page["serviceArns"]]
                for some in in_parts(arns, _SERVICES_A_CALL):
                    answer = budget.call(self._ecs.describe_services, cluster=cluster, services=some)
                    for service in answer["services"]:
                        # A service of an external controller has its definitions in its task sets.
                        holders = [service, *service.get("deployments", []), *service.get("taskSets", [])]
                        definitions = {str(holder.get("taskDefinition", "")) for holder in holders} - {""}
                        for arn in sorted(definitions):
                            yield _User(f"ECS service {service['serviceArn']}", images(arn))

    def _images_of(self, task_definition: str, budget: _Budget) -> frozenset[str]:
        answer = budget.call(self._ecs.describe_task_definition, taskDefinition=task_definition)
        containers = answer["taskDefinition"].get("containerDefinitions", [])
        return frozenset(container.get("image", "") for container in containers)

    def _ecs_clusters(self, budget: _Budget) -> list[str]:
        pages = self._ecs.get_paginator("list_clusters").paginate()
        return [arn for page in budget.pages(pages) for arn in page["clusterArns"]]

    def _lambda_functions(self, budget: _Budget) -> Iterator[_User]:
        with translated("looking for Lambda functions that use the image"):
            pages = self._functions.get_paginator("list_functions").paginate(FunctionVersion="ALL")
            for page in budget.pages(pages):
                for function in page["Functions"]:
                    if function.get("PackageType") != "Image":
                        continue
                    arn = function["FunctionArn"]
                    code = budget.call(self._functions.get_function, FunctionName=arn)["Code"]
                    images = frozenset({code.get("ImageUri", ""), code.get("ResolvedImageUri", "")})
                    yield _User(f"Lambda function {arn}", images)

    def _clusters(
        self, repository_name: str, image_digests: Collection[str], budget: _Budget
    ) -> Iterator[_User]:
        repository = repository_arn(self._account, self._region, repository_name)
        with translated("asking Inspector for clusters that use the image"):
            for digest in dict.fromkeys(image_digests):
                pages = self._inspector.get_paginator("get_clusters_for_image").paginate(
                    filter={"resourceId": f"{repository}/{digest}"}
                )
                for page in budget.pages(pages):
                    for cluster in page["cluster"]:
                        yield _User(f"cluster {cluster['clusterArn']}", digests=frozenset({digest}))


def _find(search: Callable[[], Iterator[_User]]) -> _Found:
    """Take all that a search gives; where it fails, what it gave before, and why there is no more."""
    users: list[_User] = []
    unknown = None
    try:
        for user in search():
            users.append(user)  # noqa: PERF402  # what comes before an error is kept
    except _TooLongError as error:
        unknown = str(error)
    except (AwsError, KeyError) as error:
        # An answer of a form that is not known here tells nothing either.
        unknown = f"{type(error).__name__}: {error}"
    return _Found(tuple(users), unknown)
