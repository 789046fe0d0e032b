import json
import re
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from fakes import NOW, OUTCOME
from hostile import TEXTS, outcome_with
from hypothesis import given

from ecr_warden.adapters.amazon_q import AmazonQ
from ecr_warden.adapters.plain_text import inert
from ecr_warden.domain.content import content
from ecr_warden.domain.messages import Digest, Message, Traits
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Severity
from ecr_warden.errors import ChannelError

MESSAGE = Message((OUTCOME,))


class FakeSns:
    def __init__(self, error=None):
        self.error = error
        self.published = []

    def publish(self, **request):
        if self.error:
            raise self.error
        self.published.append(request)


def notification(message):
    client = FakeSns()
    channel = AmazonQ(client, "arn:chat", "chat")
    assert channel.send(message) is None
    (request,) = client.published
    assert request.keys() == {"TopicArn", "Message"}
    assert request["TopicArn"] == "arn:chat"
    sent = json.loads(request["Message"])
    assert sent == channel.render(message).payload
    return sent


def test_a_message_is_a_custom_notification():
    sent = notification(MESSAGE)
    link = content(MESSAGE).link
    description = sent["content"].pop("description")
    assert description.startswith("Tag quarantined: team/app:latest\n\nThe tag latest is denied.")
    assert description.endswith(f"Open it in the ECR console: {link}")
    assert re.fullmatch("[0-9a-f]{32}", sent["metadata"].pop("threadId"))
    assert sent == {
        "version": "1.0",
        "source": "custom",
        "id": "outcome-1",
        "content": {
            "textType": "client-markdown",
            "title": "[HIGH] Tag quarantined: team/app:latest",
            "nextSteps": ["Push it again."],
            "keywords": ["high", "tag_violation"],
        },
        "metadata": {
            "summary": "[HIGH] Tag quarantined: team/app:latest",
            "eventType": "ecr-warden-tag-violation",
            "relatedResources": ["arn:aws:ecr:eu-west-1:123456789012:repository/team/app"],
            "additionalContext": {
                "channel": "chat",
                "account": "123456789012",
                "region": "eu-west-1",
                "repository": "team/app",
                "imageDigest": OUTCOME.image_digest,
                "imageTag": "latest",
                "outcomeId": "outcome-1",
            },
        },
    }


def thread_of(*outcomes):
    return notification(Message(outcomes))["metadata"]["threadId"]


def test_all_messages_about_one_image_are_one_thread():
    recovered = replace(OUTCOME, id="outcome-2", kind=OutcomeKind.IMAGE_RECOVERED, image_tag="v1")
    assert thread_of(OUTCOME) == thread_of(recovered)
    assert thread_of(OUTCOME) != thread_of(replace(OUTCOME, image_digest="sha256:" + "cd" * 32))
    assert thread_of(OUTCOME) != thread_of(replace(OUTCOME, account="210987654321"))


def test_a_digest_is_in_no_thread():
    digest = Digest(
        (("Tag quarantined", 9),),
        9,
        NOW,
        NOW,
        Severity.HIGH,
        "https://example.com/all",
        Traits.of((OUTCOME,)),
    )
    sent = notification(Message((OUTCOME,), digest))
    assert "threadId" not in sent["metadata"]
    assert sent["metadata"]["eventType"] == "ecr-warden-digest"
    assert sent["content"]["description"].endswith("List all 9: https://example.com/all")


def texts(value):
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from texts(inner)
        case list():
            for inner in value:
                yield from texts(inner)


@given(TEXTS)
def test_nothing_from_outside_is_interpreted_by_a_chat_or_over_the_limits(text):
    message = Message((outcome_with(text, id=text), outcome_with(text + "x", account=text)), instead_of=text)
    sent = notification(message)
    shown = sent["content"] | {"more": [sent["metadata"]["summary"], sent["metadata"]["relatedResources"]]}
    link = content(message).link
    for said in texts(shown):
        # The link is this product's own, and quoted.
        plain = said.removesuffix(link)
        assert not re.search(r"[<>`*~]|\]\(|\]\[|&#?\w+;|\|\||@(?!sha\d+:)[\w!&]", plain)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", plain)
    assert len(sent["content"]["title"]) <= 250
    assert 0 < len(sent["content"]["description"]) <= 8000
    assert all(0 < len(item) <= 250 for item in sent["content"]["nextSteps"])
    assert re.fullmatch("[a-zA-Z0-9-]{1,100}", sent["metadata"]["eventType"])
    for value in sent["metadata"]["additionalContext"].values():
        assert re.fullmatch("[\x21-\x7f]{1,1024}", value)


def test_a_list_has_as_many_as_one_reads():
    outcomes = tuple(replace(OUTCOME, repository=f"app-{n}", next_step=f"Mend {n}.") for n in range(40))
    sent = notification(Message(outcomes))
    assert sent["content"]["nextSteps"] == [f"Mend {n}." for n in range(10)]
    assert len(sent["metadata"]["relatedResources"]) == 10


UNDO = "`ecr-warden undo change-1 change-2` takes it back."


@pytest.mark.parametrize("before", range(0, 300, 7))
def test_what_to_do_has_a_command_whole_or_not_at_all(before):
    step = "word " * (before // 5) + "w" * (before % 5) + " " + UNDO + " More words." * 40
    (shown,) = notification(Message((replace(OUTCOME, next_step=step),)))["content"]["nextSteps"]
    assert len(shown) <= 250
    assert shown.endswith("…")
    assert inert("`ecr-warden undo change-1 change-2`") in shown or "ecr-warden" not in shown


def test_what_to_do_that_is_one_long_command_is_left_to_the_description():
    step = f"`ecr-warden undo {'change ' * 50}`"
    content_of_it = notification(Message((replace(OUTCOME, next_step=step),)))["content"]
    assert content_of_it["nextSteps"] == []
    assert inert(step) in content_of_it["description"]


def test_a_long_text_keeps_its_link():
    message = Message((replace(OUTCOME, reason="word " * 4000),))
    description = notification(message)["content"]["description"]
    assert len(description) <= 8000
    assert description.endswith(f"word…\n\nOpen it in the ECR console: {content(message).link}")


def test_an_error_of_sns_is_the_channels():
    response = {"Error": {"Code": "Throttled"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    channel = AmazonQ(FakeSns(ClientError(response, "Publish")), "arn:chat", "chat")
    with pytest.raises(ChannelError) as raised:
        channel.send(MESSAGE)
    assert raised.value.surely_failed
