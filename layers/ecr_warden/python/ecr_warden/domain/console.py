"""Links into the AWS console, and ARNs."""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from ecr_warden.domain.places import REGISTRY

# A digest is listed in the log when it has been told, by then if the function's clock is a little off.
_LOGGED_AROUND: Final = (timedelta(minutes=-5), timedelta(hours=1))
_DOMAINS = {
    "cn-": "console.amazonaws.cn",
    "us-gov-": "console.amazonaws-us-gov.com",
    "eusc-": "console.amazonaws-eusc.eu",
    "us-iso-": "console.c2shome.ic.gov",
    "us-isob-": "console.sc2shome.sgov.gov",
}
_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
}


def console_url(account: str, region: str, repository: str, image_digest: str | None = None) -> str:
    """Link to an image, to its repository, or to all of ``REGISTRY``, in the ECR console of the Region."""
    domain = _of_partition(region, _DOMAINS, "console.aws.amazon.com")
    if repository == REGISTRY:
        return f"https://{quote(region)}.{domain}/ecr/private-registry/repositories?region={quote(region)}"
    path = f"ecr/repositories/private/{quote(account)}/{quote(repository)}"
    if image_digest is not None:
        path += f"/_/image/{quote(image_digest, safe=':')}/details"
    return f"https://{quote(region)}.{domain}/{path}?region={quote(region)}"


def s3_object_url(region: str, location: str) -> str | None:
    """Link to an object in the S3 console; ``None`` for what is not as s3://bucket/key."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    if not location.startswith("s3://") or not key:
        return None
    domain = _of_partition(region, _DOMAINS, "console.aws.amazon.com")
    return f"https://{quote(region)}.{domain}/s3/object/{quote(bucket)}?region={quote(region)}&prefix={quote(key)}"


def logs_url(region: str, log_group: str, text: str, at: datetime) -> str:
    """Link to the lines of a log that have a text and were written about a time, in CloudWatch's console."""
    domain = _of_partition(region, _DOMAINS, "console.aws.amazon.com")
    since, until = (int((at + span).timestamp() * 1000) for span in _LOGGED_AROUND)
    quoted = f'"{text}"'
    query = f"?filterPattern={_of_logs(quoted)}&start={since}&end={until}"
    place = f"logsV2:log-groups/log-group/{_of_logs(log_group)}/log-events{_in_fragment(query)}"
    return f"https://{quote(region)}.{domain}/cloudwatch/home?region={quote(region)}#{place}"


def _of_logs(text: str) -> str:
    """Encode a value as that console does in its fragment: twice, with another sign for the percent."""
    return quote(quote(text, safe=""), safe="").replace("%", "$")


def _in_fragment(query: str) -> str:
    # What is encoded already has no character that is replaced here.
    return "".join(f"${ord(sign):X}" if sign in "?=&" else sign for sign in query)


def partition(region: str) -> str:
    """Give the partition of a Region, as ARNs have it."""
    return _of_partition(region, _PARTITIONS, "aws")


def repository_arn(account: str, region: str, repository_name: str) -> str:
    """Give a repository's ARN."""
    return f"arn:{partition(region)}:ecr:{region}:{account}:repository/{repository_name}"


def _of_partition(region: str, values: dict[str, str], default: str) -> str:
    return next((value for prefix, value in values.items() if region.startswith(prefix)), default)
