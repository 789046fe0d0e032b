"""The SAM template as CloudFormation gets it, by SAM's own translator."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from ecr_warden_cli.local.errors import LocalAwsError

ROOT: Final = Path(__file__).parents[3]
Resource = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """A translated template, and where each function's code is."""

    document: dict[str, Any]
    code: Mapping[str, Path]

    @property
    def resources(self) -> dict[str, Resource]:
        """The resources by logical id."""
        return cast("dict[str, Resource]", self.document["Resources"])

    def of_type(self, resource_type: str) -> Iterator[tuple[str, Resource]]:
        """Go through the resources of a type, with their logical ids."""
        return ((name, item) for name, item in self.resources.items() if item["Type"] == resource_type)

    def state_of(self, rule: Resource) -> str:
        """Give the state of a rule; where a parameter decides it, as it is by default."""
        match rule["Properties"].get("State", "ENABLED"):
            case {"Ref": str(name)}:
                return str(self.document["Parameters"][name]["Default"])
            case state:
                return str(state)

    def is_made(self, resource: Resource) -> bool:
        """Tell whether a resource is there at all, by its condition and the parameters' defaults."""
        name = resource.get("Condition")
        return name is None or self._holds(self.document["Conditions"][name])

    def _holds(self, condition: object) -> bool:
        match condition:
            case {"Fn::Not": [inner]}:
                return not self._holds(inner)
            case {"Fn::Equals": [{"Ref": str(name)}, str(value)]}:
                return str(self.document["Parameters"][name]["Default"]) == value
        raise LocalAwsError(f"the template has a condition of a kind that is not known here: {condition}")


def logical_id(value: object) -> str:
    """Give the logical id that a ``Ref`` or a ``GetAtt`` of an ARN names, or raise ``LocalAwsError``."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), "Arn"]}:
            return name
    raise LocalAwsError(f"the template names a resource in a way that is not known here: {value}")


class _NoManagedPolicies:
    """The translator asks IAM for AWS's managed policies; this template names none."""

    def load(self) -> dict[str, str]:
        return {}


def load_template(path: Path = ROOT / "template.yaml") -> Template:
    """Read and translate a template, or raise ``LocalAwsError``."""
    try:
        source = cast("dict[str, Any]", yaml_parse(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise LocalAwsError(f"{path}: {error.strerror}: run this from a checkout of ECR Warden") from error
    code = {}
    for name, resource in source["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            code[name] = path.parent / properties["CodeUri"]
        for key in ("CodeUri", "ContentUri"):
            if key in properties:
                # The translator takes only what is packaged already.
                properties[key] = "s3://bucket/key"
        if "DefinitionUri" in properties:
            definition = path.parent / properties.pop("DefinitionUri")
            properties["Definition"] = yaml_parse(definition.read_text(encoding="utf-8"))
    with _any_region():
        return Template(transform(source, {}, _NoManagedPolicies()), code)


@contextmanager
def _any_region() -> Iterator[None]:
    """Give the translator a Region where there is none; it only asks in which partition it is."""
    before = os.environ.get("AWS_DEFAULT_REGION")
    os.environ["AWS_DEFAULT_REGION"] = before or "us-east-1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["AWS_DEFAULT_REGION"]
