"""What only taking changes back does through ECR's API: settings are removed, templates put back or deleted.

It is apart, as no function does it, and no function's role allows it.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from ecr_warden.adapters.aws import code_of, refusable
from ecr_warden.adapters.ecr_settings import EcrSettings
from ecr_warden.adapters.ecr_templates import EcrTemplates, template_arguments, template_written
from ecr_warden.domain.settings.plans import Setting
from ecr_warden.domain.settings.templates import CreationTemplate, template_json
from ecr_warden.errors import RefusedError

_GONE: Final = frozenset({"LifecyclePolicyNotFoundException", "RepositoryPolicyNotFoundException"})
# What a template that does not say anything of these is put back with.
_NOTHING: Final[Mapping[str, Any]] = {
    "description": "",
    "resourceTags": [],
    "repositoryPolicy": "",
    "lifecyclePolicy": "",
    "customRoleArn": "",
}


class RemovableEcrSettings(EcrSettings):
    """The settings of one account's registry in one Region, which can be taken away, too."""

    def remove(self, setting: Setting, repository_name: str, keys: Collection[str] = ()) -> None:
        """Remove a setting, that it is gone already is well; ``keys`` are those of resource tags."""
        with refusable(f"removing {setting} of {repository_name}"):
            try:
                self._remove(setting, repository_name, keys)
            except ClientError as error:
                if code_of(error) not in _GONE:
                    raise

    def _remove(self, setting: Setting, repository_name: str, keys: Collection[str]) -> None:
        match setting:
            case Setting.LIFECYCLE:
                self._client.delete_lifecycle_policy(repositoryName=repository_name)
            case Setting.REPOSITORY_POLICY:
                self._client.delete_repository_policy(repositoryName=repository_name)
            case Setting.RESOURCE_TAGS:
                self._client.untag_resource(resourceArn=self._arn(repository_name), tagKeys=sorted(keys))
            case _:
                raise TypeError(f"{setting} can be set, and not be removed")


class RestorableEcrTemplates(EcrTemplates):
    """The templates of one account's registry in one Region, which can be as they were before, too."""

    def replace_template(self, template: CreationTemplate) -> None:
        """Replace all of a template, also what it is to have no more; ``RefusedError`` where ECR keeps it."""
        what = f"putting back the creation template {template.prefix}"
        with template_written(what):
            # What is left out stays as it is.
            self._client.update_repository_creation_template(**{**_NOTHING, **template_arguments(template)})
        now = {each.prefix: each for each in self.templates()}.get(template.prefix)
        if now is None or template_json(now) != template_json(template):
            raise RefusedError(f"{what}: ECR took it, and the template is not as it was all the same")

    def delete_template(self, prefix: str) -> None:
        """Remove a template; ``RefusedError`` if there is none of the prefix."""
        with template_written(f"removing the creation template {prefix}"):
            self._client.delete_repository_creation_template(prefix=prefix)
