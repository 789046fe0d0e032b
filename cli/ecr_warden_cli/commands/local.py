"""The local command: an AWS on a loopback port, with the stack in it and the functions reacting."""

import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ecr_warden_cli.commands.common import json_option, policy_option, read_policy
from ecr_warden_cli.commands.reading import read_event
from ecr_warden_cli.commands.showing import console, show_caused

if TYPE_CHECKING:
    from ecr_warden_cli.caused import Caused
    from ecr_warden_cli.local.aws import LocalAws
    from ecr_warden_cli.local.stack import LocalStack

_PAUSE_SECONDS = 0.2
# Events that are told whatever the policy says and the registry has, by the Region that they are of.
_SAMPLES: Final = {
    "us-east-1": "ecr_replication_action_failed",
    "us-west-2": "eventbridge_cloudtrail_PolicyExecutionEvent",
    "eu-central-1": "ecr_pull_through_cache_action_failed",
}
_SAMPLES_ACCOUNT: Final = "123456789012"


@click.command()
@policy_option
@json_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=4566, show_default=True, help="The port to listen on; 0 takes a free one.")
@click.option("--account", default=_SAMPLES_ACCOUNT, show_default=True, help="The account's number.")
@click.option("--region", default="us-east-1", show_default=True, help="The Region.")
@click.option(
    "--sam-template",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a copy of the built template beside it to this file; its functions talk to this AWS.",
)
@click.option(
    "--seed",
    "seeds",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Make the repository and the image that this event names. May be given many times.",
)
@click.option(
    "--react/--no-react", default=True, help="Leave events to functions elsewhere, as in sam local."
)
def local(  # noqa: PLR0913  # one for each option
    *,
    policy: Path,
    as_json: bool,
    host: str,
    port: int,
    account: str,
    region: str,
    sam_template: Path | None,
    seeds: tuple[Path, ...],
    react: bool,
) -> None:
    """Keep an AWS with the stack in it on a loopback port, until Ctrl-C.

    `aws ecr put-image --endpoint-url …` and `aws events put-events --endpoint-url …` drive it by hand; the
    functions react, and what they caused is shown here. Waiting is not simulated: time jumps.
    """
    checked = read_policy(policy)
    # It takes seconds to import.
    from ecr_warden_cli.local.aws import served_aws  # noqa: PLC0415
    from ecr_warden_cli.local.sam import write_sam_template  # noqa: PLC0415

    try:
        with served_aws(checked, host=host, port=port, account=account, region=region) as (aws, url):
            stack = aws.stack(account, region)
            if sam_template is not None:
                write_sam_template(sam_template, stack, url)
            for seed in seeds:
                aws.seed({**read_event(seed), "account": account, "region": region})
            _stop_on_signals()
            _say_ready(url, account, region, as_json=as_json)
            _react_for_ever(aws, stack, as_json=as_json) if react else _wait_for_ever()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {error.strerror}: try --port 0"
        ) from error


def _stop_on_signals() -> None:
    # A shell starts what it puts in the background with SIGINT ignored, and `kill` sends SIGTERM.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def _say_ready(url: str, account: str, region: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"endpoint_url": url, "account": account, "region": region}))
        # A script that reads this waits for it.
        sys.stdout.flush()
        return
    click.echo(f"""\
An AWS with the stack ecr-warden in it listens on {url} (account {account}). In another terminal:

  export AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION={region}
  aws ecr create-repository --repository-name prod/api
  aws ecr put-image --repository-name prod/api --image-tag latest --image-manifest '{{"schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {{}}, "layers": []}}'
{_sample_line(account, region)}
What the functions do is shown here. Ctrl-C stops it.
""")


def _sample_line(account: str, region: str) -> str:
    """Give the line that replays a sample; empty where none is of the account and the Region."""
    sample = _SAMPLES.get(region) if account == _SAMPLES_ACCOUNT else None
    return f"  .venv/bin/ecr-warden replay --aws events/{sample}.json\n" if sample else ""


def _wait_for_ever() -> None:
    while True:
        time.sleep(_PAUSE_SECONDS)


def _react_for_ever(aws: "LocalAws", stack: "LocalStack", *, as_json: bool) -> None:
    while True:
        time.sleep(_PAUSE_SECONDS)
        caused = aws.react_if_anything_came(stack)
        if caused is not None:
            _show(caused, as_json=as_json)


def _show(caused: "Caused", *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(caused.as_json(), default=str))
    else:
        show_caused(console(), caused, title=time.strftime("%H:%M:%S"))
