"""A repository creation template: what ECR gives the repositories that it creates itself, and what to put in.

ECR takes the one template of the most specific prefix, whole; templates are not merged.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ecr_warden.domain.policy import Encryption
from ecr_warden.domain.resolution import Decided
from ecr_warden.domain.settings.current import Mutability
from ecr_warden.domain.settings.lifecycle import plan_lifecycle
from ecr_warden.domain.settings.plans import Compliant, Kept, Plan, Put
from ecr_warden.domain.settings.repository_policy import plan_repository_policy
from ecr_warden.domain.settings.resource_tags import plan_resource_tags
from ecr_warden.domain.settings.tag_mutability import plan_tag_mutability

# The prefix of the template for what no other template is for.
ROOT: Final = "ROOT"
# Why ECR creates a repository itself; the order is the one in which people are told.
REASONS: Final = ("PULL_THROUGH_CACHE", "CREATE_ON_PUSH", "REPLICATION")
# The policy's sections that a template can have.
TEMPLATE_SECTIONS: Final = (
    "tag_mutability",
    "lifecycle",
    "repository_policy",
    "resource_tags",
    "encryption",
)
PLAIN_ENCRYPTION: Final = "AES256"


@dataclass(frozen=True)
class CreationTemplate:
    """A template as ECR has it; ``None`` is what it does not say, and ECR's default.

    ``prefix`` has no ``/`` at its end, where ECR assumes one.
    """

    prefix: str
    applied_for: frozenset[str] = frozenset(REASONS)
    mutability: Mutability | None = None
    lifecycle: Mapping[str, Any] | None = None
    repository_policy: Mapping[str, Any] | None = None
    resource_tags: Mapping[str, str] = field(default_factory=dict)
    encryption_type: str | None = None
    kms_key: str | None = None
    custom_role_arn: str | None = None
    description: str | None = None

    @property
    def is_for_all(self) -> bool:
        """Whether it is for every repository below its prefix that ECR creates, whatever the reason."""
        return self.applied_for.issuperset(REASONS)

    @property
    def needs_role(self) -> bool:
        """Whether ECR takes it with a role of the customer's alone."""
        return bool(self.resource_tags) or self.encryption_type not in {None, PLAIN_ENCRYPTION}


def is_broader(wide: str, narrow: str) -> bool:
    """Tell whether a prefix takes all that another, more specific one takes."""
    return wide != narrow and (wide == ROOT or narrow.startswith(f"{wide}/"))


def takes_over_from(prefix: str, others: Iterable[str]) -> list[str]:
    """Give the prefixes in whose place a prefix is taken, the nearest first."""
    wider = [other for other in others if is_broader(other, prefix)]
    return sorted(wider, key=lambda other: (other != ROOT, len(other)), reverse=True)


def begun_from(
    new: CreationTemplate, wider: CreationTemplate, of_policy: Collection[str]
) -> CreationTemplate:
    """Give a new template what somebody chose in a wider one; what is the policy's there, it says anew."""
    fields: dict[str, dict[str, Any]] = {
        "tag_mutability": {"mutability": wider.mutability},
        "lifecycle": {"lifecycle": wider.lifecycle},
        "repository_policy": {"repository_policy": wider.repository_policy},
        "resource_tags": {"resource_tags": wider.resource_tags},
        "encryption": {"encryption_type": wider.encryption_type, "kms_key": wider.kms_key},
    }
    begun = replace(new, custom_role_arn=wider.custom_role_arn)
    for section, values in fields.items():
        if section not in of_policy:
            begun = replace(begun, **values)
    return begun


@dataclass(frozen=True)
class TemplatePlan:
    """A template as it is to be, and what came of each section that was compared."""

    after: CreationTemplate
    plans: tuple[tuple[Decided, Plan], ...]


def plan_template(
    start: CreationTemplate, decided: Mapping[str, Decided], *, role_arn: str | None
) -> TemplatePlan:
    """Compare a template with what the policy says of its repositories, each section as a repository's.

    Parameters
    ----------
    start
        The template that is there, or what a new one begins with.
    decided
        What the policy says of each section, the same for all repositories that it is for.
    role_arn
        The role that ECR is to assume, where the template needs one and has none.

    """
    after, plans = start, []
    for section, one in decided.items():
        plan = _plan(start, one)
        plans.append((one, plan))
        if isinstance(plan, Put):
            after = replace(after, **_fields(section, plan.after, start))
    role = after.custom_role_arn or (role_arn if after.needs_role else None)
    applied_for = start.applied_for | frozenset(REASONS)
    return TemplatePlan(replace(after, custom_role_arn=role, applied_for=applied_for), tuple(plans))


def _plan(current: CreationTemplate, decided: Decided) -> Plan:
    settings, override = decided.settings, decided.override
    match decided.section:
        case "tag_mutability":
            return plan_tag_mutability(current.mutability or Mutability(), settings, override=override)
        case "lifecycle":
            return plan_lifecycle(current.lifecycle, settings, override=override)
        case "repository_policy":
            return plan_repository_policy(current.repository_policy, settings, override=override)
        case "resource_tags":
            tags = fixed_tags(settings.set)
            return plan_resource_tags(current.resource_tags, settings, tags, override=override)
        case _:
            return _plan_encryption(current, settings, override=override)


def fixed_tags(tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give the resource tags that are the same for every repository: those without a placeholder."""
    return {key: value for key, value in tags if "{" not in value}


def _plan_encryption(current: CreationTemplate, wanted: Encryption, *, override: bool) -> Plan:
    """Compare encryption: unlike a repository's, a template's can be changed; AES256 is nobody's choice."""
    here = current.encryption_type or PLAIN_ENCRYPTION
    if here == wanted.type and wanted.kms_key in {None, current.kms_key}:
        return Compliant()
    if here != PLAIN_ENCRYPTION and not override:
        return Kept(f"somebody set its encryption to {encryption_text(here, current.kms_key)}")
    return Put(_encryption(here, current.kms_key), _encryption(wanted.type, wanted.kms_key))


def encryption_text(encryption_type: str, kms_key: str | None) -> str:
    """Say how repositories are encrypted."""
    return f"{encryption_type} ({kms_key})" if kms_key else encryption_type


def _encryption(encryption_type: str, kms_key: str | None) -> dict[str, Any]:
    return {"encryptionType": encryption_type} | ({"kmsKey": kms_key} if kms_key else {})


def _fields(section: str, after: Mapping[str, Any], start: CreationTemplate) -> dict[str, Any]:
    """Give the template's fields that a section's ``Put`` writes."""
    match section:
        case "tag_mutability":
            return {"mutability": Mutability(after["mode"], tuple(after.get("except", ())))}
        case "resource_tags":
            return {"resource_tags": {**start.resource_tags, **after}}
        case "encryption":
            return {"encryption_type": after["encryptionType"], "kms_key": after.get("kmsKey")}
        case _:
            return {section: after}


def template_json(template: CreationTemplate) -> dict[str, Any]:
    """Give a template as plain JSON, by the names of ECR's API; what it does not say is left out."""
    mutability = template.mutability
    encryption = template.encryption_type
    json: dict[str, Any] = {
        "prefix": template.prefix,
        "appliedFor": in_order(template.applied_for),
        "imageTagMutability": mutability and mutability.mode,
        "imageTagMutabilityExclusionFilters": mutability and list(mutability.excluded),
        "encryptionConfiguration": encryption and _encryption(encryption, template.kms_key),
        "resourceTags": dict(template.resource_tags),
        "lifecyclePolicy": template.lifecycle,
        "repositoryPolicy": template.repository_policy,
        "customRoleArn": template.custom_role_arn,
        "description": template.description,
    }
    return {name: value for name, value in json.items() if value}


def template_of(json: Mapping[str, Any]) -> CreationTemplate:
    """Give a template from its plain JSON, as ``template_json`` gives it."""
    mode, encryption = json.get("imageTagMutability"), json.get("encryptionConfiguration") or {}
    excluded = json.get("imageTagMutabilityExclusionFilters") or ()
    return CreationTemplate(
        prefix=json["prefix"],
        applied_for=frozenset(json.get("appliedFor") or ()),
        mutability=Mutability(mode, tuple(excluded)) if mode else None,
        lifecycle=json.get("lifecyclePolicy"),
        repository_policy=json.get("repositoryPolicy"),
        resource_tags=json.get("resourceTags") or {},
        encryption_type=encryption.get("encryptionType"),
        kms_key=encryption.get("kmsKey"),
        custom_role_arn=json.get("customRoleArn"),
        description=json.get("description"),
    )


def in_order(applied_for: Iterable[str]) -> list[str]:
    """Give reasons in their order; those that ECR learns later come last."""
    rank = {reason: at for at, reason in enumerate(REASONS)}
    return sorted(applied_for, key=lambda reason: (rank.get(reason, len(rank)), reason))
