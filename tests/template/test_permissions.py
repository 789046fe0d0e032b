"""Who may do what: each action of each role is here with the call that needs it."""

import inspect
import json
import re
from importlib.resources import files

import botocore.session
import pytest
from botocore import xform_name
from built import (
    DEAD_LETTER_QUEUES,
    FUNCTIONS,
    QUEUES,
    ROLES,
    RULES,
    TARGETS,
    TEMPLATE,
    TOPICS,
    named,
    of_type,
)

from ecr_warden.adapters import (
    dynamodb_channels,
    dynamodb_identities,
    dynamodb_items,
    dynamodb_outbox,
    dynamodb_scans,
    ecr,
    ecr_repositories,
    ecr_scans,
    ecr_settings,
    ecr_storage,
    organization,
    sweeping,
)
from ecr_warden.adapters.sweep_store import SweepStore

LOGS_AND_TRACES = {
    "logs:CreateLogStream": "Lambda writes the function's log",
    "logs:PutLogEvents": "Lambda writes the function's log",
    "xray:PutTraceSegments": "active tracing",
    "xray:PutTelemetryRecords": "active tracing",
}
WHO_USES_AN_IMAGE = {
    "ecs:ListClusters": "AwsUsage: tasks and services",
    "ecs:ListTasks": "AwsUsage: tasks",
    "ecs:DescribeTasks": "AwsUsage: tasks",
    "ecs:ListServices": "AwsUsage: services",
    "ecs:DescribeServices": "AwsUsage: services",
    "ecs:DescribeTaskDefinition": "AwsUsage: services",
    "lambda:ListFunctions": "AwsUsage: Lambda functions",
    "lambda:GetFunction": "AwsUsage: Lambda functions",
    "inspector2:GetClustersForImage": "AwsUsage: clusters",
}
TELLING = {
    "events:PutEvents": "EventBridgePublisher.publish",
    "sqs:SendMessage": "Lambda puts events that failed into the function's dead-letter queue",
}
OTHER_ACCOUNTS = {"sts:AssumeRole": "Accounts.client"}
CONFIGURING = {
    "ecr:DescribeRepositories": "EcrSettings.describe, EcrRepositories.named",
    "ecr:GetLifecyclePolicy": "EcrSettings.lifecycle_policy",
    "ecr:GetRepositoryPolicy": "EcrSettings.repository_policy",
    "ecr:ListTagsForResource": "EcrSettings.resource_tags",
    "ecr:DescribeRegistry": "EcrSettings.replication",
    "ecr:GetRegistryScanningConfiguration": "EcrSettings.scanning",
    "ecr:PutImageTagMutability": "EcrSettings.put: tag_mutability",
    "ecr:PutLifecyclePolicy": "EcrSettings.put: lifecycle",
    "ecr:PutRegistryScanningConfiguration": "EcrSettings.put: scanning",
    "ecr:PutImageScanningConfiguration": "EcrSettings.put: scan_on_push",
    "ecr:PutReplicationConfiguration": "EcrSettings.put: replicate_to",
    "ecr:TagResource": "EcrSettings.put: resource_tags",
    "ecr:SetRepositoryPolicy": "EcrSettings.put: repository_policy",
    "ecr:StartReplicationBackfill": "EcrSettings.start_backfill",
    "iam:CreateServiceLinkedRole": "EcrSettings.put: replicate_to and scanning, the first time",
    "inspector2:Enable": "EcrSettings.put: scanning, for ECR",
    "inspector2:Disable": "EcrSettings.put: scanning, for ECR",
    "inspector2:ListAccountPermissions": "EcrSettings.put: scanning, for ECR",
}
READING_S3 = {
    "s3:GetObject": "SweepStore",
    "s3:ListBucket": "S3 says of an object that is not there that it is not, and not that it may not be read",
}
# What each function's code calls, and what Lambda does in its name.
ACTIONS = {
    "ImageActionFunction": LOGS_AND_TRACES
    | WHO_USES_AN_IMAGE
    | TELLING
    | OTHER_ACCOUNTS
    | {
        "ecr:ListTagsForResource": "EcrRegistry.resource_tags",
        "ecr:BatchGetImage": "EcrRegistry.find_manifest, find_manifest_by_digest",
        "ecr:DescribeImages": "EcrRegistry.tags_of",
        "ecr:PutImage": "EcrRegistry.add_tag",
        "ecr:BatchDeleteImage": "EcrRegistry.remove_tag",
        "dynamodb:PutItem": "DynamoJournal.begin",
        "dynamodb:GetItem": "DynamoJournal.progress",
        "dynamodb:UpdateItem": "DynamoJournal.finish",
        "dynamodb:DeleteItem": "DynamoJournal.cancel",
    },
    "ImageScanFunction": LOGS_AND_TRACES
    | WHO_USES_AN_IMAGE
    | TELLING
    | OTHER_ACCOUNTS
    | {
        "ecr:ListTagsForResource": "EcrRegistry.resource_tags",
        "ecr:BatchGetImage": "EcrStorage.indexes",
        "ecr:DescribeImages": "EcrStorage.images, listed, indexes",
        "ecr:DescribeImageScanFindings": "EcrScans.read",
        "ecr:UpdateImageStorageClass": "EcrStorage.archive",
        "inspector2:ListFindings": "EcrScans.find; DescribeImageScanFindings in its caller's name",
        "inspector2:ListCoverage": "DescribeImageScanFindings in its caller's name",
        "dynamodb:GetItem": "DynamoJournal.find, DynamoScanStates.read",
        "dynamodb:BatchGetItem": "DynamoJournal.progress_of",
        "dynamodb:PutItem": "DynamoJournal.begin, DynamoScanStates.write, settle",
        "dynamodb:UpdateItem": "DynamoJournal.finish",
        "dynamodb:DeleteItem": "DynamoJournal.cancel",
    },
    "RegistryEventFunction": LOGS_AND_TRACES | TELLING,
    "RepositoryCreatedFunction": LOGS_AND_TRACES
    | CONFIGURING
    | OTHER_ACCOUNTS
    | {
        "dynamodb:PutItem": "DynamoJournal.begin, DynamoLocks.acquire",
        "dynamodb:BatchGetItem": "DynamoJournal.progress_of",
        "dynamodb:UpdateItem": "DynamoJournal.finish",
        "dynamodb:DeleteItem": "DynamoJournal.cancel, DynamoLocks.release",
        "events:PutEvents": "EventBridgePublisher.publish",
        "sqs:ReceiveMessage": "Lambda reads the queue",
        "sqs:DeleteMessage": "Lambda reads the queue",
        "sqs:GetQueueAttributes": "Lambda reads the queue",
        "sqs:ChangeMessageVisibility": "SourceQueue.retry_in",
    },
    "NotifyFunction": LOGS_AND_TRACES
    | {
        "sqs:ReceiveMessage": "Lambda reads the queue",
        "sqs:DeleteMessage": "Lambda reads the queue",
        "sqs:GetQueueAttributes": "Lambda reads the queue",
        "sqs:SendMessage": "QueueClock.wake, DeadLetterQueue.put",
        "dynamodb:GetItem": "DynamoChannels.alarm, DynamoOutbox.put, DynamoIdentities.expects",
        "dynamodb:BatchGetItem": "DynamoChannels.thread, DynamoIdentities.found",
        "dynamodb:Query": "DynamoOutbox.waiting",
        "dynamodb:PutItem": "DynamoOutbox.put, DynamoChannels.set_alarm, DynamoIdentities.record",
        "dynamodb:UpdateItem": "DynamoOutbox.told, DynamoChannels.acquire, DynamoIdentities.want",
        "dynamodb:DeleteItem": "DynamoOutbox.told, DynamoChannels.clear_alarm",
        "secretsmanager:GetSecretValue": "SecretsManager.url, text, fields",
        "sns:Publish": "SnsTopic.send, AmazonQ.send",
        "kms:GenerateDataKey": "SnsTopic.send, AmazonQ.send: the topics are encrypted",
        "kms:Decrypt": "SnsTopic.send, AmazonQ.send: the topics are encrypted",
    },
    "SweepPlacesFunction": LOGS_AND_TRACES
    | {
        "organizations:ListAccountsForParent": "accounts_of",
        "organizations:ListOrganizationalUnitsForParent": "accounts_of",
        "s3:PutObject": "SweepStore.put_places",
    },
    "SweepListFunction": LOGS_AND_TRACES
    | OTHER_ACCOUNTS
    | {
        "ecr:DescribeRepositories": "EcrRepositories.pages",
        "tag:GetResources": "EcrRepositories.resource_tags",
        "s3:PutObject": "SweepStore.put_batch, put_batches",
    },
    "SweepBatchFunction": LOGS_AND_TRACES
    | WHO_USES_AN_IMAGE
    | OTHER_ACCOUNTS
    | CONFIGURING
    | READING_S3
    | {
        "ecr:BatchGetImage": "EcrRegistry.find_manifest, EcrStorage.indexes",
        "ecr:DescribeImages": "EcrRepositories.images, EcrStorage.images",
        "ecr:DescribeImageScanFindings": "EcrScans.read",
        "ecr:PutImage": "EcrRegistry.add_tag",
        "ecr:BatchDeleteImage": "EcrRegistry.remove_tag",
        "ecr:UpdateImageStorageClass": "EcrStorage.archive",
        "inspector2:ListFindings": "EcrScans.find; DescribeImageScanFindings in its caller's name",
        "inspector2:ListCoverage": "DescribeImageScanFindings in its caller's name",
        "dynamodb:GetItem": "DynamoJournal.find, progress, DynamoScanStates.read",
        "dynamodb:BatchGetItem": "DynamoJournal.progress_of",
        "dynamodb:PutItem": "DynamoJournal.begin, DynamoLocks.acquire, DynamoScanStates.write",
        "dynamodb:UpdateItem": "DynamoJournal.finish",
        "dynamodb:DeleteItem": "DynamoJournal.cancel, DynamoLocks.release",
        "events:PutEvents": "EventBridgePublisher.publish_all",
        "s3:PutObject": "SweepStore.put_result",
    },
    "SweepFinishFunction": LOGS_AND_TRACES
    | READING_S3
    | {
        "events:PutEvents": "EventBridgePublisher.publish",
        "s3:PutObject": "SweepStore.upload",
    },
}
# The roles that are no function's: the service that takes each, and what it does with it.
OF_SERVICES = {
    "SweepStateMachineRole": (
        "states.amazonaws.com",
        {
            "lambda:InvokeFunction": "the steps",
            "s3:GetObject": "the items of the maps",
            "s3:PutObject": "RecordPlace, RecordBatch",
            "states:StartExecution": "an item of a distributed map is an execution",
            "states:DescribeExecution": "a distributed map follows its items",
            "states:StopExecution": "a distributed map that is given up stops its items",
            "states:RedriveExecution": "a run that is redriven redrives the items of its maps",
            "xray:PutTraceSegments": "tracing",
            "xray:PutTelemetryRecords": "tracing",
            "xray:GetSamplingRules": "tracing",
            "xray:GetSamplingTargets": "tracing",
            "logs:CreateLogDelivery": "logging",
            "logs:GetLogDelivery": "logging",
            "logs:UpdateLogDelivery": "logging",
            "logs:DeleteLogDelivery": "logging",
            "logs:ListLogDeliveries": "logging",
            "logs:PutResourcePolicy": "logging",
            "logs:DescribeResourcePolicies": "logging",
            "logs:DescribeLogGroups": "logging",
        },
    ),
    "SweepScheduleRole": (
        "scheduler.amazonaws.com",
        {"states:StartExecution": "the schedule", "sqs:SendMessage": "its dead-letter queue"},
    ),
}
# Policies that stand beside their roles.
BESIDE = {
    "MembersPolicy": "it is there only where there are other accounts",
    "SweepOrganizationPolicy": "it is there only where an organization is to be asked",
    "SweepMapPolicy": "the state machine needs its role to be made, and this names the state machine",
}
# The statements of roles that are for every resource.
FOR_EVERY_RESOURCE = {
    "WriteTraces": "X-Ray has no resources",
    "ReadInspectorsFindings": "Inspector's lists have no resources",
    "FindWhoUsesAnImage": "whoever uses the image is not known before; lists have no resources",
    "ConfigureRegistry": "a registry's own settings are no resource: its account and Region are the role's",
    "SwitchEnhancedScanning": "Inspector's account settings are no resource",
    "ListResourceTags": "the tagging API has no resources",
    "DeliverLogs": "the delivery of logs has no resources",
    "ListTheOrganizationsAccounts": "units' ARNs have ids that this stack does not know",
}
# Actions that could be scoped, and are not.
COULD_BE_SCOPED = {
    "ecs:ListTasks": "to container instances, and tasks on Fargate run on none",
    "organizations:ListAccountsForParent": "to units by ARNs that are not known here",
    "organizations:ListOrganizationalUnitsForParent": "the same",
}
# The roles that act in each Region of their own account, where there is no role for that.
IN_EVERY_REGION = {"SweepListRole", "SweepBatchRole"}
EVERY_REGIONS_SERVICES = {"ecr", "ecs", "lambda"}
# The statements of roles that are for a certain case of an action only.
CONDITIONS = {
    "LetEcrReplicate": {"StringEquals": {"iam:AWSServiceName": "replication.ecr.amazonaws.com"}},
    "LetInspectorScan": {"StringEquals": {"iam:AWSServiceName": "inspector2.amazonaws.com"}},
}
# Actions that are newer than the data of cfn-lint; AWS's models of its APIs have them.
NEWER_THAN_THE_DATA = {"ecr:StartReplicationBackfill": "its only resource would be the registry"}
# By what of its adapters a function calls ECR.
CALLERS = {
    "ImageActionFunction": (ecr,),
    "ImageScanFunction": (ecr.EcrRegistry.resource_tags, ecr_storage, ecr_scans),
    "RepositoryCreatedFunction": (ecr_settings,),
    "SweepListFunction": (ecr_repositories.EcrRepositories.pages,),
    "SweepBatchFunction": (
        ecr,
        ecr_repositories.EcrRepositories.named,
        ecr_repositories.EcrRepositories.images,
        ecr_settings,
        ecr_storage,
        ecr_scans,
    ),
}
# What each step of the sweep is.
STEPS = {
    "SweepPlacesFunction": sweeping.begin_run,
    "SweepListFunction": sweeping.list_place,
    "SweepBatchFunction": sweeping.sweep_item,
    "SweepFinishFunction": sweeping.finish_run,
}
# Actions that a role allows in more than one statement, each for other resources.
IN_SEVERAL_STATEMENTS = {
    "ImageScanFunction": {"dynamodb:GetItem", "dynamodb:PutItem"},
    "RepositoryCreatedFunction": {"iam:CreateServiceLinkedRole"},
    "SweepBatchFunction": {"dynamodb:GetItem", "dynamodb:PutItem", "iam:CreateServiceLinkedRole"},
    "NotifyFunction": {
        "dynamodb:GetItem",
        "dynamodb:BatchGetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "sqs:SendMessage",
    },
}
# The statements of a queue's, a topic's or a key's own policy; it is about that one alone.
OWN_POLICIES = {
    "OnlyThisStacksRules": "a queue's policy",
    "OnlyOverTls": "a queue's or a topic's policy",
    "OnlyThisAccountsAlarms": "a topic's policy",
    "TheAccountAdministersItsKey": "a key's policy: without it nobody could ever change or delete the key",
    "AlarmsAreEncrypted": "a key's policy",
}
# Allowed actions with a wildcard: in no role, and here only in the key's policy.
WILDCARD_ACTIONS = {
    ("TheAccountAdministersItsKey", "kms:*"): "as AWS's default policy of a key",
    ("AlarmsAreEncrypted", "kms:GenerateDataKey*"): "as CloudWatch's documentation asks for",
}
NOT_OVER_TLS = {"Bool": {"aws:SecureTransport": "false"}}
SERVICES = json.loads(files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text())


def as_list(value):
    return value if isinstance(value, list) else [value]


def statements_of(role):
    """Give the statements of a role's own policies, and of those beside it."""
    beside = [
        policy for policy in of_type("AWS::IAM::Policy").values() if role in map(named, policy["Roles"])
    ]
    return [
        statement
        for policy in [*ROLES[role]["Policies"], *beside]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def operations_of(service):
    return botocore.session.get_session().get_service_model(service).operation_names


def resource_types(action):
    """Give what AWS lets an action be scoped to, from the data that cfn-lint takes from AWS's reference."""
    service, name = action.split(":")
    if action in NEWER_THAN_THE_DATA:
        assert name.lower() not in SERVICES[service]["Actions"]
        assert name in operations_of(service)
        return set()
    return set(SERVICES[service]["Actions"][name.lower()].get("Resources", []))


ROLE_OF = {function: named(properties["Role"]) for function, properties in FUNCTIONS.items()}
ROLE_STATEMENTS = [(role, statement) for role in ROLES for statement in statements_of(role)]
OWN_STATEMENTS = [
    statement
    for resource_type in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
    for policy in of_type(resource_type).values()
    for statement in policy["PolicyDocument"]["Statement"]
] + [statement for key in of_type("AWS::KMS::Key").values() for statement in key["KeyPolicy"]["Statement"]]
IDS = [f"{role}-{statement.get('Sid')}" for role, statement in ROLE_STATEMENTS]


# ---------------------------------------------------------------- roles


def test_every_function_and_every_service_that_acts_has_a_role_of_its_own():
    assert sorted([*ROLE_OF.values(), *OF_SERVICES]) == sorted(ROLES)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_what_its_code_does_and_nothing_else(function):
    allowed = [action for item in statements_of(ROLE_OF[function]) for action in as_list(item["Action"])]
    assert sorted(set(allowed)) == sorted(ACTIONS[function])
    # Making a service-linked role is allowed for each service by itself, an item for each table.
    assert {action for action in allowed if allowed.count(action) > 1} <= IN_SEVERAL_STATEMENTS.get(
        function, set()
    )


@pytest.mark.parametrize("role", OF_SERVICES)
def test_a_service_may_do_what_it_does_here_and_nothing_else(role):
    allowed = [action for item in statements_of(role) for action in as_list(item["Action"])]
    assert sorted(allowed) == sorted(OF_SERVICES[role][1])


def called_by(adapters):
    """Give the operations that adapters call, by themselves or page by page."""
    source = "".join(inspect.getsource(adapter) for adapter in adapters)
    calls = re.findall(r"_client\.(?:get_paginator\(\"(\w+)\"\)|(\w+)\()", source)
    return {paged or once for paged, once in calls}


@pytest.mark.parametrize(("function", "adapters"), CALLERS.items(), ids=CALLERS)
def test_a_function_may_call_of_ecr_just_what_its_adapters_call(function, adapters):
    called = called_by(adapters)
    allowed = {action.removeprefix("ecr:") for action in ACTIONS[function] if action.startswith("ecr:")}
    assert {xform_name(action) for action in allowed} == called


def of_organization():
    """Give what AWS is asked where units are named, page by page."""
    source = inspect.getsource(organization)
    # The third lists the whole organization, without units: the command line's.
    return set(re.findall(r"_listed\(client, \"(\w+)\"", source)) - {"list_accounts"}


def test_of_the_organization_just_its_units_are_listed():
    allowed = {action for action in ACTIONS["SweepPlacesFunction"] if action.startswith("organizations:")}
    assert {xform_name(action.partition(":")[2]) for action in allowed} == of_organization()


def bucket_calls(method):
    """Give the operations that one of the store's methods comes to, by itself or by others of the store."""
    source = inspect.getsource(getattr(SweepStore, method))
    called = set(re.findall(r"self\._client\.(\w+)\(", source))
    for other in set(re.findall(r"self\.(\w+)\(", source)):
        called |= bucket_calls(other)
    return called


# A file is uploaded in one part or in many: the action is the same.
ACTION_OF_CALL = {
    "put_object": "s3:PutObject",
    "upload_file": "s3:PutObject",
    "get_object": "s3:GetObject",
}


def store_methods(step):
    """Give what of the store's methods a step calls, by itself or by other functions beside it."""
    source = inspect.getsource(step)
    called = set(re.findall(r"store\.(\w+)\(", source))
    for other in set(re.findall(r"\b(_[a-z]\w+)\(", source)) - {step.__name__}:
        called |= store_methods(getattr(sweeping, other))
    return called


@pytest.mark.parametrize(("function", "step"), STEPS.items(), ids=STEPS)
def test_a_step_of_the_sweep_may_do_in_the_bucket_just_what_it_does_there(function, step):
    calls = set().union(*map(bucket_calls, store_methods(step)))
    needed = {ACTION_OF_CALL[call] for call in calls}
    # Without it, S3 does not say of an object that it is not there.
    needed |= {"s3:ListBucket"} if "s3:GetObject" in needed else set()
    assert {action for action in ACTIONS[function] if action.startswith("s3:")} == needed


def test_what_sweeps_can_delete_no_repository_and_take_no_setting_away():
    deleting = {action for action in ACTIONS["SweepBatchFunction"] if "Delete" in action or "Untag" in action}
    assert deleting == {"ecr:BatchDeleteImage", "dynamodb:DeleteItem"}


def test_what_lists_writes_and_finishes_can_change_nothing_in_a_registry():
    for function in ("SweepPlacesFunction", "SweepListFunction", "SweepFinishFunction"):
        ecr_actions = {action for action in ACTIONS[function] if action.startswith("ecr:")}
        assert ecr_actions <= {"ecr:DescribeRepositories"}


def test_the_state_machine_invokes_just_the_functions_of_the_sweep():
    statements = {item["Sid"]: item for item in statements_of("SweepStateMachineRole")}
    invoked = [named(arn) for arn in statements["InvokeItsFunctions"]["Resource"]]
    assert sorted(invoked) == sorted(STEPS)
    assert named(statements["RunItsMaps"]["Resource"]) == "SweepStateMachine"


def test_the_state_machine_follows_and_redrives_just_its_own_executions_and_its_maps_items():
    statements = {item["Sid"]: item for item in statements_of("SweepStateMachineRole")}
    own = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${SweepStateMachine.Name}"
    of_maps = {"Fn::Sub": f"{own}/*"}
    assert statements["FollowItsMaps"]["Resource"] == [{"Fn::Sub": f"{own}:*"}, of_maps]
    assert statements["RedriveItsMaps"]["Resource"] == of_maps


def test_the_schedule_starts_just_the_sweep_and_sets_aside_what_it_could_not_start():
    statements = {item["Sid"]: item for item in statements_of("SweepScheduleRole")}
    assert named(statements["StartTheSweep"]["Resource"]) == "SweepStateMachine"
    assert named(statements["SetStartsAside"]["Resource"]) == "SweepScheduleDeadLetterQueue"


def test_what_judges_scans_can_neither_delete_nor_tag_an_image():
    assert not {"ecr:BatchDeleteImage", "ecr:PutImage"} & ACTIONS["ImageScanFunction"].keys()


def test_what_tells_of_the_registry_cannot_touch_it():
    services = {action.partition(":")[0] for action in ACTIONS["RegistryEventFunction"]}
    assert services == {"logs", "xray", "events", "sqs"}


def test_what_is_remembered_of_scans_is_read_and_written_and_no_more():
    statements = {item["Sid"]: item for item in statements_of("ImageScanRole")}
    assert named(statements["RememberScans"]["Resource"]) == "ScanTable"
    assert named(statements["KeepJournal"]["Resource"]) == "JournalTable"
    allowed = {action.removeprefix("dynamodb:") for action in statements["RememberScans"]["Action"]}
    assert {xform_name(action) for action in allowed} == called_by([dynamodb_scans])


def test_what_tells_people_keeps_what_waits_and_what_was_told_and_no_more():
    statements = {item["Sid"]: item for item in statements_of("NotifyRole")}
    outbox, deliveries = statements["KeepWhatWaits"], statements["TellOnce"]
    assert (named(outbox["Resource"]), named(deliveries["Resource"])) == ("OutboxTable", "DeliveryTable")
    # Nothing is deleted of what was told, and no list is made of it.
    assert set(outbox["Action"]) - set(deliveries["Action"]) == {"dynamodb:Query", "dynamodb:DeleteItem"}
    allowed = {xform_name(action.removeprefix("dynamodb:")) for action in outbox["Action"]}
    called = called_by([dynamodb_channels, dynamodb_outbox, dynamodb_identities])
    called |= {"batch_get_item"} if ".batch_get_item(" in inspect.getsource(dynamodb_items) else set()
    assert called == allowed


def test_what_tells_people_sends_to_its_own_queue_and_its_dead_letters_and_publishes_to_both_topics():
    statements = {item["Sid"]: item for item in statements_of("NotifyRole")}
    assert named(statements["WakeItself"]["Resource"]) == "NotifyQueue"
    assert named(statements["SetOutcomesAside"]["Resource"]) == "NotifyDeadLetterQueue"
    topics = [named(topic) for topic in statements["PublishToTopics"]["Resource"]]
    assert topics == ["OutcomeTopic", "ChatTopic"]


@pytest.mark.parametrize("role", ROLES)
def test_no_role_takes_a_policy_that_somebody_else_manages(role):
    assert "ManagedPolicyArns" not in ROLES[role]
    assert not of_type("AWS::IAM::ManagedPolicy")


def test_what_stands_beside_a_role_is_explained_and_nothing_else():
    assert of_type("AWS::IAM::Policy").keys() == BESIDE.keys()
    assert {
        named(role) for item in of_type("AWS::IAM::Policy").values() for role in item["Roles"]
    } <= ROLES.keys()


@pytest.mark.parametrize("role", ROLES)
def test_only_the_service_that_needs_a_role_takes_it_and_a_boundary_can_be_set(role):
    (trust,) = ROLES[role]["AssumeRolePolicyDocument"]["Statement"]
    service, _ = OF_SERVICES.get(role, ("lambda.amazonaws.com", {}))
    # Of Lambda, a role is asked for by the function alone, whose account it is.
    of_account = {"Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}}
    assert trust == {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        **(of_account if role in OF_SERVICES else {}),
    }
    assert ROLES[role]["PermissionsBoundary"]["Fn::If"][:2] == [
        "HasPermissionsBoundary",
        {"Ref": "PermissionsBoundaryArn"},
    ]


@pytest.mark.parametrize("role", ROLES)
def test_every_statement_is_named_once(role):
    sids = [statement["Sid"] for statement in statements_of(role)]
    assert len(sids) == len(set(sids))


@pytest.mark.parametrize(("role", "statement"), ROLE_STATEMENTS, ids=IDS)
def test_a_role_allows_named_actions(role, statement):
    assert role in {*ROLE_OF.values(), *OF_SERVICES}
    assert statement["Effect"] == "Allow"
    assert not {"NotAction", "NotResource", "NotPrincipal"} & statement.keys()
    assert not [action for action in as_list(statement["Action"]) if "*" in action]


@pytest.mark.parametrize(("role", "statement"), ROLE_STATEMENTS, ids=IDS)
def test_a_role_is_for_resources_of_the_stack_or_of_its_account_and_region(role, statement):
    if statement["Sid"] in FOR_EVERY_RESOURCE:
        return
    for resource in as_list(statement["Resource"]):
        match resource:
            case {"Fn::Sub": str(arn)} if arn.startswith("${ReportBucket.Arn}/"):
                # Buckets are of no Region, and their names of no account.
                assert "ReportBucket" in of_type("AWS::S3::Bucket")
            case {"Fn::Sub": str(arn)}:
                check_arn(arn, role)
            case reference:
                named(reference)


def check_arn(arn, role):
    prefix, partition, service, region, account, rest = arn.replace("${AWS::", "${").split(":", 5)
    assert (prefix, partition) == ("arn", "${Partition}")
    if (service, rest) == ("iam", "role/${MemberRoleName}"):
        # Which accounts there are is for their roles to say, by whom they let assume them.
        assert (region, account) == ("", "*")
        return
    assert account == "${AccountId}"
    assert rest != "*"
    if service == "iam":
        assert region == ""
    elif role in IN_EVERY_REGION and service in EVERY_REGIONS_SERVICES:
        assert region == "*"
    else:
        assert region == "${Region}"


def test_what_is_for_every_resource_is_explained_and_nothing_else():
    found = {item["Sid"] for _, item in ROLE_STATEMENTS if "*" in as_list(item["Resource"])}
    assert found == FOR_EVERY_RESOURCE.keys()


def test_what_is_for_every_resource_could_not_be_scoped():
    scopable = {
        action
        for _, item in ROLE_STATEMENTS
        if item["Sid"] in FOR_EVERY_RESOURCE
        for action in as_list(item["Action"])
        if resource_types(action)
    }
    assert scopable == COULD_BE_SCOPED.keys()


def test_what_holds_in_a_certain_case_only_is_explained_and_nothing_else():
    assert {
        item["Sid"]: item["Condition"] for _, item in ROLE_STATEMENTS if "Condition" in item
    } == CONDITIONS


def test_no_service_linked_role_is_made_but_those_of_ecrs_replication_and_inspector():
    found = [
        item for _, item in ROLE_STATEMENTS if [a for a in as_list(item["Action"]) if a.startswith("iam:")]
    ]
    assert {item["Sid"] for item in found} == CONDITIONS.keys()
    for linked in found:
        service = linked["Condition"]["StringEquals"]["iam:AWSServiceName"]
        assert linked["Action"] == "iam:CreateServiceLinkedRole"
        assert linked["Resource"]["Fn::Sub"].endswith(f":role/aws-service-role/{service}/*")


@pytest.mark.parametrize(
    "action", sorted(set().union(*ACTIONS.values(), *(actions for _, actions in OF_SERVICES.values())))
)
def test_every_action_is_one_of_awss(action):
    assert isinstance(resource_types(action), set)


# ---------------------------------------------------------------- other accounts and Regions


def test_what_acts_may_assume_the_members_role_where_there_is_one_and_no_other_role():
    (statement,) = of_type("AWS::IAM::Policy")["MembersPolicy"]["PolicyDocument"]["Statement"]
    assert TEMPLATE.resources["MembersPolicy"]["Condition"] == "HasMembers"
    assert TEMPLATE.document["Conditions"]["HasMembers"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "MemberRoleName"}, ""]}]
    }
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
    assert statement["Resource"] == {"Fn::Sub": "arn:${AWS::Partition}:iam::*:role/${MemberRoleName}"}


def test_just_the_functions_that_act_on_a_registry_may_assume_the_members_role():
    acting = {
        named(properties["Role"])
        for properties in FUNCTIONS.values()
        if "ECR_WARDEN_MEMBER_ROLE_NAME" in properties["Environment"]["Variables"]
    }
    assert {named(role) for role in of_type("AWS::IAM::Policy")["MembersPolicy"]["Roles"]} == acting
    assert acting == {ROLE_OF[function] for function in ACTIONS if "sts:AssumeRole" in ACTIONS[function]}
    assert {"ImageActionRole", "ImageScanRole", "RepositoryCreatedRole"} <= acting


def test_the_organization_is_asked_only_where_units_of_it_are_named_and_by_one_function():
    assert TEMPLATE.resources["SweepOrganizationPolicy"]["Condition"] == "HasOrganizationalUnits"
    assert TEMPLATE.document["Conditions"]["HasOrganizationalUnits"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "SweepOrganizationalUnits"}, ""]}]
    }
    policy = of_type("AWS::IAM::Policy")["SweepOrganizationPolicy"]
    assert [named(role) for role in policy["Roles"]] == ["SweepPlacesRole"]


def sources_from_members():
    """Give what the rules of the default bus are for."""
    rules = [rule for rule in RULES.values() if "EventBusName" not in rule]
    return sorted({source for rule in rules for source in rule["EventPattern"]["source"]})


def test_only_accounts_of_the_organization_may_put_events_on_the_default_bus_and_only_where_one_is_named():
    (policy,) = of_type("AWS::Events::EventBusPolicy").values()
    assert TEMPLATE.resources["MembersEvents"]["Condition"] == "HasOrganization"
    assert TEMPLATE.document["Conditions"]["HasOrganization"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "OrganizationId"}, ""]}]
    }
    bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"
    assert policy["EventBusName"] == "default"
    assert policy["Statement"] == {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "events:PutEvents",
        "Resource": {"Fn::Sub": bus},
        "Condition": {
            "StringEquals": {"aws:PrincipalOrgID": {"Ref": "OrganizationId"}},
            "ForAllValues:StringEquals": {"events:source": sources_from_members()},
        },
    }


# ---------------------------------------------------------------- queues, topics, the key


def test_what_a_resources_own_policy_says_is_explained_and_nothing_else():
    assert {item["Sid"] for item in OWN_STATEMENTS} == OWN_POLICIES.keys()
    assert all(item["Resource"] == "*" for item in OWN_STATEMENTS)


def test_only_the_keys_policy_allows_actions_by_wildcard():
    found = {
        (item["Sid"], action)
        for item in OWN_STATEMENTS
        if item["Effect"] == "Allow"
        for action in as_list(item["Action"])
        if "*" in action
    }
    assert found == WILDCARD_ACTIONS.keys()


def policies_of(resource_type, property_name):
    """Give the statements of each resource's policy, by its logical id; it may have one policy alone."""
    found = {}
    for policy in of_type(resource_type).values():
        for reference in policy[property_name]:
            assert named(reference) not in found
            found[named(reference)] = {item["Sid"]: item for item in policy["PolicyDocument"]["Statement"]}
    return found


QUEUE_POLICIES = policies_of("AWS::SQS::QueuePolicy", "Queues")
TOPIC_POLICIES = policies_of("AWS::SNS::TopicPolicy", "Topics")


@pytest.mark.parametrize("queue", QUEUES)
def test_every_queue_is_used_over_tls_only(queue):
    denied = QUEUE_POLICIES[queue]["OnlyOverTls"]
    assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", "sqs:*")
    assert denied["Condition"] == NOT_OVER_TLS


@pytest.mark.parametrize("queue", QUEUES)
def test_only_the_stacks_rules_may_send_to_a_queue_and_only_where_they_do(queue):
    targets = {named(target["Arn"]) for _, target in TARGETS} & QUEUES.keys()
    dead_letters = {named(target["DeadLetterConfig"]["Arn"]) for _, target in TARGETS}
    allowed = [item for item in QUEUE_POLICIES[queue].values() if item["Effect"] == "Allow"]
    if queue not in targets | dead_letters:
        assert not allowed
        return
    (rules,) = allowed
    assert rules["Principal"] == {"Service": "events.amazonaws.com"}
    assert rules["Action"] == "sqs:SendMessage"
    assert rules["Condition"].keys() == {"ArnEquals"}
    assert {named(arn) for arn in rules["Condition"]["ArnEquals"]["aws:SourceArn"]} == RULES.keys()


def test_the_dead_letter_queues_of_functions_and_queues_take_nothing_from_services():
    # Lambda and the scheduler send by roles of the stack, and SQS moves within the account.
    closed = {queue for queue, statements in QUEUE_POLICIES.items() if statements.keys() == {"OnlyOverTls"}}
    assert closed == {
        "ImageActionDeadLetterQueue",
        "ImageScanDeadLetterQueue",
        "RegistryEventDeadLetterQueue",
        "NotifyDeadLetterQueue",
        "RepositoryCreatedDeadLetterQueue",
        "SweepScheduleDeadLetterQueue",
    }
    assert closed <= DEAD_LETTER_QUEUES


@pytest.mark.parametrize("topic", TOPICS)
def test_only_this_accounts_alarms_may_publish_to_a_topic_and_over_tls_only(topic):
    statements = TOPIC_POLICIES[topic]
    assert statements.keys() == {"OnlyThisAccountsAlarms", "OnlyOverTls"}
    alarms, denied = statements["OnlyThisAccountsAlarms"], statements["OnlyOverTls"]
    assert (alarms["Effect"], alarms["Principal"], alarms["Action"]) == (
        "Allow",
        {"Service": "cloudwatch.amazonaws.com"},
        "sns:Publish",
    )
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", "sns:Publish")
    assert denied["Condition"] == NOT_OVER_TLS
