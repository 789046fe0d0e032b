"""Slack's two ways in, against servers on loopback, with secrets of a Secrets Manager that is one, too."""

import json
import logging
import socket
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import boto3
import pytest
from fakes import NOW, OUTCOME
from http_double import Answer, closed_port, deaf_server, http_server, self_signed

from ecr_warden.adapters.http_failures import retry_after
from ecr_warden.adapters.http_post import HttpAnswer
from ecr_warden.adapters.secrets import SecretsManager
from ecr_warden.adapters.slack_bot import SlackBot
from ecr_warden.adapters.slack_webhook import SlackWebhook
from ecr_warden.domain.messages import Message, Posted, Thread
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Channel, ChannelType, Severity
from ecr_warden.errors import ChannelError, PolicyError

NAME = "ecr-warden/slack/team"
PATH = "/services/T000/B000/SECRETSECRET"
TOKEN = "xoxb-1-SECRETSECRET"
MESSAGE = Message((OUTCOME,))
VULNERABLE = replace(OUTCOME, id="bad", kind=OutcomeKind.IMAGE_VULNERABLE, severity=Severity.MEDIUM)
RECOVERED = replace(
    VULNERABLE,
    id="good",
    kind=OutcomeKind.IMAGE_RECOVERED,
    event_time=NOW + timedelta(hours=1),
    severity=Severity.INFO,
)
ROOT = Posted("C0123ABCD", "1.5")
OK = Answer(body={"ok": True, "channel": "C0123ABCD", "ts": "2.5"})


def of_policy(**others):
    return Channel(**({"name": "team", "line": 1, "type": ChannelType.SLACK, "secret": NAME} | others))


class Vault:
    """Secrets as Secrets Manager gives them; counts how often it is asked."""

    def __init__(self, server):
        server.answer_to = self.answer
        self.server = server
        self.values = {}
        self.client = boto3.client(
            "secretsmanager",
            endpoint_url=server.url(),
            region_name="eu-west-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    @property
    def reads(self):
        return len(self.server.asked)

    def answer(self, asked):
        name = asked.json["SecretId"]
        if name not in self.values:
            body = {"__type": "ResourceNotFoundException", "Message": "Secrets Manager can't find it."}
            return Answer(400, body)
        return Answer(body={"Name": name, **self.values[name]})

    def put(self, text, name=NAME):
        self.values[name] = {"SecretString": text}


@pytest.fixture
def vault():
    with http_server() as server:
        yield Vault(server)


@pytest.fixture
def secrets(vault):
    return SecretsManager(vault.client)


@pytest.fixture
def slack():
    with http_server() as server:
        yield server


@pytest.fixture
def webhook(vault, secrets, slack):
    vault.put(slack.url(PATH))
    return SlackWebhook(of_policy(), secrets, timeout_seconds=1)


def as_bot(server):
    return json.dumps({"token": TOKEN, "url": server.url("/api/")})


@pytest.fixture
def bot(vault, secrets, slack):
    slack.usual = OK
    vault.put(as_bot(slack))
    return SlackBot(of_policy(conversation="C0123ABCD"), secrets, timeout_seconds=1)


def refused(channel, message=MESSAGE, thread=None):
    with pytest.raises(ChannelError) as raised:
        channel.send(message, thread)
    return raised.value


# What both ways in have in common.


@pytest.fixture(params=["webhook", "bot"])
def channel(request):
    return request.getfixturevalue(request.param)


def test_a_message_is_posted_as_it_is_rendered(channel, slack):
    channel.send(MESSAGE)
    (asked,) = slack.asked
    assert asked.method == "POST"
    assert asked.json == channel.render(MESSAGE).payload
    assert channel.render(MESSAGE).text == asked.json["text"]
    assert (channel.pause, channel.takes_each) == (1.0, False)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17),
        ({"retry-after": "17"}, 17),
        ({"Retry-After": "soon"}, 30),
        ({"Retry-After": "9" * 5000}, 3600),
        ({"Retry-After": "-3"}, 30),
        ({}, 30),
    ],
)
def test_a_channel_that_is_told_too_much_says_when_to_go_on(channel, slack, headers, seconds):
    slack.answers = [Answer(429, {"ok": False, "error": "ratelimited"}, headers)]
    error = refused(channel)
    assert (error.retry_after, error.surely_failed, error.is_refused) == (seconds, True, False)
    channel.send(MESSAGE)
    assert len(slack.asked) == 2


def test_a_date_to_wait_for_is_understood():
    now = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)

    def after(delta):
        return retry_after(503, {"Retry-After": format_datetime(now + delta, usegmt=True)}, now)

    assert after(timedelta(seconds=20)) == 21
    assert after(timedelta(days=365)) == 3600
    assert after(timedelta(days=-365)) == 1
    assert retry_after(503, {"Retry-After": "Tue, 24 Nov 2026 03:00:20 -0000"}, now) == 21
    assert retry_after(503, {}, now) is None


@pytest.mark.parametrize(
    ("answer", "surely_failed"),
    [
        (Answer(500, "server_error"), False),
        (Answer(502, "<html>busy</html>"), False),
        (Answer(504, "<html>busy</html>"), False),
        (Answer(408, ""), False),
        (Answer(501, ""), True),
        (Answer(503, "<html>busy</html>"), True),
    ],
)
def test_a_slack_that_fails_may_take_it_later_and_a_gateway_may_have_told(
    channel, slack, answer, surely_failed
):
    slack.answers = [answer]
    error = refused(channel)
    assert (error.surely_failed, error.is_refused, error.retry_after) == (surely_failed, False, None)
    assert str(answer.status) in str(error)
    assert "busy" not in str(error)
    channel.send(MESSAGE)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_what_leads_elsewhere_is_not_followed_and_its_secret_read_again(channel, slack, vault, status):
    with http_server() as elsewhere:
        slack.answers = [Answer(status, "", {"Location": elsewhere.url("/x")})]
        error = refused(channel)
        assert elsewhere.asked == []
    assert "leads elsewhere" in str(error)
    assert (error.surely_failed, error.is_refused) == (True, False)
    channel.send(MESSAGE)
    assert vault.reads == 2


def dripping(first):
    """Serve a beginning, and then a byte at a time; give its URL, and what stops it."""
    stopped = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listening, suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(first)
                while not stopped.wait(0.1):
                    connection.sendall(b"x")

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}{PATH}", stopped.set


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 O"])
def test_an_answer_that_drips_is_not_waited_for_longer_than_any(request, channel, vault, first):
    url, stop = dripping(first)
    began = time.monotonic()
    error = refused(at(request, channel, vault, url))
    stop()
    assert time.monotonic() - began < 2
    assert error.surely_failed is False
    assert "no answer in time" in str(error)


def test_a_handshake_that_drips_is_not_waited_for_longer_than_any(request, channel, vault):
    # A record of TLS that is announced as long, and comes a byte at a time.
    url, stop = dripping(b"\x16\x03\x03\x3f\xff")
    began = time.monotonic()
    error = refused(at(request, channel, vault, url.replace("http:", "https:")))
    stop()
    assert time.monotonic() - began < 2
    assert error.surely_failed
    assert "no connection in time" in str(error)


def test_a_host_of_many_addresses_that_do_not_answer_is_waited_for_no_longer_than_any(
    request, channel, vault, secrets, monkeypatch
):
    look_up = socket.getaddrinfo
    with deaf_server() as port:
        at(request, channel, vault, f"https://hooks.invalid{PATH}")
        secrets.text(NAME)
        monkeypatch.setattr(
            "socket.getaddrinfo",
            lambda host, at_port, *rest, **others: (
                look_up("127.0.0.1", port, type=socket.SOCK_STREAM) * 4
                if host == "hooks.invalid"
                else look_up(host, at_port, *rest, **others)
            ),
        )
        began = time.monotonic()
        error = refused(channel)
    assert time.monotonic() - began < 2
    assert error.surely_failed
    assert "no connection in time" in str(error)


def test_of_a_hosts_addresses_the_next_is_tried(channel, slack, monkeypatch):
    look_up = socket.getaddrinfo
    closed = closed_port()
    monkeypatch.setattr(
        "socket.getaddrinfo",
        lambda host, port, *rest, **others: (
            look_up(host, closed, *rest, **others) * (port == slack.port and not slack.asked)
            + look_up(host, port, *rest, **others)
        ),
    )
    channel.send(MESSAGE)
    assert len(slack.asked) == 1


def test_of_an_answer_without_an_end_no_more_is_read_than_is_looked_at(webhook, slack):
    slack.answers = [Answer(404, "x" * 5_000_000)]
    assert "404" in str(refused(webhook))


def test_a_connection_that_hangs_may_have_told(channel, slack):
    slack.answers = [replace(OK, after_seconds=1.5)]
    began = time.monotonic()
    error = refused(channel)
    assert time.monotonic() - began < 1.4
    assert error.surely_failed is False
    assert "in time" in str(error)


def test_a_connection_that_broke_after_the_request_may_have_told(channel, slack):
    slack.answers = [Answer(hangs_up=True)]
    assert refused(channel).surely_failed is False
    assert len(slack.asked) == 1


def at(request, channel, vault, url):
    """Let a channel speak to another address."""
    is_bot = "bot" in request.node.name
    vault.put(json.dumps({"token": TOKEN, "url": url}) if is_bot else url)
    return channel


def test_a_connection_that_is_refused_surely_told_nobody(request, channel, vault):
    error = refused(at(request, channel, vault, f"http://127.0.0.1:{closed_port()}{PATH}"))
    assert error.surely_failed
    assert "Connection refused" in str(error)


def test_a_connection_that_is_not_made_in_time_surely_told_nobody(request, channel, vault):
    with deaf_server() as port:
        error = refused(at(request, channel, vault, f"http://127.0.0.1:{port}{PATH}"))
    assert error.surely_failed
    assert "no connection in time" in str(error)


def test_a_host_that_has_no_address_surely_told_nobody(request, channel, vault, secrets, monkeypatch):
    def no_address(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    at(request, channel, vault, f"https://hooks.invalid{PATH}")
    # Secrets Manager is on loopback, and asked before.
    secrets.text(NAME)
    monkeypatch.setattr("socket.getaddrinfo", no_address)
    error = refused(channel)
    assert error.surely_failed
    assert "Name or service not known" in str(error)


def test_a_certificate_that_nobody_vouches_for_is_refused_and_said(request, channel, vault, tmp_path):
    with http_server(usual=OK, certificate=self_signed(tmp_path)) as server:
        error = refused(at(request, channel, vault, server.url(PATH)))
        assert server.asked == []
    assert error.surely_failed
    assert "certificate is not valid: self-signed certificate" in str(error)


def test_a_certificate_of_another_host_is_refused_and_said(request, channel, vault, tmp_path, monkeypatch):
    certificate = self_signed(tmp_path, "127.0.0.2")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with http_server(usual=OK, certificate=certificate) as server:
        error = refused(at(request, channel, vault, server.url(PATH)))
        assert server.asked == []
    assert "certificate is not valid: IP address mismatch" in str(error)


def test_a_certificate_that_is_trusted_is_taken(request, channel, vault, tmp_path, monkeypatch):
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with http_server(usual=OK, certificate=certificate) as server:
        at(request, channel, vault, server.url(PATH)).send(MESSAGE)
        assert len(server.asked) == 1


def test_what_answers_without_tls_surely_told_nobody(request, channel, vault, slack):
    url = slack.url(PATH).replace("http:", "https:")
    error = refused(at(request, channel, vault, url))
    assert error.surely_failed
    assert "no TLS connection" in str(error)


def test_a_mention_that_is_no_id_is_said_in_the_log(secrets, caplog):
    SlackWebhook(of_policy(mentions=(("payments", "channel"), ("web", "S0123ABCD"))), secrets)
    assert [record.owner for record in caplog.records] == ["payments"]


def test_the_owners_group_is_mentioned(vault, secrets, slack):
    vault.put(slack.url(PATH))
    channel = SlackWebhook(of_policy(mentions=(("payments", "S0123ABCD"),)), secrets)
    channel.send(Message((replace(OUTCOME, owner="payments"),)))
    assert "<!subteam^S0123ABCD>" in slack.asked[0].text


def test_a_channel_without_what_it_needs_is_the_policys_error(secrets):
    for build in (
        lambda: SlackWebhook(of_policy(secret=None), secrets),
        lambda: SlackBot(of_policy(), secrets),
        lambda: SlackBot(of_policy(secret=None, conversation="C0123ABCD"), secrets),
    ):
        with pytest.raises(PolicyError, match="team"):
            build()


# The webhook.


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "invalid_payload"), (400, "no_text"), (400, ""), (413, "<html>too large</html>")],
)
def test_a_message_that_a_webhook_will_never_take_is_refused(webhook, slack, status, code):
    slack.answers = [Answer(status, code)]
    error = refused(webhook)
    assert (error.is_refused, error.surely_failed) == (True, True)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "user_not_found"),
        (403, "action_prohibited"),
        (404, "channel_not_found"),
        (410, "channel_is_archived"),
    ],
)
def test_a_webhook_that_is_out_of_order_says_what_to_do_and_refuses_no_message(webhook, slack, status, code):
    slack.answers = [Answer(status, code)]
    error = refused(webhook)
    assert (error.is_refused, error.surely_failed) == (False, True)
    assert f"{status} {code} - " in str(error)
    assert NAME in str(error)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_webhook_that_was_rotated_is_read_again(webhook, vault, slack, status):
    webhook.send(MESSAGE)
    vault.put(slack.url("/rotated"))
    webhook.send(MESSAGE)
    slack.answers = [Answer(status, "no_service")]
    refused(webhook)
    webhook.send(MESSAGE)
    assert [asked.path for asked in slack.asked] == [PATH, PATH, PATH, "/rotated"]
    assert vault.reads == 2


def test_an_address_of_a_web_page_told_nobody(webhook, slack):
    slack.answers = [Answer(200, "<!doctype html><title>Incoming webhooks</title>")]
    assert "200 as no webhook does" in str(refused(webhook))


def test_an_address_of_another_kind_told_nobody(webhook, slack):
    slack.answers = [Answer(body={"ok": False, "error": "not_authed"})]
    assert "200 as no webhook does" in str(refused(webhook))


@pytest.mark.parametrize("answer", [Answer(body="ok"), Answer(body=""), Answer(body={"success": True})])
def test_another_chat_that_takes_slacks_messages_is_taken_at_its_word(webhook, slack, answer):
    slack.answers = [answer]
    assert webhook.send(MESSAGE) is None


def test_an_answer_that_repeats_the_address_does_not_come_into_the_error(webhook, slack):
    slack.answers = [Answer(404, f"<p>The requested URL {PATH} was not found")]
    assert "SECRET" not in str(refused(webhook))


# The bot.


def below(root, *since):
    return Thread(ROOT, Message((root,)), since)


def methods(server):
    return [asked.path.rpartition("/")[2] for asked in server.asked]


def test_a_bot_posts_with_its_token_and_says_where_the_message_is(bot, slack):
    assert bot.send(MESSAGE) == Posted("C0123ABCD", "2.5")
    (asked,) = slack.asked
    assert asked.path == "/api/chat.postMessage"
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.json["channel"] == "C0123ABCD"
    assert "thread_ts" not in asked.json


def test_a_token_as_plain_text_is_for_slacks_own_address(vault, secrets, monkeypatch):
    vault.put(f"  {TOKEN}\n")
    asked = []
    monkeypatch.setattr(
        "ecr_warden.adapters.slack_bot.post_json",
        lambda url, _payload, _seconds, **headers: (
            asked.append((url, headers)) or HttpAnswer(200, {}, json.dumps(OK.body))
        ),
    )
    SlackBot(of_policy(conversation="C0123ABCD"), secrets).send(MESSAGE)
    assert asked == [("https://slack.com/api/chat.postMessage", {"Authorization": f"Bearer {TOKEN}"})]


@pytest.mark.parametrize(
    "secret",
    [
        "https://hooks.slack.com/services/SECRETSECRET",
        "xoxb-SECRET\r\nSECRET",
        "xoxb-SECR\u00e9T",
        '{"token": 7}',
        '{"token": "SECRETSECRET"}',
        '{"url": "https://slack.com/api/"}',
        '{"token": "xoxb-SECRET", "url": "http://slack.com/api/"}',
        '{"token": "xoxb-SECRET", "url": "https://SECRET:x@slack.com/api/"}',
        "{",
    ],
)
def test_a_secret_that_is_no_token_is_refused_without_showing_it(bot, vault, slack, secret):
    vault.put(secret)
    error = refused(bot)
    assert NAME in str(error)
    assert "SECRET" not in str(error)
    assert error.surely_failed
    assert slack.asked == []


def test_what_follows_on_a_message_stands_below_it(bot, slack):
    bot.send(MESSAGE, below(VULNERABLE))
    assert methods(slack) == ["chat.postMessage"]
    assert slack.asked[0].json["thread_ts"] == ROOT.timestamp
    assert slack.asked[0].json["reply_broadcast"] is False


def test_what_is_critical_is_shown_in_the_conversation_as_well(bot, slack):
    bot.send(Message((replace(OUTCOME, severity=Severity.CRITICAL),)), below(VULNERABLE))
    assert slack.asked[0].json["reply_broadcast"] is True


def test_a_message_that_is_settled_says_so_before_the_reply_stands_below_it(bot, slack):
    bot.send(Message((RECOVERED,)), below(VULNERABLE))
    assert methods(slack) == ["chat.update", "chat.postMessage"]
    update, reply = (asked.json for asked in slack.asked)
    assert (update["channel"], update["ts"]) == (ROOT.conversation, ROOT.timestamp)
    assert update["text"].startswith("✅ Settled: ")
    assert update["blocks"][0]["text"]["text"].startswith("✅ Settled: ")
    assert reply["thread_ts"] == ROOT.timestamp


def test_a_message_that_is_settled_orders_nothing_any_more(bot, slack):
    bot.send(Message((RECOVERED,)), below(VULNERABLE))
    update, reply = slack.asked
    assert "What to do" not in update.text
    assert "What to do" in reply.text


def test_a_message_that_is_not_settled_any_more_says_what_it_said_first(bot, slack):
    again = replace(VULNERABLE, id="again", event_time=NOW + timedelta(hours=2))
    bot.send(Message((again,)), below(VULNERABLE, RECOVERED))
    assert methods(slack) == ["chat.update", "chat.postMessage"]
    assert slack.asked[0].json["blocks"] == bot.render(Message((VULNERABLE,))).payload["blocks"]


def test_a_message_that_says_so_already_is_not_changed_again(bot, slack):
    once_more = replace(RECOVERED, id="once more", event_time=NOW + timedelta(hours=2))
    bot.send(Message((once_more,)), below(VULNERABLE, RECOVERED))
    assert methods(slack) == ["chat.postMessage"]


def failing(code, status=200):
    return Answer(status, {"ok": False, "error": code})


def test_the_same_change_is_made_again_when_the_reply_failed(bot, slack):
    slack.answers = [OK, failing("service_unavailable")]
    refused(bot, Message((RECOVERED,)), below(VULNERABLE))
    bot.send(Message((RECOVERED,)), below(VULNERABLE))
    assert methods(slack) == ["chat.update", "chat.postMessage"] * 2
    assert slack.asked[0].json == slack.asked[2].json


@pytest.mark.parametrize(
    "code",
    [
        "message_not_found",
        "cant_update_message",
        "msg_too_long",
        "restricted_action_thread_locked",
        "invalid_arguments",
    ],
)
def test_a_message_that_cannot_be_changed_keeps_no_reply_from_being_posted(bot, slack, caplog, code):
    slack.answers = [failing(code)]
    assert bot.send(Message((RECOVERED,)), below(VULNERABLE)) == Posted("C0123ABCD", "2.5")
    assert methods(slack) == ["chat.update", "chat.postMessage"]
    assert [record.code for record in caplog.records if hasattr(record, "code")] == [code]


@pytest.mark.parametrize("answer", [failing("internal_error"), Answer(hangs_up=True), Answer(500, "x")])
def test_a_change_that_failed_surely_told_nothing_yet(bot, slack, answer):
    slack.answers = [answer]
    assert refused(bot, Message((RECOVERED,)), below(VULNERABLE)).surely_failed
    assert methods(slack) == ["chat.update"]


@pytest.mark.parametrize(
    "code",
    [
        "thread_not_found",
        "restricted_action_thread_locked",
        "restricted_action_non_threadable_channel",
    ],
)
def test_what_would_stand_below_a_message_where_nothing_can_stands_by_itself(bot, slack, code):
    slack.answers = [failing(code)]
    assert bot.send(MESSAGE, below(VULNERABLE)) == Posted("C0123ABCD", "2.5")
    assert [asked.json.get("thread_ts") for asked in slack.asked] == [ROOT.timestamp, None]


def test_what_would_stand_below_a_message_of_another_conversation_stands_by_itself(vault, secrets, slack):
    slack.usual = OK
    vault.put(as_bot(slack))
    SlackBot(of_policy(conversation="C0OTHER"), secrets).send(Message((RECOVERED,)), below(VULNERABLE))
    assert methods(slack) == ["chat.postMessage"]
    assert "thread_ts" not in slack.asked[0].json


def test_a_conversation_by_its_name_has_threads_too(vault, secrets, slack):
    slack.usual = OK
    vault.put(as_bot(slack))
    SlackBot(of_policy(conversation="#ops"), secrets).send(MESSAGE, below(VULNERABLE))
    assert slack.asked[0].json["thread_ts"] == ROOT.timestamp


@pytest.mark.parametrize(
    ("code", "is_refused", "surely_failed", "retry", "said"),
    [
        ("ratelimited", False, True, 30, ""),
        ("invalid_auth", False, True, None, "store its new token"),
        ("channel_not_found", False, True, None, "invite the bot"),
        ("not_in_channel", False, True, None, "invite the bot"),
        ("is_archived", False, True, None, "bring the conversation back"),
        ("missing_scope", False, True, None, "chat:write"),
        ("invalid_blocks", True, True, None, ""),
        ("invalid_arguments", True, True, None, ""),
        ("msg_too_long", True, True, None, ""),
        ("no_text", True, True, None, ""),
        ("internal_error", False, False, None, ""),
        ("service_unavailable", False, True, None, ""),
    ],
)
def test_what_slack_answers_a_bot_says_who_must_act(  # noqa: PLR0913, PLR0917  # a table of cases
    bot, slack, code, is_refused, surely_failed, retry, said
):
    slack.answers = [failing(code)]
    error = refused(bot)
    assert (error.is_refused, error.surely_failed, error.retry_after) == (is_refused, surely_failed, retry)
    assert code in str(error)
    assert said in str(error)
    assert NAME in str(error)


@pytest.mark.parametrize(
    "code", ["invalid_auth", "token_revoked", "token_expired", "account_inactive", "not_authed"]
)
def test_a_token_that_was_rotated_is_read_again(bot, vault, slack, code):
    bot.send(MESSAGE)
    vault.put(as_bot(slack).replace(TOKEN, "xoxb-2"))
    slack.answers = [failing(code)]
    refused(bot)
    bot.send(MESSAGE)
    assert [asked.headers["Authorization"] for asked in slack.asked] == [
        f"Bearer {TOKEN}",
        f"Bearer {TOKEN}",
        "Bearer xoxb-2",
    ]


@pytest.mark.parametrize("body", ["", "ok", "[]", "[1]", "null", "7", '"x"', "{}", '{"ok": true}'])
def test_an_answer_that_is_not_slacks_is_an_error(bot, slack, body):
    slack.answers = [Answer(200, body)]
    assert isinstance(refused(bot), ChannelError)


def test_a_thread_of_several_is_marked_where_it_is_settled(bot, slack):
    root = Message((VULNERABLE, OUTCOME))
    bot.send(Message((RECOVERED,)), Thread(ROOT, root))
    update = slack.asked[0].json
    assert not update["text"].startswith("✅")
    texts = [block["text"]["text"] for block in update["blocks"] if "text" in block]
    assert sum(text.startswith("✅ ") for text in texts) == 1


# The secrets.


def test_a_secret_is_read_once_and_again_after_a_quarter_of_an_hour(vault):
    now = [0.0]
    secrets = SecretsManager(vault.client, lambda: now[0])
    vault.put("one")
    assert secrets.text(NAME) == secrets.text(NAME) == "one"
    vault.put("two")
    now[0] = 899
    assert secrets.text(NAME) == "one"
    assert vault.reads == 1
    now[0] = 900
    assert secrets.text(NAME) == "two"
    assert vault.reads == 2
    secrets.forget(NAME)
    secrets.forget("never read")
    assert secrets.text(NAME) == "two"
    assert vault.reads == 3


@pytest.mark.parametrize("method", ["url", "fields"])
def test_a_secret_that_was_not_as_it_should_be_is_read_again_once_it_is_mended(vault, secrets, method):
    vault.put("nonsense")
    with pytest.raises(ChannelError):
        getattr(secrets, method)(NAME)
    vault.put('{"url": "https://example.com/x"}')
    assert getattr(secrets, method)(NAME)


def test_a_secrets_url_and_fields(vault, secrets):
    vault.put(' {"url": "https://example.com/x", "key": "k"} ')
    assert secrets.url(NAME) == "https://example.com/x"
    assert secrets.fields(NAME) == {"url": "https://example.com/x", "key": "k"}
    secrets.forget(NAME)
    vault.put("https://example.com/y")
    assert secrets.url(NAME) == "https://example.com/y"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com?x=1",
        "HTTPS://Example.com:8443/x",
        "https://host_of_ours.example.com/a/@b?c=d#e",
    ],
)
def test_a_url_needs_neither_a_path_nor_small_letters(vault, secrets, url):
    vault.put(url)
    assert secrets.url(NAME) == url


def test_an_address_without_a_path_is_asked_for_its_root(webhook, vault, slack):
    vault.put(slack.url("?x=1"))
    webhook.send(MESSAGE)
    assert [asked.path for asked in slack.asked] == ["/?x=1"]


SECRET_ERRORS = [
    (None, "text", "create it"),
    ({"SecretString": ""}, "text", "it is empty"),
    ({"SecretString": " \n"}, "text", "it is empty"),
    ({"SecretBinary": "U0VDUkVU"}, "text", "binary"),
    ({}, "text", "binary"),
    *(({"SecretString": text}, "fields", "no JSON object of texts") for text in (
        "SECRET", "{SECRET", '["SECRET"]', '{"SECRET": 7}', '{"a": {"SECRET": "x"}}', "[" * 100_000
    )),
    *(({"SecretString": text}, "url", "holds no https URL, without user and password") for text in (
        "https://SECRET:x@example.com/",
        "https://SECRET@example.com",
        "https://example.com:SECRET@example.com",
        "https://example.com\\@SECRET",
        "https://example.com:\u0663/SECRET",
        "hooks.slack.com/SECRET",
        "http://example.com/SECRET",
        "https://hooks.slack.com/SECRET b",
        "https://hooks.slack.com/SECRET\u00e9",
        "https://[SECRET/",
        '{"SECRET',
        '{"url": 7, "x": "SECRET"}',
        '{"x": "SECRET"}',
    )),
]  # fmt: skip


@pytest.mark.parametrize(("value", "method", "said"), SECRET_ERRORS)
def test_a_secret_that_is_not_as_it_should_be_is_named_and_not_shown(vault, secrets, value, method, said):
    if value is not None:
        vault.values[NAME] = value
    with pytest.raises(ChannelError) as raised:
        getattr(secrets, method)(NAME)
    assert NAME in str(raised.value)
    assert said in str(raised.value)
    assert (raised.value.surely_failed, raised.value.is_refused) == (True, False)
    assert "SECRET" not in "".join(everything_of(raised.value))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDeniedException", "GetSecretValue"),
        ("DecryptionFailure", "KMS"),
        ("InvalidRequestException", "being deleted"),
        ("NobodyKnowsException", "does not give it now: NobodyKnowsException"),
    ],
)
def test_why_a_secret_is_not_given_is_said(vault, secrets, code, said):
    vault.server.answers = [Answer(400, {"__type": code, "message": "x"})]
    with pytest.raises(ChannelError, match=said):
        secrets.text(NAME)


def test_a_secrets_manager_that_cannot_be_reached_is_a_channels_error(monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    client = boto3.client(
        "secretsmanager",
        endpoint_url=f"http://127.0.0.1:{closed_port()}",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    with pytest.raises(ChannelError, match="EndpointConnectionError"):
        SecretsManager(client).text(NAME)


# No secret anywhere.


def everything_of(error):
    """Give all that an error and those that it is chained to show: words, values, tracebacks."""
    seen = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or any(one is other for other in seen):
            continue
        seen.append(one)
        yield repr(one)
        yield str(one)
        yield repr(vars(one))
        yield from traceback.format_exception(one)
        waiting += [one.__cause__, one.__context__]


TROUBLES = [
    Answer(404, f"<p>The requested URL {PATH} was not found, Bearer {TOKEN}"),
    Answer(403, "invalid_token"),
    Answer(500, "x"),
    Answer(200, f"<p>{PATH} {TOKEN}"),
    Answer(200, {"ok": False, "error": f"no {TOKEN}"}),
    Answer(200, {"ok": False, "error": "invalid_auth", "needed": TOKEN}),
    Answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "1"}),
    Answer(hangs_up=True),
    Answer(after_seconds=1.3),
    Answer(302, "", {"Location": "/docs"}),
]


@pytest.mark.parametrize("answer", TROUBLES)
def test_no_secret_is_in_a_log_or_an_error_whatever_goes_wrong(channel, slack, answer, caplog):
    caplog.set_level(logging.DEBUG)
    slack.answers = [answer, answer]
    slack.usual = Answer(200, f"<p>{PATH}")
    error = refused(channel)
    said = "".join(everything_of(error)) + caplog.text + "".join(map(repr, caplog.records))
    # A header's value may come back in small letters.
    assert "SECRETSECRET" not in said.upper()
    # That it is looked for where it would be: the libraries do log.
    assert slack.asked
    assert "SECRETSECRET" in slack.asked[0].path + slack.asked[0].headers.get("Authorization", "")


def test_no_secret_is_in_a_log_when_all_is_well(channel, caplog, vault):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("botocore").debug("is not heard at DEBUG")
    channel.send(MESSAGE)
    assert vault.reads == 1
    assert "SECRET" not in caplog.text


def test_no_secret_is_in_the_words_for_an_object(channel, secrets):
    channel.send(MESSAGE)
    objects = [channel, secrets, *vars(channel).values(), *vars(secrets).values()]
    assert "SECRET" not in "".join(map(repr, objects))
    assert "SECRET" not in repr(vars(secrets)) + repr(vars(channel)) + repr(channel.render(MESSAGE))
