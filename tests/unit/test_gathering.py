"""What of all that waits is told now, and together."""

from dataclasses import replace
from datetime import timedelta

from fakes import NOW, OUTCOME
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.gathering import MOST_TOGETHER, each, gather
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Messages, Severity
from ecr_warden.domain.waiting import Waiting

MESSAGES = Messages(gather_seconds=60, burst=5)
NUMBERS = iter(range(10**9))


def waiting(repository="team/app", at=0, due=60, **others):
    """Let an outcome wait since some seconds after NOW, until some seconds later."""
    said = {name: others.pop(name) for name in list(others) if name not in Waiting.__dataclass_fields__}
    outcome = replace(OUTCOME, id=str(next(NUMBERS)), repository=repository, **said)
    since = NOW + timedelta(seconds=at)
    return Waiting(outcome, since=since, due=since + timedelta(seconds=due), **others)


def plan(*those, at=60, identified=(), messages=MESSAGES):
    return gather(
        those,
        now=NOW + timedelta(seconds=at),
        messages=messages,
        identified=dict.fromkeys(identified, "mary"),
    )


def ids(parcel):
    return [one.outcome.id for one in parcel.waiting]


def after(seconds):
    return NOW + timedelta(seconds=seconds)


def test_what_one_push_causes_is_one_message_in_the_order_in_which_it_came():
    index = waiting(image_digest="sha256:index")
    platform = waiting(at=20, image_digest="sha256:arm", kind=OutcomeKind.IMAGE_VULNERABLE)
    other_tag = waiting(at=5, image_tag="latest-2")
    found = plan(index, platform, other_tag)
    assert [ids(parcel) for parcel in found.parcels] == [
        [index.outcome.id, other_tag.outcome.id, platform.outcome.id]
    ]
    assert not found.parcels[0].is_digest
    assert found.next_at is None


def test_nothing_is_told_before_its_time_which_is_said():
    assert plan(waiting(), waiting("team/other", at=10), at=59.9) == plan(at=0).__class__((), after(60))


def test_repositories_account_and_regions_are_not_told_together():
    those = [waiting(), waiting("team/other"), waiting(account="210987654321"), waiting(region="eu-west-2")]
    assert [ids(parcel) for parcel in plan(*those).parcels] == [[one.outcome.id] for one in those]


def test_what_is_told_in_another_channels_place_is_a_message_of_its_own():
    mine, moved = waiting(), waiting(instead_of="secops, which is down")
    assert len(plan(mine, moved).parcels) == 2


def test_a_burst_is_one_digest_once_it_is_over():
    those = [waiting(f"team/{number}", at=number) for number in range(300)]
    early = plan(*those[:61], at=60)
    assert early.parcels == ()
    assert early.next_at == after(120), "a minute after the last that came"
    (parcel,) = plan(*those, at=299 + 60).parcels
    assert parcel.is_digest
    assert ids(parcel) == [one.outcome.id for one in those]


def test_a_burst_that_does_not_end_is_told_after_ten_times_the_minute():
    those = [waiting(f"team/{number}", at=number) for number in range(600)]
    assert plan(*those, at=599).parcels == ()
    assert plan(*those, at=599).next_at == after(600)
    assert len(plan(*those, at=600).parcels[0].waiting) == 600


def test_a_burst_with_something_critical_does_not_wait_for_its_end():
    those = [waiting(f"team/{number}", at=number) for number in range(30)]
    critical = waiting("team/bad", at=31, due=20, severity=Severity.CRITICAL)
    (parcel,) = plan(*those, critical, at=51).parcels
    assert critical.outcome.id in ids(parcel)
    assert parcel.is_digest


def test_as_many_repositories_as_the_policy_allows_are_no_burst():
    those = [waiting(f"team/{number}") for number in range(5)]
    assert len(plan(*those).parcels) == 5
    assert len(plan(*those, messages=Messages(burst=4)).parcels) == 1


def test_many_outcomes_of_one_repository_are_a_digest():
    those = [waiting(image_tag=str(number)) for number in range(MOST_TOGETHER + 1)]
    assert [parcel.is_digest for parcel in plan(*those).parcels] == [True]
    assert [parcel.is_digest for parcel in plan(*those[1:]).parcels] == [False]


def test_what_is_held_until_the_same_time_is_one_digest():
    those = [waiting(f"team/{number}", due=3600, is_held=True) for number in range(3)]
    fresh = waiting("team/0", at=3590, due=5)
    found = plan(*those, fresh, at=3600)
    assert [parcel.is_digest for parcel in found.parcels] == [True, False]
    assert ids(found.parcels[0]) == [one.outcome.id for one in those]


def test_what_is_held_of_one_repository_is_told_in_full():
    (parcel,) = plan(waiting(due=3600, is_held=True), waiting(due=3600, is_held=True), at=3600).parcels
    assert not parcel.is_digest


def test_what_is_told_in_another_channels_place_is_a_digest_of_its_own_whatever_it_answered():
    mine = [waiting(f"team/{number}") for number in range(8)]
    why = ("500", "no answer")
    moved = [
        waiting(f"team/{number}", instead_of=f"secops, which is down: {why[number % 2]}")
        for number in range(8)
    ]
    found = plan(*mine, *moved, at=120)
    assert [(len(parcel.waiting), parcel.is_digest) for parcel in found.parcels] == [(8, True), (8, True)]
    assert {one.instead_of for one in found.parcels[0].waiting} == {None}


def test_a_push_waits_for_who_pushed_no_longer_than_it_may():
    one = waiting(due=300, due_identified=after(60))
    assert plan(one, at=60).parcels == ()
    assert plan(one, at=60).next_at == after(300)
    assert len(plan(one, at=300).parcels) == 1
    assert len(plan(one, at=60, identified=[one.outcome.id]).parcels) == 1


def test_a_machine_gets_each_by_itself():
    those = [waiting(), waiting(), waiting("team/other")]
    assert [ids(parcel) for parcel in each(those).parcels] == [[one.outcome.id] for one in those]


WAITING = st.builds(
    waiting,
    repository=st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"]),
    at=st.integers(0, 100),
    due=st.integers(0, 200),
    kind=st.sampled_from([OutcomeKind.TAG_VIOLATION, OutcomeKind.REPOSITORY_CONFIGURED]),
    severity=st.sampled_from(Severity),
    is_held=st.booleans(),
    instead_of=st.sampled_from([None, "down"]),
    due_identified=st.one_of(st.none(), st.integers(0, 300).map(after)),
)


@given(those=st.lists(WAITING, max_size=30), at=st.integers(0, 400), burst=st.integers(1, 9), data=st.data())
def test_each_is_told_once_or_waits_and_the_next_time_is_one_at_which_something_is_told(
    those, at, burst, data
):
    identified = data.draw(st.sets(st.sampled_from([one.outcome.id for one in those]))) if those else set()
    messages = Messages(gather_seconds=60, burst=burst)
    found = plan(*those, at=at, identified=identified, messages=messages)
    told = [one for parcel in found.parcels for one in ids(parcel)]
    assert len(told) == len(set(told))
    untold = [one for one in those if one.outcome.id not in told]
    assert (found.next_at is None) == (not untold)
    if untold:
        assert found.next_at > after(at)
        assert plan(
            *untold, at=(found.next_at - NOW).total_seconds(), identified=identified, messages=messages
        ).parcels
    # Whatever comes meanwhile, no fresh outcome waits for ever: ten times the minute after a burst's first.
    latest = max((one.due for one in untold), default=NOW)
    assert plan(*those, at=1_000 + (latest - NOW).total_seconds(), messages=messages).next_at is None


@given(those=st.lists(WAITING, max_size=30), at=st.integers(0, 400))
def test_what_is_critical_and_due_is_told_whatever_else_waits(those, at):
    told = [one for parcel in plan(*those, at=at).parcels for one in parcel.waiting]
    for one in those:
        if one.due <= after(at) and one.outcome.severity is Severity.CRITICAL:
            assert one in told
