"""The options that say which registries are meant, and what of them."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ecr_warden.domain.globs import glob_problem
from ecr_warden.domain.policy import Mode
from ecr_warden.domain.sweep.judgements import Judgement
from ecr_warden.use_cases.sweep.ports import SWEPT_SECTIONS, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecr_warden.domain.places import Place
    from ecr_warden_cli.account.sweep import SweepAccounts
    from ecr_warden_cli.sweep.gathering import Gathering

_Command = TypeVar("_Command", bound=Callable[..., None])
# Of a plan's registries, that are named.
_MOST: Final = 6
_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII)
# A ] that comes first is one of the characters.
_CHARACTERS: Final = re.compile(r"\[!?\]?[^\]/]*\]")


def _accounts(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    for value in values:
        if not _ACCOUNT.fullmatch(value):
            raise click.BadParameter(f"{value!r} is no account's id, which has 12 digits")
    return values


def _globs(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        problem = glob_problem(value)
        if problem is None and "[" in _CHARACTERS.sub("", value):
            problem = "a [ has no ] after it, so that it matches no repository"
        if problem is not None:
            raise click.BadParameter(f"{value!r}: {problem}")
    return values


_OPTIONS: Final = (
    click.option(
        "--region",
        "regions",
        multiple=True,
        help="A Region; without any, the session's. This and the next two may be repeated.",
    ),
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
    click.option("--external-id", help="What the trust of that role asks for."),
    click.option(
        "--repository",
        "repositories",
        metavar="GLOB",
        multiple=True,
        callback=_globs,
        help="Only repositories whose names a glob matches, as in the policy; may be repeated.",
    ),
    click.option(
        "--section",
        "sections",
        metavar="SECTION",
        multiple=True,
        type=click.Choice(SWEPT_SECTIONS),
        help=f"Only a section of the policy; may be repeated. Sections: {', '.join(SWEPT_SECTIONS)}.",
    ),
    click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="Only rules in this mode."),
)
verbose_option = click.option(
    "--verbose", "is_verbose", is_flag=True, help="Also show what is kept as somebody chose."
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
    if planned:
        _check_planned(asked, planned)
    # boto3 takes a moment to import, which wrong usage need not wait for.
    from ecr_warden_cli.account.stack import NoSuchRegionError  # noqa: PLC0415
    from ecr_warden_cli.account.sweep import Asked, NoRoleError, SweepAccounts  # noqa: PLC0415

    names = ("regions", "accounts", "organizational_units", "role_name", "external_id")
    try:
        accounts = SweepAccounts(Asked(**{name: asked[name] for name in names}), planned=planned)
    except (NoRoleError, NoSuchRegionError) as error:
        raise click.UsageError(str(error)) from error
    if planned and not accounts.places:
        raise click.UsageError(f"the plan is of {_listed(planned)}, and of nothing that is asked for")
    return accounts


def _check_planned(asked: "Mapping[str, Any]", planned: "Sequence[Place]") -> None:
    """Refuse what a plan is not of, as what it is called by mistake would change nothing."""
    regions, accounts = ({place.region for place in planned}, {place.account for place in planned})
    others = [one for one in asked["regions"] if one not in regions]
    others += [one for one in asked["accounts"] if one not in accounts]
    if others:
        raise click.UsageError(f"the plan is of {_listed(planned)}, not of {', '.join(others)}")


def _listed(places: "Sequence[Place]") -> str:
    more = [f"{len(places) - _MOST} more"] if len(places) > _MOST else []
    return ", ".join([*map(str, places[:_MOST]), *more])


def unmatched_text(gathering: "Gathering") -> str:
    """Say which globs matched nothing, without a stop."""
    globs = ", ".join(gathering.unmatched)
    if gathering.tally.is_of_file:
        return f"the plan has nothing of a repository that matches {globs}"
    return f"no repository matches {globs}"
