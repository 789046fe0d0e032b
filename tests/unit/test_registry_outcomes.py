"""What befell the registry is told, with how much it matters and what to do; what went well is not."""

from dataclasses import replace

import pytest
from event_mutations import mutated, sample
from fakes import FakeMetrics, FakePublisher, FaultError
from hypothesis import given

from ecr_warden.adapters.registry_parsing import parse_registry_event
from ecr_warden.domain.finding_summary import FindingSeverity
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Mode, Policy, Rule, RuleReference, ScanGate, Severity
from ecr_warden.domain.registry_outcomes import registry_outcomes
from ecr_warden.domain.scan_events import LifecycleImage, LifecycleRuleRun, ScanFrequencyChange
from ecr_warden.errors import MalformedEventError
from ecr_warden.use_cases.tell_registry_event import tell_registry_event

GATE = ScanGate(line=4, max=((FindingSeverity.CRITICAL, 0),))
POLICY = Policy("policy.yaml", rules=(Rule(3, ("prod/**",), mode=Mode.ENFORCE, scan_gate=GATE),))


def event(name, **changes):
    return replace(parse_registry_event(sample(name)), **changes)


def outcomes(name, **changes):
    return registry_outcomes(event(name, **changes), POLICY)


def only(name, **changes):
    (outcome,) = outcomes(name, **changes)
    return outcome


def replication(**changes):
    return only("ecr_replication_action_failed", **changes)


def sync(**changes):
    return only("ecr_pull_through_cache_action_failed", **changes)


def run(**changes):
    return only("eventbridge_cloudtrail_PolicyExecutionEvent", **changes)


def test_a_replication_that_failed_is_told_with_where_from_and_where_to():
    outcome = replication()
    assert (outcome.kind, outcome.severity) == (OutcomeKind.REPLICATION_FAILED, Severity.HIGH)
    assert (outcome.decision, outcome.action, outcome.changed) == ("failed", "notify", False)
    assert (outcome.repository, outcome.image_tag) == ("my-app", "latest")
    assert outcome.reason.startswith(
        "my-app:latest was not replicated from us-west-2 of account 123456789012 to us-east-1 of account "
        "123456789012: ECR says FAILED"
    )
    assert "registryId=123456789012" in outcome.next_step
    assert "registry policy" in outcome.next_step
    assert "immutable" in outcome.next_step


def test_what_the_event_of_a_replication_does_not_say_is_not_said():
    outcome = replication(source_region=None, source_account=None, image_tag=None, image_digest=None)
    assert outcome.reason.startswith("my-app was not replicated to us-east-1 of account 123456789012: ")
    assert replication(image_tag=None).reason.startswith("my-app@sha256:")


@pytest.mark.parametrize("result", ["FAILED", "FAILURE", "THROTTLED"])
def test_whatever_is_no_success_has_failed(result):
    assert replication(result=result).decision == "failed"
    assert sync(sync_status=result).decision == "failed"


def test_what_went_well_is_not_told():
    assert outcomes("ecr_replication_action_success") == ()
    assert outcomes("ecr_pull_through_cache_action_failed", sync_status="SUCCESS") == ()
    assert outcomes("ecr_scan_resource_change") == ()
    assert outcomes("eventbridge_cloudtrail_PolicyExecutionEvent", images=(), failures=()) == ()


def test_a_cache_that_failed_is_told_with_ecrs_words():
    outcome = sync()
    assert (outcome.kind, outcome.severity) == (OutcomeKind.PULL_THROUGH_CACHE_FAILED, Severity.MEDIUM)
    assert outcome.reason.startswith(
        "ECR could not bring docker-hub/library/alpine:3.21 from registry-1.docker.io: "
        "UpstreamTooManyRequests: The upstream registry answered 429 Too Many Requests. A pull gets"
    )
    assert "--ecr-repository-prefix docker-hub" in outcome.next_step


def test_a_cache_that_failed_without_a_word_is_told_with_its_status():
    outcome = sync(failure_code=None, failure_reason=None, upstream_registry_url=None, repository_prefix=None)
    assert "from its upstream registry: FAILED." in outcome.reason
    assert "describe-pull-through-cache-rules" in outcome.next_step


def test_each_repository_whose_scanning_was_switched_off_is_told_by_whether_it_has_a_gate():
    gated, other = outcomes("ecr_scan_resource_change_switched_off")
    assert (gated.repository, gated.severity, gated.mode) == ("prod/api", Severity.HIGH, Mode.ENFORCE)
    assert gated.rule == RuleReference("policy.yaml", 4, ("prod/**",))
    assert "scan gate cannot judge new images any more" in gated.reason
    assert "before: CONTINUOUS_SCAN" in gated.reason
    assert (other.repository, other.severity, other.mode) == ("sandbox/demo", Severity.LOW, Mode.AUDIT)
    assert other.rule is None
    assert "gate" not in other.reason
    assert gated.id != other.id
    assert {one.decision for one in (gated, other)} == {"switched_off"}
    assert {one.kind for one in (gated, other)} == {OutcomeKind.IMAGE_NOT_SCANNED}


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [
        ("SCAN_ON_PUSH", "MANUAL", True),
        (None, "MANUAL", True),
        ("MANUAL", "MANUAL", False),
        ("CONTINUOUS_SCAN", "SCAN_ON_PUSH", False),
    ],
)
def test_scanning_is_switched_off_where_it_is_manual_and_was_not(before, after, is_told):
    change = ScanFrequencyChange("prod/api", after, before)
    assert bool(outcomes("ecr_scan_resource_change", changes=(change, change))) is is_told
    assert len(outcomes("ecr_scan_resource_change", changes=(change, change))) <= 1


def test_a_lifecycle_run_is_told_with_what_it_expired_and_what_it_could_not():
    outcome = run()
    assert (outcome.kind, outcome.decision) == (OutcomeKind.LIFECYCLE_RAN, "ran")
    assert outcome.reason == (
        "ECR ran the lifecycle policy of testrepo. Rule 1 (remove all images > 2) expired 2 images: alpine "
        "(sha256:ddba4d27a7ff), centos (sha256:6ab380c5a5ac). ECR does not say how many bytes. It failed for "
        "1 image (ImageReferencedByManifestList: Requested image referenced by manifest list: "
        "[sha256:4b27c83d44a18c31543039d9e8b2786043ec6c8d00804d5800c5148d6b6f65bc]): sha256:9117e1bc28cd. "
        "ECR tells of ten images at a time: other messages may be of the same run."
    )


def test_an_image_that_was_archived_is_not_called_expired():
    reason = only("eventbridge_cloudtrail_PolicyExecutionEvent_archived").reason
    assert (
        "Rule 1 (archive what nobody pulled for 90 days) archived 2 images: 1.0.0 and 1 more (sha256:"
        in reason
    )
    assert "Rule 2 (remove untagged images after 7 days) expired 1 image: sha256:" in reason


IMAGE = LifecycleImage("sha256:a", (), 1, size=1500)


def test_bytes_are_told_where_ecr_says_them():
    assert "These are 3,000 bytes." in run(images=(IMAGE, IMAGE)).reason
    assert "These are at least 1,500 bytes." in run(images=(IMAGE, replace(IMAGE, size=None))).reason


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ((None, None), ["ECR does not say how many bytes."]),
        ((1500, None), ["These are 1,500 bytes.", "ECR does not say of the others how many bytes."]),
        ((1500, 1500), ["These are 1,500 bytes.", "These are 1,500 bytes."]),
    ],
)
def test_that_ecr_does_not_say_how_many_bytes_is_told_once(sizes, said):
    rules = (LifecycleRuleRun(1, "expire", ""), LifecycleRuleRun(2, "transition", ""))
    images = tuple(
        replace(IMAGE, rule_priority=number, size=size) for number, size in enumerate(sizes, start=1)
    )
    sentences = run(images=images, rules=rules).reason.split(". ")
    assert [f"{each.rstrip('.')}." for each in sentences if each.rstrip(".").endswith("bytes")] == said


def test_what_was_done_to_an_image_is_not_guessed():
    rules = (LifecycleRuleRun(1, "expire", ""), LifecycleRuleRun(2, "transition", ""))
    unknown = replace(IMAGE, rule_priority=None)
    assert "It dealt with 1 image" in run(images=(unknown,), rules=rules).reason
    assert "It expired 1 image" in run(images=(unknown,), rules=rules[:1]).reason
    assert "Rule 2 archived 1 image" in run(images=(replace(IMAGE, rule_priority=2),), rules=rules).reason
    assert "Rule 1 dealt with 1 image" in run(images=(IMAGE,), rules=()).reason


KEPT = replace(IMAGE, failure_code="ImageReferencedByManifestList")
FAILED = replace(IMAGE, failure_code="Oops", failure_reason="Broken.")


@pytest.mark.parametrize(
    ("failures", "severity", "next_step"),
    [
        ((), Severity.INFO, "Nothing is left to do."),
        ((KEPT, KEPT), Severity.LOW, "Nothing is left to do: ECR keeps"),
        ((KEPT, FAILED), Severity.MEDIUM, "Mend what ECR names"),
        ((IMAGE,), Severity.MEDIUM, "Mend what ECR names"),
    ],
)
def test_only_failures_that_are_not_normal_matter(failures, severity, next_step):
    outcome = run(failures=failures)
    assert outcome.severity is severity
    assert outcome.next_step.startswith(next_step)


def test_there_is_something_to_do_where_images_are_archived_or_nobody_knows_what_became_of_them():
    archived = (LifecycleRuleRun(1, "transition", ""),)
    step = run(images=(IMAGE,), rules=archived, failures=()).next_step
    assert step.startswith("Where somebody still needs an archived image, restore it: aws ecr")
    assert "--repository-name testrepo" in step
    step = run(images=(IMAGE,), rules=(), failures=()).next_step
    assert step == "Look in the repository what became of the images of which ECR does not say it."
    both = run(images=(IMAGE,), rules=archived, failures=(FAILED,)).next_step
    assert both.startswith("Mend what ECR names")
    assert "restore it" in both


def test_failures_of_one_cause_are_told_together():
    reason = run(failures=(FAILED, replace(FAILED, digest="sha256:b"), KEPT)).reason
    assert "It failed for 2 images (Oops: Broken): sha256:a, sha256:b." in reason
    assert "(ImageReferencedByManifestList: no reason): sha256:a." in reason


NAMES = [
    "ecr_replication_action_failed",
    "ecr_pull_through_cache_action_failed",
    "ecr_scan_resource_change_switched_off",
    "eventbridge_cloudtrail_PolicyExecutionEvent",
    "eventbridge_cloudtrail_PolicyExecutionEvent_archived",
]


class Ports:
    def __init__(self):
        self.publisher, self.metrics = FakePublisher(), FakeMetrics()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_told_is_published_and_counted_and_an_event_that_comes_twice_has_the_same_ids(name):
    ports, again = Ports(), Ports()
    told = tell_registry_event(event(name), policy=POLICY, ports=ports)
    assert tell_registry_event(event(name), policy=POLICY, ports=again) == told
    published = ports.publisher.outcomes
    assert told.outcome_ids == tuple(outcome.id for outcome in published)
    assert len(set(told.outcome_ids)) == len(published) > 0
    assert told.reason.startswith(published[0].reason)
    assert told.decision == published[0].decision
    assert ports.metrics.counted == [
        ("RegistryEvents", {"kind": outcome.kind.value}) for outcome in published
    ]


def test_an_event_with_nothing_to_tell_touches_nothing():
    told = tell_registry_event(event("ecr_replication_action_success"), policy=POLICY, ports=None)
    assert told.decision == "nothing_to_tell"
    assert told.outcome_ids == ()


def test_what_could_not_be_published_is_not_counted_as_told():
    class Broken:
        def publish_all(self, _outcomes):
            raise FaultError("no")

    ports = Ports()
    ports.publisher = Broken()
    with pytest.raises(FaultError):
        tell_registry_event(event(NAMES[0]), policy=POLICY, ports=ports)
    assert ports.metrics.counted == []


def test_that_more_than_one_repository_is_meant_is_said():
    told = tell_registry_event(event(NAMES[2]), policy=POLICY, ports=Ports())
    assert told.reason.endswith("(and 1 more)")


@given(mutated(NAMES))
def test_whatever_an_event_says_its_outcomes_can_be_told(said):
    try:
        happened = parse_registry_event(said)
    except MalformedEventError:
        return
    for outcome in registry_outcomes(happened, POLICY):
        assert outcome.reason.isprintable()
        assert outcome.next_step.isprintable()
        assert (outcome.account, outcome.region) == (happened.account, happened.region)
