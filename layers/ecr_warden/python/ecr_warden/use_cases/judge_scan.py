"""An image is judged by its repository's scan gate, acted on, and told of once.

What is decided is written into the image's state before anything is done, and stays there until it is done
and told: an event that comes again, or another that finds it, does what is missing.
"""

from dataclasses import dataclass, replace
from typing import Final

from ecr_warden.domain.exemption import EXEMPT_TAG, is_exempt
from ecr_warden.domain.finding_summary import FindingChanges
from ecr_warden.domain.images import StoredImage
from ecr_warden.domain.outcomes import Outcome
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.previous_image import previous_image
from ecr_warden.domain.resolution import resolve
from ecr_warden.domain.scan_events import FindingEvent, ImageScan, ScanCoverage, ScanEvent
from ecr_warden.domain.scan_gate import Judgement, gate_for, judge_findings
from ecr_warden.domain.scan_outcomes import GateNews, GateRule, compare, is_news, recovered, vulnerable
from ecr_warden.domain.scan_state import ImageKey, ImageState
from ecr_warden.errors import AwsError, ImageGoneError, RefusedError, RepositoryGoneError
from ecr_warden.use_cases.scan_actions import Judged, JudgingPorts, act_and_publish, owner_of
from ecr_warden.use_cases.scan_evidence import Evidence, Quiet, weigh
from ecr_warden.use_cases.tell_not_scanned import tell_coverage, tell_failed_scan

_SECTION: Final = "scan_gate"
_TRIES: Final = 5
_LAST_SCAN: Final = "the last scan of this image"


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
    resolution = resolve(policy, event.repository_name, _SECTION)
    if resolution.rules is None or resolution.rule is None:
        return Judged("NotJudged", f"no rule has {_SECTION} for {event.repository_name}")
    gate = gate_for(resolution.rules, policy, event.repository_name, ports.now())
    gated = GateRule(resolution.rules, resolution.mode, resolution.rule, gate)
    try:
        match event:
            case ScanCoverage():
                return tell_coverage(event, gated, ports)
            case ImageScan() if not event.is_complete:
                return tell_failed_scan(event, gated, ports)
            case ImageScan() | FindingEvent():
                return _Judging(event, gated, ports).run()
            case _:  # pragma: no cover  # nothing else is parsed
                raise TypeError(f"not an event of a scan: {event!r}")
    except (ImageGoneError, RepositoryGoneError) as error:
        return Judged("Gone", f"nothing is left to judge: {error}")


@dataclass(frozen=True)
class _Judging:
    """One event's image, judged."""

    event: ImageScan | FindingEvent
    gated: GateRule
    ports: JudgingPorts

    def run(self) -> Judged:
        for _ in range(_TRIES):
            judged = self._try()
            if judged is not None:
                return judged
        raise AwsError(
            f"{self.event.repository_name} {self.event.image_digest}: others judge it at the same time"
        )

    def _try(self) -> Judged | None:
        """Judge once; ``None`` where another event's judgement came between."""
        state = self._settled(self.ports.states.read(self._key))
        weighed = weigh(self.event, self.gated.gate, state, self.ports)
        if isinstance(weighed, Quiet):
            return Judged(weighed.decision, weighed.reason)
        known = _known(state, weighed)
        if not _is_told(state, weighed.judgement, self.gated):
            return self._remember(known, state)
        resource_tags = self.ports.registry.resource_tags(self.event.repository_name)
        if is_exempt(resource_tags, _SECTION):
            return Judged("Exempt", f"the resource tag {EXEMPT_TAG} exempts the repository from {_SECTION}")
        untold = self._outcome(weighed, state, owner_of(resource_tags))
        known = replace(known, untold=untold, told=state.told + 1)
        if not self.ports.states.write(self._key, known):
            return None
        told = self._settle(known, untold)
        return Judged("Failed" if known.has_failed else "Recovered", told.reason, told)

    @property
    def _key(self) -> ImageKey:
        event = self.event
        return ImageKey(event.account, event.region, event.repository_name, event.image_digest)

    def _remember(self, known: ImageState, state: ImageState) -> Judged | None:
        if known is not state and not self.ports.states.write(self._key, known):
            return None
        if known.has_failed:
            return Judged("Known", "the image fails the gate, as people were told; nothing is new")
        return Judged("Passed", "what the scanner found passes the gate")

    def _settled(self, state: ImageState) -> ImageState:
        """Do and tell what was decided before, and not done or told to the end."""
        if state.untold is None:
            return state
        told = self._settle(state, state.untold)
        return replace(state, untold=None, change_ids=_with(state.change_ids, told.change_ids))

    def _settle(self, state: ImageState, untold: Outcome) -> Outcome:
        rule = untold.rule or self.gated.rule
        told = act_and_publish(untold, rule, self.ports, even_in_use=self.gated.rules.even_in_use)
        self.ports.states.settle(
            self._key, replace(state, untold=None, change_ids=_with(state.change_ids, told.change_ids))
        )
        return told

    def _outcome(self, evidence: Evidence, state: ImageState, owner: str | None) -> Outcome:
        judgement = evidence.judgement
        news = GateNews(
            event=self.event,
            judgement=judgement,
            gated=self.gated,
            state=state,
            changes=self._changes(judgement, state),
            unlisted=evidence.unlisted,
            owner=owner,
        )
        return vulnerable(news) if judgement.has_failed else recovered(news)

    def _changes(self, judgement: Judgement, state: ImageState) -> FindingChanges | None:
        """Compare with the last scan of this image or, at its first, with the image before it."""
        if judgement.keys is None:
            return None
        if state.version:
            return compare(judgement.keys, state.keys, _LAST_SCAN)
        previous = self._previous()
        if previous is None:
            return None
        name = previous.tags[0] if previous.tags else previous.digest
        return compare(judgement.keys, self._keys_of(previous), f"the image pushed before it, {name}")

    def _previous(self) -> StoredImage | None:
        try:
            images = self.ports.storage.listed(self.event.repository_name)
        except RefusedError:
            # Too many images to look through: there is no comparison, which the message then does not make.
            return None
        return previous_image(images, self.event.image_digest)

    def _keys_of(self, image: StoredImage) -> tuple[str, ...] | None:
        gate = self.gated.gate
        try:
            scan = self.ports.scans.read(
                self.event.repository_name, image.digest, with_epss=gate.min_epss is not None
            )
        except ImageGoneError:
            return None
        return judge_findings(scan.pages, gate, scan.counts).keys if scan.has_findings else None


def _is_told(state: ImageState, judgement: Judgement, gated: GateRule) -> bool:
    if judgement.has_failed:
        return is_news(state, judgement, gated.gate)
    return state.has_failed


def _known(state: ImageState, evidence: Evidence) -> ImageState:
    """Give what is known of an image from now on; the very same state where nothing is otherwise."""
    judgement = evidence.judgement
    known = replace(
        state,
        has_failed=judgement.has_failed,
        as_of=evidence.as_of,
        keys=judgement.keys,
        counts=dict(judgement.counts),
    )
    return state if known == state else replace(known, version=state.version + 1)


def _with(entries: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*entries, *more)))
