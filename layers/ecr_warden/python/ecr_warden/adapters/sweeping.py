"""The steps of a scheduled sweep: which registries, which repositories, how they are, the report."""

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol, TextIO

from ecr_warden.adapters.parts import in_parts
from ecr_warden.adapters.report.csv_file import write_csv
from ecr_warden.adapters.report.html_page import write_html
from ecr_warden.adapters.report.json_file import summary_text, write_json
from ecr_warden.adapters.sweep_store import (
    Batch,
    BatchItem,
    PlaceItem,
    SweepStore,
    batch_item,
    place_item,
)
from ecr_warden.domain.places import Place
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.outcomes import finished_outcome
from ecr_warden.domain.sweep.rows import RepositoryRow, decode_row, encode_row
from ecr_warden.domain.sweep.summary import RunSummary, Unseen
from ecr_warden.domain.sweep.tally import Tally
from ecr_warden.errors import MalformedEventError, RefusedError, UnfinishedError
from ecr_warden.ports import OutcomePorts, Repositories

_NO_ANSWER: Final = "no answer: the worker timed out or was stopped"
_NOT_LISTED: Final = "the registry's repositories"
# Enough to keep all threads busy, and little to do again.
_PART: Final = 50
_LATEST: Final = "latest"


class SweepRepositories(Protocol):
    """What sweeps some repositories, by their resource tags where these are known."""

    def __call__(
        self,
        repositories: Sequence[Repository],
        owners: Mapping[str, Mapping[str, str]] | None,
        *,
        is_repeat: bool,
    ) -> Iterator[RepositoryRow]:
        """Give their rows; ``is_repeat``: an earlier try may have begun with them."""


@dataclass(frozen=True)
class Limits:
    """How much is done at once, and how much may fail."""

    places_at_once: int
    batches_at_once: int
    tolerated_failure_percentage: int


def begin_run(
    event: Mapping[str, Any], places: Sequence[Place], *, limits: Limits, store: SweepStore
) -> dict[str, Any]:
    """Write which registries a run looks at; give what the state machine goes by."""
    run, started_at = _of_run(event)
    items = [
        place_item(
            run,
            place,
            batches_at_once=limits.batches_at_once,
            tolerated_failure_percentage=limits.tolerated_failure_percentage,
        )
        for place in places
    ]
    return {
        "run": run,
        "started_at": started_at,
        "places": store.put_places(run, items),
        "places_at_once": limits.places_at_once,
    }


def list_place(
    item: PlaceItem, *, repositories: Repositories, batch_size: int, store: SweepStore
) -> dict[str, int]:
    """Write a registry's repositories in batches, and last of all which batches there are."""
    owners = _owners(repositories)
    batches = []
    for number, some in enumerate(_in_batches(repositories.pages(), batch_size)):
        batch = batch_item(item, number, len(some))
        tags = None if owners is None else {one.name: owners.get(one.name, {}) for one in some}
        store.put_batch(batch, Batch(tuple(some), tags))
        batches.append(batch)
    store.put_batches(item, batches)
    return {"repositories": sum(batch.repositories for batch in batches), "batches": len(batches)}


def _owners(repositories: Repositories) -> Mapping[str, Mapping[str, str]] | None:
    """Read all resource tags at once; where that is refused, a worker reads each one's: more calls."""
    try:
        return repositories.resource_tags()
    except RefusedError:
        return None


def _in_batches(pages: Iterable[tuple[Repository, ...]], size: int) -> Iterator[list[Repository]]:
    waiting: list[Repository] = []
    for page in pages:
        waiting.extend(page)
        while len(waiting) >= size:
            yield waiting[:size]
            del waiting[:size]
    if waiting:
        yield waiting


def sweep_item(
    item: BatchItem, *, sweep: SweepRepositories, store: SweepStore, is_over: Callable[[], bool]
) -> dict[str, int]:
    """Sweep a batch's repositories, but for those that a try before this one did.

    They are swept some at a time, each part to its end: only then is everybody told of it, and it is written
    down. A worker that is stopped half-way does at most one part again.

    Raises
    ------
    UnfinishedError
        Where the time was over (``is_over``) before all were done.
    CredentialsError, AwsError
        As ``sweep_batch``.

    """
    batch = store.batch(item)
    is_repeat = not store.begin(item)
    names = {one.name for one in batch.repositories}
    done = {name: line for name, line in _done(item, store) if name in names}
    left = [one for one in batch.repositories if one.name not in done]
    for some in in_parts(left, _PART):
        if is_over():
            raise UnfinishedError(
                f"{len(done)} of {len(names)} repositories are done: the next try goes on from there"
            )
        done |= {row.repository: encode_row(row) for row in sweep(some, batch.owners, is_repeat=is_repeat)}
        store.put_result(item, done.values())
        # Nobody came further than this before.
        is_repeat = False
    return {"repositories": len(done), "swept": len(left)}


def _done(item: BatchItem, store: SweepStore) -> Iterator[tuple[str, str]]:
    for line in store.result(item):
        yield decode_row(line).repository, line


def finish_run(
    event: Mapping[str, Any],
    *,
    store: SweepStore,
    ports: OutcomePorts,
    home: Place,
    now: Callable[[], datetime],
) -> dict[str, Any]:
    """Compare what was planned with what there is, write the report, and tell what the run came to."""
    run, started_at = _of_run(event)
    with TemporaryDirectory(prefix="ecr-warden-") as folder:
        rows = _Rows(Path(folder) / "rows.jsonl.gz")
        places = store.places(run)
        tally, unseen = Tally(), list(_gathered(places, store, rows))
        for row in rows:
            tally.add(row)
        summary = tally.summary(
            run,
            started_at=datetime.fromisoformat(started_at),
            ended_at=now(),
            places=[place.place for place in places],
            unseen=unseen,
        )
        report = _report(Path(folder), rows, summary, store)
    ports.publisher.publish(finished_outcome(summary, home=home, report=report))
    ports.metrics.count("SweepPartial" if summary.is_partial else "SweepComplete")
    return {
        "run": run,
        "status": "partial" if summary.is_partial else "complete",
        "repositories": summary.repositories,
        "unseen": len(summary.unseen),
        "report": report,
    }


class _Rows:
    """A run's rows, in a file: there may be a hundred thousand, and they are gone through more than once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._path.write_bytes(b"")

    def append(self, lines: Iterable[str]) -> int:
        """Add lines; give how many there were. Parts of a gzip file may follow one another."""
        number = 0
        with gzip.open(self._path, "at", compresslevel=1, encoding="ascii") as file:
            for number, line in enumerate(lines, start=1):  # noqa: B007  # it is what is given at the end
                file.write(f"{line}\n")
        return number

    def __iter__(self) -> Iterator[RepositoryRow]:
        """Go through the rows, with one of them in memory."""
        with gzip.open(self._path, "rt", encoding="ascii") as file:
            yield from map(decode_row, file)


def _gathered(places: Sequence[PlaceItem], store: SweepStore, rows: _Rows) -> Iterator[Unseen]:
    """Bring all results together; give what has none."""
    for place in places:
        failure = store.failure(place.failed)
        batches = store.batches(place)
        if batches is None:
            yield Unseen(str(place.place), _NOT_LISTED, failure or _NO_ANSWER)
            continue
        for batch in batches:
            missing = batch.repositories - rows.append(store.result(batch))
            if missing > 0:
                why = store.failure(batch.failed) or failure or _NO_ANSWER
                yield Unseen(str(place.place), f"batch {batch.number + 1} of {len(batches)}", why, missing)


def _report(folder: Path, rows: _Rows, summary: RunSummary, store: SweepStore) -> str:
    """Write the report, and last of all the summary; give where the page is."""
    writers: tuple[tuple[str, str, Callable[[TextIO], object]], ...] = (
        ("report.html", "text/html; charset=utf-8", lambda out: write_html(out, rows, summary)),
        ("report.csv", "text/csv; charset=utf-8", lambda out: write_csv(out, rows)),
        ("report.json", "application/json", lambda out: write_json(out, rows, summary)),
        ("summary.json", "application/json", lambda out: out.write(summary_text(summary))),
    )
    for name, content_type, write in writers:
        path = folder / name
        # A CSV file's line ends are its own.
        with path.open("w", encoding="utf-8", newline="") as out:
            write(out)
        store.upload(path, [f"runs/{summary.run}/{name}", f"{_LATEST}/{name}"], content_type)
        path.unlink()
    return f"s3://{store.bucket}/runs/{summary.run}/report.html"


def _of_run(event: Mapping[str, Any]) -> tuple[str, str]:
    """Give a run's id and when it began."""
    for name in ("run", "started_at"):
        if not isinstance(event.get(name), str) or not event[name]:
            raise MalformedEventError(name, "not there: the state machine gives it")
    try:
        datetime.fromisoformat(event["started_at"])
    except ValueError as error:
        raise MalformedEventError("started_at", str(error)) from error
    return event["run"], event["started_at"]
