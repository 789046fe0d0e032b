"""Many repositories: few calls, threads that are busy, and memory that does not grow with them.

A registry of 5,000 repositories is too much for moto: here the SDK's requests are answered from a table.
"""

import gc
import json
import threading
import time
import tracemalloc
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from moto.core.botocore_stubber import MockRawResponse
from tests.faults import error_answer

from ecr_warden.adapters.ecr_repositories import EcrRepositories
from ecr_warden.adapters.ecr_settings import EcrSettings
from ecr_warden.adapters.rate import SWEEP_CONFIG, AdaptiveRate, attach
from ecr_warden.domain.places import Place
from ecr_warden.domain.settings.lifecycle_rules import lifecycle_text
from ecr_warden.domain.sweep.judgements import Standing
from ecr_warden.use_cases.sweep.ports import Scope
from ecr_warden.use_cases.sweep.visit_place import visit_place
from ecr_warden_cli.policy.check import check_policy

PLACE = Place("123456789012", "us-east-1")
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
# Two pages: with one alone nothing is being looked at while a page is read.
MANY, FEW = 5000, 2000
A_PAGE = 1000
THREADS = 16
POLICY = """\
version: 1
mode: enforce
rules:
  - match: ["**"]
    tag_mutability: {immutable: true}
    lifecycle: {keep_last: 5}
    replicate_to: [eu-west-1]
    scanning: {frequency: scan_on_push}
"""
LISTED, SECTIONS = "DescribeRepositories", 4


def _repository(name, mode):
    return {
        "repositoryArn": f"arn:aws:ecr:{PLACE.region}:{PLACE.account}:repository/{name}",
        "registryId": str(int(PLACE.account)),
        "repositoryName": name,
        "repositoryUri": f"{PLACE.account}.dkr.ecr.{PLACE.region}.amazonaws.com/{name}",
        "createdAt": NOW.timestamp() + len(name),
        "imageTagMutability": mode,
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }


@dataclass
class Table:
    """ECR, as far as a visit asks it; each call takes some seconds."""

    count: int
    latency: float = 0.0
    settings: dict = field(default_factory=dict)
    calls: int = 0
    most_at_once: int = 0
    under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request, event_name, **_):
        with self.lock:
            self.calls += 1
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
        time.sleep(self.latency)
        operation = event_name.rpartition(".")[2]
        answer = getattr(self, operation)(json.loads(request.body))
        with self.lock:
            self.under_way -= 1
        if isinstance(answer, str):
            return error_answer(request.url, answer)
        headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "1"}
        return AWSResponse(request.url, 200, headers, MockRawResponse(json.dumps(answer)))

    def DescribeRepositories(self, asked):  # noqa: N802  # the operations' own names
        assert asked["maxResults"] == A_PAGE
        start = int(asked.get("nextToken", 0))
        end = min(start + A_PAGE, self.count)
        mode = self.settings.get("tag_mutability", {"mode": "MUTABLE"})["mode"]
        found = [_repository(f"team-{number % 50}/app-{number}", mode) for number in range(start, end)]
        return {"repositories": found} | ({"nextToken": str(end)} if end < self.count else {})

    def GetLifecyclePolicy(self, _asked):  # noqa: N802
        document = self.settings.get("lifecycle")
        if document is None:
            return "LifecyclePolicyNotFoundException"
        return {"lifecyclePolicyText": lifecycle_text(document)}

    def DescribeRegistry(self, _asked):  # noqa: N802
        return {"replicationConfiguration": self.settings.get("replicate_to", {"rules": []})}

    def GetRegistryScanningConfiguration(self, _asked):  # noqa: N802
        return {"scanningConfiguration": self.settings.get("scanning", {"scanType": "BASIC", "rules": []})}

    def ListTagsForResource(self, _asked):  # noqa: N802
        return {"tags": []}


class Direct:
    """A client of a table without the SDK, whose own memory and time are not what is measured."""

    def __init__(self, table):
        self._table = table

    def __getattr__(self, name):
        operation = "".join(map(str.capitalize, name.split("_")))

        def call(**asked):
            answer = getattr(self._table, operation)(asked)
            if isinstance(answer, str):
                raise ClientError({"Error": {"Code": answer, "Message": "no"}}, operation)
            return answer

        return call


def sdk_client(table):
    client = boto3.client(
        "ecr",
        region_name=PLACE.region,
        config=SWEEP_CONFIG,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # no secret: no request leaves this process
    )
    attach(client, AdaptiveRate())
    client.meta.events.register_last("before-send", table)
    return client


def ports(client):
    settings = EcrSettings(client, account=PLACE.account, region=PLACE.region)
    return SimpleNamespace(repositories=EcrRepositories(client, lambda: None, PLACE), settings=settings)


def visits(table, threads=THREADS, client=sdk_client):
    checked = check_policy(POLICY, "policy.yaml")
    assert checked.policy is not None, checked.problems
    return visit_place(
        policy=checked.policy,
        place=PLACE,
        ports=ports(client(table)),
        scope=Scope(),
        now=NOW,
        threads=threads,
    )


@pytest.fixture(scope="module")
def wanted():
    """Give what the policy wants, by setting."""
    (visit,) = visits(Table(1))
    assert {one.standing for one in visit.judgements} == {Standing.DIFFERS}
    found = {one.setting: one.after for one in visit.judgements}
    assert len(found) == SECTIONS
    return found


def test_what_complies_costs_a_call_a_repository_and_one_a_page(wanted):
    table = Table(MANY, settings=wanted)
    count = 0
    for visit in visits(table):
        assert {one.standing for one in visit.judgements} == {Standing.COMPLIANT}
        assert len(visit.judgements) == SECTIONS
        count += 1
    assert count == MANY
    assert table.calls <= MANY + MANY / A_PAGE + 10


def test_threads_are_busy_while_calls_are_under_way(wanted):
    table = Table(1500, latency=0.02, settings=wanted)
    begun = time.perf_counter()
    assert sum(1 for _ in visits(table)) == 1500
    seconds = time.perf_counter() - begun
    one_by_one = table.calls * table.latency
    # One more where the next page is being listed.
    assert THREADS <= table.most_at_once <= THREADS + 1
    # All threads busy all the time would take a sixteenth; the rest is for a machine that does other things.
    assert seconds < one_by_one / 3


@pytest.mark.parametrize("complies", [True, False])
def test_memory_does_not_grow_with_the_repositories(wanted, complies):
    def peak(count):
        gc.collect()
        tracemalloc.start()
        try:
            table = Table(count, settings=wanted if complies else {})
            for visit in visits(table, threads=4, client=Direct):
                assert len(visit.judgements) == SECTIONS
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # What is loaded with the first call is no repository's.
    assert sum(1 for _ in visits(Table(10), client=Direct)) == 10
    few = peak(FEW)
    assert peak(MANY) < few * 1.1
