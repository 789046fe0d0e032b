"""Channels' secrets, from Secrets Manager: read once in a while, forgotten when a channel refuses them."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from ecr_warden.adapters.aws import code_of
from ecr_warden.errors import ChannelError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

# A secret that was rotated while its old value still worked is read again after this.
_KEPT_SECONDS: Final = 900
# The characters of RFC 3986: with others, the HTTP client's errors would quote the URL.
_URL: Final = re.compile(
    r"(?:(?i:https)://[A-Za-z0-9._-]+(?::[0-9]{1,5})?|http://127\.0\.0\.1:[0-9]{1,5})"
    r"(?:[/?][A-Za-z0-9._~:/?#@!$&'()*+,;=%-]*)?"
)
_WHAT_TO_DO: Final = {
    "ResourceNotFoundException": "there is none of this name in this account and Region: create it",
    "AccessDeniedException": "this role may not read it: allow secretsmanager:GetSecretValue, and the key",
    "DecryptionFailure": "its KMS key does not decrypt it: let this role use the key",
    "InvalidRequestException": "it is being deleted, or has no value yet: restore it, or store one",
}


@dataclass(frozen=True)
class _Kept:
    text: str = field(repr=False)
    until: float


def is_url(text: object) -> bool:
    """Tell whether something is an https URL, or an http one of loopback."""
    return isinstance(text, str) and _URL.fullmatch(text) is not None


class SecretsManager:
    """Secrets by name. Their values are in no repr, no log and no error.

    All methods that read raise ``ChannelError``, which names the secret.
    """

    def __init__(self, client: "SecretsManagerClient", now: Callable[[], float] = time.time) -> None:
        self._client = client
        self._now = now
        self._known: dict[str, _Kept] = {}

    def url(self, name: str) -> str:
        """Give the URL that a secret holds, as plain text or as the JSON object ``{"url": …}``."""
        text = self.text(name)
        url = (_fields(text) or {}).get("url") if text.startswith("{") else text
        if url is None or not is_url(url):
            # It may be mended at any time.
            self.forget(name)
            raise ChannelError(
                f"the secret {name} holds no https URL, without user and password: store the URL, or "
                '{"url": "https://…"}'
            )
        return url

    def text(self, name: str) -> str:
        """Give what a secret holds, without space around it; it is never empty."""
        kept = self._known.get(name)
        if kept is None or kept.until <= self._now():
            kept = _Kept(self._read(name), self._now() + _KEPT_SECONDS)
            self._known[name] = kept
        return kept.text

    def fields(self, name: str) -> dict[str, str]:
        """Give the JSON object of texts that a secret holds."""
        found = _fields(self.text(name))
        if found is None:
            self.forget(name)
            raise ChannelError(
                f'the secret {name} holds no JSON object of texts, such as {{"url": "https://…"}}'
            )
        return found

    def forget(self, name: str) -> None:
        """Read a secret again at its next use: it may have been rotated."""
        self._known.pop(name, None)

    def _read(self, name: str) -> str:
        try:
            answer = self._client.get_secret_value(SecretId=name)
        except ClientError as error:
            code = code_of(error)
            problem = _WHAT_TO_DO.get(code, f"Secrets Manager does not give it now: {code}")
        except BotoCoreError as error:
            # Not its words, which may quote an answer.
            problem = f"Secrets Manager does not answer well: {type(error).__name__}"
        else:
            text = answer.get("SecretString")
            if text is not None and text.strip():
                return text.strip()
            problem = "it is empty: store a value" if text is not None else "it is binary: store it as text"
        # Not within the handlers: an error that is chained to another shows that one's frames and words, too.
        raise ChannelError(f"the secret {name}: {problem}")


def _fields(text: str) -> dict[str, str] | None:
    """Read a JSON object of texts; ``None`` where it is none. The parser's error would quote the secret."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return None
    return found
