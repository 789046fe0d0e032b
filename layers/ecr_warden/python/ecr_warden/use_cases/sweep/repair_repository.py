"""What differs from the policy is changed: read again first, journaled, safe to repeat and to interrupt."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from ecr_warden.domain.events import Occasion
from ecr_warden.domain.outcomes import SettingStatus, change_id
from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Mode, Policy, RuleReference
from ecr_warden.domain.quarantine import quarantined_tag
from ecr_warden.domain.resolution import Decided
from ecr_warden.domain.runs import event_id_of
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.settings.decide import Planned
from ecr_warden.domain.settings.native import REGISTRY
from ecr_warden.domain.settings.plans import Kept, Put, Setting
from ecr_warden.domain.sweep.judgements import TAGS, Judgement, Standing, TagProblem
from ecr_warden.domain.sweep.tags import tag_rule
from ecr_warden.domain.sweep.visits import Repair, RepairStatus, Visit
from ecr_warden.errors import AwsError, CredentialsError, RefusedError, RepositoryGoneError
from ecr_warden.ports import Progress
from ecr_warden.use_cases.enforce_tag_rules import act_on, tag_violation_id
from ecr_warden.use_cases.settings_changes import Result, finish_begun, write_one
from ecr_warden.use_cases.settings_facts import planned_again
from ecr_warden.use_cases.sweep.judge_repository import judge_repository
from ecr_warden.use_cases.sweep.meanwhile import (
    MEANWHILE,
    NOT_ASKED,
    OTHERWISE,
    Documents,
    StandingNow,
)
from ecr_warden.use_cases.sweep.ports import RepairPorts, Scope
from ecr_warden.use_cases.sweep.shared_facts import SharedFacts
from ecr_warden.use_cases.sweep.tag_safety import TagSafety
from ecr_warden.use_cases.tag_actions import Acted

# Seconds. Other batches of the run may write for as many repositories, each for moments; nobody waits for it.
_LONGEST_WAIT: Final = 60.0
_STATUSES: Final = {
    SettingStatus.CHANGED: RepairStatus.CHANGED,
    SettingStatus.WOULD_CHANGE: RepairStatus.SKIPPED,
    SettingStatus.KEPT: RepairStatus.KEPT,
    SettingStatus.VIOLATION: RepairStatus.FAILED,
    SettingStatus.FAILED: RepairStatus.FAILED,
}


class Repairer:
    """Changes what differs in one registry, within one run.

    May be used by several threads at once, for different repositories. With ``documents_may_move``, what the
    registry has one of is changed though it is not what was planned from: as its only writer, on what is
    there.
    """

    def __init__(
        self, *, policy: Policy, place: Place, run: str, ports: RepairPorts, documents_may_move: bool = False
    ) -> None:
        self._policy = policy
        self._place = place
        self._event_id = event_id_of(run, place)
        self._ports = ports
        self._documents = Documents(may_move=documents_may_move)

    def repair(self, repository_name: str, judgements: Sequence[Judgement]) -> Iterator[Repair]:
        """Change what is still as it was judged; give what came of each judgement.

        Parameters
        ----------
        repository_name
            The repository, or ``REGISTRY`` for what the registry has one of.
        judgements
            Of that repository; each of them ``is_to_apply``.

        Raises
        ------
        CredentialsError
            Where the credentials are over, after what was done before. What else goes wrong is in the
            repairs.

        """
        if repository_name == REGISTRY:
            for judgement in judgements:
                yield self._write_document(judgement)
            return
        try:
            found = self._ports.repositories.named([repository_name])
        except CredentialsError:
            raise
        except (AwsError, RefusedError) as error:
            yield from (_failed(one, error) for one in judgements)
            return
        if not found:
            yield from (_gone(one) for one in judgements)
            return
        yield from self._repair(found[0], judgements)

    def _repair(self, repository: Repository, judgements: Sequence[Judgement]) -> Iterator[Repair]:
        now = self._judged_anew(repository, judgements)
        if now.is_gone:
            yield from (_gone(one) for one in judgements)
        elif now.problem:
            yield from (Repair(one, RepairStatus.FAILED, now.problem) for one in judgements)
        else:
            standing, safety = StandingNow(now), TagSafety(now, self._policy, self._ports)
            for judgement in judgements:
                yield self._repair_one(judgement, standing, safety)

    def _judged_anew(self, repository: Repository, judgements: Sequence[Judgement]) -> Visit:
        return judge_repository(
            repository,
            policy=self._policy,
            place=self._place,
            ports=self._ports,
            # What the registry has may have changed by our own doing in between.
            shared=SharedFacts(self._ports.settings),
            scope=Scope(sections=frozenset(one.section for one in judgements)),
            now=self._ports.now(),
            event_id=self._event_id,
        )

    def _repair_one(self, judgement: Judgement, standing: StandingNow, safety: TagSafety) -> Repair:
        same = standing.same_as(judgement)
        if same is None:
            return standing.otherwise(judgement)
        try:
            match same.ground:
                case TagProblem() as problem:
                    return self._take_tag(judgement, problem, safety)
                case Planned() as planned:
                    return self._write(judgement, planned, self._occasion(judgement.repository))
        except CredentialsError:
            raise
        except RepositoryGoneError:
            return _gone(judgement)
        except (AwsError, RefusedError) as error:
            return _failed(judgement, error)
        raise TypeError(
            f"nothing to act on: {judgement}"
        )  # pragma: no cover  # judged anew, it has its ground

    def _occasion(self, repository_name: str) -> Occasion:
        return Occasion(
            event_id=self._event_id,
            event_time=self._ports.now(),
            account=self._place.account,
            region=self._place.region,
            repository_name=repository_name,
            creator=None,
        )

    def _write(self, judgement: Judgement, planned: Planned, occasion: Occasion) -> Repair:
        again = self._again(judgement, occasion)
        results = write_one(planned, occasion, self._ports, again, longest_wait=_LONGEST_WAIT)
        return _of_setting(judgement, list(results))

    def _again(self, judgement: Judgement, occasion: Occasion) -> Callable[[Planned], Planned]:
        """Plan what the registry has one of anew, as its only writer."""

        def again(planned: Planned) -> Planned:
            now = planned_again(planned, occasion, self._policy, self._ports.settings)
            why = self._documents.why_left(judgement, now.plan) if isinstance(now.plan, Put) else None
            return now if why is None else replace(now, plan=Kept(why))

        return again

    def _write_document(self, judgement: Judgement) -> Repair:
        decided = _decided(self._policy, judgement)
        if decided is None or decided.mode is not Mode.ENFORCE:
            return Repair(judgement, RepairStatus.SKIPPED, NOT_ASKED)
        planned = Planned(Setting(judgement.setting), Put(judgement.before, judgement.after or {}), decided)
        try:
            return self._write(judgement, planned, self._occasion(REGISTRY))
        except CredentialsError:
            raise
        except (AwsError, RefusedError) as error:
            return _failed(judgement, error)

    def _take_tag(self, judgement: Judgement, problem: TagProblem, safety: TagSafety) -> Repair:
        why = safety.why_kept(problem)
        if why is not None:
            return Repair(judgement, RepairStatus.KEPT, why)
        return _of_tag(judgement, act_on(problem.push, problem.violation, self._ports, self._policy))

    def made_before(self, visit: Visit) -> Iterator[Repair]:
        """Give what an earlier try of this run changed in a repository, and close what it left open.

        What was changed is as the policy wants it by now. An image that was deleted with its last tag is told
        by the journal alone.
        """
        entries = {**self._settings_entries(visit), **self._tag_entries(visit)}
        if not entries:
            return
        progress = self._ports.journal.progress_of(entries.keys())
        for entry, judgement in entries.items():
            said = f"{judgement.section} was set by this run"
            match progress.get(entry, Progress.NEW):
                case Progress.BEGUN:
                    yield self._closed(entry, judgement, said)
                case Progress.DONE:
                    yield Repair(judgement, RepairStatus.CHANGED, said, entry)

    def _closed(self, entry: str, judgement: Judgement, said: str) -> Repair:
        """Close an entry that was left open, after what was to follow the change."""
        if isinstance(judgement.ground, Planned):
            occasion = self._occasion(judgement.repository)
            return _of_setting(judgement, [finish_begun(judgement.ground, said, occasion, self._ports)])
        self._ports.journal.finish(entry)
        return Repair(judgement, RepairStatus.CHANGED, said, entry)

    def _settings_entries(self, visit: Visit) -> dict[str, Judgement]:
        return {
            change_id(event_id=self._event_id, repository=one.repository, setting=one.setting): one
            for one in visit.judgements
            if one.standing is Standing.COMPLIANT and one.mode is Mode.ENFORCE and one.setting != TAGS
        }

    def _tag_entries(self, visit: Visit) -> dict[str, Judgement]:
        """Give what would be the entries of the quarantine tags that images have."""
        rule = tag_rule(self._policy, visit.repository.name)
        if rule is None:
            return {}
        found = {}
        for image in visit.images or ():
            for kept_as in image.tags:
                tag = quarantined_tag(image.digest, kept_as)
                # While the image has both, an earlier try was stopped between: there is something left to do.
                if tag is not None and tag not in image.tags:
                    entry = tag_violation_id(
                        event_id=self._event_id,
                        repository=visit.repository.name,
                        image_digest=image.digest,
                        image_tag=tag,
                    )
                    found[entry] = _quarantined(visit, rule[0], image.digest, tag, kept_as)
        return found


def _decided(policy: Policy, judgement: Judgement) -> Decided | None:
    """Find the rule that a judgement names, as the policy has it now."""
    for rule in policy.rules:
        settings = getattr(rule, judgement.section)
        if settings is not None and (settings.line, rule.match) == (
            judgement.rule.line,
            judgement.rule.match,
        ):
            mode = policy.mode_of(rule)
            return Decided(judgement.section, settings, mode, rule.override, judgement.rule)
    return None


def _quarantined(visit: Visit, rule: RuleReference, digest: str, tag: str, kept_as: str) -> Judgement:
    return Judgement(
        place=visit.place,
        repository=visit.repository.name,
        section=TAGS,
        setting=TAGS,
        standing=Standing.DIFFERS,
        mode=Mode.ENFORCE,
        rule=rule,
        what=f"the tag {tag} broke a rule",
        before={"image_tag": tag, "image_digest": digest},
        after={"image_tag": kept_as, "image_digest": digest},
        image_digest=digest,
        image_tag=tag,
    )


def _of_setting(judgement: Judgement, results: Sequence[Result]) -> Repair:
    """Say what came of a setting: the worst, where more than one thing did."""
    if not results:
        return Repair(judgement, RepairStatus.ALREADY, f"{judgement.section} is as the policy wants it")
    result = next((one for one in results if one.outcome.status is SettingStatus.FAILED), results[0])
    if result.changed_since or result.outcome.what in {MEANWHILE, OTHERWISE}:
        said = MEANWHILE if result.changed_since else result.outcome.what
        return Repair(judgement, RepairStatus.SKIPPED, said)
    return Repair(judgement, _STATUSES[result.outcome.status], result.outcome.what, result.change_id)


def _of_tag(judgement: Judgement, acted: Acted) -> Repair:
    said = f"{acted.what} {acted.next_step}".rstrip(".")
    entry = next(iter(acted.change_ids), None)
    if acted.is_harmful:
        return Repair(judgement, RepairStatus.FAILED, said, entry)
    if acted.changed:
        return Repair(judgement, RepairStatus.CHANGED, said, entry)
    return Repair(judgement, RepairStatus.GONE if acted.is_gone else RepairStatus.KEPT, said)


def _failed(judgement: Judgement, error: Exception) -> Repair:
    return Repair(judgement, RepairStatus.FAILED, str(error).rstrip("."))


def _gone(judgement: Judgement) -> Repair:
    said = f"the repository {judgement.repository} does not exist any more"
    return Repair(judgement, RepairStatus.GONE, said)
