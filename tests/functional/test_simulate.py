"""The simulate command: from files, on a live repository, and against ECR's own preview."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from click.testing import CliRunner
from double import ACCOUNT, REGION, double, error_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecr_warden.domain.lifecycle_simulation import simulate_lifecycle
from ecr_warden.domain.places import Place
from ecr_warden.errors import AwsError
from ecr_warden_cli.commands.simulate import simulate
from ecr_warden_cli.local.ecr_double import lifecycle_preview, storage_of
from ecr_warden_cli.simulation.account import SimulationAccount
from ecr_warden_cli.simulation.comparing import disagreements

NOW = "2026-01-01T00:00:00Z"
INDEX = "application/vnd.oci.image.index.v1+json"


def rule(priority, number, *, since=None, action="expire", **selection):
    counted = (
        {"countType": "imageCountMoreThan"} if since is None else {"countType": since, "countUnit": "days"}
    )
    acted = {"type": action} | ({"targetStorageClass": "archive"} if action == "transition" else {})
    return {
        "rulePriority": priority,
        "selection": {"tagStatus": "any"} | counted | {"countNumber": number} | selection,
        "action": acted,
    }


def entry(day, **fields):
    return {"digest": f"sha256:{day:064x}", "pushed_at": f"2025-12-{day:02}T00:00:00Z"} | fields


@pytest.fixture
def run(tmp_path):
    """Run the command; lists and objects are written into files."""

    def call(*options, **files):
        for name, content in files.items():
            path = tmp_path / f"{name}.json"
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            options += (f"--{name}", str(path))
        return CliRunner().invoke(simulate, options)

    return call


def test_files_alone_give_what_expires_what_stays_and_why(run):
    images = [entry(day, tags=[f"v{day}"]) for day in (4, 1, 3, 2)]
    done = run("--now", NOW, "--json", lifecycle={"rules": [rule(1, 2)]}, images=images)
    digests = [f"sha256:{day:064x}" for day in (1, 2, 3, 4)]
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert list(found) == ["expire", "archive", "keep", "reasons"]
    assert (found["expire"], found["archive"], found["keep"]) == (digests[:2], [], digests[2:])
    assert found["reasons"][digests[0]] == (
        "rule 1 expires it: it is number 4 of 4, newest first, not among the newest 2 (imageCountMoreThan)"
    )


def test_people_see_each_group_with_reasons_counts_and_bytes(run):
    images = [
        entry(1, tags=["[bold]v1"], size=3 * 2**20),
        entry(2, tags=["v2"], size=5),
        entry(3, tags=["v3"]),
    ]
    done = run("--now", NOW, lifecycle={"rules": [rule(1, 2)]}, images=images)
    assert done.exit_code == 0, done.output
    assert "expire (1)" in done.stdout
    assert "[bold]v1" in done.stdout
    assert "31 days ago" in done.stdout
    assert "expire  1 image, 3.0 MiB (3,145,728 bytes)" in done.stdout
    assert "archive 0 images\n" in done.stdout
    assert "keep    2 images, at least 5 B (5 bytes)" in done.stdout


def test_of_very_many_images_people_see_the_first_and_how_many_more_there_are(run):
    images = [entry(1, digest=f"sha256:{number:064x}") for number in range(1, 1204)]
    done = run("--now", NOW, lifecycle={"rules": [rule(1, 1)]}, images=images)
    assert done.stdout.count("rule 1 expires it") == 1000
    assert "  … and 202 more: --json has them all" in done.stdout
    assert "expire  1,202 images" in done.stdout


def test_a_time_without_a_zone_is_in_utc_and_one_of_another_zone_is_moved(run):
    document = {"rules": [rule(1, 1, since="sinceImagePushed")]}
    images = [
        entry(1, pushed_at="2025-12-31T00:00:00"),
        entry(2, pushed_at="2025-12-31T00:00:00+01:00"),
        entry(3, pushed_at="2025-12-30T23:59:59Z"),
    ]
    done = run("--now", "2026-01-01T00:00:00", "--json", lifecycle=document, images=images)
    found = json.loads(done.stdout)
    assert set(found["expire"]) == {images[1]["digest"], images[2]["digest"]}


def test_every_field_is_read_and_null_is_as_good_as_left_out(run):
    empty = dict.fromkeys(("tags", "pulled_at", "archived_at", "activated_at", "referenced_by", "size"))
    images = [
        entry(1) | empty,
        entry(2, storage_class="ARCHIVE", archived_at="2025-01-01T00:00:00Z"),
        entry(3, referenced_by=["sha256:index"], subject=None),
        entry(4, pulled_at="2025-12-31T00:00:00Z"),
        entry(5, subject=entry(1)["digest"]),
        entry(6, activated_at="2025-12-31T00:00:00Z"),
    ]
    document = {
        "rules": [
            rule(1, 10, since="sinceImagePulled", action="transition"),
            rule(2, 90, since="sinceImageTransitioned", storageClass="archive"),
        ]
    }
    found = json.loads(run("--now", NOW, "--json", lifecycle=document, images=images).stdout)
    assert found["archive"] == [images[0]["digest"], images[4]["digest"]]
    assert found["expire"] == [images[1]["digest"]]
    assert "sha256:index refers to it" in found["reasons"][images[2]["digest"]]


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ({}, "is not a list of images, as in [{...}, {...}], but an object"),
        ("[", "is not JSON"),
        ([entry(1), 7], "the image at place 2 is not an object, but a number"),
        ([{"digest": "d"}], "the image at place 1 has no pushed_at"),
        ([{"pushed_at": NOW}], "the image at place 1 has no digest"),
        (
            [entry(1, colour="red")],
            "the image at place 1 has the unknown key 'colour': known are digest, tags",
        ),
        ([entry(1, tags="v1")], 'the image at place 1 has a tags that is no list of texts: "v1"'),
        ([entry(1, pushed_at=1)], "the image at place 1 has a pushed_at that is no text: 1"),
        ([entry(1, pulled_at="soon")], 'a pulled_at that is no time as in 2026-01-31T12:00:00Z: "soon"'),
        ([entry(1, pulled_at="0001-01-01T00:00:00+09:00")], "has a pulled_at that is no time"),
        ([entry(1, storage_class="cold")], 'a storage_class that is neither standard nor archive: "cold"'),
        ([entry(1, size=True)], "a size that is no number of bytes: true"),
        ([entry(1), entry(2), entry(1)], "the images at places 1 and 3 have the same digest"),
    ],
)
def test_a_list_that_is_wrong_is_an_error_that_says_where(run, images, said):
    done = run("--now", NOW, "--json", lifecycle={"rules": [rule(1, 2)]}, images=images)
    assert (done.exit_code, said in done.stderr) == (1, True), done.stderr
    assert done.stdout == ""


def test_all_that_ecr_would_not_take_in_a_policy_is_said(run):
    document = {"rules": [rule(1, 0), rule(1, 2, since="sinceImagePulled")]}
    done = run(lifecycle=document, images=[])
    assert done.exit_code == 1
    assert "is not a lifecycle policy that ECR takes:" in done.stderr
    assert "rule 1 has the countNumber 0: expected a whole number from 1" in done.stderr
    assert "2 rules have the rulePriority 1" in done.stderr
    assert "sinceImagePulled, which goes with the action transition only" in done.stderr


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ((), {}),
        ((), {"images": []}),
        ((), {"lifecycle": {}}),
        (("--compare", "--repository", "a"), {"images": [], "lifecycle": {}}),
        (("--compare", "--repository", "a", "--now", NOW), {}),
        (("--repository", "a"), {"policy": "{}", "lifecycle": {}}),
        ((), {"policy": "{}", "images": []}),
        (("--repository", "a", "--now", "today"), {}),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(run, options, files):
    assert run(*options, **files).exit_code == 2


POLICY = 'version: 1\nrules:\n  - match: ["team/**"]\n    lifecycle: {keep_last: 1}\n'


def test_the_lifecycle_of_a_policy_file_is_simulated_on_images_of_a_file(run):
    images = [entry(1, tags=["v1"]), entry(2, tags=["v2"])]
    done = run("--repository", "team/app", "--json", "--now", NOW, policy=POLICY, images=images)
    assert json.loads(done.stdout)["expire"] == [images[0]["digest"]]
    other = run("--repository", "other", policy=POLICY, images=images)
    assert (other.exit_code, "has no rule with a lifecycle section for other" in other.stderr) == (1, True)


def aged(aws, digest, days):
    repository = aws.backend.repositories["team/app"]
    (image,) = (one for one in repository.images if one.image_digest == digest)
    image.image_pushed_at = (datetime.now(UTC) - timedelta(days=days)).timestamp()


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with double() as found:
        found.ecr.create_repository(repositoryName="team/app")
        yield found


@pytest.fixture
def filled(registry):
    """Fill a repository: two images that an index has, the index, and two more."""
    digests = {name: registry.push(name, seed=name) for name in ("a", "b")}
    digests |= {name: registry.push(seed=name) for name in ("amd", "arm")}
    children = [{"digest": digests["amd"]}, {"digest": digests["arm"]}]
    digests["index"] = registry.push("multi", seed="index", mediaType=INDEX, manifests=children)
    digests["signature"] = registry.push(seed="s", subject={"digest": digests["a"]})
    for days, name in enumerate(("b", "index", "amd", "arm", "signature", "a"), 10):
        aged(registry, digests[name], days)
    return digests


def test_a_live_repositorys_own_policy_is_simulated_on_its_images_and_compared(run, registry, filled):
    text = json.dumps({"rules": [rule(1, 1)]})
    registry.ecr.put_lifecycle_policy(repositoryName="team/app", lifecyclePolicyText=text)
    done = run("--repository", "team/app", "--json", "--compare")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert set(found["expire"]) == {filled["a"], filled["index"], filled["signature"]}
    assert set(found["keep"]) == {filled["b"], filled["amd"], filled["arm"]}
    assert filled["index"] in found["reasons"][filled["amd"]]
    assert found["disagreements"] == []
    shown = run("--repository", "team/app", "--compare")
    assert "ECR's own preview says the same." in shown.stdout
    assert len(registry.backend.repositories["team/app"].images) == 6


def test_a_repository_without_a_policy_is_an_error_and_a_given_one_is_simulated(run, registry, filled):
    none = run("--repository", "team/app")
    assert (none.exit_code, "team/app has no lifecycle policy: give one by" in none.stderr) == (1, True)
    gone = run("--repository", "team/none")
    assert (gone.exit_code, "does not exist" in gone.stderr) == (1, True)
    done = run("--repository", "team/app", "--json", lifecycle={"rules": [rule(1, 5)]})
    assert filled["b"] in json.loads(done.stdout)["keep"]
    by_policy = run("--repository", "team/app", "--json", policy=POLICY)
    assert filled["a"] in json.loads(by_policy.stdout)["expire"]
    assert error_of(registry.ecr.get_lifecycle_policy, repositoryName="team/app")


def test_no_index_is_pulled_where_nothing_is_taken(run, registry, filled):
    run("--repository", "team/app", "--json", lifecycle={"rules": [rule(1, 500)]})
    assert registry.storage(filled["index"]).pulled_at is None


def test_each_disagreement_with_ecr_is_told_with_both_sides(run, filled, monkeypatch):
    monkeypatch.setattr(lifecycle_preview, "evaluate", lambda *_: [])
    done = run("--repository", "team/app", "--compare", lifecycle={"rules": [rule(1, 1)]})
    assert done.exit_code == 1
    assert "ECR's own preview differs in 2 of the images:" in done.stdout
    assert f"{filled['a']}\n    here: expire: rule 1 expires it" in done.stdout
    assert "    ECR:  keep" in done.stdout


class Slow:
    """ECR whose previews take their time, and may end otherwise."""

    def __init__(self, *statuses, text=None):
        self.statuses, self.text, self.pauses = list(statuses), text, []

    def start_lifecycle_policy_preview(self, **given):
        self.text = self.text or given["lifecyclePolicyText"]

    def get_lifecycle_policy_preview(self, **given):
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        page = int(given.get("nextToken", 0))
        result = {
            "imageDigest": f"sha256:{page}",
            "action": {"type": "TRANSITION"},
            "appliedRulePriority": 3,
        }
        more = {"nextToken": str(page + 1)} if page < 2 else {}
        return {"status": status, "lifecyclePolicyText": self.text, "previewResults": [result], **more}


def previewed(slow):
    said = []
    account = SimulationAccount(slow, Place(ACCOUNT, REGION), pause=slow.pauses.append)
    return account.preview("team/app", {"rules": [rule(1, 1)]}, said.append), said


def test_ecrs_preview_is_waited_for_and_read_to_its_last_page():
    slow = Slow("IN_PROGRESS", "IN_PROGRESS", "COMPLETE")
    found, said = previewed(slow)
    assert list(found) == ["sha256:0", "sha256:1", "sha256:2"]
    assert {(one.action, one.priority) for one in found.values()} == {("archive", 3)}
    assert slow.pauses == [2, 2]
    assert said[-1] == "waiting for ECR's preview of team/app (2 s)"


def test_a_preview_of_the_same_policy_in_other_words_is_the_one_that_was_asked_for():
    written = json.dumps({"rules": [rule(1, 1, storageClass="standard") | {"description": "d"}]}, indent=1)
    assert len(previewed(Slow("COMPLETE", text=written))[0]) == 3


@pytest.mark.parametrize(
    ("slow", "problem"),
    [
        (Slow("IN_PROGRESS"), "was not done after 900 seconds"),
        (Slow("FAILED"), "is FAILED"),
        (
            Slow("COMPLETE", text=json.dumps({"rules": [rule(1, 2)]})),
            "somebody else started",
        ),
    ],
)
def test_a_preview_that_does_not_come_is_an_error(slow, problem):
    with pytest.raises(AwsError, match=problem):
        previewed(slow)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_it_agrees_with_the_local_awss_preview(registry, data):
    name = f"team/{uuid4()}"
    registry.ecr.create_repository(repositoryName=name)
    digests = []
    for number in range(data.draw(st.integers(0, 6))):
        tags = data.draw(st.lists(st.sampled_from(["a", "ab", "b"]), unique=True, max_size=1))
        members = data.draw(
            st.sampled_from(
                [
                    {},
                    {"mediaType": INDEX, "manifests": [{"digest": one} for one in digests[:1]]},
                    *[{"subject": {"digest": one}} for one in digests[:1]],
                ]
            )
        )
        digests.append(registry.push(*tags, repository=name, seed=str(number), **members))
    for image in registry.backend.repositories[name].images:
        image.image_pushed_at = datetime.now(UTC).timestamp() - data.draw(st.integers(1, 9)) * 86_400 + 60
        storage = storage_of(image)
        storage.status = data.draw(st.sampled_from(["ACTIVE", "ACTIVE", "ARCHIVED"]))
        for field in ("archived_at", "activated_at", "pulled_at"):
            days = data.draw(st.integers(1, 200))
            is_there = data.draw(st.booleans()) or (field, storage.status) == ("archived_at", "ARCHIVED")
            setattr(storage, field, datetime.now(UTC) - timedelta(days=days, hours=-1) if is_there else None)
    rules = [
        rule(1, data.draw(st.integers(1, 3)), tagStatus="tagged", tagPatternList=["a*"]),
        rule(2, data.draw(st.integers(1, 5)), since="sinceImagePushed", tagStatus="untagged"),
        rule(3, data.draw(st.integers(1, 9)), since="sinceImagePulled", action="transition"),
        rule(4, 90, since="sinceImageTransitioned", storageClass="archive"),
    ]
    account = SimulationAccount(registry.ecr, Place(ACCOUNT, REGION))
    live = account.images(name)
    theirs = account.preview(name, {"rules": rules}, print)
    images = account.with_indexes(name, live).images
    ours = simulate_lifecycle({"rules": rules}, images, datetime.now(UTC))
    assert disagreements(images, ours, theirs) == ()
