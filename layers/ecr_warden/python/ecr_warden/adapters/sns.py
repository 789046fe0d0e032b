"""SNS: a text for people, JSON for machines, attributes to filter on; one publish a message."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ecr_warden.adapters.outcome_bus import outcome_as_json
from ecr_warden.adapters.plain_text import letter, subject
from ecr_warden.adapters.topics import publish
from ecr_warden.domain.content import content
from ecr_warden.domain.messages import Message, Posted, Thread, Traits
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.texts import cut_at_word, one_line
from ecr_warden.ports import Rendered

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

# Of the message as it is published, with its subject and attributes, in bytes.
_MESSAGE_BYTES: Final = 262_144
# Under 100 characters.
_SUBJECT_LENGTH: Final = 99
_TEXT_LENGTH: Final = 8_000
_SMS_LENGTH: Final = 140
_VALUE_LENGTH: Final = 512
_ARRAY_BYTES: Final = 4_096
# Subscriptions of people get the first ones, and those of programs the others.
_FOR_PEOPLE: Final = ("default", "email")
_FOR_MACHINES: Final = ("sqs", "lambda", "http", "https", "firehose")
# What tells an outcome from others: this much of it is told where all of it is too large.
_ESSENTIAL: Final = (
    "id",
    "kind",
    "account",
    "region",
    "repository",
    "image_digest",
    "image_tag",
    "mode",
    "decision",
    "action",
    "changed",
    "reason",
    "next_step",
    "severity",
    "event_id",
    "event_time",
)


class SnsTopic:
    """One topic."""

    # SNS queues and keeps the rates of those who subscribe.
    pause: float = 0.0
    takes_each: bool = False
    has_threads: bool = False

    def __init__(self, client: "SNSClient", topic_arn: str, channel_name: str) -> None:
        self._client = client
        self._topic_arn = topic_arn
        self._channel_name = channel_name

    def render(self, message: Message) -> Rendered:
        """Give the subject, the message of each protocol, and the attributes that filter policies may use."""
        text = letter(message, _TEXT_LENGTH)
        title = sns_subject(message)
        attributes = sns_attributes(message, self._channel_name)
        used = len(title) + _attribute_bytes(attributes)
        bodies = _bodies(message, text, _MESSAGE_BYTES - used)
        return Rendered(text, {"subject": title, "message": bodies, "attributes": attributes})

    def send(self, message: Message, thread: Thread | None = None) -> Posted | None:  # noqa: ARG002  # has none
        """Publish a message, or raise ``ChannelError``."""
        payload = self.render(message).payload
        publish(
            self._client,
            TopicArn=self._topic_arn,
            Subject=payload["subject"],
            Message=_as_json(payload["message"]),
            MessageStructure="json",
            MessageAttributes=payload["attributes"],
        )
        return None


def sns_subject(message: Message) -> str:
    """Give a subject as SNS takes it: printable ASCII, one line, under 100 characters."""
    # It begins with "[", which counts as punctuation.
    plain = one_line(subject(content(message), _VALUE_LENGTH)).encode("ascii", "replace").decode()
    return cut_at_word(plain, _SUBJECT_LENGTH - 2).replace("…", "...")


def sns_attributes(message: Message, channel_name: str) -> dict[str, dict[str, str]]:
    """Give a message's attributes: where its outcomes differ in one, that is an array of strings.

    They are ten, the most with which raw delivery to SQS does not drop a message. Those of a digest are of
    all its outcomes, so that no filter misses one; but ids are those of the outcomes shown.
    """
    traits = message.traits
    values: dict[str, Sequence[str]] = {
        "channel": [channel_name],
        "kind": traits.kinds,
        "severity": traits.severities,
        "mode": traits.modes,
        "action": traits.actions,
        "changed": [str(changed).lower() for changed in traits.changed],
        "account": traits.accounts,
        "region": traits.regions,
        "repository": traits.repositories,
        "outcome_id": [outcome.id for outcome in message.outcomes],
    }
    return {name: _attribute(some) for name, some in values.items()}


def _attribute(values: Sequence[str]) -> dict[str, str]:
    # SNS refuses an empty value, and what XML has no character for.
    distinct = list(dict.fromkeys(cut_at_word(one_line(value), _VALUE_LENGTH) or "-" for value in values))
    if len(distinct) == 1:
        return {"DataType": "String", "StringValue": distinct[0]}
    while len(_as_json(distinct).encode()) > _ARRAY_BYTES:
        distinct.pop()
    return {"DataType": "String.Array", "StringValue": _as_json(distinct)}


def _attribute_bytes(attributes: dict[str, dict[str, str]]) -> int:
    return sum(len((name + "".join(value.values())).encode()) for name, value in attributes.items())


def _bodies(message: Message, text: str, most: int) -> dict[str, str]:
    """Give each protocol's message; all together, as JSON, they have at most so many bytes."""
    for document in _documents(message):
        for_machines = _as_json(document)
        bodies = dict.fromkeys(_FOR_PEOPLE, text) | {"sms": cut_at_word(text.partition("\n")[0], _SMS_LENGTH)}
        bodies |= dict.fromkeys(_FOR_MACHINES, for_machines)
        if len(_as_json(bodies).encode()) <= most:
            break
    return bodies


def _documents(message: Message) -> Iterator[dict[str, Any]]:
    """Give what is told to machines: all of it first, and then less and less."""
    outcomes = [outcome_as_json(outcome) for outcome in message.outcomes]
    for count in range(len(outcomes), 0, -1):
        yield _document(message, outcomes[:count])
    essential = [_essential(message.outcomes[0])]
    yield _document(message, essential)
    if message.digest:
        # Its traits are attributes too.
        yield _document(replace(message, digest=replace(message.digest, traits=Traits.of(()))), essential)


def _document(message: Message, outcomes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "outcomes": outcomes,
        "left_out": message.total - len(outcomes),
        "digest": msgspec.to_builtins(message.digest),
        "instead_of": message.instead_of and cut_at_word(message.instead_of, _VALUE_LENGTH),
    }


def _essential(outcome: Outcome) -> dict[str, Any]:
    fields = outcome_as_json(outcome)
    short = {
        name: cut_at_word(one_line(value), _VALUE_LENGTH) if isinstance(value, str) else value
        for name, value in fields.items()
        if name in _ESSENTIAL
    }
    return short | {"is_shortened": True}


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
