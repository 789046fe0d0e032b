"""The redrive command against the local AWS: what is shown, what is sent back, what stays."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from click.testing import CliRunner
from fakes import OUTCOME

from ecr_warden.adapters.dead_letters import DeadLetterQueue
from ecr_warden.adapters.dynamodb_outbox import DynamoOutbox
from ecr_warden.domain.channel_state import ChannelState
from ecr_warden.domain.waiting import Waiting
from ecr_warden_cli.account import redrive as redriving
from ecr_warden_cli.account.redrive import RedriveAccount
from ecr_warden_cli.account.stack import find_stack
from ecr_warden_cli.main import main

WAKE = json.dumps({"wake": "secops"})


class Queues:
    """The queue that NotifyFunction reads, and its dead letters."""

    def __init__(self, aws):
        self.sqs = aws.client("sqs")
        self.main = aws.stack.physical["NotifyQueue"]
        self.dead = aws.stack.physical["NotifyDeadLetterQueue"]

    def put(self, *bodies, **attributes):
        named = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.dead, MessageBody=body, MessageAttributes=named)

    def give_up(self, outcome=OUTCOME, channel="secops", why="secops: invalid_blocks"):
        DeadLetterQueue(self.sqs, self.dead).put(outcome, channel, why)

    def visible(self, url):
        answer = self.sqs.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        assert answer["ApproximateNumberOfMessagesNotVisible"] == "0"
        return int(answer["ApproximateNumberOfMessages"])

    def bodies(self, url):
        """Give what is in a queue, and let it be seen again."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += messages
        for one in found:
            self.sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=one["ReceiptHandle"], VisibilityTimeout=0
            )
        return sorted(one["Body"] for one in found)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(redriving, "_WAIT", 0)


@pytest.fixture
def queues(aws):
    return Queues(aws)


@pytest.fixture
def redrive(aws):
    def run(*arguments, **options):
        with aws.aws.acting_in(aws.stack.account):
            return CliRunner().invoke(main, ["redrive", *arguments], **options)

    return run


@pytest.fixture
def lines(redrive):
    def run(*arguments, status=0):
        done = redrive("--json", *arguments)
        assert done.exit_code == status, done.output
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def failing(monkeypatch):
    """Let operations of AWS fail, by what each is to answer: an error's code, or entries that failed."""
    failing, make_call = {}, BaseClient._make_api_call  # noqa: SLF001  # the one way that all calls go

    def call(client, operation, arguments):
        match failing.get(operation):
            case str(code):
                raise ClientError({"Error": {"Code": code, "Message": "you may not"}}, operation)
            case int(number):
                entries, arguments = arguments["Entries"], dict(arguments)
                arguments["Entries"] = entries[number:]
                answer = make_call(client, operation, arguments) if arguments["Entries"] else {}
                failed = [
                    {"Id": one["Id"], "Code": "InternalError", "SenderFault": False}
                    for one in entries[:number]
                ]
                return answer | {"Failed": failed}
        return make_call(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return failing


def test_an_outcome_that_a_channel_refused_is_shown_and_sent_back_to_be_told(queues, lines):
    queues.give_up()
    (body,) = queues.bodies(queues.dead)
    letter, result = lines("--yes")
    assert {name: letter[name] for name in ("about", "subject", "image", "severity", "channel", "why")} == {
        "about": "outcome",
        "subject": "tag_violation",
        "image": "team/app:latest",
        "severity": "high",
        "channel": "secops",
        "why": "secops: invalid_blocks",
    }
    assert letter["happened_at"] == OUTCOME.event_time.isoformat()
    assert (result["sent"], result["failed"], result["left"]) == (1, 0, 0)
    assert queues.visible(queues.dead) == 0
    assert queues.bodies(queues.main) == [body]


def test_people_are_asked_with_what_it_is_about_and_why(queues, redrive, monkeypatch):
    monkeypatch.setattr("ecr_warden_cli.commands.redrive.check_askable", lambda **_: None)
    queues.give_up(why="secops: invalid_blocks\n\x1b[31mred")
    done = redrive(input="n\n")
    assert done.exit_code == 0
    assert "tag_violation high team/app:latest 2026-" in done.output
    assert "(channel secops)" in done.output
    assert "    secops: invalid_blocks \ufffd[31mred" in done.output
    assert "Send 1 back to be told?" in done.output
    assert "Nothing was sent." in done.output
    assert (queues.visible(queues.dead), queues.visible(queues.main)) == (1, 0)
    assert "1 sent back, 0 left among the dead letters" in redrive(input="y\n").output
    assert (queues.visible(queues.dead), queues.visible(queues.main)) == (0, 1)


def test_wake_ups_and_pushes_are_sent_back_too(queues, lines, sample):
    push = json.dumps(sample("eventbridge_cloudtrail_PutImage_github_actions"))
    queues.put(WAKE, push)
    *letters, result = lines("--yes")
    assert sorted((one["about"], one["image"], one["channel"]) for one in letters) == [
        ("push", "prod/api:v1.4.2", None),
        ("wake-up", "", "secops"),
    ]
    assert result["sent"] == 2
    assert queues.bodies(queues.main) == sorted([WAKE, push])


def test_what_cannot_be_read_is_shown_with_why_and_stays(queues, lines):
    queues.put("no JSON", '{"wake": 7}')
    queues.give_up()
    *letters, result = lines("--yes")
    unreadable = [one for one in letters if not one["can_be_sent"]]
    assert sorted(one["why"] for one in unreadable) == [
        "$: it is no JSON: Expecting value: line 1 column 1 (char 0)",
        "wake: expected a channel's name, got 7",
    ]
    assert (result["sent"], result["left"]) == (1, 2)
    assert queues.bodies(queues.dead) == ["no JSON", '{"wake": 7}']
    assert queues.visible(queues.main) == 1


def test_one_channels_letters_alone_are_sent_back(queues, lines):
    queues.give_up(channel="secops")
    queues.give_up(replace(OUTCOME, id="outcome-2"), channel="pager")
    queues.put(WAKE)
    *letters, result = lines("--yes", "--channel", "pager")
    assert [one["channel"] for one in letters] == ["pager"]
    assert result["sent"] == 1
    assert (queues.visible(queues.dead), queues.visible(queues.main)) == (2, 1)


def test_showing_sends_nothing_and_hides_nothing(queues, redrive):
    queues.give_up()
    done = redrive("--show")
    assert done.exit_code == 0
    assert "1 dead letter\n" in done.output
    assert (queues.visible(queues.dead), queues.visible(queues.main)) == (1, 0)


def test_no_letters_are_no_error(redrive, queues):
    done = redrive("--yes")
    assert (done.exit_code, done.output) == (0, "0 dead letters\n")
    assert queues.visible(queues.main) == 0


def test_many_letters_are_sent_back_each_once(queues, lines):
    bodies = [json.dumps({"wake": f"channel-{number}"}) for number in range(37)]
    queues.put(*bodies)
    assert lines("--yes")[-1] == {"type": "result", "sent": 37, "failed": 0, "left": 0, "has_more": False}
    assert queues.bodies(queues.main) == sorted(bodies)


def test_letters_that_are_too_large_together_are_sent_in_parts(queues, lines):
    queues.put(*[json.dumps({"wake": f"{number}" * 100_000}) for number in range(7)])
    assert lines("--yes")[-1]["sent"] == 7
    assert queues.visible(queues.main) == 7


def test_more_than_can_be_held_are_sent_back_by_running_it_again(queues, lines, monkeypatch):
    monkeypatch.setattr(RedriveAccount.__init__, "__kwdefaults__", {"most": 10})
    queues.put(*[WAKE] * 25)
    results = [lines("--yes")[-1] for _ in range(3)]
    assert [one["sent"] for one in results] == [10, 10, 5]
    assert [one["has_more"] for one in results] == [True, True, False]
    assert (queues.visible(queues.dead), queues.visible(queues.main)) == (0, 25)


def test_what_came_after_it_was_shown_is_not_sent_back(aws, queues):
    queues.put(WAKE)
    with aws.aws.acting_in(aws.stack.account):
        account = RedriveAccount(aws.client("sqs"), aws.client("dynamodb"), stack_of(aws))
        with account.letters().reading() as pages:
            wanted = {letter.id for page in pages for letter in page}
        queues.give_up()
        assert account.send_back(wanted).sent == 1
    assert (queues.visible(queues.dead), queues.visible(queues.main)) == (1, 1)


def test_a_channel_that_nobody_knows_is_wrong_usage_and_not_all_is_well(redrive):
    done = redrive("--show", "--channel", "nope")
    assert done.exit_code == 2
    assert "nothing was ever told in a channel 'nope'" in done.output


def test_letters_that_somebody_else_looks_at_are_counted(aws, queues, redrive):
    queues.put(WAKE, WAKE)
    account = RedriveAccount(aws.client("sqs"), aws.client("dynamodb"), stack_of(aws))
    with account.letters().reading() as pages:
        next(pages)
        assert "About 2 more are hidden: somebody looks at them" in redrive("--show").output
    assert "hidden" not in redrive("--show").output


def stack_of(aws):
    return find_stack(boto3.session.Session(), "ecr-warden", aws.stack.region)


def test_a_letter_that_the_queue_did_not_take_stays_and_is_an_error(queues, lines, failing):
    queues.put(WAKE, WAKE, WAKE)
    failing["SendMessageBatch"] = 1
    result = lines("--yes", status=1)[-1]
    assert (result["sent"], result["failed"], result["left"]) == (2, 1, 1)
    assert (queues.visible(queues.dead), queues.visible(queues.main)) == (1, 2)


@pytest.mark.parametrize("fault", ["AccessDenied", 1])
def test_a_letter_that_was_sent_and_not_deleted_is_an_error_and_stays_to_be_seen(
    queues, redrive, failing, fault
):
    queues.put(WAKE)
    failing["DeleteMessageBatch"] = fault
    done = redrive("--yes")
    assert done.exit_code == 1
    assert "deleting dead letters that were sent back" in done.output
    assert (queues.visible(queues.dead), queues.visible(queues.main)) == (1, 1)


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("ReceiveMessage", "reading the dead letters"),
        ("SendMessageBatch", "sending dead letters back"),
        ("ChangeMessageVisibilityBatch", "hidden for 15 minutes"),
        ("Scan", "reading what waits"),
    ],
)
def test_aws_failing_is_said_without_a_traceback(queues, redrive, failing, operation, said):
    queues.put(WAKE)
    failing[operation] = "AccessDenied"
    done = redrive("--yes")
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output


def outbox_of(aws):
    physical = aws.stack.physical
    return DynamoOutbox(
        aws.client("dynamodb"), physical["DeliveryTable"], physical["OutboxTable"], lambda: datetime.now(UTC)
    )


def test_a_channel_in_trouble_is_shown_with_what_waits_for_it_and_why(aws, redrive, lines):
    outbox, now = outbox_of(aws), datetime.now(UTC)
    late, next_try = now - timedelta(hours=1), now + timedelta(minutes=5)
    for number, due in enumerate([late, late + timedelta(minutes=1), now + timedelta(hours=1)]):
        outbox.put("secops", Waiting(replace(OUTCOME, id=f"outcome-{number}"), since=late, due=due))
    outbox.acquire("secops", "holder")
    outbox.release("secops", "holder", ChannelState(5, next_try, "secops: HTTP 500"))
    outbox.put("pager", Waiting(OUTCOME, since=now, due=now + timedelta(hours=1)))
    outbox.set_alarm("idle", now)
    text = redrive("--show").output
    assert f"channel secops: 3 waiting, 2 overdue since {late.isoformat(timespec='seconds')}" in text
    assert f"5 failures in a row, tried again at {next_try.isoformat(timespec='seconds')}" in text
    assert "    secops: HTTP 500\n" in text
    assert "channel pager: 1 waiting, the first is due at" in text
    assert "channel idle" not in text
    (channel,) = lines("--show", "--channel", "secops")
    assert channel == {
        "type": "channel",
        "name": "secops",
        "waiting": 3,
        "overdue": 2,
        "first_due": late.isoformat(),
        "failures": 5,
        "next_try": next_try.isoformat(),
        "last_error": "secops: HTTP 500",
    }


def test_without_the_stack_it_says_what_to_give(redrive):
    done = redrive("--yes", "--stack-name", "other")
    assert done.exit_code == 1
    assert "no stack other with dead letters in us-east-1: give --stack-name or --region" in done.output


def test_where_nobody_can_be_asked_it_wants_to_be_told(redrive):
    assert redrive().exit_code == 2
    assert redrive("--json").exit_code == 2
