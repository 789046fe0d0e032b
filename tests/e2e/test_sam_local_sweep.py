"""The steps of the sweep in their containers, as its state machine calls them one after the other."""

import json
from dataclasses import asdict

from conftest import ROOT

from ecr_warden.adapters.sweep_store import Batch, PlaceItem, batch_item, read_item
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.rows import decode_row

# It has no lifecycle policy, and the policy of these tests wants one everywhere.
SWEPT = "e2e/swept/app"


def step(name):
    """Give a sample of what the state machine gives a function."""
    return json.loads((ROOT / "events" / "sweep" / f"{name}.json").read_text())


def place_of(local, warm, run):
    """Begin a run in a container; give the one registry that it is to look at."""
    begun = warm.invoke("SweepPlacesFunction", step("sweep_places") | {"run": run})
    assert begun["places"] == f"runs/{run}/places.json", begun
    (place,) = local.sweep_store().places(run)
    return begun, place


def test_a_sweep_begins_lists_repairs_and_reports_in_containers(local, warm):
    local.ecr.create_repository(repositoryName=SWEPT)
    store = local.sweep_store()
    begun, place = place_of(local, warm, "sweep-e2e")
    assert (place.account, place.region) == ("123456789012", "us-east-1")
    listed = warm.invoke("SweepListFunction", asdict(place))
    batches = store.batches(place)
    assert listed == {"repositories": sum(item.repositories for item in batches), "batches": len(batches)}
    assert SWEPT in {one.name for item in batches for one in store.batch(item).repositories}
    # The other repositories are other tests': this one alone is swept.
    batch = batch_item(place, 0, 1)
    store.put_batch(batch, Batch((Repository(SWEPT),), None))
    store.put_batches(place, [batch])
    assert warm.invoke("SweepBatchFunction", asdict(batch)) == {"repositories": 1, "swept": 1}
    rules = json.loads(local.ecr.get_lifecycle_policy(repositoryName=SWEPT)["lifecyclePolicyText"])["rules"]
    assert [
        rule["selection"]["countNumber"] for rule in rules if rule["selection"]["tagStatus"] == "untagged"
    ] == [14]
    (line,) = store.result(batch)
    assert (decode_row(line).repository, decode_row(line).repair_counts) == (SWEPT, {"changed": 1})
    (change,) = [item for item in local.items("JournalTable") if item.get("repository") == SWEPT]
    assert (change["section"], change["status"], change["run"]) == ("lifecycle", "done", "sweep-e2e")
    (outcome,) = local.outcomes(repository=SWEPT)
    assert (outcome["detail-type"], outcome["detail"]["change_ids"]) == ("drift_found", [change["id"]])
    # Called again, it has nothing left to do.
    assert warm.invoke("SweepBatchFunction", asdict(batch)) == {"repositories": 1, "swept": 0}
    finished = warm.invoke("SweepFinishFunction", begun)
    assert (finished["status"], finished["repositories"]) == ("complete", 1), finished
    table = local.client("s3").get_object(Bucket=store.bucket, Key="latest/report.csv")["Body"].read()
    assert SWEPT.encode() in table
    (ended,) = local.outcomes(kind="sweep_finished")
    assert ended["detail"]["decision"] == "complete"
    warm.tell([outcome, ended])
    assert len(local.published(ended["detail"]["id"])) == 1


def test_a_batch_that_is_not_there_fails_in_its_container_by_a_name_that_the_state_machine_knows(warm):
    answer = warm.invoke("SweepBatchFunction", step("sweep_batch"))
    assert answer["errorType"] == "MalformedEventError"
    assert "batches/00000.json.gz" in answer["errorMessage"]


def test_a_sample_event_of_the_sweep_is_handled_as_people_give_it_to_sam_local_invoke(local):
    begun = local.invoke("SweepPlacesFunction", step("sweep_places"))
    assert begun == step("sweep_finish") | {"places_at_once": begun["places_at_once"]}
    (place,) = local.sweep_store().places("sweep-sample")
    expected = step("sweep_list")
    assert read_item(expected, PlaceItem).folder == f"runs/sweep-sample/{place.account}/eu-west-1"
    assert asdict(place).keys() == expected.keys()
