"""Which workloads run an image: ECS, Lambda, and what Inspector knows of clusters, EKS among them."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.parts import in_parts
from ecr_warden.domain.console import repository_arn
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


class AwsUsage:
    """The workloads of one account and Region. Those of other accounts cannot be seen from here."""

    def __init__(  # noqa: PLR0913  # whom to ask, about which registry, and for how long
        self,
        *,
        ecs: "ECSClient",
        functions: "LambdaClient",
        inspector: "Inspector2Client",
        account: str,
        region: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ecs = ecs
        self._functions = functions
        self._inspector = inspector
        self._account = account
        self._region = region
        self._monotonic = monotonic

    def who_uses(
        self, repository_name: str, image_digests: Collection[str], image_tags: Collection[str]
    ) -> tuple[str, ...]:
        """Name the workloads that use an image by one of its digests or tags.

        What could not be found out, in two minutes, is named as well: it counts as in use.
        """
        budget = _Budget(self._monotonic)
        image = _Image(repository_name, frozenset(image_digests), frozenset(image_tags))
        searches = (
            self._tasks(image, budget),
            self._services(image, budget),
            self._lambda_functions(image, budget),
            self._clusters(repository_name, image_digests, budget),
        )
        users: dict[str, None] = {}
        for search in searches:
            try:
                for user in search:
                    users[user] = None
            except _TooLongError as error:
                users[f"it could not be found out ({error})"] = None
            except (AwsError, KeyError) as error:
                # An answer of a form that is not known here tells nothing either.
                users[f"it could not be found out ({type(error).__name__}: {error})"] = None
        return tuple(users)

    def _tasks(self, image: "_Image", budget: _Budget) -> Iterator[str]:
        with translated("looking for ECS tasks that use the image"):
            for cluster in self._ecs_clusters(budget):
                pages = self._ecs.get_paginator("list_tasks").paginate(cluster=cluster)
                arns = [arn for page in budget.pages(pages) for arn in page["taskArns"]]
                for some in in_parts(arns, _TASKS_A_CALL):
                    for task in budget.call(self._ecs.describe_tasks, cluster=cluster, tasks=some)["tasks"]:
                        if any(
                            container.get("imageDigest") in image.digests
                            or image.is_named_by(container.get("image", ""))
                            for container in task.get("containers", [])
                        ):
                            yield f"ECS task {task['taskArn']}"

    def _services(self, image: "_Image", budget: _Budget) -> Iterator[str]:
        # Many services name the same definitions, each in its deployments too.
        defines = cache(lambda task_definition: self._defines(task_definition, image, budget))
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
                        if any(defines(arn) for arn in definitions):
                            yield f"ECS service {service['serviceArn']}"

    def _defines(self, task_definition: str, image: "_Image", budget: _Budget) -> bool:
        answer = budget.call(self._ecs.describe_task_definition, taskDefinition=task_definition)
        return any(
            image.is_named_by(container.get("image", ""))
            for container in answer["taskDefinition"].get("containerDefinitions", [])
        )

    def _ecs_clusters(self, budget: _Budget) -> list[str]:
        pages = self._ecs.get_paginator("list_clusters").paginate()
        return [arn for page in budget.pages(pages) for arn in page["clusterArns"]]

    def _lambda_functions(self, image: "_Image", budget: _Budget) -> Iterator[str]:
        with translated("looking for Lambda functions that use the image"):
            pages = self._functions.get_paginator("list_functions").paginate(FunctionVersion="ALL")
            for page in budget.pages(pages):
                for function in page["Functions"]:
                    if function.get("PackageType") != "Image":
                        continue
                    arn = function["FunctionArn"]
                    code = budget.call(self._functions.get_function, FunctionName=arn)["Code"]
                    if image.is_named_by(code.get("ImageUri", "")) or image.is_named_by(
                        code.get("ResolvedImageUri", "")
                    ):
                        yield f"Lambda function {arn}"

    def _clusters(
        self, repository_name: str, image_digests: Collection[str], budget: _Budget
    ) -> Iterator[str]:
        repository = repository_arn(self._account, self._region, repository_name)
        with translated("asking Inspector for clusters that use the image"):
            for digest in dict.fromkeys(image_digests):
                pages = self._inspector.get_paginator("get_clusters_for_image").paginate(
                    filter={"resourceId": f"{repository}/{digest}"}
                )
                for page in budget.pages(pages):
                    for cluster in page["cluster"]:
                        yield f"cluster {cluster['clusterArn']}"
