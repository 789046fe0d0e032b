"""The accounts of an organization."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, translated
from ecr_warden.errors import RefusedError

_ACTIVE: Final = "ACTIVE"
_REFUSALS: Final = {
    "AccessDeniedException": (
        "ask from the organization's management account, or from an account to which it has delegated "
        "organizations:List*"
    ),
    "AWSOrganizationsNotInUseException": "the account is in no organization: list the accounts instead",
    "ParentNotFoundException": "the organization has no such unit: name units as ou-… or the root as r-…",
    "InvalidInputException": "units are named by their ids: ou-… or, for the root, r-…",
}


class Paginator(Protocol):
    """Goes through the pages of an operation."""

    def paginate(self, **asked: str) -> Iterable[Mapping[str, Any]]:
        """Give the pages."""


class Organizations(Protocol):
    """A client of AWS Organizations."""

    def get_paginator(self, operation_name: str) -> Paginator:
        """Give what goes through the pages of an operation."""


def accounts_of(client: Organizations, units: Sequence[str]) -> tuple[str, ...]:
    """Give the active accounts in units of an organization and all units below; of all of it without units.

    Each is given once, in the order of their numbers.

    Raises
    ------
    RefusedError
        Where the organization may not be asked, or has no such unit.
    AwsError
        Where it does not answer well.

    """
    found = _in_units(client, units) if units else _listed(client, "list_accounts", "Accounts")
    return tuple(sorted({str(account["Id"]) for account in found if _is_active(account)}))


def _in_units(client: Organizations, units: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    left, seen = list(units), set[str]()
    while left:
        unit = left.pop()
        # One that is named may be below another that is named.
        if unit in seen:
            continue
        seen.add(unit)
        yield from _listed(client, "list_accounts_for_parent", "Accounts", ParentId=unit)
        below = _listed(client, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=unit)
        left.extend(str(child["Id"]) for child in below)


def _listed(client: Organizations, operation: str, key: str, **asked: str) -> Iterator[Mapping[str, Any]]:
    what = f"listing the organization's accounts{' in ' + asked['ParentId'] if asked else ''}"
    with translated(what):
        try:
            for page in client.get_paginator(operation).paginate(**asked):
                yield from page[key]
        except ClientError as error:
            if (advice := _REFUSALS.get(code_of(error))) is not None:
                raise RefusedError(f"{what}: {error}: {advice}") from error
            raise


def _is_active(account: Mapping[str, Any]) -> bool:
    """Tell whether an account is open; AWS is replacing ``Status`` by ``State``."""
    return bool(account.get("State", account.get("Status")) == _ACTIVE)
