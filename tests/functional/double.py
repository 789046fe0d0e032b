"""The double of ECR by itself: a client, and the events that it sent."""

import json
from contextlib import contextmanager

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.ecr.models import ecr_backends

from ecr_warden_cli.local.ecr_double import faithful_ecr, storage_of
from ecr_warden_cli.local.inspector_double import faithful_inspector

ACCOUNT, REGION = "123456789012", "us-east-1"


class Registry:
    def __init__(self, ecr, inspector, events, envelopes):
        self.ecr, self.inspector, self.events, self.envelopes = ecr, inspector, events, envelopes
        self.backend = ecr_backends[ACCOUNT][REGION]

    def push(self, *tags, repository="team/app", seed="1", **members):
        manifest = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "seed": seed, **members}
        for tag in tags or (None,):
            named = {} if tag is None else {"imageTag": tag}
            answer = self.ecr.put_image(
                repositoryName=repository, imageManifest=json.dumps(manifest), **named
            )
        return answer["image"]["imageId"]["imageDigest"]

    def image(self, digest, repository="team/app"):
        images = self.backend.repositories[repository].images
        (found,) = [image for image in images if image.image_digest == digest]
        return found

    def storage(self, digest):
        return storage_of(self.image(digest))

    def details(self, detail_type):
        return [detail for kind, detail in self.events if kind == detail_type]


@contextmanager
def double():
    events, envelopes = [], []

    def emit(account, region, detail_type, detail, **envelope):
        assert (account, region) == (ACCOUNT, REGION)
        # What is sent must be JSON.
        events.append((detail_type, json.loads(json.dumps(detail))))
        envelopes.append(envelope)

    # What botocore itself would not send is for the double to refuse.
    config = Config(parameter_validation=False)
    with faithful_inspector(), mock_aws(), faithful_ecr(emit):
        ecr, inspector = (
            boto3.client(name, region_name=REGION, config=config) for name in ("ecr", "inspector2")
        )
        found = Registry(ecr, inspector, events, envelopes)
        found.emit = emit
        yield found


def error_of(call, **arguments):
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return raised.value.response["Error"]["Code"]
