"""The sweep over a registry on which events told nothing, and its report."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.awsrequest import AWSRequest, AWSResponse
from moto.core.botocore_stubber import MockRawResponse
from moto.ecr.models import ECRBackend, ecr_backends

from ecr_warden.adapters.dynamodb import DynamoJournal, DynamoLocks
from ecr_warden.adapters.dynamodb_scans import DynamoScanStates
from ecr_warden.adapters.ecr_scans import EcrScans
from ecr_warden.adapters.ecr_storage import EcrStorage
from ecr_warden.adapters.outcome_bus import EventBridgePublisher
from ecr_warden.adapters.report import write_html
from ecr_warden.domain.places import Place
from ecr_warden.domain.settings.lifecycle import lifecycle_document
from ecr_warden.domain.sweep.outcomes import finished_outcome
from ecr_warden.domain.sweep.rows import RepositoryRow, State
from ecr_warden.domain.sweep.summary import RunSummary
from ecr_warden.domain.sweep.tally import Tally
from ecr_warden.place_wiring import PlacePorts
from ecr_warden.use_cases.sweep.sweep_batch import sweep_batch
from ecr_warden.wiring import utc_now
from ecr_warden_cli.caused import Caused
from ecr_warden_cli.commands.common import read_policy
from ecr_warden_cli.demo.fleet import REPOSITORIES, STATES, Fleet, digest_of, name_of
from ecr_warden_cli.demo.scene import Scene, Step
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION

_POLICY: Final = Path(__file__).parent / "sweep.yaml"
# Another than the stack's, whose journal and bus it uses.
_REGION: Final = "eu-central-1"
_BATCH: Final = 50


class _Uncounted:
    """Takes what would be counted in CloudWatch: nobody reads a demo's."""

    def count(self, name: str, **dimensions: str) -> None:
        """Count nothing."""

    def milliseconds(self, name: str, value: float) -> None:
        """Record nothing."""

    seconds = milliseconds


class _Ports(PlacePorts):
    """All that a sweep of the demo's other registry acts through; the stack's tables and bus are at home."""

    def __init__(self, place: Place, physical: Mapping[str, str]) -> None:
        clients = {
            name: boto3.client(name, region_name=place.region)
            for name in ("ecr", "ecs", "lambda", "inspector2", "resourcegroupstaggingapi")
        }
        clients["ecr"].meta.events.register_first("before-send.ecr", _deny)
        dynamodb = boto3.client("dynamodb", region_name=DEFAULT_REGION)
        super().__init__(
            clients.__getitem__,
            place,
            journal=DynamoJournal(dynamodb, physical["JournalTable"]),
            locks=DynamoLocks(dynamodb, physical["JournalTable"], utc_now),
        )
        events = boto3.client("events", region_name=DEFAULT_REGION)
        self.publisher = EventBridgePublisher(events, physical["OutcomeBus"])
        self.metrics = _Uncounted()
        self.storage = EcrStorage(clients["ecr"])
        self.scans = EcrScans(clients["ecr"], lambda: clients["inspector2"])
        self.states = DynamoScanStates(dynamodb, physical["ScanTable"], utc_now)


def _deny(request: AWSRequest, **_: Any) -> AWSResponse | None:  # noqa: ANN401  # what botocore gives beside it
    """Refuse one repository's settings and images, as its policy might."""
    body = request.body or b""
    text = body.decode() if isinstance(body, bytes) else str(body)
    asked = json.loads(text) if text.startswith("{") else {}
    if asked.get("repositoryName") != name_of("no-access"):
        return None
    said = {"__type": "AccessDeniedException", "message": "not authorized, by the demo"}
    return AWSResponse(request.url, 400, {}, MockRawResponse(json.dumps(said)))  # type: ignore[arg-type]


class Sweep:
    """Nobody told of these repositories: the sweep finds them."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.place = Place(DEFAULT_ACCOUNT, _REGION)
        self.policy = read_policy(_POLICY, name=_POLICY.name)
        self.rows: list[RepositoryRow] = []
        self.report: Path | None = None
        self.steps = (
            Step(f"A sweep over {REPOSITORIES} repositories in every state", self._first, self._is_repaired),
            Step("The same run, as if it had been interrupted", self._same, _is_repeated),
            Step("The sweep of the next night", self._next, self._is_quiet),
        )

    @property
    def backend(self) -> ECRBackend:
        """The registry that is swept."""
        return ecr_backends[DEFAULT_ACCOUNT][_REGION]

    def before(self) -> Counter[State]:
        """Count how the repositories were found."""
        return Counter(_found(row) for row in self.rows)

    def after(self) -> Counter[State]:
        """Count how the repositories are left."""
        return Counter(row.state for row in self.rows)

    def _first(self) -> None:
        section = next(rule.lifecycle for rule in self.policy.rules if rule.lifecycle is not None)
        Fleet(self.backend, lifecycle_document(section)).build()
        ecr = boto3.client("ecr", region_name=_REGION)
        for number in range(STATES["archived"]):
            name = name_of("archived", number)
            ecr.update_image_storage_class(
                repositoryName=name,
                imageId={"imageDigest": digest_of(name, "v0.9.0")},
                targetStorageClass="ARCHIVE",
            )
        self.rows = self._swept("demo-night-1")

    def _same(self) -> None:
        self._swept("demo-night-1")

    def _next(self) -> None:
        self._swept("demo-night-2")

    def _swept(self, run: str) -> list[RepositoryRow]:
        started = datetime.now(UTC)
        stack = self.scene.aws.stack(DEFAULT_ACCOUNT, DEFAULT_REGION)
        ports = _Ports(self.place, stack.physical)
        listed = iter([one for page in ports.repositories.pages() for one in page])
        # Somebody deletes it between the listing and the look.
        self.backend.repositories.pop(name_of("deleted-meanwhile"), None)
        rows: list[RepositoryRow] = []
        while batch := list(islice(listed, _BATCH)):
            rows += sweep_batch(
                batch,
                run=run,
                policy=self.policy,
                place=self.place,
                ports=ports,
                owners=None,
                now=started,
                scan_ports=ports,
            )
        summary = self._summary(run, started, rows)
        # What is repaired is in the first night's.
        self.report = self.report or Path(tempfile.mkdtemp(prefix="ecr-warden-demo-")) / f"{run}.html"
        report = self.report.with_name(f"{run}.html")
        with report.open("w", encoding="utf-8") as out:
            write_html(out, rows, summary)
        home = Place(DEFAULT_ACCOUNT, DEFAULT_REGION)
        ports.publisher.publish(finished_outcome(summary, home=home, report=str(report)))
        return rows

    def _summary(self, run: str, started: datetime, rows: list[RepositoryRow]) -> RunSummary:
        tally = Tally()
        for row in rows:
            tally.add(row)
        return tally.summary(
            run, started_at=started, ended_at=datetime.now(UTC), places=(self.place,), unseen=()
        )

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
        if self.report is None or "<html" not in self.report.read_text(encoding="utf-8")[:500]:
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
            yield f"{left} repositories should be told of once more, and no other: {caused.messages}"


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
