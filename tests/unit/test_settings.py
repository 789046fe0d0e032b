"""The functions' environment: what each needs, and what it says where that is missing."""

import pytest

from ecr_warden.errors import SettingsError
from ecr_warden.settings import (
    ImageActionSettings,
    ImageScanSettings,
    NotifySettings,
    RegistryEventSettings,
    RepositoryCreatedSettings,
)

COMMON = ["POLICY_PATH", "METRICS_NAMESPACE"]
NEEDED = {
    ImageActionSettings: [*COMMON, "OUTCOME_BUS_NAME", "JOURNAL_TABLE_NAME"],
    ImageScanSettings: [*COMMON, "OUTCOME_BUS_NAME", "JOURNAL_TABLE_NAME", "SCAN_TABLE_NAME"],
    RegistryEventSettings: [*COMMON, "OUTCOME_BUS_NAME"],
    RepositoryCreatedSettings: [*COMMON, "OUTCOME_BUS_NAME", "JOURNAL_TABLE_NAME", "CREATION_QUEUE_URL"],
    NotifySettings: [
        *COMMON,
        "DELIVERY_TABLE_NAME",
        "OUTBOX_TABLE_NAME",
        "TOPIC_ARN",
        "CHAT_TOPIC_ARN",
        "NOTIFY_QUEUE_URL",
        "NOTIFY_DEAD_LETTER_QUEUE_URL",
        "LOG_GROUP_NAME",
    ],
}
MISSING = [(settings, name) for settings, names in NEEDED.items() for name in names]


def environment(settings):
    return {f"ECR_WARDEN_{name}": f"the {name}" for name in NEEDED[settings]}


@pytest.mark.parametrize("settings", NEEDED, ids=lambda settings: settings.__name__)
def test_settings_are_what_the_environment_says_each_in_its_field(settings):
    read = vars(settings.read(environment(settings) | {"AWS_REGION": "eu-west-1"}))
    assert sorted(read.values()) == sorted(environment(settings).values())
    for field, value in read.items():
        # A queue's variable says which queue; the function has but one.
        assert value.removeprefix("the ").endswith(field.upper())


@pytest.mark.parametrize(("settings", "name"), MISSING)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_a_setting_that_is_missing_or_empty_is_named_at_the_cold_start(settings, name, value):
    variable = f"ECR_WARDEN_{name}"
    variables = {**environment(settings), variable: value}
    with pytest.raises(SettingsError, match=f"^{variable} is not set"):
        settings.read({key: value for key, value in variables.items() if value is not None})
