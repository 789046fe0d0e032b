"""Events of other accounts: what they are about is changed there, and never here.

Two accounts have a repository of the same name, with an image of the same tag. The stack is in one of them.
"""

import json
import os
from contextlib import contextmanager

import boto3
import pytest
from moto.ecr.models import ecr_backends
from moto.sts.models import sts_backends

from ecr_warden import wiring
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION, local_aws
from ecr_warden_cli.local.ecr_double import find_image, storage_of
from ecr_warden_cli.policy.check import check_policy

HOME, MEMBER = (DEFAULT_ACCOUNT, DEFAULT_REGION), ("999999999999", DEFAULT_REGION)
OTHER_REGION = (DEFAULT_ACCOUNT, "eu-west-1")
POLICY = """\
version: 1
mode: enforce
rules:
  - match: ["**"]
    tags: {deny: [latest], on_violation: quarantine}
    tag_mutability: {immutable: true}
    scan_gate: {max: {critical: 0}, on_failure: quarantine}
"""
ROLE = {"ECR_WARDEN_MEMBER_ROLE_NAME": "ecr-warden-member", "ECR_WARDEN_EXTERNAL_ID": "the-id"}
PUSH, SCAN = "ecr_image_action_push_denied", "ecr_image_scan_complete"
CREATED = "eventbridge_cloudtrail_CreateRepository"
EVERYWHERE = [HOME, MEMBER, OTHER_REGION]
ELSEWHERE = [MEMBER, OTHER_REGION]


class Accounts:
    """The local AWS with one stack, and what each account's registry has."""

    def __init__(self, aws, variables):
        self.aws = aws
        self.stack = aws.stack(*HOME)
        for function in self.stack.functions.values():
            # moto would take every call for one of this account, whatever its credentials are.
            own = {key: value for key, value in function.environment.items() if key != "MOTO_ACCOUNT_ID"}
            function.environment = own | variables

    def seed(self, event):
        """Make what an event names in every account and Region."""
        for place in EVERYWHERE:
            self.aws.seed(at(event, place))

    def forward(self, event):
        """Let a member's event come to the stack's bus, as its rule there sends it."""
        return self.aws.watch(lambda: self.aws.broker.put(event, to=self.stack), self.stack)

    def repository(self, place, name):
        account, region = place
        return ecr_backends[account][region].repositories[name]

    def tags(self, place, event):
        images = self.repository(place, event["detail"]["repository-name"]).images
        return sorted(tag for image in images for tag in image.image_tags)

    def storage(self, place, event):
        repository = self.repository(place, event["detail"]["repository-name"])
        return storage_of(find_image(repository, {"imageDigest": event["detail"]["image-digest"]})).status

    def journal(self):
        table = self.stack.physical["JournalTable"]
        return boto3.client("dynamodb", region_name=DEFAULT_REGION).scan(TableName=table)["Items"]


def mutability_of(repository):
    # moto has it as a member of an enumeration until it is first put.
    return getattr(repository.image_tag_mutability, "value", repository.image_tag_mutability)


def at(event, place):
    account, region = place
    text = json.dumps(event).replace(DEFAULT_ACCOUNT, account).replace(DEFAULT_REGION, region)
    return json.loads(text) | {"account": account, "region": region}


@contextmanager
def opened(variables):
    checked = check_policy(POLICY, "policy.yaml")
    assert checked.policy is not None, checked.problems
    wiring._accounts.cache_clear()  # noqa: SLF001  # another test's moto gave its credentials
    with local_aws(checked.policy) as aws:
        assert "MOTO_ACCOUNT_ID" not in os.environ
        yield Accounts(aws, variables)
    wiring._accounts.cache_clear()  # noqa: SLF001  # as above


@pytest.fixture
def accounts():
    with opened(ROLE) as found:
        yield found


@pytest.fixture
def lone():
    with opened({}) as found:
        yield found


@pytest.mark.parametrize("place", EVERYWHERE, ids="/".join)
def test_a_push_is_quarantined_in_the_account_and_region_that_it_was_to_and_in_no_other(
    accounts, sample, place
):
    push = sample(PUSH)
    accounts.seed(push)
    before = accounts.tags(HOME, push)
    caused = accounts.forward(at(push, place))
    assert caused.error is None
    (outcome,) = caused.outcomes
    assert (outcome["account"], outcome["region"], outcome["changed"]) == (*place, True)
    (kept_as,) = set(accounts.tags(place, push)) - set(before)
    assert kept_as.startswith("quarantine-")
    assert push["detail"]["image-tag"] not in accounts.tags(place, push)
    for other in EVERYWHERE:
        assert other == place or accounts.tags(other, push) == before


def test_what_was_changed_in_another_account_is_in_this_ones_journal_with_that_accounts_number(
    accounts, sample
):
    accounts.seed(sample(PUSH))
    accounts.forward(at(sample(PUSH), MEMBER))
    (item,) = [item for item in accounts.journal() if "section" in item]
    assert (item["account"]["S"], item["region"]["S"]) == MEMBER


@pytest.mark.parametrize("place", EVERYWHERE, ids="/".join)
def test_an_image_that_fails_its_gate_is_archived_where_it_was_scanned_and_nowhere_else(
    accounts, sample, place
):
    scan = sample(SCAN)
    accounts.seed(scan)
    before = accounts.storage(HOME, scan)
    caused = accounts.forward(at(scan, place))
    assert caused.error is None
    changed = {other for other in EVERYWHERE if accounts.storage(other, scan) != before}
    assert changed == {place}


@pytest.mark.parametrize("place", EVERYWHERE, ids="/".join)
def test_a_new_repository_is_configured_where_it_was_made_and_nowhere_else(accounts, sample, place):
    created = sample(CREATED)
    accounts.seed(created)
    name = created["detail"]["requestParameters"]["repositoryName"]
    caused = accounts.forward(at(created, place))
    assert caused.error is None
    immutable = {
        other
        for other in EVERYWHERE
        if mutability_of(accounts.repository(other, name)).startswith("IMMUTABLE")
    }
    assert immutable == {place}


def test_the_member_role_is_assumed_with_the_external_id_once_for_many_events(accounts, sample):
    accounts.seed(sample(PUSH))
    for number in range(3):
        accounts.forward(at(sample(PUSH), MEMBER) | {"id": f"event-{number}"})
    (assumed,) = sts_backends[MEMBER[0]]["aws"].assumed_roles
    assert assumed.role_arn == f"arn:aws:iam::{MEMBER[0]}:role/ecr-warden-member"
    assert (assumed.external_id, assumed.session_name) == ("the-id", "ecr-warden")


def test_an_event_of_home_assumes_no_role(accounts, sample):
    accounts.seed(sample(PUSH))
    accounts.forward(at(sample(PUSH), HOME))
    assert not [role for backend in sts_backends.values() for role in backend["aws"].assumed_roles]


@pytest.mark.parametrize("place", ELSEWHERE, ids="/".join)
@pytest.mark.parametrize(
    ("name", "queue"),
    [
        (PUSH, "ImageActionDeadLetterQueue"),
        (SCAN, "ImageScanDeadLetterQueue"),
        (CREATED, "RepositoryCreatedDeadLetterQueue"),
    ],
)
def test_without_a_role_an_event_of_another_place_is_set_aside_and_nothing_is_changed_anywhere(
    lone, sample, place, name, queue
):
    event = sample(name)
    lone.seed(event)
    caused = lone.forward(at(event, place))
    assert caused.error is not None
    assert "MemberRoleName" in caused.error["message"]
    assert "/".join(place) in caused.error["message"]
    assert lone.stack.waiting(queue) == 1
    assert not caused.outcomes
    assert not caused.changes
    assert not [item for item in lone.journal() if "section" in item]
    repositories = [next(iter(ecr_backends[a][r].repositories.values())) for a, r in EVERYWHERE]
    assert {mutability_of(item) for item in repositories} == {"MUTABLE"}
    if name != CREATED:
        assert lone.tags(HOME, event) == lone.tags(place, event)
        assert lone.storage(HOME, event) == lone.storage(place, event)
