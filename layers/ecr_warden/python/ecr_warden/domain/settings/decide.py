"""What a repository has is compared with what the policy wants, section by section."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import Any, Final

from ecr_warden.domain.console import repository_arn
from ecr_warden.domain.events import Occasion
from ecr_warden.domain.policy import Mode, Policy, Replication, ScanFrequency, Scanning
from ecr_warden.domain.resolution import Decided
from ecr_warden.domain.settings.current import (
    RegistryDestination,
    RegistryScanning,
    ReplicationRule,
    Repository,
)
from ecr_warden.domain.settings.encryption import plan_encryption
from ecr_warden.domain.settings.grouping import given, wanted_for
from ecr_warden.domain.settings.lifecycle import plan_lifecycle
from ecr_warden.domain.settings.narrowing import own_prefix, own_wildcard, written_by
from ecr_warden.domain.settings.plans import Compliant, Kept, Plan, Setting, Violation
from ecr_warden.domain.settings.replication import at, plan_replication, wanted_replication
from ecr_warden.domain.settings.repository_policy import plan_repository_policy
from ecr_warden.domain.settings.resource_tags import missing_tags, plan_resource_tags, wanted_tags
from ecr_warden.domain.settings.scan_on_push import plan_scan_on_push
from ecr_warden.domain.settings.scanning import (
    WantedScanning,
    is_scanned,
    plan_registry_scanning,
    wanted_scanning,
    with_filter,
)
from ecr_warden.domain.settings.tag_mutability import plan_tag_mutability


@dataclass(frozen=True)
class Facts:
    """What was read; what no section needs is not, and has its default."""

    repository: Repository
    lifecycle: Mapping[str, Any] | None = None
    repository_policy: Mapping[str, Any] | None = None
    resource_tags: Mapping[str, str] | None = None
    replication: tuple[ReplicationRule, ...] = ()
    scanning: RegistryScanning = field(default_factory=RegistryScanning)


@dataclass(frozen=True)
class Planned:
    """One setting, what is to be done about it, and which rule says so."""

    setting: Setting
    plan: Plan
    decided: Decided


@dataclass(frozen=True)
class _About:
    policy: Policy
    occasion: Occasion
    facts: Facts


_Plans = Iterator[tuple[Setting, Plan]]


def plan_settings(
    policy: Policy, decided: Mapping[str, Decided], occasion: Occasion, facts: Facts
) -> tuple[Planned, ...]:
    """Compare every decided section with the facts; a setting that nothing is asked of is left out."""
    about = _About(policy, occasion, facts)
    return tuple(
        Planned(setting, plan, one)
        for section, one in decided.items()
        for setting, plan in _PLANNERS[section](about, one)
    )


def _tag_mutability(about: _About, decided: Decided) -> _Plans:
    current = about.facts.repository.mutability
    plan = plan_tag_mutability(current, decided.settings, override=decided.override)
    yield Setting.TAG_MUTABILITY, plan


def _lifecycle(about: _About, decided: Decided) -> _Plans:
    plan = plan_lifecycle(about.facts.lifecycle, decided.settings, override=decided.override)
    yield Setting.LIFECYCLE, plan


def _scanning(about: _About, decided: Decided) -> _Plans:
    if decided.settings.frequency is not None:
        yield Setting.REGISTRY_SCANNING, _registry_scanning(about, decided)
    if decided.settings.scan_on_push is not None:
        plan = plan_scan_on_push(
            about.facts.repository.scan_on_push, decided.settings.scan_on_push, override=decided.override
        )
        yield Setting.SCAN_ON_PUSH, plan


def _as_if_enforced(about: _About, decided: Decided) -> Policy:
    """Give the policy by which one document for the whole registry is planned.

    Where the deciding rule is only audited, that is this rule alone, as if it were enforced: people are told
    what it would change, and nothing of what other rules do.
    """
    if decided.mode is Mode.ENFORCE:
        return about.policy
    # By identity: rules that are the same, on one line, are equal.
    own = next(one for one in about.policy.rules if getattr(one, decided.section) is decided.settings)
    return replace(about.policy, rules=(replace(own, mode=Mode.ENFORCE),))


def _registry_scanning(about: _About, decided: Decided) -> Plan:
    wanted = wanted_scanning(_as_if_enforced(about, decided)) or WantedScanning()
    section: Scanning = decided.settings
    name, frequency = about.occasion.repository_name, section.frequency or ScanFrequency.MANUAL
    rules = (*wanted.rules, *about.facts.scanning.rules)
    if section.narrow and not is_scanned(rules, name, frequency):
        own = own_wildcard(about.policy, name)
        if own is None:
            return _inexpressible("scanning", "filter", about.occasion)
        wanted = with_filter(wanted, frequency, own)
    plan = plan_registry_scanning(about.facts.scanning, wanted, override=decided.override)
    if isinstance(plan, Kept):
        # Whoever chose it for the registry did not for this repository, which is not scanned as it should be.
        return Violation(plan.reason, "Switch the registry's scanning, or give the rule override: true")
    return plan


def _replication(about: _About, decided: Decided) -> _Plans:
    yield Setting.REPLICATION, _planned_replication(about, decided)


def _planned_replication(about: _About, decided: Decided) -> Plan:
    section: Replication = decided.settings
    account, name = about.occasion.account, about.occasion.repository_name
    policy = _as_if_enforced(about, decided)
    wanted = wanted_replication(policy, account=account, region=about.occasion.region)
    if not section.narrow:
        return plan_replication(about.facts.replication, wanted)
    itself = RegistryDestination(about.occasion.region, account)
    missing = at(section.destinations, account) - {itself}
    # What the registry has already, by a filter of its own or of another repository, needs no search.
    missing -= wanted_for(wanted, name) | given(about.facts.replication, name)
    if missing:
        own = own_prefix(about.policy, name)
        if own is None:
            return _inexpressible("replicate_to", "prefix", about.occasion)
        wanted = {**wanted, own: wanted.get(own, frozenset()) | missing}
    return plan_replication(about.facts.replication, wanted, written_by(about.policy, wanted, account))


def _inexpressible(section: str, kind: str, occasion: Occasion) -> Violation:
    return Violation(
        f"{section} cannot be expressed for it: each {kind} that takes {occasion.repository_name} takes "
        "repositories too that the policy decides otherwise",
        "Give it a name that no other begins with, or let the policy decide for those as for this one",
    )


def _resource_tags(about: _About, decided: Decided) -> _Plans:
    current = about.facts.resource_tags or {}
    tags = wanted_tags(decided.settings, creator=about.occasion.creator, created_at=about.occasion.event_time)
    if tags:
        yield (
            Setting.RESOURCE_TAGS,
            plan_resource_tags(current, decided.settings, tags, override=decided.override),
        )
    if decided.settings.require:
        yield Setting.REQUIRED_TAGS, _required(missing_tags(current, decided.settings, tags), about.occasion)


def _required(missing: tuple[str, ...], occasion: Occasion) -> Plan:
    if not missing:
        return Compliant()
    # What ECR creates itself, nobody can be asked about.
    is_person = occasion.creator is not None and not occasion.creator.endswith(".amazonaws.com")
    arn = repository_arn(occasion.account, occasion.region, occasion.repository_name)
    return Violation(
        f"it lacks the resource tag{'s' * (len(missing) > 1)} {', '.join(missing)}, which it must have",
        # Between backticks, as a sentence's stop after it would become a part of the last value.
        f"Ask {occasion.creator if is_person else 'its owner'} to tag it, with values of their own: `aws ecr "
        f"tag-resource --region {occasion.region} --resource-arn {arn} --tags "
        f"{' '.join(quote(f'Key={key},Value={_placeholder(key)}') for key in missing)}`",
    )


def _placeholder(key: str) -> str:
    """Give what nobody takes for a value, as in TEAM for team."""
    return re.sub(r"\W+", "_", key).strip("_").upper() or "VALUE"


def _repository_policy(about: _About, decided: Decided) -> _Plans:
    plan = plan_repository_policy(about.facts.repository_policy, decided.settings, override=decided.override)
    yield Setting.REPOSITORY_POLICY, plan


def _encryption(about: _About, decided: Decided) -> _Plans:
    yield Setting.ENCRYPTION, plan_encryption(about.facts.repository, decided.settings)


_PLANNERS: Final[dict[str, Callable[[_About, Decided], _Plans]]] = {
    "tag_mutability": _tag_mutability,
    "lifecycle": _lifecycle,
    "scanning": _scanning,
    "replicate_to": _replication,
    "resource_tags": _resource_tags,
    "repository_policy": _repository_policy,
    "encryption": _encryption,
}
