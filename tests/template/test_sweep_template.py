"""The sweep as the template has it: it starts, ends, rings when it does not, and forgets in time."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import pytest
from built import ALARMS, FUNCTIONS, QUEUES, ROLES, ROOT, SCHEDULES, TEMPLATE, named, of_type
from fakes import FakeMetrics, FakePublisher
from report_world import row
from sweep_bucket import Bucket

from ecr_warden import errors
from ecr_warden.adapters.dynamodb import LOCK_HELD
from ecr_warden.adapters.metrics import CloudWatchMetrics
from ecr_warden.adapters.sweep_store import BatchItem, PlaceItem, read_item
from ecr_warden.adapters.sweeping import Limits, begin_run, finish_run, list_place, sweep_item
from ecr_warden.domain.places import Place
from ecr_warden.domain.settings.current import Repository
from ecr_warden.use_cases.judge_scan import HELD

(MACHINE_NAME,) = of_type("AWS::StepFunctions::StateMachine")
MACHINE = of_type("AWS::StepFunctions::StateMachine")[MACHINE_NAME]
TEXT = "\n".join(MACHINE["DefinitionString"]["Fn::Join"][1])
DEFINITION = json.loads(TEXT)
PARAMETERS = TEMPLATE.document["Parameters"]
# Longer by so much than its function may run: Lambda's own end is then what a state hears of.
LEEWAY = 30


def all_states(machine):
    """Give every state by its name, those within maps too."""
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from all_states(state["ItemProcessor"])


STATES = dict(all_states(DEFINITION))
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
CALLS = {name: state for name, state in TASKS.items() if state["Resource"].endswith(":lambda:invoke")}
WRITES = {name: state for name, state in TASKS.items() if name not in CALLS}
MAPS = {name: state for name, state in STATES.items() if state["Type"] == "Map"}


def function_of(state):
    """Give the function that a state calls."""
    substitution = state["Parameters"]["FunctionName"].strip("${}")
    return named(MACHINE["DefinitionSubstitutions"][substitution])


# ---------------------------------------------------------------- the state machine


def test_no_two_states_share_a_name():
    assert Counter(name for name, _ in all_states(DEFINITION)).most_common(1)[0][1] == 1


def test_every_substitution_is_used_and_none_is_missing():
    # What Step Functions itself fills in has no ${}.
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == MACHINE["DefinitionSubstitutions"].keys()


def test_every_function_of_the_sweep_is_called_once():
    called = Counter(function_of(state) for state in CALLS.values())
    assert called == Counter(name for name in FUNCTIONS if name.startswith("Sweep"))


def longest_tries(one, retriers):
    """Give how long a step's tries after its first may take, where each takes so long."""
    return sum(each["MaxAttempts"] * (one + each.get("MaxDelaySeconds", 1)) for each in retriers)


@pytest.mark.parametrize("state", CALLS.values(), ids=CALLS)
def test_a_state_waits_for_its_function_to_the_end(state):
    assert state["TimeoutSeconds"] == FUNCTIONS[function_of(state)]["Timeout"] + LEEWAY


def test_a_run_that_hangs_ends_by_itself_and_not_before_a_step_was_tried_as_often_as_it_is():
    longest = sum(
        state["TimeoutSeconds"] + longest_tries(state["TimeoutSeconds"], state["Retry"])
        for state in CALLS.values()
    )
    assert longest < DEFINITION["TimeoutSeconds"] <= 86_400


@pytest.mark.parametrize("state", TASKS.values(), ids=TASKS)
def test_every_step_is_tried_again_but_where_a_person_must_act(state):
    hopeless, *_, others = state["Retry"]
    assert hopeless["MaxAttempts"] == 0
    # It stands alone and last, or Step Functions refuses the definition.
    assert others["ErrorEquals"] == ["States.ALL"]
    assert others["MaxAttempts"] == 4
    assert others["JitterStrategy"] == "FULL"


def test_a_worker_whose_time_is_over_goes_on_at_once_and_far_more_often_than_one_that_fails():
    _, unfinished, _ = STATES["Sweep"]["Retry"]
    assert unfinished["ErrorEquals"] == ["UnfinishedError"]
    assert (unfinished["IntervalSeconds"], unfinished["BackoffRate"]) == (1, 1)
    assert unfinished["MaxAttempts"] == 50
    # Nobody else raises it.
    assert all(len(task["Retry"]) == 2 for name, task in TASKS.items() if name != "Sweep")


def test_a_registry_without_repositories_has_no_map_whose_items_are_none():
    assert STATES["List"]["Next"] == "HasBatches"
    assert STATES["List"]["ResultSelector"] == {"batches.$": "$.Payload.batches"}
    assert STATES["List"]["ResultPath"] == "$.listed"
    (none,) = STATES["HasBatches"]["Choices"]
    assert none == {"Variable": "$.listed.batches", "NumericEquals": 0, "Next": "PlaceDone"}
    assert STATES["HasBatches"]["Default"] == "Batches"


@pytest.mark.parametrize(
    "name", sorted({one for task in TASKS.values() for one in task["Retry"][0]["ErrorEquals"]})
)
def test_an_error_that_is_named_is_one_of_ours(name):
    # Lambda's errorType is the name of the class.
    assert issubclass(getattr(errors, name), errors.EcrWardenError)


@pytest.mark.parametrize(
    "error", [errors.AwsError, errors.BusyError, errors.NotReadyError, errors.UnfinishedError]
)
def test_what_another_try_may_mend_is_tried_again(error):
    # Step Functions compares names: a class is not taken for the class that it derives from.
    assert all(error.__name__ not in task["Retry"][0]["ErrorEquals"] for task in TASKS.values())


@pytest.mark.parametrize(
    ("state", "record", "failed"),
    [
        ("List", "RecordPlace", "PlaceFailed"),
        ("Batches", "RecordPlace", "PlaceFailed"),
        ("Sweep", "RecordBatch", "BatchFailed"),
    ],
)
def test_why_an_item_failed_is_written_down_and_then_it_fails(state, record, failed):
    (catcher,) = STATES[state]["Catch"]
    # The item itself stays: it has the key to write to.
    assert catcher == {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": record}
    assert STATES[record]["Next"] == failed
    assert STATES[record]["Parameters"]["Key.$"] == "$.failed"
    assert STATES[record]["Parameters"]["Body.$"] == "$.failure"
    assert STATES[failed]["Type"] == "Fail"


def test_whatever_becomes_of_the_registries_the_run_is_finished():
    (catcher,) = STATES["Places"]["Catch"]
    assert (catcher["ErrorEquals"], catcher["Next"], STATES["Places"]["Next"]) == (
        ["States.ALL"],
        "Finish",
        "Finish",
    )
    # What Finish reads of its input is there either way.
    assert (catcher["ResultPath"], STATES["Places"]["ResultPath"]) == ("$.failure", None)
    assert STATES["Places"]["ToleratedFailurePercentage"] == 100
    # Nothing is told where the report failed: the run itself fails then, and rings.
    assert "Catch" not in STATES["Finish"]


@pytest.mark.parametrize("name", MAPS)
def test_a_map_runs_its_items_as_executions_of_their_own_bounded_by_a_parameter(name):
    state = MAPS[name]
    assert state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    # An express execution ends after five minutes.
    assert state["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] == "STANDARD"
    assert state["MaxConcurrencyPath"] in {"$.places_at_once", "$.batches_at_once"}


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        (
            PlaceItem,
            {
                STATES["Batches"]["MaxConcurrencyPath"],
                STATES["Batches"]["ToleratedFailurePercentagePath"],
                STATES["RecordPlace"]["Parameters"]["Key.$"],
                *re.findall(r"\$\.\w+", STATES["Batches"]["ItemReader"]["Parameters"]["Key.$"]),
            },
        ),
        (BatchItem, {STATES["RecordBatch"]["Parameters"]["Key.$"]}),
    ],
)
def test_what_the_state_machine_reads_of_an_item_the_item_has(kind, paths):
    assert {path.removeprefix("$.") for path in paths} <= kind.__annotations__.keys()


def test_what_many_items_give_is_not_carried_along():
    # A state's output holds 256 KiB.
    for name, done in (("Sweep", "BatchDone"), ("Batches", "PlaceDone")):
        assert STATES[name]["ResultPath"] is None
        assert STATES[name]["Next"] == done
        assert STATES[done] == STATES[done] | {"Type": "Pass", "OutputPath": None, "End": True}
        # What it catches goes on with the item, whose keys say where it is written down.
        assert "OutputPath" not in STATES[name]


def test_the_state_machine_is_traced_and_logs_its_failures_into_a_group_that_forgets():
    assert MACHINE["TracingConfiguration"] == {"Enabled": True}
    assert MACHINE["LoggingConfiguration"]["Level"] == "ERROR"
    (destination,) = MACHINE["LoggingConfiguration"]["Destinations"]
    group = of_type("AWS::Logs::LogGroup")[named(destination["CloudWatchLogsLogGroup"]["LogGroupArn"])]
    assert group["RetentionInDays"] == {"Ref": "LogRetentionInDays"}


# ---------------------------------------------------------------- its schedule


def test_the_schedule_starts_the_state_machine_when_and_where_the_parameters_say():
    (schedule,) = SCHEDULES.values()
    assert schedule["ScheduleExpression"] == {"Ref": "SweepSchedule"}
    assert schedule["State"] == {"Ref": "SweepScheduleState"}
    assert named(schedule["Target"]["Arn"]) == MACHINE_NAME
    assert named(schedule["Target"]["RoleArn"]) == "SweepScheduleRole"
    # The scheduler's own: a window would let the time of the night wander.
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}


def test_a_start_that_fails_is_tried_for_an_hour_and_then_kept():
    (schedule,) = SCHEDULES.values()
    assert schedule["Target"]["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": 3600,
        "MaximumRetryAttempts": 10,
    }
    queue = QUEUES[named(schedule["Target"]["DeadLetterConfig"]["Arn"])]
    assert queue["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize(
    ("parameter", "value", "is_taken"),
    [
        ("SweepSchedule", "rate(1 day)", True),
        ("SweepSchedule", "rate(12 hours)", True),
        ("SweepSchedule", "cron(0 3 ? * MON-FRI *)", True),
        ("SweepSchedule", "rate(0 hours)", False),
        ("SweepSchedule", "every night", False),
        ("SweepSchedule", "at(2026-01-01T00:00:00)", False),
        ("SweepAccounts", "123456789012", True),
        ("SweepAccounts", "123456789012,210987654321", True),
        ("SweepAccounts", "123456789012, 210987654321", False),
        ("SweepAccounts", "12345", False),
        ("SweepOrganizationalUnits", "ou-a1b2-c3d4e5f6", True),
        ("SweepOrganizationalUnits", "r-a1b2,ou-a1b2-c3d4e5f6", True),
        ("SweepOrganizationalUnits", "Production", False),
        ("SweepRegions", "eu-west-1,us-gov-west-1", True),
        ("SweepRegions", "europe", False),
        ("SweepRegions", "eu-west-1,", False),
        ("MemberRoleName", "ecr-warden-member", True),
        ("MemberRoleName", "path/ecr-warden-member", False),
        ("ExternalId", "e2b7:9/x", True),
        ("ExternalId", "x", False),
        ("OrganizationId", "o-a1b2c3d4e5", True),
        ("OrganizationId", "ou-a1b2-c3d4e5f6", False),
    ],
)
def test_a_parameter_of_the_sweep_takes_what_it_says(parameter, value, is_taken):
    assert bool(re.search(PARAMETERS[parameter]["AllowedPattern"], value)) is is_taken


@pytest.mark.parametrize("name", sorted(name for name in PARAMETERS if name.startswith("Sweep")))
def test_every_parameter_of_the_sweep_is_used(name):
    resources = json.dumps([TEMPLATE.resources, TEMPLATE.document["Conditions"]])
    assert json.dumps({"Ref": name}) in resources


# ---------------------------------------------------------------- its bucket

BUCKET = TEMPLATE.resources["ReportBucket"]


def test_what_was_found_is_encrypted_shown_to_nobody_and_owned_by_the_account():
    properties = BUCKET["Properties"]
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert properties["PublicAccessBlockConfiguration"] == dict.fromkeys(
        ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"], True
    )
    # No object has a list of its own of who may read it.
    assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_the_bucket_is_used_over_tls_only_and_its_policy_allows_nobody_anything():
    (policy,) = of_type("AWS::S3::BucketPolicy").values()
    assert named(policy["Bucket"]) == "ReportBucket"
    (denied,) = policy["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", "s3:*")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert denied["Resource"] == [
        {"Fn::GetAtt": ["ReportBucket", "Arn"]},
        {"Fn::Sub": "${ReportBucket.Arn}/*"},
    ]


def test_the_reports_outlive_the_stack_and_so_does_what_guards_them():
    for name in ("ReportBucket", "ReportBucketPolicy"):
        resource = TEMPLATE.resources[name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_runs_are_forgotten_in_time_the_latest_report_is_not_and_broken_uploads_are_gone_in_a_day():
    rules = {rule["Id"]: rule for rule in BUCKET["Properties"]["LifecycleConfiguration"]["Rules"]}
    assert rules["forget-runs"]["Prefix"] == "runs/"
    assert rules["forget-runs"]["ExpirationInDays"] == {"Ref": "SweepRetentionInDays"}
    assert rules["forget-broken-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}
    expiring = [rule for rule in rules.values() if "ExpirationInDays" in rule]
    assert [rule["Prefix"] for rule in expiring] == ["runs/"]


# ---------------------------------------------------------------- who reads and writes what in it


class OneRepository:
    def pages(self):
        yield (Repository("team/app"),)

    def resource_tags(self):
        return {}


class Ports:
    publisher = FakePublisher()
    metrics = FakeMetrics()


def made_run():
    """Let each step do its part of a run; give what each asked of S3, with one batch that has no answer."""
    bucket, here = Bucket(), Place("123456789012", "eu-west-1")
    asked = {}

    def noted(function, answer):
        asked[function] = set(bucket.s3.calls)
        bucket.s3.calls.clear()
        return answer

    event = {"run": "sweep-1", "started_at": "2026-01-01T00:00:00Z"}
    limits = Limits(places_at_once=1, batches_at_once=1, tolerated_failure_percentage=50)
    places = [here, Place("123456789012", "us-east-1")]
    begun = noted("SweepPlacesFunction", begin_run(event, places, limits=limits, store=bucket.store))
    item = read_item(json.loads(bucket.s3.objects[begun["places"]])[0], PlaceItem)
    noted(
        "SweepListFunction",
        list_place(item, repositories=OneRepository(), batch_size=1, store=bucket.store),
    )
    (batch,) = bucket.store.batches(item)
    bucket.s3.calls.clear()
    noted(
        "SweepBatchFunction",
        sweep_item(
            batch, sweep=lambda *_, **__: [row("team/app")], store=bucket.store, is_over=lambda: False
        ),
    )
    bucket.store.put_result(batch, ())
    bucket.s3.calls.clear()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    noted(
        "SweepFinishFunction",
        finish_run(begun, store=bucket.store, ports=Ports(), home=here, now=lambda: now),
    )
    keys = {
        "places": begun["places"],
        "batches": f"{item.folder}/batches.json",
        "failed": {item.failed, batch.failed},
    }
    asked["SweepStateMachine"] = {
        ("GetObject", keys["places"]),
        ("GetObject", keys["batches"]),
        *(("PutObject", key) for key in keys["failed"]),
    }
    return asked


ASKED = made_run()


def allowed_keys(role):
    """Give what a role may do with objects of the bucket, as (operation, pattern of keys)."""
    for policy in ROLES[role]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            actions, resources = statement["Action"], statement["Resource"]
            actions = actions if isinstance(actions, list) else [actions]
            for resource in resources if isinstance(resources, list) else [resources]:
                pattern = resource.get("Fn::Sub", "") if isinstance(resource, dict) else ""
                if pattern.startswith("${ReportBucket.Arn}/"):
                    key = pattern.removeprefix("${ReportBucket.Arn}/")
                    yield from ((action.removeprefix("s3:"), key) for action in actions)


@pytest.mark.parametrize("step", ASKED)
def test_a_step_may_do_with_each_object_what_it_does_and_each_permission_is_used(step):
    role = "SweepStateMachineRole" if step == "SweepStateMachine" else named(FUNCTIONS[step]["Role"])
    allowed = set(allowed_keys(role))

    def allows(one, asked):
        return one[0] == asked[0] and fnmatchcase(asked[1], one[1])

    assert ASKED[step]
    assert not [asked for asked in ASKED[step] if not any(allows(one, asked) for one in allowed)]
    assert not [one for one in allowed if not any(allows(one, asked) for asked in ASKED[step])]


def test_what_reads_and_changes_registries_cannot_write_a_report():
    written = [key for operation, key in allowed_keys("SweepBatchRole") if operation == "PutObject"]
    for key in ("runs/sweep-1/report.html", "runs/sweep-1/summary.json", "latest/report.html"):
        assert not any(fnmatchcase(key, pattern) for pattern in written)


# ---------------------------------------------------------------- its alarms

SWEEP_ALARMS = {name: alarm for name, alarm in ALARMS.items() if name.startswith("Sweep")}


@pytest.mark.parametrize(
    ("alarm", "metric"),
    [
        ("SweepFailedAlarm", "ExecutionsFailed"),
        ("SweepTimedOutAlarm", "ExecutionsTimedOut"),
        ("SweepAbortedAlarm", "ExecutionsAborted"),
    ],
)
def test_a_run_that_does_not_end_well_rings(alarm, metric):
    assert (ALARMS[alarm]["Namespace"], ALARMS[alarm]["MetricName"]) == ("AWS/States", metric)
    (dimension,) = ALARMS[alarm]["Dimensions"]
    assert (dimension["Name"], named(dimension["Value"])) == ("StateMachineArn", MACHINE_NAME)


def test_a_run_that_ends_partial_rings_by_the_metric_that_the_last_function_writes(capsys):
    variables = FUNCTIONS["SweepFinishFunction"]["Environment"]["Variables"]
    alarm = ALARMS["SweepPartialAlarm"]
    CloudWatchMetrics(variables["ECR_WARDEN_METRICS_NAMESPACE"]).count(alarm["MetricName"])
    written = json.loads(capsys.readouterr().out)
    (metric,) = written["_aws"]["CloudWatchMetrics"]
    assert metric["Namespace"] == alarm["Namespace"]
    assert [one["Name"] for one in metric["Metrics"]] == [alarm["MetricName"]]
    (names,) = metric["Dimensions"]
    assert {name: written[name] for name in names} == {
        item["Name"]: item["Value"] for item in alarm["Dimensions"]
    }


@pytest.mark.parametrize("alarm", SWEEP_ALARMS.values(), ids=SWEEP_ALARMS)
def test_an_alarm_of_the_sweep_names_the_page_that_says_what_to_do(alarm):
    (section,) = re.findall(r'docs/runbook\.md, "([^"]+)"', alarm["AlarmDescription"])
    assert re.search(rf"^#+ {re.escape(section)}$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("held", [LOCK_HELD, HELD], ids=["a lock", "a scan's state"])
def test_what_is_held_is_held_longer_than_any_function_may_run(held):
    # Else another would take it over from one that is still at it.
    assert held.total_seconds() > max(function["Timeout"] for function in FUNCTIONS.values())
