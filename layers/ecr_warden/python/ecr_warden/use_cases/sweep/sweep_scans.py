"""Images are judged by their scan gates without any event: grace periods and exceptions end, rules change.

Each is judged as an event of its scan would have it judged: by what is remembered of it, told once, acted on
and journaled. Whether findings count is a matter of more than their numbers; but where the numbers alone pass
the gate, nothing needs a look.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from ecr_warden.domain.findings import severity_counts
from ecr_warden.domain.policy import Policy, ScanGate
from ecr_warden.domain.resolution import SCAN_GATE, Resolution, resolve
from ecr_warden.domain.runs import event_id_of
from ecr_warden.domain.scan_events import ImageScan
from ecr_warden.domain.scan_gate import gate_for, judge_counts
from ecr_warden.domain.sweep.images import ListedImage
from ecr_warden.domain.sweep.judgements import Judgement, Standing
from ecr_warden.domain.sweep.visits import Visit
from ecr_warden.errors import AwsError, CredentialsError, NotReadyError, RefusedError
from ecr_warden.use_cases.judge_scan import judge_scan
from ecr_warden.use_cases.scan_actions import JudgingPorts

_STANDARD: Final = "STANDARD"


def sweep_scans(
    visit: Visit, *, run: str, policy: Policy, ports: JudgingPorts, now: datetime
) -> tuple[Judgement, ...]:
    """Judge the images of a repository that a gate may not let pass; give what could not be judged.

    Raises
    ------
    CredentialsError
        Where the credentials are over.

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
    for image in _doubtful(visit, resolution.rules, policy, now):
        try:
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


def _doubtful(visit: Visit, rules: ScanGate, policy: Policy, now: datetime) -> Iterator[ListedImage]:
    """Give the images that people pull and whose findings, if all of them counted, are too many."""
    gate = gate_for(rules, policy, visit.repository.name, now)
    for image in visit.images or ():
        if not image.tags or image.storage_class != _STANDARD or image.finding_counts is None:
            continue
        if judge_counts(severity_counts(dict(image.finding_counts)), gate).has_failed:
            yield image


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
