"""The tags that images have by now, judged as if each were pushed at this moment."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from ecr_warden.domain.artifacts import Artifact
from ecr_warden.domain.events import ImageAction
from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Mode, Policy, RuleReference, TagAction
from ecr_warden.domain.quarantine import quarantine_tag
from ecr_warden.domain.resolution import resolve_tags
from ecr_warden.domain.sweep.images import ListedImage
from ecr_warden.domain.sweep.judgements import TAGS, Judgement, Standing, TagProblem
from ecr_warden.domain.sweep.kept_tags import is_begun, policys_lifecycle, pulled_lately, tags_after
from ecr_warden.domain.tag_rules import Violation, judge_push


def tag_rule(policy: Policy, repository_name: str) -> tuple[RuleReference, Mode] | None:
    """Give the first rule that judges some kind of artifact's tags in a repository, with its mode."""
    for artifact in (Artifact.IMAGE, *Artifact):
        resolution = resolve_tags(policy, repository_name, artifact)
        if resolution.rule is not None:
            return resolution.rule, resolution.mode
    return None


def tag_judgements(  # noqa: PLR0913  # what is judged, by what, and where and when
    images: Iterable[ListedImage],
    policy: Policy,
    *,
    repository_name: str,
    place: Place,
    event_id: str,
    now: datetime,
) -> Iterator[Judgement]:
    """Give a judgement for each tag that breaks a rule.

    A tag stays (``KEPT``) that a rule would take, where its image was pulled of late, or where the policy's
    lifecycle would soon take an image for it. Archived images are left alone: nobody can pull them.
    """
    every = tuple(images)
    lifecycle = policys_lifecycle(policy, repository_name, len(every))
    for image in every:
        if image.is_archived:
            continue
        left = frozenset(image.tags)
        for tag in image.tags:
            push = _as_pushed(
                image, tag, now, repository_name=repository_name, place=place, event_id=event_id
            )
            decision = judge_push(push, policy)
            if not isinstance(decision, Violation):
                continue
            problem = TagProblem(push, decision)
            if decision.action is TagAction.NOTIFY:
                yield _judgement(problem, place)
                continue
            # As the tags before it are taken.
            after = tags_after(left, problem, policy)
            why = None if is_begun(problem, left) else pulled_lately(image, now)
            if why is None and lifecycle is not None:
                why = lifecycle.why_kept(image, left, after, now)
            if why is None:
                left = after
                yield _judgement(problem, place)
            else:
                yield _kept(problem, place, why)


def _as_pushed(  # noqa: PLR0913  # what an event of it would say
    image: ListedImage, tag: str, now: datetime, *, repository_name: str, place: Place, event_id: str
) -> ImageAction:
    return ImageAction(
        event_id=event_id,
        event_time=now,
        account=place.account,
        region=place.region,
        detail_type="ECR Image Action" if image.subject is None else "ECR Referrer Action",
        action_type="PUSH",
        result="SUCCESS",
        repository_name=repository_name,
        image_digest=image.digest,
        image_tag=tag,
        manifest_media_type=image.media_type,
        artifact_media_type=image.artifact_media_type,
    )


def _judgement(problem: TagProblem, place: Place) -> Judgement:
    push, violation = problem.push, problem.violation
    is_told_only = violation.action is TagAction.NOTIFY
    return Judgement(
        place=place,
        repository=push.repository_name,
        section=TAGS,
        setting=TAGS,
        standing=Standing.VIOLATION if is_told_only else Standing.DIFFERS,
        mode=violation.mode,
        rule=violation.rule,
        what=violation.reason,
        next_step=_next_step(violation),
        before={"image_tag": violation.image_tag, "image_digest": push.image_digest},
        after=_after(push.image_digest, violation),
        image_digest=push.image_digest,
        image_tag=violation.image_tag,
        ground=problem,
    )


def _kept(problem: TagProblem, place: Place, why: str) -> Judgement:
    tag = problem.violation.image_tag
    return replace(
        _judgement(problem, place),
        standing=Standing.KEPT,
        what=f"{problem.violation.reason}; it stays: {why}",
        next_step=f"{_next_step(problem.violation)}, move what pulls {tag} there, and remove {tag} yourself",
    )


def _after(digest: str, violation: Violation) -> dict[str, object] | None:
    match violation.action:
        case TagAction.QUARANTINE:
            return {"image_tag": quarantine_tag(digest, violation.image_tag), "image_digest": digest}
        case _:
            return None


def _next_step(violation: Violation) -> str:
    allowed = f" that is allowed: {', '.join(violation.allowed)}" if violation.allowed else ""
    return f"Push the image again under a tag{allowed or ' that the rule does not deny'}"
