"""AWS's clients, and their errors in our own words."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError, NoCredentialsError
from botocore.parsers import ResponseParserError

from ecr_warden.errors import (
    AwsError,
    CredentialsError,
    ImageGoneError,
    RefusedError,
    RepositoryGoneError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# At DEBUG botocore logs whole answers, and so the secrets that Secrets Manager gives.
for _name in ("boto3", "botocore", "urllib3"):
    logging.getLogger(_name).setLevel(logging.INFO)

# What trying again does not help against, unless a person acts first.
_REFUSALS: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "BlockedByOrganizationPolicyException",
        "ImageStorageClassUpdateNotSupportedException",
        "InvalidParameterException",
        "InvalidTagParameterException",
        "KmsException",
        "LimitExceededException",
        "TooManyTagsException",
        "ValidationException",
    }
)
_NO_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "RequestExpired",
        "UnrecognizedClientException",
    }
)
_PAGE: Final = re.compile(r"(b['\"])?\s*<(!doctype|html)", re.IGNORECASE)
# Standard mode: adaptive mode's client-side rate goes on slowing a function long after a throttled second.
CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=3,
    read_timeout=10,
    tcp_keepalive=True,
)


@cache
def client(service: str) -> Any:  # noqa: ANN401  # each adapter names the client's type
    """Give the client of a service, with the credentials and Region of the environment; built once."""
    build: Callable[..., Any] = boto3.client
    return build(service, config=CONFIG)


def code_of(error: ClientError) -> str:
    """Give the error's code, as the API's reference names it."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise the SDK's errors as ours; ``what`` says what was being tried, as in "putting an image"."""
    try:
        yield
    except ClientError as error:
        if code_of(error) == "RepositoryNotFoundException":
            raise RepositoryGoneError(f"{what}: the repository does not exist") from error
        if code_of(error) == "ImageNotFoundException":
            raise ImageGoneError(f"{what}: the image does not exist") from error
        if code_of(error) in _NO_CREDENTIALS:
            raise CredentialsError(f"{what}: {error}") from error
        raise AwsError(f"{what}: {_said(error)}") from error
    except (NoCredentialsError, CredentialRetrievalError) as error:
        raise CredentialsError(f"{what}: {error}") from error
    except (BotoCoreError, ResponseParserError) as error:
        raise AwsError(f"{what}: {_said(error)}") from error


def _said(error: Exception) -> str:
    """Say what an error says, without a page that something between here and AWS answered with."""
    text = str(error)
    page = _PAGE.search(text)
    if page is None:
        return text
    return f"{text[: page.start()].rstrip()} a web page, which AWS never answers with"


@contextmanager
def refusable(what: str) -> Iterator[None]:
    """Raise what ECR refuses as such, and other errors as ``translated`` does."""
    with translated(what):
        try:
            yield
        except ClientError as error:
            if code_of(error) in _REFUSALS:
                raise RefusedError(f"{what}: {error}") from error
            raise
        except (KeyError, TypeError, ValueError) as error:
            # Something that is newer than this version: the rest is not to suffer from it.
            raise RefusedError(f"{what}: ECR's answer is not understood: {error!r}") from error
