"""What is set for a whole registry: its replication and its scanning. Nothing replicates or scans."""

import copy
import re
from functools import lru_cache
from typing import Any, Final

import boto3
from moto.ecr.models import ECRBackend

from ecr_warden.domain.console import partition
from ecr_warden_cli.local.ecr_double.api import Parameters, invalid

REPLICATION_RULES: Final = 10
DESTINATIONS: Final = 25
FREQUENCIES: Final = {"BASIC": {"SCAN_ON_PUSH", "MANUAL"}, "ENHANCED": {"SCAN_ON_PUSH", "CONTINUOUS_SCAN"}}


def describe_registry(backend: ECRBackend, _: Parameters) -> dict[str, Any]:
    """Give the registry's replication configuration."""
    return {"registryId": backend.account_id, "replicationConfiguration": backend.replication_config}


def put_replication_configuration(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Replace the whole replication configuration."""
    configuration = parameters["replicationConfiguration"]
    rules = configuration["rules"]
    if len(rules) > REPLICATION_RULES:
        raise invalid("replicationConfiguration.rules", f"at most {REPLICATION_RULES} rules")
    destinations = {(to["region"], to["registryId"]) for rule in rules for to in rule["destinations"]}
    if len(destinations) > DESTINATIONS:
        raise invalid("replicationConfiguration.rules", f"at most {DESTINATIONS} different destinations")
    if (backend.region_name, backend.account_id) in destinations:
        raise invalid(
            "replicationConfiguration",
            "Replication destination cannot be the same as the source registry",
        )
    unknown = {region for region, _ in destinations} - regions(partition(backend.region_name))
    if unknown:
        raise invalid("replicationConfiguration", f"Invalid region: {', '.join(sorted(unknown))}")
    backend.replication_config = copy.deepcopy(configuration)
    return {"replicationConfiguration": configuration}


@lru_cache
def regions(partition_name: str) -> frozenset[str]:
    """Give the Regions of a partition that have ECR."""
    return frozenset(boto3.session.Session().get_available_regions("ecr", partition_name))


def get_registry_scanning_configuration(backend: ECRBackend, _: Parameters) -> dict[str, Any]:
    """Give the registry's scanning configuration: BASIC without rules until one is put."""
    return {
        "registryId": backend.account_id,
        "scanningConfiguration": backend.registry_scanning_configuration,
    }


def put_registry_scanning_configuration(backend: ECRBackend, parameters: Parameters) -> dict[str, Any]:
    """Replace the scanning rules; without a scan type the registry keeps its own."""
    kept = backend.registry_scanning_configuration["scanType"]
    scan_type, rules = parameters.get("scanType") or kept, parameters.get("rules") or []
    frequencies = [rule["scanFrequency"] for rule in rules]
    if len(set(frequencies)) < len(frequencies):
        raise invalid("rules", "Each rule must have a scan frequency of its own")
    for frequency in frequencies:
        if frequency not in FREQUENCIES[scan_type]:
            raise invalid("rules", f"{frequency} is not a scan frequency of {scan_type}")
    backend.put_registry_scanning_configuration(scan_type, copy.deepcopy(rules))
    return {"registryScanningConfiguration": {"scanType": scan_type, "rules": rules}}


def matches_scanning_filter(_: ECRBackend, wildcard: str, repository_name: str) -> bool:
    """Tell whether a repository is under a filter; one without ``*`` is under any name that contains it."""
    if "*" not in wildcard:
        return wildcard in repository_name
    return bool(re.fullmatch(".*".join(map(re.escape, wildcard.split("*"))), repository_name))
