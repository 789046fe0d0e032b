"""New repositories, and the settings that they are given."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ecr_warden_cli.caused import Caused
from ecr_warden_cli.demo.scene import Scene, Step, changed, nothing, told, told_once
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT
from ecr_warden_cli.local.ecr_double import create_by_service

if TYPE_CHECKING:
    from ecr_warden_cli.local.broker import Event

# What an owner who knows best has set.
OWN_LIFECYCLE: Final = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Logs are kept for two years",
            "selection": {
                "tagStatus": "any",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 730,
            },
            "action": {"type": "expire"},
        }
    ]
}


class Creations:
    """People and ECR make repositories."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._created: Event = {}
        self.steps = (
            Step("A new repository, by an API call", self._create, self._is_configured),
            Step("The same event, delivered again", self._create_again, told_once),
            Step(
                "A repository that ECR makes itself, of a pull through cache",
                self._pull_through,
                self._is_configured_too,
            ),
            Step(
                "A new repository whose owner has chosen other settings",
                self._create_otherwise,
                self._is_left_as_chosen,
            ),
            Step("A repository that is deleted within the delay", self._create_and_delete, nothing),
        )

    def _create(self) -> None:
        self.scene.ecr.create_repository(repositoryName="platform/api")
        self._created = self.scene.aws.broker.trace.events[-1]

    def _create_again(self) -> None:
        # The queue drops what it had within five minutes; this one comes to it as if later.
        self.scene.aws.broker.put({**self._created, "resources": ["delivered again"]})

    def _is_configured(self, caused: Caused) -> Iterator[str]:
        yield from self._settings_of("platform/api")
        yield from told(caused, ["ops"])
        yield from changed(caused, 5)

    def _pull_through(self) -> None:
        create_by_service(
            self.scene.aws.broker.emit, self.scene.backend, "mirror/library/alpine", "PULL_THROUGH_CACHE"
        )

    def _is_configured_too(self, caused: Caused) -> Iterator[str]:
        yield from self._settings_of("mirror/library/alpine")
        yield from told(caused, ["ops"])
        # The registry's own settings are as they should be by now.
        yield from changed(caused, 3)

    def _settings_of(self, repository: str) -> Iterator[str]:
        with self.scene.aws.acting_in(DEFAULT_ACCOUNT):
            (found,) = self.scene.ecr.describe_repositories(repositoryNames=[repository])["repositories"]
            lifecycle = self.scene.ecr.get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"]
            replication = self.scene.ecr.describe_registry()["replicationConfiguration"]["rules"]
        if found["imageTagMutability"] != "IMMUTABLE_WITH_EXCLUSION":
            yield f"its tags should be immutable but for the cache's, and are {found['imageTagMutability']}"
        if len(json.loads(lifecycle)["rules"]) != 3:  # noqa: PLR2004  # quarantined, untagged, all
            yield f"its lifecycle should have three rules, and is {lifecycle}"
        if [len(rule["repositoryFilters"]) for rule in replication] != [2]:
            yield f"one rule with two prefixes should replicate, and there is {replication}"

    def _create_otherwise(self) -> None:
        self.scene.ecr.create_repository(repositoryName="platform/logs", imageTagMutability="IMMUTABLE")
        self.scene.ecr.put_lifecycle_policy(
            repositoryName="platform/logs", lifecyclePolicyText=json.dumps(OWN_LIFECYCLE)
        )

    def _is_left_as_chosen(self, caused: Caused) -> Iterator[str]:
        with self.scene.aws.acting_in(DEFAULT_ACCOUNT):
            lifecycle = self.scene.ecr.get_lifecycle_policy(repositoryName="platform/logs")[
                "lifecyclePolicyText"
            ]
        if json.loads(lifecycle) != OWN_LIFECYCLE:
            yield f"its own lifecycle should have stayed, and is {lifecycle}"
        sections = [change["section"] for change in caused.changes]
        if sections != ["resource_tags"]:
            yield f"only its resource tags should have been set, not {sections}"

    def _create_and_delete(self) -> None:
        self.scene.ecr.create_repository(repositoryName="platform/mistake")
        self.scene.ecr.delete_repository(repositoryName="platform/mistake")
