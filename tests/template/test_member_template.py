"""Other accounts' template: it forwards what the stack's rules take, and allows what its functions do."""

import json
from importlib.resources import files

import pytest
from built import FUNCTIONS, ROLES, ROOT, RULES, SAMPLES, TEMPLATE, named
from samtranslator.yaml_helper import yaml_parse

from ecr_warden_cli.local import patterns

MEMBER = yaml_parse((ROOT / "stacksets" / "member.yaml").read_text())
RESOURCES = MEMBER["Resources"]
FORWARDED = {name: item for name, item in RESOURCES.items() if item["Type"] == "AWS::Events::Rule"}
# The stack's own rules on the account's bus; outcomes have a bus of their own.
TAKEN = {name: rule for name, rule in RULES.items() if "EventBusName" not in rule}
MEMBER_SERVICES = ("ecr", "ecs", "lambda", "inspector2", "iam", "tag")
OWN = {"Ref": "AWS::AccountId"}
BUS = {"Fn::Sub": "arn:${AWS::Partition}:events:${CentralRegion}:${CentralAccountId}:event-bus/default"}
# What the role allows for every resource; nothing of it could be scoped.
FOR_EVERY_RESOURCE = {"ConfigureRegistry", "UseInspector", "ReadResourceTags", "FindWhoUsesAnImage"}
COULD_BE_SCOPED = {"ecs:ListTasks"}
SERVICES = json.loads(files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text())


def as_list(value):
    return value if isinstance(value, list) else [value]


def statements(role):
    (policy,) = RESOURCES[role]["Properties"]["Policies"]
    return policy["PolicyDocument"]["Statement"]


def own_pattern(rule):
    return {**rule["Properties"]["EventPattern"], "account": ["123456789012"]}


# ---------------------------------------------------------------- events


def test_just_what_the_stacks_rules_take_is_forwarded():
    forwarded = {name: dict(item["Properties"]["EventPattern"]) for name, item in FORWARDED.items()}
    assert all(pattern.pop("account") == [OWN] for pattern in forwarded.values())
    assert forwarded == {name: rule["EventPattern"] for name, rule in TAKEN.items()}


@pytest.mark.parametrize("name", FORWARDED)
def test_a_rule_sees_read_only_events_where_the_stacks_does_and_can_be_switched_off_where_that_can(name):
    assert FORWARDED[name]["Properties"].get("State") == RULES[name].get("State")


@pytest.mark.parametrize("rule", TAKEN.values(), ids=TAKEN)
def test_a_rule_of_the_stack_takes_events_of_any_account_and_region(rule):
    assert not {"account", "region"} & rule["EventPattern"].keys()
    assert (
        not {"account", "region", "awsRegion", "recipientAccountId"}
        & rule["EventPattern"].get("detail", {}).keys()
    )


@pytest.mark.parametrize("sample", SAMPLES)
def test_an_event_is_forwarded_where_a_rule_of_the_stack_takes_it_and_never_one_of_another_account(sample):
    own = SAMPLES[sample] | {"account": "123456789012"}
    taken = [name for name, rule in TAKEN.items() if patterns.matches(rule["EventPattern"], own)]
    assert [name for name, rule in FORWARDED.items() if patterns.matches(own_pattern(rule), own)] == taken
    foreign = own | {"account": "999999999999"}
    assert not [name for name, rule in FORWARDED.items() if patterns.matches(own_pattern(rule), foreign)]


def test_where_the_stack_is_nothing_is_forwarded_so_that_no_event_loops():
    assert MEMBER["Conditions"]["Forwards"] == {
        "Fn::Not": [
            {
                "Fn::And": [
                    {"Fn::Equals": [OWN, {"Ref": "CentralAccountId"}]},
                    {"Fn::Equals": [{"Ref": "AWS::Region"}, {"Ref": "CentralRegion"}]},
                ]
            }
        ]
    }
    assert {name for name, item in RESOURCES.items() if item["Condition"] != "Forwards"} == {"MemberRole"}


@pytest.mark.parametrize("rule", FORWARDED.values(), ids=FORWARDED)
def test_an_event_goes_to_the_stacks_bus_is_tried_for_a_day_and_then_set_aside(rule):
    (target,) = rule["Properties"]["Targets"]
    assert target["Arn"] == BUS
    assert named(target["RoleArn"]) == "ForwardRole"
    assert named(target["DeadLetterConfig"]["Arn"]) == "ForwardDeadLetterQueue"
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}


def test_what_forwards_may_do_that_alone_for_this_accounts_rules():
    (statement,) = statements("ForwardRole")
    assert (statement["Action"], statement["Resource"]) == ("events:PutEvents", BUS)
    (trust,) = RESOURCES["ForwardRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": OWN}}


def test_just_the_rules_may_set_events_aside_in_a_queue_that_is_encrypted_and_rings():
    queue = RESOURCES["ForwardDeadLetterQueue"]["Properties"]
    assert queue == {"SqsManagedSseEnabled": True, "MessageRetentionPeriod": 14 * 86_400}
    policy = RESOURCES["ForwardDeadLetterQueuePolicy"]["Properties"]
    assert [named(item) for item in policy["Queues"]] == ["ForwardDeadLetterQueue"]
    allowed, denied = policy["PolicyDocument"]["Statement"]
    assert (allowed["Effect"], allowed["Principal"]) == ("Allow", {"Service": "events.amazonaws.com"})
    senders = [named(arn) for arn in allowed["Condition"]["ArnEquals"]["aws:SourceArn"]]
    assert sorted(senders) == sorted(FORWARDED)
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    alarm = RESOURCES["ForwardDeadLetterAlarm"]["Properties"]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 1)
    assert named(alarm["Dimensions"][0]["Value"]) == "ForwardDeadLetterQueue"
    section = alarm["AlarmDescription"].split('"')[1]
    assert f"## {section}\n" in (ROOT / "docs" / "accounts.md").read_text()


# ---------------------------------------------------------------- the role


def acting_roles():
    return {
        named(item["Role"])
        for item in FUNCTIONS.values()
        if "ECR_WARDEN_MEMBER_ROLE_NAME" in item["Environment"]["Variables"]
    }


def test_the_role_allows_what_the_stacks_functions_do_on_a_registry_and_nothing_else():
    needed = {
        action
        for role in acting_roles()
        for policy in ROLES[role]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in as_list(statement["Action"])
        if action.partition(":")[0] in MEMBER_SERVICES
    }
    allowed = [action for item in statements("MemberRole") for action in as_list(item["Action"])]
    # The sweep's listing, whatever functions of the stack there are.
    assert set(allowed) == needed | {"tag:GetResources"}
    assert {action for action in allowed if allowed.count(action) > 1} == {"iam:CreateServiceLinkedRole"}


@pytest.mark.parametrize("statement", statements("MemberRole"), ids=lambda item: item["Sid"])
def test_the_role_is_for_this_account_in_every_region(statement):
    assert statement["Effect"] == "Allow"
    if statement["Sid"] in FOR_EVERY_RESOURCE:
        assert statement["Resource"] == "*"
        scopable = {
            action
            for action in as_list(statement["Action"])
            if SERVICES[action.partition(":")[0]]["Actions"]
            .get(action.partition(":")[2].lower(), {})
            .get("Resources")
        }
        assert scopable <= COULD_BE_SCOPED
        return
    for resource in as_list(statement["Resource"]):
        arn = resource["Fn::Sub"]
        assert arn.startswith("arn:${AWS::Partition}:")
        assert ":${AWS::AccountId}:" in arn
        assert not arn.endswith("${AWS::AccountId}:*")


def test_service_linked_roles_are_made_under_the_same_conditions_as_in_the_stack():
    def linked(items):
        return [
            (item["Resource"], item["Condition"])
            for item in items
            if item["Action"] == "iam:CreateServiceLinkedRole"
        ]

    (policy,) = ROLES["RepositoryCreatedRole"]["Policies"]
    assert linked(statements("MemberRole")) == linked(policy["PolicyDocument"]["Statement"]) != []


def test_only_the_stacks_roles_may_use_the_role_and_only_with_the_external_id():
    (trust,) = RESOURCES["MemberRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    central = "arn:${AWS::Partition}:iam::${CentralAccountId}:"
    assert trust == {
        "Effect": "Allow",
        "Principal": {"AWS": {"Fn::Sub": f"{central}root"}},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}},
            "ArnLike": {"aws:PrincipalArn": {"Fn::Sub": f"{central}role/${{CentralRoleNames}}"}},
        },
    }
    # Nobody is let in by default without one.
    assert "Default" not in MEMBER["Parameters"]["ExternalId"]


def test_the_role_is_made_in_one_region_only_as_it_is_the_whole_accounts():
    assert RESOURCES["MemberRole"]["Condition"] == "HasRole"
    assert MEMBER["Conditions"]["HasRole"] == {"Fn::Equals": [{"Ref": "AWS::Region"}, {"Ref": "RoleRegion"}]}
    assert RESOURCES["MemberRole"]["Properties"]["RoleName"] == {"Ref": "MemberRoleName"}
    assert [name for name, item in RESOURCES.items() if "RoleName" in item["Properties"]] == ["MemberRole"]


@pytest.mark.parametrize("name", ["MemberRoleName", "ExternalId"])
def test_what_the_role_is_called_and_asks_for_is_checked_here_as_in_the_stack(name):
    pattern = TEMPLATE.document["Parameters"][name]["AllowedPattern"]
    assert pattern == "^$|" + MEMBER["Parameters"][name]["AllowedPattern"]


@pytest.mark.parametrize("parameter", MEMBER["Parameters"].values(), ids=MEMBER["Parameters"])
def test_every_parameter_is_described_and_checked(parameter):
    assert parameter["Description"]
    assert {"AllowedPattern", "AllowedValues"} & parameter.keys()
