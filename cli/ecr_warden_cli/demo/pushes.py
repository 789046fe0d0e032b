"""Pushes, and what the tag rules make of them."""

import json
import uuid
from collections.abc import Iterator
from typing import Any, Final

from ecr_warden_cli.caused import Caused
from ecr_warden_cli.demo.scene import MANIFEST, Scene, Step, changed, nothing, told, told_once
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION
from ecr_warden_cli.local.broker import Event
from ecr_warden_cli.local.ecr_double import make_repository

_INDEX: Final = "application/vnd.oci.image.index.v1+json"
_SIGNATURE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"


class Pushes:
    """People push images."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._denied: Event = {}
        for repository in ("shop/api", "shop/web", "sandbox/try"):
            make_repository(scene.backend, repository)
        self.steps = (
            Step("A push under an allowed tag", lambda: self.scene.push("shop/api", "v1.4.2", "a"), nothing),
            Step("A push under a denied tag", self._push_latest, self._is_quarantined),
            Step("The same event, delivered again", self._again, told_once),
            Step("The same in a rule that only audits", self._push_sandbox, self._is_only_told),
            Step("An untagged push", lambda: self.scene.push("shop/api", None, "c"), nothing),
            Step(
                "A multi-architecture push under a denied tag", self._push_index, self._is_index_quarantined
            ),
            Step("A signature", self._push_signature, nothing),
            Step("A push to a repository that is gone by now", self._push_gone, _said_gone),
            Step("A malformed event", self._malformed, self._is_set_aside),
        )

    def _push_latest(self) -> None:
        self.scene.push("shop/api", "latest", "b")
        self._denied = self.scene.aws.broker.trace.events[-1]

    def _is_quarantined(self, caused: Caused) -> Iterator[str]:
        digest = self._denied["detail"]["image-digest"]
        short = digest.removeprefix("sha256:")[:12]
        tags = self._tags("shop/api", digest)
        if tags != [f"quarantine-{short}-latest"]:
            yield f"the image should have its quarantine tag alone, and has {tags}"
        yield from told(caused, ["team", "ops"])
        yield from changed(caused, 1)

    def _again(self) -> None:
        self.scene.aws.broker.put(self._denied)

    def _push_sandbox(self) -> None:
        self.scene.push("sandbox/try", "latest", "d")

    def _is_only_told(self, caused: Caused) -> Iterator[str]:
        yield from told(caused, ["ops"])
        yield from changed(caused, 0)

    def _push_index(self) -> None:
        platforms = [self.scene.push("shop/web", None, seed) for seed in "ef"]
        children = [{"mediaType": MANIFEST, "digest": digest, "size": 2} for digest in platforms]
        manifest = json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": children})
        self.scene.put("shop/web", "latest", manifest, _INDEX)

    def _is_index_quarantined(self, caused: Caused) -> Iterator[str]:
        with self.scene.aws.acting_in(DEFAULT_ACCOUNT):
            images = self.scene.ecr.describe_images(repositoryName="shop/web")["imageDetails"]
        tags = sorted(tag for image in images for tag in image.get("imageTags", []))
        if len(images) != 3 or len(tags) != 1 or not tags[0].startswith("quarantine-"):  # noqa: PLR2004  # an index and two platforms
            yield f"the index and its two platforms should be there, one quarantine tag in all, not {tags}"
        yield from told(caused, ["team", "ops"])
        yield from changed(caused, 1)

    def _push_signature(self) -> None:
        digest = self._denied["detail"]["image-digest"].replace(":", "-")
        self.scene.push("shop/api", f"{digest}.sig", "9", _SIGNATURE)

    def _push_gone(self) -> None:
        self.scene.aws.broker.put(self._event({**self._denied["detail"], "repository-name": "shop/removed"}))

    def _malformed(self) -> None:
        detail = {**self._denied["detail"]}
        del detail["repository-name"]
        self.scene.aws.broker.put(self._event(detail))

    def _is_set_aside(self, caused: Caused) -> Iterator[str]:
        error = caused.error or {}
        if error.get("type") != "MalformedEventError" or "repository-name" not in error["message"]:
            yield f"the error should name the field, and is {error}"
        waiting = self.scene.aws.stack(DEFAULT_ACCOUNT, DEFAULT_REGION).waiting("ImageActionDeadLetterQueue")
        if waiting != 1:
            yield f"the event should wait in the dead-letter queue, in which {waiting} are"

    def _event(self, detail: dict[str, Any]) -> Event:
        return {**self._denied, "id": str(uuid.uuid4()), "detail": detail}

    def _tags(self, repository: str, digest: str) -> list[str]:
        with self.scene.aws.acting_in(DEFAULT_ACCOUNT):
            answer = self.scene.ecr.describe_images(
                repositoryName=repository, imageIds=[{"imageDigest": digest}]
            )
        return list(answer["imageDetails"][0].get("imageTags", []))


def _said_gone(caused: Caused) -> Iterator[str]:
    yield from changed(caused, 0)
    yield from told(caused, ["ops"])
    if caused.error or not any("does not exist" in outcome["reason"] for outcome in caused.outcomes):
        yield f"it should be said that the repository is gone, not {caused.error or caused.outcomes}"
