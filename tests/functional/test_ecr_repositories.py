"""Listing a registry on the double of ECR: pages, stale tokens, what is missing, and what goes wrong."""

from datetime import UTC, datetime

import boto3
import pytest
from double import ACCOUNT, REGION, double
from tests.faults import Throttling, denied, expired_after, faults

from ecr_warden.adapters.ecr_repositories import EcrRepositories
from ecr_warden.adapters.rate import SWEEP_CONFIG, AdaptiveRate, attach
from ecr_warden.domain.places import Place
from ecr_warden.errors import AwsError, CredentialsError, RefusedError, RepositoryGoneError
from ecr_warden_cli.local.ecr_double import enhanced_finding, make_repository, make_tokens_stale, set_scan

LAST_YEAR = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)


def client(service="ecr"):
    return boto3.client(service, region_name=REGION, config=SWEEP_CONFIG)


def repositories_of(ecr=None):
    return EcrRepositories(
        ecr or client(), lambda: client("resourcegroupstaggingapi"), Place(ACCOUNT, REGION)
    )


@pytest.fixture
def registry():
    with double() as found:
        found.repositories = repositories_of()
        yield found


def make(registry, count):
    names = [f"team/r{number:05}" for number in range(count)]
    for name in names:
        make_repository(registry.backend, name)
    return names


class Calls:
    """Count the calls, and do something before one of them."""

    def __init__(self, before=None):
        self.made, self._before = [], before or (lambda _number: None)

    def __call__(self, _service, operation, asked):
        self._before(len(self.made))
        self.made.append((operation, asked))


def test_repositories_come_a_thousand_a_page(registry):
    names = make(registry, 2300)
    calls = Calls()
    with faults(calls):
        pages = list(registry.repositories.pages())
    assert [len(page) for page in pages] == [1000, 1000, 300]
    assert [one.name for page in pages for one in page] == names
    assert len(calls.made) == 3


def test_a_registry_without_repositories_has_none(registry):
    assert [one for page in registry.repositories.pages() for one in page] == []


def test_a_repository_is_as_describe_repositories_has_it(registry):
    make_repository(
        registry.backend,
        "team/app",
        {"imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"scanOnPush": True}},
    )
    (found,) = registry.repositories.named(["team/app"])
    assert (found.mutability.mode, found.scan_on_push) == ("IMMUTABLE", True)
    assert list(registry.repositories.pages()) == [(found,)]


def test_a_stale_token_begins_anew_and_gives_each_repository_once(registry):
    names = make(registry, 2300)

    def before(number):
        if number == 2:
            make_repository(registry.backend, "team/new")
            make_tokens_stale()

    calls = Calls(before)
    with faults(calls):
        found = [one.name for page in registry.repositories.pages() for one in page]
    assert sorted(found) == sorted([*names, "team/new"])
    assert len(calls.made) == 3 + 3


def test_tokens_that_go_stale_for_ever_are_an_error(registry):
    make(registry, 1500)
    calls = Calls(lambda _number: make_tokens_stale())
    with faults(calls), pytest.raises(AwsError, match="refused a page's token 5 times"):
        list(registry.repositories.pages())
    assert len(calls.made) == 10


def test_repositories_by_name_leave_out_those_that_are_gone(registry):
    names = make(registry, 250)
    for gone in (3, 120, 249):
        del registry.backend.repositories[names[gone]]
    calls = Calls()
    with faults(calls):
        found = registry.repositories.named([*names, names[0]])
    assert {one.name for one in found} == set(names) - {names[3], names[120], names[249]}
    assert len(found) == 247
    assert all(len(asked["repositoryNames"]) <= 100 for _, asked in calls.made)
    assert len(calls.made) < 50
    assert registry.repositories.named([]) == ()


def test_every_image_is_listed_with_what_ecr_knows_of_it(registry):
    make_repository(registry.backend, "team/app")
    plain, scanned, archived = (registry.push(*tags, seed=tags[0]) for tags in (["a", "b"], ["c"], ["d"]))
    sbom = registry.push(seed="s", subject={"digest": plain})
    registry.ecr.batch_get_image(repositoryName="team/app", imageIds=[{"imageDigest": plain}])
    finding = enhanced_finding("CVE-1", "HIGH", ("openssl", "1", "2"))
    set_scan(registry.image(scanned), [finding], is_enhanced=True, completed_at=LAST_YEAR)
    registry.ecr.update_image_storage_class(
        repositoryName="team/app", imageId={"imageDigest": archived}, targetStorageClass="ARCHIVE"
    )
    found = {one.digest: one for one in registry.repositories.images("team/app")}
    assert set(found) == {plain, scanned, archived, sbom}
    assert sorted(found[plain].tags) == ["a", "b"]
    assert found[plain].pulled_at is not None
    assert found[scanned].pulled_at is None
    assert found[scanned].finding_counts == (("HIGH", 1),)
    assert found[scanned].scanned_at == LAST_YEAR
    assert found[plain].finding_counts is None
    assert found[archived].storage_class == "ARCHIVE"
    assert found[archived].archived_at is not None
    assert found[plain].storage_class == "STANDARD"
    assert found[sbom].subject == plain
    assert found[sbom].tags == ()


def test_a_scan_that_found_nothing_is_no_scan_that_was_not(registry):
    make_repository(registry.backend, "team/app")
    set_scan(registry.image(registry.push("a")), is_enhanced=True)
    (found,) = registry.repositories.images("team/app")
    assert found.finding_counts == ()


def test_images_are_listed_as_they_are_asked_for(registry):
    make_repository(registry.backend, "team/app")
    for number in range(1100):
        registry.push(seed=str(number))
    calls = Calls(lambda number: make_tokens_stale() if number == 1 else None)
    with faults(calls):
        images = registry.repositories.images("team/app")
        next(images)
        assert len(calls.made) == 1
        assert len({one.digest for one in images}) == 1099, "each once, where the token went stale"


def test_the_images_of_a_repository_that_is_gone(registry):
    with pytest.raises(RepositoryGoneError):
        list(registry.repositories.images("team/none"))


def test_all_resource_tags_are_read_a_hundred_repositories_a_call(registry):
    for number in range(150):
        tags = [{"Key": "team", "Value": f"t{number}"}]
        make_repository(registry.backend, f"team/r{number}", {"tags": tags})
    make_repository(registry.backend, "team/bare")
    found = registry.repositories.resource_tags()
    assert found == {f"team/r{number}": {"team": f"t{number}"} for number in range(150)}


def test_who_may_not_list_is_told_so_and_whose_credentials_are_over_too(registry):
    make(registry, 1500)
    make_repository(registry.backend, "team/app")
    with faults(denied("team/app")), pytest.raises(RefusedError, match="AccessDenied"):
        list(registry.repositories.images("team/app"))
    with faults(lambda *_: "AccessDeniedException"):
        for call in (registry.repositories.resource_tags, lambda: list(registry.repositories.pages())):
            with pytest.raises(RefusedError):
                call()
    with faults(expired_after(1)):
        pages = registry.repositories.pages()
        assert len(next(pages)) == 1000
        with pytest.raises(CredentialsError):
            next(pages)


def test_a_client_that_is_throttled_slows_down_and_gets_its_answers(registry):
    make_repository(registry.backend, "team/app")
    ecr, rate = client(), AdaptiveRate()
    attach(ecr, rate)
    throttling = Throttling(20)
    with faults(throttling):
        for _ in range(40):
            assert repositories_of(ecr).named(["team/app"])
    assert rate.calls_a_second is not None
    assert 5 < rate.calls_a_second < 30
    assert throttling.refused < 0.2 * throttling.calls


def test_every_attempt_waits_for_its_turn(registry):
    ecr, waits = registry.ecr, []

    class Rate:
        def wait(self):
            waits.append("wait")
            return float(len(waits))

        def succeeded(self, sent_at):
            waits.append(f"took {sent_at}")

        def throttled(self, sent_at):
            waits.append(f"throttled {sent_at}")

    attach(ecr, Rate())
    codes = iter(["ThrottlingException", None, "AccessDeniedException"])
    with faults(lambda *_: next(codes)):
        ecr.describe_repositories()
        assert waits == ["wait", "throttled 1.0", "wait", "took 3.0"]
        with pytest.raises(ecr.exceptions.ClientError):
            ecr.describe_repositories()
    assert waits[4:] == ["wait", "took 5.0"], "an answer that is an error is one in time"
