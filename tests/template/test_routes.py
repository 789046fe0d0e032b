"""Which events reach which function: each rule's pattern, judged on the samples in ``events/``."""

import json

import pytest
from built import FUNCTIONS, RULES, SAMPLES, TARGETS, TEMPLATE, named, of_type
from fakes import OUTCOME
from moto.events.models import EventPattern

from ecr_warden.adapters.outcome_bus import SOURCE, outcome_as_json
from ecr_warden.domain.outcomes import OutcomeKind

IMAGE_ACTION_RULE = "ImageActionFunctionEcrImageAction"
# By the beginning of a sample's name, the rule on the account's default bus that takes it.
ROUTES = {
    "ecr_image_action_": IMAGE_ACTION_RULE,
    "ecr_referrer_action_": IMAGE_ACTION_RULE,
    "ecr_image_scan_": None,
    "ecr_pull_through_cache_action_": None,
    "ecr_replication_action_": None,
    "ecr_scan_resource_change": None,
    "eventbridge_cloudtrail_": None,
    "inspector2_coverage_": None,
    "inspector2_finding_": None,
    "inspector2_scan_": None,
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


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_switched_on(rule):
    assert RULES[rule].get("State", "ENABLED") == "ENABLED"


def test_an_outcome_reaches_the_queue_that_notify_function_reads():
    assert [named(target["Arn"]) for rule, target in TARGETS if rule == "OutcomeRule"] == ["NotifyQueue"]
    (reader,) = of_type("AWS::Lambda::EventSourceMapping").values()
    assert (named(reader["EventSourceArn"]), named(reader["FunctionName"])) == (
        "NotifyQueue",
        "NotifyFunction",
    )


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
