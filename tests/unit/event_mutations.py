"""Events as nobody promised them: the samples with any node dropped or replaced."""

import copy
import json
from pathlib import Path

from hypothesis import strategies as st

FOLDER = Path(__file__).parents[2] / "events"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
DROPPED = object()


def sample(name, **detail):
    event = json.loads((FOLDER / f"{name}.json").read_text())
    event["detail"] |= {key.replace("_", "-"): value for key, value in detail.items()}
    return event


def paths(node, path=()):
    yield path
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield from paths(value, (*path, key))


def with_node(event, path, value):
    """Give an event with one node replaced, or dropped."""
    event = copy.deepcopy(event)
    parent = event
    for key in path[:-1]:
        parent = parent[key]
    if value is DROPPED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return event


@st.composite
def mutated(draw, names):
    """Draw one of some samples, with one or two nodes dropped or replaced."""
    event = sample(draw(st.sampled_from(names)))
    for _ in range(draw(st.integers(1, 2))):
        nodes = [path for path in paths(event) if path]
        if nodes:
            event = with_node(event, draw(st.sampled_from(nodes)), draw(st.just(DROPPED) | JSON))
    return event
