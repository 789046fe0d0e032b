"""Findings of both scanners: made for tests, and in the form of each API and of Inspector's events.

A finding of Inspector is kept as its events have it. What it does not have itself (its ARN, the image that it
is about) is added when it is read, so that a test writes only what it is about.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, TypeAlias, overload

from moto.ecr.models import ECRBackend, Image

from ecr_warden.domain.console import partition

Finding: TypeAlias = Mapping[str, Any]
# A name, the version that is installed, and the one in which the vulnerability is fixed, if any.
PackageOf: TypeAlias = tuple[str, str, str | None]

ACTIVE: Final = "ACTIVE"
CLOSED: Final = "CLOSED"
_DATES: Final = frozenset(
    {
        "firstObservedAt",
        "lastInUseAt",
        "lastObservedAt",
        "pushedAt",
        "updatedAt",
        "vendorCreatedAt",
        "vendorUpdatedAt",
    }
)
# Inspector's own two, as of 2024 and as of 2021.
_DATE_FORMS: Final = ("%a %b %d %H:%M:%S.%f %Z %Y", "%b %d, %Y, %I:%M:%S %p")


class Generated(Sequence[Finding]):
    """Findings that are made when they are read, so that a hundred thousand cost no memory."""

    def __init__(self, count: int, make: Callable[[int], Finding]) -> None:
        self._numbers = range(count)
        self._make = make

    def __len__(self) -> int:
        """Give how many there are."""
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Finding: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Finding]: ...

    def __getitem__(self, index: int | slice) -> Finding | Sequence[Finding]:
        """Make one, or those of a page."""
        numbers = self._numbers[index]
        return self._make(numbers) if isinstance(numbers, int) else [self._make(number) for number in numbers]


def basic_finding(
    name: str, severity: str, *, package: str | None = "openssl", version: str = "1.1.1k", **attributes: str
) -> dict[str, Any]:
    """Make a finding of a basic scan; with ``package=None`` it says nothing of a package."""
    of_package = {"package_name": package, "package_version": version} if package else {}
    return {
        "name": name,
        "description": f"{name} in {package or 'the image'}",
        "uri": f"https://nvd.nist.gov/vuln/detail/{name}",
        "severity": severity,
        "attributes": [{"key": key, "value": value} for key, value in {**of_package, **attributes}.items()],
    }


def enhanced_finding(  # noqa: PLR0913  # what a gate may ask about
    vulnerability: str,
    severity: str,
    *packages: PackageOf,
    exploit_available: str = "NO",
    epss: float | None = 0.0005,
    score: float | None = None,
    first_observed_at: datetime | None = None,
    updated_at: datetime | None = None,
    status: str = ACTIVE,
) -> dict[str, Any]:
    """Make a finding of Inspector, without packages if none are given.

    Whether a fix is available follows from the packages' versions.
    """
    finding: dict[str, Any] = {
        "type": "PACKAGE_VULNERABILITY",
        "severity": severity,
        "status": status,
        "title": " - ".join(filter(None, (vulnerability, ", ".join(name for name, *_ in packages)))),
        "fixAvailable": _fix_available([fixed for *_, fixed in packages]),
        "exploitAvailable": exploit_available,
        "packageVulnerabilityDetails": {
            "vulnerabilityId": vulnerability,
            "source": "NVD",
            "sourceUrl": f"https://nvd.nist.gov/vuln/detail/{vulnerability}",
            "cvss": [],
            "referenceUrls": [],
            "relatedVulnerabilities": [],
            "vulnerablePackages": [_package(*package) for package in packages],
        },
    }
    known = {
        "epss": None if epss is None else {"score": epss},
        "inspectorScore": score,
        "firstObservedAt": first_observed_at,
        "updatedAt": updated_at,
        "lastObservedAt": updated_at,
    }
    return finding | {key: value for key, value in known.items() if value is not None}


def _fix_available(fixes: Sequence[str | None]) -> str:
    if not any(fixes):
        return "NO"
    return "YES" if all(fixes) else "PARTIAL"


def _package(name: str, installed: str, fixed: str | None) -> dict[str, Any]:
    package = {"name": name, "version": installed, "epoch": 0, "arch": "X86_64", "packageManager": "OS"}
    return package | ({"fixedInVersion": fixed} if fixed else {})


def of_image(backend: ECRBackend, image: Image, finding: Finding) -> dict[str, Any]:
    """Give a finding of Inspector with what it says of the image; what the finding has itself stays."""
    pushed = datetime.fromtimestamp(image.image_pushed_at, UTC)
    return {
        "awsAccountId": backend.account_id,
        "description": finding.get("title", ""),
        "findingArn": arn_of(backend, image, finding),
        "firstObservedAt": pushed,
        "lastObservedAt": finding.get("updatedAt", pushed),
        "updatedAt": pushed,
        "remediation": {"recommendation": {"text": "None Provided"}},
        "resources": [_resource(backend, image, pushed)],
        "status": ACTIVE,
        "type": "PACKAGE_VULNERABILITY",
        **finding,
    }


def arn_of(backend: ECRBackend, image: Image, finding: Finding) -> str:
    """Give a finding's ARN; where it has none, one by its title, the same in each scan of the image."""
    if "findingArn" in finding:
        return str(finding["findingArn"])
    what = f"{image.repository_name}@{image.image_digest} {finding.get('title')}"
    aws = f"arn:{partition(backend.region_name)}:inspector2:{backend.region_name}:{backend.account_id}"
    return f"{aws}:finding/{sha256(what.encode()).hexdigest()[:32]}"


def image_arn(backend: ECRBackend, image: Image) -> str:
    """Give an image's ARN as Inspector writes it: the repository's, and the digest."""
    aws = f"arn:{partition(backend.region_name)}:ecr:{backend.region_name}:{backend.account_id}"
    return f"{aws}:repository/{image.repository_name}/{image.image_digest}"


def _resource(backend: ECRBackend, image: Image, pushed: datetime) -> dict[str, Any]:
    said = {
        "architecture": "amd64",
        "imageTags": list(image.image_tags),
        "platform": "DEBIAN_12",
        "pushedAt": pushed,
        "registry": image.registry_id,
        "repositoryName": image.repository_name,
    }
    return {
        "type": "AWS_ECR_CONTAINER_IMAGE",
        "id": image_arn(backend, image),
        "partition": partition(backend.region_name),
        "provider": "AWS",
        "providerAccountId": backend.account_id,
        "region": backend.region_name,
        "details": {
            # Inspector says it twice since 2026.
            "awsEcrContainerImage": {**said, "imageHash": image.image_digest},
            "image": {**said, "imageDigest": image.image_digest},
        },
    }


def severities(findings: Iterable[Finding]) -> Counter[str]:
    """Count findings by severity."""
    return Counter(str(finding["severity"]) for finding in findings)


def when(finding: Finding, key: str) -> datetime | None:
    """Give one of a finding's dates, in whichever form it has it."""
    return _date(finding.get(key))


def _date(said: object) -> datetime | None:
    if isinstance(said, datetime):
        return said
    for form in _DATE_FORMS:
        try:
            return datetime.strptime(str(said), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def as_event(finding: Finding) -> dict[str, Any]:
    """Give a finding as Inspector's events have it: dates are words."""
    return dict(_with_dates(finding, _in_words))


def _in_words(date: datetime) -> str:
    date = date.astimezone(UTC)
    return f"{date:%a %b %d %H:%M:%S}.{date.microsecond // 1000:03} UTC {date:%Y}"


def as_inspector(finding: Finding) -> dict[str, Any]:
    """Give a finding as ListFindings has it."""
    return dict(_with_dates(finding, lambda date: date))


def as_ecr(finding: Finding) -> dict[str, Any]:
    """Give a finding of Inspector as DescribeImageScanFindings has it.

    ECR's API has no EPSS and no second form of the image: its model leaves them out.
    """
    score, details = finding.get("inspectorScore"), finding.get("inspectorScoreDetails", {})
    renamed = {"score": score, "scoreDetails": {"cvss": details["adjustedCvss"]} if details else None}
    return as_inspector(finding) | {key: value for key, value in renamed.items() if value is not None}


def _with_dates(value: Any, form: Callable[[datetime], Any]) -> Any:  # noqa: ANN401  # any JSON
    """Give every date another form; one that cannot be read is left out."""
    if isinstance(value, list):
        return [_with_dates(item, form) for item in value]
    if not isinstance(value, Mapping):
        return value
    given = {}
    for key, item in value.items():
        if key not in _DATES:
            given[key] = _with_dates(item, form)
        elif (date := _date(item)) is not None:
            given[key] = form(date)
    return given
