import json
from pathlib import Path

import pytest

from ecr_warden_cli.local.subjects import Subject, subject_of

EVENTS = sorted((Path(__file__).parents[2] / "events").glob("*.json"))
# An EC2 instance; a vulnerability, whose image is among the resources; several repositories at once.
NAMES_NO_REPOSITORY = {"inspector2_coverage_ec2", "inspector2_finding_ecr", "ecr_scan_resource_change"}
DIGEST = "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234"


def test_a_push_names_its_repository_and_image(push_event):
    subject = subject_of(push_event())
    assert (subject.repository, subject.image_digest, subject.image_tag) == (
        "my-repository-name",
        DIGEST,
        "latest",
    )
    manifest = json.loads(subject.manifest)
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"


def test_two_images_have_two_manifests(push_event):
    assert subject_of(push_event()).manifest != subject_of(push_event(image_digest="sha256:other")).manifest


def test_an_index_is_made_as_one(push_event):
    subject = subject_of(push_event(manifest_media_type="application/vnd.oci.image.index.v1+json"))
    assert json.loads(subject.manifest)["manifests"] == []


@pytest.mark.parametrize("detail", [{"action_type": "DELETE"}, {"result": "FAILURE"}])
def test_an_image_that_is_not_there_is_not_made(push_event, detail):
    assert subject_of(push_event(**detail)) == Subject("my-repository-name")


@pytest.mark.parametrize(
    ("detail", "name"),
    [
        ({"requestParameters": {"repositoryName": "a"}}, "a"),
        ({"requestParameters": None, "serviceEventDetails": {"repositoryName": "b/c"}}, "b/c"),
        ({"repository-name": "arn:aws:ecr:us-east-1:1:repository/d/e"}, "d/e"),
    ],
)
def test_the_repository_is_found_wherever_an_event_names_it(detail, name):
    assert subject_of({"detail": detail}) == Subject(name)


@pytest.mark.parametrize("event", [{}, {"detail": None}, {"detail": {}}, {"detail": {"repository-name": 7}}])
def test_an_event_that_names_none_has_no_subject(event):
    assert subject_of(event) is None


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_a_sample_event_has_a_subject_unless_it_names_no_repository(path):
    subject = subject_of(json.loads(path.read_text()))
    assert (subject is None) == (path.stem in NAMES_NO_REPOSITORY)
    assert subject is None or subject.repository
