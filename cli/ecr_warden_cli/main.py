"""The ecr-warden command: thin, over the same code that the functions run."""

import dataclasses
import json
import sys
from pathlib import Path

import click

from ecr_warden.domain.resolution import resolve_tags
from ecr_warden.domain.tag_rules import tag_problem
from ecr_warden_cli.policy.check import Checked, check_policy


@click.group()
@click.version_option(package_name="ecr-warden")
def main() -> None:
    """Keep Amazon ECR registries in order, by one policy file."""


def _checked(policy: Path) -> Checked:
    try:
        text = policy.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{policy} is not UTF-8 text: {error}") from error
    return check_policy(text, str(policy))


@main.command()
@click.argument("policy", type=click.Path(exists=True, dir_okay=False, path_type=Path), default="policy.yaml")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def check(policy: Path, *, as_json: bool) -> None:
    """Check a policy file: exit status 0, or 1 with every error at once."""
    checked = _checked(policy)
    if as_json:
        problems = [dataclasses.asdict(problem) for problem in checked.problems]
        click.echo(json.dumps({"valid": checked.policy is not None, "problems": problems}))
    else:
        for problem in checked.problems:
            click.echo(str(problem), err=True)
        if checked.policy is not None:
            click.echo(f"{policy}: valid, {len(checked.policy.rules)} rules")
    sys.exit(checked.policy is None)


@main.command()
@click.argument("image", metavar="REPOSITORY[:TAG]")
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default="policy.yaml",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def explain(image: str, policy: Path, *, as_json: bool) -> None:
    """Say which rule decides for a repository, and whether a tag would pass."""
    checked = _checked(policy)
    if checked.policy is None:
        raise click.ClickException("\n".join(map(str, checked.problems)))
    repository, _, tag = image.partition(":")
    resolution = resolve_tags(checked.policy, repository)
    problem = tag_problem(tag, resolution.rules) if tag and resolution.rules else None
    if as_json:
        found = dataclasses.asdict(resolution) | {
            "repository": repository,
            "tag": tag or None,
            "problem": problem,
        }
        click.echo(json.dumps(found, default=sorted))
        return
    for passed in resolution.passed_over:
        click.echo(f"passed over {policy}:{passed.line} {list(passed.match)}: {passed.reason}")
    if resolution.rule is None:
        click.echo(f"tags: no rule decides for {repository}")
        return
    where = f"{policy}:{resolution.rule.line} {list(resolution.rule.match)}"
    click.echo(f"tags: {where} decides, in {resolution.mode} mode")
    if tag:
        click.echo(f"{tag} would pass" if problem is None else f"{tag} would not pass: {problem}")
