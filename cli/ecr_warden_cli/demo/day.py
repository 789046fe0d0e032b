"""A day of a registry, step by step."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ecr_warden.domain.policy import Policy
from ecr_warden_cli.caused import Caused
from ecr_warden_cli.demo.creations import Creations
from ecr_warden_cli.demo.pushes import Pushes
from ecr_warden_cli.demo.registry import RegistryEvents
from ecr_warden_cli.demo.scans import Scans
from ecr_warden_cli.demo.scene import Scene
from ecr_warden_cli.demo.sweep import Sweep
from ecr_warden_cli.demo.telling import Telling
from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION, LocalAws

POLICY: Final = Path(__file__).parent / "policy.yaml"


@dataclass(frozen=True)
class Shown:
    """One step: what was done, what came of it, and what of it is not as it should be."""

    title: str
    caused: Caused
    problems: tuple[str, ...]


class Demo:
    """A day of a registry."""

    def __init__(self, aws: LocalAws, policy: Policy) -> None:
        self._aws = aws
        self._stack = aws.stack(DEFAULT_ACCOUNT, DEFAULT_REGION)
        scene = Scene(aws)
        self.sweep = Sweep(scene, policy)
        chapters = (
            Pushes(scene),
            Creations(scene),
            Scans(scene),
            RegistryEvents(scene),
            Telling(scene),
            self.sweep,
        )
        self.steps = tuple(step for chapter in chapters for step in chapter.steps)

    def run(self) -> Iterator[Shown]:
        """Take the steps one by one."""
        for step in self.steps:
            caused = self._aws.watch(step.act, self._stack)
            yield Shown(step.title, caused, tuple(step.problems(caused)))
