"""What a registry has one of: documents that one writer at a time may change, and backfills."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from ecr_warden.domain.settings.current import RegistryDestination
from ecr_warden.errors import AwsError, BusyError
from ecr_warden.ports import Locks

logger = logging.getLogger(__name__)
# Writers hold the registry's documents for moments.
_TRIES: Final = 40
_PAUSE: Final = 0.25


class LockPorts(Protocol):
    """What being the only writer needs."""

    @property
    def locks(self) -> Locks:
        """What only one writer may change at a time."""

    @property
    def pause(self) -> Callable[[float], None]:
        """Wait for so many seconds."""


@contextmanager
def only_writer(name: str, holder: str, ports: LockPorts) -> Iterator[None]:
    """Be the only writer of something; raise ``BusyError`` while another is for too long."""
    for _ in range(_TRIES):
        if ports.locks.acquire(name, holder):
            break
        ports.pause(_PAUSE)
    else:
        raise BusyError(f"another writer has been changing {name} for {_TRIES * _PAUSE:.0f} seconds")
    try:
        yield
    finally:
        _release(name, holder, ports.locks)


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
