"""Publishing to an SNS topic, and what its answers mean to who tells."""

from typing import TYPE_CHECKING, Final, Unpack

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)

from ecr_warden.errors import ChannelError

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import PublishInputTypeDef

# SNS names the same two ways, by the protocol that the SDK speaks.
_REFUSED: Final = frozenset(
    {
        "InvalidParameter",
        "InvalidParameterException",
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "ParameterValueInvalid",
        "ValidationError",
        "ValidationException",
    }
)
_NEXT_STEPS: Final = {
    "AuthorizationError": "allow NotifyFunction's role sns:Publish on the topic",
    "KMSAccessDenied": "allow NotifyFunction's role kms:GenerateDataKey* and kms:Decrypt on the topic's key",
    "KMSDisabled": "enable the topic's KMS key",
    "KMSNotFound": "give the topic a KMS key that exists",
    "NotFound": "deploy the stack anew: the topic is gone",
}
_SERVER_ERROR: Final = 500


def publish(client: "SNSClient", **message: "Unpack[PublishInputTypeDef]") -> None:
    """Publish a message, or raise ``ChannelError``."""
    try:
        client.publish(**message)
    except ClientError as error:
        raise _as_channel_error(error) from error
    except (ConnectTimeoutError, EndpointConnectionError) as error:
        raise ChannelError(f"SNS: {error}") from error
    except HTTPClientError as error:
        # The request was under way: a connection that broke, an answer that did not come.
        raise ChannelError(f"SNS: {error}", surely_failed=False) from error
    except BotoCoreError as error:
        raise ChannelError(f"SNS: {error}") from error


def _as_channel_error(error: ClientError) -> ChannelError:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    name = code.removesuffix("Exception")
    next_step = f": {_NEXT_STEPS[name]}" if name in _NEXT_STEPS else ""
    return ChannelError(
        f"SNS: {error}{next_step}",
        # An error of the server's own may come after it took the message; throttling comes before.
        surely_failed=status < _SERVER_ERROR or "Throttl" in code,
        is_refused=code in _REFUSED,
    )
