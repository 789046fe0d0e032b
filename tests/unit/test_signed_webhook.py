import inspect
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fakes import NOW, OUTCOME
from hostile import TEXTS, outcome_with
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.outcome_bus import outcome_as_json
from ecr_warden.adapters.signed_webhook import SignedWebhook, cloud_event, is_genuine, signature_headers
from ecr_warden.domain.messages import Message
from ecr_warden.domain.policy import Channel, ChannelType
from ecr_warden.errors import ChannelError

KEY = "k" * 32
SIEM = Channel("siem", 1, ChannelType.WEBHOOK, secret="ecr-warden/webhook/siem")


class FakeSecrets:
    def __init__(self, **fields):
        self._fields = fields
        self.forgotten = []

    def fields(self, name):
        assert name == SIEM.secret
        return self._fields

    def text(self, name):
        assert name == SIEM.secret
        return "{"

    def forget(self, name):
        self.forgotten.append(name)


def test_an_outcome_is_a_cloud_event():
    assert cloud_event(OUTCOME) == {
        "specversion": "1.0",
        "id": "outcome-1",
        "source": "/ecr-warden/123456789012/eu-west-1",
        "type": "ecr-warden.tag_violation",
        "subject": "team/app:latest",
        "time": "2026-11-24T02:59:58+00:00",
        "datacontenttype": "application/json",
        "data": outcome_as_json(OUTCOME),
    }


def test_what_is_told_in_place_of_another_channel_says_so():
    assert cloud_event(OUTCOME, "pager: down")["insteadof"] == "pager: down"


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"image_tag": None}, f"team/app@{OUTCOME.image_digest}"),
        ({"image_tag": None, "image_digest": None}, "team/app"),
        ({"image_tag": None, "image_digest": None, "repository": ""}, "-"),
    ],
)
def test_a_subject_is_the_image_or_its_repository(changes, subject):
    assert cloud_event(replace(OUTCOME, **changes))["subject"] == subject


@given(TEXTS)
def test_attributes_are_what_cloud_events_allow_and_the_data_is_left_as_it_is(text):
    outcome = outcome_with(text, account=text, region=text)
    event = cloud_event(outcome, text)
    assert event["data"] == outcome_as_json(outcome)
    for name, value in event.items():
        assert re.fullmatch("[a-z0-9]{1,20}", name)
        if name != "data":
            assert value
            assert not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]", value)
    assert re.fullmatch(r"/ecr-warden/[\w.~%-]*/[\w.~%-]*", event["source"], re.ASCII)


def signed(body, at, key=KEY):
    headers = signature_headers(body, key, at)
    return headers["X-Ecr-Warden-Timestamp"], headers["X-Ecr-Warden-Signature"]


@given(st.binary(max_size=200), st.text(min_size=32, max_size=64), st.integers(-300, 300))
def test_a_receiver_knows_a_request_by_its_signature_for_five_minutes(body, key, seconds):
    timestamp, signature = signed(body, NOW, key)
    assert is_genuine(body, timestamp, signature, key, NOW.timestamp() + seconds)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_request_that_is_sent_again_later_is_refused(seconds):
    timestamp, signature = signed(b"{}", NOW)
    assert not is_genuine(b"{}", timestamp, signature, KEY, NOW.timestamp() + seconds)


@pytest.mark.parametrize(
    ("body", "timestamp", "signature", "key"),
    [
        (b"{ }", None, None, KEY),
        (b"{}", "1795489201", None, KEY),
        (b"{}", "", None, KEY),
        (b"{}", "-1", None, KEY),
        (b"{}", "²", None, KEY),
        (b"{}", "9" * 5000, None, KEY),
        (b"{}", None, "v1=\ud800", KEY),
        (b"{}", None, "", KEY),
        (b"{}", None, "v1=", KEY),
        (b"{}", None, "v1=é", KEY),
        (b"{}", None, None, "l" * 32),
    ],
)
def test_a_request_of_somebody_else_is_refused(body, timestamp, signature, key):
    good_timestamp, good_signature = signed(b"{}", NOW)
    timestamp = good_timestamp if timestamp is None else timestamp
    signature = good_signature if signature is None else signature
    assert not is_genuine(body, timestamp, signature, key, NOW.timestamp())


def test_the_receivers_function_can_be_copied_as_it_is():
    source = inspect.getsource(is_genuine)
    copied = {}
    exec(f"import hmac\nfrom hashlib import sha256\n{source}", copied)  # noqa: S102  # as a receiver would
    timestamp, signature = signed(b"{}", NOW)
    assert copied["is_genuine"](b"{}", timestamp, signature, KEY, NOW.timestamp())


def test_a_signature_is_this_for_ever():
    # Receivers elsewhere compute the same: a change breaks them.
    assert signed(b'{"id":"1"}', datetime(2026, 11, 24, tzinfo=UTC)) == (
        "1795478400",
        "v1=ffca135a4903c16b20ad13a5f41c1f70bfc620501a614ed32a09735d62638dfa",
    )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"url": "https://example.com/x"},
        {"key": KEY},
        {"url": "https://example.com/x", "key": "k" * 31},
        {"url": "http://example.com/x", "key": KEY},
        {"url": "https://user:word@example.com/x", "key": KEY},
        {"url": "https://example.com/a b", "key": KEY},
        {"url": "file:///etc/passwd", "key": KEY},
    ],
)
def test_a_secret_without_an_https_url_or_a_long_key_is_refused_without_showing_it(fields):
    secrets = FakeSecrets(**fields)
    with pytest.raises(ChannelError) as raised:
        SignedWebhook(SIEM, secrets, lambda: NOW).send(Message((OUTCOME,)))
    assert "ecr-warden/webhook/siem" in str(raised.value)
    assert "without user and password" in str(raised.value)
    assert "example.com" not in str(raised.value)
    assert "kkk" not in repr(raised.value)
    # It may be mended by the next time.
    assert secrets.forgotten == [SIEM.secret]


def test_a_key_that_is_no_text_is_refused_and_not_shown():
    secrets = FakeSecrets(url="https://example.com/", key="SECRET" + "\ud800" * 32)
    with pytest.raises(ChannelError) as raised:
        SignedWebhook(SIEM, secrets, lambda: NOW).send(Message((OUTCOME,)))
    assert SIEM.secret in str(raised.value)
    assert "in UTF-8" in str(raised.value)
    assert "SECRET" not in repr(raised.value) + repr(raised.value.__context__)


def test_a_channel_without_a_secret_is_refused():
    with pytest.raises(ChannelError, match="siem names no secret"):
        SignedWebhook(replace(SIEM, secret=None), FakeSecrets(), lambda: NOW)


def test_each_outcome_is_an_event_of_its_own():
    channel = SignedWebhook(SIEM, FakeSecrets(), lambda: NOW)
    assert channel.takes_each
    assert channel.render(Message((OUTCOME,))).payload == cloud_event(OUTCOME)
    other = replace(OUTCOME, id="outcome-2")
    assert channel.render(Message((OUTCOME, other))).payload == {
        "events": [cloud_event(OUTCOME), cloud_event(other)]
    }
