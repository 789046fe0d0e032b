"""One writer at a time changes what a registry has one of, and each gets its turn."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from tests.fakes import FakeLocks

from ecr_warden.errors import BusyError
from ecr_warden.use_cases.registry_wide import only_writer

NAME = "123456789012/eu-west-1/replicate_to"


@dataclass
class Locks:
    """Locks that count how often they were asked for in vain."""

    held: dict[str, str] = field(default_factory=dict)
    in_vain: int = 0
    own: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, name, holder):
        with self.own:
            has = self.held.setdefault(name, holder) == holder
            self.in_vain += not has
            return has

    def release(self, name, holder):
        with self.own:
            if self.held.get(name) == holder:
                del self.held[name]


def test_the_threads_of_a_process_take_turns_and_do_not_starve_one_another():
    locks, writing, most = Locks(), [], []

    def write(number):
        with only_writer(NAME, str(number), ports, longest_wait=30):
            writing.append(number)
            most.append(len(writing))
            # Long enough for others to ask meanwhile.
            time.sleep(0.005)
            writing.remove(number)

    ports = SimpleNamespace(locks=locks, pause=time.sleep)
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(write, range(100)))
    assert (len(most), max(most)) == (100, 1)
    # Nobody of this process asked while another of it wrote.
    assert (locks.in_vain, locks.held) == (0, {})


def test_who_waits_behind_another_thread_gives_up_in_time_too():
    ports = SimpleNamespace(locks=FakeLocks(), pause=time.sleep)

    def write():
        with only_writer(NAME, "two", ports, longest_wait=0.05):
            raise AssertionError("it has no turn")

    with ThreadPoolExecutor(1) as pool, only_writer(NAME, "one", ports):
        late = pool.submit(write).exception()
    assert isinstance(late, BusyError)
    assert f"another writer has been changing {NAME}" in str(late)
    with only_writer(NAME, "three", ports):
        pass


@pytest.mark.parametrize("seconds", [10, 60])
def test_a_writer_elsewhere_is_waited_for_as_long_as_is_said(seconds):
    pauses = []
    ports = SimpleNamespace(locks=FakeLocks(held={NAME: "elsewhere"}), pause=pauses.append)
    with (
        pytest.raises(BusyError, match=f"for {seconds} seconds"),
        only_writer(NAME, "here", ports, longest_wait=seconds),
    ):
        raise AssertionError("it has no turn")
    assert sum(pauses) == seconds
    ports.locks.held.clear()
    with only_writer(NAME, "here", ports):
        assert ports.locks.held == {NAME: "here"}
