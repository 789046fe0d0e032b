"""What a run looks at, by the parameters of the stack."""

import json

import pytest
from tests.sweep_bucket import FakeS3

from ecr_warden import sweep_wiring
from ecr_warden.errors import RefusedError
from ecr_warden.sweep_wiring import Places

OWN = "111111111111"
ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "ECR_WARDEN_POLICY_PATH": "policy.json",
    "ECR_WARDEN_METRICS_NAMESPACE": "EcrWarden",
    "ECR_WARDEN_ACCOUNT_ID": OWN,
    "ECR_WARDEN_REPORT_BUCKET_NAME": "bucket",
    "ECR_WARDEN_SWEEP_PLACES_AT_ONCE": "10",
    "ECR_WARDEN_SWEEP_BATCHES_AT_ONCE": "4",
    "ECR_WARDEN_SWEEP_TOLERATED_FAILURE_PERCENTAGE": "50",
}
EVENT = {"run": "run-1", "started_at": "2026-01-01T00:00:00+00:00"}
UNIT = "ou-a1b2-c3d4e5f6"


@pytest.fixture
def accounts_swept(monkeypatch):
    """Give what begins a run, and says which accounts it looks at."""

    def begun(*, in_units=(), **more):
        bucket = FakeS3()
        monkeypatch.setattr(sweep_wiring, "client", lambda _service: bucket)
        monkeypatch.setattr(sweep_wiring, "accounts_of", lambda _client, _units: tuple(in_units))
        environment = ENVIRONMENT | {f"ECR_WARDEN_SWEEP_{name.upper()}": text for name, text in more.items()}
        key = Places(environment).begin(EVENT)["places"]
        return [place["account"] for place in json.loads(bucket.objects[key])]

    return begun


def test_without_accounts_or_units_the_own_account_is_swept(accounts_swept):
    assert accounts_swept() == [OWN]


def test_accounts_that_are_named_and_those_in_units_are_swept_each_once(accounts_swept):
    named = "222222222222,333333333333"
    found = ["333333333333", "444444444444"]
    swept = accounts_swept(accounts=named, organizational_units=UNIT, in_units=found)
    assert swept == ["222222222222", "333333333333", "444444444444"]


def test_the_own_account_is_not_swept_where_units_were_meant_that_have_no_active_account(accounts_swept):
    with pytest.raises(RefusedError, match=f"there is no active account in {UNIT}: name other units"):
        accounts_swept(organizational_units=UNIT)
    assert accounts_swept(organizational_units=UNIT, accounts="222222222222") == ["222222222222"]
