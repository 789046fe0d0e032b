"""What of a gate over scans has no effect, or none any more."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from ecr_warden.domain.policy import Rule, ScanAction, ScanGate, ScanType
from ecr_warden.domain.reachability import shares_a_name
from ecr_warden.domain.settings.capacity import wanted_scan_type
from ecr_warden_cli.policy.problems import Problem
from ecr_warden_cli.policy.source import Path, Source

# What a gate may ask of a finding that basic scans do not say.
_UNSAID_BY_BASIC: Final = {
    "exploitable_only": "whether an exploit is known",
    "min_epss": "an EPSS score",
    "grace_days": "when a finding was first observed",
}


def scan_gate_problems(
    rules: Mapping[int, Rule], source: Source, file: str, today: date
) -> Iterator[Problem]:
    """Find what has no effect in gates; ``rules`` has them by their place in the file."""
    scan_type = wanted_scan_type(tuple(rules.values()))
    for place, rule in rules.items():
        gate = rule.scan_gate
        if gate is None:
            continue
        found = [*_gate_problems(gate), *_ignore_problems(rule, gate, today)]
        if scan_type is not None and scan_type[1] is ScanType.BASIC:
            found += _basic_problems(gate, scan_type[0])
        for path, message in found:
            yield Problem(file, *source.position(("rules", place, "scan_gate", *path)), message, "warning")


def _gate_problems(gate: ScanGate) -> Iterator[tuple[Path, str]]:
    """Give what the gate itself says for nothing, each with its path within the section."""
    limited = {severity for severity, _ in gate.max}
    for severity, _ in gate.grace_days:
        if severity not in limited:
            message = (
                f"grace_days has no effect for {severity}: max does not limit it; limit it, or remove it"
            )
            yield ("grace_days", severity.value), message
    if gate.even_in_use and ScanAction.QUARANTINE not in {gate.on_failure, gate.on_scan_failed}:
        message = (
            "even_in_use has no effect: neither on_failure nor on_scan_failed is quarantine; make one of "
            "them so, or remove it"
        )
        yield ("even_in_use",), message


def _ignore_problems(rule: Rule, gate: ScanGate, today: date) -> Iterator[tuple[Path, str]]:
    apart = {
        glob for glob in {entry.repository for entry in gate.ignore} if glob and not shares_a_name(rule, glob)
    }
    for index, entry in enumerate(gate.ignore):
        if entry.until < today:
            message = (
                f"the exception for {entry.vulnerability} ended on {entry.until}: remove it, or give it a "
                "later end"
            )
            yield ("ignore", index, "until"), message
        if entry.repository in apart:
            message = (
                f"the exception for {entry.vulnerability} has no effect: the rule is for no repository that "
                f"{entry.repository} matches; give another glob, or remove it"
            )
            yield ("ignore", index, "repository"), message


def _basic_problems(gate: ScanGate, line: int) -> Iterator[tuple[Path, str]]:
    """Give the filters that rest on what no finding says, where the policy has scans be basic."""
    for name, unsaid in _UNSAID_BY_BASIC.items():
        if getattr(gate, name):
            message = (
                f"{name} has no effect: by line {line} the registry's scans are {ScanType.BASIC}; they do "
                f"not say {unsaid}, and so every finding counts; scan with the type enhanced, or remove it"
            )
            yield (name,), message
