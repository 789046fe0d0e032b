from dataclasses import replace

import pytest
from fakes import NOW, Counter, FakePorts, FaultError, Faulty

from ecr_warden.adapters.eventbridge import parse_image_action
from ecr_warden.domain.policy import Lifecycle, Mode, Policy, Rule, Severity, TagAction, TagRules
from ecr_warden.domain.tag_rules import Allowed, NotJudged, Violation
from ecr_warden.errors import RefusedError
from ecr_warden.use_cases.enforce_tag_rules import enforce_tag_rules
from ecr_warden.use_cases.tag_actions import MAX_JOURNALED_MANIFEST

OLD, NEW = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
QUARANTINE_TAG = "quarantine-abababababab-latest"
REPOSITORY = "team/app"


def policy(action, mode=Mode.ENFORCE, allow=()):
    rules = TagRules(line=5, deny=("latest",), allow=allow, on_violation=action, severity=Severity.HIGH)
    return Policy("policy.yaml", mode=mode, rules=(Rule(line=4, match=("**",), tags=rules),))


@pytest.fixture
def push(push_event):
    return parse_image_action(
        push_event(image_tag="latest", repository_name=REPOSITORY, image_digest=OLD) | {"id": "event-1"}
    )


@pytest.fixture
def ports():
    found = FakePorts()
    found.registry.push(REPOSITORY, OLD, "latest")
    return found


def enforce(push, ports, action=TagAction.QUARANTINE, **options):
    return enforce_tag_rules(push, policy=policy(action, **options), ports=ports)


@pytest.mark.parametrize(
    ("labels", "owner"),
    [
        ({"team": "payments", "owner": "mary"}, "payments"),
        ({"team": "", "owner": "mary"}, "mary"),
        ({"cost-center": "7"}, None),
    ],
)
@pytest.mark.parametrize("action", list(TagAction))
def test_the_outcome_says_whose_the_repository_is(push, ports, labels, owner, action):
    ports.registry.labels = labels
    assert enforce(push, ports, action).outcome.owner == owner


def test_the_owner_of_a_repository_that_is_gone_is_not_known(push):
    outcome = enforce(push, FakePorts()).outcome
    assert "does not exist any more" in outcome.reason
    assert outcome.owner is None


@pytest.mark.parametrize(
    ("lifecycle", "is_said"),
    [
        (Lifecycle(6, keep_last=3, quarantine_days=5), True),
        (Lifecycle(6, document="{}"), False),
        (None, False),
    ],
)
def test_it_is_said_when_a_lifecycle_deletes_what_is_quarantined(push, ports, lifecycle, is_said):
    judging = policy(TagAction.QUARANTINE)
    judging = replace(judging, rules=(replace(judging.rules[0], lifecycle=lifecycle),))
    outcome = enforce_tag_rules(push, policy=judging, ports=ports).outcome
    assert ("deletes it 5 days after its push" in outcome.next_step) is is_said
    assert ("remove its quarantine tag" in outcome.next_step) is is_said


def test_quarantine_keeps_the_digest_under_its_quarantine_tag_alone(push, ports):
    outcome = enforce(push, ports).outcome
    assert ports.registry.tags_of(REPOSITORY, OLD) == [QUARANTINE_TAG]
    assert outcome.changed is True
    assert (outcome.action, outcome.mode, outcome.severity) == ("quarantine", "enforce", "high")
    assert QUARANTINE_TAG in outcome.reason
    assert QUARANTINE_TAG in outcome.next_step


def test_a_quarantine_is_journaled_with_before_and_after_and_closed(push, ports):
    outcome = enforce(push, ports).outcome
    (change,) = ports.journal.entries.values()
    assert outcome.change_ids == (change.id,)
    assert change.id in ports.journal.done
    assert change.before == {"image_tag": "latest", "image_digest": OLD}
    assert change.after == {"image_tag": QUARANTINE_TAG, "image_digest": OLD}
    assert (change.section, change.repository, change.begun_at) == ("tags", REPOSITORY, NOW)
    assert (change.rule.file, change.rule.line) == ("policy.yaml", 5)


def test_the_images_other_tags_stay(push, ports):
    ports.registry.push(REPOSITORY, OLD, "v1.0.0", "stable")
    enforce(push, ports, allow=("semver",))
    assert {"stable", "v1.0.0"} <= set(ports.registry.tags_of(REPOSITORY, OLD))


def test_an_image_that_has_an_allowed_tag_is_kept_by_it_and_not_by_a_quarantine_tag(push, ports):
    # A lifecycle rule for quarantined images would delete it with its allowed tag.
    ports.registry.push(REPOSITORY, OLD, "v1.0.0", "stable")
    outcome = enforce(push, ports, allow=("semver",)).outcome
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["stable", "v1.0.0"]
    assert outcome.changed
    assert outcome.reason.endswith("The tag latest was taken from the image, which keeps v1.0.0.")
    assert outcome.next_step == "Use v1.0.0 in place of latest."
    assert ports.journal.done == set(outcome.change_ids)


class Moving:
    """A registry in which the allowed tag moves to another image before a quarantine tag is removed."""

    def __init__(self, registry, problem=None, failing=None):
        self._registry = registry
        self._problem = problem
        self._failing = failing

    def __getattr__(self, name):
        return getattr(self._registry, name)

    def remove_tag(self, repository_name, image_tag):
        if image_tag == QUARANTINE_TAG:
            self._registry.push(REPOSITORY, NEW, "v1.0.0")
        return self._registry.remove_tag(repository_name, image_tag)

    def add_tag(self, repository_name, manifest, image_tag):
        self._fail("add_tag")
        self._registry.add_tag(repository_name, manifest, image_tag)

    def find_manifest_by_digest(self, repository_name, image_digest):
        self._fail("find_manifest_by_digest")
        return self._registry.find_manifest_by_digest(repository_name, image_digest)

    def _fail(self, call):
        if self._failing == call and OLD not in self._registry.images[REPOSITORY]:
            raise self._problem


def test_an_image_that_loses_its_allowed_tag_in_that_moment_keeps_its_quarantine_tag(push, ports):
    ports.registry.push(REPOSITORY, OLD, "v1.0.0")
    registry, ports.registry = ports.registry, Moving(ports.registry)
    manifest = registry.images[REPOSITORY][OLD]
    outcome = enforce(push, ports, allow=("semver",)).outcome
    assert registry.images[REPOSITORY][OLD] == manifest
    assert registry.tags_of(REPOSITORY, OLD) == [QUARANTINE_TAG]
    assert registry.tags_of(REPOSITORY, NEW) == ["v1.0.0"]
    assert "In that moment another push had moved v1.0.0, so that it keeps" in outcome.reason
    assert QUARANTINE_TAG in outcome.next_step
    assert outcome.severity is Severity.HIGH


@pytest.mark.parametrize("problem", [FaultError("throttled"), RefusedError("no layers")])
@pytest.mark.parametrize("failing", ["add_tag", "find_manifest_by_digest"])
def test_an_image_that_is_lost_in_that_moment_is_a_critical_outcome(push, ports, problem, failing):
    ports.registry.push(REPOSITORY, OLD, "v1.0.0")
    ports.registry = Moving(ports.registry, problem, failing)
    outcome = enforce(push, ports, allow=("semver",)).outcome
    assert outcome.severity is Severity.CRITICAL
    assert f"could not be put back: {problem}." in outcome.reason
    assert outcome.next_step == f"See whether {OLD} is still there, and push it again now if not."


def test_an_image_that_is_deleted_in_the_meantime_loses_no_tag_to_the_next_of_that_name(push, ports):
    ports.registry.push(REPOSITORY, OLD, "v1.0.0")
    registry = ports.registry
    tags_of = registry.tags_of

    def and_then_deleted(repository_name, image_digest):
        tags = tags_of(repository_name, image_digest)
        if "latest" not in tags:
            registry.images[REPOSITORY].pop(OLD, None)
        return tags

    registry.tags_of = and_then_deleted
    assert enforce(push, ports, allow=("semver",)).outcome.changed
    assert registry.tags[REPOSITORY][QUARANTINE_TAG] == OLD


def test_an_image_whose_other_tags_are_denied_too_keeps_its_quarantine_tag(push, ports):
    ports.registry.push(REPOSITORY, OLD, "stable")
    enforce(push, ports, allow=("semver",))
    assert QUARANTINE_TAG in ports.registry.tags_of(REPOSITORY, OLD)


def test_the_quarantine_tag_that_is_not_needed_goes_by_the_next_delivery_where_the_first_died(push, ports):
    ports.registry.push(REPOSITORY, OLD, "v1.0.0")
    tags_of = ports.registry.tags_of

    def fail(*_arguments):
        raise FaultError("tags_of")

    ports.registry.tags_of = fail
    with pytest.raises(FaultError):
        enforce(push, ports, allow=("semver",))
    ports.registry.tags_of = tags_of
    enforce(push, ports, allow=("semver",))
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["v1.0.0"]


def test_twice_delivered_is_once_done_and_the_same_outcome(push, ports):
    first = enforce(push, ports).outcome
    second = enforce(push, ports).outcome
    assert second == first
    assert len(ports.journal.entries) == 1


@pytest.mark.parametrize("action", [TagAction.QUARANTINE, TagAction.DELETE])
def test_a_tag_that_a_person_put_back_is_not_taken_again_by_a_late_delivery(push, ports, action):
    enforce(push, ports, action)
    ports.registry.push(REPOSITORY, OLD, "latest")
    outcome = enforce(push, ports, action).outcome
    assert "latest" in ports.registry.tags_of(REPOSITORY, OLD)
    assert outcome.id == ports.publisher.outcomes[0].id


@pytest.mark.parametrize("action", [TagAction.QUARANTINE, TagAction.DELETE])
def test_a_tag_that_has_moved_since_the_event_is_left_to_its_own_event(push, ports, action):
    ports.registry.push(REPOSITORY, NEW, "latest")
    outcome = enforce(push, ports, action).outcome
    assert ports.registry.tags_of(REPOSITORY, NEW) == ["latest"]
    assert OLD in ports.registry.images[REPOSITORY]
    assert outcome.changed is False
    assert NEW in outcome.reason
    assert outcome.severity is Severity.INFO
    assert ports.journal.entries == {}


@pytest.mark.parametrize("action", [TagAction.QUARANTINE, TagAction.DELETE])
def test_a_tag_that_is_gone_is_said_to_be_gone(push, ports, action):
    del ports.registry.tags[REPOSITORY]["latest"]
    outcome = enforce(push, ports, action).outcome
    assert outcome.changed is False
    assert "no image has it any more" in outcome.reason


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.AUDIT])
def test_a_repository_that_is_gone_is_said_to_be_gone(push, mode):
    ports = FakePorts()
    outcome = enforce(push, ports, mode=mode).outcome
    assert outcome.changed is False
    assert "does not exist any more" in outcome.reason
    assert ports.publisher.outcomes == [outcome]


@pytest.mark.parametrize(
    ("action", "mode", "said"),
    [
        (TagAction.NOTIFY, Mode.ENFORCE, "asks only to tell you"),
        (TagAction.NOTIFY, Mode.AUDIT, "asks only to tell you"),
        (TagAction.QUARANTINE, Mode.AUDIT, "in enforce mode it would quarantine"),
        (TagAction.DELETE, Mode.AUDIT, "in enforce mode it would delete"),
    ],
)
def test_notify_and_audit_change_nothing_and_tell(push, ports, action, mode, said):
    outcome = enforce(push, ports, action, mode=mode).outcome
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest"]
    assert ports.journal.entries == {}
    assert outcome.changed is False
    assert said in outcome.reason
    assert ports.publisher.outcomes == [outcome]


@pytest.mark.parametrize("sections", ["tags", "lifecycle tags", "all"])
def test_an_exempt_repository_is_left_alone_and_nobody_is_told(push, ports, sections):
    ports.registry.labels = {"ecr-warden:exempt": sections}
    handled = enforce(push, ports)
    assert isinstance(handled.decision, Allowed)
    assert handled.outcome is None
    assert "ecr-warden:exempt" in handled.reason
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest"]
    assert ports.publisher.outcomes == []


def test_a_repository_that_is_exempt_from_something_else_is_not_exempt(push, ports):
    ports.registry.labels = {"ecr-warden:exempt": "lifecycle", "team": "all"}
    assert enforce(push, ports).outcome.changed is True


def test_what_ecr_refuses_is_told_with_its_reason_and_not_journaled(push, ports):
    ports.registry.immutable = True
    ports.registry.push(REPOSITORY, NEW, QUARANTINE_TAG)
    outcome = enforce(push, ports).outcome
    assert outcome.changed is False
    assert "is immutable" in outcome.reason
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest"]
    assert ports.journal.entries == {}


def test_delete_takes_the_tag_and_the_image_and_keeps_its_manifest_in_the_journal(push, ports):
    outcome = enforce(push, ports, TagAction.DELETE).outcome
    assert ports.registry.images[REPOSITORY] == {}
    (change,) = ports.journal.entries.values()
    assert change.before["manifest"] == f"manifest of {OLD}"
    assert change.before["manifest_media_type"] == "type"
    assert change.after is None
    assert outcome.changed is True
    assert enforce(push, ports, TagAction.DELETE).outcome == outcome


def test_an_image_in_use_is_not_deleted_and_its_users_are_named(push, ports):
    ports.usage.users = ("ECS task arn:task",)
    outcome = enforce(push, ports, TagAction.DELETE).outcome
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest"]
    assert "ECS task arn:task" in outcome.reason
    assert outcome.changed is False


def test_an_index_is_not_deleted_where_one_of_its_platforms_images_is_in_use(push, ports):
    ports.registry.push(REPOSITORY, NEW, "amd64")
    ports.registry.push(REPOSITORY, OLD, "latest", children=[NEW])
    for user in (NEW, "amd64"):
        ports.usage.users_of = {user: "cluster arn:cluster"}
        outcome = enforce(push, ports, TagAction.DELETE).outcome
        assert "cluster arn:cluster" in outcome.reason
        assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest"]
    assert ports.usage.afresh == [True, True]


def test_an_index_whose_platforms_cannot_be_read_is_not_deleted(push, ports):
    ports.registry.push(REPOSITORY, OLD, "latest", children=[NEW])
    images = ports.registry.images[REPOSITORY]
    images[OLD] = replace(images[OLD], body="not JSON")
    assert "could not be found out" in enforce(push, ports, TagAction.DELETE).outcome.reason
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest"]


def test_the_child_of_an_index_is_not_deleted(push, ports):
    ports.registry.children = {OLD}
    outcome = enforce(push, ports, TagAction.DELETE).outcome
    assert ports.registry.tags_of(REPOSITORY, OLD) == ["latest"]
    assert "an image index refers to" in outcome.reason
    assert ports.journal.entries == {}


def test_an_image_whose_manifest_the_journal_cannot_hold_is_not_deleted(push, ports):
    manifest = ports.registry.images[REPOSITORY][OLD]
    ports.registry.images[REPOSITORY][OLD] = replace(manifest, body="x" * (MAX_JOURNALED_MANIFEST + 1))
    outcome = enforce(push, ports, TagAction.DELETE).outcome
    assert OLD in ports.registry.images[REPOSITORY]
    assert "too large for the journal" in outcome.reason


class Racing:
    """A registry in which another push moves the tag just before the n-th call of a method."""

    def __init__(self, registry, method, number, *other_tags):
        self._registry = registry
        self._race = (method, number)
        self._other_tags = other_tags
        self._calls = 0

    def __getattr__(self, name):
        if name == self._race[0]:
            self._calls += 1
            if self._calls == self._race[1]:
                self._registry.push(REPOSITORY, NEW, "latest", *self._other_tags)
        return getattr(self._registry, name)


def test_a_tag_that_moves_while_its_image_is_quarantined_stays_where_it_went(push, ports):
    registry = ports.registry
    ports.registry = Racing(registry, "find_manifest", 2)
    outcome = enforce(push, ports).outcome
    assert registry.tags_of(REPOSITORY, NEW) == ["latest"]
    assert registry.tags_of(REPOSITORY, OLD) == [QUARANTINE_TAG]
    assert outcome.changed is True


def test_a_tag_that_moves_while_the_users_are_looked_for_is_not_deleted(push, ports):
    registry = ports.registry
    ports.registry = Racing(registry, "find_manifest", 2)
    outcome = enforce(push, ports, TagAction.DELETE).outcome
    assert registry.tags_of(REPOSITORY, NEW) == ["latest"]
    assert OLD in registry.images[REPOSITORY]
    assert outcome.changed is False


def test_a_tag_that_moves_in_the_moment_of_its_removal_is_put_back(push, ports):
    registry = ports.registry
    ports.registry = Racing(registry, "remove_tag", 1, "v2.0.0")
    outcome = enforce(push, ports).outcome
    assert registry.tags_of(REPOSITORY, NEW) == ["latest", "v2.0.0"]
    assert registry.tags_of(REPOSITORY, OLD) == [QUARANTINE_TAG]
    assert "it was put back there" in outcome.reason


def test_a_tag_that_yet_another_push_took_is_left_there(push, ports):
    registry = ports.registry
    third = "sha256:" + "ef" * 32

    class Crowded(Racing):
        def find_manifest_by_digest(self, repository_name, image_digest):
            found = registry.find_manifest_by_digest(repository_name, image_digest)
            registry.push(REPOSITORY, third, "latest")
            registry.immutable = True
            return found

    ports.registry = Crowded(registry, "remove_tag", 1, "v2.0.0")
    outcome = enforce(push, ports).outcome
    assert registry.tags_of(REPOSITORY, third) == ["latest"]
    assert "by now elsewhere again" in outcome.reason
    assert outcome.change_ids[0] in ports.journal.done


def test_a_put_back_that_fails_is_told_as_critical_and_not_lost_by_a_retry(push, ports):
    class Throttled(Racing):
        def find_manifest_by_digest(self, _repository_name, _image_digest):
            raise FaultError("throttled")

    ports.registry = Throttled(ports.registry, "remove_tag", 1, "v2.0.0")
    outcome = enforce(push, ports).outcome
    assert outcome.severity is Severity.CRITICAL
    assert NEW in outcome.next_step
    assert "could not be put back" in outcome.reason


def test_a_begun_deletion_that_is_not_to_be_done_any_more_is_not_told_as_done_later(push, ports):
    found, _ = faulty(ports, fails_at=6)
    with pytest.raises(FaultError, match="remove_tag: before"):
        enforce(push, found, TagAction.DELETE)
    ports.usage.users = ("ECS task arn:task",)
    assert enforce(push, ports, TagAction.DELETE).outcome.changed is False
    ports.registry.remove_tag(REPOSITORY, "latest")
    assert enforce(push, ports, TagAction.DELETE).outcome.changed is False


def test_a_repeated_delivery_is_not_counted_again(push, ports):
    enforce(push, ports)
    enforce(push, ports)
    assert len(ports.metrics.counted) == 2


@pytest.mark.parametrize("mode", [Mode.AUDIT, Mode.ENFORCE])
def test_a_tag_that_is_gone_is_said_to_be_gone_where_nothing_would_be_done_either(push, ports, mode):
    del ports.registry.tags[REPOSITORY]["latest"]
    outcome = enforce(push, ports, TagAction.NOTIFY, mode=mode).outcome
    assert "no image has it any more" in outcome.reason
    assert outcome.severity is Severity.INFO


def test_an_image_lost_in_the_moment_of_a_removal_is_told_as_critical_with_what_to_do(push, ports):
    ports.registry = Racing(ports.registry, "remove_tag", 1)
    outcome = enforce(push, ports).outcome
    assert outcome.severity is Severity.CRITICAL
    assert f"Push {NEW} again now" in outcome.next_step


def test_a_push_that_breaks_no_rule_touches_no_port(push):
    handled = enforce_tag_rules(replace(push, image_tag="v1.0.0"), policy=policy("notify"), ports=None)
    assert isinstance(handled.decision, Allowed)
    assert handled.outcome is None


def test_a_new_action_type_is_passed_over_and_counted(push, ports):
    handled = enforce(replace(push, action_type="TELEPORT"), ports)
    assert isinstance(handled.decision, NotJudged)
    assert ports.metrics.counted == [("UnknownActionTypes", {})]
    assert ports.publisher.outcomes == []


def test_violations_and_actions_are_counted(push, ports):
    enforce(push, ports)
    assert ports.metrics.counted == [
        ("TagViolations", {"mode": "enforce"}),
        ("Actions", {"action": "quarantine"}),
    ]


def test_the_next_step_names_what_is_allowed(push, ports):
    handled = enforce(push, ports, TagAction.NOTIFY, allow=("semver", "release-*"))
    assert isinstance(handled.decision, Violation)
    assert "semver, release-*" in handled.outcome.next_step


CALLS = {TagAction.QUARANTINE: 9, TagAction.DELETE: 8, TagAction.NOTIFY: 3}


def faulty(ports, **options):
    counter = Counter(**options)
    found = FakePorts()
    for name in ("registry", "journal", "usage", "publisher"):
        setattr(found, name, Faulty(getattr(ports, name), counter))
    return found, counter


@pytest.mark.parametrize("action", CALLS)
def test_an_action_makes_as_many_calls_as_it_needs(push, ports, action):
    found, counter = faulty(ports)
    enforce(push, found, action)
    assert counter.calls == CALLS[action]


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize(
    ("action", "call"), [(action, n + 1) for action in CALLS for n in range(CALLS[action])]
)
def test_a_fault_at_any_call_and_another_delivery_end_as_if_there_had_been_none(
    push, ports, action, call, after_effect
):
    smooth = FakePorts()
    smooth.registry.push(REPOSITORY, OLD, "latest")
    expected = enforce(push, smooth, action).outcome
    found, _ = faulty(ports, fails_at=call, after_effect=after_effect)
    with pytest.raises(FaultError):
        enforce(push, found, action)
    outcome = enforce(push, ports, action).outcome
    assert outcome == expected
    assert ports.registry == smooth.registry
    assert ports.journal == smooth.journal
    assert {published.id for published in ports.publisher.outcomes} == {expected.id}


def test_what_an_interrupted_delivery_began_and_another_push_overtook_is_forgotten(push, ports):
    found, _ = faulty(ports, fails_at=4)
    with pytest.raises(FaultError, match="add_tag: before"):
        enforce(push, found)
    ports.registry.push(REPOSITORY, NEW, "latest")
    outcome = enforce(push, ports).outcome
    assert outcome.changed is False
    assert ports.journal.entries == {}
    assert ports.registry.tags_of(REPOSITORY, NEW) == ["latest"]
