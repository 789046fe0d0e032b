"""Clients of other accounts and Regions: whose credentials each has, and what is said where none are."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from ecr_warden.adapters import aws
from ecr_warden.adapters.accounts import Accounts
from ecr_warden.domain.places import Place
from ecr_warden.errors import AwsError, CredentialsError, RefusedError

HOME = Place("111111111111", "eu-west-1")
THERE = Place("222222222222", "us-east-1")


class Raw:
    def __init__(self, body):
        self._body = body

    def stream(self, **_):
        yield self._body


def answer(status, body):
    return AWSResponse("https://x", status, {"content-type": "text/xml"}, Raw(body.encode()))


class Aws:
    """A session whose STS answers here, with what it was asked."""

    def __init__(self, *, error=None, lasts=timedelta(hours=1), credentials=("own", "secret")):
        self.error, self.lasts = error, lasts
        self.asked, self.calls = [], []
        key, secret = credentials
        self.session = boto3.session.Session(aws_access_key_id=key, aws_secret_access_key=secret)
        self.session.events.register("before-send.sts.AssumeRole", self._assume)
        self.session.events.register("provide-client-params.sts.AssumeRole", self._note)

    def _note(self, params, **_):
        self.asked.append(dict(params))

    def _assume(self, request, **_):
        self.calls.append((request.url, request.headers["Authorization"]))
        if isinstance(self.error, Exception):
            raise self.error
        if self.error is not None:
            return answer(
                403,
                f"<ErrorResponse><Error><Code>{self.error}</Code><Message>no</Message></Error></ErrorResponse>",
            )
        ends = (datetime.now(UTC) + self.lasts).isoformat()
        return answer(
            200,
            "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
            f"<AccessKeyId>member{len(self.calls)}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
            f"<SessionToken>t</SessionToken><Expiration>{ends}</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>",
        )


def accounts(found, role="warden", external_id="the-id", **settings):
    return Accounts(HOME, role, external_id, session=found.session, **settings)


def key_of(client):
    """Give whose key signs a client's calls."""
    signed = []

    def note(request, **_):
        signed.append(request.headers["Authorization"].decode().split("Credential=")[1].split("/")[0])
        return AWSResponse("https://x", 200, {}, Raw(json.dumps({"repositories": []}).encode()))

    client.meta.events.register_first("before-send.ecr.DescribeRepositories", note)
    client.describe_repositories()
    return signed[-1]


def test_at_home_the_own_credentials_are_used_and_no_role_is_assumed():
    found = Aws()
    client = accounts(found).client("ecr", HOME)
    assert (key_of(client), client.meta.region_name) == ("own", "eu-west-1")
    assert not found.asked


def test_elsewhere_the_role_of_that_account_is_assumed_in_the_regions_own_endpoint_with_the_external_id():
    found = Aws()
    client = accounts(found).client("ecr", THERE)
    assert (key_of(client), client.meta.region_name) == ("member1", "us-east-1")
    assert found.asked == [
        {
            "RoleArn": "arn:aws:iam::222222222222:role/warden",
            "RoleSessionName": "ecr-warden",
            "ExternalId": "the-id",
        }
    ]
    assert [url for url, _ in found.calls] == ["https://sts.eu-west-1.amazonaws.com/"]


def test_another_region_of_the_own_account_is_acted_in_by_the_role_where_there_is_one():
    found = Aws()
    assert key_of(accounts(found).client("ecr", Place(HOME.account, "us-east-1"))) == "member1"
    assert found.asked[0]["RoleArn"] == "arn:aws:iam::111111111111:role/warden"


@pytest.mark.parametrize("role", [None, ""])
def test_without_a_role_the_own_account_is_acted_in_everywhere_and_no_other_anywhere(role):
    found = Aws()
    here = accounts(found, role)
    elsewhere = here.client("ecr", Place(HOME.account, "ap-south-1"))
    assert (key_of(elsewhere), elsewhere.meta.region_name) == ("own", "ap-south-1")
    with pytest.raises(RefusedError, match=r"222222222222/us-east-1.*MemberRoleName.*docs/accounts\.md"):
        here.client("ecr", THERE)
    assert not found.asked


@pytest.mark.parametrize("external_id", [None, ""])
def test_without_an_external_id_none_is_given(external_id):
    found = Aws()
    accounts(found, external_id=external_id).client("ecr", THERE)
    assert "ExternalId" not in found.asked[0]


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-west-1", "aws")]
)
def test_a_role_is_named_in_the_partition_of_its_region(region, partition):
    found = Aws()
    there = Accounts(Place(HOME.account, region), "warden", None, session=found.session)
    there.client("ecr", Place(THERE.account, region))
    assert found.asked[0]["RoleArn"] == f"arn:{partition}:iam::222222222222:role/warden"


def test_a_client_is_built_once_for_a_service_and_a_place_and_an_accounts_role_is_assumed_once():
    found = Aws()
    here = accounts(found)
    other_region = Place(THERE.account, "eu-west-1")
    assert here.client("ecr", THERE) is here.client("ecr", THERE)
    assert here.client("ecr", THERE) is not here.client("ecr", other_region)
    assert here.client("ecr", THERE) is not here.client("ecs", THERE)
    assert here.client("ecr", HOME) is here.client("ecr", HOME)
    assert len(found.calls) == 1


def test_many_threads_that_ask_at_once_get_one_client_and_assume_one_role():
    found = Aws()
    here, together = accounts(found), threading.Barrier(8)

    def ask(_):
        together.wait(10)
        return here.client("ecr", THERE)

    with ThreadPoolExecutor(8) as pool:
        clients = set(pool.map(ask, range(8)))
    assert len(clients) == len(found.calls) == 1


def test_credentials_that_are_about_to_end_are_renewed_by_themselves():
    found = Aws(lasts=timedelta(minutes=5))
    client = accounts(found).client("ecr", THERE)
    found.lasts = timedelta(hours=1)
    assert key_of(client) == "member2"
    assert key_of(client) == "member2"


@pytest.mark.parametrize("code", ["AccessDenied", "RegionDisabledException"])
def test_a_role_that_may_not_be_assumed_is_named_with_what_to_look_at(code):
    found = Aws(error=code)
    with pytest.raises(RefusedError) as raised:
        accounts(found).client("ecr", THERE)
    said = str(raised.value)
    assert "arn:aws:iam::222222222222:role/warden" in said
    assert "external id" in said
    assert "docs/accounts.md" in said
    # It may be mended while the function lives.
    found.error = None
    assert key_of(accounts(found).client("ecr", THERE)) == "member2"


def test_a_role_that_is_taken_away_later_is_said_at_the_call_that_meets_it():
    found = Aws(lasts=timedelta(minutes=5))
    client = accounts(found).client("ecr", THERE)
    found.error = "AccessDenied"
    with pytest.raises(RefusedError, match="assuming the role"), aws.translated("listing"):
        client.describe_repositories()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("ExpiredToken", CredentialsError),
        ("InvalidClientTokenId", CredentialsError),
        ("InternalError", AwsError),
        (EndpointConnectionError(endpoint_url="https://x"), AwsError),
    ],
)
def test_what_else_goes_wrong_at_sts_is_said_as_what_it_is(error, kind):
    config = Config(retries={"total_max_attempts": 1})
    with pytest.raises(kind, match="assuming the role arn:aws:iam::222222222222:role/warden"):
        accounts(Aws(error=error), config=config).client("ecr", THERE)


def test_one_accounts_role_that_may_not_be_assumed_hinders_no_other():
    found = Aws(error="AccessDenied")
    here = accounts(found)
    with pytest.raises(RefusedError):
        here.client("ecr", THERE)
    found.error = None
    assert key_of(here.client("ecr", Place("333333333333", "us-east-1"))) == "member2"
    assert key_of(here.client("ecr", HOME)) == "own"


def test_every_client_has_the_configuration_that_is_given():
    config = Config(max_pool_connections=37)
    here = accounts(Aws(), config=config)
    for place in (HOME, THERE):
        assert here.client("ecr", place).meta.config.max_pool_connections == 37
