import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def push_event():
    def make(**detail):
        event = json.loads((ROOT / "events/ecr_image_action_push.json").read_text())
        event["detail"].update({name.replace("_", "-"): value for name, value in detail.items()})
        return event

    return make
