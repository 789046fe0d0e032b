"""People, as far as the local AWS has any: a Slack on loopback, and a subscriber of the topic."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import boto3

from ecr_warden.domain.policy import Policy
from ecr_warden_cli.caused import Message
from ecr_warden_cli.local.stack import LocalStack

QUEUE_NAME = "ecr-warden-local-people"


@dataclass
class Slack:
    """A server that takes what a Slack webhook takes; each channel has a path of its own.

    ``answers`` are statuses and headers of the next requests that it does not take, as Slack has them.
    """

    messages: list[Message] = field(default_factory=list)
    port: int = 0
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def url(self, channel: str) -> str:
        """Give the webhook's URL of a channel."""
        return f"http://127.0.0.1:{self.port}/services/{channel}"

    def take(self) -> list[Message]:
        """Give what came since the last time."""
        taken, self.messages = self.messages, []
        return taken


@contextmanager
def slack() -> Iterator[Slack]:
    """Run a Slack on a free port of loopback."""
    heard = Slack()

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the base class's name
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            channel = unquote(self.path.rpartition("/")[2])
            if heard.answers:
                self._refuse(*heard.answers.pop(0))
                return
            heard.messages.append(Message(channel, "slack", payload["text"], payload))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def _refuse(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: what people got is shown otherwise."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Webhook) as server:
        heard.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            server.shutdown()
            thread.join()


def subscribe(stack: LocalStack, policy: Policy, heard: Slack) -> None:
    """Give the policy's channels somebody who listens: secrets for Slack's, a queue for the topic."""
    secrets = boto3.client("secretsmanager", region_name=stack.region)
    for channel in policy.channels:
        if channel.secret is not None:
            # Two channels may share a secret: the first one's name is then heard for both.
            known = {secret["Name"] for secret in secrets.list_secrets()["SecretList"]}
            if channel.secret not in known:
                secrets.create_secret(Name=channel.secret, SecretString=heard.url(channel.name))
    queue = boto3.client("sqs", region_name=stack.region).create_queue(QueueName=QUEUE_NAME)["QueueUrl"]
    boto3.client("sns", region_name=stack.region).subscribe(
        TopicArn=stack.physical["OutcomeTopic"],
        Protocol="sqs",
        Endpoint=stack.queue_arn(queue),
    )


def read_topic(stack: LocalStack) -> list[Message]:
    """Read what the topic's subscriber got."""
    client = boto3.client("sqs", region_name=stack.region)
    url = client.get_queue_url(QueueName=QUEUE_NAME)["QueueUrl"]
    messages: list[Message] = []
    while True:
        got = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        if not got.get("Messages"):
            return messages
        for item in got["Messages"]:
            client.delete_message(QueueUrl=url, ReceiptHandle=item["ReceiptHandle"])
            messages.append(_message(json.loads(item["Body"])))


def _message(sent: dict[str, Any]) -> Message:
    """Read what SNS puts around a message."""
    attributes = {name: attribute["Value"] for name, attribute in sent.get("MessageAttributes", {}).items()}
    payload = {"subject": sent.get("Subject"), "message": sent["Message"], "attributes": attributes}
    return Message(attributes.get("channel", ""), "sns", sent["Message"], payload)
