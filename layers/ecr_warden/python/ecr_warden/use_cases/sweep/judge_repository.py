"""A repository that was listed is compared with the policy; what the listing gave is not read again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from ecr_warden.domain.events import Occasion
from ecr_warden.domain.exemption import EXEMPT_TAG, is_exempt
from ecr_warden.domain.ownership import owner_of
from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.resolution import Decided, decided_settings
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.settings.decide import Facts, Planned, plan_settings
from ecr_warden.domain.settings.native import REGISTRY
from ecr_warden.domain.settings.plans import Compliant, Kept, Put, Violation
from ecr_warden.domain.settings.wording import change_text
from ecr_warden.domain.sweep.images import ListedImage
from ecr_warden.domain.sweep.judgements import TAGS, Judgement, Standing
from ecr_warden.domain.sweep.tags import tag_judgements, tag_rule
from ecr_warden.domain.sweep.visits import Visit
from ecr_warden.errors import AwsError, CredentialsError, RefusedError, RepositoryGoneError
from ecr_warden.use_cases.settings_changes import REGISTRY_WIDE
from ecr_warden.use_cases.settings_facts import reading
from ecr_warden.use_cases.sweep.ports import Scope, VisitPorts
from ecr_warden.use_cases.sweep.shared_facts import SharedFacts

_ACTING: Final = frozenset({Standing.DIFFERS, Standing.VIOLATION, Standing.UNREAD})


def judge_repository(  # noqa: PLR0913  # what is judged, by what, and what is known of it already
    repository: Repository,
    *,
    policy: Policy,
    place: Place,
    ports: VisitPorts,
    shared: SharedFacts,
    scope: Scope,
    now: datetime,
    event_id: str = "",
    resource_tags: Mapping[str, str] | None = None,
) -> Visit:
    """Compare a repository with the policy, and change nothing.

    Parameters
    ----------
    repository
        What the listing gave of it.
    policy, scope
        What is wanted, and what of it is looked at.
    place, ports, shared
        The registry.
    now
        The time by which exceptions end.
    event_id
        What stands for an event's id where something comes of it.
    resource_tags
        The repository's, where they are known; otherwise they are read where anything rests on them.

    Raises
    ------
    CredentialsError
        Where the credentials are over. What else goes wrong is in the visit.

    """
    look = _Look(repository, policy, place, ports, shared, scope, now, event_id, resource_tags)
    try:
        return look.visit()
    except CredentialsError:
        raise
    except RepositoryGoneError:
        return Visit(place, repository, is_gone=True)
    except (AwsError, RefusedError) as error:
        return Visit(place, repository, problem=str(error).rstrip("."))


@dataclass(frozen=True)
class _Look:
    """One look at one repository."""

    repository: Repository
    policy: Policy
    place: Place
    ports: VisitPorts
    shared: SharedFacts
    scope: Scope
    now: datetime
    event_id: str
    known_tags: Mapping[str, str] | None
    read_tags: list[Mapping[str, str]] = field(default_factory=list)

    def visit(self) -> Visit:
        rule = tag_rule(self.policy, self.repository.name) if TAGS in self.scope.sections else None
        images = None
        if rule is not None or self.scope.with_images:
            images = tuple(self.ports.repositories.images(self.repository.name))
        judgements = [*self._settings(), *self._tag_judgements(images, rule)]
        # What is kept is left alone anyway: that it is exempt is said where that needs no call.
        if any(map(_is_acting, judgements)) or self._are_tags_known:
            judgements = [*self._without_exempt(judgements)]
        return Visit(self.place, self.repository, tuple(judgements), self._owner(), images)

    @cached_property
    def _occasion(self) -> Occasion:
        return Occasion(
            event_id=self.event_id,
            event_time=self.repository.created_at or self.now,
            account=self.place.account,
            region=self.place.region,
            repository_name=self.repository.name,
            creator=None,
        )

    def _settings(self) -> Iterator[Judgement]:
        for section, decided in decided_settings(self.policy, self.repository.name).items():
            if section not in self.scope.sections or decided.mode not in self.scope.modes:
                continue
            try:
                planned = self._planned(decided)
            except (CredentialsError, RepositoryGoneError):
                raise
            except (AwsError, RefusedError) as error:
                yield self._unread(decided, error)
                continue
            yield from map(self._judgement, planned)

    def _planned(self, decided: Decided) -> tuple[Planned, ...]:
        if not _is_the_registrys(decided):
            return self._plan(decided)
        of_registry = self.shared.planned(
            decided, lambda: tuple(one for one in self._plan(decided) if one.setting in REGISTRY_WIDE)
        )
        if decided.section != "scanning" or decided.settings.scan_on_push is None:
            return of_registry
        own = replace(decided, settings=replace(decided.settings, frequency=None))
        return (*of_registry, *self._plan(own))

    def _plan(self, decided: Decided) -> tuple[Planned, ...]:
        facts = Facts(self.repository, **self._facts(decided))
        return plan_settings(self.policy, {decided.section: decided}, self._occasion, facts)

    def _facts(self, decided: Decided) -> dict[str, Any]:
        match decided.section:
            case "replicate_to":
                return {"replication": self.shared.replication()}
            case "scanning" if decided.settings.frequency is not None:
                return {"scanning": self.shared.scanning()}
            case "resource_tags":
                return {"resource_tags": self._tags()}
        found = reading(self.ports.settings, self.repository.name, decided)
        return {} if found is None else {found[0]: found[1]()}

    def _judgement(self, planned: Planned) -> Judgement:
        decided = planned.decided
        is_shared = planned.setting in REGISTRY_WIDE and not decided.settings.narrow
        judgement = Judgement(
            place=self.place,
            repository=REGISTRY if is_shared else self.repository.name,
            section=planned.setting.section,
            setting=planned.setting.value,
            standing=Standing.COMPLIANT,
            mode=decided.mode,
            rule=decided.rule,
            ground=planned,
        )
        match planned.plan:
            case Put(before, after):
                what = change_text(planned.setting, planned.plan)
                return replace(judgement, standing=Standing.DIFFERS, what=what, before=before, after=after)
            case Kept(reason):
                return replace(judgement, standing=Standing.KEPT, what=reason)
            case Violation(reason, next_step):
                return replace(judgement, standing=Standing.VIOLATION, what=reason, next_step=next_step)
            case Compliant():
                return judgement

    def _unread(self, decided: Decided, error: Exception) -> Judgement:
        return Judgement(
            place=self.place,
            repository=self.repository.name,
            section=decided.section,
            setting=decided.section,
            standing=Standing.UNREAD,
            mode=decided.mode,
            rule=decided.rule,
            what=f"{decided.section} could not be read: {error}".rstrip("."),
        )

    def _tag_judgements(
        self, images: tuple[ListedImage, ...] | None, rule: tuple[Any, Any] | None
    ) -> list[Judgement]:
        if images is None or rule is None:
            return []
        found = tag_judgements(
            images,
            self.policy,
            repository_name=self.repository.name,
            place=self.place,
            event_id=self.event_id,
            now=self.now,
        )
        judgements = [one for one in found if one.mode in self.scope.modes]
        reference, mode = rule
        if judgements or mode not in self.scope.modes:
            return judgements
        return [Judgement(self.place, self.repository.name, TAGS, TAGS, Standing.COMPLIANT, mode, reference)]

    def _without_exempt(self, judgements: list[Judgement]) -> Iterator[Judgement]:
        """Say of what the repository is exempt; where its resource tags cannot be read, nothing is judged."""
        try:
            tags = self._tags()
        except (CredentialsError, RepositoryGoneError):
            raise
        except (AwsError, RefusedError) as error:
            why = f"could not be judged, as the resource tag {EXEMPT_TAG} could not be read: {error}"
            for one in judgements:
                is_idle = not _is_acting(one)
                what = f"{one.section} {why}".rstrip(".")
                yield one if is_idle else replace(one, standing=Standing.UNREAD, what=what, next_step="")
            return
        for one in judgements:
            is_left = _is_acting(one) or one.standing is Standing.KEPT
            if is_left and is_exempt(tags, one.section):
                what = f"the resource tag {EXEMPT_TAG} exempts it"
                # It is this repository that is exempt, and no other from what the registry has.
                yield replace(
                    one, repository=self.repository.name, standing=Standing.EXEMPT, what=what, next_step=""
                )
            else:
                yield one

    @property
    def _are_tags_known(self) -> bool:
        return self.known_tags is not None or bool(self.read_tags)

    def _owner(self) -> str | None:
        if self._are_tags_known:
            return owner_of(self._tags())
        return owner_of(self._tags()) if self.scope.with_owners else None

    def _tags(self) -> Mapping[str, str]:
        if self.known_tags is not None:
            return self.known_tags
        if not self.read_tags:
            self.read_tags.append(self.ports.settings.resource_tags(self.repository.name))
        return self.read_tags[0]


def _is_acting(judgement: Judgement) -> bool:
    """Tell whether something comes of a judgement, if only that a person is told."""
    is_kept_tag = judgement.standing is Standing.KEPT and judgement.image_tag is not None
    return judgement.standing in _ACTING or is_kept_tag


def _is_the_registrys(decided: Decided) -> bool:
    """Tell whether a rule says the same of the registry's document for each of its repositories."""
    match decided.section:
        case "replicate_to":
            return not decided.settings.narrow
        case "scanning":
            return decided.settings.frequency is not None and not decided.settings.narrow
    return False
