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
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        source.problems.append(_yaml_problem(error, file, "not YAML"))
        return source
    if node is None:
        source.problems.append(Problem(file, 1, 1, "the file is empty: a policy begins with version: 1"))
        return source
    source.problems.extend(_duplicates(node, file))
    try:
        source.data = loader.construct_document(node)
    except yaml.YAMLError as error:
        source.problems.append(_yaml_problem(error, file, "not plain YAML"))
        return source
    except ValueError as error:
        source.problems.append(Problem(file, 1, 1, f"a value cannot be read: {error}"))
        return source
    _locate(node, (), source.positions, set())
    return source


def _yaml_problem(error: yaml.YAMLError, file: str, what: str) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(file, 1, 1, f"{what}: {error}")
    mark = error.problem_mark or error.context_mark
    line, column = _place(mark) if mark else (1, 1)
    return Problem(file, line, column, f"{what}: {error.problem or error.context}")


def _place(mark: yaml.Mark) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _duplicates(node: yaml.Node, file: str, seen: set[int] | None = None) -> Iterator[Problem]:
    seen = set() if seen is None else seen
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            # A key that is a list or a mapping is refused when the document is constructed.
            if isinstance(key, yaml.ScalarNode):
                if key.value in keys:
                    yield Problem(file, *_place(key.start_mark), f"{key.value} is there twice")
                keys.add(key.value)
            yield from _duplicates(value, file, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _duplicates(value, file, seen)


def _locate(node: yaml.Node, path: Path, positions: dict[Path, tuple[int, int]], above: set[int]) -> None:
    if id(node) in above:
        return
    positions.setdefault(path, _place(node.start_mark))
    above = above | {id(node)}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            # A key's own position is where people look for a section.
            positions[(*path, str(key.value))] = _place(key.start_mark)
            _locate(value, (*path, str(key.value)), positions, above)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _locate(value, (*path, index), positions, above)
