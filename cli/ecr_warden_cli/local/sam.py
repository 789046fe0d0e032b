"""`sam local invoke` against the local AWS."""

import platform
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

from ecr_warden_cli.local.errors import LocalAwsError
from ecr_warden_cli.local.stack import LocalStack

_BUILT = "template.yaml"
# The container has the policy's layer; the rest is this process's own.
_OWN = (
    "ECR_WARDEN_POLICY_PATH",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_FUNCTION_NAME",
    "MOTO_ACCOUNT_ID",
)


def _architecture() -> str:
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"


def write_sam_template(path: Path, stack: LocalStack, endpoint_url: str) -> None:
    """Write a copy of the built template beside it, whose functions talk to the local AWS.

    SAM overrides only variables that a template declares, so that the endpoint has to be in it.
    """
    built = path.parent / _BUILT
    if not built.exists():
        raise LocalAwsError(f"{built} is not there: run sam build, and name a file beside it")
    template: dict[str, Any] = yaml_parse(built.read_text(encoding="utf-8"))
    for name, function in stack.functions.items():
        declared = {key: value for key, value in function.environment.items() if key not in _OWN}
        properties = template["Resources"][name]["Properties"]
        # A container runs fast only on the processor that it was made for.
        properties["Architectures"] = [_architecture()]
        properties.setdefault("Environment", {}).setdefault("Variables", {}).update(
            declared
            | {
                "AWS_ENDPOINT_URL": endpoint_url,
                "AWS_REGION": stack.region,
                "AWS_DEFAULT_REGION": stack.region,
                # moto takes any; whoever runs sam local may have none.
                "AWS_ACCESS_KEY_ID": "local",
                "AWS_SECRET_ACCESS_KEY": "local",
            }
        )
    path.write_text(yaml.safe_dump(template, sort_keys=False), encoding="utf-8")
