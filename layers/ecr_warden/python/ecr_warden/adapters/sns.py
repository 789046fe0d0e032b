"""SNS: a text that people read in an e-mail, and attributes to filter on."""

from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from ecr_warden.domain.notices import notice
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.errors import ChannelError
from ecr_warden.ports import Rendered

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

_SUBJECT_LENGTH: Final = 99


class SnsTopic:
    """One topic."""

    def __init__(self, client: "SNSClient", topic_arn: str, channel: str) -> None:
        self._client = client
        self._topic_arn = topic_arn
        self._channel = channel

    def render(self, outcome: Outcome) -> Rendered:
        """Give the message, and the attributes that subscriptions may filter on."""
        text = sns_text(outcome)
        attributes = _attributes(outcome, self._channel)
        return Rendered(text, {"subject": sns_subject(outcome), "message": text, "attributes": attributes})

    def send(self, outcome: Outcome) -> None:
        """Publish an outcome, or raise ``ChannelError``."""
        payload = self.render(outcome).payload
        try:
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=payload["subject"],
                Message=payload["message"],
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in payload["attributes"].items()
                },
            )
        except ReadTimeoutError as error:
            raise ChannelError(f"SNS: {error}", surely_failed=False) from error
        except (ClientError, BotoCoreError) as error:
            raise ChannelError(f"SNS: {error}") from error


def sns_subject(outcome: Outcome) -> str:
    """Give a subject as SNS takes it: ASCII, one line, under 100 characters."""
    subject = f"[{outcome.severity.upper()}] {notice(outcome).headline}"
    one_line = " ".join(subject.split()).encode("ascii", "replace").decode()
    return one_line if len(one_line) <= _SUBJECT_LENGTH else one_line[: _SUBJECT_LENGTH - 3] + "..."


def sns_text(outcome: Outcome) -> str:
    """Give the message as a person reads it."""
    said = notice(outcome)
    facts = "\n".join(f"{label}: {value}" for label, value in said.facts)
    lines = "\n".join((*said.lines, "", "")) if said.lines else ""
    return (
        f"{said.headline}\n\n{said.reason}\n\nWhat to do: {said.next_step}\n\n{lines}{facts}\n"
        f"In the ECR console: {said.link}\nOutcome: {outcome.id} of event {outcome.event_id}\n"
    )


def _attributes(outcome: Outcome, channel: str) -> dict[str, str]:
    # Ten at the most: raw delivery to SQS drops a message with more.
    return {
        "channel": channel,
        "kind": outcome.kind.value,
        "severity": outcome.severity.value,
        "mode": outcome.mode.value,
        "action": outcome.action,
        "changed": str(outcome.changed).lower(),
        "account": outcome.account,
        "region": outcome.region,
        "repository": outcome.repository,
        "outcome_id": outcome.id,
    }
