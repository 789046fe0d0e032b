import logging
import re
from dataclasses import replace

import pytest
from apprise import NotifyFormat, OverflowMode
from fakes import NOW, OUTCOME
from hostile import TEXTS, outcome_with
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_warden.adapters import apprise_channel
from ecr_warden.adapters.apprise_channel import Apprise
from ecr_warden.domain.content import content
from ecr_warden.domain.messages import Digest, Message
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Channel, ChannelType, Severity
from ecr_warden.errors import ChannelError

MESSAGE = Message((OUTCOME,))
PAGER = Channel("pager", 1, ChannelType.APPRISE, secret="ecr-warden/apprise/pager")


class FakeSecrets:
    def __init__(self, text):
        self._text = text
        self.forgotten = []

    def text(self, name):
        assert name == PAGER.secret
        return self._text

    def forget(self, name):
        self.forgotten.append(name)


def service(url):
    return apprise_channel._service(url, 10)  # noqa: SLF001  # what sends, and cannot be seen from without


def test_a_message_has_a_title_a_text_and_a_type():
    rendered = Apprise(PAGER, FakeSecrets("")).render(MESSAGE)
    assert rendered.payload == {
        "title": "[HIGH] Tag quarantined: team/app:latest",
        "body": rendered.text,
        "type": "failure",
    }
    assert rendered.text.endswith(content(MESSAGE).link)


@pytest.mark.parametrize(
    ("severity", "notify_type"),
    [
        (Severity.CRITICAL, "failure"),
        (Severity.HIGH, "failure"),
        (Severity.MEDIUM, "warning"),
        (Severity.LOW, "info"),
        (Severity.INFO, "info"),
    ],
)
def test_the_type_is_by_severity(severity, notify_type):
    message = Message((replace(OUTCOME, severity=severity),))
    assert Apprise(PAGER, FakeSecrets("")).render(message).payload["type"] == notify_type


def test_an_image_that_recovered_is_a_success():
    recovered = replace(OUTCOME, kind=OutcomeKind.IMAGE_RECOVERED)
    channel = Apprise(PAGER, FakeSecrets(""))
    assert channel.render(Message((recovered,))).payload["type"] == "success"
    assert channel.render(Message((OUTCOME, recovered))).payload["type"] == "failure"
    digest = Digest((("x", 9),), 9, NOW, NOW, Severity.MEDIUM, "https://example.com")
    assert channel.render(Message((recovered,), digest)).payload["type"] == "warning"


@given(TEXTS)
def test_nothing_from_outside_is_interpreted_by_a_chat(text):
    message = Message((outcome_with(text, id=text),), instead_of=text)
    payload = Apprise(PAGER, FakeSecrets("")).render(message).payload
    for said in (payload["title"], payload["body"].removesuffix(content(message).link)):
        assert not re.search(r"[<>`*~]|\]\(|\]\[|&#?\w+;|\|\||@(?!sha\d+:)[\w!&]", said)
    assert 0 < len(payload["title"]) <= 250
    assert 0 < len(payload["body"]) <= 8000


LIMITED = st.sampled_from(
    [
        "json://localhost",
        "discord://123456789012345678/token-of-a-webhook",
        "pagerduty://integrationkey@apikey",
        "mailto://user:password@example.com",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "twilio://AC12345678901234567890123456789012:token@15551234567/15557654321",
    ]
)


@settings(max_examples=60)
@given(TEXTS, LIMITED, st.integers(1, 30))
def test_a_message_stays_one_in_what_each_service_takes(text, url, count):
    taker = service(url)
    message = Message(tuple(outcome_with(text, id=str(number)) for number in range(count)))
    title, body = apprise_channel._fitting(message, taker)  # noqa: SLF001  # as above
    assert len(title) <= (taker.title_maxlen or taker.body_maxlen)
    used = len(body) if taker.title_maxlen else len(title) + len(body) + 2
    assert used <= taker.body_maxlen
    if taker.notify_format is NotifyFormat.TEXT:
        assert len(taker._apply_overflow(body, title=title)) == 1  # noqa: SLF001  # in how many it would send it


def test_what_a_url_says_of_retries_timeouts_and_redirects_does_not_count():
    taker = service(
        "json://localhost?retry=9&wait=20&rto=600&cto=600&redirect=yes&emojis=yes&overflow=split&optional=yes"
    )
    assert taker.service_retry == 0
    assert taker.request_timeout == (10, 10)
    assert not taker.redirects
    assert not taker.interpret_emojis
    assert not taker.optional
    assert taker.overflow_mode is OverflowMode.TRUNCATE
    assert service("json://localhost?rto=2&cto=1").request_timeout == (1, 2)


@pytest.mark.parametrize("text", ["", "nonsense", "nope://token-of-somebody", "https://", "discord://token"])
def test_a_secret_that_is_no_url_of_apprises_is_refused_without_showing_it(text, caplog):
    caplog.set_level(logging.DEBUG)
    secrets = FakeSecrets(text or "x")
    with pytest.raises(ChannelError) as raised:
        Apprise(PAGER, secrets).send(MESSAGE)
    assert "ecr-warden/apprise/pager holds no URL that Apprise knows" in str(raised.value)
    assert "token" not in str(raised.value) + caplog.text
    assert secrets.forgotten == [PAGER.secret]
    assert raised.value.__context__ is None


def test_a_channel_without_a_secret_is_refused():
    with pytest.raises(ChannelError, match="pager names no secret"):
        Apprise(replace(PAGER, secret=None), FakeSecrets(""))
