"""Replication backfills. Nothing replicates: one that is started is in progress until a test ends it."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, cast

from moto.ecr.models import ECRBackend

from ecr_warden_cli.local.ecr_double.api import Parameters, error, invalid, now, page

IN_PROGRESS_AT_ONCE: Final = 10
_PAGE: Final = 25
_RESULTS: Final = "results"
Backfill: TypeAlias = dict[str, Any]


def backfills_of(backend: ECRBackend) -> dict[str, Backfill]:
    """Give a registry's backfills by id, the first first."""
    return cast("dict[str, Backfill]", vars(backend).setdefault("backfills", {}))


def start(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Start to replicate what is there to a destination that the registry replicates to."""
    destination = parameters["destination"]
    if not _rules_to(backend, destination):
        raise invalid("destination", "The destination is not in the registry's replication configuration")
    running = [item for item in backfills_of(backend).values() if item["status"] == "IN_PROGRESS"]
    if any(item["destination"]["region"] == destination["region"] for item in running):
        raise error(
            "ReplicationBackfillInProgressException",
            f"A replication backfill to {destination['region']} is already in progress",
        )
    if len(running) >= IN_PROGRESS_AT_ONCE:
        raise error("LimitExceededException", f"{IN_PROGRESS_AT_ONCE} replication backfills are in progress")
    backfill: Backfill = {
        "replicationBackfillId": str(uuid.uuid4()),
        "destination": destination,
        "status": "IN_PROGRESS",
        "startedAt": now(),
        "progress": _progress(len(list(_replications(backend, destination))), []),
    }
    backfills_of(backend)[backfill["replicationBackfillId"]] = backfill
    # ECR answers so for a new one, whose images it has yet to find.
    return _shown(backend, backfill | {"status": "PREPARING"}, "progress")


def list_all(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Give a page of the backfills."""
    found, more = page(list(backfills_of(backend).values()), parameters, default=_PAGE)
    return {"registryId": backend.account_id, "backfills": found, **more}


def stop(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Stop a backfill, which is stopped at once."""
    backfill = _find(backend, parameters)
    if backfill["status"] != "IN_PROGRESS":
        raise error(
            "ReplicationBackfillInvalidStatusException",
            f"The replication backfill has the status {backfill['status']}",
        )
    backfill |= {"status": "STOPPED", "endedAt": now(), _RESULTS: []}
    return _shown(backend, backfill, "progress", "endedAt", _RESULTS)


def describe_results(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Give how a backfill stands, and each image's result once it has ended."""
    backfill, wanted = _find(backend, parameters), parameters.get("resultStatusFilter")
    matching = [item for item in backfill.get(_RESULTS, []) if wanted in {None, item["status"]}]
    results, more = page(matching, parameters)
    return _shown(backend, backfill, _RESULTS) | {_RESULTS: results, **more}


def end_backfill(
    backend: ECRBackend,
    backfill_id: str,
    *,
    failures: Mapping[str, str] | None = None,
    failure_code: str | None = None,
) -> None:
    """End a backfill, as ECR does when it has replicated all that it could.

    Parameters
    ----------
    backend
        The registry in its Region.
    backfill_id
        What StartReplicationBackfill answered.
    failures
        The failure code of each image that was not replicated, by its digest.
    failure_code
        Given where the backfill as a whole failed.

    """
    backfill, failed = backfills_of(backend)[backfill_id], failures or {}
    results = [
        {"repositoryName": name, "imageId": image_id, "status": "COMPLETE"}
        | ({"status": "FAILED", "failureCode": failed[digest]} if digest in failed else {})
        for name, image_id in _replications(backend, backfill["destination"])
        for digest in [image_id["imageDigest"]]
    ]
    codes = [result["failureCode"] for result in results if result["status"] == "FAILED"]
    backfill |= {
        "status": "FAILED" if failure_code else "COMPLETE",
        "endedAt": now(),
        "progress": _progress(len(results), codes, len(results) - len(codes)),
        _RESULTS: results,
    }
    if failure_code:
        backfill["failureCode"] = failure_code


def _progress(total: int, failure_codes: list[Any], completed: int = 0) -> dict[str, Any]:
    return {
        "totalReplicationCount": total,
        "completedReplicationCount": completed,
        "failedReplicationCount": len(failure_codes),
        "failureCodes": sorted(set(failure_codes)),
    }


def _rules_to(backend: ECRBackend, destination: Mapping[str, str]) -> list[dict[str, Any]]:
    return [rule for rule in backend.replication_config["rules"] if destination in rule["destinations"]]


def _replications(
    backend: ECRBackend, destination: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Give each image and tag that goes to a destination: each is one replication."""
    filters = [rule.get("repositoryFilters") or [] for rule in _rules_to(backend, destination)]
    for repository in backend.repositories.values():
        if any(
            not some or any(repository.name.startswith(one["filter"]) for one in some) for some in filters
        ):
            for image in repository.images:
                for tag in image.image_tags or [None]:
                    image_id = {"imageDigest": image.image_digest}
                    yield repository.name, image_id | ({"imageTag": tag} if tag else {})


def _find(backend: ECRBackend, parameters: Parameters) -> Backfill:
    backfill_id = parameters["replicationBackfillId"]
    if backfill_id not in backfills_of(backend):
        raise error(
            "ReplicationBackfillNotFoundException", f"The replication backfill {backfill_id} does not exist"
        )
    return backfills_of(backend)[backfill_id]


def _shown(backend: ECRBackend, backfill: Backfill, *left_out: str) -> dict[str, Any]:
    kept = {name: value for name, value in backfill.items() if name not in left_out}
    return {"registryId": backend.account_id, **kept}
