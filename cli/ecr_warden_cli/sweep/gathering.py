"""What a plan finds is shown, written, counted and kept as it is found."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from hashlib import sha256
from types import TracebackType
from typing import Any, Final, Self

from ecr_warden.domain.globs import matches_glob
from ecr_warden.domain.policy import Mode
from ecr_warden.domain.sweep.judgements import TAGS, Judgement, Standing
from ecr_warden.domain.sweep.summary import Unseen
from ecr_warden.domain.sweep.visits import Visit
from ecr_warden_cli.native_diff import Line
from ecr_warden_cli.sweep.lines import heading, judgement_lines, unseen_lines
from ecr_warden_cli.sweep.plan_file import (
    CHANGES,
    Document,
    PlanFileError,
    decode_judgement,
    encode_judgement,
)
from ecr_warden_cli.sweep.spool import Spool
from ecr_warden_cli.sweep.tally import Tally

_SHOWN: Final = frozenset({Standing.DIFFERS, Standing.VIOLATION})


class Gathering:
    """What was found so far. Of what is to be applied, the registry's documents come first.

    Parameters
    ----------
    show
        Shows lines that belong together.
    document
        Is written as things are found; its array of changes is open.
    is_verbose
        Whether what is kept is shown, too.
    globs
        Those by which repositories are asked for.

    """

    def __init__(
        self,
        show: Callable[[Iterable[Line]], None],
        document: Document,
        *,
        is_verbose: bool,
        globs: Iterable[str] = (),
    ) -> None:
        self.tally = Tally()
        self._show = show
        self._document = document
        self._shown = _SHOWN | {Standing.KEPT, Standing.EXEMPT} if is_verbose else _SHOWN
        self._unmatched = dict.fromkeys(globs)
        self._known: set[bytes] = set()
        self._about: str | None = None
        self._spools = ExitStack()
        self._documents, self._settings, self._violations, self._kept, self._unseen = (
            self._spools.enter_context(Spool()) for _ in range(5)
        )

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let what was kept go."""
        self._spools.close()

    def take(self, found: Visit | Unseen) -> None:
        """Take what was found of one repository."""
        if isinstance(found, Visit):
            self._match(found.repository.name)
        match found:
            case Unseen():
                self._take_unseen(found)
            case Visit(is_gone=True):
                self.tally.gone += 1
            case Visit():
                self.tally.repositories += 1
                if found.problem:
                    self._take_unseen(Unseen(str(found.place), found.repository.name, found.problem))
                self.take_judgements(found.judgements)

    def take_judgements(self, judgements: Iterable[Judgement]) -> None:
        """Take what was found, first of the registry's documents, then of one repository."""
        new = [one for one in judgements if self._is_new(one)]
        for name in {one.repository for one in new if not one.of_registry}:
            self._match(name)
        for group in ([one for one in new if one.of_registry], [one for one in new if not one.of_registry]):
            for one in group:
                self._take_judgement(one)
            self._count_changed(group)
            self._show_group([one for one in group if one.standing in self._shown])

    def _match(self, repository_name: str) -> None:
        for glob in [one for one in self._unmatched if matches_glob(one, repository_name)]:
            del self._unmatched[glob]

    @property
    def unmatched(self) -> tuple[str, ...]:
        """The globs that nothing matched; none where something could not be looked at, which might."""
        return () if self.tally.unseen else tuple(self._unmatched)

    def take_item(self, array: str, item: Mapping[str, Any]) -> None:
        """Take what a plan's file has of what is not to be changed."""
        match array:
            case "violations" | "kept":
                self.take_judgements([decode_judgement(item)])
            case "unseen":
                try:
                    self._take_unseen(Unseen(**item))
                except TypeError as error:
                    raise PlanFileError(f"this is no part of a plan: {json.dumps(item)}") from error

    def _is_new(self, judgement: Judgement) -> bool:
        """Tell whether nothing else led to the same about the registry's documents."""
        if not judgement.of_registry:
            return True
        text = json.dumps(encode_judgement(judgement), sort_keys=True)
        # A digest: the documents themselves may be long.
        key = sha256(text.encode()).digest()
        is_new = key not in self._known
        self._known.add(key)
        return is_new

    def _take_judgement(self, judgement: Judgement) -> None:
        tally = self.tally
        match judgement.standing:
            case Standing.DIFFERS:
                tally.changes += 1
                tally.changed_tags += judgement.section == TAGS
                tally.in_audit += judgement.mode is Mode.AUDIT
                self._take_change(judgement)
            case Standing.VIOLATION:
                tally.violations += 1
                self._violations.add(encode_judgement(judgement))
            case Standing.KEPT:
                tally.kept += 1
                self._kept.add(encode_judgement(judgement))
            case Standing.EXEMPT:
                tally.exempt += 1
                self._kept.add(encode_judgement(judgement))
            case Standing.COMPLIANT:
                tally.compliant += 1
            case Standing.UNREAD:
                self._take_unseen(Unseen(str(judgement.place), judgement.repository, judgement.what))

    def _take_change(self, judgement: Judgement) -> None:
        item = encode_judgement(judgement)
        self._document.add(item)
        if judgement.is_to_apply:
            (self._documents if judgement.is_registry_wide else self._settings).add(item)

    def _count_changed(self, group: list[Judgement]) -> None:
        """Count where something differs; what is of one repository comes together."""
        changed = next((one for one in group if one.standing is Standing.DIFFERS), None)
        if changed is None:
            return
        about = f"{changed.place} {changed.repository}"
        if changed.of_registry:
            key = about.encode()
            self.tally.changed_registries += key not in self._known
            self._known.add(key)
        elif about != self._about:
            self.tally.changed_repositories += 1
            self._about = about

    def _show_group(self, group: list[Judgement]) -> None:
        if group:
            self._show(_group_lines(group))

    def _take_unseen(self, unseen: Unseen) -> None:
        self.tally.unseen += 1
        self._unseen.add(asdict(unseen))

    def show_end(self) -> None:
        """Show what could not be looked at, and the counts."""
        if self._unseen.count:
            self._show(self._unseen_lines())
        self._show([Line("", str(self.tally))])

    def _unseen_lines(self) -> Iterator[Line]:
        yield Line("", "Could not be looked at:")
        for item in self._unseen:
            yield from unseen_lines(Unseen(**item))
        yield Line("", "")

    def write_rest(self) -> None:
        """Write what comes after the changes."""
        self._document.add_array("violations", self._violations)
        self._document.add_array("kept", self._kept)
        self._document.add_array("unseen", self._unseen)

    def to_apply(self) -> Iterator[tuple[bool, Iterator[Judgement]]]:
        """Give what is to be applied: whether it is of the registry's documents, and the changes."""
        for is_documents, spool in ((True, self._documents), (False, self._settings)):
            yield is_documents, map(decode_judgement, spool)


def _group_lines(group: list[Judgement]) -> Iterator[Line]:
    yield heading(group[0])
    for judgement in group:
        yield from judgement_lines(judgement)
    yield Line("", "")


def read_into(
    gathering: Gathering,
    items: Iterable[tuple[str, Mapping[str, Any]]],
    has: Callable[[Judgement], bool],
) -> None:
    """Take what a plan's file has, a repository's together, as far as it is asked for."""
    gathering.tally.is_of_file = True
    together: list[Judgement] = []
    for array, item in items:
        if array != CHANGES:
            if array in {"violations", "kept"} and not has(decode_judgement(item)):
                continue
            gathering.take_item(array, item)
            continue
        change = decode_judgement(item)
        if change.standing is not Standing.DIFFERS:
            raise PlanFileError(f"this is no change of a plan: {json.dumps(item)[:200]}")
        if not has(change):
            continue
        if together and _about(together[0]) != _about(change):
            gathering.take_judgements(together)
            together = []
        together.append(change)
    gathering.take_judgements(together)


def _about(judgement: Judgement) -> tuple[str, str]:
    return str(judgement.place), judgement.repository
