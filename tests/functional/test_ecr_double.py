"""The double of ECR: pages, repositories, and CloudTrail's events of them."""

import json
from itertools import pairwise
from pathlib import Path

import boto3
import pytest
from double import ACCOUNT, REGION, double, error_of
from moto.server import ThreadedMotoServer

from ecr_warden_cli.local.ecr_double import create_by_service, make_repository

INVALID = "InvalidParameterException"
CALL, SERVICE = "AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"


@pytest.fixture
def registry():
    with double() as found:
        yield found


@pytest.fixture(params=["in process", "as a server"])
def many(request, registry):
    """Make 250 repositories, and an image with 150 tags beside 100 without."""
    for number in range(250):
        make_repository(registry.backend, f"team/r{number:03}")
    make_repository(registry.backend, "team/app")
    registry.push(*(f"t{number}" for number in range(150)))
    for number in range(2, 102):
        registry.push(seed=str(number))
    if request.param == "in process":
        yield registry
        return
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    registry.ecr = boto3.client(
        "ecr",
        region_name=REGION,
        endpoint_url=f"http://{host}:{port}",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    yield registry
    server.stop()


@pytest.mark.parametrize(
    ("operation", "key", "named", "count"),
    [
        ("describe_repositories", "repositories", {}, 251),
        ("describe_images", "imageDetails", {"repositoryName": "team/app"}, 101),
        ("list_images", "imageIds", {"repositoryName": "team/app"}, 250),
    ],
)
def test_a_list_comes_in_pages(many, operation, key, named, count):
    call = getattr(many.ecr, operation)
    answer = call(**named)
    assert len(answer[key]) == 100
    second = call(**named, maxResults=1000, nextToken=answer["nextToken"])
    assert "nextToken" not in second
    items = [json.dumps(item, default=str) for item in answer[key] + second[key]]
    assert len(set(items)) == count
    pages = list(many.ecr.get_paginator(operation).paginate(**named, PaginationConfig={"PageSize": 60}))
    assert [len(page[key]) for page in pages] == [60] * (count // 60) + [count % 60]
    assert error_of(call, **named, maxResults=1001) == INVALID
    for token in ("x", "bm90aGluZw==", "é"):
        assert error_of(call, **named, nextToken=token) == INVALID


def test_a_token_is_of_one_call_only(registry):
    for name in ("a/one", "a/two"):
        make_repository(registry.backend, name)
    token = registry.ecr.describe_repositories(maxResults=1)["nextToken"]
    assert error_of(registry.ecr.list_images, repositoryName="a/one", nextToken=token) == INVALID


def test_what_is_named_has_no_pages(registry):
    make_repository(registry.backend, "team/app")
    digest = registry.push("a")
    describe, images = registry.ecr.describe_repositories, registry.ecr.describe_images
    assert len(describe(repositoryNames=["team/app"])["repositories"]) == 1
    assert error_of(describe, repositoryNames=["team/app"], maxResults=5) == INVALID
    assert error_of(describe, repositoryNames=["team/app"], nextToken="x") == INVALID
    assert error_of(describe, repositoryNames=[f"r{number}" for number in range(101)]) == INVALID
    assert error_of(describe, repositoryNames=["team/none"]) == "RepositoryNotFoundException"
    assert error_of(describe, registryId="1") == INVALID
    named = {"repositoryName": "team/app", "imageIds": [{"imageTag": "a"}, {"imageDigest": digest}]}
    assert [image["imageTags"] for image in images(**named)["imageDetails"]] == [["a"]]
    assert error_of(images, **named, maxResults=5) == INVALID
    assert error_of(images, repositoryName="team/app", imageIds=[{"imageTag": "b"}]) == (
        "ImageNotFoundException"
    )


def test_images_are_filtered_by_whether_they_have_tags(registry):
    make_repository(registry.backend, "team/app")
    tagged, untagged = registry.push("a", "b", seed="1"), registry.push(seed="2")
    for status, digests in (("TAGGED", [tagged]), ("UNTAGGED", [untagged]), ("ANY", [tagged, untagged])):
        asked = {"repositoryName": "team/app", "filter": {"tagStatus": status}}
        found = registry.ecr.describe_images(**asked)["imageDetails"]
        assert [image["imageDigest"] for image in found] == digests
        listed = registry.ecr.list_images(**asked)["imageIds"]
        assert list(dict.fromkeys(item["imageDigest"] for item in listed)) == digests


def exclusions(*wildcards):
    return {
        "imageTagMutabilityExclusionFilters": [
            {"filterType": "WILDCARD", "filter": wildcard} for wildcard in wildcards
        ]
    }


@pytest.mark.parametrize("is_new", [True, False])
def test_exclusions_go_with_the_modes_that_have_them(registry, is_new):
    def put(mode, **filters):
        if is_new:
            registry.backend.repositories.pop("team/app", None)
            return registry.ecr.create_repository(
                repositoryName="team/app", imageTagMutability=mode, **filters
            )["repository"]
        make_repository(registry.backend, "team/app")
        return registry.ecr.put_image_tag_mutability(
            repositoryName="team/app", imageTagMutability=mode, **filters
        )

    good = exclusions("dev-*", "*", "a.b_c", "x" * 128, "q")
    answer = put("IMMUTABLE_WITH_EXCLUSION", **good)
    (shown,) = registry.ecr.describe_repositories()["repositories"]
    for given in (answer, shown):
        assert given["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
        assert {key: given[key] for key in good} == good
    registry.backend.repositories.clear()
    for bad in (exclusions(*"abcdef"), exclusions("a/b"), exclusions("x" * 129), {}):
        assert error_of(put, mode="MUTABLE_WITH_EXCLUSION", **bad) == INVALID
        registry.backend.repositories.clear()
    assert error_of(put, mode="IMMUTABLE", **exclusions("a")) == INVALID
    registry.backend.repositories.clear()
    regex = {"imageTagMutabilityExclusionFilters": [{"filterType": "REGEX", "filter": "a"}]}
    assert error_of(put, mode="MUTABLE_WITH_EXCLUSION", **regex) == INVALID


def test_a_plain_mode_takes_the_exclusions_away(registry):
    make_repository(
        registry.backend,
        "team/app",
        {"imageTagMutability": "MUTABLE_WITH_EXCLUSION", **exclusions("a")},
    )
    registry.ecr.put_image_tag_mutability(repositoryName="team/app", imageTagMutability="IMMUTABLE")
    (shown,) = registry.ecr.describe_repositories()["repositories"]
    assert "imageTagMutabilityExclusionFilters" not in shown


def test_what_create_repository_refuses(registry):
    create = registry.ecr.create_repository
    create(repositoryName="team/a--b")
    assert error_of(create, repositoryName="Team/App") == INVALID
    tags = [{"Key": str(number), "Value": ""} for number in range(51)]
    assert error_of(create, repositoryName="a/b", tags=tags) == "TooManyTagsException"
    long = [{"Key": "k" * 129, "Value": ""}]
    assert error_of(create, repositoryName="a/b", tags=long) == "InvalidTagParameterException"
    assert "a/b" not in registry.backend.repositories


def sample(name):
    path = Path(__file__).parents[2] / "events" / f"eventbridge_cloudtrail_{name}.json"
    return json.loads(path.read_text())["detail"]


def test_a_call_of_create_repository_is_in_cloudtrail_as_it_was_given(registry):
    asked = {"repositoryName": "team/app", "tags": [{"Key": "team", "Value": "a"}]}
    registry.ecr.create_repository(**asked)
    (detail,) = registry.details(CALL)
    documented = sample("CreateRepository")
    assert documented.keys() <= detail.keys()
    assert documented["userIdentity"].keys() <= detail["userIdentity"].keys()
    assert documented["responseElements"]["repository"].keys() == (
        detail["responseElements"]["repository"].keys()
    )
    assert detail["requestParameters"] == asked
    assert detail["responseElements"]["repository"]["repositoryName"] == "team/app"
    assert detail["userIdentity"]["type"] == "AssumedRole"
    assert "errorCode" not in detail


@pytest.mark.parametrize(
    ("name", "code"), [("team/app", "RepositoryAlreadyExistsException"), ("Team", INVALID)]
)
def test_a_call_that_failed_is_in_cloudtrail_with_its_error(registry, name, code):
    make_repository(registry.backend, "team/app")
    assert error_of(registry.ecr.create_repository, repositoryName=name) == code
    (detail,) = registry.details(CALL)
    assert (detail["errorCode"], detail["responseElements"]) == (code, None)
    assert detail["errorMessage"]
    assert detail["requestParameters"]["repositoryName"] == name


def test_a_repository_that_was_always_there_is_in_no_event(registry):
    make_repository(registry.backend, "team/app", {"tags": [{"Key": "a", "Value": "b"}]})
    (shown,) = registry.ecr.describe_repositories()["repositories"]
    found = registry.ecr.list_tags_for_resource(resourceArn=shown["repositoryArn"])
    assert found["tags"] == [{"Key": "a", "Value": "b"}]
    assert registry.events == []


def template(registry, prefix, *reasons, **settings):
    registry.ecr.create_repository_creation_template(
        prefix=prefix, appliedFor=list(reasons or ("CREATE_ON_PUSH",)), **settings
    )


def mutability(registry, name):
    (shown,) = registry.ecr.describe_repositories(repositoryNames=[name])["repositories"]
    return shown["imageTagMutability"]


def test_a_push_creates_a_repository_by_the_most_specific_template(registry):
    template(registry, "ROOT", imageTagMutability="MUTABLE")
    template(registry, "team", imageTagMutability="IMMUTABLE_WITH_EXCLUSION", **exclusions("dev"))
    template(registry, "team/web/", imageTagMutability="IMMUTABLE")
    template(registry, "team/web/x", "REPLICATION")
    names = ["teams/app", "team/app", "team/web/x/app"]
    for name in names:
        registry.push("v1", repository=name)
    modes = [mutability(registry, name) for name in names]
    assert modes == ["MUTABLE", "IMMUTABLE_WITH_EXCLUSION", "IMMUTABLE"]
    kinds = [kind for kind, _ in registry.events]
    assert all(pair == (SERVICE, "ECR Image Action") for pair in list(pairwise(kinds))[::2])
    registry.push("v2", repository="team/app")
    assert len(registry.details(SERVICE)) == 3


def test_a_push_without_a_template_creates_nothing(registry):
    template(registry, "team")
    template(registry, "ROOT", "PULL_THROUGH_CACHE")
    assert error_of(registry.push, repository="other/app") == "RepositoryNotFoundException"
    assert (registry.events, registry.backend.repositories) == ([], {})


POLICY = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "description": "few",
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9},
                "action": {"type": "expire"},
            }
        ]
    }
)


@pytest.mark.parametrize(
    ("reason", "source"),
    [
        ("PULL_THROUGH_CACHE", "ecr.amazonaws.com"),
        ("REPLICATION", "replication.ecr.amazonaws.com"),
        ("CREATE_ON_PUSH", "ecr.amazonaws.com"),
    ],
)
def test_what_ecr_creates_has_the_templates_settings_and_a_service_event(registry, reason, source):
    tags, key = [{"Key": "team", "Value": "a"}], f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
    settings = {
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": key},
        "resourceTags": tags,
        "customRoleArn": f"arn:aws:iam::{ACCOUNT}:role/r",
        "lifecyclePolicy": POLICY,
        "repositoryPolicy": "{}",
    }
    template(registry, "hub", reason, **settings)
    for name in ("hub/alpine", "other"):
        create_by_service(lambda *event: registry.events.append(event[2:]), registry.backend, name, reason)
    (shown,) = registry.ecr.describe_repositories(repositoryNames=["hub/alpine"])["repositories"]
    assert shown["encryptionConfiguration"] == settings["encryptionConfiguration"]
    assert registry.ecr.list_tags_for_resource(resourceArn=shown["repositoryArn"])["tags"] == tags
    named = {"repositoryName": "hub/alpine"}
    assert registry.ecr.get_lifecycle_policy(**named)["lifecyclePolicyText"] == POLICY
    assert registry.ecr.get_repository_policy(**named)["policyText"] == "{}"
    detail, other = registry.details(SERVICE)
    documented = sample("CreateRepository_service_event")
    assert detail.keys() == documented.keys()
    assert detail["requestParameters"] is None
    assert detail["eventSource"] == source
    assert detail["userIdentity"]["invokedBy"] == "ecr.amazonaws.com"
    assert detail["serviceEventDetails"] == named
    assert other["serviceEventDetails"] == {"repositoryName": "other"}
    assert mutability(registry, "other") == "MUTABLE"
