"""Who listens in the local AWS: each type of channel reaches somebody, by what its secret or topic says."""

import json
from contextlib import contextmanager
from dataclasses import replace
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import boto3
import pytest
from fakes import OUTCOME

from ecr_warden.adapters.amazon_q import AmazonQ
from ecr_warden.adapters.apprise_channel import Apprise
from ecr_warden.adapters.secrets import SecretsManager
from ecr_warden.adapters.signed_webhook import SignedWebhook, signature_headers
from ecr_warden.adapters.slack_bot import SlackBot
from ecr_warden.adapters.slack_webhook import SlackWebhook
from ecr_warden.adapters.sns import SnsTopic
from ecr_warden.domain.messages import Message, Thread
from ecr_warden.domain.policy import Channel, ChannelType, Policy
from ecr_warden.errors import ChannelError
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION, local_aws
from ecr_warden_cli.local.loopback import Answer
from ecr_warden_cli.local.slack_double import problem_of
from ecr_warden_cli.local.topics import read_topics

TEAM = Channel("the team", 1, ChannelType.SLACK, "slack/team")
TWIN = Channel("twin", 2, ChannelType.SLACK, "slack/team")
BOT = Channel("incidents", 3, ChannelType.SLACK, "slack/bot", conversation="C0INCIDENTS")
OTHER_BOT = Channel("releases", 4, ChannelType.SLACK, "slack/bot", conversation="C0RELEASES")
OPS = Channel("ops", 5, ChannelType.SNS)
CHAT = Channel("chat", 6, ChannelType.AMAZON_Q)
PAGER = Channel("pager", 7, ChannelType.APPRISE, "apprise/pager")
SIEM = Channel("siem/eu", 8, ChannelType.WEBHOOK, "webhook/siem")
ALL = (TEAM, TWIN, BOT, OTHER_BOT, OPS, CHAT, PAGER, SIEM)
TOLD = Message((OUTCOME,))


class Told:
    """A local AWS with a channel of each type, and the product's adapters for them."""

    def __init__(self, aws):
        self.aws, self.people, self.clock = aws, aws.people, aws.broker.clock
        self.stack = aws.stack(DEFAULT_ACCOUNT, DEFAULT_REGION)
        self._secrets = SecretsManager(self.client("secretsmanager"))

    def client(self, service):
        return boto3.client(service, region_name=DEFAULT_REGION)

    def channel(self, of_policy):
        match of_policy.type:
            case ChannelType.SLACK if of_policy.conversation:
                return SlackBot(of_policy, self._secrets)
            case ChannelType.SLACK:
                return SlackWebhook(of_policy, self._secrets)
            case ChannelType.SNS:
                return SnsTopic(self.client("sns"), self.stack.physical["OutcomeTopic"], of_policy.name)
            case ChannelType.AMAZON_Q:
                return AmazonQ(self.client("sns"), self.stack.physical["ChatTopic"], of_policy.name)
            case ChannelType.APPRISE:
                return Apprise(of_policy, self._secrets)
            case ChannelType.WEBHOOK:
                return SignedWebhook(of_policy, self._secrets, self.clock.now)

    def secret(self, name):
        return json.loads(self.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])

    def heard(self):
        return self.people.take() + read_topics(self.stack)


@contextmanager
def everybody():
    with local_aws(Policy("policy.yaml", channels=ALL)) as aws, aws.acting_in(DEFAULT_ACCOUNT):
        yield Told(aws)


@pytest.fixture
def told():
    with everybody() as found:
        yield found


@pytest.mark.parametrize(
    "of_policy", [TEAM, BOT, OTHER_BOT, OPS, CHAT, PAGER, SIEM], ids=lambda one: one.name
)
def test_what_a_channel_sends_is_heard_under_its_name_as_it_renders_it(told, of_policy):
    channel = told.channel(of_policy)
    channel.send(TOLD)
    (message,) = told.heard()
    rendered = channel.render(TOLD)
    assert (message.channel, message.type) == (of_policy.name, of_policy.type)
    assert message.text.strip() == rendered.text.strip()
    assert message.payload == rendered.payload
    assert told.heard() == []


def test_of_two_channels_with_one_webhook_the_first_is_heard(told):
    told.channel(TWIN).send(TOLD)
    assert [message.channel for message in told.heard()] == [TEAM.name]


def test_a_bots_answer_stands_below_its_root_which_is_changed_in_place(told):
    bot = told.channel(BOT)
    vulnerable = replace(OUTCOME, kind="image_vulnerable", id="1")
    root = Message((vulnerable,))
    posted = bot.send(root)
    recovered = Message((replace(OUTCOME, kind="image_recovered", id="2"),))
    bot.send(recovered, Thread(posted, root))
    first, *others = told.heard()
    assert posted.conversation == BOT.conversation
    assert "thread_ts" not in first.payload
    places = [
        {name: other.payload[name] for name in ("ts", "thread_ts") if name in other.payload}
        for other in others
    ]
    assert {"thread_ts": posted.timestamp} in places
    assert all(place in ({"ts": posted.timestamp}, {"thread_ts": posted.timestamp}) for place in places)
    assert {other.channel for other in others} == {BOT.name}


def call(told, method, payload, token=None):
    secret = told.secret(BOT.secret)
    headers = {"Authorization": f"Bearer {token or secret['token']}", "Content-Type": "application/json"}
    request = HttpRequest(secret["url"] + method, json.dumps(payload).encode(), headers)  # noqa: S310  # loopback
    with urlopen(request) as answer:  # noqa: S310  # as above
        return json.load(answer)


@pytest.mark.parametrize(
    ("method", "changed", "token", "error"),
    [
        ("chat.postMessage", {}, "xoxb-other", "invalid_auth"),
        ("chat.postMessage", {"channel": "C0OTHER"}, None, "channel_not_found"),
        ("chat.postMessage", {"text": ""}, None, "no_text"),
        ("chat.postMessage", {"blocks": [{"type": "nothing"}]}, None, "invalid_blocks"),
        ("chat.postMessage", {"thread_ts": "1.0"}, None, "cannot_reply_to_message"),
        ("chat.update", {}, None, "message_not_found"),
        ("chat.update", {"ts": "1.0"}, None, "message_not_found"),
        ("chat.delete", {}, None, "unknown_method"),
    ],
)
def test_what_slacks_web_api_refuses(told, method, changed, token, error):
    payload = {"channel": BOT.conversation, "text": "x", **changed}
    assert call(told, method, payload, token) == {"ok": False, "error": error}
    assert told.heard() == []


def test_a_message_of_one_conversation_is_unknown_in_another(told):
    posted = call(told, "chat.postMessage", {"channel": BOT.conversation, "text": "x"})
    elsewhere = {"channel": OTHER_BOT.conversation, "text": "x", "ts": posted["ts"]}
    assert call(told, "chat.update", elsewhere)["error"] == "message_not_found"
    assert call(told, "chat.update", elsewhere | {"channel": BOT.conversation})["ts"] == posted["ts"]


def plain(text):
    return {"type": "plain_text", "text": text}


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ({"text": "x"}, None),
        ({"blocks": []}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"text": "x", "blocks": [{"type": "divider"}] * 50}, None),
        ({"text": "x", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"text": "x", "blocks": [{"type": "header", "text": plain("x" * 150)}]}, None),
        ({"text": "x", "blocks": [{"type": "header", "text": plain("x" * 151)}]}, "invalid_blocks"),
        ({"text": "x", "blocks": [{"type": "section", "text": plain("x" * 3000)}]}, None),
        ({"text": "x", "blocks": [{"type": "section", "text": plain("x" * 3001)}]}, "invalid_blocks"),
        ({"text": "x", "blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"text": "x", "blocks": [{"type": "section", "fields": [plain("x" * 2000)] * 10}]}, None),
        ({"text": "x", "blocks": [{"type": "section", "fields": [plain("x")] * 11}]}, "invalid_blocks"),
        ({"text": "x", "blocks": [{"type": "section", "fields": [plain("")]}]}, "invalid_blocks"),
        ({"text": "x", "blocks": [{"type": "context", "elements": []}]}, "invalid_blocks"),
    ],
)
def test_what_slack_refuses_of_a_message(payload, problem):
    assert problem_of(payload) == problem


def test_a_webhook_of_slack_says_what_is_wrong_with_a_message(told):
    url = told.people.url(TEAM.name)
    with pytest.raises(OSError, match="400") as raised:
        urlopen(HttpRequest(url, b'{"blocks": []}'))  # noqa: S310  # loopback
    assert raised.value.read() == b"no_text"
    raised.value.close()


def test_a_forged_and_an_old_event_are_refused_by_this_clock(told):
    secret = told.secret(SIEM.secret)
    body = json.dumps({"data": {"reason": "x"}}).encode()

    def post(key, at):
        urlopen(HttpRequest(secret["url"], body, signature_headers(body, key, at))).close()  # noqa: S310  # loopback

    told.clock.pause(86400)
    now = told.clock.now()
    for key, at in (("0" * 32, now), (secret["key"], now.replace(year=now.year - 1))):
        with pytest.raises(OSError, match="401") as raised:
            post(key, at)
        raised.value.close()
    assert told.heard() == []
    post(secret["key"], now)
    assert [message.channel for message in told.heard()] == [SIEM.name]


@pytest.mark.parametrize("of_policy", [TEAM, BOT, PAGER, SIEM], ids=lambda one: one.name)
def test_the_next_request_of_any_channel_may_be_refused(told, of_policy):
    told.people.answers = [Answer(503, {"Retry-After": "7"}, "busy")]
    channel = told.channel(of_policy)
    with pytest.raises(ChannelError, match="503"):
        channel.send(TOLD)
    assert told.heard() == []
    channel.send(TOLD)
    assert len(told.heard()) == 1


@pytest.mark.parametrize("of_policy", [TEAM, BOT, PAGER, SIEM], ids=lambda one: one.name)
def test_a_channel_that_is_down_takes_nothing_and_others_do(told, of_policy):
    told.people.down[of_policy.name] = Answer(500)
    for one in (TEAM, BOT, PAGER, SIEM):
        if one is of_policy:
            with pytest.raises(ChannelError, match="500"):
                told.channel(one).send(TOLD)
        else:
            told.channel(one).send(TOLD)
    assert {message.channel for message in told.heard()} == {one.name for one in (TEAM, BOT, PAGER, SIEM)} - {
        of_policy.name
    }


@pytest.mark.parametrize("path", ["", "elsewhere/x"])
def test_nobody_listens_elsewhere(told, path):
    with pytest.raises(OSError, match="404") as raised:
        urlopen(f"http://127.0.0.1:{told.people.port}/{path}", b"{}")
    raised.value.close()


def test_what_is_published_by_hand_is_heard_too(told):
    told.client("sns").publish(TopicArn=told.stack.physical["OutcomeTopic"], Message="by hand")
    (message,) = told.heard()
    assert (message.channel, message.text) == ("", "by hand")
    assert message.payload == {"subject": None, "message": "by hand", "attributes": {}}
