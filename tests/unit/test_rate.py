"""Calls go as fast as AWS takes them: a few are throttled, and none waits for a limit that is gone."""

import heapq
import random
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.faults import Throttling

from ecr_warden.adapters.rate import AdaptiveRate

LATENCY = 0.02


class World:
    """Workers that call a server on a clock of their own, each one call after the other."""

    def __init__(self, limit, *, workers=16, seed=1):
        self.now = 0.0
        self.server = Throttling(limit, monotonic=lambda: self.now)
        self.rate = AdaptiveRate(monotonic=lambda: self.now, sleep=None)
        self.done = [0] * workers
        self.waits = random.Random(seed)  # noqa: S311  # a test's, which is to be the same each time

    def run(self, calls):
        """Make so many calls, throttled ones again, and give the seconds that it took."""
        begun, left, number = self.now, calls, 0
        events = []

        def push(at, what, worker, sent=0.0, attempt=0):
            nonlocal number
            number += 1
            heapq.heappush(events, (at, number, what, worker, sent, attempt))

        for worker in range(len(self.done)):
            push(self.now, "begin", worker)
        while events:
            self.now, _, what, worker, sent, attempt = heapq.heappop(events)
            match what:
                case "begin" if left:
                    left -= 1
                    push(self.now, "wait", worker, self.rate.turn(), attempt)
                case "again":
                    push(self.now, "wait", worker, self.rate.turn(), attempt)
                case "wait" if wait := self.rate.left(sent):
                    push(self.now + wait, "wait", worker, sent, attempt)
                case "wait":
                    answer = "took" if self.server.takes() else "refused"
                    push(self.now + LATENCY, answer, worker, self.now, attempt)
                case "took":
                    self.rate.succeeded(sent)
                    self.done[worker] += 1
                    push(self.now, "begin", worker)
                case "refused":
                    self.rate.throttled(sent)
                    wait = min(20, self.waits.random() * 2**attempt)
                    push(self.now + wait, "again", worker, 0.0, attempt + 1)
        return self.now - begun


@pytest.mark.parametrize("workers", [1, 16, 32])
def test_ten_calls_a_second_are_used_with_few_throttled(workers):
    world = World(10, workers=workers)
    seconds = world.run(600)
    assert seconds < 600 / 10 * 1.25
    assert world.server.refused < 0.15 * world.server.calls


# Below five a second, the first wave of workers is most of what is throttled.
@given(limit=st.integers(5, 400), workers=st.integers(1, 32), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_any_limit_is_used_well_with_few_throttled(limit, workers, seed):
    world = World(limit, workers=workers, seed=seed)
    calls = 60 * min(limit, int(workers / LATENCY))
    seconds = world.run(calls)
    assert seconds < max(calls / limit, calls * LATENCY / workers) * 1.4 + 5
    # All workers ask at once before the first of them is throttled.
    assert world.server.refused < 0.15 * world.server.calls + workers


def test_every_worker_has_its_share():
    world = World(10)
    world.run(800)
    assert min(world.done) > 0.6 * max(world.done)


def test_nothing_waits_until_aws_throttles():
    world = World(10_000, workers=16)
    assert world.run(2000) == pytest.approx(2000 * LATENCY / 16)
    assert world.rate.calls_a_second is None


def test_a_limit_that_is_gone_is_forgotten():
    world = World(10)
    world.run(300)
    world.server = Throttling(100_000, monotonic=lambda: world.now)
    world.run(5000)
    assert world.run(5000) < 5000 * LATENCY / 16 * 1.1
    assert world.server.refused == 0


def test_a_limit_that_falls_is_followed():
    world = World(200)
    world.run(4000)
    world.server = Throttling(10, monotonic=lambda: world.now)
    assert world.run(600) < 600 / 10 * 1.4
    assert world.server.refused < 0.15 * world.server.calls


def test_calls_that_were_under_way_together_cut_the_rate_once():
    now = [0.0]
    rate = AdaptiveRate(monotonic=lambda: now[0], sleep=None)
    for _ in range(10):
        rate.succeeded(0.0)
    now[0] = 0.5
    for _ in range(20):
        rate.throttled(0.1)
    assert rate.calls_a_second == pytest.approx(8)
    now[0] = 1.0
    rate.throttled(0.6)
    assert rate.calls_a_second == pytest.approx(6.4)


def limited(now, answers=10):
    """Give a rate that AWS has throttled once, after so many answers; it is four fifths of them."""
    rate = AdaptiveRate(monotonic=lambda: now[0], sleep=None)
    for _ in range(answers):
        rate.succeeded(now[0])
    rate.throttled(now[0])
    return rate


def test_turns_are_evenly_apart_however_many_ask_at_once():
    rate = limited([1.0], answers=5)
    waits = [rate.left(rate.turn()) for _ in range(20)]
    assert waits == pytest.approx([(number + 1) / 4 for number in range(20)])


def test_who_waits_already_waits_longer_where_the_rate_is_cut():
    now = [1.0]
    rate = limited(now)
    turns = [rate.turn() for _ in range(8)]
    assert rate.left(turns[-1]) == pytest.approx(1)
    now[0] += 0.5
    rate.throttled(1.25)
    assert rate.left(turns[-1]) == pytest.approx(4 / 6.4)
    now[0] += 100
    assert rate.left(turns[-1]) == 0
    assert rate.left(rate.turn()) == 0
    assert rate.left(rate.turn()) == pytest.approx(1 / 6.4), "what was not used is not made up for"


def test_who_waits_keeps_nobody_from_the_queue():
    now, slept = [1.0], []
    rate = limited(now)

    def sleep(seconds):
        # Another caller takes its turn, and an answer comes, meanwhile.
        thread = threading.Thread(target=lambda: (rate.turn(), rate.succeeded(0.5)))
        thread.start()
        thread.join(5)
        assert not thread.is_alive()
        slept.append(seconds)
        now[0] += seconds

    rate._sleep = sleep  # noqa: SLF001  # it uses the rate that it belongs to
    assert rate.wait() == pytest.approx(1 + 1 / 8)
    assert slept == pytest.approx([1 / 8])
