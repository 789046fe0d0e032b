"""What a registry has one of: documents that one writer at a time may change, and backfills."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final, Protocol

from ecr_warden.domain.settings.current import RegistryDestination
from ecr_warden.errors import AwsError, BusyError
from ecr_warden.ports import Locks

logger = logging.getLogger(__name__)
# Seconds. Writers hold the registry's documents for moments.
LONGEST_WAIT: Final = 10.0
_PAUSE: Final = 0.25
# Of what this process's threads write. They would take what they ask for so often from one another that some
# never got it; of those that wait here, each has its turn.
_HERE: Final[dict[str, Lock]] = {}


class LockPorts(Protocol):
    """What being the only writer needs."""

    @property
    def locks(self) -> Locks:
        """What only one writer may change at a time."""

    @property
    def pause(self) -> Callable[[float], None]:
        """Wait for so many seconds."""


@contextmanager
def only_writer(
    name: str, holder: str, ports: LockPorts, *, longest_wait: float = LONGEST_WAIT
) -> Iterator[None]:
    """Be the only writer of something; raise ``BusyError`` while another is for too long, in seconds."""
    here = _HERE.setdefault(name, Lock())
    begun = time.monotonic()
    if not here.acquire(timeout=longest_wait):
        raise _busy(name, longest_wait)
    try:
        waited = time.monotonic() - begun
        _acquire(name, holder, ports, tries=max(1, round((longest_wait - waited) / _PAUSE)))
        try:
            yield
        finally:
            _release(name, holder, ports.locks)
    finally:
        here.release()


def _acquire(name: str, holder: str, ports: LockPorts, *, tries: int) -> None:
    for _ in range(tries):
        if ports.locks.acquire(name, holder):
            return
        ports.pause(_PAUSE)
    raise _busy(name, tries * _PAUSE)


def _busy(name: str, seconds: float) -> BusyError:
    return BusyError(f"another writer has been changing {name} for {seconds:.0f} seconds")


def _release(name: str, holder: str, locks: Locks) -> None:
    try:
        locks.release(name, holder)
    except AwsError as error:
        # It ends by itself, and what was written is written.
        logger.warning("a lock was not given back: %s", error, extra={"lock": name})


def backfill_command(destination: RegistryDestination) -> str:
    """Give what a person starts a backfill by."""
    return (
        f"aws ecr start-replication-backfill --destination region={destination.region},"
        f"registryId={destination.registry_id}"
    )
