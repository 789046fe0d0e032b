"""ImageScanFunction in the local AWS: what a scan leads to in the registry, the journal and for people."""

import itertools
import json
import time
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from botocore.client import BaseClient
from click.testing import CliRunner
from moto.ecr.models import ecr_backends

from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION
from ecr_warden_cli.local.ecr_double.findings import Generated, basic_finding, enhanced_finding
from ecr_warden_cli.local.ecr_double.scan_events import change_finding, complete_scan, fail_scan
from ecr_warden_cli.main import main

CRITICAL = basic_finding("CVE-2026-1", "CRITICAL")
POLICY = """\
version: 1
mode: enforce
rules:
  - match: ["**"]
    scan_gate: {max: {critical: 0}, on_failure: %s}
channels:
  ops: {type: sns}
routes:
  - {to: [ops]}
"""
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def gated(open_world):
    with open_world(policy=POLICY % "quarantine") as found:
        found.repository()
        yield found


@pytest.fixture
def calls(monkeypatch):
    """Count the calls of AWS, by operation."""
    made, make_call = [], BaseClient._make_api_call  # noqa: SLF001  # the one way that all calls go

    def call(client, operation, arguments):
        made.append(operation)
        return make_call(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return made


def scan(world, digest, *findings, **how):
    backend = ecr_backends[DEFAULT_ACCOUNT][DEFAULT_REGION]
    return world.watch(
        lambda: complete_scan(world.aws.broker.emit, backend, "team/app", digest, findings, **how)
    )


def push_index(world, tag, *children):
    manifests = [{"mediaType": MANIFEST, "digest": digest, "size": 2} for digest in children]
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
    answer = world.ecr.put_image(
        repositoryName="team/app", imageManifest=body, imageManifestMediaType=INDEX, imageTag=tag
    )
    return answer["image"]["imageId"]["imageDigest"]


def archived(world):
    images = world.ecr.describe_images(repositoryName="team/app", filter={"imageStatus": "ARCHIVED"})
    return {image["imageDigest"] for image in images["imageDetails"]}


def kinds(caused):
    return [outcome["kind"] for outcome in caused.outcomes]


def test_an_index_that_fails_is_archived_with_its_own_platforms_and_one_undo_takes_all_back(gated, tmp_path):
    own, shared = gated.push(seed="own"), gated.push(seed="shared")
    index = push_index(gated, "1.0.0", own, shared)
    push_index(gated, "stable", shared)
    caused = scan(gated, index, CRITICAL)
    assert caused.error is None
    assert archived(gated) == {index, own}
    (outcome,) = caused.outcomes
    assert outcome["change_ids"] == [change["id"] for change in sorted_by_index(caused.changes, index)]
    assert len(caused.messages) == 1
    with gated.aws.acting_in(DEFAULT_ACCOUNT):
        done = CliRunner().invoke(
            main, ["undo", outcome["change_ids"][0], "--yes"], env={"XDG_STATE_HOME": str(tmp_path)}
        )
    assert done.exit_code == 0, done.output
    assert archived(gated) == set()


def sorted_by_index(changes, index):
    return sorted(changes, key=lambda change: change["before"]["image_digest"] != index)


def test_a_scan_that_passes_makes_one_call_and_none_of_ecr(gated, calls):
    digest = gated.push("1.0.0")
    calls.clear()
    caused = scan(gated, digest, basic_finding("CVE-2026-2", "HIGH"))
    assert (caused.outcomes, caused.error) == ([], None)
    # What is read from the journal's table is read by this test's local AWS.
    assert [call for call in calls if call not in {"Scan", "GetQueueUrl", "ReceiveMessage"}] == ["GetItem"]


def test_a_hundred_thousand_findings_are_judged_by_a_page_and_in_little_memory(gated, calls):
    digest = gated.push("1.0.0")
    many = Generated(100_000, lambda number: basic_finding(f"CVE-2026-{number}", "CRITICAL"))
    backend = ecr_backends[DEFAULT_ACCOUNT][DEFAULT_REGION]
    complete_scan(gated.aws.broker.emit, backend, "team/app", digest, many)
    tracemalloc.start()
    began = time.monotonic()
    gated.aws.broker.drain()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert calls.count("DescribeImageScanFindings") == 1
    assert archived(gated) == {digest}
    assert peak < 64 * 2**20
    assert time.monotonic() - began < 60


def test_a_hundred_thousand_findings_that_may_pass_are_all_read_in_little_memory(open_world, calls):
    policy = (POLICY % "notify").replace("{critical: 0}", "{critical: 100000}")
    with open_world(policy=policy.replace("on_failure", "fixable_only: true, on_failure")) as world:
        world.repository()
        digest = world.push("1.0.0")
        fixable = {"fixed_in_version": "2"}
        many = Generated(100_001, lambda number: basic_finding(f"CVE-{number}", "CRITICAL", **fixable))
        backend = ecr_backends[DEFAULT_ACCOUNT][DEFAULT_REGION]
        complete_scan(world.aws.broker.emit, backend, "team/app", digest, many)
        tracemalloc.start()
        world.aws.broker.drain()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert calls.count("DescribeImageScanFindings") == 101
        assert peak < 64 * 2**20


def test_every_order_of_inspectors_events_leads_to_the_same_messages(open_world):
    """Events that were held back come in each order, and twice, when the registry is as it is."""
    log4j = enhanced_finding("CVE-2021-44228", "CRITICAL", ("log4j-core", "2.14.1", "2.15.0"))
    openssl = enhanced_finding("CVE-2022-3602", "CRITICAL", ("openssl", "3.0.2", "3.0.7"))
    ends = set()
    with open_world(policy=POLICY % "notify") as world:
        for number, order in enumerate(itertools.permutations(range(4))):
            world.repository(f"team/app{number}")
            digest = world.push("1.0.0", repository=f"team/app{number}")
            held = held_back(f"team/app{number}", digest, [log4j, openssl])
            told = []
            for place in (*order, *order):
                caused = world.watch(lambda event=held[place]: world.aws.broker.put(event))
                assert caused.error is None
                told += [message.text.replace(f"app{number}", "app") for message in caused.messages]
            ends.add(tuple(sorted(text.partition("\n\nSeverity")[0] for text in told)))
    assert len(ends) == 1
    (messages,) = ends
    assert len(messages) == 1


def held_back(repository, digest, findings):
    """Give the events of a scan, two findings and one of them closed, without delivering any."""
    backend, events = ecr_backends[DEFAULT_ACCOUNT][DEFAULT_REGION], []

    def emit(account, region, detail_type, detail, **about):
        events.append(
            {
                "version": "0",
                "id": f"{repository} {len(events)}",
                "detail-type": detail_type,
                "source": about["source"],
                "account": account,
                "time": about["time"].strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": region,
                "resources": list(about["resources"]),
                "detail": detail,
            }
        )

    at = datetime.now(UTC) - timedelta(minutes=3)
    complete_scan(emit, backend, repository, digest, findings, enhanced=True, at=at)
    change_finding(
        emit, backend, repository, digest, findings[1] | {"status": "CLOSED"}, at=at + timedelta(minutes=1)
    )
    return json.loads(json.dumps(events))


def test_a_scan_that_failed_is_told_and_the_image_left(gated):
    digest = gated.push("1.0.0")
    backend = ecr_backends[DEFAULT_ACCOUNT][DEFAULT_REGION]
    caused = gated.watch(lambda: fail_scan(gated.aws.broker.emit, backend, "team/app", digest))
    assert kinds(caused) == ["scan_failed"]
    assert archived(gated) == set()
