import json
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
import pytest_socket
from moto.ecr.models import ecr_backends

from ecr_warden_cli.local.aws import DEFAULT_ACCOUNT, DEFAULT_REGION, local_aws
from ecr_warden_cli.local.ecr_double import make_repository
from ecr_warden_cli.policy.check import check_policy

OLD, NEW = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
POLICY = """\
version: 1
mode: enforce
rules:
  - match: ["**"]
    tags: {allow: [semver], deny: [latest], on_violation: %s}
channels:
  ops: {type: sns}
  team: {type: slack, secret: ecr-warden/slack/team}
routes:
  - {to: [team, ops]}
"""


def pytest_runtest_setup():
    # The stand-in for Slack listens on loopback; nothing else is to be reached.
    pytest_socket.socket_allow_hosts(["127.0.0.1"], allow_unix_socket=True)


class World:
    """A local AWS, and what tests ask of it."""

    def __init__(self, aws):
        self.aws = aws
        self.stack = aws.stack(DEFAULT_ACCOUNT, DEFAULT_REGION)
        self.ecr = self.client("ecr")

    def client(self, service):
        return boto3.client(service, region_name=DEFAULT_REGION)

    def repository(self, name="team/app", **settings):
        """Make a repository as if it had always been there; ``ecr.create_repository`` tells CloudTrail."""
        make_repository(ecr_backends[DEFAULT_ACCOUNT][DEFAULT_REGION], name, settings)

    def tags(self, digest, repository="team/app"):
        (image,) = self.ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])[
            "imageDetails"
        ]
        return sorted(image.get("imageTags", []))

    def push(
        self, *tags, repository="team/app", seed="1", media_type="application/vnd.oci.image.config.v1+json"
    ):
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": media_type, "seed": seed},
                "layers": [],
            }
        )
        for tag in tags or (None,):
            named = {} if tag is None else {"imageTag": tag}
            answer = self.ecr.put_image(repositoryName=repository, imageManifest=manifest, **named)
        return answer["image"]["imageId"]["imageDigest"]

    def watch(self, act):
        return self.aws.watch(act, self.stack)


@contextmanager
def world(action="quarantine", policy=None):
    checked = check_policy(policy or POLICY % action, "policy.yaml")
    assert checked.policy is not None, checked.problems
    with local_aws(checked.policy) as aws, aws.acting_in(DEFAULT_ACCOUNT):
        yield World(aws)


@pytest.fixture
def aws():
    with world() as found:
        found.repository()
        yield found


@pytest.fixture
def open_world():
    return world


@pytest.fixture
def sample():
    def read(name):
        return json.loads((Path(__file__).parents[2] / "events" / f"{name}.json").read_text())

    return read
