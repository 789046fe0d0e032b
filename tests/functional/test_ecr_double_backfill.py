"""The double of ECR: replication backfills."""

import pytest
from double import ACCOUNT, double, error_of

from ecr_warden_cli.local.ecr_double import end_backfill, make_repository

INVALID = "InvalidParameterException"


@pytest.fixture
def registry():
    with double() as found:
        make_repository(found.backend, "team/app")
        yield found


def to(region, account=ACCOUNT):
    return {"region": region, "registryId": account}


def replicating(registry, *destinations, prefix="team"):
    filters = [{"filter": prefix, "filterType": "PREFIX_MATCH"}]
    rules = [{"destinations": list(destinations), "repositoryFilters": filters}]
    registry.ecr.put_replication_configuration(replicationConfiguration={"rules": rules})


def start(registry, destination):
    return registry.ecr.start_replication_backfill(destination=destination)["replicationBackfillId"]


def test_a_backfill_is_in_progress_until_it_is_ended(registry):
    make_repository(registry.backend, "other/app")
    registry.push("z", repository="other/app")
    bad, good = registry.push("a", "b", seed="1"), registry.push(seed="2")
    replicating(registry, to("eu-west-1"))
    answer = registry.ecr.start_replication_backfill(destination=to("eu-west-1"))
    assert answer["status"] == "PREPARING"
    named = {"replicationBackfillId": answer["replicationBackfillId"]}
    (shown,) = registry.ecr.list_replication_backfills()["backfills"]
    assert (shown["status"], shown["progress"]["totalReplicationCount"]) == ("IN_PROGRESS", 3)
    describe = registry.ecr.describe_replication_backfill_results
    assert describe(**named)["results"] == []
    end_backfill(registry.backend, answer["replicationBackfillId"], failures={bad: "Denied"})
    ended = describe(**named)
    assert (ended["status"], ended["progress"]["failureCodes"]) == ("COMPLETE", ["Denied"])
    assert ended["progress"]["failedReplicationCount"] == 2
    (result,) = describe(**named, resultStatusFilter="COMPLETE")["results"]
    assert result["imageId"] == {"imageDigest": good}
    assert len(describe(**named, resultStatusFilter="FAILED")["results"]) == 2
    (shown,) = registry.ecr.list_replication_backfills()["backfills"]
    assert shown["endedAt"] >= shown["startedAt"]


def test_a_backfill_can_be_stopped_once_and_can_fail(registry):
    replicating(registry, to("eu-west-1"))
    stop = registry.ecr.stop_replication_backfill
    first = start(registry, to("eu-west-1"))
    assert stop(replicationBackfillId=first)["status"] == "STOPPED"
    assert error_of(stop, replicationBackfillId=first) == "ReplicationBackfillInvalidStatusException"
    second = start(registry, to("eu-west-1"))
    end_backfill(registry.backend, second, failure_code="Denied")
    shown = registry.ecr.list_replication_backfills()["backfills"]
    assert [item["status"] for item in shown] == ["STOPPED", "FAILED"]
    assert shown[1]["failureCode"] == "Denied"


def test_what_a_backfill_refuses(registry):
    replicating(registry, to("eu-west-1"), to("eu-west-1", "222222222222"))
    assert error_of(start, registry=registry, destination=to("eu-west-2")) == INVALID
    start(registry, to("eu-west-1"))
    again = to("eu-west-1", "222222222222")
    assert error_of(start, registry=registry, destination=again) == "ReplicationBackfillInProgressException"
    unknown = {"replicationBackfillId": "00000000-0000-4000-8000-000000000000"}
    for call in (registry.ecr.stop_replication_backfill, registry.ecr.describe_replication_backfill_results):
        assert error_of(call, **unknown) == "ReplicationBackfillNotFoundException"
        assert error_of(call, replicationBackfillId="x") == INVALID


REGIONS = [
    *("af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1"),
    *("ca-central-1", "eu-central-1", "eu-north-1", "eu-south-1", "eu-west-1"),
]


def test_a_registry_has_ten_backfills_in_progress_and_lists_them_in_pages(registry):
    replicating(registry, *map(to, REGIONS))
    for region in REGIONS[:10]:
        start(registry, to(region))
    assert error_of(start, registry=registry, destination=to(REGIONS[10])) == "LimitExceededException"
    for backfill_id in list(registry.backend.backfills):
        end_backfill(registry.backend, backfill_id)
    for _ in range(20):
        end_backfill(registry.backend, start(registry, to(REGIONS[10])))
    listed = registry.ecr.list_replication_backfills
    assert len(listed()["backfills"]) == 25
    assert len(listed(nextToken=listed()["nextToken"])["backfills"]) == 5
    assert error_of(listed, maxResults=51) == INVALID
