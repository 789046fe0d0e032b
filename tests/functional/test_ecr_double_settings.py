"""The double of ECR: lifecycle policies, replication, scanning, creation templates."""

import json

import pytest
from double import ACCOUNT, REGION, double, error_of

from ecr_warden_cli.local.ecr_double import make_repository

INVALID = "InvalidParameterException"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


@pytest.fixture
def registry():
    with double() as found:
        make_repository(found.backend, "team/app")
        yield found


def policy(*rules, **selection):
    rules = rules or (
        {
            "rulePriority": 1,
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 7,
                **selection,
            },
            "action": {"type": "expire"},
        },
    )
    return json.dumps({"rules": list(rules)}, indent=1)


TRANSITION = {
    "rulePriority": 1,
    "selection": {
        "tagStatus": "any",
        "countType": "sinceImagePulled",
        "countUnit": "days",
        "countNumber": 90,
    },
    "action": {"type": "transition", "targetStorageClass": "archive"},
}


def test_a_lifecycle_policy_comes_back_as_it_was_put(registry):
    named = {"repositoryName": "team/app"}
    for text in (policy(), policy(TRANSITION)):
        assert registry.ecr.put_lifecycle_policy(**named, lifecyclePolicyText=text) is not None
        assert registry.ecr.get_lifecycle_policy(**named)["lifecyclePolicyText"] == text


@pytest.mark.parametrize(
    "text",
    [
        policy().rstrip("}"),
        policy(countNumber=0),
        policy(countUnit="weeks"),
        policy(tagStatus="tagged"),
        policy(TRANSITION, TRANSITION),
        "{}",
        json.dumps({"rules": []}) + " " * 31_000,
    ],
)
def test_a_lifecycle_policy_that_ecr_refuses_is_not_stored(registry, text):
    put = registry.ecr.put_lifecycle_policy
    assert error_of(put, repositoryName="team/app", lifecyclePolicyText=text) == INVALID
    assert error_of(registry.ecr.get_lifecycle_policy, repositoryName="team/app") == (
        "LifecyclePolicyNotFoundException"
    )


def test_a_lifecycle_policys_refusal_says_why(registry):
    put = registry.ecr.put_lifecycle_policy
    with pytest.raises(registry.ecr.exceptions.InvalidParameterException) as raised:
        put(repositoryName="team/app", lifecyclePolicyText=policy(countNumber=0))
    message = raised.value.response["Error"]["Message"]
    assert message.startswith("Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: '")
    assert error_of(put, repositoryName="team/none", lifecyclePolicyText=policy()) == (
        "RepositoryNotFoundException"
    )


def to(region, account=ACCOUNT):
    return {"region": region, "registryId": account}


def rule(*destinations, prefixes=(), **others):
    filters = [{"filter": prefix, "filterType": "PREFIX_MATCH"} for prefix in prefixes]
    return {
        "destinations": list(destinations),
        **({"repositoryFilters": filters} if filters else {}),
        **others,
    }


def replicate(registry, *rules):
    registry.ecr.put_replication_configuration(replicationConfiguration={"rules": list(rules)})


def test_replication_is_replaced_as_a_whole(registry):
    describe = registry.ecr.describe_registry
    assert describe()["replicationConfiguration"] == {"rules": []}
    rules = [
        rule(to("eu-west-1"), prefixes=["team/", "prod"], deleteReplication={"enabled": True}),
        rule(to("eu-west-1"), to(REGION, "222222222222")),
    ]
    replicate(registry, *rules)
    assert describe()["replicationConfiguration"] == {"rules": rules}
    replicate(registry, rules[1])
    assert describe()["replicationConfiguration"] == {"rules": rules[1:]}
    replicate(registry)
    assert describe()["replicationConfiguration"] == {"rules": []}
    assert describe()["registryId"] == ACCOUNT


@pytest.mark.parametrize(
    "rules",
    [
        [rule(to("eu-west-1"))] * 11,
        [rule(*(to("eu-west-1", f"{number:012}") for number in range(26)))],
        [rule(to("eu-west-1"), prefixes=[f"p{number}" for number in range(101)])],
        [rule(to("eu-west-1"), prefixes=["p"])],
        [rule(to("eu-west-1"), prefixes=["Prod"])],
        [rule(to("eu-west-9"))],
        [rule(to("cn-north-1"))],
        [rule(to(REGION))],
        [rule(to("eu-west-1", "1"))],
    ],
)
def test_what_replication_refuses(registry, rules):
    replicate(registry, rule(to("eu-west-1")))
    with pytest.raises(registry.ecr.exceptions.InvalidParameterException):
        replicate(registry, *rules)
    assert registry.backend.replication_config == {"rules": [rule(to("eu-west-1"))]}


def test_as_much_as_replication_takes(registry):
    rules = [rule(to("eu-west-1"), prefixes=[f"p{number}" for number in range(100)])] * 9
    replicate(registry, *rules, rule(*(to("eu-west-2", f"{number:012}") for number in range(24))))
    assert len(registry.backend.replication_config["rules"]) == 10


def scanning(frequency, *filters):
    return {
        "scanFrequency": frequency,
        "repositoryFilters": [{"filter": item, "filterType": "WILDCARD"} for item in filters],
    }


def test_scanning_is_replaced_as_a_whole(registry):
    get = registry.ecr.get_registry_scanning_configuration
    assert get()["scanningConfiguration"] == {"scanType": "BASIC", "rules": []}
    rules = [scanning("SCAN_ON_PUSH", "*"), scanning("CONTINUOUS_SCAN", "prod/*", "team/app")]
    registry.ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
    assert get()["scanningConfiguration"] == {"scanType": "ENHANCED", "rules": rules}
    registry.ecr.put_registry_scanning_configuration(scanType="BASIC", rules=[scanning("MANUAL")])
    assert get()["scanningConfiguration"] == {"scanType": "BASIC", "rules": [scanning("MANUAL")]}


@pytest.mark.parametrize(
    ("scan_type", "rules"),
    [
        ("BASIC", [scanning("CONTINUOUS_SCAN", "*")]),
        ("ENHANCED", [scanning("MANUAL", "*")]),
        ("BASIC", [scanning("MANUAL", "a"), scanning("MANUAL", "b")]),
        ("BASIC", [scanning("MANUAL"), scanning("SCAN_ON_PUSH"), scanning("CONTINUOUS_SCAN")]),
        ("BASIC", [scanning("MANUAL", *(f"p{number}" for number in range(101)))]),
        ("BASIC", [scanning("MANUAL", "Prod")]),
        ("BASIC", [scanning("MANUAL", "a" * 200 + "!")]),
        ("BASIC", [scanning("HOURLY", "*")]),
        ("DEEP", []),
    ],
)
def test_what_scanning_refuses(registry, scan_type, rules):
    put = registry.ecr.put_registry_scanning_configuration
    assert error_of(put, scanType=scan_type, rules=rules) == INVALID


@pytest.mark.parametrize(
    ("wildcard", "frequency"),
    [
        ("team/*", "SCAN_ON_PUSH"),
        ("*app", "SCAN_ON_PUSH"),
        ("eam", "SCAN_ON_PUSH"),
        ("te.m/*", "MANUAL"),
        ("team/a*x", "MANUAL"),
    ],
)
def test_a_repository_is_scanned_by_the_filter_that_it_is_under(registry, wildcard, frequency):
    registry.ecr.put_registry_scanning_configuration(
        scanType="BASIC", rules=[scanning("SCAN_ON_PUSH", wildcard)]
    )
    answer = registry.ecr.batch_get_repository_scanning_configuration(repositoryNames=["team/app"])
    assert answer["scanningConfigurations"][0]["scanFrequency"] == frequency


def create(registry, prefix="team", reasons=("REPLICATION",), **settings):
    return registry.ecr.create_repository_creation_template(
        prefix=prefix, appliedFor=list(reasons), **settings
    )["repositoryCreationTemplate"]


def described(registry, **asked):
    answer = registry.ecr.describe_repository_creation_templates(**asked)
    return [item["prefix"] for item in answer["repositoryCreationTemplates"]], answer


def test_a_template_is_created_updated_and_deleted(registry):
    made = create(registry, description="d", lifecyclePolicy=policy(), repositoryPolicy="{}")
    assert made["createdAt"] == made["updatedAt"]
    assert (made["imageTagMutability"], made["description"]) == ("MUTABLE", "d")
    changed = registry.ecr.update_repository_creation_template(
        prefix="team", imageTagMutability="IMMUTABLE", lifecyclePolicy=""
    )["repositoryCreationTemplate"]
    assert changed == made | {
        "imageTagMutability": "IMMUTABLE",
        "lifecyclePolicy": "",
        "updatedAt": changed["updatedAt"],
    }
    prefixes, answer = described(registry)
    assert (prefixes, answer["registryId"]) == (["team"], ACCOUNT)
    assert answer["repositoryCreationTemplates"] == [changed]
    # What ECR's reference says of an update that leaves the mutability out.
    again = registry.ecr.update_repository_creation_template(prefix="team", description="e")
    assert again["repositoryCreationTemplate"]["imageTagMutability"] == "MUTABLE"
    registry.ecr.delete_repository_creation_template(prefix="team")
    assert described(registry)[0] == []


def test_a_template_that_is_not_there_is_not_found(registry):
    for call in (
        registry.ecr.update_repository_creation_template,
        registry.ecr.delete_repository_creation_template,
    ):
        assert error_of(call, prefix="none") == "TemplateNotFoundException"
    create(registry)
    assert described(registry, prefixes=["team", "none"])[0] == ["team"]


def test_templates_come_in_pages(registry):
    for number in range(120):
        create(registry, f"p{number}")
    prefixes, answer = described(registry)
    assert len(prefixes) == 100
    assert len(described(registry, nextToken=answer["nextToken"])[0]) == 20
    assert error_of(registry.ecr.describe_repository_creation_templates, nextToken="x") == INVALID


def test_a_prefix_has_one_template(registry):
    create(registry, "ROOT")
    create(registry, "team")
    assert error_of(create, registry=registry, prefix="team/") == "TemplateAlreadyExistsException"
    assert described(registry)[0] == ["ROOT", "team"]


EXCLUDED = [{"filterType": "WILDCARD", "filter": "dev"}]


@pytest.mark.parametrize(
    "settings",
    [
        {"prefix": "Team"},
        {"prefix": "/team"},
        {"reasons": ()},
        {"reasons": ("PULL",)},
        {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"},
        {"imageTagMutability": "IMMUTABLE", "imageTagMutabilityExclusionFilters": EXCLUDED},
        {"lifecyclePolicy": policy(countNumber=0)},
        {"repositoryPolicy": "{"},
        {"resourceTags": [{"Key": "a", "Value": "b"}]},
        {"encryptionConfiguration": {"encryptionType": "KMS"}},
        {"encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "alias/k"}, "customRoleArn": ROLE},
        {"description": "d" * 257},
    ],
)
def test_what_a_template_refuses(registry, settings):
    assert error_of(create, registry=registry, **settings) == INVALID
    assert described(registry)[0] == []


def test_tags_and_a_key_go_with_a_role(registry):
    settings = {
        "resourceTags": [{"Key": "a", "Value": "b"}],
        "encryptionConfiguration": {"encryptionType": "KMS"},
    }
    made = create(registry, **settings, customRoleArn=ROLE)
    assert settings.items() <= made.items()
    create(registry, "other")
    update = registry.ecr.update_repository_creation_template
    assert error_of(update, prefix="other", resourceTags=settings["resourceTags"]) == INVALID
