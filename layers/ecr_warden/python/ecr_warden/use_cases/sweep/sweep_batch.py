"""Some repositories of a registry are compared with the policy, repaired, and told of, within one run."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from threading import Event
from typing import Final, Protocol

from ecr_warden.domain.exemption import EXEMPT_TAG
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.places import REGISTRY, Place
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.runs import event_id_of
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.judgements import Judgement, Standing
from ecr_warden.domain.sweep.outcomes import drift_outcome
from ecr_warden.domain.sweep.rows import RepositoryRow, row_of
from ecr_warden.domain.sweep.visits import Repair, RepairStatus, Visit
from ecr_warden.errors import AwsError, CredentialsError, RefusedError
from ecr_warden.ports import OutcomePorts
from ecr_warden.use_cases.scan_actions import JudgingPorts
from ecr_warden.use_cases.sweep.in_order import in_order
from ecr_warden.use_cases.sweep.judge_repository import judge_repository
from ecr_warden.use_cases.sweep.ports import RepairPorts, Scope
from ecr_warden.use_cases.sweep.repair_repository import Repairer
from ecr_warden.use_cases.sweep.shared_facts import SharedFacts
from ecr_warden.use_cases.sweep.sweep_scans import sweep_scans
from ecr_warden.use_cases.sweep.visit_place import AHEAD, THREADS

# As many as EventBridge takes in one call.
_TOLD_AT_ONCE: Final = 10
# Their sizes, ages and findings are in the report.
_SCOPE: Final = Scope(with_images=True)


class SweepPorts(RepairPorts, OutcomePorts, Protocol):
    """What sweeping needs. All of it may be used by several threads at once."""


def sweep_batch(  # noqa: PLR0913  # what is swept, by what, and what is known of it already
    repositories: Sequence[Repository],
    *,
    run: str,
    policy: Policy,
    place: Place,
    ports: SweepPorts,
    owners: Mapping[str, Mapping[str, str]] | None,
    now: datetime,
    scan_ports: JudgingPorts | None = None,
    is_repeat: bool = False,
    threads: int = THREADS,
) -> Iterator[RepositoryRow]:
    """Compare repositories with the policy, repair what it enforces, tell what was found; give a row of each.

    One that fails stops no other. The same batch may be done again in the same run: nothing is changed twice,
    and what is told again has the same ids.

    Parameters
    ----------
    repositories
        As they were listed; rows come in their order.
    run
        The run's id.
    policy, place, ports
        What is wanted, and the registry.
    owners
        All repositories' resource tags by name, where they were read at once; ``None``: each one's are read
        where anything rests on them.
    now
        The time by which exceptions end.
    scan_ports
        What judging images by their scan gates needs; ``None``: they are not.
    is_repeat
        Whether these were begun before in this run: then the journal is asked what was done already.
    threads
        How many repositories are looked at at once.

    Raises
    ------
    CredentialsError
        Where the credentials are over; what was done before is told, and its rows given.
    AwsError
        Where outcomes could not be published: the batch is to be done again.

    """
    batch = _Batch(run, policy, place, ports, owners, now, scan_ports, is_repeat)
    yield from batch.rows(repositories, threads)


@dataclass
class _Done:
    """What came of one repository, and why its batch ends with it, if it does."""

    visit: Visit
    documents: tuple[Judgement, ...] = ()
    repairs: list[Repair] = field(default_factory=list)
    error: CredentialsError | None = None


@dataclass(frozen=True)
class _Batch:
    run: str
    policy: Policy
    place: Place
    ports: SweepPorts
    owners: Mapping[str, Mapping[str, str]] | None
    now: datetime
    scan_ports: JudgingPorts | None
    is_repeat: bool
    is_over: Event = field(default_factory=Event)

    @cached_property
    def _repairer(self) -> Repairer:
        # Other batches of the run change the same documents, each as their only writer.
        return Repairer(
            policy=self.policy, place=self.place, run=self.run, ports=self.ports, documents_may_move=True
        )

    def rows(self, repositories: Sequence[Repository], threads: int) -> Iterator[RepositoryRow]:
        failure: CredentialsError | None = None
        documents, teller = _Documents(self._repairer), _Teller(self.ports)
        shared = SharedFacts(self.ports.settings)

        def sweep(repository: Repository) -> _Done | None:
            return self._sweep(repository, shared)

        with ThreadPoolExecutor(threads) as pool:
            for done in in_order(pool, sweep, repositories, ahead=threads * AHEAD):
                if done is None:
                    continue
                failure = failure or done.error
                if done.error is not None and not done.repairs:
                    # Nothing is known of it, and nothing was done.
                    continue
                self._tell(teller, done.visit, done.repairs)
                try:
                    of_registry = [] if failure else documents.repaired(done.documents)
                except CredentialsError as error:
                    failure, of_registry = error, []
                    self.is_over.set()
                yield self._row(done, of_registry)
        if failure is None and self.is_repeat:
            failure = documents.find_made_before(self.place)
        self._tell(teller, documents.visit(self.place), documents.repairs)
        teller.finish()
        if failure is not None:
            raise failure

    def _row(self, done: _Done, of_registry: Sequence[Repair]) -> RepositoryRow:
        visit = replace(done.visit, judgements=(*done.visit.judgements, *done.documents))
        self.ports.metrics.count("SweepRepositories")
        return row_of(visit, [*done.repairs, *of_registry], policy=self.policy, now=self.now)

    def _tell(self, teller: "_Teller", visit: Visit, repairs: Sequence[Repair]) -> None:
        outcome = drift_outcome(visit, repairs, run=self.run, event_time=self.now)
        if outcome is not None:
            teller.tell(outcome)

    def _sweep(self, repository: Repository, shared: SharedFacts) -> _Done | None:
        """Do all about one repository; ``None`` where the batch is over."""
        if self.is_over.is_set():
            return None
        done = _Done(Visit(self.place, repository))
        try:
            self._judge(done, shared)
            if not done.visit.is_gone and not done.visit.problem:
                self._repair(done)
        except CredentialsError as error:
            self.is_over.set()
            done.error = error
        except (AwsError, RefusedError) as error:
            done.visit = replace(done.visit, problem=str(error).rstrip("."))
        return done

    def _judge(self, done: _Done, shared: SharedFacts) -> None:
        name = done.visit.repository.name
        visit = judge_repository(
            done.visit.repository,
            policy=self.policy,
            place=self.place,
            ports=self.ports,
            shared=shared,
            scope=_SCOPE,
            now=self.now,
            event_id=event_id_of(self.run, self.place),
            resource_tags=None if self.owners is None else self.owners.get(name, {}),
        )
        judgements = [_of_registry_if_unread(one) for one in visit.judgements]
        done.documents = tuple(one for one in judgements if one.of_registry)
        done.visit = replace(visit, judgements=tuple(one for one in judgements if not one.of_registry))

    def _repair(self, done: _Done) -> None:
        visit = done.visit
        if self.is_repeat:
            for repair in self._repairer.made_before(visit):
                done.repairs.append(repair)
        to_apply = [one for one in visit.judgements if one.is_to_apply]
        if to_apply:
            for repair in self._repairer.repair(visit.repository.name, to_apply):
                done.repairs.append(repair)
        if self.scan_ports is not None:
            unread = sweep_scans(visit, run=self.run, policy=self.policy, ports=self.scan_ports, now=self.now)
            done.visit = replace(visit, judgements=(*visit.judgements, *unread))


def _of_registry_if_unread(judgement: Judgement) -> Judgement:
    """Say once, and not of each repository, that a document of the registry could not be read."""
    is_own = EXEMPT_TAG in judgement.what
    if judgement.standing is Standing.UNREAD and judgement.is_registry_wide and not is_own:
        return replace(judgement, repository=REGISTRY)
    return judgement


class _Documents:
    """What the registry has one of: whatever many repositories lead to is done, and told, once."""

    def __init__(self, repairer: Repairer) -> None:
        self._repairer = repairer
        self._seen: list[Judgement] = []
        self.repairs: list[Repair] = []

    def repaired(self, judgements: Sequence[Judgement]) -> list[Repair]:
        """Give what came of some judgements, each of which is acted on when it is first seen.

        What was changed for the first repository is as the policy wants it for the others.
        """
        found = [
            replace(repair, status=RepairStatus.ALREADY) if repair.status is RepairStatus.CHANGED else repair
            for repair in self.repairs
            if repair.judgement in judgements
        ]
        for judgement in judgements:
            if judgement in self._seen:
                continue
            self._seen.append(judgement)
            if judgement.is_to_apply:
                repairs = list(self._repairer.repair(REGISTRY, [judgement]))
                self.repairs.extend(repairs)
                found.extend(repairs)
        return found

    def visit(self, place: Place) -> Visit:
        """Give what was found, as if the registry were a repository."""
        return Visit(place, Repository(REGISTRY), tuple(self._seen))

    def find_made_before(self, place: Place) -> CredentialsError | None:
        """Find what an earlier try of the run, or another batch of it, changed; give what ended it."""
        try:
            if self._seen:
                self.repairs.extend(self._repairer.made_before(self.visit(place)))
        except CredentialsError as error:
            return error
        return None


class _Teller:
    """Publishes outcomes, as many at once as may be."""

    def __init__(self, ports: OutcomePorts) -> None:
        self._ports = ports
        self._waiting: list[Outcome] = []

    def tell(self, outcome: Outcome) -> None:
        self._waiting.append(outcome)
        for setting in outcome.settings:
            self._ports.metrics.count("Drift", section=setting.section, status=setting.status.value)
        if len(self._waiting) >= _TOLD_AT_ONCE:
            self.finish()

    def finish(self) -> None:
        if self._waiting:
            self._ports.publisher.publish_all(self._waiting)
            self._waiting.clear()
