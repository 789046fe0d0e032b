"""What goes wrong with AWS, between the SDK and moto: a call fails before it has any effect."""

import json
import threading
import time
from contextlib import contextmanager
from unittest.mock import patch
from urllib.parse import parse_qsl

from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

# Services that take forms and answer in XML.
_OF_FORMS = {"cloudformation", "sns", "sts"}


def error_answer(url, code, message="no", status=400):
    body = json.dumps({"__type": code, "message": message})
    headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "1"}
    return AWSResponse(url, status, headers, MockRawResponse(body))


def asked_of(body):
    """Give what a call asks for; some services have JSON, and others what a form sends."""
    text = body.decode() if isinstance(body, bytes) else body or "{}"
    if not isinstance(text, str):
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return dict(parse_qsl(text))
    return found if isinstance(found, dict) else {}


def query_error_answer(url, code, message):
    """Answer as a service does that takes forms, as STS: in XML."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    body = f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"
    return AWSResponse(url, 400, {"content-type": "text/xml"}, MockRawResponse(body))


@contextmanager
def faults(*causes):
    """Let calls fail while the context lasts.

    A cause takes ``(service, operation, asked)`` and gives an error's code, with its message if it has one,
    or ``None``.
    """
    answer = BotocoreStubber.__call__

    def call(stubber, event_name, request, **others):
        _, service, operation = event_name.split(".")
        asked = asked_of(request.body)
        for cause in causes:
            if (failure := cause(service, operation, asked)) is not None:
                code, message = failure if isinstance(failure, tuple) else (failure, "no")
                answered = query_error_answer if service in _OF_FORMS else error_answer
                return answered(request.url, code, message)
        return answer(stubber, event_name, request, **others)

    with patch.object(BotocoreStubber, "__call__", call):
        yield


class Throttling:
    """So many calls a second, and as many at once; others are throttled. ``calls`` and ``refused`` count."""

    def __init__(self, calls_a_second, *, service="ecr", monotonic=time.monotonic):
        self.calls = self.refused = 0
        self._rate, self._service, self._monotonic = calls_a_second, service, monotonic
        self._left, self._at, self._lock = float(calls_a_second), monotonic(), threading.Lock()

    def takes(self):
        with self._lock:
            now = self._monotonic()
            self._left = min(self._rate, self._left + (now - self._at) * self._rate)
            self._at = now
            self.calls += 1
            if self._left >= 1:
                self._left -= 1
                return True
            self.refused += 1
            return False

    def __call__(self, service, _operation, _asked):
        if service != self._service or self.takes():
            return None
        return "ThrottlingException", "Rate exceeded"


def denied(repository_name):
    """Deny all calls that name a repository, by its name or its ARN."""

    def cause(_service, _operation, asked):
        names = {asked.get("repositoryName"), asked.get("resourceArn", "").partition(":repository/")[2]}
        return "AccessDeniedException" if repository_name in names else None

    return cause


def expired_after(calls):
    """Let the credentials be over after so many calls."""
    left, lock = [calls], threading.Lock()

    def cause(_service, _operation, _asked):
        with lock:
            left[0] -= 1
            return "ExpiredTokenException" if left[0] < 0 else None

    return cause
