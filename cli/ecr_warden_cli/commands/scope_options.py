"""The options that say which registries are meant, and what of them."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ecr_warden.domain.policy import Mode
from ecr_warden.domain.sweep.judgements import Judgement
from ecr_warden.use_cases.sweep.ports import SWEPT_SECTIONS, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecr_warden.domain.places import Place
    from ecr_warden_cli.account.sweep import SweepAccounts

_Command = TypeVar("_Command", bound=Callable[..., None])
_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII)


def _accounts(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    for value in values:
        if not _ACCOUNT.fullmatch(value):
            raise click.BadParameter(f"{value!r} is no account's id, which has 12 digits")
    return values


_OPTIONS: Final = (
    click.option("--region", "regions", multiple=True, help="A Region; without any, the session's."),
    click.option(
        "--account",
        "accounts",
        multiple=True,
        callback=_accounts,
        help="An account's id; without any, the credentials' own. Others need --role-name.",
    ),
    click.option(
        "--organizational-unit",
        "organizational_units",
        multiple=True,
        help="An organizational unit's id, or the root's: all active accounts in it.",
    ),
    click.option("--role-name", help="The role to take in other accounts."),
    click.option("--external-id", help="The external id that the role asks for."),
    click.option(
        "--stack-name",
        default="ecr-warden",
        show_default=True,
        help="The deployed stack, in whose journal apply records its changes.",
    ),
    click.option("--repository", "repositories", multiple=True, help="A glob, as the policy has them."),
    click.option(
        "--section", "sections", multiple=True, type=click.Choice(SWEPT_SECTIONS), help="A section."
    ),
    click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="Only rules in this mode."),
    click.option("--verbose", "is_verbose", is_flag=True, help="Also show what is kept as somebody chose."),
)


def scope_options(command: _Command) -> _Command:
    """Add the options, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def scope_of(asked: "Mapping[str, Any]") -> Scope:
    """Give what of a registry is asked for."""
    return Scope(
        repositories=tuple(asked["repositories"]),
        sections=frozenset(asked["sections"] or SWEPT_SECTIONS),
        modes=frozenset(Mode) if asked["mode"] is None else frozenset({Mode(asked["mode"])}),
    )


def has_judgement(scope: Scope, places: "Sequence[Place]", judgement: Judgement) -> bool:
    """Tell whether what a plan's file has is asked for; the registry's documents are of all repositories."""
    return (
        judgement.place in places
        and judgement.section in scope.sections
        and judgement.mode in scope.modes
        and (judgement.of_registry or scope.has(judgement.repository))
    )


def open_accounts(asked: "Mapping[str, Any]", planned: "Sequence[Place] | None" = None) -> "SweepAccounts":
    """Open the accounts that are asked for; of a plan's, those among them."""
    # boto3 takes a moment to import, which wrong usage need not wait for.
    from ecr_warden_cli.account.sweep import Asked, NoRoleError, SweepAccounts  # noqa: PLC0415

    names = ("regions", "accounts", "organizational_units", "role_name", "external_id", "stack_name")
    try:
        return SweepAccounts(Asked(**{name: asked[name] for name in names}), planned=planned)
    except NoRoleError as error:
        raise click.UsageError(str(error)) from error
