"""Registries are looked at one after the other; one that cannot be is told, and stops no other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.images import ListedImage
from ecr_warden.domain.sweep.summary import Unseen
from ecr_warden.domain.sweep.visits import Visit
from ecr_warden.errors import AwsError, RefusedError
from ecr_warden.ports import Repositories, SettingsRegistry
from ecr_warden.use_cases.sweep.ports import Scope, VisitPorts
from ecr_warden.use_cases.sweep.visit_place import visit_place


@dataclass(frozen=True)
class Look:
    """What is looked at, by what policy, and how.

    Attributes
    ----------
    open_place
        Gives what looking at a registry needs; raises ``AwsError`` and ``RefusedError``.
    is_stopped
        Whether somebody asked to stop.
    counted
        Told how many repositories there are in all, once that is known.

    """

    policy: Policy
    places: Sequence[Place]
    open_place: Callable[[Place], VisitPorts]
    scope: Scope
    now: datetime
    is_stopped: Callable[[], bool]
    counted: Callable[[int], None]

    def visits(self) -> Iterator[Visit | Unseen]:
        """Give what each repository is like, and what could not be looked at."""
        listed = 0
        for place in self.places:
            if self.is_stopped():
                return
            counter, seen = _Counter(self.scope), 0
            try:
                for visit in self._visits_to(place, counter, listed):
                    seen += 1
                    yield visit
            except (AwsError, RefusedError) as error:
                what = f"all after {seen} repositories" if seen else "all of it"
                yield Unseen(str(place), what, str(error).rstrip("."))
            listed += counter.count

    def _visits_to(self, place: Place, counter: "_Counter", before: int) -> Iterator[Visit]:
        ports = self.open_place(place)

        def ended() -> None:
            if place == self.places[-1]:
                self.counted(before + counter.count)

        yield from visit_place(
            policy=self.policy,
            place=place,
            ports=_Counted(_CountedRepositories(ports.repositories, counter, ended), ports.settings),
            scope=self.scope,
            now=self.now,
            is_stopped=self.is_stopped,
        )


@dataclass
class _Counter:
    """How many repositories were listed that are looked at."""

    scope: Scope
    count: int = 0

    def add(self, page: Sequence[Repository]) -> None:
        self.count += sum(self.scope.has(repository.name) for repository in page)


@dataclass(frozen=True)
class _Counted:
    repositories: Repositories
    settings: SettingsRegistry


@dataclass(frozen=True)
class _CountedRepositories:
    """A registry's repositories; counts them as they are listed, as ECR does not say how many there are."""

    repositories: Repositories
    counter: _Counter
    ended: Callable[[], None]

    def pages(self) -> Iterator[tuple[Repository, ...]]:
        for page in self.repositories.pages():
            self.counter.add(page)
            yield page
        self.ended()

    def named(self, repository_names: Sequence[str]) -> tuple[Repository, ...]:
        return self.repositories.named(repository_names)

    def images(self, repository_name: str) -> Iterator[ListedImage]:
        return self.repositories.images(repository_name)

    def resource_tags(self) -> Mapping[str, Mapping[str, str]]:
        return self.repositories.resource_tags()
