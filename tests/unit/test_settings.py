"""The functions' environment: what each needs, and what it says where that is missing."""

import pytest

from ecr_warden.domain.places import Place
from ecr_warden.errors import SettingsError
from ecr_warden.settings import (
    ActingSettings,
    ImageActionSettings,
    ImageScanSettings,
    NotifySettings,
    RegistryEventSettings,
    RepositoryCreatedSettings,
)

COMMON = ["ECR_WARDEN_POLICY_PATH", "ECR_WARDEN_METRICS_NAMESPACE"]
TELLING = [*COMMON, "ECR_WARDEN_OUTCOME_BUS_NAME"]
ACTING = [*TELLING, "ECR_WARDEN_ACCOUNT_ID", "AWS_REGION", "ECR_WARDEN_JOURNAL_TABLE_NAME"]
# What need not be there is empty then.
MEMBERS = ["ECR_WARDEN_MEMBER_ROLE_NAME", "ECR_WARDEN_EXTERNAL_ID"]
NEEDED = {
    ImageActionSettings: ACTING,
    ImageScanSettings: [*ACTING, "ECR_WARDEN_SCAN_TABLE_NAME"],
    RegistryEventSettings: TELLING,
    RepositoryCreatedSettings: [*ACTING, "ECR_WARDEN_CREATION_QUEUE_URL"],
    NotifySettings: [
        *COMMON,
        "ECR_WARDEN_DELIVERY_TABLE_NAME",
        "ECR_WARDEN_OUTBOX_TABLE_NAME",
        "ECR_WARDEN_TOPIC_ARN",
        "ECR_WARDEN_CHAT_TOPIC_ARN",
        "ECR_WARDEN_NOTIFY_QUEUE_URL",
        "ECR_WARDEN_NOTIFY_DEAD_LETTER_QUEUE_URL",
        "ECR_WARDEN_LOG_GROUP_NAME",
    ],
}
ALL_ACTING = [settings for settings in NEEDED if issubclass(settings, ActingSettings)]
MISSING = [(settings, name) for settings, names in NEEDED.items() for name in names]


def environment(settings):
    return {name: f"the {name}" for name in NEEDED[settings]}


@pytest.mark.parametrize("settings", NEEDED, ids=lambda settings: settings.__name__)
def test_settings_are_what_the_environment_says_each_in_its_field(settings):
    variables = environment(settings)
    if issubclass(settings, ActingSettings):
        variables |= {name: f"the {name}" for name in MEMBERS}
    read = vars(settings.read(variables | {"PATH": "/bin"}))
    assert sorted(read.values()) == sorted(variables.values())
    for field, value in read.items():
        # A queue's variable says which queue; the function has but one.
        assert value.removesuffix("_ID").endswith(field.upper().removesuffix("_ID"))


@pytest.mark.parametrize(("settings", "variable"), MISSING)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_a_setting_that_is_missing_or_empty_is_named_at_the_cold_start(settings, variable, value):
    variables = {**environment(settings), variable: value}
    with pytest.raises(SettingsError, match=f"^{variable} is not set"):
        settings.read({key: value for key, value in variables.items() if value is not None})


@pytest.mark.parametrize("settings", ALL_ACTING)
def test_where_one_account_is_all_there_is_no_role_of_others(settings):
    read = settings.read(environment(settings))
    assert (read.member_role_name, read.external_id) == ("", "")
    assert read.home == Place("the ECR_WARDEN_ACCOUNT_ID", "the AWS_REGION")
