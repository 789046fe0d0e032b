"""What a sweep changes, what it leaves alone, and that it is safe to repeat and to interrupt."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import FaultError
from tests.sweep_bucket import KilledError
from tests.sweep_world import HERE, World, digest, judged, sweep_policy

from ecr_warden.domain.policy import Mode
from ecr_warden.domain.runs import event_id_of, run_of
from ecr_warden.domain.settings.current import Mutability, RegistryDestination
from ecr_warden.domain.settings.native import REGISTRY
from ecr_warden.domain.sweep.judgements import Standing
from ecr_warden.domain.sweep.visits import RepairStatus
from ecr_warden.errors import AwsError, CredentialsError
from ecr_warden.use_cases.sweep.meanwhile import MEANWHILE, NOT_ASKED, OTHERWISE
from ecr_warden.use_cases.sweep.repair_repository import Repairer

MUTABILITY = "tag_mutability: {immutable: true}"
LIFECYCLE = "lifecycle: {keep_last: 30}"
SCANNING = "scanning: {frequency: scan_on_push}"
REPLICATION = "replicate_to: [us-east-1]"
QUARANTINE = "tags: {deny: [latest], on_violation: quarantine}"
RUN = "sweep-1"


@pytest.fixture
def world():
    return World()


def repairer(world, policy, **options):
    return Repairer(policy=policy, place=HERE, run=RUN, ports=world, **options)


def to_apply(world, policy, name):
    return [one for one in judged(world, policy, name).judgements if one.is_to_apply]


def repair(world, policy, name="team/app", judgements=None):
    found = to_apply(world, policy, name) if judgements is None else judgements
    return list(repairer(world, policy).repair(name, found))


def statuses(repairs):
    return [one.status for one in repairs]


def test_what_differs_is_put_as_the_policy_wants_it_and_journaled(world):
    world.add("team/app")
    policy = sweep_policy(MUTABILITY, LIFECYCLE)
    repairs = repair(world, policy)
    assert statuses(repairs) == [RepairStatus.CHANGED] * 2
    assert world.settings.each["team/app"].repository.mutability == Mutability("IMMUTABLE")
    assert to_apply(world, policy, "team/app") == []
    changes = [world.journal.entries[one.change_id] for one in repairs]
    assert [(one.section, one.before) for one in changes] == [
        ("tag_mutability", {"mode": "MUTABLE"}),
        ("lifecycle", None),
    ]
    assert {run_of(one.event_id) for one in changes} == {RUN}
    assert world.journal.done == {one.change_id for one in repairs}


def test_what_somebody_changed_in_between_is_left_alone(world):
    world.add("team/app")
    policy = sweep_policy(MUTABILITY, LIFECYCLE)
    planned = to_apply(world, policy, "team/app")
    own = Mutability("IMMUTABLE_WITH_EXCLUSION", ("dev-*",))
    settings = world.settings.each["team/app"]
    settings.repository = replace(settings.repository, mutability=own)
    repairs = repair(world, policy, judgements=planned)
    assert statuses(repairs) == [RepairStatus.SKIPPED, RepairStatus.CHANGED]
    assert repairs[0].said == MEANWHILE
    assert settings.repository.mutability == own


def test_what_is_so_by_now_is_not_written_again(world):
    world.add("team/app")
    policy = sweep_policy(MUTABILITY)
    planned = to_apply(world, policy, "team/app")
    repair(world, policy)
    again = Repairer(policy=policy, place=HERE, run="another", ports=world)
    assert statuses(again.repair("team/app", planned)) == [RepairStatus.ALREADY]
    assert world.settings.calls["put tag_mutability"] == 1


def test_a_repository_that_is_gone_is_no_failure(world):
    world.add("team/app")
    policy = sweep_policy(MUTABILITY)
    planned = to_apply(world, policy, "team/app")
    del world.settings.each["team/app"]
    assert statuses(repair(world, policy, judgements=planned)) == [RepairStatus.GONE]


def test_a_repository_that_became_exempt_is_left_alone(world):
    world.add("team/app")
    policy = sweep_policy(MUTABILITY)
    planned = to_apply(world, policy, "team/app")
    world.settings.each["team/app"].labels = {"ecr-warden:exempt": "all"}
    (kept,) = repair(world, policy, judgements=planned)
    assert (kept.status, "exempts" in kept.said) == (RepairStatus.KEPT, True)
    assert world.settings.calls["put tag_mutability"] == 0


def test_a_setting_that_is_refused_does_not_stop_the_others(world):
    world.add("team/app").refused = {"put tag_mutability"}
    repairs = repair(world, sweep_policy(MUTABILITY, LIFECYCLE))
    assert statuses(repairs) == [RepairStatus.FAILED, RepairStatus.CHANGED]
    assert "AccessDeniedException" in repairs[0].said
    assert len(world.journal.entries) == 1


def test_what_cannot_be_read_again_is_a_failure(world):
    world.add("team/app")
    policy = sweep_policy(LIFECYCLE)
    planned = to_apply(world, policy, "team/app")
    world.settings.each["team/app"].failing = {"lifecycle_policy"}
    assert statuses(repair(world, policy, judgements=planned)) == [RepairStatus.FAILED]
    world.named = lambda _names: (_ for _ in ()).throw(AwsError("throttled"))
    (failed,) = repair(world, policy, judgements=planned)
    assert (failed.status, failed.said) == (RepairStatus.FAILED, "throttled")


def test_credentials_that_are_over_stop_the_repair(world):
    world.add("team/app")
    policy = sweep_policy(MUTABILITY)
    planned = to_apply(world, policy, "team/app")
    world.named = lambda _names: (_ for _ in ()).throw(CredentialsError("expired"))
    with pytest.raises(CredentialsError):
        repair(world, policy, judgements=planned)


def test_a_denied_tag_is_quarantined_and_its_image_kept(world):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest")
    (changed,) = repair(world, sweep_policy(QUARANTINE))
    assert changed.status is RepairStatus.CHANGED
    assert world.registry.tags_of("team/app", digest(1)) == ["quarantine-000000000000-latest"]
    change = world.journal.entries[changed.change_id]
    assert (change.section, change.before["image_tag"]) == ("tags", "latest")


def test_a_tag_that_something_uses_stays(world):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest")
    world.usage.users_of = {"latest": "ECS service web"}
    (kept,) = repair(world, sweep_policy(QUARANTINE))
    assert kept.status is RepairStatus.KEPT
    assert kept.said == "it is or may be in use: ECS service web"
    assert world.registry.tags_of("team/app", digest(1)) == ["latest"]


def test_a_tag_that_moved_in_between_is_left_alone(world):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest", "1")
    policy = sweep_policy(QUARANTINE)
    planned = to_apply(world, policy, "team/app")
    world.registry.push("team/app", digest(2), "latest")
    (left,) = repair(world, policy, judgements=planned)
    assert left.status is RepairStatus.ALREADY
    assert world.registry.tags_of("team/app", digest(2)) == ["latest"]


def test_a_tag_is_deleted_only_where_a_rule_says_so(world):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest")
    policy = sweep_policy("tags: {deny: [latest], on_violation: delete}")
    (changed,) = repair(world, policy)
    assert (changed.status, changed.judgement.after) == (RepairStatus.CHANGED, None)
    assert digest(1) not in world.registry.images["team/app"]
    assert "manifest" in world.journal.entries[changed.change_id].before


def of_registry(world, policy):
    return [one for one in to_apply(world, policy, "team/app") if one.of_registry]


def test_what_the_registry_has_one_of_is_changed_once_as_its_only_writer(world):
    world.add("team/app")
    policy = sweep_policy(SCANNING, REPLICATION)
    repairs = repair(world, policy, REGISTRY, of_registry(world, policy))
    assert statuses(repairs) == [RepairStatus.CHANGED] * 2
    assert world.settings.registry.rules[0].destinations == (
        RegistryDestination("us-east-1", "123456789012"),
    )
    assert of_registry(world, policy) == []
    assert world.locks.held == {}
    assert {change.repository for change in world.journal.entries.values()} == {REGISTRY}


def test_a_registrys_document_that_changed_in_between_is_left_alone_unless_it_may_move(world):
    world.add("team/app")
    policy = sweep_policy(REPLICATION)
    planned = of_registry(world, policy)
    others = sweep_policy("replicate_to: [eu-central-1]", match="'other/**'")
    world.add("other/app")
    repair(world, others, REGISTRY, [one for one in to_apply(world, others, "other/app") if one.of_registry])
    (skipped,) = repair(world, policy, REGISTRY, planned)
    assert skipped.status is RepairStatus.SKIPPED
    mover = Repairer(policy=policy, place=HERE, run="next", ports=world, documents_may_move=True)
    assert statuses(mover.repair(REGISTRY, planned)) == [RepairStatus.CHANGED]
    regions = {place.region for rule in world.settings.registry.rules for place in rule.destinations}
    assert regions == {"us-east-1", "eu-central-1"}


def test_a_judgement_of_a_file_is_found_again_by_its_rule(world):
    world.add("team/app")
    policy = sweep_policy(REPLICATION, MUTABILITY)
    read = [replace(one, ground=None) for one in to_apply(world, policy, "team/app")]
    documents = [one for one in read if one.of_registry]
    own = [one for one in read if not one.of_registry]
    assert statuses(repair(world, policy, REGISTRY, documents)) == [RepairStatus.CHANGED]
    assert statuses(repair(world, policy, judgements=own)) == [RepairStatus.CHANGED]


def test_a_judgement_whose_rule_is_gone_is_not_applied(world):
    world.add("team/app")
    planned = [replace(one, ground=None) for one in of_registry(world, sweep_policy(REPLICATION))]
    (skipped,) = repair(world, sweep_policy(MUTABILITY), REGISTRY, planned)
    assert (skipped.status, "plan again" in skipped.said) == (RepairStatus.SKIPPED, True)
    assert world.settings.registry.rules == ()


@pytest.mark.parametrize(("planned", "now"), [(QUARANTINE, MUTABILITY), (LIFECYCLE, MUTABILITY)])
def test_what_another_policy_says_nothing_of_is_skipped_for_that(world, planned, now):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest")
    judgements = to_apply(world, sweep_policy(planned), "team/app")
    (skipped,) = repair(world, sweep_policy(now), judgements=judgements)
    assert (skipped.status, skipped.said) == (RepairStatus.SKIPPED, NOT_ASKED)


@pytest.mark.parametrize(
    ("planned", "now"),
    [
        (MUTABILITY, "tag_mutability: {immutable: true, except: [cache-*]}"),
        (QUARANTINE, "tags: {deny: [latest], on_violation: delete}"),
    ],
)
def test_what_another_policy_asks_for_otherwise_is_skipped_for_that(world, planned, now):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest")
    judgements = to_apply(world, sweep_policy(planned), "team/app")
    (skipped,) = repair(world, sweep_policy(now), judgements=judgements)
    assert (skipped.status, skipped.said) == (RepairStatus.SKIPPED, OTHERWISE)


def test_what_another_policy_leaves_to_a_person_is_skipped_for_that(world):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest")
    judgements = to_apply(world, sweep_policy(QUARANTINE), "team/app")
    (skipped,) = repair(world, sweep_policy("tags: {deny: [latest]}"), judgements=judgements)
    assert skipped.status is RepairStatus.SKIPPED
    assert skipped.said.startswith("a person must act by now: the tag latest")


def test_a_registrys_document_of_another_policys_rule_in_the_same_place_is_not_written(world):
    world.add("team/app")
    judgements = of_registry(world, sweep_policy(REPLICATION))
    other = sweep_policy("replicate_to: [eu-central-1]")
    (skipped,) = repair(world, other, REGISTRY, judgements)
    assert (skipped.status, skipped.said) == (RepairStatus.SKIPPED, OTHERWISE)
    assert world.settings.registry.rules == ()


def test_a_rule_that_went_back_to_audit_is_not_applied(world):
    world.add("team/app")
    planned = to_apply(world, sweep_policy(MUTABILITY, REPLICATION), "team/app")
    audit = sweep_policy(MUTABILITY, REPLICATION, mode="audit")
    documents = [one for one in planned if one.of_registry]
    own = [one for one in planned if not one.of_registry]
    skipped = [*repair(world, audit, judgements=own), *repair(world, audit, REGISTRY, documents)]
    assert [(one.status, one.said) for one in skipped] == [(RepairStatus.SKIPPED, NOT_ASKED)] * 2
    assert world.journal.entries == {}


def test_what_an_earlier_try_of_the_run_changed_is_known(world):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest")
    policy = sweep_policy(MUTABILITY, QUARANTINE)
    first = repair(world, policy)
    world.journal.done.clear()
    again = repairer(world, policy)
    visit = judged(world, policy, "team/app")
    made = list(again.made_before(visit))
    assert {one.change_id for one in made} == {one.change_id for one in first}
    assert world.journal.done == {one.change_id for one in first}
    other = Repairer(policy=policy, place=HERE, run="other", ports=world)
    assert list(other.made_before(visit)) == []


@given(st.integers(0, 40))
def test_a_run_that_is_interrupted_anywhere_goes_on_where_it_stopped(number):
    world = World()
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest")
    policy = sweep_policy(MUTABILITY, LIFECYCLE, QUARANTINE)
    planned = to_apply(world, policy, "team/app")
    counter = {"left": number}

    def failing(call):
        def called(*arguments, **named):
            if counter["left"] == 0:
                counter["left"] = -1
                raise FaultError
            counter["left"] -= 1
            return call(*arguments, **named)

        return called

    ports = type("Ports", (), {"now": world.now, "pause": world.pause, "locks": world.locks})()
    for name in ("settings", "registry", "journal", "usage", "repositories"):
        setattr(ports, name, _Failing(getattr(world, name), failing))
    with contextlib.suppress(FaultError):
        list(Repairer(policy=policy, place=HERE, run=RUN, ports=ports).repair("team/app", planned))
    repair(world, policy)
    made = list(repairer(world, policy).made_before(judged(world, policy, "team/app")))
    assert to_apply(world, policy, "team/app") == []
    assert len(made) == 3
    assert world.journal.done == world.journal.entries.keys()
    assert world.registry.tags_of("team/app", digest(1)) == ["quarantine-000000000000-latest"]


class _Failing:
    """A port whose calls fail when it is their turn."""

    def __init__(self, port, failing):
        self._port = port
        self._failing = failing

    def __getattr__(self, name):
        found = getattr(self._port, name)
        return self._failing(found) if callable(found) else found


def test_a_runs_event_id_tells_registries_apart_and_names_the_run():
    event_id = event_id_of(RUN, HERE)
    assert (event_id, run_of(event_id)) == ("sweep-1 123456789012/eu-west-1", RUN)
    assert run_of("undo 0123456789abcdef") is None
    assert run_of("7bf73129-1428-4cd3-a780-95db273d1602") is None


def test_modes_and_standings_decide_what_is_to_apply(world):
    world.add("team/app")
    (judgement,) = judged(world, sweep_policy(MUTABILITY), "team/app").judgements
    assert judgement.is_to_apply
    assert not replace(judgement, mode=Mode.AUDIT).is_to_apply
    assert not replace(judgement, standing=Standing.KEPT).is_to_apply


BACKFILL = "replicate_to: {destinations: [us-east-1], backfill: true}"


def test_a_backfill_that_a_killed_try_left_out_is_started_by_the_next(world):
    world.add("team/app")
    policy = sweep_policy(BACKFILL)
    documents = of_registry(world, policy)

    def killed(_destination):
        raise KilledError

    start_backfill, world.settings.start_backfill = world.settings.start_backfill, killed
    with pytest.raises(KilledError):
        repair(world, policy, REGISTRY, documents)
    world.settings.start_backfill = start_backfill
    visit = judged(world, policy, "team/app")
    (made,) = repairer(world, policy).made_before(visit)
    assert world.settings.registry.backfills == [RegistryDestination("us-east-1", "123456789012")]
    assert (made.status, "started" in made.said) == (RepairStatus.CHANGED, True)
    assert world.journal.done == {made.change_id}
    list(repairer(world, policy).made_before(visit))
    assert len(world.settings.registry.backfills) == 1


def test_a_backfill_that_fails_at_the_next_try_too_is_a_failure_and_stays_open(world):
    world.add("team/app")
    policy = sweep_policy(BACKFILL)
    world.settings.registry.failing = {"start_backfill"}
    (failed,) = repair(world, policy, REGISTRY, of_registry(world, policy))
    (again,) = repairer(world, policy).made_before(judged(world, policy, "team/app"))
    assert (failed.status, again.status) == (RepairStatus.FAILED, RepairStatus.FAILED)
    assert (again.change_id, world.journal.done) == (failed.change_id, set())


def test_what_somebody_took_back_during_the_run_stays_and_is_not_called_changed(world):
    settings = world.add("team/app")
    policy = sweep_policy(MUTABILITY)
    repair(world, policy)
    settings.repository = replace(settings.repository, mutability=Mutability("MUTABLE"))
    (left,) = repair(world, policy)
    assert (left.status, "plan again" in left.said, left.change_id) == (RepairStatus.SKIPPED, True, None)
    assert settings.repository.mutability == Mutability("MUTABLE")


def test_another_batch_that_writes_a_registrys_document_is_waited_for_longer_than_an_event_would(world):
    world.add("team/app")
    policy = sweep_policy(REPLICATION)
    documents = of_registry(world, policy)
    world.locks.held[f"{HERE}/replicate_to"] = "another batch"
    pauses = []
    world.pause = pauses.append
    (failed,) = repair(world, policy, REGISTRY, documents)
    assert (failed.status, sum(pauses)) == (RepairStatus.FAILED, 60)
