"""What Inspector answers, on top of moto.

Simulated here: ListFindings, over what the double of ECR has of Inspector's scans; GetClustersForImage, in
one page. Which clusters use which image is what a test says, in ``CLUSTERS``; nothing runs here.

What AWS does not document is decided so: of an image that is archived, or that Inspector does not scan any
more, every finding is CLOSED; an image that is deleted takes its findings with it; the pages of ListFindings
are of what there was at the first.
"""

import json
import uuid
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, cast
from unittest.mock import patch

from moto.core.responses import ActionResult
from moto.ecr.models import ECRBackend, Image, ecr_backends
from moto.inspector2 import urls
from moto.inspector2.responses import Inspector2Response

from ecr_warden_cli.local.ecr_double.api import error
from ecr_warden_cli.local.ecr_double.findings import (
    ACTIVE,
    CLOSED,
    Finding,
    arn_of,
    as_inspector,
    image_arn,
    of_image,
)
from ecr_warden_cli.local.ecr_double.scans import scan_of
from ecr_warden_cli.local.ecr_double.storage import is_archived
from ecr_warden_cli.local.ecr_double.validation import input_problems
from ecr_warden_cli.local.errors import LocalAwsError

# An image's ARN, with its digest, and the clusters as Inspector gives them.
CLUSTERS: Final[dict[str, list[dict[str, Any]]]] = {}

_PAGE: Final = 100
# Of more listings than these that somebody began, the first cannot be gone on with.
_LISTINGS: Final = 100
_RANKS: Final = {
    name: rank
    for rank, name in enumerate(("UNTRIAGED", "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"))
}


@dataclass(frozen=True)
class _Held:
    """Findings of one image, all of them active or none."""

    backend: ECRBackend
    image: Image
    findings: Sequence[Finding]
    is_closed: bool

    def status(self, finding: Finding) -> str:
        return CLOSED if self.is_closed else str(finding.get("status", ACTIVE))

    def shown(self, number: int) -> dict[str, Any]:
        finding = self.findings[number]
        return as_inspector(of_image(self.backend, self.image, finding)) | {"status": self.status(finding)}


@dataclass
class _Listing:
    """What a call of ListFindings found, for its pages: numbers of findings, not the findings themselves."""

    asked: Mapping[str, Any]
    found: list[tuple[_Held, "array[int]"]] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(numbers) for _, numbers in self.found)

    def page(self, start: int, size: int) -> Iterator[dict[str, Any]]:
        every = ((held, number) for held, numbers in self.found for number in numbers)
        for held, number in islice(every, start, start + size):
            yield held.shown(number)


_OF_IMAGES: Final[dict[str, Callable[[ECRBackend, Image], Sequence[str]]]] = {
    "awsAccountId": lambda backend, _: [backend.account_id],
    "ecrImageHash": lambda _, image: [image.image_digest],
    "ecrImageRegistry": lambda _, image: [image.registry_id],
    "ecrImageRepositoryName": lambda _, image: [image.repository_name],
    "ecrImageTags": lambda _, image: image.image_tags,
    "resourceId": lambda backend, image: [image_arn(backend, image)],
    "resourceType": lambda *_: ["AWS_ECR_CONTAINER_IMAGE"],
}
_OF_FINDINGS: Final[dict[str, Callable[[_Held, Finding], Sequence[str]]]] = {
    "findingArn": lambda held, finding: [arn_of(held.backend, held.image, finding)],
    "findingStatus": lambda held, finding: [held.status(finding)],
    "findingType": lambda _, finding: [str(finding.get("type", "PACKAGE_VULNERABILITY"))],
    "severity": lambda _, finding: [str(finding["severity"])],
    "title": lambda _, finding: [str(finding.get("title"))],
    "vulnerabilityId": lambda _, finding: [
        str(finding.get("packageVulnerabilityDetails", {}).get("vulnerabilityId"))
    ],
}


def _list_findings(response: Inspector2Response) -> ActionResult:
    asked = json.loads(response.body or "{}")
    for path, constraint in input_problems("inspector2", "ListFindings", asked):
        raise _invalid(f"{path}: {constraint}")
    listings = cast("dict[str, _Listing]", vars(response.inspector2_backend).setdefault("listings", {}))
    token, size = asked.pop("nextToken", None), asked.pop("maxResults", None) or _PAGE
    if token is None:
        name, start = str(uuid.uuid4()), 0
        listing = _listing(ecr_backends[response.current_account][response.region], asked)
    else:
        name, start = _place(token)
        if name not in listings or listings[name].asked != asked:
            raise _invalid("nextToken: Invalid token")
        listing = listings[name]
    answer: dict[str, Any] = {"findings": list(listing.page(start, size))}
    if start + size < len(listing):
        listings[name] = listing
        answer["nextToken"] = f"{name} {start + size}"
        if len(listings) > _LISTINGS:
            del listings[next(iter(listings))]
    return ActionResult(answer)


def _place(token: str) -> tuple[str, int]:
    name, _, start = token.partition(" ")
    return (name, int(start)) if start.isdecimal() else ("", 0)


def _listing(backend: ECRBackend, asked: Mapping[str, Any]) -> _Listing:
    """Find what is asked for, in the order that is asked for."""
    criteria = {key: value for key, value in (asked.get("filterCriteria") or {}).items() if value}
    if unknown := criteria.keys() - _OF_IMAGES.keys() - _OF_FINDINGS.keys():
        raise LocalAwsError(f"ListFindings by {', '.join(sorted(unknown))} is not simulated")
    rank = _ranking(asked.get("sortCriteria"))
    by_rank: dict[int, list[tuple[_Held, array[int]]]] = {}
    for held in _held(backend, criteria):
        numbers: dict[int, array[int]] = {}
        for number, finding in enumerate(held.findings):
            if _passes(criteria, _OF_FINDINGS, held, finding):
                numbers.setdefault(rank(finding), array("L")).append(number)
        for key, some in numbers.items():
            by_rank.setdefault(key, []).append((held, some))
    return _Listing(asked, [run for key in sorted(by_rank) for run in by_rank[key]])


def _ranking(criteria: Mapping[str, str] | None) -> Callable[[Finding], int]:
    if criteria is None:
        return lambda _: 0
    if criteria["field"] != "SEVERITY":
        raise LocalAwsError(f"ListFindings in the order of {criteria['field']} is not simulated")
    sign = -1 if criteria["sortOrder"] == "DESC" else 1
    return lambda finding: sign * _RANKS.get(str(finding["severity"]), 0)


def _held(backend: ECRBackend, criteria: Mapping[str, Any]) -> Iterator[_Held]:
    for repository in backend.repositories.values():
        for image in repository.images:
            scan = scan_of(image)
            if scan is None or not scan.is_enhanced or not _passes(criteria, _OF_IMAGES, backend, image):
                continue
            is_closed = is_archived(image) or not scan.has_findings
            yield _Held(backend, image, scan.findings, is_closed)
            yield _Held(backend, image, scan.inactive, is_closed)


def _passes(
    criteria: Mapping[str, Any], known: Mapping[str, Callable[..., Sequence[str]]], *subject: object
) -> bool:
    """Tell whether a subject meets all criteria that are about its kind."""
    return all(_meets(criteria[name], values(*subject)) for name, values in known.items() if name in criteria)


def _meets(filters: Iterable[Mapping[str, str]], values: Sequence[str]) -> bool:
    """Tell whether one of the filters that name something holds, and each that excludes something."""
    wanted: list[bool] = []
    for one in filters:
        comparison, value = one["comparison"], one["value"]
        if comparison == "NOT_EQUALS":
            if value in values:
                return False
        else:
            wanted.append(
                any(found == value if comparison == "EQUALS" else found.startswith(value) for found in values)
            )
    return not wanted or any(wanted)


def _invalid(message: str) -> Exception:
    raised = error("ValidationException", message, service="inspector2")
    vars(raised)["reason"] = "FIELD_VALIDATION_FAILED"
    return raised


def _get_clusters_for_image(response: Inspector2Response) -> str:
    image = response._get_param("filter")["resourceId"]  # noqa: SLF001  # how moto's responses read
    return json.dumps({"cluster": CLUSTERS.get(image, [])})


@contextmanager
def faithful_inspector() -> Iterator[None]:
    """Let moto answer as above while the context lasts; it must begin before moto does."""
    with (
        patch.dict(urls.url_paths, {"{0}/cluster/get$": Inspector2Response.dispatch}),
        patch.object(Inspector2Response, "get_clusters_for_image", _get_clusters_for_image, create=True),
        patch.object(Inspector2Response, "list_findings", _list_findings),
    ):
        yield
