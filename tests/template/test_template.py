"""What the template promises: nothing is lost unseen, everything is encrypted, logged and named by AWS."""

import json
import re
import tomllib
from importlib.metadata import version

import pytest
from built import (
    ALARMS,
    DEAD_LETTER_QUEUES,
    FUNCTIONS,
    QUEUES,
    READERS,
    ROOT,
    TABLES,
    TARGETS,
    TEMPLATE,
    TOPICS,
    named,
    of_type,
)
from moto.cloudformation.parsing import get_model_map

from ecr_warden.adapters.configuring import wait_before
from ecr_warden.adapters.dynamodb_channels import LEASE
from ecr_warden.adapters.metrics import CloudWatchMetrics
from ecr_warden.adapters.source_queue import LONGEST_DELAY, LONGEST_WAIT
from ecr_warden.settings import (
    ImageActionSettings,
    ImageScanSettings,
    NotifySettings,
    RegistryEventSettings,
    RepositoryCreatedSettings,
)
from ecr_warden.sweep_settings import (
    SweepBatchSettings,
    SweepFinishSettings,
    SweepListSettings,
    SweepPlacesSettings,
)
from ecr_warden_cli.local.stack import NOT_SIMULATED
from ecr_warden_cli.policy.telling_consistency import DEFAULT_NAME_PREFIX

SECONDS_A_DAY = 86_400
# What SQS lets a reader ask for, and so the most that a channel's Retry-After can come to.
ASYNCHRONOUS = sorted({named(target["Arn"]) for _, target in TARGETS} & FUNCTIONS.keys())
READ_QUEUES = {named(reader["EventSourceArn"]): named(reader["FunctionName"]) for reader in READERS.values()}
# The functions that the sweep's state machine calls.
STEPS = {name for name in FUNCTIONS if name.startswith("Sweep")}
LOG_GROUPS = of_type("AWS::Logs::LogGroup")
FIFO_QUEUES = {name for name, queue in QUEUES.items() if queue.get("FifoQueue")}


# ---------------------------------------------------------------- no event is lost unseen


@pytest.mark.parametrize(
    "target", [target for _, target in TARGETS], ids=[f"{rule}-{target['Id']}" for rule, target in TARGETS]
)
def test_every_rule_target_is_retried_for_a_day_and_then_has_a_dead_letter_queue(target):
    assert named(target["DeadLetterConfig"]["Arn"]) in QUEUES
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": SECONDS_A_DAY, "MaximumRetryAttempts": 185}


@pytest.mark.parametrize("function", ASYNCHRONOUS)
def test_every_function_that_is_invoked_asynchronously_retries_and_then_has_a_dead_letter_queue(function):
    assert named(FUNCTIONS[function]["DeadLetterConfig"]["TargetArn"]) in QUEUES
    (invoke,) = [
        item
        for item in of_type("AWS::Lambda::EventInvokeConfig").values()
        if named(item["FunctionName"]) == function
    ]
    assert (invoke["MaximumRetryAttempts"], invoke["MaximumEventAgeInSeconds"]) == (2, 21_600)


def test_every_function_is_reached_by_a_rule_a_queue_or_the_sweep():
    assert {*ASYNCHRONOUS, *READ_QUEUES.values(), *STEPS} == FUNCTIONS.keys()


def test_every_queue_is_read_by_a_function_or_holds_dead_letters():
    assert READ_QUEUES.keys() | DEAD_LETTER_QUEUES == QUEUES.keys()
    assert not READ_QUEUES.keys() & DEAD_LETTER_QUEUES


@pytest.mark.parametrize(("queue", "function"), READ_QUEUES.items())
def test_a_queue_hides_a_message_for_six_times_as_long_as_its_function_may_run(queue, function):
    assert QUEUES[queue]["VisibilityTimeout"] >= 6 * FUNCTIONS[function]["Timeout"]


@pytest.mark.parametrize("queue", READ_QUEUES)
def test_a_message_that_fails_reaches_the_dead_letters_before_its_queue_forgets_it(queue):
    redrive = QUEUES[queue]["RedrivePolicy"]
    assert named(redrive["deadLetterTargetArn"]) in QUEUES
    assert QUEUES[queue]["MessageRetentionPeriod"] > redrive["maxReceiveCount"] * LONGEST_WAIT


# ---------------------------------------------------------------- new repositories come one after the other


def tries_of(queue):
    """Give how many times a message of a queue has been received, at each of its tries."""
    return range(1, QUEUES[queue]["RedrivePolicy"]["maxReceiveCount"] + 1)


def test_the_queue_of_new_repositories_and_its_dead_letters_keep_their_order_and_no_other_queue_does():
    assert sorted(FIFO_QUEUES) == ["RepositoryCreatedDeadLetterQueue", "RepositoryCreatedQueue"]


@pytest.mark.parametrize("queue", READ_QUEUES)
def test_a_queues_dead_letters_are_in_a_queue_of_its_own_kind(queue):
    # SQS takes no other.
    dead_letters = named(QUEUES[queue]["RedrivePolicy"]["deadLetterTargetArn"])
    assert (dead_letters in FIFO_QUEUES) is (queue in FIFO_QUEUES)


@pytest.mark.parametrize("queue", sorted(FIFO_QUEUES & {named(target["Arn"]) for _, target in TARGETS}))
def test_a_fifo_queue_that_a_rule_sends_to_tells_duplicates_by_their_content(queue):
    # EventBridge takes no other, as it gives a message no deduplication id.
    assert QUEUES[queue]["ContentBasedDeduplication"] is True


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_lambda_itself_sends_dead_letters_to_no_fifo_queue(function):
    # It takes none.
    if "DeadLetterConfig" in function:
        assert named(function["DeadLetterConfig"]["TargetArn"]) not in FIFO_QUEUES


def test_a_new_repository_is_left_alone_for_as_long_as_the_parameter_says_and_nothing_else_waits():
    delays = {name: queue["DelaySeconds"] for name, queue in QUEUES.items() if "DelaySeconds" in queue}
    assert delays == {"RepositoryCreatedQueue": {"Ref": "NewRepositoryDelaySeconds"}}
    parameter = PARAMETERS["NewRepositoryDelaySeconds"]
    # No more than SQS takes.
    assert (parameter["Default"], parameter["MinValue"], parameter["MaxValue"]) == (60, 0, 900)


def test_a_new_repository_is_tried_five_times():
    assert QUEUES["RepositoryCreatedQueue"]["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["RepositoryCreatedDeadLetterQueue", "Arn"]},
        "maxReceiveCount": 5,
    }


def test_a_repository_that_fails_holds_up_those_behind_it_for_less_than_three_minutes():
    # All are of one group. After the last try, too, SQS first waits, and then moves it to the dead letters.
    waits = [wait_before(receive_count) for receive_count in tries_of("RepositoryCreatedQueue")]
    assert waits[0] > 0
    assert waits == sorted(waits)
    assert sum(waits) < 3 * 60


def test_new_repositories_come_in_batches_that_a_fifo_queue_gives():
    (reader,) = [item for item in READERS.values() if named(item["EventSourceArn"]) in FIFO_QUEUES]
    assert named(reader["FunctionName"]) == "RepositoryCreatedFunction"
    # It gives ten at most, and waits for no more to come.
    assert 1 <= reader["BatchSize"] <= 10
    assert "MaximumBatchingWindowInSeconds" not in reader


def test_no_other_reader_gets_a_repository_that_is_still_being_configured():
    # Lambda ends a run at the function's timeout; only then does its batch come again, and with it the group.
    queue = QUEUES["RepositoryCreatedQueue"]
    assert queue["VisibilityTimeout"] == 6 * FUNCTIONS["RepositoryCreatedFunction"]["Timeout"]


# ---------------------------------------------------------------- batches and dead letters


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_one_message_that_fails_does_not_bring_back_its_whole_batch(reader):
    assert reader["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_run_that_died_has_lost_its_lease_when_the_message_comes_again():
    # Nor does another run take the lease of one that is still running.
    assert (
        FUNCTIONS["NotifyFunction"]["Timeout"]
        < LEASE.total_seconds()
        < QUEUES["NotifyQueue"]["VisibilityTimeout"]
    )


def test_a_message_of_the_queue_that_fails_is_tried_for_an_hour():
    queue = QUEUES["NotifyQueue"]
    tries = queue["RedrivePolicy"]["maxReceiveCount"]
    assert 3600 <= tries * queue["VisibilityTimeout"] <= 2 * 3600


@pytest.mark.parametrize("queue", sorted(DEAD_LETTER_QUEUES))
def test_dead_letters_can_be_read_for_fourteen_days(queue):
    assert QUEUES[queue]["MessageRetentionPeriod"] == 14 * SECONDS_A_DAY


# ---------------------------------------------------------------- alarms


def alarms_on(metric):
    """Give the namespace and the resources that alarms on a metric watch, with the number of alarms."""
    found = [alarm for alarm in ALARMS.values() if alarm["MetricName"] == metric]
    dimensions = [dimension for alarm in found for dimension in alarm["Dimensions"]]
    assert len(dimensions) == len(found)
    return (
        {alarm["Namespace"] for alarm in found},
        {dimension["Name"] for dimension in dimensions},
        sorted(named(dimension["Value"]) for dimension in dimensions),
    )


def test_every_function_has_an_alarm_on_its_errors():
    assert alarms_on("Errors") == ({"AWS/Lambda"}, {"FunctionName"}, sorted(FUNCTIONS))


def test_every_dead_letter_queue_has_an_alarm_on_its_messages():
    assert alarms_on("ApproximateNumberOfMessagesVisible") == (
        {"AWS/SQS"},
        {"QueueName"},
        sorted(DEAD_LETTER_QUEUES),
    )


def test_every_queue_that_a_function_reads_has_an_alarm_on_its_delay():
    assert alarms_on("ApproximateAgeOfOldestMessage") == ({"AWS/SQS"}, {"QueueName"}, sorted(READ_QUEUES))


# SQS leaves a message out of the metric once it has been received three times: so many seconds after the
# first time. By that, an alarm on delay rings for messages that fail, or only for those that nobody reads.
THIRD_RECEIPT = {
    # A wake-up is held back first; one that fails comes back when the queue's visibility timeout is over.
    "NotifyQueue": LONGEST_DELAY + 2 * QUEUES["NotifyQueue"]["VisibilityTimeout"],
    "RepositoryCreatedQueue": wait_before(1) + wait_before(2),
}
RINGS_FOR = {
    "NotifyQueue": "messages that are not read",
    "RepositoryCreatedQueue": "messages that are not read",
}
DELAY_ALARMS = {
    named(alarm["Dimensions"][0]["Value"]): alarm
    for alarm in ALARMS.values()
    if alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
}


def test_it_is_known_for_which_messages_every_alarm_on_delay_rings():
    assert THIRD_RECEIPT.keys() == RINGS_FOR.keys() == DELAY_ALARMS.keys()


@pytest.mark.parametrize("queue", RINGS_FOR)
def test_an_alarm_on_delay_rings_while_sqs_still_counts_the_messages_that_it_is_for(queue):
    alarm = DELAY_ALARMS[queue]
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    counts_failing = alarm["Threshold"] < THIRD_RECEIPT[queue]
    assert counts_failing is (RINGS_FOR[queue] == "messages that fail, too")


def test_a_wake_up_that_is_held_back_rings_no_alarm_whether_sqs_counts_its_age_or_not():
    assert DELAY_ALARMS["NotifyQueue"]["Threshold"] > LONGEST_DELAY


def test_a_channel_that_is_behind_rings_by_the_metric_that_the_function_writes(capsys):
    function = FUNCTIONS["NotifyFunction"]["Environment"]["Variables"]
    alarm = ALARMS["NotifyOverdueAlarm"]
    CloudWatchMetrics(function["ECR_WARDEN_METRICS_NAMESPACE"]).seconds(alarm["MetricName"], 901.0)
    written = json.loads(capsys.readouterr().out)
    (metric,) = written["_aws"]["CloudWatchMetrics"]
    assert metric["Namespace"] == alarm["Namespace"]
    assert metric["Metrics"] == [{"Name": alarm["MetricName"], "Unit": "Seconds"}]
    # An alarm sees the metric of just these dimensions, and no other.
    (names,) = metric["Dimensions"]
    assert {name: written[name] for name in names} == {
        item["Name"]: item["Value"] for item in alarm["Dimensions"]
    }
    assert written[alarm["MetricName"]] == [901.0]
    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Maximum", "GreaterThanThreshold")


def test_an_alarm_for_a_channel_that_is_behind_goes_on_ringing_between_two_looks_at_it():
    # Nothing is written while nobody looks: not within a period, but within all that are judged.
    alarm = ALARMS["NotifyOverdueAlarm"]
    assert alarm["DatapointsToAlarm"] == 1
    assert alarm["TreatMissingData"] == "notBreaching"
    assert (alarm["EvaluationPeriods"] - 1) * alarm["Period"] >= LONGEST_DELAY


def test_a_repository_that_fails_is_a_dead_letter_before_the_alarm_on_delay_could_ring_for_it():
    # Even after the longest delay; what fails rings by the dead letters, and what waits behind it by its age.
    longest = PARAMETERS["NewRepositoryDelaySeconds"]["MaxValue"]
    waits = sum(wait_before(receive_count) for receive_count in tries_of("RepositoryCreatedQueue"))
    assert longest + waits < DELAY_ALARMS["RepositoryCreatedQueue"]["Threshold"]


@pytest.mark.parametrize("alarm", ALARMS.values(), ids=ALARMS)
def test_every_alarm_rings_at_the_alarm_topic(alarm):
    assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert alarm.get("ActionsEnabled", True)


# Alarms for which one bad datapoint is not enough, with how many in a row are.
PATIENT_ALARMS = {"ImageScanErrorsAlarm": 3} | {
    f"{name.removesuffix('Function')}ErrorsAlarm": 3 for name in STEPS
}
# Alarms that look at more periods than that, as there is not a datapoint in each.
PERIODS_LOOKED_AT = {"NotifyOverdueAlarm": 2}
MEASURED_IN_SECONDS = {"ApproximateAgeOfOldestMessage", "OverdueSeconds"}


@pytest.mark.parametrize("name", ALARMS)
def test_one_bad_datapoint_rings_or_as_many_as_are_explained_and_silence_does_not(name):
    alarm, patience = ALARMS[name], PATIENT_ALARMS.get(name, 1)
    periods = PERIODS_LOOKED_AT.get(name, patience)
    assert (alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (periods, "notBreaching")
    assert alarm.get("DatapointsToAlarm", 1) == patience
    if alarm["MetricName"] not in MEASURED_IN_SECONDS:
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")


# How long after the first time Lambda tries an event again that made a function fail at once.
LAMBDAS_TRIES = (0, 60, 180)


def test_findings_that_come_late_do_not_ring_and_a_scan_that_is_never_judged_does():
    errors, letters = ALARMS["ImageScanErrorsAlarm"], ALARMS["ImageScanDeadLetterAlarm"]
    period = errors["Period"]
    # Whenever the first try is, the tries of one event are in fewer periods than the alarm waits for.
    periods = [{(first + after) // period for after in LAMBDAS_TRIES} for first in range(period)]
    assert max(map(len, periods)) < errors["EvaluationPeriods"]
    assert letters["EvaluationPeriods"] == 1


# ---------------------------------------------------------------- encryption and state


@pytest.mark.parametrize("queue", QUEUES)
def test_every_queue_is_encrypted_at_rest(queue):
    assert QUEUES[queue]["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_is_encrypted_at_rest_by_a_key_that_alarms_may_use(topic):
    # CloudWatch cannot use the key that AWS manages for SNS.
    key = of_type("AWS::KMS::Key")[named(TOPICS[topic]["KmsMasterKeyId"])]
    assert key["EnableKeyRotation"] is True
    (alarms,) = [
        item
        for item in key["KeyPolicy"]["Statement"]
        if item["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    ]
    assert alarms["Action"] == ["kms:GenerateDataKey*", "kms:Decrypt"]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_encrypted_at_rest_and_forgets_in_time(table):
    assert TABLES[table]["SSESpecification"] == {"SSEEnabled": True}
    assert TABLES[table]["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_the_journal_outlives_the_stack_and_can_be_restored_to_any_second():
    journal = TEMPLATE.resources["JournalTable"]
    assert (journal["DeletionPolicy"], journal["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert journal["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_journal_finds_the_changes_of_a_repository_a_run_and_a_day_by_keys_alone_newest_first():
    journal = TEMPLATE.resources["JournalTable"]["Properties"]
    found = {index["IndexName"]: index for index in journal["GlobalSecondaryIndexes"]}
    by = {"ByRepository": "repository", "ByRun": "run", "ByDay": "day"}
    assert set(found) == set(by)
    for name, index in found.items():
        assert index["KeySchema"] == [
            {"AttributeName": by[name], "KeyType": "HASH"},
            {"AttributeName": "begun_at", "KeyType": "RANGE"},
        ]
        # What else an entry has, the manifest of an image too, is written once.
        assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


def test_what_waits_to_be_told_goes_with_the_stack_and_can_be_restored_from_the_backup_that_is_kept():
    outbox = TEMPLATE.resources["OutboxTable"]
    assert (outbox["DeletionPolicy"], outbox["UpdateReplacePolicy"]) == ("Delete", "Delete")
    # With it DynamoDB keeps a backup of a deleted table by itself.
    assert outbox["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert outbox["Properties"]["KeySchema"] == [
        {"AttributeName": "channel", "KeyType": "HASH"},
        {"AttributeName": "item", "KeyType": "RANGE"},
    ]
    assert outbox["Properties"]["BillingMode"] == "PAY_PER_REQUEST"


def test_what_is_remembered_of_scans_goes_with_the_stack_and_can_be_restored_until_then():
    scans = TEMPLATE.resources["ScanTable"]
    assert (scans["DeletionPolicy"], scans["UpdateReplacePolicy"]) == ("Delete", "Delete")
    assert scans["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert scans["Properties"]["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]


KEPT = {"JournalTable", "ReportBucket"}
STATEFUL = {
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::Logs::LogGroup",
    "AWS::KMS::Key",
}


@pytest.mark.parametrize(
    "name", [name for name, item in TEMPLATE.resources.items() if item["Type"] in STATEFUL]
)
def test_it_is_written_down_what_becomes_of_whatever_holds_state(name):
    resource = TEMPLATE.resources[name]
    kept = "Retain" if name in KEPT else "Delete"
    assert (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")) == (kept, kept)


# ---------------------------------------------------------------- functions


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_function_logs_json_into_a_group_of_its_own_that_forgets(function):
    logging = function["LoggingConfig"]
    assert logging["LogFormat"] == "JSON"
    assert LOG_GROUPS[named(logging["LogGroup"])]["RetentionInDays"] == {"Ref": "LogRetentionInDays"}


def test_every_log_group_is_one_functions_own():
    groups = [named(function["LoggingConfig"]["LogGroup"]) for function in FUNCTIONS.values()]
    assert sorted([*groups, "SweepStateMachineLogGroup"]) == sorted(LOG_GROUPS)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_function_is_traced(function):
    assert function["TracingConfig"] == {"Mode": "Active"}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_function_has_the_code_the_dependencies_and_the_policy_as_layers(function):
    layers = {TEMPLATE.resources[named(layer)]["Properties"]["LayerName"] for layer in function["Layers"]}
    assert layers == {"EcrWardenLayer", "DependenciesLayer", "PolicyLayer"}


class ReadEnvironment(dict):
    """An environment that notes what is read of it."""

    def __init__(self, variables):
        super().__init__({name: json.dumps(value) for name, value in variables.items()})
        self.names_read = set()

    def get(self, name, default=None):
        self.names_read.add(name)
        return super().get(name, default)


SET_BY_LAMBDA = {"AWS_REGION": "eu-west-1"}
SETTINGS = {
    "ImageActionFunction": ImageActionSettings,
    "ImageScanFunction": ImageScanSettings,
    "RegistryEventFunction": RegistryEventSettings,
    "NotifyFunction": NotifySettings,
    "RepositoryCreatedFunction": RepositoryCreatedSettings,
    "SweepPlacesFunction": SweepPlacesSettings,
    "SweepListFunction": SweepListSettings,
    "SweepBatchFunction": SweepBatchSettings,
    "SweepFinishFunction": SweepFinishSettings,
}


def test_every_functions_settings_are_known_here():
    assert SETTINGS.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize(("function", "queue"), [(READ_QUEUES[queue], queue) for queue in READ_QUEUES])
def test_a_function_that_reads_a_queue_knows_that_queue(function, queue):
    variables = FUNCTIONS[function]["Environment"]["Variables"]
    known = {named(value) for name, value in variables.items() if name.endswith("_QUEUE_URL")}
    # One of them sends to its dead letters by itself.
    dead_letters = {"NotifyDeadLetterQueue"} if function == "NotifyFunction" else set()
    assert known == {queue} | dead_letters


def test_what_tells_people_knows_its_own_dead_letters_its_topics_and_where_it_logs():
    variables = FUNCTIONS["NotifyFunction"]["Environment"]["Variables"]
    own = named(QUEUES["NotifyQueue"]["RedrivePolicy"]["deadLetterTargetArn"])
    assert named(variables["ECR_WARDEN_NOTIFY_DEAD_LETTER_QUEUE_URL"]) == own
    assert named(variables["ECR_WARDEN_CHAT_TOPIC_ARN"]) == "ChatTopic"
    assert named(variables["ECR_WARDEN_TOPIC_ARN"]) == "OutcomeTopic"
    logging = FUNCTIONS["NotifyFunction"]["LoggingConfig"]
    assert variables["ECR_WARDEN_LOG_GROUP_NAME"] == logging["LogGroup"]


def test_what_is_for_chat_reaches_no_mailbox():
    subscribed = [named(item["TopicArn"]) for item in of_type("AWS::SNS::Subscription").values()]
    assert sorted(subscribed) == ["AlarmTopic", "OutcomeTopic"]
    assert TEMPLATE.document["Outputs"]["ChatTopicArn"]["Value"] == {"Ref": "ChatTopic"}


@pytest.mark.parametrize(("function", "settings"), SETTINGS.items())
def test_a_function_has_every_variable_that_its_settings_need_and_none_that_nothing_reads(function, settings):
    environment = ReadEnvironment(FUNCTIONS[function]["Environment"]["Variables"] | SET_BY_LAMBDA)
    settings.read(environment)
    assert environment.names_read | SET_BY_LAMBDA.keys() == environment.keys()


# ---------------------------------------------------------------- names

# By type, the property that would fix a resource's name: two stacks could then not stand in one account.
NAME_PROPERTIES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::SQS::Queue": "QueueName",
}
HAVE_NO_NAME = {
    "AWS::S3::BucketPolicy",
    "AWS::Events::EventBusPolicy",
    "AWS::IAM::Policy",
    "AWS::KMS::Key",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Permission",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}
HAVE_A_NAME = {
    "AWS::Events::EventBus": "CloudFormation gives a bus none: the stack's own name keeps two apart",
    "AWS::Lambda::LayerVersion": "SAM gives it; versions of two stacks stand side by side under one name",
}


def test_cloudformation_names_every_resource_but_those_that_it_does_not_name():
    has_a_name = set()
    for resource in TEMPLATE.resources.values():
        if (
            resource["Type"] not in HAVE_NO_NAME
            and NAME_PROPERTIES[resource["Type"]] in resource["Properties"]
        ):
            has_a_name.add(resource["Type"])
    assert has_a_name == HAVE_A_NAME.keys()


def test_the_buss_name_has_the_stacks():
    assert of_type("AWS::Events::EventBus")["OutcomeBus"]["Name"] == {"Fn::Sub": "${AWS::StackName}-outcomes"}


# ---------------------------------------------------------------- parameters and outputs

PARAMETERS = TEMPLATE.document["Parameters"]
OUTPUTS = TEMPLATE.document["Outputs"]
METADATA = TEMPLATE.document["Metadata"]


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=PARAMETERS)
def test_every_parameter_says_what_it_is_for_and_what_it_takes(parameter):
    assert parameter["Description"]
    assert {"AllowedPattern", "AllowedValues"} & parameter.keys() or {
        "MinValue",
        "MaxValue",
    } <= parameter.keys()
    if "MinValue" in parameter:
        assert parameter["Type"] == "Number"
        assert f"{parameter['MinValue']} to {parameter['MaxValue']}." in parameter["Description"]


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=PARAMETERS)
def test_every_parameter_has_a_default_that_it_takes(parameter):
    if "AllowedValues" in parameter:
        assert parameter["Default"] in parameter["AllowedValues"]
    elif "MinValue" in parameter:
        assert parameter["MinValue"] <= parameter["Default"] <= parameter["MaxValue"]
    else:
        assert re.search(parameter["AllowedPattern"], parameter["Default"])
        assert parameter["ConstraintDescription"]


@pytest.mark.parametrize(
    ("parameter", "value", "is_taken"),
    [
        ("NotificationEmail", "registry@example.com", True),
        ("NotificationEmail", "registry", False),
        ("NotificationEmail", "registry @example.com", False),
        ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:policy/boundary", True),
        ("PermissionsBoundaryArn", "arn:aws-us-gov:iam::aws:policy/PowerUserAccess", True),
        ("PermissionsBoundaryArn", "boundary", False),
        ("SecretNamePrefix", "team/ecr-warden/", True),
        ("SecretNamePrefix", "", False),
        ("SecretNamePrefix", "*", False),
    ],
)
def test_a_parameter_takes_what_it_says(parameter, value, is_taken):
    assert bool(re.search(PARAMETERS[parameter]["AllowedPattern"], value)) is is_taken


def test_every_parameter_is_in_one_group_of_the_console():
    groups = METADATA["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_every_output_says_what_it_is(output):
    assert output["Description"]


# ---------------------------------------------------------------- the Serverless Application Repository

APPLICATION = METADATA["AWS::ServerlessRepo::Application"]


def test_the_application_is_described_as_the_repository_demands():
    assert re.fullmatch(r"[A-Za-z0-9-]{1,140}", APPLICATION["Name"])
    assert 1 <= len(APPLICATION["Description"]) <= 256
    assert 1 <= len(APPLICATION["Author"]) <= 127
    assert APPLICATION["SpdxLicenseId"] == "Apache-2.0"
    assert 1 <= len(APPLICATION["Labels"]) <= 10
    assert all(re.fullmatch(r"[A-Za-z0-9+\-_:/@]{1,127}", label) for label in APPLICATION["Labels"])


@pytest.mark.parametrize("name", ["LicenseUrl", "ReadmeUrl"])
def test_the_applications_files_are_there(name):
    assert (ROOT / APPLICATION[name]).is_file()


def test_the_application_has_the_packages_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert APPLICATION["SemanticVersion"] == project["version"] == version("ecr-warden")


@pytest.mark.parametrize("name", TEMPLATE.resources)
def test_no_resource_depends_on_an_account_a_region_or_a_partition(name):
    # What SAM fills in itself, such as an ARN of a service, would show here too.
    text = json.dumps(TEMPLATE.resources[name])
    assert not re.search(
        r"arn:aws|\b[0-9]{12}\b|\b(?:af|ap|ca|cn|eu|il|me|mx|sa|us)(?:-[a-z]+)+-[0-9]\b", text
    )


# ---------------------------------------------------------------- the local AWS


def test_what_the_local_aws_leaves_out_is_in_the_template():
    assert NOT_SIMULATED.keys() <= {resource["Type"] for resource in TEMPLATE.resources.values()}


def test_the_local_aws_has_all_the_rest():
    types = {resource["Type"] for resource in TEMPLATE.resources.values()}
    assert types - NOT_SIMULATED.keys() <= get_model_map().keys()


def test_check_knows_which_secrets_the_stack_reads_by_default():
    assert TEMPLATE.document["Parameters"]["SecretNamePrefix"]["Default"] == DEFAULT_NAME_PREFIX
