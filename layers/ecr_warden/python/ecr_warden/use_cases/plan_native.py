"""What ECR can do by itself of a policy: the registry is read and compared."""

from typing import Protocol

from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.settings.native import NativeFacts, NativePlan, joined, plan_registry
from ecr_warden.domain.settings.native_limits import limits_of
from ecr_warden.domain.settings.native_templates import plan_templates
from ecr_warden.domain.settings.replication import wanted_replication
from ecr_warden.domain.settings.scanning import wanted_scanning
from ecr_warden.domain.settings.template_regions import template_prefixes
from ecr_warden.ports import SettingsRegistry, TemplatesRegistry


class ReadingPorts(Protocol):
    """What planning needs."""

    @property
    def templates(self) -> TemplatesRegistry:
        """The registry's creation templates."""

    @property
    def settings(self) -> SettingsRegistry:
        """The registry's settings."""


def plan_native(policy: Policy, place: Place, *, role_arn: str | None, ports: ReadingPorts) -> NativePlan:
    """Compare the registry with the policy; what the policy needs not is not read.

    Raises
    ------
    AwsError, RefusedError
        Where the registry cannot be read.

    """
    account, region = place.account, place.region
    facts = NativeFacts(
        templates=ports.templates.templates() if template_prefixes(policy) else (),
        replication=(
            ports.settings.replication() if wanted_replication(policy, account=account, region=region) else ()
        ),
        **({"scanning": ports.settings.scanning()} if wanted_scanning(policy) else {}),
    )
    return joined(
        (
            plan_templates(policy, facts.templates, role_arn=role_arn),
            plan_registry(policy, facts, account=account, region=region),
            NativePlan(not_native=tuple(limits_of(policy))),
        )
    )
