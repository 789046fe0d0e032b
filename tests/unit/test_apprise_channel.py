import html
import logging
import re
from dataclasses import replace

import pytest
from apprise import OverflowMode
from fakes import NOW, OUTCOME
from hostile import TEXTS, outcome_with
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_warden.adapters import apprise_channel
from ecr_warden.adapters.apprise_channel import Apprise
from ecr_warden.domain.content import content
from ecr_warden.domain.messages import Digest, Message, Traits
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
    digest = Digest((("x", 9),), 9, NOW, NOW, Severity.MEDIUM, "https://example.com", Traits.of((recovered,)))
    assert channel.render(Message((recovered,), digest)).payload["type"] == "warning"


@given(TEXTS)
def test_nothing_from_outside_is_interpreted_by_a_chat(text):
    message = Message((outcome_with(text, id=text),), instead_of=text)
    payload = Apprise(PAGER, FakeSecrets("")).render(message).payload
    for said in (payload["title"], payload["body"].removesuffix(content(message).link)):
        assert not re.search(r"[<>`*~]|\]\(|\]\[|&#?\w+;|\|\||@(?!sha\d+:)[\w!&]", said)
    assert 0 < len(payload["title"]) <= 250
    assert 0 < len(payload["body"]) <= 8000


DISCORD = "discord://123456789012345678/token-of-a-webhook"
TELEGRAM = "tgram://123456789:abcdefg_hijklmnop/12315544/"
# By how it takes a text: as it is, with the title in the same room, as HTML, as CommonMark, in a dialect.
LIMITED = {
    "json": "json://localhost",
    "email": "mailto://user:password@example.com",
    "email as HTML": "mailto://user:password@example.com?format=html",
    "pagerduty": "pagerduty://integrationkey@apikey",
    "pushover": "pover://uuuuuuuuuuuuuuuuuuuuuuuuuuuuuu@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "pushover as HTML": "pover://uuuuuuuuuuuuuuuuuuuuuuuuuuuuuu@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?format=html",
    "ntfy": "ntfys://ntfy.example.com/topic",
    "mattermost": "mmosts://example.com/3ccdd113474722377935511fc85d3dd4",
    "discord": DISCORD,
    "discord as markdown": DISCORD + "?format=markdown",
    "telegram": TELEGRAM,
    "telegram as HTML": TELEGRAM + "?format=html",
    "telegram as markdown": TELEGRAM + "?format=markdown",
    "teams": "workflows://prod-12.westeurope.logic.azure.com:443/643e69f83c8944438d68119179a10a64/KODuebbbGG/",
    "google chat": "gchat://workspace/key/token",
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
    "matrix": "matrixs://user:pass@matrix.example.com/#room",
    "opsgenie": "opsgenie://a3b4c5d6-1111-2222-3333-444455556666",
}
LONG = ("\"a\" & 'b' " * 600, "a && b " * 900, "word " * 4000, ":a:b:" * 2000, "\\" * 5000, "漢" * 9000)


def sent(message, url):
    """Give the service, and the title and the text that Apprise has it send: the one message that it is."""
    taker, calls = service(url), []
    taker.send = lambda **call: calls.append(call) or True
    title, body = apprise_channel._fitting(message, taker)  # noqa: SLF001  # as above
    assert apprise_channel._told(taker, title, body, "info").is_told  # noqa: SLF001  # as above
    (call,) = calls
    return taker, call["title"], call["body"]


def as_read(body):
    """Give a text without what keeps HTML and CommonMark from meaning anything."""
    unescaped = html.unescape(body).replace("<br/>", "\n").replace("\xa0", " ")
    return re.sub(r"\\(?=[^a-zA-Z0-9\s])", "", unescaped)


def message_with(text, count=1):
    """Give a message of outcomes in which all is hostile that is not in a link."""
    kept = ("repository", "image_digest")
    own = {name: getattr(OUTCOME, name) for name in kept}
    return Message(tuple(outcome_with(text, **own, id=str(number)) for number in range(count)))


@settings(max_examples=200)
@given(TEXTS | st.sampled_from(LONG), st.sampled_from(sorted(LIMITED)), st.integers(1, 12))
def test_a_message_is_one_that_the_service_takes_with_its_link_and_no_entity_that_is_cut(text, name, count):
    message = message_with(text, count)
    taker, title, body = sent(message, LIMITED[name])
    assert len(title) <= taker.title_maxlen
    assert len(body) <= taker.body_maxlen
    assert as_read(body).endswith(content(message).link)
    if "&nbsp;" in body:
        assert not re.search(r"&(?!(?:#\d+|\w+);)", body)


@given(TEXTS, st.integers(1, 12))
def test_a_message_in_a_text_to_a_phone_has_no_half_of_a_link(text, count):
    url = "twilio://AC12345678901234567890123456789012:token@15551234567/15557654321"
    taker, title, body = sent(message_with(text, count), url)
    assert not title
    assert 0 < len(body) <= taker.body_maxlen
    assert "https://eu-west-1" not in body


# Apprise cuts what it made HTML of before it makes less of that again.
@pytest.mark.parametrize(
    "name", sorted(name for name in LIMITED if "HTML" not in name and name != "telegram")
)
@pytest.mark.parametrize("text", ["word " * 4000, "a && b " * 900])
def test_a_service_gets_nearly_all_that_it_takes(name, text):
    taker, title, body = sent(message_with(text), LIMITED[name])
    assert len(title) + len(body) > 0.9 * min(taker.body_maxlen, 8000)


def test_an_email_as_html_says_as_much_as_one_of_text():
    message = message_with("word " * 4000)
    _, _, as_text = sent(message, LIMITED["email"])
    _, _, as_html = sent(message, LIMITED["email as HTML"])
    assert as_read(as_html) == as_text
    assert len(as_html) > len(as_text) > 7900


def test_a_url_cannot_switch_off_that_certificates_are_verified():
    assert service("jsons://localhost?verify=no").verify_certificate is True


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
