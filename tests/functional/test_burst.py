"""10,000 outcomes at once, to a server on loopback that fails every third request."""

import gc
import json
import threading
import tracemalloc
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fakes import NOW, OUTCOME, FakeChannel
from telling_world import TellingWorld

from ecr_warden.adapters.signed_webhook import SignedWebhook
from ecr_warden.adapters.slack_webhook import SlackWebhook
from ecr_warden.domain.policy import Channel, ChannelType, Policy, Route
from ecr_warden.domain.waiting import Waiting

MANY = 10_000
KEY = "k" * 32
SIEM = Channel("siem", 1, ChannelType.WEBHOOK, secret="siem")
TEAM = Channel("team", 2, ChannelType.SLACK, secret="team")
MEGABYTES = 2**20


class Secrets:
    """Both channels' secrets are the server's address."""

    def __init__(self, url):
        self._url = url

    def url(self, _name):
        return self._url

    def fields(self, _name):
        return {"url": self._url, "key": KEY}

    def text(self, _name):
        return "{"

    def forget(self, _name):
        pass


@contextmanager
def server(keep=lambda body: body):
    """Run a server whose every third answer is a failure; give its URL and what it keeps of what it took."""
    taken, requests = [], iter(range(10**9))

    class Every(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Without it each answer would wait for an acknowledgement: 40 ms.
        wbufsize = -1

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_taken = next(requests) % 3 != 2
            if is_taken:
                taken.append(keep(json.loads(body)))
            self.send_response(200 if is_taken else 500)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
            self.wfile.flush()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Every) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}/hook", taken
        finally:
            running.shutdown()
            thread.join()


@contextmanager
def as_in_a_small_process():
    """Trace memory, and collect garbage as a function does: among a suite's objects it hardly is."""
    gc.collect()
    gc.freeze()
    gc.collect()
    # Whoever measures coverage keeps something of every thread: here, of one a request.
    trace = threading.gettrace()
    threading.settrace(None)
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()
        threading.settrace(trace)
        gc.unfreeze()


def world_with(channel, of_policy):
    policy = Policy("p", channels=(of_policy,), routes=(Route(9, (of_policy.name,)),))
    return TellingWorld(policy, **{of_policy.name: channel})


def fill(world, name):
    """Let 10,000 outcomes wait, each of a repository of its own."""
    for number in range(MANY):
        outcome = replace(OUTCOME, id=f"outcome-{number}", repository=f"team/{number}")
        world.outbox.put(name, Waiting(outcome, since=NOW, due=NOW + timedelta(microseconds=number)))
    world.clock.pause(60)


def test_a_machine_gets_each_of_them_once_and_in_order_in_bounded_memory():
    with server(keep=lambda event: event["id"]) as (url, taken):
        world = world_with(SignedWebhook(SIEM, Secrets(url), lambda: NOW), SIEM)
        fill(world, "siem")
        # Errors that are kept keep all that their tracebacks lead to.
        world.ports = replace(world.ports, said=lambda _: None)
        with as_in_a_small_process():
            world.wake("siem")
            world.run()
            _, peak = tracemalloc.get_traced_memory()
    assert taken == [f"outcome-{number}" for number in range(MANY)]
    assert world.outbox.waits["siem"] == {}
    assert peak < 15 * MEGABYTES


def test_people_get_some_digests_whose_counts_are_all_of_them():
    with server() as (url, taken):
        channel = SlackWebhook(TEAM, Secrets(url))
        world = world_with(channel, TEAM)
        fill(world, "team")
        world.wake("team")
        world.run()
    told = Counter(one.id for said in world.said if said.why is None for one in said.outcomes)
    assert len(told) == MANY
    assert set(told.values()) == {1}
    assert len(taken) <= 11
    assert all("Tag quarantined, 1000 times" in json.dumps(payload) for payload in taken)


def test_no_more_than_a_thousand_are_read_at_once():
    read = []
    world = world_with(FakeChannel(), TEAM)
    waiting = world.outbox.waiting

    def counted(channel, most):
        found = waiting(channel, most)
        read.append(len(found))
        return found

    world.outbox.waiting = counted
    fill(world, "team")
    world.wake("team")
    world.run()
    assert max(read) == 1000
    assert sum(message.digest.total for message, _ in world.channels["team"].sent) == MANY
