"""What a registry has one of is repaired once, though many repositories lead to it."""

from collections.abc import Sequence
from dataclasses import replace

from ecr_warden.domain.exemption import EXEMPT_TAG
from ecr_warden.domain.places import REGISTRY, Place
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.judgements import Judgement, Standing
from ecr_warden.domain.sweep.visits import Repair, RepairStatus, Visit
from ecr_warden.errors import CredentialsError
from ecr_warden.use_cases.sweep.repair_repository import Repairer


def of_registry_if_unread(judgement: Judgement) -> Judgement:
    """Say once, and not of each repository, that a document of the registry could not be read."""
    is_own = EXEMPT_TAG in judgement.what
    if judgement.standing is Standing.UNREAD and judgement.is_registry_wide and not is_own:
        return replace(judgement, repository=REGISTRY)
    return judgement


class RegistryDocuments:
    """Whatever many repositories lead to is done, and told, once."""

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
            if judgement.is_to_apply:
                repairs = list(self._repairer.repair(REGISTRY, [judgement]))
                self.repairs.extend(repairs)
                found.extend(repairs)
            # Not before: what is seen and has no repair is told as what a rule in audit mode would change.
            self._seen.append(judgement)
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
