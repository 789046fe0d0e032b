"""What ECR can do by itself of a policy: what is to be written, what stays, and what ECR cannot express."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ecr_warden.domain import places
from ecr_warden.domain.policy import Policy, Rule, RuleReference, Scanning
from ecr_warden.domain.settings.current import RegistryDestination, RegistryScanning, ReplicationRule
from ecr_warden.domain.settings.narrowing import written_by
from ecr_warden.domain.settings.plans import Kept, Plan, Put, Setting, Violation
from ecr_warden.domain.settings.replication import (
    at,
    backfill_destinations,
    plan_replication,
    replication_rules,
    wanted_replication,
)
from ecr_warden.domain.settings.scanning import plan_registry_scanning, wanted_scanning
from ecr_warden.domain.settings.templates import CreationTemplate

# What a change of the registry as a whole has in place of a prefix.
REGISTRY: Final = places.REGISTRY
CREATION_TEMPLATE: Final = "creation_template"


@dataclass(frozen=True)
class NativeChange:
    """One document of the registry that is to be written, from what to what; plain JSON, ``None`` for none.

    Attributes
    ----------
    section
        ``creation_template``, or the policy's section.
    prefix
        The template's, or ``*`` for the registry.
    rule
        The rule that says so, or the first of them.
    template
        The template as it is to be, where it is one.
    in_place_of
        The template, of a wider prefix and not the policy's, that the repositories have now and from which
        a new one therefore begins.
    backfill
        Where what was pushed before is to be replicated too.

    """

    section: str
    prefix: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    rule: RuleReference
    template: CreationTemplate | None = None
    in_place_of: str | None = None
    backfill: tuple[RegistryDestination, ...] = ()


@dataclass(frozen=True)
class KeptSetting:
    """What differs and stays, as somebody chose it; ``setting`` is the policy's section."""

    section: str
    prefix: str
    setting: str
    reason: str
    rule: RuleReference


@dataclass(frozen=True)
class NotNative:
    """What of a rule ECR cannot do by itself, and why; ``prefix`` is ``None`` where it is for none."""

    rule: RuleReference
    sections: tuple[str, ...]
    reason: str
    prefix: str | None = None


@dataclass(frozen=True)
class NativePlan:
    """What is to be written, what stays, and what is not native."""

    changes: tuple[NativeChange, ...] = ()
    kept: tuple[KeptSetting, ...] = ()
    not_native: tuple[NotNative, ...] = ()


@dataclass(frozen=True)
class NativeFacts:
    """What the registry has; what the policy needs not is not read, and has its default."""

    templates: tuple[CreationTemplate, ...] = ()
    replication: tuple[ReplicationRule, ...] = ()
    scanning: RegistryScanning = field(default_factory=RegistryScanning)


def reference(policy: Policy, rule: Rule, section: str) -> RuleReference:
    """Say where a rule's section stands."""
    return RuleReference(policy.file, getattr(rule, section).line, rule.match)


def plan_registry(policy: Policy, facts: NativeFacts, *, account: str, region: str) -> NativePlan:
    """Compare the registry's scanning and replication with the policy's enforced rules."""
    changes: list[NativeChange] = []
    kept: list[KeptSetting] = []
    not_native: list[NotNative] = []
    for setting, rule, plan in _registry_plans(policy, facts, account=account, region=region):
        section = setting.section
        match plan:
            case Put(before, after):
                backfill = _backfill(policy, plan, account) if setting is Setting.REPLICATION else ()
                changes.append(NativeChange(section, REGISTRY, before, after, rule, backfill=backfill))
            case Kept(reason):
                kept.append(KeptSetting(section, REGISTRY, section, reason, rule))
            case Violation(reason, next_step):
                what = f"{reason}. {next_step}"
                not_native.append(NotNative(rule, (section,), what, REGISTRY))
    return NativePlan(tuple(changes), tuple(kept), tuple(not_native))


def _registry_plans(
    policy: Policy, facts: NativeFacts, *, account: str, region: str
) -> Iterator[tuple[Setting, RuleReference, Plan]]:
    rules = policy.enforced
    scanned = [rule for rule in rules if _is_for_registry(rule.scanning)]
    wants = wanted_scanning(policy)
    if wants is not None and scanned:
        override = any(rule.override for rule in scanned)
        plan = plan_registry_scanning(facts.scanning, wants, override=override)
        yield Setting.REGISTRY_SCANNING, reference(policy, scanned[0], "scanning"), plan
    replicated = [rule for rule in rules if rule.replicate_to is not None]
    wanted = wanted_replication(policy, account=account, region=region)
    if wanted and replicated:
        # RepositoryCreatedFunction gives prefixes of their own to what no prefix of a glob can express.
        plan = plan_replication(facts.replication, wanted, written_by(policy, wanted, account))
        yield Setting.REPLICATION, reference(policy, replicated[0], "replicate_to"), plan


def _is_for_registry(scanning: Scanning | None) -> bool:
    return scanning is not None and scanning.frequency is not None


def _backfill(policy: Policy, put: Put, account: str) -> tuple[RegistryDestination, ...]:
    """Give the destinations to which more is replicated than before, of the rules that ask for the rest."""
    replications = [rule.replicate_to for rule in policy.enforced if rule.replicate_to is not None]
    asked = {place for each in replications if each.backfill for place in at(each.destinations, account)}
    grown = backfill_destinations(replication_rules(put.before or {}), replication_rules(put.after))
    return tuple(each for each in grown if each in asked)


def joined(plans: Iterable[NativePlan]) -> NativePlan:
    """Put plans together; what is not native in the order of the file."""
    parts = list(plans)
    not_native = dict.fromkeys(each for plan in parts for each in plan.not_native)
    return NativePlan(
        tuple(each for plan in parts for each in plan.changes),
        tuple(each for plan in parts for each in plan.kept),
        tuple(sorted(not_native, key=lambda each: (each.rule.line, each.sections, each.prefix or ""))),
    )
