"""The simulate command: what a lifecycle policy would do, and why each other image stays."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ecr_warden.domain.lifecycle_simulation import Simulation, simulate_lifecycle
from ecr_warden.domain.resolution import resolve
from ecr_warden.domain.settings.lifecycle import lifecycle_document
from ecr_warden_cli.commands.common import POLICY_FILE, json_option, read_policy, said_errors, to_json
from ecr_warden_cli.commands.showing import console
from ecr_warden_cli.simulation.comparing import disagreements
from ecr_warden_cli.simulation.files import checked_lifecycle, parse_time, read_images, read_lifecycle
from ecr_warden_cli.simulation.listing import Listing, Previewed
from ecr_warden_cli.simulation.showing import show_agreement, show_simulation

if TYPE_CHECKING:
    from ecr_warden_cli.simulation.account import SimulationAccount


def _time(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else parse_time(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no time as in 2026-01-31T12:00:00Z") from error


@click.command()
@click.option("--lifecycle", type=POLICY_FILE, help="A lifecycle policy, as JSON in ECR's own words.")
@click.option("--images", type=POLICY_FILE, help="The images, as a JSON list; without it, a repository's.")
@click.option("--repository", help="The repository: its images, its own lifecycle policy, or both.")
@click.option("--policy", type=POLICY_FILE, help="A policy file: the lifecycle that it gives the repository.")
@click.option("--now", callback=_time, help="The time to look from, without a zone in UTC; else now.")
@click.option("--compare", is_flag=True, help="Compare with ECR's own preview of the repository.")
@click.option("--region", help="The repository's Region; without it, the session's.")
@json_option
def simulate(  # noqa: PLR0913  # one for each option
    *,
    lifecycle: Path | None,
    images: Path | None,
    repository: str | None,
    policy: Path | None,
    now: datetime | None,
    region: str | None,
    compare: bool,
    as_json: bool,
) -> None:
    """Say which images a lifecycle policy would expire or archive, and why each other one is kept.

    From files alone, or on a live repository of the account that the usual credentials, profile and
    AWS_ENDPOINT_URL name, in which nothing is changed. Exit status 1 where ECR's own preview differs.
    """
    _check_usage(lifecycle, images, repository, policy, now, compare=compare)
    with said_errors():
        document = _document(lifecycle, policy, repository)
        if images is not None:
            listing = read_images(images)
            at, previewed = now or datetime.now(UTC), None
            # Checked above: a list of images comes with a document.
            found = simulate_lifecycle(document or {}, listing.images, at)
        else:
            listing, found, at, previewed = _live(str(repository), document, now, region, compare=compare)
    raise SystemExit(_shown(listing, found, at, previewed, as_json=as_json))


def _check_usage(  # noqa: PLR0913  # one for each option
    lifecycle: Path | None,
    images: Path | None,
    repository: str | None,
    policy: Path | None,
    now: datetime | None,
    *,
    compare: bool,
) -> None:
    if images is None and repository is None:
        raise click.UsageError("give --images FILE, or --repository NAME for its own images")
    if lifecycle is not None and policy is not None:
        raise click.UsageError("--lifecycle and --policy both give the lifecycle: give one of them")
    if policy is not None and repository is None:
        raise click.UsageError("--policy needs --repository NAME, whose rule decides the lifecycle")
    if images is not None and lifecycle is None and policy is None:
        raise click.UsageError("--images needs --lifecycle FILE, or --policy FILE with --repository NAME")
    if compare and images is not None:
        raise click.UsageError("--compare needs the repository's own images: remove --images")
    if compare and now is not None:
        raise click.UsageError("--compare looks from now, as ECR does: remove --now")


def _document(
    lifecycle: Path | None, policy: Path | None, repository: str | None
) -> Mapping[str, Any] | None:
    """Give what the files say; ``None`` where the repository's own policy is meant."""
    if lifecycle is not None:
        return read_lifecycle(lifecycle)
    if policy is None:
        return None
    rules = resolve(read_policy(policy), str(repository), "lifecycle").rules
    if rules is None:
        raise click.ClickException(
            f"{policy} has no rule with a lifecycle section for {repository}: "
            f"ecr-warden explain {repository} says which rules there are"
        )
    return checked_lifecycle(lifecycle_document(rules), f"the lifecycle of {policy} for {repository}")


def _live(
    repository: str,
    document: Mapping[str, Any] | None,
    now: datetime | None,
    region: str | None,
    *,
    compare: bool,
) -> tuple[Listing, Simulation, datetime, dict[str, Previewed] | None]:
    # boto3 takes a moment to import, which files with errors need not wait for.
    from ecr_warden_cli.simulation.account import open_account  # noqa: PLC0415

    account = open_account(region)
    wanted = document or _own(account, repository)
    live = account.images(repository)
    # ECR counts reading an index as a pull of it, so its preview goes before.
    previewed = account.preview(repository, wanted, _say) if compare else None
    at = now or datetime.now(UTC)
    listing = live.listing
    found = simulate_lifecycle(wanted, listing.images, at)
    # Which index has which image matters only where something is taken: else nothing is read, nor pulled.
    if live.indexes and (found.expire or found.archive):
        listing = account.with_indexes(repository, live)
        found = simulate_lifecycle(wanted, listing.images, at)
    return listing, found, at, previewed


def _own(account: "SimulationAccount", repository: str) -> Mapping[str, Any]:
    own = account.own_policy(repository)
    if own is None:
        raise click.ClickException(
            f"{repository} has no lifecycle policy: give one by --lifecycle FILE or --policy FILE"
        )
    return checked_lifecycle(own, f"the lifecycle policy of {repository}")


def _shown(
    listing: Listing,
    found: Simulation,
    now: datetime,
    previewed: dict[str, Previewed] | None,
    *,
    as_json: bool,
) -> int:
    """Print it all, and give the exit status."""
    differing = None if previewed is None else disagreements(listing.images, found, previewed)
    if as_json:
        compared = {} if differing is None else {"disagreements": [asdict(one) for one in differing]}
        shown = {"expire": found.expire, "archive": found.archive, "keep": found.keep}
        click.echo(to_json(shown | {"reasons": found.reasons} | compared))
    else:
        out = console()
        show_simulation(out, listing, found, now)
        if differing is not None:
            show_agreement(out, differing)
    return int(bool(differing))


def _say(text: str) -> None:
    click.echo(text, err=True)
