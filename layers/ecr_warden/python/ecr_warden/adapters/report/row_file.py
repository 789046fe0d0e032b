"""A run's rows, in a file: there may be a hundred thousand, and they are gone through more than once."""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from tempfile import TemporaryFile
from types import TracebackType

from ecr_warden.domain.sweep.rows import RepositoryRow, decode_row, encode_row


class RowFile(AbstractContextManager["RowFile"]):
    """Rows that are added first, and then read as often as one likes; the file ends with the context."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115  # closed by the context
        self._packed = gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the file."""
        self._packed.close()
        self._file.close()

    def add(self, row: RepositoryRow) -> None:
        """Add a row."""
        self.add_lines([encode_row(row)])

    def add_lines(self, lines: Iterable[str]) -> int:
        """Add rows as ``encode_row`` gives them; give how many there were."""
        number = 0
        for number, line in enumerate(lines, start=1):  # noqa: B007  # it is what is given at the end
            self._packed.write(line.encode() + b"\n")
        return number

    def __iter__(self) -> Iterator[RepositoryRow]:
        """Go through the rows, with one of them in memory; none can be added any more."""
        self._packed.close()
        self._file.seek(0)
        with gzip.GzipFile(fileobj=self._file, mode="rb") as rows:
            for line in rows:
                yield decode_row(line.decode())
