"""SNS that throttles, over HTTP on loopback: what it did not take is told later, and once."""

from urllib.parse import parse_qs

import boto3
import pytest
from botocore.config import Config
from fakes import OUTCOME
from http_double import Answer, http_server
from telling_world import TellingWorld

from ecr_warden.adapters.sns import SnsTopic
from ecr_warden.domain.policy import Channel, ChannelType, Policy, Route

OPS = Channel("ops", 1, ChannelType.SNS)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:outcomes"
XMLNS = "http://sns.amazonaws.com/doc/2010-03-31/"
TAKEN = Answer(
    body=f'<PublishResponse xmlns="{XMLNS}"><PublishResult><MessageId>1</MessageId></PublishResult>'
    "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>",
    headers={"Content-Type": "text/xml"},
)


def throttled():
    return Answer(
        400,
        f'<ErrorResponse xmlns="{XMLNS}"><Error><Type>Sender</Type><Code>Throttling</Code>'
        "<Message>Rate exceeded</Message></Error><RequestId>r</RequestId></ErrorResponse>",
        {"Content-Type": "text/xml"},
    )


@pytest.fixture
def sns():
    with http_server(usual=TAKEN) as server:
        yield server


def world(server):
    client = boto3.client(
        "sns",
        endpoint_url=server.url(),
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    policy = Policy("p", channels=(OPS,), routes=(Route(9, ("ops",)),))
    return TellingWorld(policy, ops=SnsTopic(client, TOPIC, "ops"))


def test_what_sns_throttles_is_told_once_it_takes_it(sns):
    sns.answers = [throttled(), throttled(), throttled()]
    told = world(sns)
    told.take(OUTCOME)
    told.run()
    assert len(sns.asked) == 4
    published = [parse_qs(asked.text) for asked in sns.asked]
    assert all(one["Action"] == ["Publish"] and one["TopicArn"] == [TOPIC] for one in published)
    assert [said.why is None for said in told.said] == [False, False, False, True]
    assert "Rate exceeded" in told.said[0].why
    assert told.outbox.status == {(OUTCOME.id, "ops"): "told"}
    told.take(OUTCOME)
    told.run()
    assert len(sns.asked) == 4, "never again"
