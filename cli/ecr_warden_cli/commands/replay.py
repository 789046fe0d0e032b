"""The replay command: events run through the template's rules to the functions they reach."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from ecr_warden.domain.policy import Policy
from ecr_warden_cli.caused import Caused, error_as_json
from ecr_warden_cli.commands.common import json_option, policy_option, read_policy
from ecr_warden_cli.commands.reading import read_event
from ecr_warden_cli.commands.showing import console, show_caused


@click.command()
@click.argument(
    "events",
    metavar="EVENT.json…",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@policy_option
@json_option
@click.option("--aws", "on_account", is_flag=True, help="Act on the account of the usual credentials.")
@click.option("--stack-name", default="ecr-warden", show_default=True, help="With --aws: the deployed stack.")
def replay(
    events: tuple[Path, ...], policy: Path, *, as_json: bool, on_account: bool, stack_name: str
) -> None:
    """Run events through the template's rules to the functions they reach, and say what each caused.

    By default in an embedded AWS, in which the repository and image that an event names are made first. With
    --aws, on the account that the usual credentials, profile and AWS_ENDPOINT_URL name. Exit status 1 if any
    event failed.
    """
    has_failed = False
    with ExitStack() as parts:
        checked = read_policy(policy)
        deliver = _on_account(checked, stack_name) if on_account else _embedded(parts, checked)
        for path, caused in _replayed(events, deliver):
            has_failed = has_failed or caused.error is not None
            if as_json:
                click.echo(json.dumps(caused.as_json(), default=str))
            else:
                show_caused(console(), caused, title=path.name)
    raise SystemExit(int(has_failed))


def _embedded(parts: ExitStack, policy: Policy) -> Callable[[dict[str, Any]], Caused]:
    # The embedded AWS takes seconds to import.
    from ecr_warden_cli.local.aws import local_aws  # noqa: PLC0415

    aws = parts.enter_context(local_aws(policy))

    def deliver(event: dict[str, Any]) -> Caused:
        aws.seed(event)
        return aws.deliver(event)

    return deliver


def _on_account(policy: Policy, stack_name: str) -> Callable[[dict[str, Any]], Caused]:
    from ecr_warden_cli.account.replay import AccountReplay  # noqa: PLC0415
    from ecr_warden_cli.local.template import load_template  # noqa: PLC0415

    return AccountReplay(policy, load_template(), stack_name, lambda text: click.echo(text, err=True)).deliver


def _replayed(
    paths: tuple[Path, ...], deliver: Callable[[dict[str, Any]], Caused]
) -> Iterator[tuple[Path, Caused]]:
    for path in paths:
        event: dict[str, Any] = {}
        try:
            event = read_event(path)
            yield path, deliver(event)
        # One event's trouble is that event's: whatever it is, the others are replayed.
        except Exception as error:  # noqa: BLE001
            yield path, Caused(event.get("id"), event.get("detail-type"), error=error_as_json(error))
