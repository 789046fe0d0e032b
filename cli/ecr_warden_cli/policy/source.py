"""YAML as people write it: plain data, and where each part of it stands."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ecr_warden_cli.policy.problems import Problem

Path = tuple[str | int, ...]


@dataclass
class Source:
    """A parsed file: its data, the position of each path, and what YAML itself made wrong."""

    data: Any = None
    positions: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def position(self, path: Path) -> tuple[int, int]:
        """Give the line and column of a path, or of the nearest part above it."""
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path, (1, 1))


def read_source(text: str, file: str) -> Source:
    """Parse YAML without tags or anchors' surprises; duplicate keys and broken syntax are problems."""
    source = Source()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        source.problems.append(Problem(file, line, column, f"not YAML: {error.problem or error.context}"))
        return source
    except yaml.YAMLError as error:
        source.problems.append(Problem(file, 1, 1, f"not YAML: {error}"))
        return source
    if node is None:
        source.problems.append(Problem(file, 1, 1, "the file is empty: a policy begins with version: 1"))
        return source
    for problem in _duplicates(node, file):
        source.problems.append(problem)
    try:
        source.data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        source.problems.append(Problem(file, line, column, f"not plain YAML: {error.problem}"))
        return source
    except ValueError as error:
        source.problems.append(Problem(file, 1, 1, f"a value cannot be read: {error}"))
        return source
    _locate(node, (), source.positions, set())
    return source


def _duplicates(node: yaml.Node, file: str, seen: set[int] | None = None) -> Iterator[Problem]:
    seen = set() if seen is None else seen
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if key.value in keys:
                mark = key.start_mark
                yield Problem(file, mark.line + 1, mark.column + 1, f"{key.value} is there twice")
            if isinstance(key.value, str):
                keys.add(key.value)
            yield from _duplicates(value, file, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _duplicates(value, file, seen)


def _locate(node: yaml.Node, path: Path, positions: dict[Path, tuple[int, int]], above: set[int]) -> None:
    if id(node) in above:
        return
    mark = node.start_mark
    positions.setdefault(path, (mark.line + 1, mark.column + 1))
    above = above | {id(node)}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            # A key's own position is where people look for a section.
            positions[(*path, str(key.value))] = (key.start_mark.line + 1, key.start_mark.column + 1)
            _locate(value, (*path, str(key.value)), positions, above)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _locate(value, (*path, index), positions, above)
