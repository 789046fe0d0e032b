import json
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import combinations

import pytest
from ecr_lifecycle import Image, run
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.policy import Lifecycle
from ecr_warden.domain.quarantine import quarantine_tag
from ecr_warden.domain.settings.lifecycle import (
    combination_problems,
    lifecycle_document,
    lifecycle_warnings,
    plan_lifecycle,
)
from ecr_warden.domain.settings.lifecycle_rules import lifecycle_problems
from ecr_warden.domain.settings.plans import Compliant, Kept, Put

OPTIONS = {
    "keep_last": 3,
    "keep_tagged": 2,
    "expire_untagged_after_days": 7,
    "expire_after_days": 30,
    "archive_unpulled_after_days": 20,
    "delete_archived_after_days": 100,
}
REFUSED = [
    {"keep_last", "expire_after_days"},
    {"keep_tagged", "keep_last"},
    {"keep_tagged", "expire_after_days"},
    {"keep_tagged", "archive_unpulled_after_days"},
]
SUBSETS = [set(names) for size in range(1, 7) for names in combinations(OPTIONS, size)]
DIGEST = "sha256:" + "ab" * 32


def named(options):
    """Name some options the same in every process."""
    return "+".join(sorted(options))


QUARANTINED = quarantine_tag(DIGEST, "latest")
MORE_THAN_1 = {"countType": "imageCountMoreThan", "countNumber": 1}
EXPIRE = {"type": "expire"}
KEEP = ["v*", "release-*-final", "prod", "*.*.*", "quarantine-*-prod"]
TAGS = st.sampled_from(["v1", "release-1-final", "prod", "1.2.3", "latest", "dev", QUARANTINED]) | st.text(
    "av1.-", min_size=1, max_size=8
)


def section(**values):
    return Lifecycle(line=1, **values)


def only(names):
    return section(**{name: OPTIONS[name] for name in names})


def numbered(*rules):
    """Give a document of selections and actions, the first of the highest priority."""
    keys = ("rulePriority", "selection", "action")
    return {"rules": [dict(zip(keys, (n, *rule), strict=True)) for n, rule in enumerate(rules, 1)]}


KEPT = st.lists(st.sampled_from(KEEP), max_size=3).map(tuple)
COUNTS = st.none() | st.integers(1, 12)
SECTIONS = st.builds(
    section,
    keep_last=COUNTS,
    keep_tagged=COUNTS,
    expire_untagged_after_days=COUNTS,
    expire_after_days=COUNTS,
    archive_unpulled_after_days=COUNTS,
    delete_archived_after_days=st.none() | st.integers(90, 200),
    keep=KEPT,
    quarantine_days=st.integers(1, 20),
).filter(lambda lifecycle: not combination_problems(lifecycle))
IMAGES = st.lists(
    st.builds(
        Image,
        tags=st.frozensets(TAGS, max_size=3),
        pushed=st.integers(0, 60),
        pulled=st.none() | st.integers(0, 60),
        archived=st.none() | st.integers(0, 400),
    ),
    max_size=20,
)


def fate(lifecycle, *images):
    return run(lifecycle_document(lifecycle), images)


def tagged(*tags, **times):
    return Image(frozenset(tags), **times)


def test_the_evaluator_gives_what_aws_documents_of_tags_that_two_rules_select():
    # The user guide's "Filtering on multiple rules", examples A and B.
    images = [
        tagged("beta-1", "prod-1", pushed=10),
        tagged("beta-2", "prod-2", pushed=9),
        tagged("beta-3", pushed=8),
    ]
    prod, beta = (
        ({"tagStatus": "tagged", "tagPrefixList": [prefix]} | MORE_THAN_1, EXPIRE)
        for prefix in ("prod", "beta")
    )
    assert run(numbered(prod, beta), images) == ["expire", None, None]
    assert run(numbered(beta, prod), images) == ["expire", "expire", None]


def test_the_evaluator_gives_what_aws_documents_of_all_rule_types_together():
    # "Filtering on all images", example B: the last rule counts E and C, and cannot take them.
    images = [
        tagged("alpha-1", "beta-1", pushed=4),
        Image(pushed=3),
        tagged("alpha-2", pushed=2),
        tagged("git-hash", pushed=1),
        Image(pushed=0.9),
    ]
    document = numbered(
        ({"tagStatus": "tagged", "tagPatternList": ["alpha*"]} | MORE_THAN_1, EXPIRE),
        ({"tagStatus": "untagged", "countType": "sinceImagePushed", "countNumber": 1}, EXPIRE),
        ({"tagStatus": "any"} | MORE_THAN_1, EXPIRE),
    )
    assert run(document, images) == ["expire", "expire", None, "expire", None]


def test_a_quarantined_tag_expires_by_a_rule_of_its_own():
    lifecycle = section(expire_untagged_after_days=90, quarantine_days=14)
    images = [tagged(QUARANTINED, pushed=15), tagged(QUARANTINED, pushed=14), tagged("latest", pushed=15)]
    assert fate(lifecycle, *images) == ["expire", None, None]


def test_a_quarantine_tag_takes_its_whole_image_unless_keep_matches_another_tag():
    image = tagged(QUARANTINED, "1.0.0", pushed=20)
    assert fate(section(keep_last=50), image) == ["expire"]
    assert fate(section(keep_last=50, keep=("*.*.*",)), image) == [None]


@given(SECTIONS.filter(lambda lifecycle: not lifecycle.keep), TAGS, st.integers(1, 400))
def test_an_image_with_quarantine_tags_only_is_deleted_when_its_days_are_over(lifecycle, tag, age):
    image = tagged(quarantine_tag(DIGEST, tag), pushed=age)
    assert fate(lifecycle, image) == ["expire" if age > lifecycle.quarantine_days else None]


@given(SECTIONS, IMAGES)
def test_an_image_with_a_tag_to_keep_is_never_deleted_nor_archived(lifecycle, images):
    for image, what in zip(images, fate(lifecycle, *images), strict=True):
        if any(fnmatchcase(tag, pattern) for tag in image.tags for pattern in lifecycle.keep):
            assert what is None


@pytest.mark.parametrize("option", ["keep_last", "keep_tagged"])
@given(count=st.integers(1, 12), keep=KEPT, images=IMAGES)
def test_the_newest_images_stay_but_for_quarantined_ones(option, count, keep, images):
    images = [image for image in images if image.tags or option == "keep_last"]
    images = sorted((replace(image, archived=None) for image in images), key=lambda image: image.pushed)
    fates = fate(section(**{option: count}, keep=keep), *images)
    taken = [image for image, what in zip(images[:count], fates, strict=False) if what]
    assert all(fnmatchcase(" ".join(image.tags), "*quarantine-*") for image in taken)


@given(IMAGES, st.lists(st.builds(Image, pushed=st.integers(0, 60)), max_size=20))
def test_untagged_images_do_not_count_for_keep_tagged(images, untagged):
    images = [image for image in images if image.tags]
    fates = fate(section(keep_tagged=2), *images)
    assert fate(section(keep_tagged=2), *images, *untagged) == [*fates, *[None] * len(untagged)]


def test_an_unpulled_image_is_archived_and_then_deleted():
    lifecycle = section(archive_unpulled_after_days=90, delete_archived_after_days=200)
    images = [
        tagged("a", pushed=100, pulled=91),
        tagged("b", pushed=100, pulled=1),
        Image(pushed=91),
        tagged("c", archived=201),
        tagged("d", archived=200),
    ]
    assert fate(lifecycle, *images) == ["transition", None, "transition", "expire", None]


def test_the_rules_are_numbered_from_1_and_say_whose_they_are():
    lifecycle = replace(only(OPTIONS), keep=("v*",), keep_tagged=None, keep_last=None)
    rules = lifecycle_document(lifecycle)["rules"]
    assert [rule["rulePriority"] for rule in rules] == list(range(1, 8))
    assert [rule["description"].removeprefix("ECR Warden: ") for rule in rules] == [
        "keep these images",
        "delete quarantined images",
        "delete untagged images",
        "archive images that nobody pulls",
        "keep these archived images",
        "delete old images",
        "delete archived images",
    ]


def test_ecrs_own_document_is_taken_as_it_is():
    document = lifecycle_document(section(keep_last=4))
    assert lifecycle_document(section(document=json.dumps(document))) == document
    assert combination_problems(section(document=json.dumps(document))) == []


@given(SECTIONS)
def test_every_shorthand_without_problems_compiles_into_what_ecr_takes(lifecycle):
    assert lifecycle_problems(lifecycle_document(lifecycle)) == []


@pytest.mark.parametrize("names", SUBSETS, ids=named)
def test_options_are_refused_together_where_one_would_do_nothing(names):
    assert bool(combination_problems(only(names))) == any(pair <= names for pair in REFUSED)
    if not combination_problems(only(names)):
        assert lifecycle_problems(lifecycle_document(only(names))) == []


@pytest.mark.parametrize(
    "names",
    [names for names in SUBSETS if not combination_problems(only(names)) + lifecycle_warnings(only(names))],
    ids=named,
)
def test_no_option_of_a_section_without_problems_and_warnings_is_idle(names):
    ages = (1, 10, 25, 40, 120)
    images = [Image(tags, age, None, old) for tags in ({}, {"a"}) for age in ages for old in (None, age)]
    for name in names:
        assert fate(only(names), *images) != fate(only(names - {name}), *images), name


@pytest.mark.parametrize(
    ("lifecycle", "said"),
    [
        (section(), "the section asks for nothing"),
        (section(document="{}", keep=("v*",), keep_last=3), "remove keep_last and keep, or remove rules"),
        (section(keep_last=1, expire_after_days=1), "keep_last and expire_after_days exclude each other"),
        (section(keep_tagged=1, keep_last=1), "give one of them"),
        (section(keep_last=1, keep=("**",)), "keep has '**', which is every tagged image"),
        (section(keep_last=1, keep=("quarantine-*-*",)), "which is every quarantined image"),
        (section(delete_archived_after_days=89), "delete_archived_after_days is 89"),
        (section(keep=("a*b*c*d*e*",)), "rule 1 has the pattern 'a*b*c*d*e*'"),
        (section(keep=tuple(f"v{n}" for n in range(50))), "the policy has 51 rules"),
    ],
)
def test_what_ecr_cannot_express_is_told(lifecycle, said):
    (sentence,) = combination_problems(lifecycle)
    assert said in sentence


@pytest.mark.parametrize("option", ["keep_last", "expire_after_days"])
def test_a_warning_says_that_archiving_comes_first(option):
    names = {option, "archive_unpulled_after_days"}
    (warning,) = lifecycle_warnings(only(names))
    assert f"with archive_unpulled_after_days, {option} takes untagged images only" in warning
    assert "give delete_archived_after_days" in warning
    images = [tagged("a", pushed=50, pulled=1), *[Image(pushed=age, pulled=1) for age in (1, 2, 3, 60)]]
    assert fate(only(names), *images) == [None, None, None, None, "expire"]
    more = {"expire_untagged_after_days", "delete_archived_after_days"}
    (warning,) = lifecycle_warnings(only(names | more))
    assert f"{option} takes no image" in warning
    assert "delete_archived_after_days deletes" in warning
    assert lifecycle_warnings(only({option})) == lifecycle_warnings(section(document="{}")) == []


def test_a_repository_without_a_policy_gets_the_wanted_one():
    wanted = section(keep_last=5)
    assert plan_lifecycle(None, wanted, override=False) == Put(None, lifecycle_document(wanted))


@given(SECTIONS, SECTIONS)
def test_an_applied_plan_leaves_nothing_to_do(before, wanted):
    current = lifecycle_document(before)
    plan = plan_lifecycle(current, wanted, override=True)
    if isinstance(plan, Put):
        assert plan.before == current
        assert plan.after == lifecycle_document(wanted)
        assert plan_lifecycle(plan.after, wanted, override=False) == Compliant()
    else:
        assert plan == Compliant()


@given(SECTIONS, SECTIONS)
def test_a_policy_of_the_repositorys_own_stays_without_override(own, wanted):
    plan = plan_lifecycle(lifecycle_document(own), wanted, override=False)
    assert not isinstance(plan, Put)
    if {**vars(own), "keep": {*own.keep}} != {**vars(wanted), "keep": {*wanted.keep}}:
        assert isinstance(plan, Kept)


@given(SECTIONS, st.randoms(use_true_random=False))
def test_a_policy_that_is_only_written_otherwise_is_compliant(wanted, random):
    rules = json.loads(json.dumps(lifecycle_document(wanted)))["rules"]
    for rule in rules:
        rule["rulePriority"] *= 10
        rule["description"] = "ours"
        rule["selection"] = dict(reversed(({"storageClass": "standard"} | rule["selection"]).items()))
    random.shuffle(rules)
    assert plan_lifecycle({"rules": rules}, wanted, override=False) == Compliant()


def test_the_order_of_rules_by_priority_is_a_difference():
    wanted = section(keep=("v*", "prod"), keep_last=5)
    rules = lifecycle_document(wanted)["rules"]
    rules[0]["rulePriority"], rules[2]["rulePriority"] = 3, 1
    assert isinstance(plan_lifecycle({"rules": rules}, wanted, override=False), Kept)


@pytest.mark.parametrize(
    ("pattern", "is_warned_of"),
    [
        ("*-prod", True),
        ("q*", True),
        ("quarantine*", True),
        ("quarantine-*-v*", True),
        ("*", True),
        ("v*", False),
        ("release-*", False),
        ("quarantine", False),
        ("prod", False),
    ],
)
def test_a_pattern_that_keeps_quarantined_images_too_is_warned_of(pattern, is_warned_of):
    warnings = lifecycle_warnings(section(keep=(pattern,), keep_last=3))
    assert any("which quarantine tags may match" in warning for warning in warnings) is is_warned_of
