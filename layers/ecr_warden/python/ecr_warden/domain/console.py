"""Links into the AWS console, and ARNs."""

from urllib.parse import quote

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
    """Link to an image, or to its repository, in the ECR console of the Region and its partition."""
    domain = _of_partition(region, _DOMAINS, "console.aws.amazon.com")
    path = f"ecr/repositories/private/{quote(account)}/{quote(repository)}"
    if image_digest is not None:
        path += f"/_/image/{quote(image_digest, safe=':')}/details"
    return f"https://{quote(region)}.{domain}/{path}?region={quote(region)}"


def partition(region: str) -> str:
    """Give the partition of a Region, as ARNs have it."""
    return _of_partition(region, _PARTITIONS, "aws")


def repository_arn(account: str, region: str, repository_name: str) -> str:
    """Give a repository's ARN."""
    return f"arn:{partition(region)}:ecr:{region}:{account}:repository/{repository_name}"


def _of_partition(region: str, values: dict[str, str], default: str) -> str:
    return next((value for prefix, value in values.items() if region.startswith(prefix)), default)
