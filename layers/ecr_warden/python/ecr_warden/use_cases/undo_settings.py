"""Taking back changes of settings: a repository's, the registry's documents, and creation templates."""

from collections.abc import Mapping
from typing import Any

from ecr_warden.domain.images import Change
from ecr_warden.domain.settings.documents import Document
from ecr_warden.domain.settings.plans import Setting
from ecr_warden.domain.settings.replication import replication_json
from ecr_warden.domain.settings.scanning import scanning_json
from ecr_warden.domain.settings.tag_mutability import mutability_json
from ecr_warden.domain.settings.templates import template_json, template_of
from ecr_warden.domain.undo_settings import decide_document, decide_setting, decide_tags, tags_back
from ecr_warden.domain.undoing import AsBefore, Impossible
from ecr_warden.errors import RefusedError
from ecr_warden.ports import RemovableSettings, RestorableTemplates
from ecr_warden.use_cases.registry_wide import only_writer
from ecr_warden.use_cases.settings_changes import REGISTRY_WIDE
from ecr_warden.use_cases.undo_ports import Undoing, Way


def way_of_setting(setting: Setting, undoing: Undoing) -> Way:
    """Look at a setting that a change wrote, and say what takes it back."""
    change, settings = undoing.change, undoing.registry.settings
    if setting is Setting.RESOURCE_TAGS:
        decision = decide_tags(change, settings.resource_tags(change.repository))
        return Way(decision, lambda: _put_tags_back(change, settings))
    decision = decide_setting(setting, change, _now(setting, change.repository, settings))
    if isinstance(decision, AsBefore):
        return Way(decision)
    if setting in REGISTRY_WIDE:
        return Way(decision, lambda: _put_document_back(setting, undoing))
    return Way(decision, lambda: _put_back(setting, change, settings))


def _now(setting: Setting, repository_name: str, settings: RemovableSettings) -> Mapping[str, Any] | None:
    """Read what a setting is, as the journal keeps it."""
    match setting:
        case Setting.TAG_MUTABILITY:
            return mutability_json(settings.describe(repository_name).mutability)
        case Setting.SCAN_ON_PUSH:
            return {"scan_on_push": settings.describe(repository_name).scan_on_push}
        case Setting.LIFECYCLE:
            return settings.lifecycle_policy(repository_name)
        case Setting.REPOSITORY_POLICY:
            return settings.repository_policy(repository_name)
        case Setting.REPLICATION:
            return replication_json(settings.replication())
        case _:
            return scanning_json(settings.scanning())


def _put_back(setting: Setting, change: Change, settings: RemovableSettings) -> None:
    if change.before is None:
        settings.remove(setting, change.repository)
    else:
        text = change.before_text
        settings.put(setting, change.repository, change.before if text is None else Document(text))


def _put_tags_back(change: Change, settings: RemovableSettings) -> None:
    back = tags_back(change, settings.resource_tags(change.repository))
    # Removed first: a repository may have as many as ECR allows.
    if back.remove:
        settings.remove(Setting.RESOURCE_TAGS, change.repository, back.remove)
    if back.put:
        settings.put(Setting.RESOURCE_TAGS, change.repository, back.put)


def _put_document_back(setting: Setting, undoing: Undoing) -> None:
    """Write a document of the registry as its only writer, if it still is as the change left it."""
    change, settings = undoing.change, undoing.registry.settings
    name = f"{change.account}/{change.region}/{setting}"
    with only_writer(name, undoing.entry.id, undoing.locks):
        decision = decide_setting(setting, change, _now(setting, change.repository, settings))
        if isinstance(decision, Impossible):
            raise RefusedError(decision.why)
        if not isinstance(decision, AsBefore):
            _put_back(setting, change, settings)


def way_of_template(undoing: Undoing) -> Way:
    """Look at a creation template that was made or changed, and say what takes that back."""
    change, templates = undoing.change, undoing.registry.templates
    now = {each.prefix: each for each in templates.templates()}.get(change.repository)
    name = f"creation template {change.repository}"
    decision = decide_document(name, change, None if now is None else template_json(now))
    if isinstance(decision, AsBefore):
        return Way(decision)
    return Way(decision, lambda: _put_template_back(change, templates))


def _put_template_back(change: Change, templates: RestorableTemplates) -> None:
    if change.before is None:
        templates.delete_template(change.repository)
    else:
        templates.replace_template(template_of(change.before))
