"""The steps of a scheduled sweep: which registries, which repositories, how they are, the report."""

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
from ecr_warden.adapters.report.row_file import RowFile
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

_NO_ANSWER: Final = "no answer: the worker timed out, was stopped, or is still at work"
# A map that is given up ends its items, but Lambda goes on with what it began.
_GIVEN_UP: Final = "workers that had begun may be at work for 15 minutes more"
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

    They are swept some at a time: when everybody is told of a part, it is written down. A worker that is
    killed half-way does at most one part again; one that ends by an error, or by its time, loses none of what
    it has a row of.

    Raises
    ------
    UnfinishedError
        Where the time was over (``is_over``) before all were done.
    CredentialsError, AwsError
        As ``sweep_batch``.

    """
    batch = store.batch(item)
    is_repeat = not store.begin(item)
    result = _Result(item, batch, store)
    left = result.left
    for some in in_parts(left, _PART):
        if is_over():
            break
        result.take(sweep(some, batch.owners, is_repeat=is_repeat))
        # Nobody came further than this before.
        is_repeat = False
    number = len(batch.repositories)
    if result.left:
        done = number - len(result.left)
        raise UnfinishedError(f"{done} of {number} repositories are done: the next try goes on from there")
    return {"repositories": number, "swept": len(left)}


class _Result:
    """A batch's rows: those that an earlier try wrote, and those that come."""

    def __init__(self, item: BatchItem, batch: Batch, store: SweepStore) -> None:
        self._item = item
        self._batch = batch
        self._store = store
        self._lines: dict[str, str] = {}
        self._finished: set[str] = set()
        for line in store.result(item):
            self._add(decode_row(line), line)

    def _add(self, row: RepositoryRow, line: str) -> None:
        self._lines[row.repository] = line
        if not row.is_unfinished:
            self._finished.add(row.repository)

    @property
    def left(self) -> list[Repository]:
        """The repositories that are still to be swept, in their order."""
        return [one for one in self._batch.repositories if one.name not in self._finished]

    def take(self, rows: Iterable[RepositoryRow]) -> None:
        """Add rows, and write all there are, be they followed by an error."""
        try:
            for row in rows:
                self._add(row, encode_row(row))
        except Exception:
            self._write()
            raise
        self._write()

    def _write(self) -> None:
        names = (one.name for one in self._batch.repositories)
        self._store.put_result(self._item, [self._lines[name] for name in names if name in self._lines])


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
    with TemporaryDirectory(prefix="ecr-warden-") as folder, RowFile() as rows:
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


def _gathered(places: Sequence[PlaceItem], store: SweepStore, rows: RowFile) -> Iterator[Unseen]:
    """Bring all results together; give what has none."""
    for place in places:
        failure = store.failure(place.failed)
        batches = store.batches(place)
        if batches is None:
            yield Unseen(str(place.place), _NOT_LISTED, failure or _NO_ANSWER)
            continue
        for batch in batches:
            missing = batch.repositories - rows.add_lines(store.result(batch))
            if missing > 0:
                given_up = f"{failure}; {_GIVEN_UP}" if failure else _NO_ANSWER
                why = store.failure(batch.failed) or given_up
                yield Unseen(str(place.place), f"batch {batch.number + 1} of {len(batches)}", why, missing)


def _report(folder: Path, rows: RowFile, summary: RunSummary, store: SweepStore) -> str:
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
