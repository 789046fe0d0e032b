"""Events of the registry become values, or are refused with the field that is wrong."""

import contextlib

import pytest
from event_mutations import JSON, mutated, sample, with_node
from hypothesis import given

from ecr_warden.adapters.registry_parsing import parse_registry_event
from ecr_warden.domain.scan_events import LifecycleImage, LifecycleRuleRun, ScanFrequencyChange
from ecr_warden.errors import MalformedEventError

SAMPLES = [
    "ecr_replication_action_failed",
    "ecr_replication_action_success",
    "ecr_pull_through_cache_action_failed",
    "ecr_scan_resource_change",
    "ecr_scan_resource_change_switched_off",
    "eventbridge_cloudtrail_PolicyExecutionEvent",
    "eventbridge_cloudtrail_PolicyExecutionEvent_archived",
]
RUN = "eventbridge_cloudtrail_PolicyExecutionEvent"
DETAILS = ("detail", "serviceEventDetails")


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_about_the_registry_is_read(name):
    event = sample(name)
    read = parse_registry_event(event)
    assert (read.event_id, read.detail_type) == (event["id"], event["detail-type"])


def test_a_replication_says_from_where_and_how_it_ended():
    read = parse_registry_event(sample("ecr_replication_action_failed"))
    assert (read.repository_name, read.image_tag, read.result) == ("my-app", "latest", "FAILED")
    assert (read.source_account, read.source_region) == ("123456789012", "us-west-2")


@pytest.mark.parametrize("said", [None, ""])
def test_an_image_without_a_tag_or_digest_is_replicated_too(said):
    read = parse_registry_event(sample("ecr_replication_action_failed", image_tag=said, image_digest=said))
    assert (read.image_tag, read.image_digest) == (None, None)


def test_a_cache_says_what_failed():
    read = parse_registry_event(sample("ecr_pull_through_cache_action_failed"))
    assert (read.sync_status, read.repository_prefix) == ("FAILED", "docker-hub")
    assert read.upstream_registry_url == "registry-1.docker.io"
    assert read.failure_code == "UpstreamTooManyRequests"


def test_a_reason_that_ecr_does_not_document_is_told_as_it_comes():
    read = parse_registry_event(
        sample("ecr_pull_through_cache_action_failed", failure_code=429, failure_reason="a\nb\x00")
    )
    assert (read.failure_code, read.failure_reason) == ("429", "a b\ufffd")


def test_a_successful_sync_of_ecrs_is_read_where_its_day_exists():
    event = sample("ecr_pull_through_cache_action_success")
    # AWS's own sample happened on the 29th of February 2023.
    with pytest.raises(MalformedEventError, match=r"^time:"):
        parse_registry_event(event)
    assert parse_registry_event(event | {"time": "2023-02-28T02:36:48Z"}).sync_status == "SUCCESS"


def test_a_change_of_scanning_names_each_repository():
    read = parse_registry_event(sample("ecr_scan_resource_change"))
    assert read.scan_type == "ENHANCED"
    assert read.changes == (
        ScanFrequencyChange("repository-1", "SCAN_ON_PUSH", "MANUAL"),
        ScanFrequencyChange("repository-2", "CONTINUOUS_SCAN", "SCAN_ON_PUSH"),
        ScanFrequencyChange("repository-3", "CONTINUOUS_SCAN", "SCAN_ON_PUSH"),
    )


def test_a_lifecycle_run_says_what_each_rule_did_and_could_not():
    run = parse_registry_event(sample(RUN))
    assert run.repository_name == "testrepo"
    assert run.rules == (LifecycleRuleRun(1, "expire", "remove all images > 2"),)
    assert [image.tags for image in run.images] == [("alpine",), ("centos",)]
    (failure,) = run.failures
    assert failure.failure_code == "ImageReferencedByManifestList"
    assert failure.failure_reason.startswith("Requested image referenced")


def test_a_rules_action_is_a_word_or_an_object():
    run = parse_registry_event(sample(f"{RUN}_archived"))
    assert [rule.action for rule in run.rules] == ["transition", "expire"]
    action = (*DETAILS, "lifecycleEventPolicy", "lifecycleEventRules", 0, "action")
    for said in (None, 7, {}, {"type": 7}):
        assert parse_registry_event(with_node(sample(RUN), action, said)).rules[0].action == ""


@pytest.mark.parametrize("policy", [None, {}, {"lifecycleEventRules": None}])
def test_lists_that_are_missing_are_empty(policy):
    details = {"repositoryName": "app", "lifecycleEventPolicy": policy}
    run = parse_registry_event(sample(RUN, serviceEventDetails=details))
    assert (run.rules, run.images, run.failures) == ((), (), ())


@pytest.mark.parametrize("name", ["imageSizeInBytes", "sizeInBytes", "imageSize"])
@pytest.mark.parametrize(("said", "size"), [(7, 7), (None, None), (True, None), (-1, None), ("7", None)])
def test_an_images_size_is_read_where_it_is_said(name, said, size):
    image = {"digest": "sha256:a", name: said}
    details = {"repositoryName": "app", "lifecycleEventImageActions": [{"lifecycleEventImage": image}]}
    run = parse_registry_event(sample(RUN, serviceEventDetails=details))
    assert run.images == (LifecycleImage("sha256:a", (), None, size=size),)


def test_of_an_images_tags_a_hundred_are_kept():
    image = (*DETAILS, "lifecycleEventImageActions", 0, "lifecycleEventImage", "tagList")
    run = parse_registry_event(with_node(sample(RUN), image, [f"v{number}" for number in range(1000)]))
    assert len(run.images[0].tags) == 100


REPOSITORIES = [{"repository-name": "a", "scan-frequency": "MANUAL"}, {"repository-name": "b"}]


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ([], "event"),
        (sample("ecr_image_scan_complete"), "detail-type"),
        (sample(RUN) | {"source": "aws.s3"}, "source"),
        (sample("ecr_replication_action_failed", result=None), "detail.result"),
        (sample("ecr_replication_action_failed", image_tag="a\nb"), "detail.image-tag"),
        (sample("ecr_pull_through_cache_action_failed", sync_status=7), "detail.sync-status"),
        (sample("ecr_scan_resource_change", repositories={}), "detail.repositories"),
        (sample("ecr_scan_resource_change", repositories=["a"]), "detail.repositories[0]"),
        (
            sample("ecr_scan_resource_change", repositories=REPOSITORIES),
            "detail.repositories[1].scan-frequency",
        ),
        (sample(RUN, eventName="DryRunEvent"), "detail.eventName"),
        (sample(RUN, eventSource="s3.amazonaws.com"), "detail.eventSource"),
        (sample(RUN, serviceEventDetails=None), "detail.serviceEventDetails"),
        (sample(RUN, serviceEventDetails={}), "detail.serviceEventDetails.repositoryName"),
        (
            with_node(sample(RUN), (*DETAILS, "lifecycleEventImageActions", 1, "rulePriority"), "1"),
            "detail.serviceEventDetails.lifecycleEventImageActions[1].rulePriority",
        ),
    ],
)
def test_an_event_of_another_form_is_refused_with_the_field(event, field):
    with pytest.raises(MalformedEventError) as raised:
        parse_registry_event(event)
    assert raised.value.field == field


@given(JSON)
def test_anything_else_is_malformed_and_nothing_worse(event):
    with pytest.raises(MalformedEventError):
        parse_registry_event(event)


@given(mutated(SAMPLES))
def test_whatever_is_changed_in_an_event_it_is_read_or_refused(event):
    with contextlib.suppress(MalformedEventError):
        assert parse_registry_event(event).event_id
