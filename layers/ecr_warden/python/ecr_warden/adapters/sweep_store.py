"""What a run of the sweep keeps in S3: what is planned, what was found, what failed, and the report.

Under ``runs/RUN/``: ``places.json`` (read by the state machine), and for each registry a folder
``ACCOUNT/REGION/`` with ``batches.json`` (likewise), ``batches/``, ``results/`` and ``failed/``.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, translated
from ecr_warden.domain.places import Place
from ecr_warden.domain.settings.current import Repository
from ecr_warden.errors import MalformedEventError

_MISSING: Final = frozenset({"NoSuchKey", "404"})
_JSON: Final = "application/json"


class S3Client(Protocol):
    """Of S3's client, what is needed here."""

    def put_object(self, **asked: object) -> object:
        """Write an object."""

    def get_object(self, **asked: object) -> Any:  # noqa: ANN401  # the SDK's: a dictionary
        """Read an object."""

    def upload_file(self, filename: str, bucket: str, key: str, /, *, ExtraArgs: Mapping[str, str]) -> None:  # noqa: N803  # the SDK's name
        """Write a file, in parts where it is large."""


@dataclass(frozen=True)
class PlaceItem:
    """A registry of a run, as the state machine gives it to the function that lists it.

    Attributes
    ----------
    folder
        The key that everything of it in S3 begins with.
    failed
        The key of why it could not be listed, or was given up.
    batches_at_once, tolerated_failure_percentage
        What the state machine goes by.

    """

    run: str
    account: str
    region: str
    folder: str
    failed: str
    batches_at_once: int
    tolerated_failure_percentage: int

    @property
    def place(self) -> Place:
        """The registry."""
        return Place(self.account, self.region)


@dataclass(frozen=True)
class BatchItem:
    """A batch of a registry's repositories, as the state machine gives it to a worker.

    ``batch``, ``result`` and ``failed`` are keys; ``repositories`` is how many the batch has.
    """

    run: str
    account: str
    region: str
    number: int
    batch: str
    result: str
    failed: str
    repositories: int

    @property
    def place(self) -> Place:
        """The registry."""
        return Place(self.account, self.region)


@dataclass(frozen=True)
class Batch:
    """What a registry's list said of some repositories, so that no worker asks for it again.

    ``owners`` has their resource tags by name; ``None`` where they could not be read at once.
    """

    repositories: tuple[Repository, ...]
    owners: Mapping[str, Mapping[str, str]] | None


def read_item(event: object, kind: type[PlaceItem | BatchItem]) -> Any:  # noqa: ANN401  # of the kind that is asked for
    """Read what the state machine gives, or raise ``MalformedEventError``."""
    try:
        return msgspec.convert(event, kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at ")
        raise MalformedEventError(path.strip("`") or "$", problem) from error


def place_item(
    run: str, place: Place, *, batches_at_once: int, tolerated_failure_percentage: int
) -> PlaceItem:
    """Say where in S3 everything of a registry is."""
    folder = f"runs/{run}/{place.account}/{place.region}"
    return PlaceItem(
        run=run,
        account=place.account,
        region=place.region,
        folder=folder,
        failed=f"{folder}/failed.json",
        batches_at_once=batches_at_once,
        tolerated_failure_percentage=tolerated_failure_percentage,
    )


def batch_item(place: PlaceItem, number: int, repositories: int) -> BatchItem:
    """Say where in S3 everything of a batch is."""
    return BatchItem(
        run=place.run,
        account=place.account,
        region=place.region,
        number=number,
        batch=f"{place.folder}/batches/{number:05}.json.gz",
        result=f"{place.folder}/results/{number:05}.jsonl.gz",
        failed=f"{place.folder}/failed/{number:05}.json",
        repositories=repositories,
    )


class SweepStore:
    """The bucket. Methods raise ``AwsError``."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def put_places(self, run: str, places: Sequence[PlaceItem]) -> str:
        """Write what a run is to look at; give the key."""
        key = f"runs/{run}/places.json"
        self._put(key, msgspec.json.encode(places), _JSON)
        return key

    def places(self, run: str) -> tuple[PlaceItem, ...]:
        """Give what a run is to look at."""
        content = self._get(f"runs/{run}/places.json")
        return msgspec.json.decode(content or b"[]", type=tuple[PlaceItem, ...])

    def put_batch(self, item: BatchItem, batch: Batch) -> None:
        """Write some repositories of a registry."""
        self._put(item.batch, _zipped(msgspec.json.encode(batch)), "application/gzip")

    def batch(self, item: BatchItem) -> Batch:
        """Give some repositories of a registry."""
        content = self._get(item.batch)
        if content is None:
            raise MalformedEventError("batch", f"there is no {item.batch} in {self.bucket}")
        return msgspec.json.decode(gzip.decompress(content), type=Batch)

    def put_batches(self, place: PlaceItem, batches: Sequence[BatchItem]) -> None:
        """Write which batches a registry has: with it, the registry is listed to its end."""
        self._put(f"{place.folder}/batches.json", msgspec.json.encode(batches), _JSON)

    def batches(self, place: PlaceItem) -> tuple[BatchItem, ...] | None:
        """Give which batches a registry has; ``None`` where it was not listed to its end."""
        content = self._get(f"{place.folder}/batches.json")
        return None if content is None else msgspec.json.decode(content, type=tuple[BatchItem, ...])

    def begin(self, item: BatchItem) -> bool:
        """Note that a batch is begun; ``False`` where it was before."""
        if self._get(item.result) is not None:
            return False
        self.put_result(item, ())
        return True

    def put_result(self, item: BatchItem, lines: Iterable[str]) -> None:
        """Write what a worker found, a line for each repository."""
        self._put(item.result, _zipped("".join(f"{line}\n" for line in lines).encode()), "application/gzip")

    def result(self, item: BatchItem) -> Iterator[str]:
        """Give the lines that a worker wrote; none where it never answered."""
        content = self._get(item.result)
        if content is not None:
            yield from gzip.decompress(content).decode().splitlines()

    def failure(self, key: str) -> str | None:
        """Say why something failed, as the state machine recorded it; ``None`` where it recorded nothing."""
        content = self._get(key)
        return None if content is None else cause_of(json.loads(content))

    def upload(self, path: Path, keys: Sequence[str], content_type: str) -> None:
        """Write a file, whatever its size, under each of some keys."""
        for key in keys:
            with translated(f"writing {key} to {self.bucket}"):
                self._client.upload_file(str(path), self.bucket, key, ExtraArgs={"ContentType": content_type})

    def _put(self, key: str, content: bytes, content_type: str) -> None:
        with translated(f"writing {key} to {self.bucket}"):
            self._client.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType=content_type)

    def _get(self, key: str) -> bytes | None:
        with translated(f"reading {key} from {self.bucket}"):
            try:
                content: bytes = self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            except ClientError as error:
                if code_of(error) in _MISSING:
                    return None
                raise
        return content


def cause_of(failure: object) -> str:
    """Say in a sentence what a state's ``Error`` and ``Cause`` say; a function's cause is JSON itself."""
    if isinstance(failure, str):
        # Step Functions may write JSON as a string of JSON.
        failure = json.loads(failure)
    if not isinstance(failure, Mapping):
        return str(failure)
    error, cause = str(failure.get("Error", "")), str(failure.get("Cause", ""))
    try:
        told = json.loads(cause)
    except ValueError:
        told = None
    if isinstance(told, Mapping) and told.get("errorMessage"):
        cause = str(told["errorMessage"])
    return ": ".join(part for part in (error, cause) if part).rstrip(".")


def _zipped(content: bytes) -> bytes:
    # Without the time, so that the same content is the same bytes.
    return gzip.compress(content, compresslevel=6, mtime=0)
