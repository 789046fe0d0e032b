"""Reading what a repository has: the facts that its sections need, each once, all at the same time."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

from ecr_warden.domain.events import Occasion
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.resolution import Decided
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.settings.decide import Facts, Planned, plan_settings
from ecr_warden.domain.settings.plans import Setting
from ecr_warden.errors import AwsError, RefusedError
from ecr_warden.ports import SettingsRegistry

# More than there are facts to read or settings to write, and within a client's pool of ten connections.
MOST_AT_ONCE: Final = 8


@dataclass(frozen=True)
class Read:
    """The facts, and why a section's own could not be read."""

    facts: Facts
    unread: Mapping[str, Exception]


def read_facts(registry: SettingsRegistry, repository_name: str, decided: Mapping[str, Decided]) -> Read:
    """Read what the decided sections need; one that cannot be read does not keep the others from it.

    Raises
    ------
    RepositoryGoneError
        Where the repository does not exist.
    AwsError, RefusedError
        Where the repository cannot be described: nothing can be said of it then.

    """
    reads = {section: reading(registry, repository_name, one) for section, one in decided.items()}
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        repository = pool.submit(registry.describe, repository_name)
        futures = {
            section: (reading[0], pool.submit(reading[1])) for section, reading in reads.items() if reading
        }
    found: dict[str, Any] = {"repository": repository.result()}
    unread: dict[str, Exception] = {}
    for section, (fact, future) in futures.items():
        try:
            found[fact] = future.result()
        except (AwsError, RefusedError) as error:
            unread[section] = error
    return Read(Facts(**found), unread)


def reading(
    registry: SettingsRegistry, repository_name: str, decided: Decided
) -> tuple[str, Callable[[], Any]] | None:
    """Give which of the ``Facts`` a section needs, and what reads it; ``None`` for what describing gives."""
    match decided.section:
        case "lifecycle":
            return "lifecycle", lambda: registry.lifecycle_policy(repository_name)
        case "repository_policy":
            return "repository_policy", lambda: registry.repository_policy(repository_name)
        case "resource_tags":
            return "resource_tags", lambda: registry.resource_tags(repository_name)
        case "replicate_to":
            return "replication", registry.replication
        case "scanning" if decided.settings.frequency is not None:
            return "scanning", registry.scanning
        case _:
            return None


def planned_again(
    planned: Planned, occasion: Occasion, policy: Policy, registry: SettingsRegistry
) -> Planned:
    """Plan what the registry has one of on what it is now; the repository has no part in it."""
    facts = Facts(Repository(occasion.repository_name))
    if planned.setting is Setting.REPLICATION:
        facts = replace(facts, replication=registry.replication())
    else:
        facts = replace(facts, scanning=registry.scanning())
    decided = {planned.decided.section: planned.decided}
    again = plan_settings(policy, decided, occasion, facts)
    return next(one for one in again if one.setting is planned.setting)
