"""Registries are compared with the policy, and what is found gathered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Policy
from ecr_warden.domain.sweep.visits import Visit
from ecr_warden.use_cases.sweep.ports import Scope, VisitPorts
from ecr_warden.wiring import utc_now
from ecr_warden_cli.commands.common import to_json
from ecr_warden_cli.commands.progress import Progress
from ecr_warden_cli.sweep.gathering import Gathering
from ecr_warden_cli.sweep.looking import Look
from ecr_warden_cli.sweep.plan_file import VERSION
from ecr_warden_cli.sweep.screen import Screen
from ecr_warden_cli.sweep.stopping import Stopping


def digest_of(policy: Policy) -> str:
    """Give what tells a policy from others, whatever its file is called and its comments say."""
    return sha256(to_json(replace(policy, file="")).encode()).hexdigest()


def head_of(policy_file: Path, policy: Policy, places: Sequence[Place]) -> Mapping[str, Any]:
    """Give what a plan says first."""
    return {
        "version": VERSION,
        "policy": str(policy_file),
        "policy_digest": digest_of(policy),
        "places": [str(place) for place in places],
        "made_at": utc_now().isoformat(),
    }


def look_into(  # noqa: PLR0913  # what is looked at, by what, and who is told
    gathering: Gathering,
    policy: Policy,
    scope: Scope,
    places: Sequence[Place],
    open_place: Callable[[Place], VisitPorts],
    *,
    screen: Screen,
    stopping: Stopping,
    is_quiet: bool,
) -> None:
    """Look at registries until all are, or somebody asks to stop."""
    with Progress("repositories looked at", one="repository looked at", is_quiet=is_quiet) as progress:
        look = Look(
            policy=policy,
            places=places,
            open_place=open_place,
            scope=scope,
            now=utc_now(),
            is_stopped=stopping.is_asked,
            counted=progress.set_total,
        )
        screen.aside = progress.hidden
        for found in look.visits():
            gathering.take(found)
            # A registry that cannot be looked at is no repository.
            if isinstance(found, Visit):
                progress.advance()
