"""Whoever called is named as people would, however CloudTrail says it."""

import re

import pytest
from event_mutations import JSON
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.cloudtrail import caller_name
from ecr_warden.domain.identity import Caller, is_own, name_caller

ACCOUNT = "123456789012"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/"


def session(role, name, **context):
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{name}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}",
        "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "sessionContext": {"sessionIssuer": {"type": "Role", "userName": role}} | context,
    }


def vouched_for_by(provider, name="run-7"):
    return session("deploy", name, webIdFederationData={"federatedProvider": provider, "attributes": {}})


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ({"type": "IAMUser", "arn": "arn:aws:iam::1:user/mary", "userName": "mary"}, "mary"),
        ({"type": "IAMUser", "arn": "arn:aws:iam::1:user/team/mary"}, "team/mary"),
        ({"type": "Root", "arn": "arn:aws:iam::1:root", "principalId": "1"}, "root"),
        ({"type": "FederatedUser", "arn": "arn:aws:sts::1:federated-user/bob"}, "bob"),
        ({"type": "FederatedUser", "principalId": "1:bob"}, "bob"),
        ({"type": "WebIdentityUser", "principalId": "cognito:app:7", "userName": "user 7"}, "user 7"),
        (
            {"type": "SAMLUser", "principalId": "SgRGHdMO:mary", "userName": "mary@example.com"},
            "mary@example.com",
        ),
        ({"type": "AWSService", "invokedBy": "ecr.amazonaws.com"}, "ecr.amazonaws.com"),
        ({"type": "AWSAccount", "principalId": "AIDAEXAMPLE", "accountId": "2"}, "account 2"),
        ({"type": "AWSAccount", "principalId": "AROAEXAMPLE:mary", "accountId": "2"}, "mary of account 2"),
        # A user who has been deleted is known by an id alone.
        ({"type": "IAMUser", "principalId": "AIDACKCEVSQ6C2EXAMPLE"}, None),
        ({"type": "AssumedRole", "principalId": "AROACKCEVSQ6C2EXAMPLE"}, None),
        ({}, None),
        (None, None),
        ("mary", None),
        ({"type": "Unknown", "userName": 7, "arn": [], "sessionContext": "x"}, None),
    ],
)
def test_who_is_no_role_is_named_by_what_its_type_has(identity, name):
    assert caller_name(identity) == name


def test_a_role_is_named_with_its_session():
    assert caller_name(session("deploy", "mary")) == "deploy/mary"
    assert caller_name({"arn": "arn:aws:sts::1:assumed-role/deploy/mary"}) == "deploy/mary"


def test_a_role_without_an_arn_is_named_by_its_issuer_and_the_principal():
    assert caller_name(session("deploy", "mary") | {"arn": None}) == "deploy/mary"
    assert caller_name({"type": "AssumedRole", "principalId": "AROAEXAMPLE:mary"}) == "mary"


def test_a_person_of_iam_identity_center_is_named_with_the_permission_set():
    identity = session("AWSReservedSSO_Power_User_0123456789abcdef", "mary@example.com")
    assert caller_name(identity) == "Power_User/mary@example.com (IAM Identity Center)"


@pytest.mark.parametrize(
    ("provider", "system"),
    [
        (f"{PROVIDER}token.actions.githubusercontent.com", "GitHub Actions"),
        (f"{PROVIDER}gitlab.com", "GitLab"),
        (f"{PROVIDER}oidc.circleci.com/org/{UUID}", "CircleCI"),
        (f"{PROVIDER}agent.buildkite.com", "Buildkite"),
        (
            f"{PROVIDER}api.bitbucket.org/2.0/workspaces/a/pipelines-config/identity/oidc",
            "Bitbucket Pipelines",
        ),
        (f"{PROVIDER}app.terraform.io", "HCP Terraform"),
        (f"{PROVIDER}oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE", "EKS"),
        ("token.actions.githubusercontent.com", "GitHub Actions"),
    ],
)
def test_a_session_is_named_with_the_system_whose_provider_vouched_for_it(provider, system):
    assert caller_name(vouched_for_by(provider)) == f"deploy/run-7 ({system})"


@pytest.mark.parametrize(
    "provider",
    [
        f"{PROVIDER}example.com",
        f"{PROVIDER}gitlab.example.co.uk",
        f"{PROVIDER}token.actions.githubusercontent.com.example.com",
        f"{PROVIDER}example.com/gitlab.com",
        "",
        7,
    ],
)
def test_a_provider_that_is_not_known_is_taken_for_none(provider):
    assert caller_name(vouched_for_by(provider)) == "deploy/run-7"


@pytest.mark.parametrize(
    "name", ["GitHubActions", "jenkins-mary", "GitLabRunner-1-2", "0123456789abcdef" * 2]
)
@pytest.mark.parametrize(
    "provider",
    [
        "accounts.google.com",
        f"{PROVIDER}corp.okta.com",
        f"arn:aws:iam::{ACCOUNT}:saml-provider/okta",
        "cognito-identity.amazonaws.com",
    ],
)
def test_where_another_provider_vouched_for_a_session_its_name_says_nothing(provider, name):
    assert caller_name(vouched_for_by(provider, name)) == f"deploy/{name}"


@pytest.mark.parametrize(
    ("host", "name", "system"),
    [
        ("gitlab.example.co.uk", "GitLabRunner-12-3456", " (GitLab)"),
        ("gitlab.example.co.uk", "GitHubActions", ""),
        ("gitlab.example.co.uk", "mary", ""),
        ("git.example.co.uk", "GitLabRunner-12-3456", ""),
        ("token.actions.githubusercontent.com", "GitLabRunner-12-3456", " (GitHub Actions)"),
    ],
)
def test_a_gitlab_of_ones_own_is_one_where_its_host_and_the_session_both_say_so(host, name, system):
    assert caller_name(vouched_for_by(PROVIDER + host, name)) == f"deploy/{name}{system}"


@pytest.mark.parametrize(
    ("name", "system"),
    [
        ("GitHubActions", "GitHub Actions"),
        ("GitLabRunner-12-3456", "GitLab"),
        (f"AWSCodeBuild-{UUID}", "CodeBuild"),
        (f"buildkite-job-{UUID}", "Buildkite"),
        ("CircleCI-build-7", "CircleCI"),
        ("Jenkins-api-7", "Jenkins"),
        (f"eks-main-api-7d4b9c-{UUID}", "EKS"),
        ("i-0123456789abcdef0", "EC2 instance"),
        ("0123456789abcdef" * 2, "ECS task"),
    ],
)
def test_a_session_that_kept_its_usual_name_is_named_with_its_system(name, system):
    assert caller_name(session("deploy", name)) == f"deploy/{name} ({system})"


@pytest.mark.parametrize(
    "name", ["GitHubActionsFan", "i-am-mary", "AWSCodeBuild-mary", "eks-mary", "jenkinson"]
)
def test_a_name_that_only_begins_like_a_systems_is_a_name(name):
    assert caller_name(session("deploy", name)) == f"deploy/{name}"


def test_a_function_is_known_by_whom_its_session_was_issued_for():
    identity = session("sync", "sync-images") | {"inScopeOf": {"issuerType": "AWS::Lambda::Function"}}
    assert caller_name(identity) == "sync/sync-images (Lambda)"


@pytest.mark.parametrize("name", ["0123456789abcdef" * 2, "GitHubActions"])
def test_a_session_that_was_issued_for_something_else_is_not_named_by_its_name(name):
    other = session("sync", name) | {"inScopeOf": {"issuerType": "AWS::SomethingNew::Thing"}}
    assert caller_name(other) == f"sync/{name}"
    function = session("sync", name) | {"inScopeOf": {"issuerType": "AWS::Lambda::Function"}}
    assert caller_name(function) == f"sync/{name} (Lambda)"


def test_a_session_by_which_a_service_acts_is_no_task():
    task = "0123456789abcdef" * 2
    assert caller_name(session("sync", task) | {"invokedBy": "glue.amazonaws.com"}) == f"sync/{task}"


@pytest.mark.parametrize("unique_id", ["AIDACKCEVSQ6C2EXAMPLE", "AROACKCEVSQ6C2EXAMPLE"])
def test_nobody_is_named_by_a_unique_id(unique_id):
    assert caller_name({"userName": unique_id}) is None
    assert caller_name(session("deploy", unique_id)) == "deploy/…"


def test_nobody_is_named_by_an_access_key():
    key = "AKIAIOSFODNN7EXAMPLE"
    assert caller_name({"principalId": key, "accessKeyId": key}) is None
    assert caller_name({"accessKeyId": key}) is None
    assert caller_name(session("deploy", f"cli-{key}")) == "deploy/cli-…"


def test_ecr_wardens_own_function_is_known_by_its_role_and_name():
    own = session("ecr-warden-ImageActionRole-1A2B3C", "ecr-warden-ImageActionFunction-x9Y8z7")
    assert is_own(caller_name(own))
    assert is_own(caller_name(own | {"inScopeOf": {"issuerType": "AWS::Lambda::Function"}}))
    assert not is_own(caller_name(session("deploy", "ecr-warden-ImageActionFunction-x9Y8z7")))
    assert not is_own(None)


def hostile(name):
    return caller_name(session("deploy", name))


def test_what_cannot_be_printed_is_replaced_and_what_is_long_is_cut():
    assert hostile("a\nb\u202ec\x00") == "deploy/a b\ufffdc\ufffd"
    assert len(hostile("x" * 5000)) == 200


IDENTITIES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["IAMUser", "AssumedRole", "AWSAccount", "Root"]) | JSON,
        "arn": st.text() | st.just("arn:aws:sts::1:assumed-role/a/b") | JSON,
        "userName": JSON,
        "principalId": st.from_regex(r"A(KI|SI|ID|RO)A[0-9A-Z]{16}", fullmatch=True) | JSON,
        "accountId": JSON,
        "sessionContext": JSON | st.fixed_dictionaries({"webIdFederationData": JSON, "sessionIssuer": JSON}),
        "inScopeOf": JSON,
    },
)


@given(IDENTITIES | JSON)
def test_whatever_an_identity_is_its_name_is_short_printable_and_no_key_or_id(identity):
    name = caller_name(identity)
    if name is not None:
        assert 0 < len(name) <= 200
        assert name.isprintable()
        assert not re.search(r"A(KI|SI|ID|RO)A[0-9A-Z]{16}", name)


def test_nothing_at_all_names_nobody():
    assert name_caller(Caller()) is None
