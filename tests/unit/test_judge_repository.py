"""What a sweep says of a repository: each section, each tag, what it could not look at, and at what cost."""

import pytest
from tests.fakes import NOW
from tests.sweep_world import HERE, World, digest, judged, sweep_policy

from ecr_warden.domain.policy import Mode
from ecr_warden.domain.settings.current import Mutability, Repository
from ecr_warden.domain.settings.native import REGISTRY
from ecr_warden.domain.sweep.judgements import Standing
from ecr_warden.errors import CredentialsError, RefusedError
from ecr_warden.use_cases.sweep.in_order import in_order
from ecr_warden.use_cases.sweep.ports import Scope
from ecr_warden.use_cases.sweep.visit_place import visit_place

MUTABILITY = "tag_mutability: {immutable: true}"
LIFECYCLE = "lifecycle: {keep_last: 30}"
SCANNING = "scanning: {frequency: scan_on_push}"
TAGS = "tags: {deny: [latest], on_violation: quarantine}"


@pytest.fixture
def world():
    return World()


def standings(visit):
    return {one.setting: one.standing for one in visit.judgements}


def test_a_bare_repository_differs_and_says_from_what_to_what_and_by_which_rule(world):
    world.add("team/app")
    visit = judged(world, sweep_policy(MUTABILITY, LIFECYCLE), "team/app")
    mutability, lifecycle = visit.judgements
    assert (mutability.standing, mutability.section) == (Standing.DIFFERS, "tag_mutability")
    assert (mutability.before, mutability.after) == ({"mode": "MUTABLE"}, {"mode": "IMMUTABLE"})
    assert mutability.what == "tag mutability MUTABLE → IMMUTABLE"
    assert (mutability.rule.file, mutability.rule.line, mutability.rule.match) == ("policy.yaml", 6, ("**",))
    assert lifecycle.before is None
    assert lifecycle.is_to_apply
    assert visit.problem == ""


def test_a_compliant_repository_costs_one_call_and_says_that_it_is(world):
    policy = sweep_policy(MUTABILITY, LIFECYCLE)
    world.add("team/app", mutability=Mutability("IMMUTABLE"))
    world.settings.each["team/app"].lifecycle = dict(judged(world, policy, "team/app").judgements[1].after)
    world.settings.calls.clear()
    visit = judged(world, policy, "team/app")
    assert standings(visit) == {"tag_mutability": Standing.COMPLIANT, "lifecycle": Standing.COMPLIANT}
    assert dict(world.settings.calls) == {"lifecycle_policy": 1}
    assert world.calls["images"] == 0


def test_what_somebody_chose_is_kept(world):
    world.add("team/app", mutability=Mutability("IMMUTABLE_WITH_EXCLUSION", ("dev-*",)))
    (kept,) = judged(world, sweep_policy(MUTABILITY, override=False), "team/app").judgements
    assert (kept.standing, kept.is_to_apply) == (Standing.KEPT, False)
    assert "somebody set its tag mutability" in kept.what


def test_audit_is_judged_and_not_to_be_applied(world):
    world.add("team/app")
    (judgement,) = judged(world, sweep_policy(MUTABILITY, mode="audit"), "team/app").judgements
    assert (judgement.standing, judgement.mode) == (Standing.DIFFERS, Mode.AUDIT)
    assert not judgement.is_to_apply


def test_an_exempt_repository_is_said_to_be(world):
    world.add("team/app", tags={"ecr-warden:exempt": "tag_mutability", "team": "payments"})
    visit = judged(world, sweep_policy(MUTABILITY, LIFECYCLE), "team/app")
    assert standings(visit) == {"tag_mutability": Standing.EXEMPT, "lifecycle": Standing.DIFFERS}
    assert visit.owner == "payments"


def test_what_is_kept_is_said_to_be_exempt_where_the_tags_are_known_and_costs_no_call_elsewhere(world):
    own = Mutability("IMMUTABLE_WITH_EXCLUSION", ("dev-*",))
    tags = {"ecr-warden:exempt": "tag_mutability"}
    world.add("team/app", mutability=own, tags=tags)
    policy = sweep_policy(MUTABILITY, override=False)
    assert standings(judged(world, policy, "team/app")) == {"tag_mutability": Standing.KEPT}
    assert world.settings.calls["resource_tags"] == 0
    known = judged(world, policy, "team/app", resource_tags=tags)
    assert standings(known) == {"tag_mutability": Standing.EXEMPT}
    # Another section led to reading them.
    read = judged(world, sweep_policy(MUTABILITY, LIFECYCLE, override=False), "team/app")
    assert standings(read) == {"tag_mutability": Standing.EXEMPT, "lifecycle": Standing.DIFFERS}
    assert world.settings.calls["resource_tags"] == 1


def test_without_the_exemption_nothing_is_judged_that_would_be_changed(world):
    world.add("team/app").refused = {"resource_tags"}
    (judgement,) = judged(world, sweep_policy(MUTABILITY), "team/app").judgements
    assert judgement.standing is Standing.UNREAD
    assert "ecr-warden:exempt could not be read" in judgement.what


def test_a_section_that_cannot_be_read_does_not_keep_the_others_from_being_judged(world):
    world.add("team/app").refused = {"lifecycle_policy"}
    visit = judged(world, sweep_policy(MUTABILITY, LIFECYCLE), "team/app")
    assert standings(visit) == {"tag_mutability": Standing.DIFFERS, "lifecycle": Standing.UNREAD}
    assert "AccessDeniedException" in visit.judgements[1].what


def test_a_repository_that_is_gone_is_no_problem(world):
    world.add("team/app")
    repository = world.settings.each.pop("team/app").repository
    visits = list(
        visit_place(
            policy=sweep_policy(LIFECYCLE),
            place=HERE,
            ports=Listing(world, repository),
            scope=Scope(),
            now=NOW,
        )
    )
    assert [(one.repository.name, one.is_gone, one.problem) for one in visits] == [("team/app", True, "")]


class Listing:
    """Repositories that were listed a moment ago."""

    def __init__(self, world, *repositories):
        self.settings = world.settings
        self.repositories = self
        self.images = world.images
        self._listed = repositories

    def pages(self):
        yield self._listed


def test_expired_credentials_stop_the_look(world):
    world.add("team/app")
    world.images = lambda _name: (_ for _ in ()).throw(CredentialsError("expired"))
    with pytest.raises(CredentialsError, match="expired"):
        judged(world, sweep_policy(TAGS), "team/app")


def test_every_tag_that_breaks_a_rule_is_judged_as_a_push_of_it_would_be(world):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest", "1.0.0")
    world.registry.push("team/app", digest(2), "1.0.1")
    (judgement,) = judged(world, sweep_policy(TAGS), "team/app").judgements
    assert (judgement.image_tag, judgement.image_digest) == ("latest", digest(1))
    assert judgement.before == {"image_tag": "latest", "image_digest": digest(1)}
    assert judgement.after == {"image_tag": "quarantine-000000000000-latest", "image_digest": digest(1)}
    assert "denied by the pattern latest" in judgement.what


def test_a_rule_that_only_tells_leaves_it_to_a_person(world):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest")
    (judgement,) = judged(world, sweep_policy("tags: {deny: [latest]}"), "team/app").judgements
    assert (judgement.standing, judgement.is_to_apply) == (Standing.VIOLATION, False)


def test_tags_that_keep_the_rules_are_one_judgement(world):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "1.0.0", "1.0")
    (judgement,) = judged(world, sweep_policy(TAGS), "team/app").judgements
    assert (judgement.standing, judgement.setting) == (Standing.COMPLIANT, "tags")


def test_a_quarantine_tag_and_an_archived_image_are_left_alone(world):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "quarantine-000000000000-latest")
    assert standings(judged(world, sweep_policy(TAGS), "team/app")) == {"tags": Standing.COMPLIANT}


def test_an_exception_that_ended_counts_no_more(world):
    world.add("team/app")
    world.registry.push("team/app", digest(1), "latest")
    until = "exceptions:\n  - {{repository: team/app, tag: latest, until: 2026-11-{day}, reason: moving}}\n"
    ended, lasting = (sweep_policy(TAGS, more=until.format(day=day)) for day in (23, 24))
    assert standings(judged(world, ended, "team/app")) == {"tags": Standing.DIFFERS}
    assert standings(judged(world, lasting, "team/app")) == {"tags": Standing.COMPLIANT}


def test_what_the_registry_has_one_of_is_read_once_and_judged_alike_for_each_repository(world):
    for number in range(20):
        world.add(f"team/{number}")
    visits = list(
        visit_place(policy=sweep_policy(SCANNING), place=HERE, ports=world, scope=Scope(), now=NOW, threads=4)
    )
    assert [one.repository.name for one in visits] == [f"team/{number}" for number in range(20)]
    judgement = visits[0].judgements[0]
    assert all(visit.judgements == (judgement,) for visit in visits)
    assert (judgement.repository, judgement.setting) == (REGISTRY, "scanning")
    assert judgement.is_registry_wide
    assert judgement.of_registry
    assert world.settings.calls["scanning"] == 1


def test_a_registrys_document_that_cannot_be_read_is_asked_for_once(world):
    for number in range(5):
        world.add(f"team/{number}")
    world.settings.registry.refused = {"scanning"}
    visits = list(
        visit_place(policy=sweep_policy(SCANNING), place=HERE, ports=world, scope=Scope(), now=NOW, threads=2)
    )
    assert {one.standing for visit in visits for one in visit.judgements} == {Standing.UNREAD}
    assert world.settings.calls["scanning"] == 1


def test_scan_on_push_is_the_repositorys_own_beside_what_the_registry_has(world):
    world.add("a")
    world.add("b", scan_on_push=True)
    policy = sweep_policy("scanning: {frequency: scan_on_push, scan_on_push: true}")
    visits = list(visit_place(policy=policy, place=HERE, ports=world, scope=Scope(), now=NOW, threads=1))
    assert [standings(one) for one in visits] == [
        {"scanning": Standing.DIFFERS, "scan_on_push": Standing.DIFFERS},
        {"scanning": Standing.DIFFERS, "scan_on_push": Standing.COMPLIANT},
    ]


def test_the_scope_narrows_repositories_sections_and_modes(world):
    world.add("team/app")
    world.add("other/app")
    policy = sweep_policy(MUTABILITY, LIFECYCLE, mode="audit")
    scope = Scope(repositories=("team/*",), sections=frozenset({"lifecycle"}))
    (visit,) = visit_place(policy=policy, place=HERE, ports=world, scope=scope, now=NOW, threads=1)
    assert [one.section for one in visit.judgements] == ["lifecycle"]
    enforced = Scope(modes=frozenset({Mode.ENFORCE}))
    visits = visit_place(policy=policy, place=HERE, ports=world, scope=enforced, now=NOW, threads=1)
    assert all(not one.judgements for one in visits)


def test_resource_tags_are_read_for_all_at_once_where_each_needs_them(world):
    world.add("a", tags={"team": "payments"})
    world.add("b")
    policy = sweep_policy("resource_tags: {require: [team]}")
    visits = list(visit_place(policy=policy, place=HERE, ports=world, scope=Scope(), now=NOW, threads=1))
    assert [one.judgements[0].standing for one in visits] == [Standing.COMPLIANT, Standing.VIOLATION]
    assert [one.owner for one in visits] == ["payments", None]
    assert (world.calls["all resource tags"], world.settings.calls["resource_tags"]) == (1, 0)


def test_where_they_may_not_be_read_at_once_each_ones_are(world):
    world.add("a", tags={"team": "payments"})
    world.resource_tags = lambda: (_ for _ in ()).throw(RefusedError("tag:GetResources"))
    scope = Scope(with_owners=True)
    (visit,) = visit_place(
        policy=sweep_policy(MUTABILITY), place=HERE, ports=world, scope=scope, now=NOW, threads=1
    )
    assert visit.owner == "payments"


def test_images_are_listed_where_somebody_asks_for_them(world):
    world.add("a")
    world.registry.push("a", digest(1), "x")
    (visit,) = visit_place(
        policy=sweep_policy(MUTABILITY), place=HERE, ports=world, scope=Scope(with_images=True), now=NOW
    )
    assert [one.digest for one in visit.images] == [digest(1)]


def test_a_listing_that_breaks_off_gives_what_it_had_first(world):
    world.add("a")
    world.failing = RefusedError("denied")
    visits = visit_place(policy=sweep_policy(MUTABILITY), place=HERE, ports=world, scope=Scope(), now=NOW)
    assert next(visits).repository.name == "a"
    with pytest.raises(RefusedError, match="denied"):
        next(visits)


def test_once_somebody_asks_to_stop_no_other_repository_is_begun(world):
    for number in range(50):
        world.add(f"team/{number}")
    answers = iter([False] * 10 + [True] * 90)
    visits = visit_place(
        policy=sweep_policy(LIFECYCLE),
        place=HERE,
        ports=world,
        scope=Scope(),
        now=NOW,
        threads=1,
        is_stopped=lambda: next(answers),
    )
    assert len(list(visits)) == 10


def test_few_items_are_taken_before_the_first_result():
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # for this test alone

    taken = []
    source = (taken.append(number) or number for number in range(1000))
    with ThreadPoolExecutor(2) as pool:
        results = in_order(pool, lambda number: number * 2, source, ahead=8)
        assert next(results) == 0
        assert len(taken) <= 9
        assert list(results) == [number * 2 for number in range(1, 1000)]


def test_a_repository_without_a_rule_has_no_judgement(world):
    world.add("other/app")
    visit = judged(world, sweep_policy(MUTABILITY, match="'team/**'"), "other/app")
    assert (visit.judgements, visit.repository) == ((), Repository("other/app", created_at=NOW))
