"""Some repositories of a registry are compared with the policy, repaired, and told of, within one run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from itertools import islice
from threading import Event
from typing import Final, Protocol

from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.runs import event_id_of
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.rows import RepositoryRow, row_of
from ecr_warden.domain.sweep.visits import Repair, Visit
from ecr_warden.errors import AwsError, CredentialsError, RefusedError, UnfinishedError
from ecr_warden.ports import OutcomePorts
from ecr_warden.use_cases.scan_actions import JudgingPorts
from ecr_warden.use_cases.sweep.drift_teller import DriftTeller
from ecr_warden.use_cases.sweep.in_order import in_order
from ecr_warden.use_cases.sweep.judge_repository import judge_repository
from ecr_warden.use_cases.sweep.ports import RepairPorts, Scope
from ecr_warden.use_cases.sweep.registry_documents import RegistryDocuments, of_registry_if_unread
from ecr_warden.use_cases.sweep.repair_repository import Repairer
from ecr_warden.use_cases.sweep.shared_facts import SharedFacts
from ecr_warden.use_cases.sweep.sweep_scans import doubtful, sweep_scans
from ecr_warden.use_cases.sweep.swept import Swept
from ecr_warden.use_cases.sweep.visit_place import AHEAD, THREADS

# Their sizes, ages and findings are in the report.
_SCOPE: Final = Scope(with_images=True)
# What a row says of images, and is made of while they are in memory.
_OF_IMAGES: Final = ("images", "lifecycle", "vulnerabilities")
# What befalls one repository, and says nothing of the others.
_OF_ONE: Final = (AwsError, RefusedError, UnfinishedError)


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
    is_over: Callable[[], bool] = lambda: False,
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
    is_over
        Asked before each repository and each change; once it is true no other is begun. What is not begun has
        no row, and one that was left half-way says so in its own (``is_unfinished``).
    threads
        How many repositories are looked at at once.

    Raises
    ------
    CredentialsError
        Where the credentials are over; what was done before is told, and its rows given. Likewise anything
        that is not known to be the matter of one repository.
    AwsError
        Where outcomes could not be published: the batch is to be done again, and no row is given.

    """
    batch = _Batch(run, policy, place, ports, owners, now, scan_ports, is_repeat, is_over)
    yield from batch.rows(repositories, threads)


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
    is_over: Callable[[], bool]
    is_ended: Event = field(default_factory=Event)

    @cached_property
    def _repairer(self) -> Repairer:
        # Other batches of the run change the same documents, each as their only writer.
        return Repairer(
            policy=self.policy, place=self.place, run=self.run, ports=self.ports, documents_may_move=True
        )

    def rows(self, repositories: Sequence[Repository], threads: int) -> Iterator[RepositoryRow]:
        failure: Exception | None = None
        documents, teller = RegistryDocuments(self._repairer), DriftTeller(self.ports, self.run, self.now)
        sweep = partial(self._sweep, shared=SharedFacts(self.ports.settings))
        rows = []
        with ThreadPoolExecutor(threads) as pool:
            for done in in_order(pool, sweep, repositories, ahead=threads * AHEAD):
                if done is None:
                    continue
                failure = failure or done.error
                if done.is_nothing:
                    continue
                teller.tell(done.visit, done.repairs, is_unfinished=done.is_unfinished)
                try:
                    of_registry = documents.repaired(() if failure else done.documents)
                except CredentialsError as error:
                    failure, of_registry = error, []
                    self.is_ended.set()
                if failure is not None and any(one.is_to_apply for one in done.documents):
                    # Else nobody would come to them any more.
                    done.leave(failure)
                rows.append(self._row(done, of_registry))
        if failure is None and self.is_repeat:
            failure = documents.find_made_before(self.place)
        teller.tell(documents.visit(self.place), documents.repairs)
        teller.finish()
        # What has a row is not looked at again: it has none before all of it is told.
        yield from rows
        if failure is not None:
            raise failure

    def _row(self, done: Swept, of_registry: Sequence[Repair]) -> RepositoryRow:
        self.ports.metrics.count("SweepRepositories")
        row = self._row_of(done, [*done.repairs, *of_registry])
        if done.listed is not None:
            of_images = {name: getattr(done.listed, name) for name in _OF_IMAGES}
            row = replace(row, **of_images)
        return replace(row, is_unfinished=done.is_unfinished)

    def _row_of(self, done: Swept, repairs: Sequence[Repair]) -> RepositoryRow:
        visit = replace(done.visit, judgements=(*done.visit.judgements, *done.documents))
        return row_of(visit, repairs, policy=self.policy, now=self.now)

    def _is_over(self) -> bool:
        return self.is_ended.is_set() or self.is_over()

    def _sweep(self, repository: Repository, *, shared: SharedFacts) -> Swept | None:
        """Do all about one repository; ``None`` where the batch is over."""
        if self._is_over():
            return None
        done = Swept(Visit(self.place, repository))
        try:
            self._judge(done, shared)
            if not done.visit.is_gone and not done.visit.problem:
                self._act(done)
        except Exception as error:  # noqa: BLE001  # whatever ends the batch is raised when all else is told
            self._note(done, error)
        # Its turn may be far off, and a list is a kilobyte an image.
        done.visit = replace(done.visit, images=None)
        return done

    def _note(self, done: Swept, error: Exception) -> None:
        """Note what went wrong with a repository; what is wrong with all of them ends the batch."""
        is_end = isinstance(error, CredentialsError) or not isinstance(error, _OF_ONE)
        if is_end:
            done.error = error
            self.is_ended.set()
        if is_end or isinstance(error, UnfinishedError):
            done.leave(error)
        else:
            # It has its row: the next try would meet the same.
            done.visit = replace(done.visit, problem=str(error).rstrip("."))

    def _judge(self, done: Swept, shared: SharedFacts) -> None:
        repository = done.visit.repository
        if self.is_repeat:
            # The list is from before an earlier try: what that changed would be taken for somebody else's.
            repository = next(iter(self.ports.repositories.named([repository.name])), repository)
        visit = judge_repository(
            repository,
            policy=self.policy,
            place=self.place,
            ports=self.ports,
            shared=shared,
            scope=_SCOPE,
            now=self.now,
            event_id=event_id_of(self.run, self.place),
            resource_tags=None if self.owners is None else self.owners.get(repository.name, {}),
        )
        judgements = [of_registry_if_unread(one) for one in visit.judgements]
        done.documents = tuple(one for one in judgements if one.of_registry)
        done.visit = replace(visit, judgements=tuple(one for one in judgements if not one.of_registry))
        done.listed = self._row_of(done, ())

    def _act(self, done: Swept) -> None:
        if self.is_repeat:
            for repair in self._repairer.made_before(done.visit):
                done.repairs.append(repair)
        # Repairing lists them once more where it needs them: two lists at once are too many.
        images = () if self.scan_ports is None else doubtful(done.visit, self.policy, self.now)
        done.visit = replace(done.visit, images=images)
        self._repair(done)
        if self.scan_ports is not None:
            unread = sweep_scans(
                done.visit,
                run=self.run,
                policy=self.policy,
                ports=self.scan_ports,
                now=self.now,
                is_over=self._is_over,
            )
            done.visit = replace(done.visit, judgements=(*done.visit.judgements, *unread))

    def _repair(self, done: Swept) -> None:
        to_apply = [one for one in done.visit.judgements if one.is_to_apply]
        if not to_apply:
            return
        repairs = self._repairer.repair(done.visit.repository.name, to_apply)
        for _ in to_apply:
            if self._is_over():
                raise UnfinishedError("the worker had to stop before all of it was changed")
            done.repairs.extend(islice(repairs, 1))
