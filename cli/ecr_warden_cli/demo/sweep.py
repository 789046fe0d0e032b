"""The sweep over a registry on which events told nothing, and its report."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import boto3
from botocore import handlers
from botocore.awsrequest import AWSRequest, AWSResponse
from moto.core.botocore_stubber import MockRawResponse
from moto.ecr.models import ECRBackend, ecr_backends

from ecr_warden.adapters.sweep_store import BatchItem, SweepStore, read_item
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.settings.lifecycle import lifecycle_document
from ecr_warden.domain.sweep.rows import RepositoryRow, State, decode_row
from ecr_warden_cli.caused import Caused
from ecr_warden_cli.demo.fleet import REPOSITORIES, STATES, Fleet, digest_of, name_of
from ecr_warden_cli.demo.scene import Scene, Step
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION
from ecr_warden_cli.local.errors import LocalAwsError
from ecr_warden_cli.local.stack import LocalStack

if TYPE_CHECKING:
    from ecr_warden_cli.local.broker import Event

# Another than the stack's own, whose registry the other chapters are about.
_REGION: Final = "eu-central-1"
_BATCH: Final = 50
_WORKER: Final = "SweepBatchFunction"
_LAST: Final = "SweepFinishFunction"
# Under the current folder, as what the build makes is.
REPORT: Final = Path(".build/demo/report.html")


def _deny(request: AWSRequest, **_: Any) -> AWSResponse | None:  # noqa: ANN401  # what botocore gives beside it
    """Refuse one repository's settings and images, as its policy might."""
    body = request.body or b""
    text = body.decode() if isinstance(body, bytes) else str(body)
    asked = json.loads(text) if text.startswith("{") else {}
    if asked.get("repositoryName") != name_of("no-access"):
        return None
    said = {"__type": "AccessDeniedException", "message": "not authorized, by the demo"}
    return AWSResponse(request.url, 400, {}, MockRawResponse(json.dumps(said)))  # type: ignore[arg-type]


@contextmanager
def _denying() -> Iterator[None]:
    """Let clients that are built in the context be refused one repository, for as long as they are there."""
    denying = [*handlers.BUILTIN_HANDLERS, ("before-send.ecr", _deny)]
    with patch.object(handlers, "BUILTIN_HANDLERS", denying):
        yield


class Sweep:
    """Nobody told of these repositories: the sweep finds them."""

    def __init__(self, scene: Scene, policy: Policy) -> None:
        self.scene = scene
        self._policy = policy
        self.rows: list[RepositoryRow] = []
        self.report = REPORT.absolute()
        self._work: list[tuple[str, Event]] = []
        self.steps = (
            Step(f"A sweep over {REPOSITORIES} repositories in every state", self._first, self._is_repaired),
            Step("The same run again, as if its workers had been stopped", self._same, _is_repeated),
            Step("The sweep of the next night", self._next, self._is_quiet),
        )

    @property
    def backend(self) -> ECRBackend:
        """The registry that is swept."""
        return ecr_backends[DEFAULT_ACCOUNT][_REGION]

    @property
    def stack(self) -> LocalStack:
        """The stack that sweeps."""
        return self.scene.aws.stack(DEFAULT_ACCOUNT, DEFAULT_REGION)

    def before(self) -> Counter[str]:
        """Count how the repositories were found, by the states of a report."""
        return Counter(_found(row).value for row in self.rows)

    def after(self) -> Counter[str]:
        """Count how the repositories are left."""
        return Counter(row.state.value for row in self.rows)

    def _first(self) -> None:
        Fleet(self.backend, _lifecycle(self._policy)).build()
        ecr = boto3.client("ecr", region_name=_REGION)
        for number in range(STATES["archived"]):
            name = name_of("archived", number)
            ecr.update_image_storage_class(
                repositoryName=name,
                imageId={"imageDigest": digest_of(name, "v0.9.0")},
                targetStorageClass="ARCHIVE",
            )
        self._set("SweepPlacesFunction", "REGIONS", _REGION)
        self._set("SweepListFunction", "BATCH_SIZE", str(_BATCH))
        with _denying(), self._deleting():
            self._sweep("night-1")
        invocations = self.scene.aws.broker.trace.invocations
        self._work = [
            (item.function, item.event) for item in invocations if item.function in (_WORKER, _LAST)
        ]
        self._keep("sweep-night-1")

    def _set(self, function: str, name: str, value: str) -> None:
        given = self.stack.functions[function]
        given.environment = {**given.environment, f"ECR_WARDEN_SWEEP_{name}": value}

    @contextmanager
    def _deleting(self) -> Iterator[None]:
        """Let somebody delete a repository between the list and the look at it."""
        worker = self.stack.functions[_WORKER]
        invoke = worker.invoke

        def delete_and_invoke(*given: Any) -> Any:  # noqa: ANN401  # whatever it answers
            self.backend.repositories.pop(name_of("deleted-meanwhile"), None)
            return invoke(*given)

        with patch.object(worker, "invoke", delete_and_invoke):
            yield

    def _same(self) -> None:
        store = SweepStore(boto3.client("s3", region_name=DEFAULT_REGION), self._bucket)
        for function, event in self._work:
            if function == _WORKER:
                # As a worker leaves it that began, and wrote nothing down before it was stopped.
                item: BatchItem = read_item(event, BatchItem)
                store.put_result(item, ())
            self.scene.aws.broker.call(DEFAULT_ACCOUNT, DEFAULT_REGION, self.stack.physical[function], event)

    def _next(self) -> None:
        self._sweep("night-2")

    def _sweep(self, name: str) -> None:
        run = self.scene.aws.sweep(self.stack, name)
        if run.status != "SUCCEEDED":
            raise LocalAwsError(f"the sweep {run.status}: {run.error} {run.cause}")

    @property
    def _bucket(self) -> str:
        return self.stack.physical["ReportBucket"]

    def _keep(self, run: str) -> None:
        """Keep the report that people open, and read what it says of each repository."""
        s3 = boto3.client("s3", region_name=DEFAULT_REGION)

        def read(name: str) -> bytes:
            return bytes(s3.get_object(Bucket=self._bucket, Key=f"runs/{run}/{name}")["Body"].read())

        self.report.parent.mkdir(parents=True, exist_ok=True)
        self.report.write_bytes(read("report.html"))
        rows = json.loads(read("report.json"))["rows"]
        self.rows = [
            decode_row(json.dumps({name: row[name] for name in row if name != "state"})) for row in rows
        ]

    def _is_repaired(self, caused: Caused) -> Iterator[str]:
        states = {row.repository: row.state for row in self.rows}
        wanted = {
            "bare": State.REPAIRED,
            "compliant": State.COMPLIANT,
            "exempt": State.EXEMPT,
            "audited": State.DIFFERS,
            "own-choice": State.KEPT,
            "without-team": State.VIOLATION,
            "denied-tag": State.REPAIRED,
            "deleted-meanwhile": State.GONE,
            "no-access": State.UNREAD,
        }
        for state, expected in wanted.items():
            if (got := states.get(name_of(state))) is not expected:
                yield f"{name_of(state)} should be {expected}, and is {got}"
        yield from self._images()
        kinds = Counter(outcome["kind"] for outcome in caused.outcomes)
        if kinds["image_vulnerable"] != STATES["vulnerable"]:
            yield f"each vulnerable image should be told, once: {kinds}"
        if kinds["sweep_finished"] != 1:
            yield f"its end should be told once: {kinds}"
        if "<html" not in self.report.read_text(encoding="utf-8")[:500]:
            yield f"the report should be at {self.report}"

    def _images(self) -> Iterator[str]:
        ecr = boto3.client("ecr", region_name=_REGION)
        for state, tag, wanted in (
            ("denied-tag", "latest", "quarantine-"),
            ("denied-tag-in-use", "latest", "latest"),
        ):
            name = name_of(state)
            (image,) = ecr.describe_images(
                repositoryName=name, imageIds=[{"imageDigest": digest_of(name, tag)}]
            )["imageDetails"]
            if not all(one.startswith(wanted) for one in image["imageTags"]):
                yield f"{name} should have a tag as {wanted}, and has {image['imageTags']}"
        name = name_of("vulnerable")
        (image,) = ecr.describe_images(
            repositoryName=name, imageIds=[{"imageDigest": digest_of(name, "v2.0.0")}]
        )["imageDetails"]
        if image["imageStatus"] != "ARCHIVED":
            yield f"the image of {name} should be archived, and is {image['imageStatus']}"

    def _is_quiet(self, caused: Caused) -> Iterator[str]:
        if caused.changes:
            yield f"nothing should have been left to change, not {len(caused.changes)}"
        news = Counter(outcome["kind"] for outcome in caused.outcomes)
        if news["sweep_finished"] != 1:
            yield f"its end should be told, not {news}"
        # What was told with repairs the night before is told once more by itself; all else is known.
        left = STATES["without-team"] + STATES["denied-tag-in-use"]
        if not any(f"Drift found: {left}\n" in message.text for message in caused.messages):
            yield f"{left} repositories should be told of once more, and no other"


def _is_repeated(caused: Caused) -> Iterator[str]:
    if caused.messages:
        yield f"nobody should be told again, not {[message.channel for message in caused.messages]}"
    if caused.changes:
        yield f"nothing should be changed again, not {len(caused.changes)} settings"


def _found(row: RepositoryRow) -> State:
    """Say how a repository was found, whatever was done about it."""
    if row.is_gone or row.problem:
        return row.state
    order = tuple(State)
    found = (State(section.standing.value) for section in row.sections)
    return min(found, key=order.index, default=State.UNDECIDED)


def _lifecycle(policy: Policy) -> dict[str, Any]:
    """Give the lifecycle policy that the policy wants of the swept repositories."""
    section = next(rule.lifecycle for rule in policy.rules if rule.lifecycle is not None)
    return lifecycle_document(section)
