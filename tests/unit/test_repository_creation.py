"""CloudTrail's two shapes of a CreateRepository become one value."""

import contextlib
import copy
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.eventbridge import parse_repository_creation
from ecr_warden.errors import MalformedEventError

FOLDER = Path(__file__).parents[2] / "events"
CALL = json.loads((FOLDER / "eventbridge_cloudtrail_CreateRepository.json").read_text())
SERVICE = json.loads((FOLDER / "eventbridge_cloudtrail_CreateRepository_service_event.json").read_text())


def changed(event, **detail):
    event = copy.deepcopy(event)
    event["detail"] |= detail
    return event


def test_an_api_call_says_who_created_what():
    creation = parse_repository_creation(CALL)
    assert creation.repository_name == "testrepo"
    assert (creation.account, creation.region, creation.registry) == (
        "123456789012",
        "us-east-2",
        "123456789012",
    )
    assert creation.creator == "Mary_Major"
    assert creation.error_code is None


def test_a_service_event_has_the_name_elsewhere_and_no_parameters():
    creation = parse_repository_creation(SERVICE)
    assert creation.repository_name == "docker-hub/library/alpine"
    assert creation.creator == "ecr.amazonaws.com"


def test_replication_sends_its_own_service_event():
    event = changed(SERVICE, eventSource="replication.ecr.amazonaws.com")
    assert parse_repository_creation(event).repository_name == "docker-hub/library/alpine"


def test_a_call_that_failed_carries_its_error():
    event = changed(CALL, errorCode="RepositoryAlreadyExistsException", responseElements=None)
    assert parse_repository_creation(event).error_code == "RepositoryAlreadyExistsException"


def test_a_repository_of_another_registry_is_known_as_such():
    event = changed(CALL, requestParameters={"repositoryName": "a/b", "registryId": "222222222222"})
    assert parse_repository_creation(event).registry == "222222222222"


@pytest.mark.parametrize(
    ("identity", "creator"),
    [
        ({"arn": "arn:aws:sts::1:assumed-role/Deploy/gha-run-7"}, "Deploy/gha-run-7"),
        ({"arn": "arn:aws:iam::1:user/path/mary"}, "path/mary"),
        ({"arn": "arn:aws:iam::1:root"}, "root"),
        ({"userName": "mary"}, "mary"),
        ({"principalId": "AIDA"}, "AIDA"),
        ({"arn": None, "invokedBy": "ecr.amazonaws.com"}, "ecr.amazonaws.com"),
        ({}, None),
        (None, None),
        ({"userName": 7}, None),
        ({"userName": "a\nb"}, "a b"),
        (
            {
                "arn": "arn:aws:sts::1:assumed-role/deploy/GitHubActions",
                "sessionContext": {
                    "webIdFederationData": {
                        "federatedProvider": (
                            "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"
                        )
                    }
                },
            },
            "deploy/GitHubActions (GitHub Actions)",
        ),
    ],
)
def test_whoever_created_it_is_named_as_people_would(identity, creator):
    assert parse_repository_creation(changed(CALL, userIdentity=identity)).creator == creator


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ([], "event"),
        ({**CALL, "detail-type": "ECR Image Action"}, "detail-type"),
        ({**CALL, "detail": None}, "detail"),
        ({**CALL, "account": ""}, "account"),
        ({**CALL, "time": "yesterday"}, "time"),
        (changed(CALL, eventName="DeleteRepository"), "detail.eventName"),
        (changed(CALL, eventSource="ecr-public.amazonaws.com"), "detail.eventSource"),
        (changed(CALL, requestParameters=None), "detail"),
        (changed(CALL, requestParameters=[]), "detail.requestParameters"),
        (changed(CALL, requestParameters={"repositoryName": 7}), "detail.requestParameters.repositoryName"),
        (
            changed(SERVICE, serviceEventDetails={"repositoryName": "a\x00"}),
            "detail.serviceEventDetails.repositoryName",
        ),
        (changed(CALL, errorCode=7), "detail.errorCode"),
    ],
)
def test_an_event_of_another_form_is_refused_with_the_field(event, field):
    with pytest.raises(MalformedEventError) as raised:
        parse_repository_creation(event)
    assert raised.value.field == field


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("userIdentity", "requestParameters", "serviceEventDetails", "errorCode", "eventName", "eventSource")


@given(st.sampled_from([CALL, SERVICE]), st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_whatever_is_in_an_event_it_is_read_or_refused(event, detail):
    with contextlib.suppress(MalformedEventError):
        assert parse_repository_creation(changed(event, **detail)).repository_name
