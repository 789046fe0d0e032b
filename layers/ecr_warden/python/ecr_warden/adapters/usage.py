"""Which workloads run an image: ECS, Lambda, and what Inspector knows of clusters, EKS among them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ecr_warden.adapters.aws import translated
from ecr_warden.domain.console import repository_arn
from ecr_warden.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_inspector2 import Inspector2Client
    from mypy_boto3_lambda import LambdaClient

_TASKS_A_CALL: Final = 100
_SERVICES_A_CALL: Final = 10


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

    def __init__(
        self,
        *,
        ecs: "ECSClient",
        functions: "LambdaClient",
        inspector: "Inspector2Client",
        account: str,
        region: str,
    ) -> None:
        self._ecs = ecs
        self._functions = functions
        self._inspector = inspector
        self._account = account
        self._region = region

    def who_uses(
        self, repository_name: str, image_digests: Collection[str], image_tags: Collection[str]
    ) -> tuple[str, ...]:
        """Name the workloads that use an image by one of its digests or tags.

        What could not be found out is named as well: it counts as in use.
        """
        image = _Image(repository_name, frozenset(image_digests), frozenset(image_tags))
        searches = (
            self._tasks(image),
            self._services(image),
            self._lambda_functions(image),
            self._clusters(repository_name, image_digests),
        )
        users: list[str] = []
        for search in searches:
            try:
                users.extend(search)
            except (AwsError, KeyError) as error:
                # An answer of a form that is not known here tells nothing either.
                users.append(f"it could not be found out ({type(error).__name__}: {error})")
        return tuple(dict.fromkeys(users))

    def _tasks(self, image: "_Image") -> Iterator[str]:
        with translated("looking for ECS tasks that use the image"):
            for cluster in self._ecs_clusters():
                pages = self._ecs.get_paginator("list_tasks").paginate(cluster=cluster)
                arns = [arn for page in pages for arn in page["taskArns"]]
                for some in _in_parts(arns, _TASKS_A_CALL):
                    for task in self._ecs.describe_tasks(cluster=cluster, tasks=some)["tasks"]:
                        if any(
                            container.get("imageDigest") in image.digests
                            or image.is_named_by(container.get("image", ""))
                            for container in task.get("containers", [])
                        ):
                            yield f"ECS task {task['taskArn']}"

    def _services(self, image: "_Image") -> Iterator[str]:
        with translated("looking for ECS services that use the image"):
            for cluster in self._ecs_clusters():
                pages = self._ecs.get_paginator("list_services").paginate(cluster=cluster)
                arns = [arn for page in pages for arn in page["serviceArns"]]
                for some in _in_parts(arns, _SERVICES_A_CALL):
                    for service in self._ecs.describe_services(cluster=cluster, services=some)["services"]:
                        # A service of an external controller has its definitions in its task sets.
                        holders = [service, *service.get("deployments", []), *service.get("taskSets", [])]
                        definitions = {str(holder.get("taskDefinition", "")) for holder in holders} - {""}
                        if any(self._defines(arn, image) for arn in definitions):
                            yield f"ECS service {service['serviceArn']}"

    def _defines(self, task_definition: str, image: "_Image") -> bool:
        answer = self._ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
        return any(
            image.is_named_by(container.get("image", ""))
            for container in answer.get("containerDefinitions", [])
        )

    def _ecs_clusters(self) -> list[str]:
        pages = self._ecs.get_paginator("list_clusters").paginate()
        return [arn for page in pages for arn in page["clusterArns"]]

    def _lambda_functions(self, image: "_Image") -> Iterator[str]:
        with translated("looking for Lambda functions that use the image"):
            for page in self._functions.get_paginator("list_functions").paginate(FunctionVersion="ALL"):
                for function in page["Functions"]:
                    if function.get("PackageType") != "Image":
                        continue
                    code = self._functions.get_function(FunctionName=function["FunctionArn"])["Code"]
                    if image.is_named_by(code.get("ImageUri", "")) or image.is_named_by(
                        code.get("ResolvedImageUri", "")
                    ):
                        yield f"Lambda function {function['FunctionArn']}"

    def _clusters(self, repository_name: str, image_digests: Collection[str]) -> Iterator[str]:
        repository = repository_arn(self._account, self._region, repository_name)
        with translated("asking Inspector for clusters that use the image"):
            for digest in dict.fromkeys(image_digests):
                pages = self._inspector.get_paginator("get_clusters_for_image").paginate(
                    filter={"resourceId": f"{repository}/{digest}"}
                )
                for page in pages:
                    for cluster in page["cluster"]:
                        yield f"cluster {cluster['clusterArn']}"


def _in_parts(items: Sequence[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
