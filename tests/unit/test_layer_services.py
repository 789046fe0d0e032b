"""The dependencies layer has what the functions ask of botocore: what is trimmed fails in Lambda alone."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ROOT / "layers/ecr_warden/python/ecr_warden"
ASKED = re.compile(r"\b(?:_?client|of_place|_built)\((?:self\.\w+, )?[\"']([a-z0-9]+)[\"']")


def trimmed():
    spec = importlib.util.spec_from_file_location("trim", ROOT / "layers/trim.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_layer_keeps_every_service_that_a_function_asks_for_and_no_other():
    asked = {name for path in CODE.rglob("*.py") for name in ASKED.findall(path.read_text(encoding="utf-8"))}
    assert asked == set(trimmed().SERVICES)
