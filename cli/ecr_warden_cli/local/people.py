"""People, as far as the local AWS has any: whoever listens to a channel of the policy.

Slack, webhooks and what Apprise tells are on loopback; who subscribes to the topics reads them in moto.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Final
from urllib.parse import quote, unquote

import boto3

from ecr_warden.domain.policy import Channel, ChannelType, Policy
from ecr_warden_cli.caused import Message
from ecr_warden_cli.local import hooks
from ecr_warden_cli.local.clock import Clock
from ecr_warden_cli.local.loopback import Answer, Request, serving
from ecr_warden_cli.local.slack_double import Payload, SlackDouble
from ecr_warden_cli.local.stack import LocalStack

_NOBODY: Final = Answer(404)


class People:
    """Who listens, and what they heard.

    Attributes
    ----------
    messages
        What came since the last time that they were taken.
    answers
        What the next requests get that are not taken, whatever channel they are for.
    down
        What every message to a channel gets, by the channel's name.

    """

    def __init__(self, clock: Clock) -> None:
        self.messages: list[Message] = []
        self.answers: list[Answer] = []
        self.down: dict[str, Answer] = {}
        self.port = 0
        self._clock = clock
        self._keys: dict[str, str] = {}
        self._slack = SlackDouble(self._hear_slack)

    def url(self, channel: str) -> str:
        """Give the URL of a channel's incoming webhook of Slack."""
        return self._url(f"services/{quote(channel)}")

    def take(self) -> list[Message]:
        """Give what came since the last time."""
        taken, self.messages = self.messages, []
        return taken

    def expect(self, channel: Channel) -> str | None:
        """Listen to a channel, and give what its secret must hold; ``None`` if it has none."""
        match channel.type:
            case ChannelType.SLACK if channel.conversation is not None:
                token = f"xoxb-{self._key(str(channel.secret))}"
                self._slack.tokens.add(token)
                self._slack.conversations.setdefault(channel.conversation, channel.name)
                return json.dumps({"token": token, "url": self._url("api/")})
            case ChannelType.SLACK:
                return self.url(channel.name)
            case ChannelType.APPRISE:
                return f"json://127.0.0.1:{self.port}/apprise/{quote(channel.name)}"
            case ChannelType.WEBHOOK:
                url = self._url(f"hooks/{quote(channel.name)}")
                return json.dumps({"url": url, "key": self._key(channel.name)})
        return None

    def answer(self, request: Request) -> Answer:
        """Take a request, or refuse it."""
        if self.answers:
            return self.answers.pop(0)
        kind, _, name = unquote(request.path.removeprefix("/")).partition("/")
        match kind:
            case "services":
                return self._slack.webhook(name, request)
            case "api":
                return self._slack.api(name, request)
            case "apprise":
                return self._take(hooks.from_apprise(name, request))
            case "hooks":
                return self._take(hooks.from_webhook(name, request, self._key(name), self._clock.seconds()))
        return _NOBODY

    def _take(self, read: Message | Answer) -> Answer:
        return read if isinstance(read, Answer) else self._hear(read) or Answer()

    def _hear_slack(self, channel: str, payload: Payload) -> Answer | None:
        return self._hear(Message(channel, ChannelType.SLACK, payload["text"], payload))

    def _hear(self, message: Message) -> Answer | None:
        """Note a message, unless its channel is down: give then what is answered."""
        if (refused := self.down.get(message.channel)) is None:
            self.messages.append(message)
        return refused

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def _key(self, name: str) -> str:
        return self._keys.setdefault(name, token_hex(16))


@contextmanager
def people(clock: Clock) -> Iterator[People]:
    """Let people listen, on a free port of loopback."""
    heard = People(clock)
    with serving(heard.answer) as port:
        heard.port = port
        yield heard


def subscribe(stack: LocalStack, policy: Policy, heard: People) -> None:
    """Give each of the policy's channels somebody who listens, and the secret by which it reaches them."""
    client = boto3.client("secretsmanager", region_name=stack.region)
    known: set[str] = set()
    for channel in policy.channels:
        value = heard.expect(channel)
        # Two channels may share a secret: the first one's name is then heard for both, but for a bot's, which
        # are told apart by their conversations.
        if value is not None and channel.secret is not None and channel.secret not in known:
            known.add(channel.secret)
            client.create_secret(Name=channel.secret, SecretString=value)
