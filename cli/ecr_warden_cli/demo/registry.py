"""What befalls the registry: people are told of it."""

from collections.abc import Callable, Iterator
from typing import Any

from ecr_warden_cli.caused import Caused
from ecr_warden_cli.demo.scene import Scene, Step, changed, told
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION


class RegistryEvents:
    """ECR tells of its own doings."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.steps = (
            Step("A replication that failed", self._replicate_in_vain, _is_told("replication_failed")),
            Step(
                "A repository whose scanning was switched off",
                self._switch_off,
                _is_told("image_not_scanned"),
            ),
            Step("A run of a lifecycle policy", self._run_lifecycle, _is_told("lifecycle_ran")),
        )

    def _emit(self, detail_type: str, detail: dict[str, Any]) -> None:
        self.scene.aws.broker.emit(DEFAULT_ACCOUNT, DEFAULT_REGION, detail_type, detail)

    def _replicate_in_vain(self) -> None:
        self._emit(
            "ECR Replication Action",
            {
                "result": "FAILED",
                "repository-name": "shop/api",
                "image-digest": f"sha256:{'a' * 64}",
                "image-tag": "v1.4.2",
                "source-account": DEFAULT_ACCOUNT,
                "source-region": "eu-west-1",
                "action-type": "REPLICATE",
            },
        )

    def _switch_off(self) -> None:
        name = "shop/api"
        change = {
            "repository-name": name,
            "repository-arn": f"arn:aws:ecr:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:repository/{name}",
            "scan-frequency": "MANUAL",
            "previous-scan-frequency": "SCAN_ON_PUSH",
        }
        self._emit(
            "ECR Scan Resource Change",
            {
                "action-type": "SCAN_FREQUENCY_CHANGE",
                "repositories": [change],
                "resource-type": "REPOSITORY",
                "scan-type": "ENHANCED",
            },
        )

    def _run_lifecycle(self) -> None:
        images = [
            {
                "digest": f"sha256:{seed * 64}",
                "tagStatus": "Untagged",
                "tagList": [],
                "pushedAt": 1584042813000,
            }
            for seed in "789"
        ]
        self._emit(
            "AWS Service Event via CloudTrail",
            {
                "eventSource": "ecr.amazonaws.com",
                "eventName": "PolicyExecutionEvent",
                "eventType": "AwsServiceEvent",
                "readOnly": True,
                "requestParameters": None,
                "serviceEventDetails": {
                    "repositoryName": "platform/api",
                    "lifecycleEventPolicy": {
                        "lifecycleEventRules": [
                            {"rulePriority": 1, "description": "untagged for 7 days", "action": "expire"}
                        ]
                    },
                    "lifecycleEventImageActions": [
                        {"lifecycleEventImage": image, "rulePriority": 1} for image in images
                    ],
                    "lifecycleEventFailureDetails": [],
                },
            },
        )


def _is_told(kind: str) -> Callable[[Caused], Iterator[str]]:
    def problems(caused: Caused) -> Iterator[str]:
        yield from told(caused, ["ops"])
        yield from changed(caused, 0)
        if [outcome["kind"] for outcome in caused.outcomes] != [kind]:
            yield f"one {kind} should have been told, not {caused.outcomes}"

    return problems
