import json
from pathlib import Path

import pytest

from ecr_warden_cli.local.subjects import Subject, subjects_of

EVENTS = sorted((Path(__file__).parents[2] / "events").glob("*.json"))
# An EC2 instance; and what was decided already, for which no image need be there.
NAMES_NO_REPOSITORY = {
    "inspector2_coverage_ec2",
    "ecr_warden_outcome_tag_violation",
    "ecr_warden_outcome_drift_found",
    "ecr_warden_outcome_sweep_finished",
}
DIGEST = "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234"


def test_a_push_names_its_repository_and_image(push_event):
    (subject,) = subjects_of(push_event())
    assert (subject.repository, subject.image_digest, subject.image_tags) == (
        "my-repository-name",
        DIGEST,
        ("latest",),
    )
    manifest = json.loads(subject.manifest)
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"


def test_two_images_have_two_manifests(push_event):
    (one,), (other,) = subjects_of(push_event()), subjects_of(push_event(image_digest="sha256:other"))
    assert one.manifest != other.manifest


def test_an_index_is_made_as_one(push_event):
    (subject,) = subjects_of(push_event(manifest_media_type="application/vnd.oci.image.index.v1+json"))
    assert json.loads(subject.manifest)["manifests"] == []


@pytest.mark.parametrize(
    "detail", [{"action_type": "DELETE"}, {"result": "FAILURE"}, {"sync_status": "FAILED"}]
)
def test_an_image_that_is_not_there_is_not_made(push_event, detail):
    assert subjects_of(push_event(**detail)) == (Subject("my-repository-name"),)


@pytest.mark.parametrize(
    ("detail", "name"),
    [
        ({"requestParameters": {"repositoryName": "a"}}, "a"),
        ({"requestParameters": None, "serviceEventDetails": {"repositoryName": "b/c"}}, "b/c"),
        ({"repository-name": "arn:aws:ecr:us-east-1:1:repository/d/e"}, "d/e"),
    ],
)
def test_the_repository_is_found_wherever_an_event_names_it(detail, name):
    assert subjects_of({"detail": detail}) == (Subject(name),)


def sample(name):
    (path,) = [path for path in EVENTS if path.stem == name]
    return json.loads(path.read_text())


def test_a_scan_names_its_image_and_takes_no_tag_from_another():
    event = sample("ecr_image_scan_complete")
    assert subjects_of(event) == (Subject("my-repository-name", DIGEST, moves_tags=False),)
    event["detail"]["image-tags"] = ["v1", "", None, "v2"]
    assert subjects_of(event)[0].image_tags == ("v1", "v2")


def test_a_scan_of_inspector_names_its_repository_by_an_arn():
    (subject,) = subjects_of(sample("inspector2_scan_initial"))
    assert (subject.repository, subject.image_tags) == ("inspector2", ("ubuntu22",))


@pytest.mark.parametrize("missing", ["image", "awsEcrContainerImage", "both", "event's resources"])
def test_a_finding_names_its_image_in_either_shape(missing):
    event = sample("inspector2_finding_ecr")
    details = event["detail"]["resources"][0]["details"]
    if missing == "event's resources":
        del event["resources"]
    for name in ("image", "awsEcrContainerImage") if missing == "both" else (missing,):
        details.pop(name, None)
    tags = () if missing == "both" else ("ubuntu_latest",)
    digest = "sha256:84f507df33c6864d49c296fb734192696e4cb6f78166ac51ac8b9b118181085d"
    assert subjects_of(event) == (Subject("inspector2", digest, tags, moves_tags=False),)


def test_coverage_of_an_image_names_it_and_coverage_of_anything_else_nothing():
    event = sample("inspector2_coverage_ec2")
    assert subjects_of(event) == ()
    event["resources"] = ["arn:aws:ecr:us-east-1:111122223333:repository/team/app/sha256:ab", 7, None]
    assert subjects_of(event) == (Subject("team/app", "sha256:ab", moves_tags=False),)


def test_a_change_of_scanning_names_every_repository_once():
    event = sample("ecr_scan_resource_change")
    event["detail"]["repositories"] += [{"repository-name": "repository-1"}, {"repository-name": None}, "x"]
    assert subjects_of(event) == tuple(Subject(f"repository-{number}") for number in (1, 2, 3))


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"detail": None},
        {"detail": {}},
        {"detail": {"repository-name": 7}},
        {"detail": {"repositories": 7, "resources": 7}, "resources": 7},
        {"detail": {"resources": [7, {"id": None}]}, "resources": ["arn:aws:ecr:x:1:repository/a"]},
    ],
)
def test_an_event_that_names_none_has_no_subject(event):
    assert subjects_of(event) == ()


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_a_sample_event_has_a_subject_unless_it_names_no_repository(path):
    subjects = subjects_of(json.loads(path.read_text()))
    assert (not subjects) == (path.stem in NAMES_NO_REPOSITORY)
    assert all(subject.repository for subject in subjects)
