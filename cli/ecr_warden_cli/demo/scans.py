"""Scans, findings, and what the gate makes of them."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ecr_warden_cli.caused import Caused
from ecr_warden_cli.demo.scene import MANIFEST, Scene, Step, changed, nothing, told, told_once
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT
from ecr_warden_cli.local.ecr_double import make_repository, seed_image
from ecr_warden_cli.local.ecr_double.findings import basic_finding, enhanced_finding
from ecr_warden_cli.local.ecr_double.scan_events import complete_scan, fail_scan
from ecr_warden_cli.local.inspector_double import CLUSTERS

if TYPE_CHECKING:
    from ecr_warden_cli.local.broker import Event

_OLD, _NEW, _USED = (f"sha256:{seed * 64}" for seed in "012")
_MUSL = basic_finding("CVE-2025-26519", "HIGH", package="musl", version="1.2.3-r4")
_LOW = basic_finding("CVE-2023-42363", "LOW", package="busybox", version="1.36.0-r0")
_XZ = basic_finding("CVE-2024-3094", "CRITICAL", package="xz-utils", version="5.6.0-0.2")
_OPENSSL = enhanced_finding(
    "CVE-2022-3602", "CRITICAL", ("openssl", "3.0.2", "3.0.7"), exploit_available="YES", epss=0.83, score=9.8
)


class Scans:
    """ECR and Inspector scan images."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._failed: Event = {}
        make_repository(scene.backend, "shop/pay")
        make_repository(scene.backend, "shop/cart")
        for repository, tag, digest in (
            ("shop/pay", "v2.4.0", _OLD),
            ("shop/pay", "v2.4.1", _NEW),
            ("shop/cart", "v1.0.0", _USED),
        ):
            body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "annotations": {"of": digest}})
            seed_image(
                scene.backend, repository, digest=digest, tags=(tag,), manifest=body, media_type=MANIFEST
            )
        CLUSTERS[self._arn("shop/cart", _USED)] = [
            {"clusterArn": f"arn:aws:eks:{scene.backend.region_name}:{DEFAULT_ACCOUNT}:cluster/prod"}
        ]
        self.steps = (
            Step("A scan within what the gate allows", self._scan_well, nothing),
            Step("A scan that fails the gate", self._scan_badly, self._is_archived),
            Step("The same event, delivered again", self._again, told_once),
            Step("Inspector finds worse in an image in use", self._find_in_use, self._is_left_in_use),
            Step("Inspector finds nothing any more", self._find_nothing, self._is_told_to_pass),
            Step("A scan that could not be done", self._scan_in_vain, self._is_told_in_vain),
        )

    def _arn(self, repository: str, digest: str) -> str:
        return (
            f"arn:aws:ecr:{self.scene.backend.region_name}:{DEFAULT_ACCOUNT}:repository/{repository}/{digest}"
        )

    def _scan(
        self, repository: str, digest: str, *findings: dict[str, object], enhanced: bool = False
    ) -> None:
        emit = self.scene.aws.broker.emit
        complete_scan(emit, self.scene.backend, repository, digest, findings, enhanced=enhanced)

    def _scan_well(self) -> None:
        self._scan("shop/pay", _OLD, _MUSL, _LOW)

    def _scan_badly(self) -> None:
        self._scan("shop/pay", _NEW, _LOW, _XZ)
        self._failed = self.scene.aws.broker.trace.events[-1]

    def _is_archived(self, caused: Caused) -> Iterator[str]:
        if self._status("shop/pay", _NEW) != "ARCHIVED":
            yield "the image should be archived"
        if self._status("shop/pay", _OLD) != "ACTIVE":
            yield "the image before it should be as it was"
        yield from told(caused, ["team", "ops"])
        yield from changed(caused, 1)

    def _again(self) -> None:
        self.scene.aws.broker.put(self._failed)

    def _find_in_use(self) -> None:
        self._scan("shop/cart", _USED, _OPENSSL, enhanced=True)

    def _is_left_in_use(self, caused: Caused) -> Iterator[str]:
        if self._status("shop/cart", _USED) != "ACTIVE":
            yield "an image in use should not be archived"
        yield from told(caused, ["team", "incidents", "ops"])
        yield from changed(caused, 0)
        if [outcome["severity"] for outcome in caused.outcomes] != ["critical"]:
            yield f"it should be urgent, once, and is {caused.outcomes}"

    def _find_nothing(self) -> None:
        self._scan("shop/cart", _USED, enhanced=True)

    def _is_told_to_pass(self, caused: Caused) -> Iterator[str]:
        # In the bot's channel, what told of it is changed, and below it stands that it is over.
        yield from told(caused, ["incidents", "incidents", "ops"])
        yield from changed(caused, 0)
        if [outcome["kind"] for outcome in caused.outcomes] != ["image_recovered"]:
            yield f"it should be told once that it passes again, not {caused.outcomes}"

    def _scan_in_vain(self) -> None:
        fail_scan(self.scene.aws.broker.emit, self.scene.backend, "shop/pay", _OLD)

    def _is_told_in_vain(self, caused: Caused) -> Iterator[str]:
        yield from told(caused, ["ops"])
        yield from changed(caused, 0)
        if [outcome["kind"] for outcome in caused.outcomes] != ["scan_failed"]:
            yield f"it should be told that the scan failed, not {caused.outcomes}"

    def _status(self, repository: str, digest: str) -> str:
        with self.scene.aws.acting_in(DEFAULT_ACCOUNT):
            answer = self.scene.ecr.describe_images(
                repositoryName=repository, imageIds=[{"imageDigest": digest}]
            )
        return str(answer["imageDetails"][0]["imageStatus"])
