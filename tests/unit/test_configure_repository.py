"""What a new repository gets, what is recorded and who hears of it, and what is left alone."""

import contextlib
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.fakes import Counter, FakeLocks, FakeSettings, FakeSettingsPorts, FaultError, Faulty

from ecr_warden.domain.events import RepositoryCreation
from ecr_warden.domain.outcomes import OutcomeKind, SettingStatus
from ecr_warden.domain.policy import Severity
from ecr_warden.domain.settings.current import (
    Mutability,
    RegistryDestination,
    ReplicationRule,
    Repository,
)
from ecr_warden.domain.settings.scanning import registry_scanning
from ecr_warden.errors import AwsError, RefusedError
from ecr_warden.use_cases.configure_repository import configure_repository
from ecr_warden_cli.policy.check import check_policy

CREATION = RepositoryCreation(
    event_id="event-1",
    event_time=datetime(2026, 11, 24, 3, 0, tzinfo=UTC),
    account="111111111111",
    region="us-east-1",
    repository_name="team/app",
    creator="Admin/mary",
    registry="111111111111",
    error_code=None,
)
BASICS = """
    tag_mutability: {immutable: true, except: ["cache-*"]}
    lifecycle: {keep_last: 30, expire_untagged_after_days: 7}
"""
ALL = (
    BASICS
    + """
    scanning: {type: enhanced, frequency: continuous, scan_on_push: true}
    replicate_to: {destinations: [eu-west-1], backfill: true}
    resource_tags: {set: {managed-by: ecr-warden, created-by: "{creator}"}, require: [team]}
    repository_policy: {Statement: [{Sid: Pull, Effect: Allow, Principal: "*", Action: "ecr:BatchGetImage"}]}
    encryption: {type: AES256}
"""
)
EVERY_CHANGE = {
    "tag_mutability",
    "lifecycle",
    "scanning",
    "scan_on_push",
    "replicate_to",
    "resource_tags",
    "repository_policy",
}


def policy(sections=BASICS, *, mode="enforce", override=False):
    text = (
        f"version: 1\nmode: {mode}\nrules:\n  - match: ['team/**']\n    override: {str(override).lower()}\n"
        f"{sections.strip(chr(10))}\n"
    )
    checked = check_policy(text, "policy.yaml")
    assert checked.policy is not None, checked.problems
    return checked.policy


def configure(ports, wanted=None, creation=CREATION, *, delivery=3):
    return configure_repository(creation, policy=wanted or policy(), ports=ports, delivery=delivery)


@pytest.fixture
def ports():
    return FakeSettingsPorts()


def puts(ports):
    return sorted(call.removeprefix("put ") for call in ports.settings.calls if call.startswith("put "))


def test_a_bare_repository_gets_what_the_policy_says_and_people_hear_of_it_once(ports):
    configured = configure(ports)
    assert ports.settings.repository.mutability == Mutability("IMMUTABLE_WITH_EXCLUSION", ("cache-*",))
    assert len(ports.settings.lifecycle["rules"]) == 3
    (outcome,) = ports.publisher.outcomes
    assert configured.outcome == outcome
    assert outcome.kind is OutcomeKind.REPOSITORY_CONFIGURED
    assert (outcome.repository, outcome.changed, outcome.severity) == ("team/app", True, Severity.INFO)
    assert outcome.image_digest is outcome.image_tag is None
    assert outcome.reason == (
        "Changed: tag mutability MUTABLE → IMMUTABLE_WITH_EXCLUSION (except cache-*); "
        "lifecycle policy none → 3 rules. Created by Admin/mary."
    )
    assert outcome.rule.line == 6
    assert [one.status for one in outcome.settings] == [SettingStatus.CHANGED] * 2


@pytest.mark.parametrize("wanted", [BASICS, ALL])
def test_the_outcome_says_whose_the_repository_is_and_reads_its_tags_once(ports, wanted):
    ports.settings.labels = {"team": "payments"}
    assert configure(ports, policy(wanted)).outcome.owner == "payments"
    assert ports.settings.calls.count("resource_tags") == 1


def test_the_owner_is_not_known_where_the_tags_cannot_be_read(ports):
    ports.settings.labels = {"team": "payments"}
    ports.settings.refused = {"resource_tags"}
    assert configure(ports).outcome.owner is None


def test_what_was_written_before_is_told_without_reading_tags_for_an_owner(ports):
    ports.settings.labels = {"team": "payments"}
    configure(ports)
    before = ports.settings.calls.count("resource_tags")
    assert configure(ports).outcome is not None
    assert ports.settings.calls.count("resource_tags") == before


def test_each_change_is_journaled_with_before_after_rule_and_creator(ports):
    outcome = configure(ports).outcome
    entries = {entry.section: entry for entry in ports.journal.entries.values()}
    assert entries["tag_mutability"].before == {"mode": "MUTABLE"}
    assert entries["tag_mutability"].after == {"mode": "IMMUTABLE_WITH_EXCLUSION", "except": ["cache-*"]}
    assert entries["lifecycle"].before is None
    assert entries["lifecycle"].after == ports.settings.lifecycle
    assert {entry.created_by for entry in entries.values()} == {"Admin/mary"}
    assert {entry.rule.line for entry in entries.values()} == {6, 7}
    assert set(outcome.change_ids) == ports.journal.done == {entry.id for entry in entries.values()}


def test_every_section_is_set_at_once(ports):
    ports.settings.labels = {"team": "payments"}
    outcome = configure(ports, policy(ALL)).outcome
    assert set(puts(ports)) == EVERY_CHANGE
    # What is the whole registry's is read once more, when nobody else can write it.
    assert ports.settings.calls.count("replication") == ports.settings.calls.count("scanning") == 2
    assert len(ports.settings.calls) == len(set(ports.settings.calls)) + 2
    assert ports.settings.labels == {
        "team": "payments",
        "managed-by": "ecr-warden",
        "created-by": "Admin/mary",
    }
    assert ports.settings.backfills == [RegistryDestination("eu-west-1", "111111111111")]
    assert outcome.kind is OutcomeKind.REPOSITORY_CONFIGURED
    assert "backfill to 111111111111/eu-west-1 started" in outcome.reason


def test_a_compliant_repository_costs_reads_only_and_nobody_hears(ports):
    ports.settings.labels = {"team": "payments"}
    configure(ports, policy(ALL))
    ports.settings.calls.clear()
    other = replace(CREATION, event_id="event-2")
    configured = configure(ports, policy(ALL), other)
    assert configured.decision == "Compliant"
    assert sorted(ports.settings.calls) == [
        "describe",
        "lifecycle_policy",
        "replication",
        "repository_policy",
        "resource_tags",
        "scanning",
    ]
    assert len(ports.publisher.outcomes) == 1
    assert len(ports.journal.entries) == len(EVERY_CHANGE)


def test_a_compliant_repository_is_not_asked_for_its_tags_where_no_rule_needs_them(ports):
    configure(ports)
    ports.settings.calls.clear()
    configure(ports, creation=replace(CREATION, event_id="event-2"))
    assert sorted(ports.settings.calls) == ["describe", "lifecycle_policy"]


def test_a_bare_repository_costs_one_describe_a_read_for_each_fact_and_a_write_for_each_difference(ports):
    configure(ports)
    assert sorted(ports.settings.calls) == [
        "describe",
        "lifecycle_policy",
        "put lifecycle",
        "put tag_mutability",
        # Its owner may have exempted it.
        "resource_tags",
    ]


def test_what_somebody_chose_stays(ports):
    chosen = {"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any"}, "action": {"type": "expire"}}]}
    ports.settings.lifecycle = chosen
    ports.settings.repository = Repository("team/app", Mutability("IMMUTABLE"))
    configured = configure(ports)
    assert puts(ports) == []
    assert ports.settings.lifecycle == chosen
    assert ports.publisher.outcomes == []
    assert "keeps what somebody chose" in configured.reason


def test_override_replaces_what_somebody_chose_and_the_journal_has_it(ports):
    ports.settings.repository = Repository("team/app", Mutability("IMMUTABLE"))
    configure(ports, policy(override=True))
    assert ports.settings.repository.mutability.mode == "IMMUTABLE_WITH_EXCLUSION"
    before = [e.before for e in ports.journal.entries.values() if e.section == "tag_mutability"]
    assert before == [{"mode": "IMMUTABLE"}]


def test_what_is_kept_is_said_beside_what_is_changed(ports):
    ports.settings.repository = Repository("team/app", Mutability("IMMUTABLE"))
    outcome = configure(ports).outcome
    assert "Left as it is: somebody set its tag mutability to IMMUTABLE." in outcome.reason
    assert {one.section: one.status for one in outcome.settings} == {
        "tag_mutability": SettingStatus.KEPT,
        "lifecycle": SettingStatus.CHANGED,
    }


def test_in_audit_mode_nothing_is_changed_and_it_is_said_what_would_be(ports):
    outcome = configure(ports, policy(mode="audit")).outcome
    assert puts(ports) == []
    assert ports.journal.entries == {}
    assert (outcome.changed, outcome.mode, outcome.decision) == (False, "audit", "would_configure")
    assert outcome.reason.startswith("Nothing was changed, as the rule is in audit mode; in enforce mode: ")


@pytest.mark.parametrize("exempt", ["lifecycle", "all", "tags lifecycle"])
def test_a_repository_may_opt_out_of_a_section(ports, exempt):
    ports.settings.labels = {"ecr-warden:exempt": exempt}
    configure(ports)
    assert puts(ports) == ([] if exempt == "all" else ["tag_mutability"])


def test_a_call_that_failed_and_a_repository_of_another_registry_are_not_ours(ports):
    for creation in (
        replace(CREATION, error_code="AccessDenied"),
        replace(CREATION, registry="999999999999"),
        replace(CREATION, repository_name="other/app"),
    ):
        assert configure(ports, creation=creation).decision == "NotJudged"
    assert ports.settings.calls == ports.publisher.outcomes == []


def test_a_repository_that_was_deleted_within_the_delay_is_done_and_said(ports):
    ports.settings.repository = None
    configured = configure(ports, policy(ALL))
    assert (configured.decision, configured.failures) == ("Gone", ())
    assert "team/app does not exist any more" in configured.reason
    assert puts(ports) == []


@pytest.mark.parametrize("failing", ["refused", "failing"])
def test_a_setting_that_fails_does_not_stop_the_others_and_is_said(ports, failing):
    setattr(ports.settings, failing, {"put lifecycle"})
    configured = configure(ports)
    assert ports.settings.repository.mutability.mode == "IMMUTABLE_WITH_EXCLUSION"
    (outcome,) = ports.publisher.outcomes
    assert (outcome.kind, outcome.severity) == (OutcomeKind.REPOSITORY_INCOMPLETE, Severity.HIGH)
    assert outcome.changed
    assert outcome.reason.startswith("Failed: lifecycle policy none → 3 rules: put lifecycle: ")
    assert "Changed: tag mutability" in outcome.reason
    assert len(configured.failures) == 1
    assert [one.status for one in outcome.settings if one.section == "lifecycle"] == [SettingStatus.FAILED]


def test_the_next_delivery_is_for_what_failed_alone_and_tells_that_it_is_whole(ports):
    ports.settings.refused = {"put lifecycle"}
    first = configure(ports).outcome
    ports.settings.refused.clear()
    ports.settings.calls.clear()
    configured = configure(ports)
    assert puts(ports) == ["lifecycle"]
    assert configured.failures == ()
    assert configured.outcome.kind is OutcomeKind.REPOSITORY_CONFIGURED
    assert configured.outcome.id != first.id
    assert set(configured.outcome.change_ids) == ports.journal.done
    assert len(ports.journal.done) == 2


def test_settings_that_go_on_failing_are_told_once_and_fewer_of_them_again(ports):
    ports.settings.refused = {"put lifecycle", "put tag_mutability"}
    ids = [configure(ports, delivery=3 + at).outcome.id for at in range(2)]
    assert ids[0] == ids[1]
    ports.settings.refused = {"put lifecycle"}
    assert configure(ports).outcome.id != ids[0]


def test_a_fact_that_cannot_be_read_fails_its_section_alone(ports):
    ports.settings.refused = {"lifecycle_policy"}
    configured = configure(ports)
    assert puts(ports) == ["tag_mutability"]
    assert configured.failures == ("lifecycle could not be read: lifecycle_policy: AccessDeniedException",)


@pytest.mark.parametrize(("failing", "error"), [("refused", RefusedError), ("failing", AwsError)])
def test_a_repository_that_cannot_be_described_is_tried_again(ports, failing, error):
    setattr(ports.settings, failing, {"describe"})
    with pytest.raises(error):
        configure(ports)
    assert puts(ports) == ports.publisher.outcomes == []


def test_nothing_is_written_where_it_cannot_be_known_whether_the_repository_is_exempt(ports):
    ports.settings.failing = {"resource_tags"}
    configured = configure(ports)
    assert puts(ports) == []
    assert len(configured.failures) == 2
    assert "ecr-warden:exempt could not be read" in configured.failures[0]


def test_a_change_that_cannot_be_recorded_is_not_made(ports):
    def begin(_change):
        raise AwsError("DynamoDB is down")

    ports.journal.begin = begin
    configured = configure(ports)
    assert puts(ports) == []
    assert len(configured.failures) == 2


def test_a_required_tag_that_is_missing_is_told_with_who_created_the_repository(ports):
    outcome = configure(ports, policy("    resource_tags: {require: [team, cost]}")).outcome
    assert (outcome.kind, outcome.severity) == (OutcomeKind.REPOSITORY_INCOMPLETE, Severity.MEDIUM)
    assert "lacks the resource tags team, cost" in outcome.reason
    assert outcome.reason.endswith("Created by Admin/mary.")
    assert outcome.next_step == (
        "Ask Admin/mary to tag it, with values of their own: `aws ecr tag-resource --region us-east-1 "
        "--resource-arn arn:aws:ecr:us-east-1:111111111111:repository/team/app --tags Key=team,Value=TEAM "
        "Key=cost,Value=COST`."
    )
    assert outcome.created_by == "Admin/mary"
    assert not outcome.changed


def test_wrong_encryption_is_told_and_the_rest_is_set(ports):
    outcome = configure(ports, policy(BASICS + "    encryption: {type: KMS}")).outcome
    assert outcome.kind is OutcomeKind.REPOSITORY_INCOMPLETE
    assert "encrypted with AES256, and the policy wants KMS" in outcome.reason
    assert puts(ports) == ["lifecycle", "tag_mutability"]
    assert outcome.changed


def test_replication_rules_of_others_are_put_back_as_they_were(ports):
    theirs = ReplicationRule(
        (RegistryDestination("ap-south-1", "222222222222"),), ("legacy/",), delete_replication=True
    )
    ports.settings.rules = (theirs,)
    configure(ports, policy("    replicate_to: [eu-west-1]"))
    assert ports.settings.rules == (
        theirs,
        ReplicationRule((RegistryDestination("eu-west-1", "111111111111"),), ("team/",)),
    )


class Interleaved(FakeSettings):
    """A registry in which both creations have read the replication before either of them writes it."""

    both_have_read = threading.Barrier(2, timeout=10)

    def replication(self):
        rules = super().replication()
        if self.calls.count("replication") <= 2:
            self.both_have_read.wait()
        return rules


def test_two_creations_at_once_lose_none_of_one_anothers_filters():
    theirs = ReplicationRule((RegistryDestination("ap-south-1", "222222222222"),), ("legacy/",))
    registry = Interleaved(rules=(theirs,))
    registry.put = lambda setting, _name, value: FakeSettings.put(registry, setting, "team/app", value)
    checked = check_policy(
        """version: 1
mode: enforce
rules:
  - {match: ["one/**"], except: ["one/x/**"], replicate_to: [eu-west-1]}
  - {match: ["two/**"], except: ["two/x/**"], replicate_to: [eu-central-1]}
""",
        "policy.yaml",
    )
    outcomes, locks = [], FakeLocks()

    def create(name):
        creation = replace(CREATION, event_id=name, repository_name=f"{name}/app")
        ports = FakeSettingsPorts(registry, locks=locks)
        outcomes.append(configure(ports, checked.policy, creation).decision)

    threads = [threading.Thread(target=create, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["configured", "configured"]
    assert registry.rules[0] == theirs
    assert {(rule.prefixes, rule.destinations[0].region) for rule in registry.rules[1:]} == {
        (("one/a",), "eu-west-1"),
        (("two/a",), "eu-central-1"),
    }


def test_while_another_writer_has_the_registry_the_setting_is_left_for_the_next_delivery(ports):
    ports.locks.held["111111111111/us-east-1/replicate_to"] = "somebody"
    wanted = policy(BASICS + "    replicate_to: [eu-west-1]")
    configured = configure(ports, wanted)
    assert len(configured.failures) == 1
    assert "another writer has been changing 111111111111/us-east-1/replicate_to" in configured.failures[0]
    assert sum(ports.pauses) == 10
    assert puts(ports) == ["lifecycle", "tag_mutability"]
    ports.locks.held.clear()
    assert configure(ports, wanted).failures == ()
    assert ports.locks.held == {}


def test_a_backfill_that_is_under_way_already_is_no_failure_and_is_said(ports):
    ports.settings.busy = {"eu-west-1"}
    configured = configure(ports, policy("    replicate_to: {destinations: [eu-west-1], backfill: true}"))
    assert configured.failures == ()
    assert "is under way already: once it has ended, start another by" in configured.outcome.reason


def test_a_backfill_that_failed_is_started_by_the_next_delivery(ports):
    wanted = policy("    replicate_to: {destinations: [eu-west-1], backfill: true}")
    ports.settings.failing = {"start_backfill"}
    assert configure(ports, wanted).failures
    ports.settings.failing.clear()
    assert configure(ports, wanted).failures == ()
    assert ports.settings.backfills == [RegistryDestination("eu-west-1", "111111111111")]


def test_a_setting_that_somebody_changed_after_it_was_done_is_not_set_again_by_the_same_event(ports):
    configure(ports)
    ports.settings.repository = Repository("team/app")
    configured = configure(ports)
    assert ports.settings.repository.mutability == Mutability()
    # Its outcome may never have been told: the id is the same as the first one's.
    assert configured.outcome.id == ports.publisher.outcomes[0].id
    assert "tag_mutability was set for this event before, and is otherwise by now: it stays" in (
        configured.outcome.reason
    )


def test_what_an_earlier_delivery_did_and_could_not_tell_is_told_whatever_the_queue_counts(ports):
    publish = ports.publisher.publish

    def fail(_outcome):
        raise AwsError("EventBridge is down")

    ports.publisher.publish = fail
    with pytest.raises(AwsError):
        configure(ports)
    ports.publisher.publish = publish
    # A message that is moved back from the dead letters counts from one again.
    outcome = configure(ports, delivery=1).outcome
    assert set(outcome.change_ids) == ports.journal.done
    assert len(outcome.change_ids) == 2


def test_the_journal_has_what_was_there_just_before_the_write_that_was_made(ports):
    ports.settings.failing = {"put lifecycle"}
    configure(ports)
    chosen = {"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any"}, "action": {"type": "expire"}}]}
    ports.settings.failing.clear()
    ports.settings.lifecycle = chosen
    configure(ports, policy(override=True))
    (entry,) = [entry for entry in ports.journal.entries.values() if entry.section == "lifecycle"]
    assert entry.before == chosen


def test_what_may_heal_by_itself_is_told_from_the_third_delivery_on(ports):
    ports.settings.failing = {"put lifecycle"}
    for delivery in (1, 2):
        configured = configure(ports, delivery=delivery)
        assert (configured.decision, configured.may_heal) == ("Retried", True)
        assert configured.failures
    assert ports.publisher.outcomes == []
    configure(ports, delivery=3)
    assert len(ports.publisher.outcomes) == 1


def test_what_ecr_refuses_is_told_at_once_and_does_not_heal(ports):
    ports.settings.refused = {"put lifecycle"}
    configured = configure(ports, delivery=1)
    assert configured.may_heal is False
    assert ports.publisher.outcomes[0].kind is OutcomeKind.REPOSITORY_INCOMPLETE


def test_a_limit_that_another_writer_reached_meanwhile_is_told(ports):
    others = tuple(
        ReplicationRule((RegistryDestination("ap-south-1", "222222222222"),), (f"team-{number}/",))
        for number in range(10)
    )
    acquire = ports.locks.acquire

    def acquire_after_another_writer(name, holder):
        ports.settings.rules = others
        return acquire(name, holder)

    ports.locks.acquire = acquire_after_another_writer
    outcome = configure(ports, policy("    replicate_to: [eu-west-1]")).outcome
    assert ports.settings.rules == others
    assert outcome.kind is OutcomeKind.REPOSITORY_INCOMPLETE
    assert "11 rules, and ECR takes 10" in outcome.reason


def test_what_is_done_is_said_to_be_done_where_only_closing_it_fails(ports):
    def finish(_change_id):
        raise AwsError("DynamoDB is down")

    ports.journal.finish = finish
    outcome = configure(ports).outcome
    assert ports.settings.repository.mutability.mode == "IMMUTABLE_WITH_EXCLUSION"
    assert "this is done, and what was to follow failed: DynamoDB is down" in outcome.reason
    assert outcome.changed
    assert set(outcome.change_ids) == ports.journal.entries.keys()


def test_a_lock_that_cannot_be_given_back_ends_by_itself(ports):
    def release(_name, _holder):
        raise AwsError("DynamoDB is down")

    ports.locks.release = release
    configured = configure(ports, policy("    replicate_to: [eu-west-1]"))
    assert configured.failures == ()
    assert configured.outcome.kind is OutcomeKind.REPOSITORY_CONFIGURED


def test_the_registry_itself_gets_no_backfill(ports):
    wanted = policy("    replicate_to: {destinations: [us-east-1, eu-west-1], backfill: true}")
    ports.settings.failing = {"start_backfill"}
    configure(ports, wanted)
    ports.settings.failing.clear()
    configure(ports, wanted)
    assert ports.settings.backfills == [RegistryDestination("eu-west-1", "111111111111")]


def test_the_mode_is_that_of_the_rule_that_decides(ports):
    outcome = configure(ports, policy("    encryption: {type: KMS}", mode="audit")).outcome
    assert (outcome.mode, outcome.kind) == ("audit", OutcomeKind.REPOSITORY_INCOMPLETE)


def test_an_exempt_section_that_cannot_be_read_is_nobodys_business(ports):
    ports.settings.labels = {"ecr-warden:exempt": "lifecycle"}
    ports.settings.refused = {"lifecycle_policy"}
    configured = configure(ports)
    assert configured.failures == ()
    assert puts(ports) == ["tag_mutability"]


def test_tags_that_were_refused_are_not_asked_for_again(ports):
    ports.settings.refused = {"resource_tags"}
    configured = configure(ports, policy(ALL))
    assert ports.settings.calls.count("resource_tags") == 1
    assert puts(ports) == []
    assert len(configured.failures) > 2


def count_calls():
    counter = Counter()
    ports = faulty(FakeSettingsPorts(FakeSettings(labels={"team": "a"})), counter)
    configure(ports, policy(ALL))
    return counter.calls


def faulty(ports, counter):
    return FakeSettingsPorts(
        settings=Faulty(ports.settings, counter),
        journal=Faulty(ports.journal, counter),
        publisher=Faulty(ports.publisher, counter),
        locks=Faulty(ports.locks, counter),
        metrics=ports.metrics,
    )


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("fails_at", range(1, count_calls() + 1))
def test_a_fault_at_any_call_leaves_the_same_end_once_the_event_is_delivered_again(fails_at, after_effect):
    inner = FakeSettingsPorts(FakeSettings(labels={"team": "a"}))
    ports = faulty(inner, Counter(fails_at=fails_at, after_effect=after_effect))
    with contextlib.suppress(FaultError):
        configure(ports, policy(ALL))
    configured = configure(ports, policy(ALL))
    assert configured.failures == ()
    clean = FakeSettingsPorts(FakeSettings(labels={"team": "a"}))
    configure(clean, policy(ALL))
    for name in ("repository", "lifecycle", "policy", "labels", "rules", "registry_scanning"):
        assert getattr(inner.settings, name) == getattr(clean.settings, name), name
    assert inner.journal.done == clean.journal.done
    assert {change: entry.before for change, entry in inner.journal.entries.items()} == {
        change: entry.before for change, entry in clean.journal.entries.items()
    }
    # People hear once that it is whole: by the id.
    whole = {one.id for one in inner.publisher.outcomes if one.kind is OutcomeKind.REPOSITORY_CONFIGURED}
    assert whole == {clean.publisher.outcomes[0].id}
    assert RegistryDestination("eu-west-1", "111111111111") in inner.settings.backfills


AUDITED = """version: 1
rules:
  - {match: ["team/**"], mode: %s, replicate_to: [eu-west-1], scanning: {frequency: scan_on_push}}
  - {match: ["prod/**"], mode: enforce, replicate_to: [eu-central-1], scanning: {frequency: scan_on_push}}
"""


def test_an_audited_rule_tells_what_it_would_change_of_the_registry_and_nothing_of_other_rules(ports):
    checked = check_policy(AUDITED % "audit", "policy.yaml")
    outcome = configure(ports, checked.policy).outcome
    assert puts(ports) == []
    assert outcome.mode == "audit"
    assert outcome.reason.startswith(
        "Nothing was changed, as the rule is in audit mode; in enforce mode: scanning of the registry: "
        "team/* at SCAN_ON_PUSH added; replication of the registry: team/ to 111111111111/eu-west-1 added."
    )


def test_an_enforced_rule_writes_what_all_enforced_rules_want(ports):
    configure(ports, check_policy(AUDITED % "enforce", "policy.yaml").policy)
    assert {rule.prefixes for rule in ports.settings.rules} == {("prod/",), ("team/",)}
    assert ports.settings.registry_scanning.rules[0].filters == ("prod/*", "team/*")


def test_continuous_scanning_asks_for_the_type_that_has_it(ports):
    configure(ports, policy("    scanning: {frequency: continuous}"))
    assert ports.settings.registry_scanning.type == "ENHANCED"


def test_a_registry_whose_scanning_somebody_chose_is_told_and_left(ports):
    ports.settings.registry_scanning = registry_scanning(
        {
            "scanType": "BASIC",
            "rules": [
                {
                    "scanFrequency": "SCAN_ON_PUSH",
                    "repositoryFilters": [{"filter": "prod/*", "filterType": "WILDCARD"}],
                }
            ],
        }
    )
    outcome = configure(ports, policy("    scanning: {type: enhanced, frequency: continuous}")).outcome
    assert outcome.kind is OutcomeKind.REPOSITORY_INCOMPLETE
    assert "the registry's scanning is BASIC, and the policy wants ENHANCED" in outcome.reason
    assert outcome.next_step == "Switch the registry's scanning, or give the rule override: true."
    assert puts(ports) == []
