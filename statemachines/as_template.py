"""Write the sweep's definition as a template that has it itself, for cfn-lint to read."""

import json
import re
from pathlib import Path

import yaml

DEFINITION = Path(__file__).parent / "sweep.asl.yaml"


def as_template() -> str:
    """Give the template, with values as CloudFormation would put them in."""
    text = DEFINITION.read_text(encoding="utf-8").replace("${Partition}", "aws")
    text = re.sub(r"\$\{(\w+)\}", r"\1", text)
    properties = {
        "RoleArn": "arn:aws:iam::123456789012:role/sweep",
        "Definition": yaml.safe_load(text),
    }
    resources = {"Sweep": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}
    return json.dumps({"Resources": resources}, indent=1)


if __name__ == "__main__":
    print(as_template())
