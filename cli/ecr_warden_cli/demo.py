"""The main job, shown: what each event caused in the embedded AWS, and whether it was what it should be."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from moto.ecr.models import ecr_backends

from ecr_warden_cli.caused import Caused
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION, LocalAws
from ecr_warden_cli.local.broker import Event
from ecr_warden_cli.local.ecr_double import create_by_service, make_repository

POLICY: Final = Path(__file__).parent / "demo.yaml"
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_INDEX: Final = "application/vnd.oci.image.index.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_SIGNATURE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"

# What an owner who knows best has set.
_LIFECYCLE: Final = {
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


@dataclass(frozen=True)
class Shown:
    """One step: what was done, what came of it, and what of it is not as it should be."""

    title: str
    caused: Caused
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Step:
    title: str
    act: Callable[[], object]
    problems: Callable[[Caused], Iterator[str]]


class Demo:
    """A day of a registry."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws
        self._stack = aws.stack(DEFAULT_ACCOUNT, DEFAULT_REGION)
        self._ecr = boto3.client("ecr", region_name=DEFAULT_REGION)
        self._denied: dict[str, Event] = {}
        self._created: Event = {}
        for repository in ("shop/api", "shop/web", "sandbox/try"):
            make_repository(ecr_backends[DEFAULT_ACCOUNT][DEFAULT_REGION], repository)
        self.steps = (
            _Step("A push under an allowed tag", lambda: self._push("shop/api", "v1.4.2", "a"), _nothing),
            _Step("A push under a denied tag", self._push_latest, self._is_quarantined),
            _Step("The same event, delivered again", self._again, self._is_told_once),
            _Step("The same in a rule that only audits", self._push_sandbox, self._is_only_told),
            _Step("An untagged push", lambda: self._push("shop/api", None, "c"), _nothing),
            _Step(
                "A multi-architecture push under a denied tag", self._push_index, self._is_index_quarantined
            ),
            _Step("A signature", self._push_signature, _nothing),
            _Step("A push to a repository that is gone by now", self._push_gone, _said_gone),
            _Step("A malformed event", self._malformed, self._is_set_aside),
            _Step("A new repository, by an API call", self._create, self._is_configured),
            _Step("The same event, delivered again", self._create_again, self._is_told_once),
            _Step(
                "A repository that ECR makes itself, of a pull through cache",
                self._pull_through,
                self._is_configured_too,
            ),
            _Step(
                "A new repository whose owner has chosen other settings",
                self._create_otherwise,
                self._is_left_as_chosen,
            ),
            _Step("A repository that is deleted within the delay", self._create_and_delete, _nothing),
        )

    def run(self) -> Iterator[Shown]:
        """Take the steps one by one."""
        for step in self.steps:
            caused = self._aws.watch(step.act, self._stack)
            yield Shown(step.title, caused, tuple(step.problems(caused)))

    def _push(self, repository: str, tag: str | None, seed: str, media_type: str = _CONFIG) -> str:
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": {"mediaType": media_type, "size": 2, "digest": f"sha256:{seed * 64}"},
                "layers": [],
            }
        )
        return self._put(repository, tag, manifest, _MANIFEST)

    def _put(self, repository: str, tag: str | None, manifest: str, media_type: str) -> str:
        named: dict[str, Any] = {} if tag is None else {"imageTag": tag}
        answer = self._ecr.put_image(
            repositoryName=repository, imageManifest=manifest, imageManifestMediaType=media_type, **named
        )
        return str(answer["image"]["imageId"]["imageDigest"])

    def _push_latest(self) -> None:
        self._push("shop/api", "latest", "b")
        self._denied = self._aws.broker.trace.events[-1]

    def _is_quarantined(self, caused: Caused) -> Iterator[str]:
        digest = self._denied["detail"]["image-digest"]
        short = digest.removeprefix("sha256:")[:12]
        tags = self._tags("shop/api", digest)
        if tags != [f"quarantine-{short}-latest"]:
            yield f"the image should have its quarantine tag alone, and has {tags}"
        yield from _told(caused, ["team", "ops"])
        yield from _changed(caused, 1)

    def _again(self) -> None:
        self._aws.broker.put(self._denied)

    def _is_told_once(self, caused: Caused) -> Iterator[str]:
        yield from _told(caused, [])
        yield from _changed(caused, 0)

    def _push_sandbox(self) -> None:
        self._push("sandbox/try", "latest", "d")

    def _is_only_told(self, caused: Caused) -> Iterator[str]:
        yield from _told(caused, ["ops"])
        yield from _changed(caused, 0)

    def _push_index(self) -> None:
        platforms = [self._push("shop/web", None, seed) for seed in "ef"]
        children = [{"mediaType": _MANIFEST, "digest": digest, "size": 2} for digest in platforms]
        manifest = json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": children})
        self._put("shop/web", "latest", manifest, _INDEX)

    def _is_index_quarantined(self, caused: Caused) -> Iterator[str]:
        with self._aws.acting_in(DEFAULT_ACCOUNT):
            images = self._ecr.describe_images(repositoryName="shop/web")["imageDetails"]
        tags = sorted(tag for image in images for tag in image.get("imageTags", []))
        if len(images) != 3 or len(tags) != 1 or not tags[0].startswith("quarantine-"):  # noqa: PLR2004  # an index and two platforms
            yield f"the index and its two platforms should be there, one quarantine tag in all, not {tags}"
        yield from _told(caused, ["team", "ops"])
        yield from _changed(caused, 1)

    def _push_signature(self) -> None:
        digest = self._denied["detail"]["image-digest"].replace(":", "-")
        self._push("shop/api", f"{digest}.sig", "9", _SIGNATURE)

    def _push_gone(self) -> None:
        self._aws.broker.put(self._event({**self._denied["detail"], "repository-name": "shop/removed"}))

    def _malformed(self) -> None:
        detail = {**self._denied["detail"]}
        del detail["repository-name"]
        self._aws.broker.put(self._event(detail))

    def _is_set_aside(self, caused: Caused) -> Iterator[str]:
        error = caused.error or {}
        if error.get("type") != "MalformedEventError" or "repository-name" not in error["message"]:
            yield f"the error should name the field, and is {error}"
        waiting = self._stack.waiting("ImageActionDeadLetterQueue")
        if waiting != 1:
            yield f"the event should wait in the dead-letter queue, in which {waiting} are"

    def _create(self) -> None:
        self._ecr.create_repository(repositoryName="platform/api")
        self._created = self._aws.broker.trace.events[-1]

    def _create_again(self) -> None:
        # The queue drops what it had within five minutes; this one comes to it as if later.
        self._aws.broker.put({**self._created, "resources": ["delivered again"]})

    def _is_configured(self, caused: Caused) -> Iterator[str]:
        yield from self._settings_of("platform/api")
        yield from _told(caused, ["ops"])
        yield from _changed(caused, 5)

    def _pull_through(self) -> None:
        backend = ecr_backends[DEFAULT_ACCOUNT][DEFAULT_REGION]
        create_by_service(self._aws.broker.emit, backend, "mirror/library/alpine", "PULL_THROUGH_CACHE")

    def _is_configured_too(self, caused: Caused) -> Iterator[str]:
        yield from self._settings_of("mirror/library/alpine")
        yield from _told(caused, ["ops"])
        # The registry's own settings are as they should be by now.
        yield from _changed(caused, 3)

    def _settings_of(self, repository: str) -> Iterator[str]:
        with self._aws.acting_in(DEFAULT_ACCOUNT):
            (found,) = self._ecr.describe_repositories(repositoryNames=[repository])["repositories"]
            lifecycle = self._ecr.get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"]
            replication = self._ecr.describe_registry()["replicationConfiguration"]["rules"]
        if found["imageTagMutability"] != "IMMUTABLE_WITH_EXCLUSION":
            yield f"its tags should be immutable but for the cache's, and are {found['imageTagMutability']}"
        if len(json.loads(lifecycle)["rules"]) != 3:  # noqa: PLR2004  # quarantined, untagged, all
            yield f"its lifecycle should have three rules, and is {lifecycle}"
        if [len(rule["repositoryFilters"]) for rule in replication] != [2]:
            yield f"one rule with two prefixes should replicate, and there is {replication}"

    def _create_otherwise(self) -> None:
        self._ecr.create_repository(repositoryName="platform/logs", imageTagMutability="IMMUTABLE")
        self._ecr.put_lifecycle_policy(
            repositoryName="platform/logs", lifecyclePolicyText=json.dumps(_LIFECYCLE)
        )

    def _is_left_as_chosen(self, caused: Caused) -> Iterator[str]:
        with self._aws.acting_in(DEFAULT_ACCOUNT):
            lifecycle = self._ecr.get_lifecycle_policy(repositoryName="platform/logs")["lifecyclePolicyText"]
        if json.loads(lifecycle) != _LIFECYCLE:
            yield f"its own lifecycle should have stayed, and is {lifecycle}"
        sections = [change["section"] for change in caused.changes]
        if sections != ["resource_tags"]:
            yield f"only its resource tags should have been set, not {sections}"

    def _create_and_delete(self) -> None:
        self._ecr.create_repository(repositoryName="platform/mistake")
        self._ecr.delete_repository(repositoryName="platform/mistake")

    def _event(self, detail: dict[str, Any]) -> Event:
        return {**self._denied, "id": str(uuid.uuid4()), "detail": detail}

    def _tags(self, repository: str, digest: str) -> list[str]:
        with self._aws.acting_in(DEFAULT_ACCOUNT):
            answer = self._ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        return list(answer["imageDetails"][0].get("imageTags", []))


def _nothing(caused: Caused) -> Iterator[str]:
    yield from _told(caused, [])
    yield from _changed(caused, 0)
    if caused.outcomes or caused.error:
        yield f"nothing should have come of it, and there is {caused.outcomes or caused.error}"


def _said_gone(caused: Caused) -> Iterator[str]:
    yield from _changed(caused, 0)
    yield from _told(caused, ["ops"])
    if caused.error or not any("does not exist" in outcome["reason"] for outcome in caused.outcomes):
        yield f"it should be said that the repository is gone, not {caused.error or caused.outcomes}"


def _told(caused: Caused, channels: list[str]) -> Iterator[str]:
    got = [message.channel for message in caused.messages]
    if got != channels:
        yield f"{channels or 'nobody'} should have been told, not {got or 'nobody'}"


def _changed(caused: Caused, number: int) -> Iterator[str]:
    if len(caused.changes) != number:
        yield f"{number} changes should have been made, not {len(caused.changes)}"
