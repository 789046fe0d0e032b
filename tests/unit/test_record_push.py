"""Who pushed is remembered where somebody did, and wakes who waits for it."""

from dataclasses import replace

import pytest
from fakes import NOW, OUTCOME, FakeIdentities
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.events import Push
from ecr_warden.domain.quarantine import quarantine_tag
from ecr_warden.use_cases.record_push import record_push

DIGEST = OUTCOME.image_digest
PUSH = Push("event-1", NOW, "123456789012", "eu-west-1", "team/app", DIGEST, "latest", "deploy/mary", None)
OWN = "ecr-warden-ImageActionRole-1A2B3C/ecr-warden-ImageActionFunction-x9Y8z7"


@pytest.fixture
def identities():
    found = FakeIdentities()
    found.want(OUTCOME, "secops")
    return found


def test_a_push_is_remembered_and_wakes_the_channels_that_wait_for_it(identities):
    assert record_push(PUSH, identities=identities) == ("secops",)
    assert list(identities.known.values()) == ["deploy/mary"]


@pytest.mark.parametrize(
    "push",
    [
        replace(PUSH, error_code="ImageTagAlreadyExistsException"),
        replace(PUSH, pushed_by=None),
        replace(PUSH, image_tag=quarantine_tag(DIGEST, "latest"), pushed_by=OWN),
        replace(PUSH, pushed_by=OWN),
        replace(PUSH, pushed_by=f"{OWN} (Lambda)"),
    ],
    ids=["failed", "of nobody", "a quarantine tag", "a tag put back", "of a function"],
)
def test_what_nobody_pushed_is_not_remembered(push, identities):
    assert record_push(push, identities=identities) == ()
    assert not identities.known


def test_a_quarantine_tag_of_another_image_is_somebodys_push(identities):
    push = replace(PUSH, image_tag=quarantine_tag("sha256:" + "cd" * 32, "latest"))
    assert record_push(push, identities=identities) == ("secops",)


@given(st.from_regex(r"[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}", fullmatch=True))
def test_no_quarantine_tag_of_the_image_is_ever_remembered(tag):
    identities = FakeIdentities()
    assert record_push(replace(PUSH, image_tag=quarantine_tag(DIGEST, tag)), identities=identities) == ()
    assert not identities.known
