"""An image is judged by its repository's scan gate, acted on, and told of once.

What is decided is written into the image's state before anything is done, and stays there until it is done
and told: an event that comes again, or another that finds it, does what is missing.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from ecr_warden.domain.exemption import is_exempt
from ecr_warden.domain.finding_summary import FindingChanges
from ecr_warden.domain.images import StoredImage
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.ownership import owner_of
from ecr_warden.domain.policy import Mode, Policy, ScanAction
from ecr_warden.domain.previous_image import previous_image
from ecr_warden.domain.resolution import SCAN_GATE, resolve
from ecr_warden.domain.scan_events import FindingEvent, ImageScan, ScanCoverage, ScanEvent
from ecr_warden.domain.scan_gate import Gate, Judgement, gate_for, judge_findings
from ecr_warden.domain.scan_outcomes import GateNews, GateRule, compare, is_news, recovered, vulnerable
from ecr_warden.domain.scan_state import ImageKey, ImageState
from ecr_warden.errors import AwsError, ImageGoneError, RefusedError, RepositoryGoneError
from ecr_warden.use_cases.quarantine_image import Wanted, is_archived_now
from ecr_warden.use_cases.scan_actions import (
    Judged,
    JudgingPorts,
    act_and_publish,
    archived,
    exempt,
)
from ecr_warden.use_cases.scan_evidence import Evidence, Quiet, read_scan, weigh
from ecr_warden.use_cases.tell_not_scanned import tell_coverage, tell_failed_scan

_TRIES: Final = 5
_LAST_SCAN: Final = "the last scan of this image"
# Longer than any function may run that judges scans: SweepBatchFunction's 15 minutes are the most. A try that
# comes again of what died does not wait for it: it is the same event.
HELD: Final = timedelta(seconds=930)


def judge_scan(event: ScanEvent, *, policy: Policy, ports: JudgingPorts) -> Judged:
    """Judge what an event says of an image by its scan gate, act as the rule says, and publish it once.

    Raises
    ------
    AwsError
        Where AWS did not answer well, or has not yet what the event tells of (``NotReadyError``): the event
        is to be tried again. Nothing that was decided is lost.

    """
    if event.registry not in {None, event.account}:
        return Judged("NotJudged", f"the image is in the registry of account {event.registry}")
    gated = _gate(event, policy, ports)
    try:
        match event:
            case ScanCoverage():
                return _ungated(event) if gated is None else tell_coverage(event, gated, ports)
            case ImageScan() if not event.is_complete:
                return _ungated(event) if gated is None else tell_failed_scan(event, gated, ports)
            case ImageScan() | FindingEvent():
                # A rule that is no more may have left something undone, and untold.
                if gated is None and not any(rule.scan_gate for rule in policy.rules):
                    return _ungated(event)
                return _Judging(event, gated, ports).run()
            case _:  # pragma: no cover  # nothing else is parsed
                raise TypeError(f"not an event of a scan: {event!r}")
    except (ImageGoneError, RepositoryGoneError) as error:
        return Judged("Gone", f"nothing is left to judge: {error}")


def _gate(event: ScanEvent, policy: Policy, ports: JudgingPorts) -> GateRule | None:
    resolution = resolve(policy, event.repository_name, SCAN_GATE)
    if resolution.rules is None or resolution.rule is None:
        return None
    gate = gate_for(resolution.rules, policy, event.repository_name, ports.now())
    return GateRule(resolution.rules, resolution.mode, resolution.rule, gate)


def _ungated(event: ScanEvent) -> Judged:
    return Judged("NotJudged", f"no rule has {SCAN_GATE} for {event.repository_name}")


@dataclass(frozen=True)
class _Judging:
    """One event's image, judged; ``gated`` is ``None`` where no rule has a gate for it (any more)."""

    event: ImageScan | FindingEvent
    gated: GateRule | None
    ports: JudgingPorts

    def run(self) -> Judged:
        for _ in range(_TRIES):
            judged = self._try()
            if judged is not None:
                return judged
        raise AwsError(f"{self._image}: others judge it at the same time")

    def _try(self) -> Judged | None:
        """Judge once; ``None`` where another event's judgement came between."""
        state = self._settled(self.ports.states.read(self._key))
        if state is None:
            return None
        if self.gated is None:
            return _ungated(self.event)
        weighed = weigh(self.event, self.gated.gate, state, self.ports)
        if isinstance(weighed, Quiet):
            return Judged(weighed.decision, weighed.reason)
        if not _is_told(state, weighed.judgement, self.gated):
            return self._remember(weighed, state)
        if state.untold is not None:
            raise AwsError(f"{self._image}: what another event came to is being told")
        return self._tell(weighed, self.gated, state)

    def _tell(self, weighed: Evidence, gated: GateRule, state: ImageState) -> Judged | None:
        resource_tags = self.ports.registry.resource_tags(self.event.repository_name)
        if is_exempt(resource_tags, SCAN_GATE):
            return exempt()
        # Inspector closes the findings of what is archived: that is no recovery.
        if not weighed.judgement.has_failed and is_archived_now(
            self.ports, self.event.repository_name, self.event.image_digest
        ):
            return archived()
        untold = self._outcome(weighed, gated, state, owner_of(resource_tags))
        known = replace(_known(state, weighed), untold=untold, told=state.told + 1)
        known = self._held(known)
        if not self.ports.states.write(self._key, known):
            return None
        told, _ = self._settle(known, untold, _wanted(gated))
        return Judged("Failed" if known.has_failed else "Recovered", told.reason, told)

    @property
    def _image(self) -> str:
        return f"{self.event.repository_name} {self.event.image_digest}"

    @property
    def _key(self) -> ImageKey:
        event = self.event
        return ImageKey(event.account, event.region, event.repository_name, event.image_digest)

    def _remember(self, weighed: Evidence, state: ImageState) -> Judged | None:
        """Remember what is no news, if it is otherwise than what was known."""
        known = _known(state, weighed)
        is_more = state.untold is None and not _says_more(state, weighed.judgement)
        is_written = is_more and replace(known, as_of=state.as_of) != state
        if is_written and not self.ports.states.write(self._key, replace(known, version=state.version + 1)):
            return None
        if known.has_failed:
            return Judged("Known", "the image fails the gate, as people were told; nothing is new")
        return Judged("Passed", "what the scanner found passes the gate")

    def _settled(self, state: ImageState) -> ImageState | None:
        """Do and tell what was decided before, and not done or told to the end.

        What another event's handling is at is left to it, until it must have died. ``None``: somebody else
        took it over in this moment.
        """
        untold = state.untold
        if untold is None:
            return state
        if state.holder != self.event.event_id:
            if state.held_until is not None and self.ports.now() < state.held_until:
                return state
            state = self._held(state)
            if not self.ports.states.write(self._key, state):
                return None
        # It may be days since it was decided.
        wanted = _wanted(self.gated)
        if wanted.quarantine and not self._fails_still():
            wanted = Wanted(quarantine=False)
        return self._settle(state, untold, wanted)[1]

    def _held(self, state: ImageState) -> ImageState:
        """Give the next version of a state, in which it is this event's to do and tell what is untold."""
        held_until = self.ports.now() + HELD
        return replace(state, version=state.version + 1, holder=self.event.event_id, held_until=held_until)

    def _fails_still(self) -> bool:
        """Tell whether the image fails today's gate, by what is listed now; what is not known does not."""
        if self.gated is None:
            return False
        gate = self.gated.gate
        scan = read_scan(self.ports, self.event.repository_name, self.event.image_digest, gate)
        if scan.is_archived:
            # That was begun: what is left of it is looked at by itself.
            return True
        if not scan.has_findings or not judge_findings(scan.pages, gate, scan.counts).has_failed:
            return False
        resource_tags = self.ports.registry.resource_tags(self.event.repository_name)
        return not is_exempt(resource_tags, SCAN_GATE)

    def _settle(self, state: ImageState, untold: Outcome, wanted: Wanted) -> tuple[Outcome, ImageState]:
        told = act_and_publish(untold, self.ports, wanted)
        changed = tuple(dict.fromkeys((*state.change_ids, *told.change_ids)))
        settled = replace(state.settled, change_ids=changed)
        self.ports.states.settle(self._key, settled)
        return told, settled

    def _outcome(self, evidence: Evidence, gated: GateRule, state: ImageState, owner: str | None) -> Outcome:
        judgement = evidence.judgement
        news = GateNews(
            event=self.event,
            judgement=judgement,
            gated=gated,
            state=state,
            changes=self._changes(judgement, gated, state),
            unlisted=evidence.unlisted,
            owner=owner,
        )
        return vulnerable(news) if judgement.has_failed else recovered(news)

    def _changes(self, judgement: Judgement, gated: GateRule, state: ImageState) -> FindingChanges | None:
        """Compare with the last scan of this image or, at its first, with the image before it."""
        if judgement.marks is None:
            return None
        if state.version:
            return compare(judgement.marks, state.marks, _LAST_SCAN)
        previous = self._previous()
        if previous is None:
            return None
        name = previous.tags[0] if previous.tags else previous.digest
        return compare(
            judgement.marks, self._marks_of(previous, gated.gate), f"the image pushed before it, {name}"
        )

    def _previous(self) -> StoredImage | None:
        try:
            images = self.ports.storage.listed(self.event.repository_name)
        except RefusedError:
            # Too many images to look through: there is no comparison, which the message then does not make.
            return None
        return previous_image(images, self.event.image_digest)

    def _marks_of(self, image: StoredImage, gate: Gate) -> tuple[str, ...] | None:
        try:
            scan = read_scan(self.ports, self.event.repository_name, image.digest, gate)
        except ImageGoneError:
            return None
        return judge_findings(scan.pages, gate, scan.counts).marks if scan.has_findings else None


def _is_told(state: ImageState, judgement: Judgement, gated: GateRule) -> bool:
    if judgement.has_failed:
        return is_news(state, judgement, gated.gate)
    return state.has_failed


def _says_more(state: ImageState, judgement: Judgement) -> bool:
    """Tell whether all that counts was read before, of an image that fails as it did, and now it was not."""
    return state.has_failed and judgement.has_failed and judgement.marks is None and state.marks is not None


def _known(state: ImageState, evidence: Evidence) -> ImageState:
    """Give what is known of an image from now on."""
    judgement = evidence.judgement
    return replace(
        state,
        has_failed=judgement.has_failed,
        as_of=evidence.as_of,
        marks=judgement.marks,
        counts=dict(judgement.counts),
    )


def _wanted(gated: GateRule | None) -> Wanted:
    """Say what today's rule wants done, whatever it was when the outcome was decided."""
    if gated is None:
        return Wanted(quarantine=False)
    wants = gated.mode is Mode.ENFORCE and gated.rules.on_failure is ScanAction.QUARANTINE
    return Wanted(quarantine=wants, even_in_use=gated.rules.even_in_use)
