"""Leave in the dependencies layer only what the functions import.

A function is slower to start the more it carries, and Lambda unpacks at most 250 MB.
"""  # noqa: INP001  # A script for layers/Makefile: layers/ is no package.

import os
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

# botocore knows over 400 services, in 30 MB: these are the ones that the functions call; sts is how they take
# on a role in another account.
SERVICES = (
    "dynamodb",
    "ecr",
    "ecs",
    "events",
    "inspector2",
    "lambda",
    "organizations",
    "resourcegroupstaggingapi",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "sts",
)

# Of these folders, only these entries: Powertools is here for its metrics, and the rest of its lists is what
# those import in turn.
KEPT: dict[str, tuple[str, ...]] = {
    "botocore/data": (
        *SERVICES,
        "_retry.json",
        "endpoints.json",
        "partitions.json",
        "sdk-default-configuration.json",
    ),
    "aws_lambda_powertools": (
        "__init__.py",
        "exceptions",
        "logging",
        "metrics",
        "package_logger.py",
        "shared",
        "tracing",
        "utilities",
        "warnings",
    ),
    "aws_lambda_powertools/utilities": ("__init__.py", "jmespath_utils"),
}

UNUSED = (
    "**/__pycache__",
    "**/tests",
    "**/*.pyi",
    "bin",
    # boto3's resources: the adapters use clients.
    "boto3/data",
    "boto3/examples",
    "botocore/data/*/*/examples-1.json",
    "botocore/data/*/*/waiters-2.json",
    # A copy of the time zone database; botocore reads only UTC and the local zone.
    "dateutil/zoneinfo",
    # Of Apprise, its command with the parser of its options, the pictures that services get by address, the
    # translations, and what reads files with many URLs.
    "apprise/cli.py",
    "apprise/assets",
    "apprise/i18n/*/",
    "click",
    "click-*.dist-info",
    "yaml",
    "_yaml",
    "pyyaml-*.dist-info",
    # The source of the time zones, which are there compiled.
    "tzdata/zoneinfo/tzdata.zi",
)

# The licences ask to be passed on with the code; METADATA is where vulnerability scanners read versions.
KEPT_METADATA = ("METADATA", "licenses", "LICEN[CS]E*", "NOTICE*", "COPYING*", "AUTHORS*")

# The ones in pure Python, which any host can import: the others are for Lambda's own machines.
IMPORTED = (
    "apprise",
    "boto3",
    "aws_lambda_powertools.metrics",
    "tzdata.zoneinfo.Europe",
)
# Apprise passes over a plugin that it cannot import: the ones that most people would tell by.
APPRISE_URLS = (
    "json://localhost",
    "mailto://user:password@example.com",
    "mailtos://user:password@example.com",
    "discord://123456789012345678/token-of-a-webhook",
    "gchat://workspace/key/token",
    "matrixs://user:password@example.com/#room",
    "ntfys://example.com/topic",
    "opsgenie://a3b4c5d6-1111-2222-3333-444455556666",
    "pagerduty://integrationkey@apikey",
    f"pover://{'u' * 30}@{'a' * 30}",
    f"slack://T1JJ3T3L2/A1BRTD4JD/{'t' * 24}/#general",
    "tgram://123456789:abcdefg_hijklmnop/12315544",
    "workflows://prod-12.westeurope.logic.azure.com:443/643e69f83c8944438d68119179a10a64/signature",
)


def unused(tree: Path) -> Iterator[Path]:
    """Find what can go from a folder that pip installed into."""
    for folder, kept in KEPT.items():
        if missing := [name for name in kept if not (tree / folder / name).exists()]:
            sys.exit(f"layers/trim.py: {folder} has no {', '.join(missing)}: has an upgrade renamed it?")
        yield from (entry for entry in (tree / folder).iterdir() if entry.name not in kept)
    for service in SERVICES:
        # A client is made of the newest version of an API, whose name is a date.
        yield from sorted((tree / "botocore/data" / service).iterdir())[:-1]
    for pattern in UNUSED:
        yield from tree.glob(pattern)
    for metadata in tree.glob("*.dist-info"):
        yield from (entry for entry in metadata.iterdir() if not any(map(entry.match, KEPT_METADATA)))


def check(tree: Path) -> None:
    """Import what the functions import, and make every client that they make."""
    # The builder's own AWS configuration has no say in what a function can do.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    sys.path.insert(0, str(tree))
    modules = {name: import_module(name) for name in IMPORTED}
    for service in SERVICES:
        modules["boto3"].client(service, region_name="us-east-1")
    for url in APPRISE_URLS:
        if modules["apprise"].Apprise.instantiate(url) is None:
            sys.exit(f"layers/trim.py: Apprise has no {url.partition(':')[0]}: does it need what is trimmed?")


def trim(tree: Path) -> None:
    """Remove what the functions do not import."""
    for path in list(unused(tree)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    layer = Path(sys.argv[1])
    trim(layer)
    check(layer)
