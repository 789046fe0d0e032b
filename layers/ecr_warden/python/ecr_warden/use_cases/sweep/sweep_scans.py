"""Images are judged by their scan gates without any event: grace periods and exceptions end, rules change.

Each is judged as an event of its scan would have it judged: by what is remembered of it, told once, acted on
and journaled. Whether findings count is a matter of more than their numbers; but where the numbers alone pass
the gate, or are all told and nothing but numbers matters to the gate, nothing needs a look.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from ecr_warden.domain.findings import severity_counts
from ecr_warden.domain.policy import Policy, ScanGate
from ecr_warden.domain.resolution import SCAN_GATE, Resolution, resolve
from ecr_warden.domain.runs import event_id_of
from ecr_warden.domain.scan_events import ImageScan
from ecr_warden.domain.scan_gate import Gate, gate_for, judge_counts
from ecr_warden.domain.scan_state import ImageKey
from ecr_warden.domain.sweep.images import ListedImage
from ecr_warden.domain.sweep.judgements import Judgement, Standing
from ecr_warden.domain.sweep.visits import Visit
from ecr_warden.errors import AwsError, CredentialsError, NotReadyError, RefusedError, UnfinishedError
from ecr_warden.use_cases.judge_scan import judge_scan
from ecr_warden.use_cases.scan_actions import JudgingPorts


def sweep_scans(  # noqa: PLR0913  # what is judged, by what, and until when
    visit: Visit,
    *,
    run: str,
    policy: Policy,
    ports: JudgingPorts,
    now: datetime,
    is_over: Callable[[], bool] = lambda: False,
) -> tuple[Judgement, ...]:
    """Judge the images of a repository that a gate may not let pass; give what could not be judged.

    Raises
    ------
    CredentialsError
        Where the credentials are over.
    UnfinishedError
        Where the time was over (``is_over``, asked before each image); what was judged is remembered.

    """
    resolution: Resolution[ScanGate] = resolve(policy, visit.repository.name, SCAN_GATE)
    if resolution.rules is None or resolution.rule is None:
        return ()
    unread = Judgement(
        place=visit.place,
        repository=visit.repository.name,
        section=SCAN_GATE,
        setting=SCAN_GATE,
        standing=Standing.UNREAD,
        mode=resolution.mode,
        rule=resolution.rule,
    )
    found = []
    gate = gate_for(resolution.rules, policy, visit.repository.name, now)
    for image in doubtful(visit, policy, now):
        if is_over():
            raise UnfinishedError("the worker had to stop before all images were judged by their scan gate")
        try:
            if _is_known(image, visit, gate, ports):
                continue
            judge_scan(_event(image, visit, run, now), policy=policy, ports=ports)
        except CredentialsError:
            raise
        except NotReadyError:
            # It is scanned at this moment: an event tells of it.
            continue
        except (AwsError, RefusedError) as error:
            what = f"{image.tags[0]} ({image.digest}) could not be judged: {error}".rstrip(".")
            found.append(replace(unread, what=what))
    return tuple(found)


def doubtful(visit: Visit, policy: Policy, now: datetime) -> tuple[ListedImage, ...]:
    """Give the images that people pull and whose findings, if all of them counted, are too many."""
    resolution: Resolution[ScanGate] = resolve(policy, visit.repository.name, SCAN_GATE)
    if resolution.rules is None:
        return ()
    gate = gate_for(resolution.rules, policy, visit.repository.name, now)
    return tuple(image for image in visit.images or () if _is_doubtful(image, gate))


def _is_doubtful(image: ListedImage, gate: Gate) -> bool:
    if not image.tags or image.is_archived or image.finding_counts is None:
        return False
    return judge_counts(_counts(image), gate).has_failed


def _counts(image: ListedImage) -> dict[str, int]:
    return severity_counts(dict(image.finding_counts or ()))


def _is_known(image: ListedImage, visit: Visit, gate: Gate, ports: JudgingPorts) -> bool:
    """Tell whether people were told all that a look at the findings could bring up.

    It is so where the numbers are those that were told, and each finding of a limited severity counts: with a
    filter it is a matter of today's date, exceptions and fixes.
    """
    if gate.has_filters:
        return False
    place = visit.place
    state = ports.states.read(ImageKey(place.account, place.region, visit.repository.name, image.digest))
    counts = _counts(image)
    if not state.has_failed or state.untold is not None or dict(state.counts) != counts:
        return False
    # A rule that limits more severities than it did counts more findings than were told.
    counted = sum(judge_counts(counts, gate).counted.values())
    return state.marks is None or len(state.marks) >= counted


def _event(image: ListedImage, visit: Visit, run: str, now: datetime) -> ImageScan:
    """Give an event that says nothing but that there is a scan: the registry's findings decide."""
    place = visit.place
    return ImageScan(
        event_id=event_id_of(run, place),
        event_time=now,
        account=place.account,
        region=place.region,
        detail_type="ECR Image Scan",
        repository_name=visit.repository.name,
        image_digest=image.digest,
        image_tags=image.tags,
        status="COMPLETE",
    )
