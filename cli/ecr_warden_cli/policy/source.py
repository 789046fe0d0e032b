"""YAML as people write it: plain data, and where each part of it stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from ecr_warden_cli.policy.problems import Problem

Path = tuple[str | int, ...]
# Far more than people write, and few enough to be read at once.
MOST_PARTS: Final = 20_000
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Once it is plain data, nobody can tell on from yes. A number can be told, and where it stands.
_TAKEN_FOR: Final = {
    "tag:yaml.org,2002:bool": "true or false",
    "tag:yaml.org,2002:null": "nothing",
}


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
        _read_into(source, text, file)
    except RecursionError:
        source.problems.append(Problem(file, 1, 1, "the file is nested too deeply: a policy has five levels"))
    return source


class _Loader(yaml.SafeLoader):
    """Plain data, with dates and times as the texts that they are: whoever takes one says what is wrong.

    To YAML 1.1 22:00 is the number 1320, and 07:00 a text; to YAML 1.2, and editors, both are texts.
    """


_TIME_IS_TEXT: Final = ("tag:yaml.org,2002:str", re.compile(r"[0-9]+(:[0-9]+)+$", re.ASCII))
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _first in "0123456789":
    # The first that matches decides what a scalar is.
    _Loader.yaml_implicit_resolvers[_first].insert(0, _TIME_IS_TEXT)


def _read_into(source: Source, text: str, file: str) -> None:
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        source.problems.append(_yaml_problem(error, file, "not YAML"))
        return
    if node is None:
        source.problems.append(Problem(file, 1, 1, "the file is empty: a policy begins with version: 1"))
        return
    for mapping in _mappings(node, set()):
        source.problems += [*_duplicates(mapping, file), *_keys_that_lose_their_text(mapping, file)]
    try:
        _locate(node, (), source.positions, set())
        source.data = loader.construct_document(node)
    except yaml.YAMLError as error:
        source.problems.append(_yaml_problem(error, file, "not plain YAML"))
        return
    except ValueError as error:
        source.problems.append(Problem(file, 1, 1, f"a value cannot be read: {error}"))
        return


def _yaml_problem(error: yaml.YAMLError, file: str, what: str) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(file, 1, 1, f"{what}: {error}")
    mark = error.problem_mark or error.context_mark
    line, column = _place(mark) if mark else (1, 1)
    return Problem(file, line, column, f"{what}: {error.problem or error.context}")


def _place(mark: yaml.Mark) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _mappings(node: yaml.Node, seen: set[int]) -> Iterator[yaml.MappingNode]:
    """Give each mapping once, however many aliases lead to it."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value, seen)


def _keys(node: yaml.MappingNode) -> Iterator[yaml.ScalarNode]:
    # A key that is a list or a mapping is refused when the document is constructed.
    return (key for key, _ in node.value if isinstance(key, yaml.ScalarNode))


def _duplicates(node: yaml.MappingNode, file: str) -> Iterator[Problem]:
    keys: set[str] = set()
    for key in _keys(node):
        if key.value in keys:
            yield Problem(file, *_place(key.start_mark), f"{key.value} is there twice")
        keys.add(key.value)


def _keys_that_lose_their_text(node: yaml.MappingNode, file: str) -> Iterator[Problem]:
    for key in _keys(node):
        if key.value and key.tag in _TAKEN_FOR:
            message = (
                f'put {key.value} in quotes, as in "{key.value}": without them YAML takes it for '
                f"{_TAKEN_FOR[key.tag]}"
            )
            yield Problem(file, *_place(key.start_mark), message)


def _locate(node: yaml.Node, path: Path, positions: dict[Path, tuple[int, int]], above: set[int]) -> None:
    if id(node) in above:
        return
    positions.setdefault(path, _place(node.start_mark))
    if len(positions) > MOST_PARTS:
        problem = f"it has more than {MOST_PARTS} parts once its aliases are followed"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    if isinstance(node, yaml.ScalarNode) and _SURROGATE.search(node.value):
        problem = "half a surrogate pair is no character"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    above = above | {id(node)}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            # A key's own position is where people look for a section.
            positions[(*path, str(key.value))] = _place(key.start_mark)
            _locate(value, (*path, str(key.value)), positions, above)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _locate(value, (*path, index), positions, above)
