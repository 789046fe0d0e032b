"""Channels against servers on loopback, with their secrets in Secrets Manager; and SNS as moto has it."""

import io
import ipaddress
import json
import logging
import socket
import ssl
import threading
import time
import traceback
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fakes import NOW, OUTCOME
from hostile import HOSTILE, outcome_with
from moto import mock_aws

from ecr_warden.adapters.amazon_q import AmazonQ
from ecr_warden.adapters.apprise_channel import Apprise
from ecr_warden.adapters.outcome_bus import outcome_as_json
from ecr_warden.adapters.secrets import SecretsManager
from ecr_warden.adapters.signed_webhook import SignedWebhook, cloud_event, is_genuine
from ecr_warden.adapters.sns import SnsTopic
from ecr_warden.domain.messages import Message
from ecr_warden.domain.policy import Channel, ChannelType, Severity
from ecr_warden.errors import ChannelError

MESSAGE = Message((OUTCOME,))
REGION = "eu-west-1"
SECRET = "ecr-warden/channel"
TOKEN = "SECRETTOKEN0123456789"
KEY = "SECRETKEY0123456789SECRETKEY0123456789"
SHORT_TIMEOUT = 0.3


class Receiver(BaseHTTPRequestHandler):
    """Answers as it is told, and keeps what it got."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        status, headers = self.server.answers.pop(0) if self.server.answers else (200, {})
        if status == "hang":
            self.server.is_over.wait(10)
        elif status == "hang up":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif status == "drip":
            self.send_response(200)
            self.end_headers()
            while not self.server.is_over.wait(SHORT_TIMEOUT / 10):
                self.wfile.write(b"x")
        else:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Receiver)
        self.got = []
        self.answers = []
        self.is_over = threading.Event()

    def handle_error(self, *_):
        """Say nothing of clients that went away."""

    @property
    def port(self):
        return self.server_address[1]


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server():
    with serving(Server()) as found:
        yield found


@pytest.fixture
def manager():
    with mock_aws():
        yield boto3.client("secretsmanager", region_name=REGION)


@pytest.fixture(params=["apprise", "webhook"])
def kind(request):
    return request.param


@pytest.fixture
def make(kind, manager):
    """Give what makes a channel that tells a port, or another URL."""

    def made(port, scheme="http"):
        secret = secret_of(kind, port, scheme)
        manager.create_secret(Name=SECRET, SecretString=secret)
        secrets = SecretsManager(manager)
        if kind == "apprise":
            return Apprise(Channel("a", 1, ChannelType.APPRISE, SECRET), secrets, timeout=SHORT_TIMEOUT)
        of_policy = Channel("w", 1, ChannelType.WEBHOOK, SECRET)
        return SignedWebhook(of_policy, secrets, lambda: NOW, timeout=SHORT_TIMEOUT)

    return made


def secret_of(kind, port, scheme="http", token=TOKEN):
    if kind == "apprise":
        return f"{'jsons' if scheme == 'https' else 'json'}://user:{token}@127.0.0.1:{port}/{token}"
    return json.dumps({"url": f"{scheme}://127.0.0.1:{port}/{token}?x={token}", "key": KEY})


def failure(channel, caplog=None, message=MESSAGE):
    """Give the error of a message that is not taken; no secret is in it, its chain, or a log."""
    with pytest.raises(ChannelError) as raised:
        channel.send(message)
    error = raised.value
    chained = [error]
    while chained[-1] is not None:
        chained.append(chained[-1].__cause__ or chained[-1].__context__)
    shown = "".join(traceback.format_exception(error)) + "".join(
        repr((one, vars(one))) for one in chained[:-1]
    )
    logged = caplog.text if caplog else ""
    for hidden in (TOKEN, KEY):
        assert hidden not in shown + repr(channel) + logged
    return error


def test_a_message_is_taken_and_the_secret_is_in_no_log(make, server, caplog):
    caplog.set_level(logging.DEBUG)
    assert make(server.port).send(MESSAGE) is None
    assert len(server.got) == 1
    assert TOKEN not in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(("status", "is_refused"), [(404, False), (429, False), (503, False), (413, True)])
def test_what_is_answered_surely_told_nobody(make, server, caplog, status, is_refused):
    caplog.set_level(logging.DEBUG)
    server.answers = [(status, {})]
    error = failure(make(server.port), caplog)
    assert str(status) in str(error)
    assert SECRET in str(error)
    assert error.surely_failed
    assert error.is_refused is is_refused


def test_a_secret_that_was_rotated_is_read_again_when_the_old_one_is_refused(make, kind, server, manager):
    channel = make(server.port)
    channel.send(MESSAGE)
    manager.put_secret_value(SecretId=SECRET, SecretString=secret_of(kind, server.port, token="ROTATED"))
    channel.send(MESSAGE)
    for status in (400, 401, 403, 404, 410, 422):
        server.answers = [(status, {})]
        failure(channel)
        channel.send(MESSAGE)
        assert server.got[-1][0].startswith("/ROTATED")
        manager.put_secret_value(SecretId=SECRET, SecretString=secret_of(kind, server.port))
        server.answers = [(status, {})]
        failure(channel)
        channel.send(MESSAGE)
        assert server.got[-1][0].startswith(f"/{TOKEN}")
        manager.put_secret_value(SecretId=SECRET, SecretString=secret_of(kind, server.port, token="ROTATED"))
    assert [path.startswith("/ROTATED") for path, _, _ in server.got[:4]] == [False, False, False, True]


def test_a_receiver_that_hangs_may_have_been_told(make, server, caplog):
    caplog.set_level(logging.DEBUG)
    server.answers = [("hang", {})]
    assert not failure(make(server.port), caplog).surely_failed


def test_a_connection_that_broke_after_the_request_may_have_told(make, server, caplog):
    caplog.set_level(logging.DEBUG)
    server.answers = [("hang up", {})]
    assert not failure(make(server.port), caplog).surely_failed


def test_a_redirect_is_not_followed(make, server, caplog):
    caplog.set_level(logging.DEBUG)
    server.answers = [
        (status, {"Location": f"http://127.0.0.1:{server.port}/elsewhere"}) for status in (302, 307)
    ]
    channel = make(server.port)
    assert "302" in str(failure(channel, caplog))
    assert "307" in str(failure(channel, caplog))
    assert [path.partition("?")[0] for path, _, _ in server.got] == [f"/{TOKEN}"] * 2


def certificate(folder):
    """Make a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_a_receiver_with_a_certificate_that_nobody_vouches_for_is_told_nothing(make, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        failure(make(server.port, "https"), caplog)
    assert server.got == []


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_receiver_that_is_not_there_is_an_error_of_the_channel(make, caplog):
    caplog.set_level(logging.DEBUG)
    failure(make(closed_port()), caplog)


# What only one of them knows.


@pytest.fixture
def webhook(manager):
    def made(port, scheme="http"):
        manager.create_secret(Name=SECRET, SecretString=secret_of("webhook", port, scheme))
        of_policy = Channel("w", 1, ChannelType.WEBHOOK, SECRET)
        return SignedWebhook(of_policy, SecretsManager(manager), lambda: NOW, timeout=SHORT_TIMEOUT)

    return made


def test_a_webhook_gets_a_cloud_event_that_its_receiver_can_trust(webhook, server):
    webhook(server.port).send(MESSAGE)
    ((path, headers, body),) = server.got
    assert path == f"/{TOKEN}?x={TOKEN}"
    assert headers["Content-Type"] == "application/cloudevents+json; charset=UTF-8"
    assert json.loads(body) == cloud_event(OUTCOME)
    timestamp, signature = headers["X-Ecr-Warden-Timestamp"], headers["X-Ecr-Warden-Signature"]
    assert is_genuine(body, timestamp, signature, KEY, NOW.timestamp())
    assert not is_genuine(body + b" ", timestamp, signature, KEY, NOW.timestamp())


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "17"}, 17),
        (503, {"Retry-After": "17"}, 17),
        (429, {}, 30),
        (503, {}, None),
        (500, {"Retry-After": "17"}, None),
    ],
)
def test_a_webhook_that_is_busy_says_when_to_try_again(webhook, server, status, headers, seconds):
    server.answers = [(status, headers)]
    assert failure(webhook(server.port)).retry_after == seconds


@pytest.mark.parametrize(
    ("status", "surely_failed", "is_refused"),
    [
        (400, True, False),
        (422, True, False),
        (413, True, True),
        (415, True, True),
        (408, False, False),
        (500, False, False),
        (502, False, False),
        (503, True, False),
    ],
)
def test_a_webhook_says_what_is_wrong_with_a_request_and_whether_it_failed(
    webhook, server, status, surely_failed, is_refused
):
    server.answers = [(status, {})]
    error = failure(webhook(server.port))
    assert (error.surely_failed, error.is_refused) == (surely_failed, is_refused)


def test_a_webhook_that_answers_a_byte_at_a_time_is_waited_for_no_longer_than_any(webhook, server):
    server.answers = [("drip", {})]
    began = time.monotonic()
    error = failure(webhook(server.port))
    assert time.monotonic() - began < 5 * SHORT_TIMEOUT
    assert error.surely_failed is False
    assert "no answer in time" in str(error)


def test_a_webhook_that_was_never_reached_surely_told_nobody(webhook):
    error = failure(webhook(closed_port()))
    assert error.surely_failed
    assert "Connection refused" in str(error)


def test_a_webhook_that_cannot_be_trusted_surely_told_nobody(webhook, tmp_path):
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        error = failure(webhook(server.port, "https"))
    assert error.surely_failed
    assert "certificate" in str(error)


def test_more_outcomes_are_a_request_each(webhook, server):
    webhook(server.port).send(Message((OUTCOME, replace(OUTCOME, id="outcome-2"))))
    assert [json.loads(body)["id"] for _, _, body in server.got] == ["outcome-1", "outcome-2"]


def test_apprise_tells_a_title_a_text_and_a_type_and_keeps_the_rate_of_the_service(manager, server):
    url = json.dumps({"url": secret_of("apprise", server.port)})
    manager.create_secret(Name=SECRET, SecretString=url)
    channel = Apprise(Channel("a", 1, ChannelType.APPRISE, SECRET), SecretsManager(manager))
    for text in HOSTILE:
        channel.send(Message((outcome_with(text),)))
    told = [json.loads(body) for _, _, body in server.got]
    # Each is one message, and as it was rendered: Apprise interprets nothing of it.
    rendered = [channel.render(Message((outcome_with(text),))).payload for text in HOSTILE]
    assert [one["title"] for one in told] == [payload["title"] for payload in rendered]
    assert [one["message"] for one in told] == [payload["body"] for payload in rendered]
    assert {one["type"] for one in told} == {"failure"}
    assert channel.pause == 1.0


@pytest.fixture
def apprise(manager):
    def made(port, url="json://user:{token}@127.0.0.1:{port}/{token}"):
        manager.create_secret(Name=SECRET, SecretString=url.format(token=TOKEN, port=port))
        of_policy = Channel("a", 1, ChannelType.APPRISE, SECRET)
        return Apprise(of_policy, SecretsManager(manager), timeout=SHORT_TIMEOUT)

    return made


@pytest.mark.parametrize("status", [400, 422])
def test_a_service_of_apprise_that_may_mean_its_key_refuses_no_message(apprise, server, manager, status):
    # PagerDuty answers 400 for an integration key that is wrong.
    channel = apprise(server.port)
    server.answers = [(status, {})]
    error = failure(channel)
    assert not error.is_refused
    assert error.surely_failed
    rotated = secret_of("apprise", server.port, token="ROTATED")
    manager.put_secret_value(SecretId=SECRET, SecretString=rotated)
    channel.send(MESSAGE)
    assert server.got[-1][0].startswith("/ROTATED")


@pytest.mark.parametrize(
    ("status", "surely_failed"),
    [(408, False), (500, False), (502, False), (504, False), (599, False), (501, True), (503, True)],
)
def test_a_service_of_apprise_may_have_been_told_before_its_gateway_gave_up(
    apprise, server, status, surely_failed
):
    server.answers = [(status, {})]
    error = failure(apprise(server.port))
    assert error.surely_failed is surely_failed
    assert not error.is_refused


@pytest.mark.parametrize(("status", "seconds"), [(429, 30), (503, None), (400, None)])
def test_a_service_of_apprise_with_too_many_requests_gets_a_pause(apprise, server, status, seconds):
    server.answers = [(status, {"Retry-After": "17"})]
    assert failure(apprise(server.port)).retry_after == seconds


def test_a_url_of_apprise_cannot_have_a_certificate_trusted_that_nobody_vouches_for(apprise, tmp_path):
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        failure(apprise(server.port, "jsons://user:{token}@127.0.0.1:{port}/{token}?verify=no"))
    assert server.got == []


# Apprise's own logger, from which nothing comes to the root's, and those of the HTTP clients below it.
LOGGERS = (None, "apprise", "urllib3", "requests")


@pytest.fixture
def logged():
    """Give what any logger says from DEBUG on, as far as they are left to."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    yield stream
    for logger, level in zip(loggers, before, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.mark.parametrize("answer", [400, 404, "hang", "hang up"])
def test_what_apprise_says_of_a_request_that_fails_is_logged_without_the_secret(
    apprise, server, logged, answer
):
    # This service's warnings name the user who is told, which is a part of the URL.
    url = "ncloud://user:{token}@127.0.0.1:{port}/{token}"
    server.answers = [(answer, {})]
    error = failure(apprise(server.port, url))
    assert len(server.got) == 1
    assert TOKEN in server.got[0][0]
    assert TOKEN not in logged.getvalue()
    if isinstance(answer, int):
        assert f"error={answer}" in logged.getvalue()
        assert str(answer) in str(error)
    else:
        assert "not shown: it may hold a secret URL" in logged.getvalue()


@pytest.mark.parametrize(
    "url", ["nope://{token}", "discord://{token}", "ntfy://{token}@/", "tgram://{token}/1"]
)
def test_what_apprise_says_of_a_url_that_it_does_not_know_is_logged_without_the_secret(apprise, logged, url):
    failure(apprise(1, url))
    assert TOKEN not in logged.getvalue()


def test_apprise_leaves_the_rate_of_a_slow_service_to_who_sends(manager, server, monkeypatch):
    monkeypatch.setattr("apprise.plugins.custom_json.NotifyJSON.request_rate_per_sec", 60.0)
    manager.create_secret(Name=SECRET, SecretString=secret_of("apprise", server.port))
    channel = Apprise(Channel("a", 1, ChannelType.APPRISE, SECRET), SecretsManager(manager))
    channel.send(MESSAGE)
    channel.send(MESSAGE)
    assert channel.pause == 60.0
    assert len(server.got) == 2


@pytest.mark.parametrize("secret", [" ", '{"uri": "json://127.0.0.1"}', "{", '{"url": 7}'])
def test_a_secret_of_apprise_that_holds_no_url_is_named_and_not_shown(manager, secret):
    manager.create_secret(Name=SECRET, SecretString=secret)
    channel = Apprise(Channel("a", 1, ChannelType.APPRISE, SECRET), SecretsManager(manager))
    error = failure(channel)
    assert SECRET in str(error)
    assert "127.0.0.1" not in str(error)


@pytest.fixture
def subscribed():
    """Give a topic, and what takes what a queue got that subscribes to it."""
    with mock_aws():
        sns, sqs = boto3.client("sns", region_name=REGION), boto3.client("sqs", region_name=REGION)
        arn = sns.create_topic(Name="outcomes")["TopicArn"]

        def queue(name, **attributes):
            url = sqs.create_queue(QueueName=name)["QueueUrl"]
            endpoint = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
            sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=endpoint["QueueArn"], Attributes=attributes)

            def take():
                got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
                return got.get("Messages", [])

            return take

        yield sns, arn, queue


def test_a_queue_gets_the_outcomes_as_json_with_attributes(subscribed):
    sns, arn, queue = subscribed
    take = queue("machine", RawMessageDelivery="true")
    SnsTopic(sns, arn, "ops").send(MESSAGE)
    (got,) = take()
    assert json.loads(got["Body"])["outcomes"] == [outcome_as_json(OUTCOME)]
    assert len(got["MessageAttributes"]) == 10
    assert got["MessageAttributes"]["severity"]["StringValue"] == "high"


def test_subscriptions_choose_by_severity_also_of_a_message_with_more_outcomes(subscribed):
    sns, arn, queue = subscribed
    urgent = queue("urgent", FilterPolicy=json.dumps({"severity": ["critical"]}))
    high = queue("high", FilterPolicy=json.dumps({"severity": ["high"]}))
    low = queue("low", FilterPolicy=json.dumps({"severity": ["low"]}))
    critical = replace(OUTCOME, id="outcome-2", severity=Severity.CRITICAL)
    SnsTopic(sns, arn, "ops").send(Message((critical, OUTCOME)))
    assert [len(take()) for take in (urgent, high, low)] == [1, 1, 0]


def test_a_topic_that_is_gone_says_what_to_do(subscribed):
    sns, arn, _ = subscribed
    error = failure(SnsTopic(sns, arn + "-none", "ops"))
    assert "deploy the stack anew" in str(error)
    assert error.surely_failed


def test_the_chat_topic_gets_a_custom_notification(subscribed):
    sns, arn, queue = subscribed
    take = queue("chat", RawMessageDelivery="true")
    channel = AmazonQ(sns, arn, "chat")
    channel.send(MESSAGE)
    (got,) = take()
    assert json.loads(got["Body"]) == channel.render(MESSAGE).payload
