"""ImageScanFunction and RegistryEventFunction in their containers, and NotifyFunction after them."""

import pytest
from conftest import FINDING, ROOT, TEN_CRITICALS, sample

# Of each sample, what the function decides, and the kinds of what it puts on the bus.
SCANS = {
    "ecr_image_scan_clean": ("Passed", []),
    # The repositories of these two are not in this account.
    "ecr_image_scan_complete": ("Gone", []),
    "ecr_image_scan_unknown_severity": ("Gone", []),
    "ecr_image_scan_failed": ("NotScanned", ["scan_failed"]),
    # An instance, which no rule brings here.
    "inspector2_coverage_ec2": ("MalformedEventError", []),
    "inspector2_coverage_ecr_unsupported": ("NotScanned", ["image_not_scanned"]),
    # Inspector knows already that it was suppressed.
    "inspector2_finding_ecr": ("Passed", []),
    "inspector2_finding_ecr_2021": ("Failed", ["image_vulnerable"]),
    "inspector2_finding_ecr_closed": ("NotCounted", []),
    "inspector2_finding_ecr_suppressed": ("NotCounted", []),
    "inspector2_scan_critical": ("Failed", ["image_vulnerable"]),
    "inspector2_scan_initial": ("Passed", []),
}
REGISTRY_EVENTS = {
    "ecr_pull_through_cache_action_failed": ("failed", ["pull_through_cache_failed"]),
    # AWS's own sample is of a 29th of February that never was; no rule brings it here.
    "ecr_pull_through_cache_action_success": ("MalformedEventError", []),
    "ecr_replication_action_failed": ("failed", ["replication_failed"]),
    "ecr_replication_action_success": ("nothing_to_tell", []),
    "ecr_scan_resource_change": ("nothing_to_tell", []),
    "ecr_scan_resource_change_switched_off": ("switched_off", ["image_not_scanned", "image_not_scanned"]),
    "eventbridge_cloudtrail_PolicyExecutionEvent": ("ran", ["lifecycle_ran"]),
    "eventbridge_cloudtrail_PolicyExecutionEvent_archived": ("ran", ["lifecycle_ran"]),
}


def names(*globs):
    return sorted(path.stem for glob in globs for path in (ROOT / "events").glob(f"{glob}.json"))


def check_sample(local, warm, function, name, expected):
    decision, kinds = expected
    event = sample(name)
    answer = warm.invoke(function, event)
    assert answer.get("decision", answer.get("errorType")) == decision, answer
    outcomes = local.outcomes(event_id=event["id"])
    assert [outcome["detail-type"] for outcome in outcomes] == kinds
    ids = [outcome["detail"]["id"] for outcome in outcomes]
    assert answer.get("outcome_id") == (ids[0] if ids else None)
    if outcomes:
        warm.tell(outcomes)
    assert [len(local.published(one)) for one in ids] == [1] * len(kinds)


@pytest.mark.parametrize("name", names("ecr_image_scan_*", "inspector2_*"))
def test_every_sample_of_a_scan_is_handled_in_a_container(local, warm, name):
    check_sample(local, warm, "ImageScanFunction", name, SCANS[name])


@pytest.mark.parametrize(
    "name", names("ecr_pull_*", "ecr_replication_*", "ecr_scan_*", "*_PolicyExecutionEvent*")
)
def test_every_sample_of_the_registry_is_handled_in_a_container(local, warm, name):
    check_sample(local, warm, "RegistryEventFunction", name, REGISTRY_EVENTS[name])


def test_an_image_with_ten_criticals_is_archived_and_told_of_once(local, warm):
    repository = TEN_CRITICALS["detail"]["repository-name"]
    assert local.status(repository) == "ACTIVE"
    assert warm.invoke("ImageScanFunction", TEN_CRITICALS)["decision"] == "Failed"
    assert local.status(repository) == "ARCHIVED"
    # EventBridge delivers at least once: it is not done again, and nobody hears it again.
    assert warm.invoke("ImageScanFunction", TEN_CRITICALS)["decision"] == "Archived"
    (change,) = [item for item in local.items("JournalTable") if item.get("repository") == repository]
    assert (change["section"], change["status"]) == ("scan_gate", "done")
    (outcome,) = local.outcomes(repository=repository)
    assert outcome["detail-type"] == "image_vulnerable"
    detail = outcome["detail"]
    assert (detail["action"], detail["changed"]) == ("quarantine", True)
    assert detail["change_ids"] == [change["id"]]
    assert detail["findings"]["counted"] == {"critical": 10}
    for _ in range(2):
        warm.tell([outcome])
        (told,) = local.chat(detail["id"])
        assert f"ecr-warden undo {change['id']}" in told


def test_a_finding_fails_a_gate_that_only_tells(local, warm):
    repository = "e2e/scan/notify"
    assert warm.invoke("ImageScanFunction", FINDING)["decision"] == "Failed"
    assert warm.invoke("ImageScanFunction", FINDING)["decision"] == "Known"
    assert local.status(repository) == "ACTIVE"
    assert not [item for item in local.items("JournalTable") if item.get("repository") == repository]
    (outcome,) = local.outcomes(repository=repository)
    assert outcome["detail-type"] == "image_vulnerable"
    detail = outcome["detail"]
    assert (detail["action"], detail["changed"]) == ("notify", False)
    assert [worst["id"] for worst in detail["findings"]["worst"]] == ["CVE-2021-44228"]
    warm.tell([outcome])
    (told,) = local.chat(detail["id"])
    assert "2.14.1 → 2.15.0" in told


def test_a_clean_scan_is_neither_told_nor_remembered_nor_looked_up(local, warm):
    # The registry has no such repository: whoever asked it of one would answer that it is gone.
    repository = "e2e/scan/clean"
    answer = warm.invoke("ImageScanFunction", sample("ecr_image_scan_clean", repository))
    assert (answer["decision"], answer["outcome_id"]) == ("Passed", None)
    assert local.outcomes(repository=repository) == []
    assert not [item for item in local.items("ScanTable") if repository in item["id"]]


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("ecr_replication_action_failed", "replication_failed", "was not replicated from us-west-2"),
        ("eventbridge_cloudtrail_PolicyExecutionEvent", "lifecycle_ran", "expired 2 images"),
    ],
)
def test_what_befell_the_registry_is_told_once(local, warm, name, kind, words):
    repository = f"e2e/registry/{kind.replace('_', '-')}"
    event = sample(name, repository)
    ids = {warm.invoke("RegistryEventFunction", event)["outcome_id"] for _ in range(2)}
    # It remembers nothing: the two outcomes have one id, by which NotifyFunction knows the second.
    outcomes = local.outcomes(repository=repository, kind=kind)
    assert [outcome["detail"]["id"] for outcome in outcomes] == [*ids, *ids]
    warm.tell(outcomes)
    (told,) = local.published(*ids)
    assert words in told["outcomes"][0]["reason"]
