from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import NOW, OUTCOME
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.stories import settled

OPEN_OF_IMAGE = (OutcomeKind.IMAGE_VULNERABLE, OutcomeKind.SCAN_FAILED, OutcomeKind.IMAGE_NOT_SCANNED)
RECOVERED = OutcomeKind.IMAGE_RECOVERED


def told(kind, minute=0, **changes):
    at = NOW + timedelta(minutes=minute)
    return replace(OUTCOME, id=f"{kind}-{minute}", kind=kind, event_time=at, **changes)


def of_repository(kind, minute=0, decision="configured"):
    return told(kind, minute, image_digest=None, image_tag=None, decision=decision)


@pytest.mark.parametrize("kind", OPEN_OF_IMAGE)
def test_an_image_that_recovers_settles_what_was_wrong_with_it(kind):
    bad = told(kind)
    assert settled([bad], []) == set()
    assert settled([bad], [told(RECOVERED, 1)]) == {bad.id}


@pytest.mark.parametrize("kind", OPEN_OF_IMAGE)
def test_an_image_that_is_bad_again_is_not_settled(kind):
    bad = told(OutcomeKind.IMAGE_VULNERABLE)
    assert settled([bad], [told(RECOVERED, 1), told(kind, 2)]) == set()
    assert settled([bad], [told(kind, 2), told(RECOVERED, 3), told(RECOVERED, 1)]) == {bad.id}


def test_when_it_happened_counts_and_not_when_it_was_told():
    late = told(OutcomeKind.IMAGE_VULNERABLE, 5)
    assert settled([late], [told(RECOVERED, 1)]) == set()


@pytest.mark.parametrize(
    "other",
    [{"image_digest": "sha256:" + "cd" * 32}, {"repository": "other"}, {"region": "x"}, {"account": "1"}],
)
def test_another_image_that_recovers_settles_nothing(other):
    bad = told(OutcomeKind.IMAGE_VULNERABLE)
    assert settled([bad], [told(RECOVERED, 1, **other)]) == set()


def test_an_image_that_recovers_does_not_settle_that_a_repository_is_not_scanned():
    off = told(OutcomeKind.IMAGE_NOT_SCANNED, image_digest=None)
    assert settled([off], [told(RECOVERED, 1)]) == set()


def test_a_repository_that_is_configured_settles_that_it_was_incomplete():
    bad = of_repository(OutcomeKind.REPOSITORY_INCOMPLETE, decision="incomplete")
    assert settled([bad], [of_repository(OutcomeKind.REPOSITORY_CONFIGURED, 1)]) == {bad.id}
    assert settled([bad], [told(RECOVERED, 1)]) == set()


def test_a_repository_that_would_be_configured_settles_nothing():
    bad = of_repository(OutcomeKind.REPOSITORY_INCOMPLETE, decision="incomplete")
    would = of_repository(OutcomeKind.REPOSITORY_CONFIGURED, 1, decision="would_configure")
    assert settled([bad], [would]) == set()


@given(st.lists(st.sampled_from(OutcomeKind)))
def test_a_tag_that_broke_the_policy_is_settled_by_nothing(kinds):
    bad = told(OutcomeKind.TAG_VIOLATION)
    assert settled([bad], [told(kind, minute) for minute, kind in enumerate(kinds, 1)]) == set()


def test_of_several_each_is_settled_by_itself():
    tag, vulnerable = told(OutcomeKind.TAG_VIOLATION), told(OutcomeKind.IMAGE_VULNERABLE)
    assert settled([tag, vulnerable], [told(RECOVERED, 1)]) == {vulnerable.id}


@given(st.permutations([told(kind, minute) for minute, kind in enumerate((*OPEN_OF_IMAGE, RECOVERED), 1)]))
def test_the_order_in_which_it_is_told_makes_no_difference(since):
    bad = told(OutcomeKind.IMAGE_VULNERABLE)
    assert settled([bad], since) == {bad.id}
