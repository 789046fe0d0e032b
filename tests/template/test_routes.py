"""Which events reach which function: each rule's pattern, judged on the samples in ``events/``."""

import pytest
from built import FUNCTIONS, QUEUES, READERS, RULES, SAMPLES, TARGETS, TEMPLATE, named, of_type
from fakes import OUTCOME

from ecr_warden.adapters.outcome_bus import SOURCE, outcome_as_json
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden_cli.local import patterns

IMAGE_ACTION_RULE = "ImageActionFunctionEcrImageAction"
IMAGE_SCAN_RULE = "ImageScanFunctionEcrImageScan"
INSPECTOR_SCAN_RULE = "ImageScanFunctionInspector2Scan"
FINDING_RULE = "ImageScanFunctionInspector2Finding"
COVERAGE_RULE = "ImageScanFunctionInspector2Coverage"
REPLICATION_RULE = "RegistryEventFunctionEcrReplicationAction"
PULL_THROUGH_CACHE_RULE = "RegistryEventFunctionEcrPullThroughCacheAction"
SCANNING_RULE = "RegistryEventFunctionEcrScanResourceChange"
LIFECYCLE_RULE = "RegistryEventFunctionLifecycleRun"
REPOSITORY_CREATED_RULE = "RepositoryCreatedRule"
WHO_PUSHED_RULE = "WhoPushedRule"
# By the beginning of a sample's name, the rule on the account's default bus that takes it. Outcomes are on
# the stack's own bus.
ROUTES = {
    "ecr_image_action_": IMAGE_ACTION_RULE,
    "ecr_referrer_action_": IMAGE_ACTION_RULE,
    "ecr_image_scan_": IMAGE_SCAN_RULE,
    "ecr_pull_through_cache_action_": PULL_THROUGH_CACHE_RULE,
    "ecr_replication_action_": REPLICATION_RULE,
    "ecr_scan_resource_change": SCANNING_RULE,
    "ecr_warden_outcome_": None,
    "eventbridge_cloudtrail_CreateRepository": REPOSITORY_CREATED_RULE,
    "eventbridge_cloudtrail_PolicyExecutionEvent": LIFECYCLE_RULE,
    "eventbridge_cloudtrail_PutImage": WHO_PUSHED_RULE,
    "inspector2_coverage_": COVERAGE_RULE,
    "inspector2_finding_": FINDING_RULE,
    "inspector2_scan_": INSPECTOR_SCAN_RULE,
}
TAKEN_BY_NONE = {
    "eventbridge_cloudtrail_CreateRepository_failed": "a call that failed created nothing",
    "eventbridge_cloudtrail_PutImage_failed": "a call that failed pushed nothing",
    "ecr_pull_through_cache_action_success": "what went well is not told",
    "ecr_replication_action_success": "what went well is not told",
    "ecr_scan_resource_change": "each of its repositories is scanned",
    "inspector2_coverage_ec2": "an instance is no image",
}
CALLED = "eventbridge_cloudtrail_CreateRepository"
BY_ECR_ITSELF = "eventbridge_cloudtrail_CreateRepository_service_event"
PUSHED = "eventbridge_cloudtrail_PutImage"
# Through which queue a rule reaches which function.
QUEUED = {
    "OutcomeRule": ("NotifyQueue", "NotifyFunction"),
    WHO_PUSHED_RULE: ("NotifyQueue", "NotifyFunction"),
    REPOSITORY_CREATED_RULE: ("RepositoryCreatedQueue", "RepositoryCreatedFunction"),
}
FOREIGN_SOURCES = ["aws.ecr-public", "aws.ec2", "aws", "custom", "custom.aws.ecr", "AWS.ECR", ""]


def is_on_default_bus(rule):
    return "EventBusName" not in RULES[rule]


def matches(rule, event):
    is_enabled = patterns.is_enabled(TEMPLATE.state_of(TEMPLATE.resources[rule]), event)
    return is_enabled and patterns.matches(RULES[rule]["EventPattern"], event)


def reached(event):
    """Give the rules that take an event."""
    return [rule for rule in RULES if matches(rule, event)]


def with_detail(sample, **detail):
    """Give a sample with other values in its detail; ``_`` stands for the ``-`` of a field's name."""
    changes = {name.replace("_", "-"): value for name, value in detail.items()}
    return SAMPLES[sample] | {"detail": SAMPLES[sample]["detail"] | changes}


def outcome_event(kind=OutcomeKind.TAG_VIOLATION, source=SOURCE):
    return {
        **SAMPLES["ecr_image_action_push"],
        "source": source,
        "detail-type": kind.value,
        "detail": outcome_as_json(OUTCOME),
    }


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_event_reaches_the_rule_that_is_for_it_and_no_other(sample):
    (expected,) = [rule for beginning, rule in ROUTES.items() if sample.startswith(beginning)]
    if sample in TAKEN_BY_NONE:
        expected = None
    taken_by = [rule for rule in RULES if is_on_default_bus(rule) and matches(rule, SAMPLES[sample])]
    assert taken_by == ([expected] if expected else [])


@pytest.mark.parametrize("beginning", ROUTES)
def test_every_kind_of_event_has_a_sample(beginning):
    assert any(sample.startswith(beginning) for sample in SAMPLES)


def test_every_rule_is_for_sample_events_or_for_outcomes():
    assert set(RULES) == {rule for rule in ROUTES.values() if rule} | {"OutcomeRule"}
    assert [rule for rule in RULES if not is_on_default_bus(rule)] == ["OutcomeRule"]


@pytest.mark.parametrize("source", FOREIGN_SOURCES)
@pytest.mark.parametrize("sample", SAMPLES)
def test_an_event_of_a_foreign_source_reaches_no_rule(sample, source):
    event = SAMPLES[sample] | {"source": source}
    assert not [rule for rule in RULES if matches(rule, event)]


@pytest.mark.parametrize(
    "detail_type", ["ECR Image", "ECR Image Action ", "ecr image action", "Image Action"]
)
def test_an_event_whose_detail_type_is_only_like_one_reaches_no_rule(detail_type):
    event = SAMPLES["ecr_image_action_push"] | {"detail-type": detail_type}
    assert not [rule for rule in RULES if matches(rule, event)]


def creation(sample=CALLED, source="aws.ecr", **changes):
    return SAMPLES[sample] | {"source": source, "detail": SAMPLES[sample]["detail"] | changes}


@pytest.mark.parametrize("source", ["aws.ecr", "aws.replication.ecr"])
def test_a_repository_that_replication_made_reaches_the_queue_whatever_source_its_event_has(source):
    event = creation(BY_ECR_ITSELF, source, eventSource="replication.ecr.amazonaws.com")
    assert [rule for rule in RULES if matches(rule, event)] == [REPOSITORY_CREATED_RULE]


@pytest.mark.parametrize("sample", [CALLED, BY_ECR_ITSELF])
@pytest.mark.parametrize(
    "error_code", ["RepositoryAlreadyExistsException", "AccessDenied", "LimitExceededException"]
)
def test_a_creation_that_failed_reaches_no_rule(sample, error_code):
    event = creation(sample, errorCode=error_code, errorMessage="…")
    assert not [rule for rule in RULES if matches(rule, event)]


@pytest.mark.parametrize("sample", [CALLED, BY_ECR_ITSELF])
@pytest.mark.parametrize(
    "changes",
    [
        {"eventName": "DeleteRepository"},
        {"eventName": "BatchGetImage"},
        {"eventName": "CreateRepositoryCreationTemplate"},
        {"eventName": "createrepository"},
        {"eventSource": "ecr-public.amazonaws.com"},
        {"eventSource": "codecommit.amazonaws.com"},
    ],
    ids=lambda changes: "".join(changes.values()),
)
def test_another_call_reaches_no_rule(sample, changes):
    assert not [rule for rule in RULES if matches(rule, creation(sample, **changes))]


@pytest.mark.parametrize(
    "detail_type",
    ["AWS API Call", "AWS Console Action via CloudTrail", "AWS Insight via CloudTrail", "ECR Image Action "],
)
def test_a_creation_whose_detail_type_is_only_like_one_reaches_no_rule(detail_type):
    assert not [rule for rule in RULES if matches(rule, creation() | {"detail-type": detail_type})]


# ---------------------------------------------------------------- who pushed


@pytest.mark.parametrize("sample", [PUSHED, f"{PUSHED}_untagged"], ids=["a tag", "no tag"])
def test_who_pushed_reaches_what_tells_people(sample):
    assert reached(SAMPLES[sample]) == [WHO_PUSHED_RULE]


@pytest.mark.parametrize(
    "changes",
    [
        {"errorCode": "ImageTagAlreadyExistsException"},
        {"errorCode": "AccessDenied"},
        {"eventName": "InitiateLayerUpload"},
        {"eventName": "putimage"},
        {"eventSource": "ecr-public.amazonaws.com"},
    ],
    ids=lambda changes: "".join(changes.values()),
)
def test_a_push_that_failed_or_another_call_says_nothing_of_who_pushed(changes):
    event = SAMPLES[PUSHED]
    assert not reached(event | {"detail": event["detail"] | changes})


def test_an_event_of_ecr_itself_says_nothing_of_who_pushed():
    assert not reached(SAMPLES[PUSHED] | {"detail-type": "AWS Service Event via CloudTrail"})


def test_reading_who_pushed_is_switched_on_and_off_by_a_parameter_and_nothing_else_is():
    states = {rule: item["State"] for rule, item in RULES.items() if isinstance(item.get("State"), dict)}
    assert states == {WHO_PUSHED_RULE: {"Ref": "WhoPushedRuleState"}}
    assert TEMPLATE.document["Parameters"]["WhoPushedRuleState"]["AllowedValues"] == ["ENABLED", "DISABLED"]


# ---------------------------------------------------------------- scans

IMAGE_ARN = f"arn:aws:ecr:eu-west-1:123456789012:repository/team/app/sha256:{'ab' * 32}"


def coverage(resource, status="INACTIVE", source="aws.inspector2"):
    sample = SAMPLES["inspector2_coverage_ec2"]
    scan_status = {"reason": "UNSUPPORTED_OS", "statusCodeValue": status}
    detail = sample["detail"] | {"scanStatus": scan_status}
    return sample | {"source": source, "resources": [resource], "detail": detail}


def finding(*types, **changes):
    (resource,) = SAMPLES["inspector2_finding_ecr"]["detail"]["resources"]
    resources = [resource | {"type": one} for one in types]
    return with_detail("inspector2_finding_ecr", resources=resources, **changes)


@pytest.mark.parametrize("status", ["COMPLETE", "FAILED", "UNSUPPORTED_IMAGE"])
def test_a_basic_scan_reaches_the_function_however_it_ended(status):
    assert reached(with_detail("ecr_image_scan_complete", scan_status=status)) == [IMAGE_SCAN_RULE]


def test_a_scan_of_inspectors_that_is_of_no_repository_reaches_no_rule():
    event = SAMPLES["inspector2_scan_initial"]
    detail = {name: value for name, value in event["detail"].items() if name != "repository-name"}
    assert reached(event) == [INSPECTOR_SCAN_RULE]
    assert not reached(event | {"detail": detail})


@pytest.mark.parametrize("status", ["ACTIVE", "CLOSED", "SUPPRESSED"])
def test_a_finding_about_an_image_reaches_the_function_whatever_its_status(status):
    assert reached(finding("AWS_ECR_CONTAINER_IMAGE", status=status)) == [FINDING_RULE]


@pytest.mark.parametrize(
    "types",
    [("AWS_EC2_INSTANCE",), ("AWS_LAMBDA_FUNCTION",), ("CODE_REPOSITORY",), ()],
    ids=lambda types: " ".join(types) or "none",
)
def test_a_finding_about_something_else_reaches_no_rule(types):
    assert not reached(finding(*types))


def test_a_finding_about_an_image_among_other_things_reaches_the_function():
    assert reached(finding("AWS_EC2_INSTANCE", "AWS_ECR_CONTAINER_IMAGE")) == [FINDING_RULE]


@pytest.mark.parametrize(
    "resource",
    [
        IMAGE_ARN,
        IMAGE_ARN.replace("arn:aws:", "arn:aws-cn:"),
        IMAGE_ARN.replace("arn:aws:", "arn:aws-us-gov:"),
        # A digest is opaque: AWS's own samples have others than of 64 hexadecimal digits.
        IMAGE_ARN[:-20] + "EXAMPLE",
        IMAGE_ARN.replace("team/app", "app"),
    ],
)
def test_an_image_that_is_not_scanned_reaches_the_function(resource):
    assert reached(coverage(resource)) == [COVERAGE_RULE]


@pytest.mark.parametrize(
    "resource",
    [
        "i-087d63509b8c97098",
        "arn:aws:lambda:us-east-1:123456789012:function:app:$LATEST",
        "arn:aws:ecr:eu-west-1:123456789012:repository/team/app",
        "arn:aws:codecommit:eu-west-1:123456789012:repository/app",
    ],
)
def test_something_else_that_is_not_scanned_reaches_no_rule(resource):
    assert not reached(coverage(resource))


def test_an_image_that_is_scanned_is_no_news_of_its_coverage():
    assert not reached(coverage(IMAGE_ARN, status="ACTIVE"))


# ---------------------------------------------------------------- what is told of the registry


@pytest.mark.parametrize(
    ("sample", "field", "rule"),
    [
        ("ecr_replication_action_failed", "result", REPLICATION_RULE),
        ("ecr_pull_through_cache_action_success", "sync-status", PULL_THROUGH_CACHE_RULE),
    ],
    ids=["replication", "pull through cache"],
)
@pytest.mark.parametrize(
    ("said", "is_told"),
    [("FAILED", True), ("FAILURE", True), ("Failed", True), ("SUCCESS", False), ("Success", False)],
)
def test_what_failed_is_told_and_what_went_well_is_not_however_ecr_writes_it(
    sample, field, rule, said, is_told
):
    assert reached(with_detail(sample, **{field: said})) == ([rule] if is_told else [])


def scanning(*frequencies):
    repositories = [
        {
            "repository-name": f"repository-{number}",
            "scan-frequency": frequency,
            "previous-scan-frequency": "MANUAL" if frequency != "MANUAL" else "SCAN_ON_PUSH",
        }
        for number, frequency in enumerate(frequencies)
    ]
    return with_detail("ecr_scan_resource_change", repositories=repositories)


@pytest.mark.parametrize(
    ("frequencies", "is_told"),
    [
        (("MANUAL",), True),
        (("CONTINUOUS_SCAN", "MANUAL", "SCAN_ON_PUSH"), True),
        (("CONTINUOUS_SCAN", "SCAN_ON_PUSH"), False),
        ((), False),
    ],
    ids=["one", "one of several", "none of several", "nothing"],
)
def test_scanning_that_was_switched_off_for_one_repository_is_told(frequencies, is_told):
    assert reached(scanning(*frequencies)) == ([SCANNING_RULE] if is_told else [])


@pytest.mark.parametrize("event_name", ["DryRunEvent", "ImageActivationEvent", "policyexecutionevent"])
def test_of_ecrs_own_events_in_cloudtrail_only_lifecycle_runs_are_told(event_name):
    assert not reached(with_detail("eventbridge_cloudtrail_PolicyExecutionEvent", eventName=event_name))


# CloudTrail marks these events as read-only; a rule that is only ENABLED need not get them.
READ_ONLY_EVENTS = {LIFECYCLE_RULE: "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_switched_on(rule):
    assert TEMPLATE.state_of(TEMPLATE.resources[rule]) == READ_ONLY_EVENTS.get(rule, "ENABLED")


def test_what_waits_in_a_queue_reaches_the_one_that_its_function_reads_and_nothing_else_does():
    through = [(rule, named(target["Arn"])) for rule, target in TARGETS if named(target["Arn"]) in QUEUES]
    reads = {named(item["EventSourceArn"]): named(item["FunctionName"]) for item in READERS.values()}
    assert len(reads) == len(READERS)
    assert {rule: (queue, reads[queue]) for rule, queue in through} == QUEUED
    assert len(through) == len(QUEUED)
    assert {queue for queue, _ in QUEUED.values()} == reads.keys()


@pytest.mark.parametrize(("rule", "target"), TARGETS, ids=[rule for rule, _ in TARGETS])
def test_every_message_of_a_fifo_queue_is_of_one_group_and_only_those_have_a_group(rule, target):
    # The registry's replication is one document without a version: one writer at a time may change it.
    if rule == REPOSITORY_CREATED_RULE:
        assert target["SqsParameters"] == {"MessageGroupId": "registry"}
    is_fifo = QUEUES.get(named(target["Arn"]), {}).get("FifoQueue", False)
    assert is_fifo is ("SqsParameters" in target)


@pytest.mark.parametrize(("rule", "target"), TARGETS, ids=[rule for rule, _ in TARGETS])
def test_what_eventbridge_gives_up_goes_to_a_queue_for_that_target_alone_and_not_fifo(rule, target):
    # A message names its rule, by the attribute RULE_ARN. EventBridge takes no FIFO queue for it.
    dead_letters = named(target["DeadLetterConfig"]["Arn"])
    sharing = {
        other: item for other, item in TARGETS if named(item["DeadLetterConfig"]["Arn"]) == dead_letters
    }
    assert rule in sharing
    assert {named(item["Arn"]) for item in sharing.values()} == {named(target["Arn"])}
    assert "FifoQueue" not in QUEUES[dead_letters]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_all_rules_of_a_function_share_one_queue_of_what_eventbridge_gives_up(function):
    queues = {
        named(target["DeadLetterConfig"]["Arn"]) for _, target in TARGETS if named(target["Arn"]) == function
    }
    assert len(queues) <= 1


def test_new_repositories_that_eventbridge_gives_up_have_a_dead_letter_queue_of_their_own():
    (target,) = [item for rule, item in TARGETS if rule == REPOSITORY_CREATED_RULE]
    assert named(target["DeadLetterConfig"]["Arn"]) == "RepositoryCreatedRuleDeadLetterQueue"


@pytest.mark.parametrize("kind", OutcomeKind)
def test_every_kind_of_outcome_is_told_and_reaches_no_other_rule(kind):
    assert [rule for rule in RULES if matches(rule, outcome_event(kind))] == ["OutcomeRule"]


@pytest.mark.parametrize("source", ["ecr-warden-test", "my-own-tool"])
def test_other_peoples_events_on_the_outcome_bus_are_not_told(source):
    assert not matches("OutcomeRule", outcome_event(source=source))


@pytest.mark.parametrize(("rule", "target"), TARGETS, ids=[rule for rule, _ in TARGETS])
def test_a_rule_that_invokes_a_function_may_do_so_and_nobody_else_may(rule, target):
    function = named(target["Arn"])
    permissions = [
        (item["Action"], item["Principal"], named(item["SourceArn"]))
        for item in of_type("AWS::Lambda::Permission").values()
        if named(item["FunctionName"]) == function
    ]
    if function not in FUNCTIONS:
        assert not permissions
        return
    callers = sorted(caller for caller, item in TARGETS if named(item["Arn"]) == function)
    assert rule in callers
    assert sorted(permissions) == [
        ("lambda:InvokeFunction", "events.amazonaws.com", caller) for caller in callers
    ]


def test_nobody_but_a_rule_may_invoke_a_function():
    assert {named(item["SourceArn"]) for item in of_type("AWS::Lambda::Permission").values()} <= set(RULES)


def test_outcomes_do_not_come_back_as_events_of_ecr():
    assert named(RULES["OutcomeRule"]["EventBusName"]) == "OutcomeBus"
    assert TEMPLATE.resources["OutcomeBus"]["Type"] == "AWS::Events::EventBus"
