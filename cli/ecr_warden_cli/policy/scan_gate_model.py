"""The model of the section about what scans find."""

import difflib
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool

from ecr_warden.domain.finding_summary import FindingSeverity
from ecr_warden_cli.policy.base import LastDay, Model, RepositoryGlob, Text, whole_number

_GLOB_CHARACTERS: Final = frozenset("*?[]")
# Ten years: who wants to wait longer has no limit for the severity.
_MOST_GRACE_DAYS: Final = 3_650


def _severity(name: object) -> object:
    known = [severity.value for severity in FindingSeverity]
    if name not in known:
        nearest = difflib.get_close_matches(str(name).lower(), known, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"known here: {', '.join(known)}"
        raise ValueError(f"{name} is no severity of findings: {hint}")
    return name


def _some(limits: object) -> object:
    if limits == {}:
        raise ValueError("max is empty: give a limit, as in {critical: 0}")
    return limits


def _vulnerability(text: str) -> str:
    if not _GLOB_CHARACTERS.isdisjoint(text):
        raise ValueError(f"{text!r}: a vulnerability is named exactly, as in CVE-2026-1234, and by no glob")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError(f"{text!r}: a vulnerability's id has no blanks and no control characters")
    return text


def _package(name: str) -> str:
    if "*" in name:
        raise ValueError(f"{name!r}: a package is named exactly, as in openssl, and by no glob")
    if name != name.strip() or not name.isprintable():
        raise ValueError(f"{name!r}: a package's name has no control characters, and no blanks around it")
    return name


Severity = Annotated[FindingSeverity, BeforeValidator(_severity)]
MostFindings = Annotated[int, Field(strict=True, ge=0), BeforeValidator(whole_number(0))]
GraceDays = Annotated[
    int, Field(strict=True, ge=1, le=_MOST_GRACE_DAYS), BeforeValidator(whole_number(1, _MOST_GRACE_DAYS))
]
VulnerabilityId = Annotated[Text, AfterValidator(_vulnerability)]
PackageName = Annotated[Text, AfterValidator(_package)]


class IgnoredVulnerabilityModel(Model):
    """A vulnerability that does not count for a time."""

    vulnerability: VulnerabilityId
    """Its id, such as CVE-2026-1234, in upper or lower case."""
    until: LastDay
    """The last day, in UTC. Every exception ends."""
    reason: Text
    """Why."""
    repository: RepositoryGlob | None = None
    """A glob over repository names; without it, in all that the rule matches."""
    package: PackageName | None = None
    """The package in which it does not count; without it, in all."""


class ScanGateModel(Model):
    """What scans may find in an image, and what happens to one in which they find more."""

    max: Annotated[dict[Severity, MostFindings], Field(min_length=1), BeforeValidator(_some)]
    """The most findings of each severity that pass; one that is not named has no limit."""
    fixable_only: StrictBool = False
    """Whether findings count only where a fix is available. What the scanner does not say counts."""
    exploitable_only: StrictBool = False
    """Whether findings count only where an exploit is known. What the scanner does not say counts."""
    min_epss: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] | None = None
    """The least EPSS score, 0 to 1, with which findings count. What the scanner does not say counts."""
    ignore: list[IgnoredVulnerabilityModel] = []
    """Vulnerabilities that do not count for a time."""
    grace_days: dict[Severity, GraceDays] = {}
    """For how many days after it was first observed a finding does not count, by severity."""
    on_failure: Literal["notify", "quarantine"] = "notify"
    """What to do, in enforce mode, with an image in which more is found."""
    on_scan_failed: Literal["ignore", "notify", "quarantine"] = "notify"
    """What to do, in enforce mode, with an image that could not be scanned."""
    even_in_use: StrictBool = False
    """Whether an image is quarantined too while a workload uses it."""
