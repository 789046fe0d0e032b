"""The queue of outcomes that a channel will never take."""

import re
from typing import TYPE_CHECKING, Final

import msgspec

from ecr_warden.adapters.aws import translated
from ecr_warden.adapters.outcome_bus import SOURCE, outcome_as_json
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.texts import cut

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# What SQS takes neither in a message nor in its attributes: what XML 1.0 cannot have.
_ILLEGAL: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONGEST_ATTRIBUTE: Final = 1000


class DeadLetterQueue:
    """A queue that nobody reads until ``ecr-warden redrive`` moves what it has back."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def put(self, outcome: Outcome, channel: str, why: str) -> None:
        """Keep an outcome until somebody looks, or raise ``AwsError``."""
        event = {
            "id": outcome.id,
            "detail-type": outcome.kind.value,
            "source": SOURCE,
            "account": outcome.account,
            "region": outcome.region,
            "time": outcome.event_time.isoformat(),
            # As on the bus, and so as the reader of the queue takes it.
            "detail": outcome_as_json(outcome),
        }
        # In JSON such a character can only stand in a text, where its escape says the same.
        body = _ILLEGAL.sub(lambda found: f"\\u{ord(found[0]):04x}", msgspec.json.encode(event).decode())
        with translated(f"keeping the outcome {outcome.id} among the dead letters"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=body,
                MessageAttributes={
                    "channel": {"DataType": "String", "StringValue": _attribute(channel)},
                    "why": {"DataType": "String", "StringValue": _attribute(why)},
                },
            )


def _attribute(text: str) -> str:
    """Give a text as SQS takes it for an attribute: it refuses an empty one, too."""
    return cut(_ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text), _LONGEST_ATTRIBUTE) or "-"
