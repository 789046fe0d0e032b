"""Items that are kept until they are needed, in a file that goes by itself: there may be any number."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any


class Spool(AbstractContextManager["Spool"]):
    """JSON objects in the order in which they came; each reading begins anew."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(  # noqa: SIM115  # it is closed with the spool
            "w+", encoding="utf-8", prefix="ecr-warden-"
        )
        self.count = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the file go."""
        self._file.close()

    def add(self, item: Mapping[str, Any]) -> None:
        """Keep an item."""
        self._file.write(f"{json.dumps(item)}\n")
        self.count += 1

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give all items, until one is added."""
        self._file.seek(0)
        for line in self._file:
            yield json.loads(line)
        self._file.seek(0, 2)
