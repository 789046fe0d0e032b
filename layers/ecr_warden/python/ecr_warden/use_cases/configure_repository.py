"""A new repository gets the settings that the policy wants, and people hear of it once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from ecr_warden.domain.events import RepositoryCreation
from ecr_warden.domain.exemption import EXEMPT_TAG, is_exempt
from ecr_warden.domain.outcomes import Outcome, SettingStatus
from ecr_warden.domain.ownership import owner_of
from ecr_warden.domain.policy import Mode, Policy
from ecr_warden.domain.resolution import Decided, decided_settings
from ecr_warden.domain.settings.decide import Planned, plan_settings
from ecr_warden.domain.settings.plans import Compliant, Put, Setting, Violation
from ecr_warden.errors import AwsError, RefusedError, RepositoryGoneError
from ecr_warden.ports import Metrics, OutcomePorts
from ecr_warden.use_cases.settings_changes import (
    ChangePorts,
    Result,
    failed,
    untouched,
    write_all,
    written_before,
)
from ecr_warden.use_cases.settings_facts import Read, planned_again, read_facts
from ecr_warden.use_cases.settings_outcome import settings_outcome

# The delivery from which on a failure is told that may heal by itself.
_TOLD_FROM: Final = 3


class ConfigurationPorts(ChangePorts, OutcomePorts, Protocol):
    """What configuring a repository needs."""


@dataclass(frozen=True)
class Configured:
    """What was decided, why, the outcome if there was anything to tell, and the settings that failed.

    ``may_heal``: whether a failure may be gone by the next try, without anybody's doing.
    """

    decision: str
    reason: str
    outcome: Outcome | None = None
    failures: tuple[str, ...] = ()
    may_heal: bool = False


def configure_repository(
    creation: RepositoryCreation, *, policy: Policy, ports: ConfigurationPorts, delivery: int
) -> Configured:
    """Compare a new repository with the policy, write what differs, and publish what came of it.

    Parameters
    ----------
    creation
        The event.
    policy
        What is wanted.
    ports
        The world.
    delivery
        The how-manieth delivery of the message it is: what may heal by itself is told from the third on.

    Raises
    ------
    AwsError, RefusedError
        Where the repository could not be described or the outcome not published; the event is to be tried
        again. Settings that failed are in ``Configured.failures``: it is to be tried again for them, too.

    """
    if (ignored := _not_ours(creation)) is not None:
        return Configured("NotJudged", ignored)
    decided = decided_settings(policy, creation.repository_name)
    if not decided:
        return Configured("NotJudged", f"no rule has settings for {creation.repository_name}")
    try:
        results, owner = _results(creation, decided, policy, ports)
    except RepositoryGoneError:
        return Configured("Gone", f"the repository {creation.repository_name} does not exist any more")
    failures = [one for one in results if one.outcome.status is SettingStatus.FAILED]
    said = tuple(one.outcome.what for one in failures)
    may_heal = any(one.may_heal for one in failures)
    if failures and all(one.may_heal for one in failures) and delivery < _TOLD_FROM:
        # Nobody need be woken for what is well again in a few seconds.
        return Configured("Retried", f"tried again: {'; '.join(said)}", failures=said, may_heal=may_heal)
    outcome = settings_outcome(creation, [(one.outcome, one.change_id) for one in results], owner)
    if outcome is None:
        return Configured("Compliant", _quiet_reason(results, creation))
    ports.publisher.publish(outcome)
    _count(results, ports.metrics)
    return Configured(outcome.decision, outcome.reason, outcome, said, may_heal)


def _not_ours(creation: RepositoryCreation) -> str | None:
    if creation.error_code is not None:
        return f"the call failed with {creation.error_code}: there is no new repository"
    if creation.registry != creation.account:
        return f"the repository is in the registry of {creation.registry}, not of {creation.account}"
    return None


def _results(
    creation: RepositoryCreation,
    decided: Mapping[str, Decided],
    policy: Policy,
    ports: ConfigurationPorts,
) -> tuple[list[Result], str | None]:
    """Give what came of each setting, and whose the repository is, as far as its tags were read anyhow."""
    read = read_facts(ports.settings, creation.repository_name, decided)
    known = {section: one for section, one in decided.items() if section not in read.unread}
    planned = plan_settings(policy, known, creation, read.facts)
    planned, results, owner = _without_exempt(planned, _unread(read, decided), creation, read, ports)
    enforced = [one for one in planned if one.decided.mode is Mode.ENFORCE]
    to_write = [one for one in enforced if isinstance(one.plan, Put)]
    results += write_all(
        to_write, creation, ports, lambda one: planned_again(one, creation, policy, ports.settings)
    )
    for one in planned:
        results += untouched(one)
    compliant = [one for one in enforced if isinstance(one.plan, Compliant)]
    return [*results, *written_before(compliant, creation, ports)], owner


def _unread(read: Read, decided: Mapping[str, Decided]) -> list[Result]:
    """Say which sections could not be looked at."""
    return [
        failed(
            Planned(Setting(section), Compliant(), decided[section]),
            f"{section} could not be read: {error}",
            may_heal=not isinstance(error, RefusedError),
        )
        for section, error in read.unread.items()
    ]


def _without_exempt(
    planned: tuple[Planned, ...],
    unread: list[Result],
    creation: RepositoryCreation,
    read: Read,
    ports: ConfigurationPorts,
) -> tuple[tuple[Planned, ...], list[Result], str | None]:
    """Leave out the sections from which the repository's resource tags exempt it; give its owner too.

    The tags are read only where anything would come of a section, so that a compliant repository costs no
    call for it. Where they cannot be read, nothing is written.
    """
    acting = [one for one in planned if isinstance(one.plan, Put | Violation)]
    if not acting and not unread:
        return planned, [], owner_of(read.facts.resource_tags or {})
    try:
        tags = _resource_tags(read, creation, ports)
    except (AwsError, RefusedError) as error:
        idle = tuple(one for one in planned if one not in acting)
        what = f"could not be judged, as the resource tag {EXEMPT_TAG} could not be read: {error}"
        may_heal = not isinstance(error, RefusedError)
        unknown = [failed(one, f"{one.setting.section} {what}", may_heal=may_heal) for one in acting]
        return idle, [*unread, *unknown], None
    judged = tuple(one for one in planned if not is_exempt(tags, one.setting.section))
    return judged, [one for one in unread if not is_exempt(tags, one.setting.section)], owner_of(tags)


def _resource_tags(read: Read, creation: RepositoryCreation, ports: ConfigurationPorts) -> Mapping[str, str]:
    if read.facts.resource_tags is not None:
        return read.facts.resource_tags
    if (error := read.unread.get("resource_tags")) is not None:
        raise error
    return ports.settings.resource_tags(creation.repository_name)


def _quiet_reason(results: list[Result], creation: RepositoryCreation) -> str:
    kept = [one.outcome.what for one in results if one.outcome.status is SettingStatus.KEPT]
    if kept:
        return f"{creation.repository_name} keeps what somebody chose: {'; '.join(kept)}"
    return f"{creation.repository_name} is as the policy wants it"


def _count(results: list[Result], metrics: Metrics) -> None:
    for one in results:
        metrics.count("Settings", section=one.outcome.section, status=one.outcome.status.value)
