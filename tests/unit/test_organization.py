"""The accounts of an organization: of units, of units below them, or all of it."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.organization import accounts_of
from ecr_warden.errors import AwsError, CredentialsError, RefusedError

ROOT = "r-root"


def account(number, state="ACTIVE", key="State"):
    return {"Id": f"{number:012}", key: state}


class Organization:
    """Units by their parent, accounts by their unit, a page for each two."""

    def __init__(self, units=None, accounts=None, error=None):
        self.units, self.accounts, self.error = units or {}, accounts or {}, error
        self.asked = []

    def get_paginator(self, operation):
        return _Pages(self, operation)

    def found(self, operation, parent):
        if self.error is not None:
            raise self.error
        match operation:
            case "list_accounts":
                return "Accounts", [item for items in self.accounts.values() for item in items]
            case "list_accounts_for_parent":
                return "Accounts", self.accounts.get(parent, [])
            case "list_organizational_units_for_parent":
                return "OrganizationalUnits", [{"Id": unit} for unit in self.units.get(parent, [])]
        raise AssertionError(operation)


class _Pages:
    def __init__(self, organization, operation):
        self.organization, self.operation = organization, operation

    def paginate(self, **asked):
        self.organization.asked.append((self.operation, asked.get("ParentId")))
        key, items = self.organization.found(self.operation, asked.get("ParentId"))
        for first in range(0, len(items), 2):
            yield {key: items[first : first + 2]}
        yield {key: []}


def test_without_units_every_active_account_of_the_organization_is_given():
    organization = Organization(accounts={ROOT: [account(3), account(1), account(2)]})
    assert accounts_of(organization, []) == ("000000000001", "000000000002", "000000000003")


def test_a_units_accounts_are_those_of_the_units_below_it_too_and_of_no_other():
    organization = Organization(
        units={ROOT: ["ou-a", "ou-b"], "ou-a": ["ou-c"], "ou-c": ["ou-d"]},
        accounts={ROOT: [account(1)], "ou-a": [account(2)], "ou-b": [account(3)], "ou-d": [account(4)]},
    )
    assert accounts_of(organization, ["ou-a"]) == ("000000000002", "000000000004")
    assert accounts_of(organization, [ROOT]) == tuple(f"{number:012}" for number in (1, 2, 3, 4))


def test_a_unit_that_is_named_along_with_one_above_it_is_listed_once():
    organization = Organization(units={"ou-a": ["ou-b"]}, accounts={"ou-b": [account(1)]})
    assert accounts_of(organization, ["ou-a", "ou-b"]) == ("000000000001",)
    assert len(organization.asked) == len(set(organization.asked)) == 4


@pytest.mark.parametrize("key", ["State", "Status"])
@pytest.mark.parametrize("state", ["SUSPENDED", "PENDING_CLOSURE", "PENDING_ACTIVATION", "CLOSED"])
@pytest.mark.parametrize("units", [[], [ROOT]])
def test_an_account_that_is_not_active_is_left_out_whichever_field_says_so(key, state, units):
    organization = Organization(accounts={ROOT: [account(1, state, key), account(2, key=key)]})
    assert accounts_of(organization, units) == ("000000000002",)


@given(st.dictionaries(st.integers(0, 30), st.lists(st.integers(1, 40), max_size=6)), st.data())
def test_every_account_below_is_given_once_in_order_however_the_units_lie(members, data):
    units = [f"ou-{number}" for number in members]
    above = {unit: data.draw(st.sampled_from([ROOT, *units[:index]])) for index, unit in enumerate(units)}
    below = {parent: [unit for unit in units if above[unit] == parent] for parent in [ROOT, *units]}
    accounts = {f"ou-{number}": [account(item) for item in items] for number, items in members.items()}
    expected = sorted({item["Id"] for items in accounts.values() for item in items})
    assert accounts_of(Organization(below, accounts), [ROOT]) == tuple(expected)


def client_error(code):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "ListAccounts")


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("AccessDeniedException", "management account"),
        ("AWSOrganizationsNotInUseException", "in no organization"),
        ("ParentNotFoundException", "no such unit"),
        ("InvalidInputException", "ou-"),
    ],
)
@pytest.mark.parametrize("units", [[], ["ou-a"]])
def test_where_the_organization_may_not_be_asked_the_error_says_from_where_it_may(code, advice, units):
    with pytest.raises(RefusedError, match=advice):
        accounts_of(Organization(error=client_error(code)), units)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error("TooManyRequestsException"), AwsError),
        (client_error("ExpiredTokenException"), CredentialsError),
        (EndpointConnectionError(endpoint_url="https://x"), AwsError),
    ],
)
def test_an_organization_that_does_not_answer_well_is_an_error_that_can_be_tried_again(error, kind):
    with pytest.raises(kind, match="listing the organization's accounts in ou-a"):
        accounts_of(Organization(error=error), ["ou-a"])
