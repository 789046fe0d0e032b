"""The adapters of ECR, DynamoDB and the services that run images, on the local AWS."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from fakes import NOW, OUTCOME

from ecr_warden.adapters.amazon_q import AmazonQ
from ecr_warden.adapters.apprise_channel import Apprise
from ecr_warden.adapters.dynamodb import JOURNAL_KEPT, LOCK_HELD, DynamoJournal, DynamoLocks
from ecr_warden.adapters.ecr import EcrRegistry
from ecr_warden.adapters.ecr_settings import EcrSettings
from ecr_warden.adapters.signed_webhook import SignedWebhook
from ecr_warden.adapters.slack_bot import SlackBot
from ecr_warden.adapters.slack_webhook import SlackWebhook
from ecr_warden.adapters.sns import SnsTopic
from ecr_warden.adapters.usage import AwsUsage
from ecr_warden.domain.images import Change, Manifest, RecordedChange
from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Channel, ChannelType
from ecr_warden.domain.settings.plans import Setting
from ecr_warden.errors import AwsError, RefusedError, RepositoryGoneError
from ecr_warden.place_wiring import UsageOfPlace
from ecr_warden.ports import Progress
from ecr_warden.settings import NotifySettings
from ecr_warden.wiring import channels
from ecr_warden_cli.account.journal import FileJournal
from ecr_warden_cli.local.inspector_double import CLUSTERS

ACCOUNT, REGION = "123456789012", "us-east-1"
URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/app"
CHANGE = Change(
    id="change-1",
    account=ACCOUNT,
    region=REGION,
    repository="team/app",
    section="tags",
    before={"image_tag": "latest"},
    after=None,
    event_id="event-1",
    rule=OUTCOME.rule,
    begun_at=NOW,
)


@pytest.fixture
def registry(aws):
    return EcrRegistry(aws.ecr, account=ACCOUNT, region=REGION)


def test_resource_tags_are_read(aws, registry):
    aws.repository("team/tagged", tags=[{"Key": "team", "Value": "a"}])
    assert registry.resource_tags("team/tagged") == {"team": "a"}
    assert registry.resource_tags("team/app") == {}


def test_a_manifest_is_found_by_tag_and_by_digest_to_the_byte(aws, registry):
    digest = aws.push("v1.0.0")
    found = registry.find_manifest("team/app", "v1.0.0")
    assert found == registry.find_manifest_by_digest("team/app", digest)
    assert found.digest == digest
    assert found.media_type == "application/vnd.oci.image.manifest.v1+json"
    assert json.loads(found.body)["config"]["seed"] == "1"
    assert registry.find_manifest("team/app", "v2.0.0") is None


def test_a_tag_is_added_once_and_again_is_well(aws, registry):
    digest = aws.push("v1.0.0")
    manifest = registry.find_manifest("team/app", "v1.0.0")
    registry.add_tag("team/app", manifest, "kept")
    registry.add_tag("team/app", manifest, "kept")
    assert aws.tags(digest) == ["kept", "v1.0.0"]


def test_an_immutable_tag_of_another_image_is_refused(aws, registry):
    aws.repository("team/fixed", imageTagMutability="IMMUTABLE")
    aws.push("kept", repository="team/fixed", seed="1")
    aws.push("v1.0.0", repository="team/fixed", seed="2")
    manifest = registry.find_manifest("team/fixed", "v1.0.0")
    with pytest.raises(RefusedError, match="kept names another image"):
        registry.add_tag("team/fixed", manifest, "kept")


def test_an_image_with_all_the_tags_that_it_can_have_is_refused_one_more(aws, registry):
    digest = aws.push("v1.0.0")
    manifest = registry.find_manifest("team/app", "v1.0.0")
    for number in range(999):
        registry.add_tag("team/app", manifest, f"tag-{number}")
    with pytest.raises(RefusedError, match="as many tags"):
        registry.add_tag("team/app", manifest, "one-more")
    assert len(aws.tags(digest)) == 1000


def test_a_manifest_that_is_not_the_digests_is_an_error_and_not_stored(aws, registry):
    aws.push("v1.0.0")
    wrong = Manifest("sha256:" + "0" * 64, "{}", "application/vnd.oci.image.manifest.v1+json")
    with pytest.raises(AwsError, match="ImageDigestDoesNotMatch"):
        registry.add_tag("team/app", wrong, "kept")
    assert len(aws.ecr.list_images(repositoryName="team/app")["imageIds"]) == 1


def test_removing_a_tag_gives_the_digest_that_it_named(aws, registry):
    digest = aws.push("v1.0.0", "v1.0.1")
    assert registry.remove_tag("team/app", "v1.0.0") == digest
    assert aws.tags(digest) == ["v1.0.1"]
    assert registry.remove_tag("team/app", "v1.0.0") is None


@pytest.mark.parametrize(
    "call",
    [
        lambda registry: registry.resource_tags("team/none"),
        lambda registry: registry.find_manifest("team/none", "v1"),
        lambda registry: registry.remove_tag("team/none", "v1"),
        lambda registry: registry.add_tag("team/none", Manifest("d", "{}", "application/x"), "v1"),
    ],
)
def test_a_repository_that_is_not_there_is_said_to_be_gone(registry, call):
    with pytest.raises(RepositoryGoneError):
        call(registry)


class Answering:
    """An ECR that answers with status 200 and a failure, as it does when an image cannot be given."""

    def batch_get_image(self, **_):
        failure = {"failureCode": "KmsError", "failureReason": "the key is disabled"}
        return {"images": [], "failures": [failure]}

    batch_delete_image = batch_get_image


def test_a_failure_in_an_answer_of_status_200_is_an_error():
    registry = EcrRegistry(Answering(), account=ACCOUNT, region=REGION)
    with pytest.raises(AwsError, match="KmsError: the key is disabled"):
        registry.find_manifest("team/app", "v1")
    with pytest.raises(AwsError, match="KmsError: the key is disabled"):
        registry.remove_tag("team/app", "v1")


@pytest.fixture(params=["DynamoDB", "file"])
def journal(request, aws, tmp_path):
    if request.param == "file":
        found = FileJournal(tmp_path / "journal.sqlite3")
        yield found
        found.close()
    else:
        yield DynamoJournal(aws.client("dynamodb"), aws.stack.physical["JournalTable"])


def test_a_change_is_begun_once_and_closed(journal):
    assert journal.progress("change-1") is Progress.NEW
    assert journal.begin(CHANGE) is Progress.NEW
    assert journal.begin(CHANGE) is Progress.BEGUN
    assert journal.progress_of(["change-1", "none"]) == {"change-1": Progress.BEGUN}
    journal.finish("change-1")
    assert journal.begin(CHANGE) is Progress.DONE
    assert journal.progress("change-1") is Progress.DONE
    assert journal.progress_of(["change-1", "none"]) == {"change-1": Progress.DONE}


def test_how_far_many_changes_are_is_told_of_each(journal):
    known = {f"change-{number}" for number in range(250)}
    for change_id in known - {"change-7"}:
        journal.begin(replace(CHANGE, id=change_id))
    journal.finish("change-249")
    found = journal.progress_of([*sorted(known), "change-1"])
    assert set(found) == known - {"change-7"}
    assert {each for each in found if found[each] is Progress.DONE} == {"change-249"}
    assert journal.progress_of(()) == {}


class Throttled:
    """A DynamoDB that answers for some keys of each call only."""

    def __init__(self, keys_a_call):
        self.calls, self._keys_a_call = [], keys_a_call

    def batch_get_item(self, *, RequestItems):  # noqa: N803  # AWS's own name
        ((table, asked),) = RequestItems.items()
        assert asked["ConsistentRead"]
        assert 1 <= len(asked["Keys"]) <= 100
        self.calls.append(len(asked["Keys"]))
        answered, left = asked["Keys"][: self._keys_a_call], asked["Keys"][self._keys_a_call :]
        return {
            "Responses": {table: [{**key, "status": {"S": "done"}} for key in answered]},
            "UnprocessedKeys": {table: {**asked, "Keys": left}} if left else {},
        }


def test_what_dynamodb_leaves_out_is_asked_for_again_after_a_pause():
    client, pauses = Throttled(60), []
    journal = DynamoJournal(client, "journal", pause=pauses.append)
    ids = [f"change-{number}" for number in range(150)]
    assert journal.progress_of(ids) == dict.fromkeys(ids, Progress.DONE)
    assert client.calls == [100, 40, 50]
    assert len(pauses) == 1
    assert 0 < pauses[0] < 1


def test_what_dynamodb_leaves_out_again_and_again_is_an_error_and_never_taken_for_unknown():
    client, pauses = Throttled(1), []
    with pytest.raises(AwsError, match="for some of them only"):
        DynamoJournal(client, "journal", pause=pauses.append).progress_of([str(n) for n in range(100)])
    assert len(client.calls) == 5
    assert pauses == sorted(set(pauses))
    assert sum(pauses) < 2


def test_no_changes_are_not_asked_for():
    assert DynamoJournal(Throttled(0), "journal").progress_of([]) == {}
    assert DynamoJournal(client := Throttled(100), "journal").progress_of(["a", "a"]) == {"a": Progress.DONE}
    assert client.calls == [1], "DynamoDB refuses a call that names a key twice"


def test_a_change_that_is_begun_again_has_what_was_there_then(aws):
    table = aws.stack.physical["JournalTable"]
    journal = DynamoJournal(aws.client("dynamodb"), table)
    journal.begin(CHANGE)
    assert journal.begin(replace(CHANGE, before={"image_tag": "other"})) is Progress.BEGUN
    (item,) = aws.client("dynamodb").scan(TableName=table)["Items"]
    assert json.loads(item["before"]["S"]) == {"image_tag": "other"}
    journal.finish(CHANGE.id)
    assert journal.begin(CHANGE) is Progress.DONE
    (item,) = aws.client("dynamodb").scan(TableName=table)["Items"]
    assert json.loads(item["before"]["S"]) == {"image_tag": "other"}


def test_a_change_that_was_not_made_is_forgotten_and_one_that_was_is_not(journal):
    journal.cancel("change-1")
    journal.begin(CHANGE)
    journal.cancel("change-1")
    assert journal.progress("change-1") is Progress.NEW
    journal.begin(CHANGE)
    journal.finish("change-1")
    journal.cancel("change-1")
    assert journal.progress("change-1") is Progress.DONE


def test_a_recorded_change_is_read_back_as_it_was(journal):
    assert journal.find("change-1") is None
    change = replace(CHANGE, after={"tags": ["a", 1]}, created_by="arn:aws:iam::123456789012:user/a")
    journal.begin(change)
    assert journal.find("change-1") == RecordedChange(change, is_done=False)
    journal.finish("change-1")
    assert journal.find("change-1") == RecordedChange(change, is_done=True)


def test_a_change_of_before_a_rules_globs_were_recorded_is_read_back_without_them(aws, tmp_path):
    table, dynamodb = aws.stack.physical["JournalTable"], aws.client("dynamodb")
    expected = replace(CHANGE, rule=replace(CHANGE.rule, match=()))
    DynamoJournal(dynamodb, table).begin(CHANGE)
    dynamodb.update_item(TableName=table, Key={"id": {"S": "change-1"}}, UpdateExpression="REMOVE rule_match")
    assert DynamoJournal(dynamodb, table).find("change-1").change == expected
    file = FileJournal(tmp_path / "journal.sqlite3")
    file.begin(CHANGE)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as database, database:
        database.execute("UPDATE change SET entry = json_remove(entry, '$.rule_match')")
    assert file.find("change-1").change == expected
    file.close()


def test_a_lock_is_no_change(aws):
    table, dynamodb = aws.stack.physical["JournalTable"], aws.client("dynamodb")
    DynamoLocks(dynamodb, table, lambda: NOW).acquire("a", "one")
    assert DynamoJournal(dynamodb, table).find("lock a") is None


class NewerEcr:
    def get_registry_scanning_configuration(self):
        rule = {"scanFrequency": "HOURLY", "repositoryFilters": []}
        return {"scanningConfiguration": {"scanType": "BASIC", "rules": [rule]}}


def test_an_answer_that_is_newer_than_this_version_is_refused_and_stops_nothing_else():
    settings = EcrSettings(NewerEcr(), account=ACCOUNT, region=REGION)
    with pytest.raises(RefusedError, match=r"ECR's answer is not understood: .*HOURLY"):
        settings.scanning()


def test_the_registry_refuses_policies_and_tags_as_ecr_does(aws):
    settings = EcrSettings(aws.ecr, account=ACCOUNT, region=REGION)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage", "Resource": "*"}
    with pytest.raises(RefusedError, match="Invalid repository policy"):
        settings.put(Setting.REPOSITORY_POLICY, "team/app", {"Statement": [statement]})
    with pytest.raises(RefusedError, match="InvalidTagParameter"):
        settings.put(Setting.RESOURCE_TAGS, "team/app", {"by": "a\nb"})


@pytest.fixture(params=["DynamoDB", "file"])
def locks(request, aws, tmp_path):
    if request.param == "file":
        found = FileJournal(tmp_path / "journal.sqlite3")
        yield found
        found.close()
    else:
        table = aws.stack.physical["JournalTable"]
        yield DynamoLocks(aws.client("dynamodb"), table, lambda: datetime.now(UTC))


def test_one_holder_at_a_time_has_a_lock(locks):
    assert locks.acquire("a", "one")
    assert locks.acquire("a", "one"), "a try that comes again finds its own"
    assert not locks.acquire("a", "two")
    assert locks.acquire("b", "two")
    locks.release("a", "two")
    assert not locks.acquire("a", "two"), "nobody gives back what another has"
    locks.release("a", "one")
    assert locks.acquire("a", "two")
    locks.release("a", "one")


def test_workers_of_one_change_are_kept_apart_where_they_work_at_the_same_time(aws):
    table = aws.stack.physical["JournalTable"]
    one, two = (
        DynamoLocks(aws.client("dynamodb"), table, lambda: NOW, worker=worker) for worker in ("1", "2")
    )
    assert one.acquire("a", "change")
    assert one.acquire("a", "change")
    assert not two.acquire("a", "change")
    two.release("a", "change")
    assert not two.acquire("a", "change")
    one.release("a", "change")
    assert two.acquire("a", "change")


def test_a_lock_that_a_dead_holder_left_is_taken_over_after_its_time(aws):
    now = NOW
    locks = DynamoLocks(aws.client("dynamodb"), aws.stack.physical["JournalTable"], lambda: now)
    assert locks.acquire("a", "one")
    now = NOW + LOCK_HELD
    assert not locks.acquire("a", "two")
    now += timedelta(seconds=1)
    assert locks.acquire("a", "two")


def test_the_journals_entry_has_all_that_taking_back_needs_and_an_end(aws):
    table = aws.stack.physical["JournalTable"]
    DynamoJournal(aws.client("dynamodb"), table).begin(CHANGE)
    (item,) = aws.client("dynamodb").scan(TableName=table)["Items"]
    assert json.loads(item["before"]["S"]) == {"image_tag": "latest"}
    assert json.loads(item["after"]["S"]) is None
    assert (item["event_id"]["S"], item["rule"]["S"]) == ("event-1", "policy.yaml:7")
    assert int(item["expires_at"]["N"]) == int((NOW + JOURNAL_KEPT).timestamp())
    assert timedelta(days=365) < JOURNAL_KEPT


def test_a_table_that_is_gone_is_an_error_to_try_again(aws):
    journal = DynamoJournal(aws.client("dynamodb"), "none")
    for call in (lambda: journal.begin(CHANGE), lambda: journal.progress("c"), lambda: journal.cancel("c")):
        with pytest.raises(AwsError):
            call()


@pytest.fixture
def who_uses(aws):
    usage = AwsUsage(
        ecs=aws.client("ecs"),
        functions=aws.client("lambda"),
        inspector=aws.client("inspector2"),
        account=ACCOUNT,
        region=REGION,
    )
    return lambda digests=("sha256:ab",), tags=("latest",): usage.who_uses("team/app", digests, tags)


def run_service(aws, image, *, tasks=0):
    ecs = aws.client("ecs")
    ecs.create_cluster(clusterName="prod")
    container = {"name": "web", "image": image, "memory": 128}
    ecs.register_task_definition(family="web", containerDefinitions=[container])
    ecs.create_service(cluster="prod", serviceName="web", taskDefinition="web", desiredCount=1)
    if tasks:
        ecs.run_task(cluster="prod", taskDefinition="web", count=tasks, launchType="FARGATE")


def test_an_image_that_nothing_runs_has_no_user(aws, who_uses):
    run_service(aws, f"{URI}:v1.0.0", tasks=1)
    assert who_uses() == ()


@pytest.mark.parametrize(
    "image",
    [f"{URI}:latest", f"{URI}@sha256:ab", URI, f"{URI}:v1.0.0@sha256:ab", "host:5000/x/team/app:latest"],
)
def test_an_ecs_service_uses_the_image_of_its_task_definition(aws, who_uses, image):
    run_service(aws, image)
    (user,) = who_uses()
    assert user.startswith("ECS service arn:aws:ecs:")
    assert who_uses(["sha256:cd", "sha256:ab"], ["v0", "latest"]) == (user,), "by any of its names, and once"


def test_an_image_without_tags_is_used_by_its_digests_alone(aws, who_uses):
    run_service(aws, f"{URI}@sha256:ab")
    assert len(who_uses(["sha256:index", "sha256:ab"], [])) == 1
    assert who_uses(["sha256:index"], []) == ()


def test_a_reference_without_a_tag_is_none_to_an_image_that_is_not_the_latest(aws, who_uses):
    run_service(aws, URI)
    assert who_uses(["sha256:ab"], ["v1.0.0"]) == ()
    assert len(who_uses(["sha256:ab"], ["v1.0.0", "latest"])) == 1


class RunningTask:
    """An ECS whose one task has pulled a digest, which its definition does not name."""

    def __init__(self, ecs):
        self._ecs = ecs

    def __getattr__(self, name):
        return getattr(self._ecs, name)

    def get_paginator(self, name):
        if name != "list_tasks":
            return self._ecs.get_paginator(name)

        class Tasks:
            def paginate(self, **_):
                return [{"taskArns": [f"task-{number}" for number in range(150)]}]

        return Tasks()

    def describe_tasks(self, *, tasks, **_):
        assert len(tasks) <= 100, "DescribeTasks takes 100 tasks a call"
        digest = "sha256:ab" if "task-120" in tasks else "sha256:cd"
        return {"tasks": [{"taskArn": tasks[0], "containers": [{"image": "x", "imageDigest": digest}]}]}


@pytest.mark.parametrize(
    "image",
    [f"{URI}:v1.0.0", f"{URI}:latest@sha256:cd", f"{URI}2", URI.replace("team/app", "team/app/web"), "app"],
)
def test_a_reference_to_another_image_is_no_use(aws, who_uses, image):
    run_service(aws, image)
    assert who_uses() == ()


def test_a_running_task_uses_the_digest_that_it_pulled(aws):
    aws.client("ecs").create_cluster(clusterName="prod")
    usage = AwsUsage(
        ecs=RunningTask(aws.client("ecs")),
        functions=aws.client("lambda"),
        inspector=aws.client("inspector2"),
        account=ACCOUNT,
        region=REGION,
    )
    assert usage.who_uses("team/app", ["sha256:ab"], []) == ("ECS task task-100",)


def test_a_lambda_function_uses_the_image_of_its_code(aws, who_uses):
    aws.push("latest")
    role = aws.client("iam").create_role(
        RoleName="r", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
    )["Role"]["Arn"]
    create = aws.client("lambda").create_function
    create(FunctionName="image", Role=role, PackageType="Image", Code={"ImageUri": f"{URI}:latest"})
    assert [user.partition(":function:")[2] for user in who_uses()] == ["image:$LATEST"]


def test_a_cluster_that_inspector_knows_uses_the_image(who_uses, monkeypatch):
    arn = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/app/sha256:ab"
    cluster = {"clusterArn": "arn:aws:eks:us-east-1:1:cluster/prod", "clusterDetails": []}
    monkeypatch.setitem(CLUSTERS, arn, [cluster])
    assert who_uses() == ("cluster arn:aws:eks:us-east-1:1:cluster/prod",)
    assert who_uses(["sha256:cd", "sha256:ab"], []) == who_uses(), "each digest is asked for"
    assert who_uses(["sha256:cd"], ["latest"]) == ()


class Denied:
    def get_paginator(self, name):
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, name)


def test_what_could_not_be_found_out_counts_as_in_use():
    usage = AwsUsage(ecs=Denied(), functions=Denied(), inspector=Denied(), account=ACCOUNT, region=REGION)
    users = usage.who_uses("team/app", ["sha256:ab"], ["latest"])
    assert len(users) == 4
    assert all("it could not be found out" in user and "AccessDenied" in user for user in users)
    assert {word for user in users for word in ("ECS", "Lambda", "Inspector") if word in user} == {
        "ECS",
        "Lambda",
        "Inspector",
    }


@pytest.fixture
def calls(monkeypatch):
    """Give the calls of AWS that are made, as they are made."""
    calls, make_call = [], BaseClient._make_api_call  # noqa: SLF001  # the one way that all calls go

    def call(client, operation, arguments):
        calls.append((operation, arguments))
        return make_call(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return calls


def operations(calls):
    return [operation for operation, _ in calls]


def test_a_definition_that_many_services_name_is_read_once_a_search(aws, who_uses, calls):
    run_service(aws, f"{URI}:latest")
    ecs = aws.client("ecs")
    for number in range(14):
        ecs.create_service(cluster="prod", serviceName=f"web-{number}", taskDefinition="web", desiredCount=1)
    ecs.create_cluster(clusterName="dev")
    ecs.create_service(cluster="dev", serviceName="web", taskDefinition="web", desiredCount=1)
    calls.clear()
    assert len(who_uses()) == 16
    assert operations(calls).count("DescribeTaskDefinition") == 1
    assert operations(calls).count("DescribeServices") == 3, "ten a call"
    assert [asked["maxResults"] for name, asked in calls if name == "ListServices"] == [100, 100]
    # A definition's image is another for another search.
    assert who_uses(["sha256:ab"], ["v1.0.0"]) == ()


class Clock:
    """A clock on which each call of AWS takes some seconds."""

    def __init__(self, calls, seconds):
        self._calls, self._seconds = calls, seconds

    def __call__(self):
        return 1000 + len(self._calls) * self._seconds


TOO_LONG = "it could not be found out (looking took longer than 120 seconds)"


def slow_search(aws, calls, seconds):
    usage = AwsUsage(
        ecs=aws.client("ecs"),
        functions=aws.client("lambda"),
        inspector=aws.client("inspector2"),
        account=ACCOUNT,
        region=REGION,
        monotonic=Clock(calls, seconds),
    )
    calls.clear()
    return usage.who_uses("team/app", ["sha256:ab"], ["latest"])


def test_looking_that_takes_too_long_keeps_what_was_found_and_counts_as_in_use(aws, calls):
    run_service(aws, f"{URI}:latest", tasks=2)
    all_users = slow_search(aws, calls, 0)
    assert [user.split(" arn")[0] for user in all_users] == ["ECS task", "ECS task", "ECS service"]
    made = operations(calls)
    for seconds in (16, 20, 30, 50, 121):
        users = slow_search(aws, calls, seconds)
        # Whatever runs when the time is over is the last call.
        assert operations(calls) == made[: 120 // seconds + 1]
        assert users[-1] == TOO_LONG
        assert users.count(TOO_LONG) == 1
        assert users[:-1] == all_users[: len(users) - 1]
    assert slow_search(aws, calls, 30)[:-1] == all_users[:2]
    assert slow_search(aws, calls, 121) == (TOO_LONG,)


def test_looking_that_takes_less_than_two_minutes_tells_all(aws, calls):
    run_service(aws, f"{URI}:latest", tasks=2)
    assert len(slow_search(aws, calls, 13)) == 3
    assert TOO_LONG not in slow_search(aws, calls, 13)


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("channel", "built"),
    [
        (Channel("ops", 1, ChannelType.SNS), SnsTopic),
        (Channel("chat", 1, ChannelType.AMAZON_Q), AmazonQ),
        (Channel("team", 1, ChannelType.SLACK, secret="s"), SlackWebhook),
        (Channel("bot", 1, ChannelType.SLACK, secret="s", conversation="C0123ABCD"), SlackBot),
        (Channel("pager", 1, ChannelType.APPRISE, secret="s"), Apprise),
        (Channel("siem", 1, ChannelType.WEBHOOK, secret="s"), SignedWebhook),
    ],
    ids=lambda value: value.name if isinstance(value, Channel) else "",
)
def test_a_channel_is_built_once_by_its_type(channel, built):
    names = [field.name for field in fields(NotifySettings)]
    get = channels(NotifySettings(**dict.fromkeys(names, "arn:aws:sns:us-east-1:1:t")))
    assert type(get(channel)) is built
    assert get(channel) is get(channel)


@pytest.fixture
def remembering(aws, calls):
    """Give who uses an image, as it was found for five minutes; ``now`` is the clock."""
    now = [1000.0]
    usage = AwsUsage(
        ecs=aws.client("ecs"),
        functions=aws.client("lambda"),
        inspector=aws.client("inspector2"),
        account=ACCOUNT,
        region=REGION,
        remembered=300,
        monotonic=lambda: now[0],
    )
    calls.clear()
    return usage, now


def test_what_runs_is_listed_once_for_many_images_and_asked_of_inspector_for_each(aws, calls, remembering):
    usage, now = remembering
    run_service(aws, f"{URI}:latest", tasks=2)
    calls.clear()
    assert len(usage.who_uses("team/app", ["sha256:ab"], ["latest"])) == 3
    listing = [name for name in operations(calls) if name != "GetClustersForImage"]
    calls.clear()
    now[0] += 299
    assert usage.who_uses("team/other", ["sha256:ab"], ["latest"]) == ()
    assert usage.who_uses("team/app", ["sha256:cd"], ["v1"]) == ()
    assert len(usage.who_uses("team/app", ["sha256:cd"], ["v1", "latest"])) == 3
    assert operations(calls) == ["GetClustersForImage"] * 3
    calls.clear()
    now[0] += 1
    aws.client("ecs").stop_task(
        cluster="prod", task=usage.who_uses("team/app", [], ["latest"])[0].split()[-1]
    )
    assert [name for name in operations(calls) if name != "StopTask"] == listing


def test_who_asks_afresh_is_told_what_runs_now_whatever_is_remembered(aws, remembering):
    usage, _ = remembering
    assert usage.who_uses("team/app", ["sha256:ab"], ["latest"]) == ()
    run_service(aws, f"{URI}:latest", tasks=2)
    assert usage.who_uses("team/app", ["sha256:ab"], ["latest"]) == ()
    assert len(usage.who_uses("team/app", ["sha256:ab"], ["latest"], afresh=True)) == 3
    assert usage.who_uses("team/app", ["sha256:ab"], ["latest"]) == ()


def test_a_sweeps_usage_is_remembered_except_where_it_is_asked_afresh(aws):
    usage = UsageOfPlace(aws.client, Place(ACCOUNT, REGION))
    assert usage.who_uses("team/app", ["sha256:ab"], ["latest"]) == ()
    run_service(aws, f"{URI}:latest", tasks=2)
    assert usage.who_uses("team/app", ["sha256:ab"], ["latest"]) == ()
    assert len(usage.who_uses("team/app", ["sha256:ab"], ["latest"], afresh=True)) == 3


def test_what_could_not_be_found_out_is_remembered_and_counts_as_in_use():
    asked = []

    class Failing(Denied):
        def get_paginator(self, name):
            asked.append(name)
            return super().get_paginator(name)

    usage = AwsUsage(
        ecs=Failing(),
        functions=Failing(),
        inspector=Failing(),
        account=ACCOUNT,
        region=REGION,
        remembered=300,
    )
    first = usage.who_uses("team/app", ["sha256:ab"], ["latest"])
    assert len(first) == 4
    assert usage.who_uses("team/app", ["sha256:ab"], ["latest"]) == first
    assert len(asked) == 4 + 1, "the clusters of each image"


def test_many_that_ask_at_once_wait_for_one_listing(aws, calls, remembering):
    usage, _ = remembering
    run_service(aws, f"{URI}:latest")
    calls.clear()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: usage.who_uses("team/app", [], ["latest"]), range(8)))
    assert len(set(found)) == 1
    assert len(found[0]) == 1
    assert operations(calls).count("DescribeServices") == 1
