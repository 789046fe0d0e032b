"""Which denied tags stay: no image is lost for its tag, and none loses one that is being pulled."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from tests.fakes import NOW
from tests.sweep_world import HERE, World, digest, judged, sweep_policy
from tests.unit.test_sweep_batch import SweepWorld, swept

from ecr_warden.domain.lifecycle_simulation import simulate_lifecycle
from ecr_warden.domain.resolution import resolve
from ecr_warden.domain.settings.lifecycle import lifecycle_document
from ecr_warden.domain.sweep.image_totals import simulated
from ecr_warden.domain.sweep.judgements import Standing
from ecr_warden.domain.sweep.kept_tags import LifecycleThere
from ecr_warden.domain.sweep.visits import RepairStatus
from ecr_warden.use_cases.sweep.repair_repository import Repairer

QUARANTINE = "tags: {deny: [latest], on_violation: quarantine}"
DELETE = "tags: {deny: [latest], on_violation: delete}"
LIFECYCLE = "lifecycle: {expire_untagged_after_days: 7}"
KEPT_AS = "quarantine-000000000000-latest"
INDEX = "application/vnd.oci.image.index.v1+json"


def world_of(*tags, days=0, **options):
    world = World()
    world.add("team/app", **options)
    world.registry.push("team/app", digest(1), *tags)
    world.pushed[digest(1)] = NOW - timedelta(days=days)
    return world


def tag_judgements(world, policy):
    found = judged(world, policy, "team/app").judgements
    return [one for one in found if one.setting == "tags"]


def repairs(world, policy, run="sweep-1"):
    repairer = Repairer(policy=policy, place=HERE, run=run, ports=world)
    found = [one for one in judged(world, policy, "team/app").judgements if one.is_to_apply]
    return list(repairer.repair("team/app", found))


def document(*rules):
    numbered = enumerate(rules, 1)
    return {
        "rules": [{"rulePriority": number, "action": {"type": "expire"}} | rule for number, rule in numbered]
    }


def aged(days, **selection):
    days = {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": days}
    return {"selection": {**selection, **days}}


def counted(count, **selection):
    return {"selection": {**selection, "countType": "imageCountMoreThan", "countNumber": count}}


def tagged(*patterns):
    return {"tagStatus": "tagged", "tagPatternList": list(patterns)}


@pytest.mark.parametrize(("days", "stays"), [(0, False), (7, False), (8, True), (200, True)])
def test_an_old_images_only_tag_is_not_made_one_that_the_policys_lifecycle_deletes(days, stays):
    world = world_of("latest", days=days)
    (judgement,) = tag_judgements(world, sweep_policy(QUARANTINE, LIFECYCLE))
    assert judgement.standing is (Standing.KEPT if stays else Standing.DIFFERS)
    assert judgement.is_to_apply is not stays
    if stays:
        assert judgement.what.startswith("the tag latest is denied by the pattern latest; it stays: ")
        assert "delete quarantined images" in judgement.what
        assert "remove latest yourself" in judgement.next_step


def test_an_old_image_that_an_allowed_tag_keeps_loses_the_denied_one():
    world = world_of("latest", "v1", days=200)
    policy = sweep_policy("tags: {deny: [latest], allow: ['v*'], on_violation: quarantine}", LIFECYCLE)
    assert [one.status for one in repairs(world, policy)] == [RepairStatus.CHANGED] * 2
    assert world.registry.tags_of("team/app", digest(1)) == ["v1"]


def test_a_tag_that_a_rule_of_the_lifecycle_keeps_an_image_by_stays():
    world = world_of("latest", "v1", days=200)
    tags = "tags: {deny: [latest], allow: ['v*'], on_violation: quarantine}"
    (judgement,) = tag_judgements(
        world, sweep_policy(tags, "lifecycle: {expire_after_days: 90, keep: [latest]}")
    )
    assert judgement.standing is Standing.KEPT
    assert "delete old images" in judgement.what


@pytest.mark.parametrize("section", [QUARANTINE, DELETE])
@pytest.mark.parametrize(("days", "stays"), [(0, True), (30, True), (31, False)])
def test_a_tag_of_an_image_that_was_pulled_of_late_stays(section, days, stays):
    world = world_of("latest", days=40)
    world.pulled[digest(1)] = NOW - timedelta(days=days)
    (judgement,) = tag_judgements(world, sweep_policy(section))
    assert judgement.standing is (Standing.KEPT if stays else Standing.DIFFERS)
    assert ("it was pulled on 2026-" in judgement.what) is stays
    repairs(world, sweep_policy(section))
    assert ("latest" in world.registry.tags_of("team/app", digest(1))) is stays


def test_a_quarantine_that_was_stopped_goes_on_though_its_own_reading_counts_as_a_pull():
    world = world_of("latest", KEPT_AS)
    world.pulled[digest(1)] = NOW
    assert [one.status for one in repairs(world, sweep_policy(QUARANTINE))] == [RepairStatus.CHANGED]
    assert world.registry.tags_of("team/app", digest(1)) == [KEPT_AS]


def test_a_rule_that_only_tells_is_told_as_before():
    world = world_of("latest", days=200)
    world.pulled[digest(1)] = NOW
    (judgement,) = tag_judgements(world, sweep_policy("tags: {deny: [latest]}", LIFECYCLE))
    assert judgement.standing is Standing.VIOLATION


def test_an_exempt_repositorys_kept_tag_is_exempt():
    world = world_of("latest", days=200, tags={"ecr-warden:exempt": "all"})
    (judgement,) = tag_judgements(world, sweep_policy(QUARANTINE, LIFECYCLE))
    assert judgement.standing is Standing.EXEMPT


def test_the_lifecycle_in_force_is_read_once_and_only_where_a_tag_is_to_be_taken():
    own = document(aged(14, tagStatus="any"))
    world = world_of("latest", days=10, lifecycle=own)
    world.registry.push("team/app", digest(2), "stable")
    world.registry.push("team/app", digest(3), "v1")
    policy = sweep_policy("tags: {allow: ['v*'], on_violation: quarantine}")
    kept, changed = repairs(world, policy)
    assert (kept.status, changed.status) == (RepairStatus.KEPT, RepairStatus.CHANGED)
    assert kept.said.startswith(
        "it stays: without it, the lifecycle policy there (rule 1) would take an image"
    )
    assert world.registry.tags_of("team/app", digest(1)) == ["latest"]
    assert world.settings.calls["lifecycle_policy"] == 1
    repairs(world, sweep_policy("tag_mutability: {immutable: true}"))
    assert world.settings.calls["lifecycle_policy"] == 1


@pytest.mark.parametrize(
    "own",
    [
        # The quarantined images would be one too many.
        document(counted(1, **tagged("quarantine*"))),
        # Its tag keeps the older one from the last rule, which has room for one.
        document(aged(1000, **tagged("latest*")), counted(1, tagStatus="any")),
    ],
)
def test_images_that_are_counted_are_not_made_too_many(own):
    world = world_of("latest-1", days=3, lifecycle=own)
    world.registry.push("team/app", digest(2), "latest-2")
    policy = sweep_policy("tags: {deny: ['latest*'], on_violation: quarantine}")
    assert [one.status for one in repairs(world, policy)] == [RepairStatus.KEPT] * 2
    del world.registry.images["team/app"][digest(2)]
    assert [one.status for one in repairs(world, policy)] == [RepairStatus.CHANGED]


def test_another_image_is_not_made_one_too_many():
    own = document(aged(1000, **tagged("quarantine*")), counted(1, **tagged("q*-*")))
    world = world_of("latest-1", lifecycle=own)
    world.registry.push("team/app", digest(2), "q-x")
    world.pushed[digest(2)] = NOW - timedelta(days=5)
    policy = sweep_policy("tags: {deny: ['latest*'], on_violation: quarantine}")
    assert [one.status for one in repairs(world, policy)] == [RepairStatus.KEPT]


def test_an_image_that_is_counted_as_before_may_lose_its_tag():
    world = world_of("latest-1", days=3, lifecycle=document(counted(1, tagStatus="any")))
    world.registry.push("team/app", digest(2), "latest-2")
    policy = sweep_policy("tags: {deny: ['latest*'], on_violation: quarantine}")
    assert [one.status for one in repairs(world, policy)] == [RepairStatus.CHANGED] * 2


def test_a_lifecycle_that_is_not_understood_takes_everything():
    there = LifecycleThere.of_document("it", {"rules": [{"selection": {"tagStatus": "new"}}]}, 1)
    image = next(world_of("latest").images("team/app"))
    assert "what it would do to it cannot be told" in there.why_kept(image, ["latest"], [KEPT_AS], NOW)
    assert there.why_kept(image, ["latest"], [], NOW) is None, "it goes with its last tag anyway"
    assert there.why_kept(replace(image, subject=digest(2)), ["latest"], [KEPT_AS], NOW) is None


def test_a_lifecycle_that_cannot_be_read_takes_no_tag():
    world = world_of("latest")
    world.settings.each["team/app"].failing = {"lifecycle_policy"}
    assert [one.status for one in repairs(world, sweep_policy(QUARANTINE))] == [RepairStatus.FAILED]
    assert world.registry.tags_of("team/app", digest(1)) == ["latest"]


@pytest.mark.parametrize("section", [QUARANTINE, DELETE])
def test_who_runs_an_indexs_platform_keeps_its_tag(section):
    world = world_of()
    world.registry.push("team/app", digest(2), "amd64")
    world.registry.push("team/app", digest(1), "latest", children=[digest(2), digest(3)])
    for user in (digest(2), "amd64"):
        world.usage.users_of = {user: "cluster prod"}
        (kept,) = repairs(world, sweep_policy(section))
        assert (kept.status, "cluster prod" in kept.said) == (RepairStatus.KEPT, True)
    assert world.usage.asked[-1] == ("team/app", (digest(1), digest(2), digest(3)), ("latest", "amd64"))
    assert world.registry.tags_of("team/app", digest(1)) == ["latest"]


@pytest.mark.parametrize(
    "body", ["", "{}", "[]", '{"manifests": 3}', '{"manifests": [3]}', '{"manifests": [{}]}']
)
@pytest.mark.parametrize("section", [QUARANTINE, DELETE])
def test_an_index_whose_platforms_cannot_be_read_counts_as_in_use(section, body):
    world = world_of()
    world.registry.push("team/app", digest(1), "latest", children=[])
    images = world.registry.images["team/app"]
    images[digest(1)] = replace(images[digest(1)], body=body)
    (kept,) = repairs(world, sweep_policy(section))
    assert (kept.status, "could not be found out" in kept.said) == (RepairStatus.KEPT, True)


def test_an_index_of_indexes_counts_as_in_use():
    world = world_of()
    world.registry.push("team/app", digest(1), "latest", children=[])
    images = world.registry.images["team/app"]
    nested = json.dumps({"manifests": [{"digest": digest(2), "mediaType": INDEX}]})
    images[digest(1)] = replace(images[digest(1)], body=nested)
    assert [one.status for one in repairs(world, sweep_policy(QUARANTINE))] == [RepairStatus.KEPT]


def test_an_index_one_of_whose_platforms_was_pulled_of_late_keeps_its_tag():
    world = world_of()
    world.registry.push("team/app", digest(2))
    world.registry.push("team/app", digest(1), "latest", children=[digest(2), digest(3)])
    world.pulled[digest(2)] = NOW
    (kept,) = repairs(world, sweep_policy(QUARANTINE))
    assert (kept.status, "of one of its platforms' images, it was pulled on 2026-11-24" in kept.said) == (
        RepairStatus.KEPT,
        True,
    )


@pytest.mark.parametrize(("section", "afresh"), [(QUARANTINE, False), (DELETE, True)])
def test_a_deletion_asks_what_runs_now(section, afresh):
    world = world_of("latest")
    repairs(world, sweep_policy(section))
    assert world.usage.afresh == [afresh]


def test_a_tag_that_stays_is_told_as_a_violation_once():
    world = SweepWorld()
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest")
    world.pulled[digest(1)] = NOW
    policy = sweep_policy(QUARANTINE)
    list(swept(world, policy))
    list(swept(world, policy, run="sweep-2"))
    one, other = world.publisher.outcomes
    assert one.id == other.id
    assert (one.decision, one.changed) == ("violation", False)
    assert "it was pulled on 2026-11-24" in one.reason
    assert "remove latest yourself" in one.next_step


# What quarantine tags match too, and what the tags of images match.
PATTERNS = st.sampled_from(["quarantine-*-*", "latest*", "q*", "*", "v*", "dev*", "*latest*"])
AGES = st.sampled_from([3, 8, 0, 6, 7, 13, 14, 20, 60])


@st.composite
def documents(draw):
    """Policies of somebody's own: some rules for tags, and perhaps one for any image."""
    rules = []
    for pattern in draw(st.lists(PATTERNS, min_size=1, max_size=3, unique=True)):
        rule = draw(st.sampled_from([aged, counted]))
        rules.append(rule(draw(st.sampled_from([1, 2, 5, 14, 30])), **tagged(pattern)))
    if draw(st.booleans()):
        rule = draw(st.sampled_from([aged, counted]))
        rules.append(rule(draw(st.sampled_from([1, 2, 5, 14, 30])), tagStatus="any"))
    return document(*rules)


SECTIONS = st.none() | st.sampled_from(
    [
        "lifecycle: {expire_untagged_after_days: 7}",
        "lifecycle: {keep_last: 2}",
        "lifecycle: {keep_tagged: 2, quarantine_days: 3}",
        "lifecycle: {expire_after_days: 20, keep: ['latest*']}",
        "lifecycle: {archive_unpulled_after_days: 10, keep: ['dev*']}",
    ]
)


def taken(document, images):
    found = simulate_lifecycle(document, [simulated(one) for one in images], NOW + timedelta(days=7))
    return {*found.expire, *found.archive}


@settings(max_examples=600)
@given(
    lifecycles=st.tuples(documents() | st.none(), SECTIONS, st.booleans()),
    action=st.sampled_from(["quarantine", "delete"]),
    images=st.lists(
        st.tuples(st.sets(st.sampled_from(["latest", "v1", "dev-1", "dev-2"])), AGES), min_size=1, max_size=6
    ),
    users=st.sets(st.sampled_from(["latest", "dev-1", "dev-2"])),
)
def test_no_image_is_lost_to_a_lifecycle_by_what_a_sweep_takes(lifecycles, action, images, users):
    own, section, override = lifecycles
    world = World()
    there = world.add("team/app", lifecycle=own)
    for number, (tags, age) in enumerate(images, 1):
        # A tag names one image.
        names = [f"{tag}.{number}" for tag in sorted(tags)]
        world.registry.push("team/app", digest(number), *names)
        world.pushed[digest(number)] = NOW - timedelta(days=age)
        world.usage.users_of |= {f"{user}.{number}": "a task" for user in users if number % 2}
    tags = f"tags: {{deny: ['latest*', 'dev*'], on_violation: {action}}}"
    policy = sweep_policy(*filter(None, [tags, section]), override=override)
    before = list(world.images("team/app"))
    repairs(world, policy)
    after = list(world.images("team/app"))
    wanted = resolve(policy, "team/app", "lifecycle").rules
    event(f"changed: {before != after}")
    for one in filter(None, [there.lifecycle, wanted and lifecycle_document(wanted)]):
        assert taken(one, after) <= taken(one, before)
