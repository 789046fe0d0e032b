"""The models about what scans find become the domain's values."""

from collections.abc import Callable, Mapping

from ecr_warden.domain.finding_summary import FindingSeverity
from ecr_warden.domain.policy import IgnoredVulnerability, ScanAction, ScanGate
from ecr_warden_cli.policy.scan_gate_model import IgnoredVulnerabilityModel, ScanGateModel


def scan_gate(model: ScanGateModel, line_of: Callable[..., int]) -> ScanGate:
    """Give the section's value; severities are worst first, whatever their order in the file.

    ``line_of`` gives the line of a path within the section, or of the section itself where there is no path.
    """
    return ScanGate(
        line=line_of(),
        max=_worst_first(model.max),
        fixable_only=model.fixable_only,
        exploitable_only=model.exploitable_only,
        min_epss=model.min_epss,
        ignore=tuple(_ignored(entry, line_of("ignore", place)) for place, entry in enumerate(model.ignore)),
        grace_days=_worst_first(model.grace_days),
        on_failure=ScanAction(model.on_failure),
        on_scan_failed=ScanAction(model.on_scan_failed),
        even_in_use=model.even_in_use,
    )


def _worst_first(numbers: Mapping[FindingSeverity, int]) -> tuple[tuple[FindingSeverity, int], ...]:
    return tuple((severity, numbers[severity]) for severity in FindingSeverity if severity in numbers)


def _ignored(entry: IgnoredVulnerabilityModel, line: int) -> IgnoredVulnerability:
    return IgnoredVulnerability(
        line, entry.vulnerability, entry.until, entry.reason, entry.repository, entry.package
    )
