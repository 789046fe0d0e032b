"""The double of ECR: storage classes and lifecycle previews."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from double import double, error_of

from ecr_warden_cli.local.ecr_double import make_repository

INVALID = "InvalidParameterException"
ACTION = "ECR Image Action"
NAMED = {"repositoryName": "team/app"}
LAYER = "sha256:" + "1" * 64


@pytest.fixture
def registry():
    with double() as found:
        make_repository(found.backend, "team/app")
        yield found


def put_into(registry, storage_class, **image_id):
    return registry.ecr.update_image_storage_class(
        **NAMED, imageId=image_id, targetStorageClass=storage_class
    )


def fields_of(name):
    path = Path(__file__).parents[2] / "events" / f"ecr_image_action_{name}.json"
    return set(json.loads(path.read_text())["detail"])


def test_an_archived_image_is_there_and_cannot_be_pulled(registry):
    config = {"mediaType": "application/vnd.oci.image.config.v1+json"}
    digest = registry.push("a", config=config, layers=[{"digest": LAYER}])
    ecr = registry.ecr
    assert ecr.get_download_url_for_layer(**NAMED, layerDigest=LAYER)["downloadUrl"]
    answer = put_into(registry, "ARCHIVE", imageTag="a")
    assert (answer["imageStatus"], answer["imageId"]["imageDigest"]) == ("ARCHIVED", digest)
    got = ecr.batch_get_image(**NAMED, imageIds=[{"imageDigest": digest}])
    assert [failure["failureCode"] for failure in got["failures"]] == ["ImageInaccessible"]
    assert got["images"] == []
    layer = ecr.get_download_url_for_layer
    assert error_of(layer, **NAMED, layerDigest=LAYER) == "LayerInaccessibleException"
    assert error_of(layer, **NAMED, layerDigest="sha256:22") == "LayersNotFoundException"
    assert ecr.describe_images(**NAMED)["imageDetails"] == []
    assert ecr.list_images(**NAMED)["imageIds"] == []
    (image,) = ecr.describe_images(**NAMED, filter={"imageStatus": "ARCHIVED"})["imageDetails"]
    assert (image["imageStatus"], image["imageTags"]) == ("ARCHIVED", ["a"])
    assert image["lastArchivedAt"]
    detail = registry.details(ACTION)[-1]
    assert detail.keys() == fields_of("archive")
    assert detail["target-storage-class"] == "ARCHIVE"


def test_a_restored_image_is_active_again(registry):
    config = {"mediaType": "application/vnd.oci.image.config.v1+json"}
    digest = registry.push("a", config=config)
    put_into(registry, "ARCHIVE", imageDigest=digest)
    assert put_into(registry, "STANDARD", imageDigest=digest)["imageStatus"] == "ACTIVATING"
    (image,) = registry.ecr.describe_images(**NAMED)["imageDetails"]
    assert image["imageStatus"] == "ACTIVE"
    assert image["lastActivatedAt"] >= image["lastArchivedAt"]
    assert registry.ecr.batch_get_image(**NAMED, imageIds=[{"imageTag": "a"}])["failures"] == []
    detail = registry.details(ACTION)[-1]
    assert detail.keys() == fields_of("restore")
    assert detail["action-type"] == "UPDATE_STORAGE_CLASS"


def test_pushing_an_archived_image_restores_it(registry):
    digest = registry.push("a")
    put_into(registry, "ARCHIVE", imageDigest=digest)
    registry.push("a")
    assert registry.storage(digest).status == "ACTIVE"
    assert error_of(lambda: registry.push("a")) == "ImageAlreadyExistsException"


def test_a_storage_class_that_an_image_has_stays_without_an_event(registry):
    digest = registry.push("a")
    assert put_into(registry, "STANDARD", imageDigest=digest)["imageStatus"] == "ACTIVE"
    assert [detail["action-type"] for detail in registry.details(ACTION)] == ["PUSH"]


def test_what_update_image_storage_class_refuses(registry):
    registry.push("a")
    assert error_of(lambda: put_into(registry, "ARCHIVE", imageTag="b")) == "ImageNotFoundException"
    assert error_of(lambda: put_into(registry, "GLACIER", imageTag="a")) == INVALID
    registry.backend.repositories.clear()
    assert error_of(lambda: put_into(registry, "ARCHIVE", imageTag="a")) == "RepositoryNotFoundException"


def test_a_pull_is_recorded(registry):
    digest = registry.push("a")
    (before,) = registry.ecr.describe_images(**NAMED)["imageDetails"]
    registry.ecr.batch_get_image(**NAMED, imageIds=[{"imageDigest": digest}])
    (after,) = registry.ecr.describe_images(**NAMED)["imageDetails"]
    assert "lastRecordedPullTime" not in before
    assert after["lastRecordedPullTime"] >= after["imagePushedAt"]


def rule(priority, tags="any", count=1, by="imageCountMoreThan", action="expire", **selection):
    selection |= {"tagStatus": tags, "countType": by, "countNumber": count}
    if by != "imageCountMoreThan":
        selection["countUnit"] = "days"
    target = {"targetStorageClass": "archive"} if action == "transition" else {}
    return {"rulePriority": priority, "selection": selection, "action": {"type": action, **target}}


def ago(days):
    return datetime.now(UTC) - timedelta(days=days)


def aged(registry, *tags, days, **members):
    digest = registry.push(*tags, seed=f"{tags}{days}", **members)
    registry.image(digest).image_pushed_at = int(ago(days).timestamp())
    return digest


def preview(registry, *rules, **asked):
    text = json.dumps({"rules": list(rules)}, indent=4)
    registry.ecr.start_lifecycle_policy_preview(**NAMED, lifecyclePolicyText=text)
    answer = registry.ecr.get_lifecycle_policy_preview(**NAMED, **asked)
    assert (answer["status"], answer["lifecyclePolicyText"]) == ("COMPLETE", text)
    return [(item["imageDigest"], item["appliedRulePriority"]) for item in answer["previewResults"]], answer


def test_the_oldest_that_are_too_many_expire(registry):
    new, old, oldest = (aged(registry, f"t{days}", days=days) for days in (1, 5, 9))
    found, answer = preview(registry, rule(1, count=1))
    assert found == [(oldest, 1), (old, 1)]
    assert answer["summary"] == {"expiringImageTotalCount": 2}
    assert answer["previewResults"][0]["action"] == {"type": "EXPIRE"}
    # The last restoring stands in for the push.
    registry.storage(oldest).activated_at = ago(0)
    assert preview(registry, rule(1, count=1))[0] == [(old, 1), (new, 1)]


def test_an_image_that_a_rules_tags_match_is_no_lower_rules(registry):
    kept = aged(registry, "prod-1", days=9)
    beta = aged(registry, "beta", days=8)
    rules = [rule(1, "tagged", 5, tagPrefixList=["prod"]), rule(2, count=1)]
    # The kept one is counted by the second rule all the same.
    assert preview(registry, *rules)[0] == []
    aged(registry, "new", days=1)
    assert preview(registry, *rules)[0] == [(beta, 2)]
    assert preview(registry, rule(2, count=1))[0] == [(kept, 2), (beta, 2)]


def test_every_entry_of_a_rule_must_match(registry):
    both = aged(registry, "a-1", "b-1", days=9)
    aged(registry, "a-2", days=9)
    aged(registry, days=9)
    for lists in ({"tagPatternList": ["a*", "*-1"]}, {"tagPrefixList": ["a", "b"]}):
        found, _ = preview(registry, rule(1, "tagged", 1, "sinceImagePushed", **lists))
        assert found == [(both, 1)]


def test_images_expire_by_the_days_since_their_push(registry):
    old = aged(registry, days=8)
    aged(registry, days=6)
    aged(registry, "a", days=8)
    assert preview(registry, rule(1, "untagged", 7, "sinceImagePushed"))[0] == [(old, 1)]


def test_images_are_archived_by_the_days_since_their_pull(registry):
    never, pulled, old = (aged(registry, f"t{days}", days=days) for days in (40, 50, 60))
    registry.storage(pulled).pulled_at = ago(5)
    registry.storage(old).pulled_at = ago(35)
    found, answer = preview(registry, rule(1, count=30, by="sinceImagePulled", action="transition"))
    assert found == [(old, 1), (never, 1)]
    assert answer["previewResults"][0]["action"] == {"type": "TRANSITION", "targetStorageClass": "ARCHIVE"}
    assert answer["summary"] == {
        "expiringImageTotalCount": 0,
        "transitioningImageTotalCounts": [{"targetStorageClass": "ARCHIVE", "imageTotalCount": 2}],
    }


def test_the_archive_has_rules_of_its_own(registry):
    digest = aged(registry, "a", days=400)
    put_into(registry, "ARCHIVE", imageDigest=digest)
    assert preview(registry, rule(1, count=1, by="sinceImagePushed"))[0] == []
    registry.storage(digest).archived_at = ago(100)
    archived = rule(1, count=90, by="sinceImageTransitioned", storageClass="archive")
    found, answer = preview(registry, archived)
    assert found == [(digest, 1)]
    assert answer["previewResults"][0]["storageClass"] == "ARCHIVE"


def test_an_index_keeps_its_platforms_and_a_signature_goes_with_its_image(registry):
    child = aged(registry, days=9)
    index = aged(registry, "v1", days=9, manifests=[{"digest": child}])
    aged(registry, days=9, subject={"digest": index})
    assert preview(registry, rule(1, count=1, by="sinceImagePushed"))[0] == [(index, 1)]


def test_a_preview_comes_in_pages_and_by_tag_status(registry):
    tagged = aged(registry, "a", days=90)
    for days in range(100, 205):
        aged(registry, days=days)
    every = rule(1, count=1, by="sinceImagePushed")
    found, answer = preview(registry, every)
    assert len(found) == 100
    get = registry.ecr.get_lifecycle_policy_preview
    assert len(get(**NAMED, nextToken=answer["nextToken"])["previewResults"]) == 6
    assert answer["summary"]["expiringImageTotalCount"] == 106
    found, _ = preview(registry, every, filter={"tagStatus": "TAGGED"})
    assert found == [(tagged, 1)]
    found, _ = preview(registry, every, imageIds=[{"imageTag": "a"}])
    assert found == [(tagged, 1)]
    assert error_of(get, **NAMED, imageIds=[{"imageTag": "a"}], maxResults=1) == INVALID
    assert error_of(get, **NAMED, maxResults=101) == INVALID


def test_a_preview_is_of_the_repositorys_policy_unless_one_is_given(registry):
    start, get = registry.ecr.start_lifecycle_policy_preview, registry.ecr.get_lifecycle_policy_preview
    assert error_of(get, **NAMED) == "LifecyclePolicyPreviewNotFoundException"
    assert error_of(start, **NAMED) == "LifecyclePolicyNotFoundException"
    bad = json.dumps({"rules": [rule(1, count=0)]}, indent=4)
    assert error_of(start, **NAMED, lifecyclePolicyText=bad) == INVALID
    old = aged(registry, "a", days=9)
    text = json.dumps({"rules": [rule(1, by="sinceImagePushed")]}, indent=4)
    registry.ecr.put_lifecycle_policy(**NAMED, lifecyclePolicyText=text)
    assert start(**NAMED)["status"] == "IN_PROGRESS"
    assert [item["imageDigest"] for item in get(**NAMED)["previewResults"]] == [old]
