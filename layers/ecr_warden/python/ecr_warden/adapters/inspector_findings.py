"""Inspector's findings become values, whoever gives them: its events, its API, or ECR's."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ecr_warden.adapters.finding_fields import (
    HIGHEST_SCORE,
    NO_NAME,
    NO_SEVERITY,
    fixed_version,
    link,
    number,
    text,
)
from ecr_warden.domain.findings import Finding, Package, severity_name

_CLOSED: Final = frozenset({"CLOSED", "SUPPRESSED"})
_NOON: Final = 12
# Of English alone, whatever the locale: strptime's %b reads the locale's.
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_CLOCK: Final = r"(?P<hour>\d{1,2}):(?P<minute>\d{2}):(?P<second>\d{2})"
_DATES: Final = (
    # Dec 3, 2021, 6:02:30 PM: of 2021's events, in UTC.
    re.compile(
        rf"(?P<month>\w{{3}}) (?P<day>\d{{1,2}}), (?P<year>\d{{4}}), {_CLOCK} (?P<half>[AP]M)", re.ASCII
    ),
    # Wed Sep 04 16:55:38.411 UTC 2024
    re.compile(
        rf"\w{{3}} (?P<month>\w{{3}}) (?P<day>\d{{1,2}}) {_CLOCK}(?:\.(?P<fraction>\d{{1,6}}))? "
        r"(?:UTC|GMT) (?P<year>\d{4})",
        re.ASCII,
    ),
)


def finding_of(detail: Mapping[str, Any]) -> Finding:
    """Read a finding as Inspector's events, ``ListFindings`` and ECR's ``enhancedFindings`` have it.

    Whatever is there, it becomes a finding: one that was passed over would make an image look better than it
    is. What cannot be read is as if the scanner had not said it.
    """
    about = _mapping(detail.get("packageVulnerabilityDetails"))
    packages = _packages(about.get("vulnerablePackages"))
    arn = text(detail.get("findingArn"))
    return Finding(
        id=text(about.get("vulnerabilityId")) or text(detail.get("title")) or arn or NO_NAME,
        severity=severity_name(text(detail.get("severity")) or NO_SEVERITY),
        packages=packages,
        url=_url(about),
        arn=arn,
        fix_available=_has_fix(detail.get("fixAvailable"), packages),
        exploit_available={"YES": True, "NO": False}.get(text(detail.get("exploitAvailable")) or ""),
        epss=number(_mapping(detail.get("epss")).get("score"), 1.0),
        first_observed_at=inspector_time(detail.get("firstObservedAt")),
        score=number(_first(detail, "inspectorScore", "score"), HIGHEST_SCORE),
        is_active=text(detail.get("status")) not in _CLOSED,
    )


def inspector_time(value: object) -> datetime | None:
    """Give a time as UTC, from any of the forms in which Inspector writes it; ``None`` if it is in none."""
    try:
        found = value if isinstance(value, datetime) else _time(value) if isinstance(value, str) else None
        if found is None:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _time(said: str) -> datetime:
    """Read a time, or raise ``ValueError``."""
    # The space before PM may be one that does not break.
    one_line = " ".join(said.split())
    for form in _DATES:
        found = form.fullmatch(one_line)
        if found is not None:
            return _time_of(found.groupdict())
    return datetime.fromisoformat(one_line)


def _time_of(parts: Mapping[str, str | None]) -> datetime:
    number = {name: int(parts[name] or "") for name in ("year", "day", "hour", "minute", "second")}
    hour = number["hour"]
    if parts.get("half") is not None:
        if not 1 <= hour <= _NOON:
            raise ValueError(f"no hour of twelve: {hour}")
        hour = hour % _NOON + (_NOON if parts["half"] == "PM" else 0)
    return datetime(
        year=number["year"],
        month=_MONTHS.get((parts["month"] or "").lower(), 0),
        day=number["day"],
        hour=hour,
        minute=number["minute"],
        second=number["second"],
        microsecond=int((parts.get("fraction") or "0").ljust(6, "0")),
        tzinfo=UTC,
    )


def _packages(value: object) -> tuple[Package, ...]:
    """Give the packages; one that has no name stays, so that no exception for the others covers it."""
    found = [_package(_mapping(one)) for one in value] if isinstance(value, list | tuple) else []
    # A package is there once for each file and layer that has it.
    return tuple(dict.fromkeys(found))


def _package(fields: Mapping[str, Any]) -> Package:
    fixed = _without_epoch(text(fields.get("fixedInVersion")) or "")
    return Package(
        name=text(fields.get("name")) or NO_NAME,
        installed_version=_installed(fields),
        fixed_version=fixed_version(fixed),
    )


def _installed(fields: Mapping[str, Any]) -> str | None:
    version = text(fields.get("version"))
    if version is None:
        return None
    epoch, release = fields.get("epoch"), text(fields.get("release"))
    is_whole = isinstance(epoch, int) and not isinstance(epoch, bool)
    prefix = f"{epoch}:" if is_whole and epoch else ""
    return prefix + version + (f"-{release}" if release else "")


def _without_epoch(version: str) -> str:
    # The epoch 0 is left out of what is installed too: nobody writes it.
    return version.removeprefix("0:")


def _has_fix(said: object, packages: tuple[Package, ...]) -> bool | None:
    known = {"YES": True, "PARTIAL": True, "NO": False}.get(text(said) or "")
    if known is not None:
        return known
    return True if any(package.fixed_version is not None for package in packages) else None


def _url(about: Mapping[str, Any]) -> str | None:
    references = about.get("referenceUrls")
    candidates = [about.get("sourceUrl"), *(references if isinstance(references, list | tuple) else ())]
    return next((url for url in map(link, candidates) if url is not None), None)


def _first(detail: Mapping[str, Any], *names: str) -> object:
    return next((detail[name] for name in names if detail.get(name) is not None), None)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
