"""Channels' secrets, from Secrets Manager: read once, forgotten when a channel refuses them."""

import json
import re
from typing import TYPE_CHECKING, Final

from ecr_warden.adapters.aws import translated
from ecr_warden.errors import ChannelError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


_URL: Final = re.compile(
    r"(?:https://[A-Za-z0-9.-]+(?::\d{1,5})?|http://127\.0\.0\.1:\d{1,5})/[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]*"
)


class SecretsManager:
    """Secrets by name. Their values are in no repr, no log and no error."""

    def __init__(self, client: "SecretsManagerClient") -> None:
        self._client = client
        self._known: dict[str, str] = {}

    def url(self, name: str) -> str:
        """Give the URL that a secret holds, as plain text or as the JSON object ``{"url": …}``."""
        if name not in self._known:
            with translated(f"reading the secret {name}"):
                answer = self._client.get_secret_value(SecretId=name)
            self._known[name] = _url(name, answer.get("SecretString", ""))
        return self._known[name]

    def forget(self, name: str) -> None:
        """Read a secret again at its next use: it may have been rotated."""
        self._known.pop(name, None)


def _url(name: str, text: str) -> str:
    url: object = text.strip()
    if text.lstrip().startswith("{"):
        try:
            url = json.loads(text).get("url")
        except ValueError:
            # Not chained: the parser's error quotes the secret.
            url = None
    # The characters of RFC 3986: with others, the HTTP client's errors would quote the URL.
    if not isinstance(url, str) or not _URL.fullmatch(url):
        raise ChannelError(f'the secret {name} holds no https URL: store the URL, or {{"url": "https://…"}}')
    return url
