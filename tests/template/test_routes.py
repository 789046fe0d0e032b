"""Which events reach which function: each rule's pattern, judged on the samples in ``events/``."""

import json

import pytest
from built import FUNCTIONS, QUEUES, READERS, RULES, SAMPLES, TARGETS, TEMPLATE, named, of_type
from fakes import OUTCOME
from moto.events.models import EventPattern

from ecr_warden.adapters.outcome_bus import SOURCE, outcome_as_json
from ecr_warden.domain.outcomes import OutcomeKind

IMAGE_ACTION_RULE = "ImageActionFunctionEcrImageAction"
REPOSITORY_CREATED_RULE = "RepositoryCreatedRule"
# By the beginning of a sample's name, the rule on the account's default bus that takes it.
ROUTES = {
    "ecr_image_action_": IMAGE_ACTION_RULE,
    "ecr_referrer_action_": IMAGE_ACTION_RULE,
    "ecr_image_scan_": None,
    "ecr_pull_through_cache_action_": None,
    "ecr_replication_action_": None,
    "ecr_scan_resource_change": None,
    "eventbridge_cloudtrail_CreateRepository": REPOSITORY_CREATED_RULE,
    "eventbridge_cloudtrail_PolicyExecutionEvent": None,
    "eventbridge_cloudtrail_PutImage": None,
    "inspector2_coverage_": None,
    "inspector2_finding_": None,
    "inspector2_scan_": None,
}
# A call that failed created nothing.
TAKEN_BY_NONE = {"eventbridge_cloudtrail_CreateRepository_failed"}
CALLED = "eventbridge_cloudtrail_CreateRepository"
BY_ECR_ITSELF = "eventbridge_cloudtrail_CreateRepository_service_event"
# Through which queue a rule reaches which function.
QUEUED = {
    "OutcomeRule": ("NotifyQueue", "NotifyFunction"),
    REPOSITORY_CREATED_RULE: ("RepositoryCreatedQueue", "RepositoryCreatedFunction"),
}
FOREIGN_SOURCES = ["aws.ecr-public", "aws.ec2", "aws", "custom", "custom.aws.ecr", "AWS.ECR", ""]


def is_on_default_bus(rule):
    return "EventBusName" not in RULES[rule]


def matches(rule, event):
    return EventPattern.load(json.dumps(RULES[rule]["EventPattern"])).matches_event(event)


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
        {"eventName": "PutImage"},
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


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_switched_on(rule):
    assert RULES[rule].get("State", "ENABLED") == "ENABLED"


def test_outcomes_and_new_repositories_reach_the_queues_that_their_functions_read_and_nothing_else_does():
    through = [(rule, named(target["Arn"])) for rule, target in TARGETS if named(target["Arn"]) in QUEUES]
    reads = {named(item["EventSourceArn"]): named(item["FunctionName"]) for item in READERS.values()}
    assert len(reads) == len(READERS)
    assert {rule: (queue, reads[queue]) for rule, queue in through} == QUEUED
    assert len(through) == len(READERS) == len(QUEUED)


@pytest.mark.parametrize(("rule", "target"), TARGETS, ids=[rule for rule, _ in TARGETS])
def test_every_message_of_a_fifo_queue_is_of_one_group_and_only_those_have_a_group(rule, target):
    # The registry's replication is one document without a version: one writer at a time may change it.
    if rule == REPOSITORY_CREATED_RULE:
        assert target["SqsParameters"] == {"MessageGroupId": "registry"}
    is_fifo = QUEUES.get(named(target["Arn"]), {}).get("FifoQueue", False)
    assert is_fifo is ("SqsParameters" in target)


@pytest.mark.parametrize(("rule", "target"), TARGETS, ids=[rule for rule, _ in TARGETS])
def test_what_eventbridge_gives_up_goes_to_a_queue_that_is_that_rules_alone_and_not_fifo(rule, target):
    # EventBridge takes no FIFO queue for it.
    dead_letters = named(target["DeadLetterConfig"]["Arn"])
    assert [other for other, item in TARGETS if named(item["DeadLetterConfig"]["Arn"]) == dead_letters] == [
        rule
    ]
    assert "FifoQueue" not in QUEUES[dead_letters]


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
        item
        for item in of_type("AWS::Lambda::Permission").values()
        if named(item["FunctionName"]) == function
    ]
    if function not in FUNCTIONS:
        assert not permissions
        return
    (permission,) = permissions
    assert (permission["Action"], permission["Principal"], named(permission["SourceArn"])) == (
        "lambda:InvokeFunction",
        "events.amazonaws.com",
        rule,
    )


def test_nobody_but_a_rule_may_invoke_a_function():
    assert {named(item["SourceArn"]) for item in of_type("AWS::Lambda::Permission").values()} <= set(RULES)


def test_outcomes_do_not_come_back_as_events_of_ecr():
    assert named(RULES["OutcomeRule"]["EventBusName"]) == "OutcomeBus"
    assert TEMPLATE.resources["OutcomeBus"]["Type"] == "AWS::Events::EventBus"
