"""What belongs together is one message, and a channel that is down loses none."""

from collections.abc import Iterator

from ecr_warden_cli.caused import Caused
from ecr_warden_cli.demo.scene import Scene, Step, told
from ecr_warden_cli.local.ecr_double import make_repository
from ecr_warden_cli.local.ecr_double.findings import basic_finding
from ecr_warden_cli.local.ecr_double.scan_events import complete_scan
from ecr_warden_cli.local.loopback import Answer

_MANY = 20
_XZ = basic_finding("CVE-2024-3094", "CRITICAL", package="xz-utils", version="5.6.0-0.2")


class Telling:
    """People are told."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        for repository in ("shop/search", "shop/mail"):
            make_repository(scene.backend, repository)
        self.steps = (
            Step("One push under two denied tags, and its scan", self._push_and_scan, _is_one_message),
            Step(f"{_MANY} repositories, created by one pipeline", self._create_many, _is_one_digest),
            Step("A push while Slack is down", self._push_while_down, _is_told_elsewhere),
            Step("A push after Slack is up again", self._push_after, _is_told_again),
        )

    def _push_and_scan(self) -> None:
        digest = self.scene.push("shop/search", "latest", "e")
        self.scene.push("shop/search", "nightly", "e")
        complete_scan(self.scene.aws.broker.emit, self.scene.backend, "shop/search", digest, [_XZ])

    def _create_many(self) -> None:
        for number in range(_MANY):
            self.scene.ecr.create_repository(repositoryName=f"platform/service-{number:02}")

    def _push_while_down(self) -> None:
        self.scene.aws.people.down["team"] = Answer(503)
        self.scene.push("shop/mail", "latest", "f")

    def _push_after(self) -> None:
        del self.scene.aws.people.down["team"]
        self.scene.push("shop/mail", "latest", "8")


def _is_one_message(caused: Caused) -> Iterator[str]:
    yield from told(caused, ["team", "ops"])
    if (count := len(caused.outcomes)) != len({"latest", "nightly", "the scan"}):
        yield f"three outcomes should have come of it, not {count}"


def _is_one_digest(caused: Caused) -> Iterator[str]:
    yield from told(caused, ["ops"])
    if f"{_MANY} times" not in caused.messages[0].text:
        yield f"one message should tell of all {_MANY}"


def _is_told_elsewhere(caused: Caused) -> Iterator[str]:
    yield from told(caused, ["oncall", "ops"])
    if "in place of team" not in str(caused.messages[0].payload):
        yield "it should say in whose place it is told"


def _is_told_again(caused: Caused) -> Iterator[str]:
    yield from told(caused, ["team", "ops"])
