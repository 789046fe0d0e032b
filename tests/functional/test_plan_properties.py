"""Whatever the registry and the policy are: after apply there is nothing to plan."""

import io
import json
from collections import Counter

import yaml
from double import ACCOUNT, REGION, double
from fakes import FakeJournal, FakeLocks
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_warden.domain.places import Place
from ecr_warden.domain.sweep.visits import RepairStatus
from ecr_warden.place_wiring import PlacePorts
from ecr_warden.use_cases.sweep.ports import Scope
from ecr_warden.wiring import utc_now
from ecr_warden_cli.policy.check import check_policy
from ecr_warden_cli.sweep.changing import Changing
from ecr_warden_cli.sweep.gathering import Gathering
from ecr_warden_cli.sweep.looking import Look
from ecr_warden_cli.sweep.plan_file import Document

PLACE = Place(ACCOUNT, REGION)
NAMES = ("prod/a", "prod/team/b", "dev/a", "alone", "prodigy")
PULL = {"Sid": "Pull", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
OLD_RULE = {
    "rulePriority": 1,
    "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 3},
    "action": {"type": "expire"},
}
SECTIONS = {
    "tags": st.sampled_from(["quarantine", "delete"]).map(
        lambda action: {"deny": ["latest", "tmp-*"], "on_violation": action}
    ),
    "tag_mutability": st.fixed_dictionaries(
        {"immutable": st.booleans()}, optional={"except": st.just(["cache-*"])}
    ),
    "lifecycle": st.fixed_dictionaries({"keep_last": st.integers(1, 9)}),
    "scanning": st.fixed_dictionaries(
        {}, optional={"frequency": st.just("scan_on_push"), "scan_on_push": st.booleans()}
    ).filter(bool),
    "replicate_to": st.just(["eu-west-1"]),
    "resource_tags": st.just({"set": {"managed-by": "ecr-warden"}}),
    "repository_policy": st.just({"Version": "2012-10-17", "Statement": [PULL]}),
}
rules = st.builds(
    lambda match, sections: {"match": match, "override": True, **sections},
    st.lists(st.sampled_from(["**", "prod/**", "dev/*", "alone"]), min_size=1, max_size=2, unique=True),
    st.fixed_dictionaries({}, optional=SECTIONS).filter(bool),
)
repositories = st.dictionaries(
    st.sampled_from(NAMES),
    st.fixed_dictionaries(
        {
            "mutability": st.sampled_from(["MUTABLE", "IMMUTABLE"]),
            "scan_on_push": st.booleans(),
            "lifecycle": st.sampled_from([None, {"rules": [OLD_RULE]}]),
            "policy": st.sampled_from(
                [None, {"Version": "2012-10-17", "Statement": [PULL | {"Sid": "Old"}]}]
            ),
            "label": st.sampled_from([None, "somebody"]),
            "tags": st.lists(st.sampled_from(["latest", "tmp-1", "v1.0.0"]), max_size=2, unique=True),
        }
    ),
    min_size=1,
)


def make(registry, name, wanted):
    labels = [{"Key": "managed-by", "Value": wanted["label"]}] if wanted["label"] else []
    registry.ecr.create_repository(
        repositoryName=name,
        imageScanningConfiguration={"scanOnPush": wanted["scan_on_push"]},
        tags=labels,
    )
    for number, tag in enumerate(wanted["tags"]):
        registry.push(tag, repository=name, seed=f"{name} {number}")
    registry.ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability=wanted["mutability"])
    if wanted["lifecycle"]:
        registry.ecr.put_lifecycle_policy(
            repositoryName=name, lifecyclePolicyText=json.dumps(wanted["lifecycle"])
        )
    if wanted["policy"]:
        registry.ecr.set_repository_policy(repositoryName=name, policyText=json.dumps(wanted["policy"]))


def gathered(policy, ports):
    gathering = Gathering(lambda _lines: None, Document([io.StringIO()]), is_verbose=False)
    look = Look(
        policy=policy,
        places=[PLACE],
        open_place=lambda _place: ports,
        scope=Scope(),
        now=utc_now(),
        is_stopped=lambda: False,
        counted=lambda _count: None,
    )
    for found in look.visits():
        gathering.take(found)
    return gathering


def client(service):
    import boto3  # noqa: PLC0415  # within the double alone

    return boto3.client(service, region_name=REGION)


@settings(max_examples=25, deadline=None)
@given(repositories, st.lists(rules, min_size=1, max_size=3))
def test_apply_after_plan_leaves_nothing_to_plan(wanted, found_rules):
    channels = {"channels": {"ops": {"type": "sns"}}, "routes": [{"to": ["ops"]}]}
    text = yaml.safe_dump({"version": 1, "mode": "enforce", "rules": found_rules, **channels})
    policy = check_policy(text, "policy.yaml").policy
    if policy is None:
        # What ECR cannot express is for check to refuse.
        return
    with double() as registry:
        for name, each in wanted.items():
            make(registry, name, each)
        journal = FakeJournal()
        ports = PlacePorts(client, PLACE, journal=journal, locks=FakeLocks())
        before = gathered(policy, ports)
        with before:
            assert before.tally.unseen == 0
            changing = Changing(policy, "apply-1", lambda _place: ports, lambda: False)
            came = Counter()
            for is_documents, changes in before.to_apply():
                made = changing.documents(changes) if is_documents else changing.repositories(changes)
                came.update(repair.status for repair in made)
        assert came.total() == before.tally.changes
        assert came[RepairStatus.FAILED] == came[RepairStatus.SKIPPED] == 0
        with gathered(policy, ports) as after:
            assert after.tally.changes == came[RepairStatus.KEPT]
