"""What a lifecycle policy does to images: AWS's own examples, the boundaries, and a second implementation."""

import random
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from slow_lifecycle import fates

from ecr_warden.domain.lifecycle_simulation import SimulatedImage, simulate_lifecycle
from ecr_warden.domain.settings.lifecycle_rules import lifecycle_problems
from ecr_warden.domain.simulation.rules import wildcard

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ago(days):
    return None if days is None else NOW - timedelta(days=days)


def image(digest, *tags, pushed=1, pulled=None, archived=None, activated=None, **other):
    """Make an image; its times are in days ago, and it is archived where it has no later activation."""
    stored = "archive" if archived is not None and activated is None else "standard"
    times = {"pulled_at": ago(pulled), "archived_at": ago(archived), "activated_at": ago(activated)}
    return SimulatedImage(digest, tags, ago(pushed), **({"storage_class": stored} | times | other))


def rule(priority, number, *patterns, since=None, action="expire", status=None, **selection):
    counted = (
        {"countType": "imageCountMoreThan"} if since is None else {"countType": since, "countUnit": "days"}
    )
    tags = {"tagStatus": status or ("tagged" if patterns else "any")}
    tags |= {"tagPatternList": list(patterns)} if patterns else {}
    acted = {"type": action} | ({"targetStorageClass": "archive"} if action == "transition" else {})
    return {
        "rulePriority": priority,
        "description": f"Rule {priority}",
        "selection": tags | counted | {"countNumber": number} | selection,
        "action": acted,
    }


def simulated(rules, *images, now=NOW):
    document = {"rules": list(rules)}
    assert lifecycle_problems(document) == []
    return simulate_lifecycle(document, images, now)


PUSHED, PULLED, MOVED = "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"
ARCHIVED = {"since": MOVED, "storageClass": "archive"}
THREE = (
    image("A", "beta-1", "prod-1", pushed=10),
    image("B", "beta-2", "prod-2", pushed=9),
    image("C", "beta-3", pushed=8),
)
SIX = (
    image("A", "alpha-1", pushed=12),
    image("B", "beta-1", pushed=11),
    image("C", "alpha-2", "beta-2", pushed=10),
    image("D", "alpha-3", pushed=4),
    image("E", "beta-3", pushed=3),
    image("F", "alpha-4", "beta-4", pushed=2),
)


@pytest.mark.parametrize(
    ("rules", "images", "expired", "archived"),
    [
        pytest.param(
            [rule(1, 14, "prod*", since=PUSHED)],
            [image("A", "prod-1", pushed=15), image("B", "prod-2", pushed=13), image("C", "dev", pushed=99)],
            {"A"},
            set(),
            id="image age",
        ),
        pytest.param(
            [rule(1, 90, since=PULLED, action="transition")],
            [image("A", "a", pushed=99, pulled=91), image("B", pushed=99, pulled=1), image("C", pushed=91)],
            set(),
            {"A", "C"},
            id="last pulled time",
        ),
        pytest.param(
            [rule(1, 365, **ARCHIVED)],
            [
                image("A", "a", pushed=999, archived=366),
                image("B", pushed=999, archived=1),
                image("C", pushed=999),
            ],
            {"A"},
            set(),
            id="archive transition time",
        ),
        pytest.param(
            [rule(1, 1, status="untagged")],
            [image("A", pushed=3), image("B", pushed=2), image("C", "c", pushed=9)],
            {"A"},
            set(),
            id="image count",
        ),
        pytest.param([rule(1, 1, "prod*"), rule(2, 1, "beta*")], THREE, {"A"}, set(), id="multiple rules A"),
        pytest.param(
            [rule(1, 1, "beta*"), rule(2, 1, "prod*")], THREE, {"A", "B"}, set(), id="multiple rules B"
        ),
        pytest.param([rule(1, 5, "alpha*", "beta*", since=PUSHED)], SIX, {"C"}, set(), id="multiple tags A"),
        pytest.param(
            [rule(1, 1, "alpha*", "beta*")],
            [
                image("A", "alpha-1", "beta-1", "gamma-1", pushed=10),
                image("B", "alpha-2", "beta-2", pushed=9),
                image("C", "alpha-3", "beta-3", "gamma-2", pushed=8),
            ],
            {"A", "B"},
            set(),
            id="multiple tags B",
        ),
        pytest.param(
            [rule(1, 1)],
            [
                image("A", "alpha-1", pushed=4),
                image("B", "beta-1", pushed=3),
                image("C", pushed=2),
                image("D", "alpha-2", pushed=1),
            ],
            {"A", "B", "C"},
            set(),
            id="all images A",
        ),
        pytest.param(
            [rule(1, 1, "alpha*"), rule(2, 1, status="untagged", since=PUSHED), rule(3, 1)],
            [
                image("A", "alpha-1", "beta-1", pushed=4),
                image("B", pushed=3),
                image("C", "alpha-2", pushed=2),
                image("D", "git hash", pushed=1),
                image("E", pushed=1),
            ],
            {"A", "B", "D"},
            set(),
            id="all images B",
        ),
        pytest.param(
            [rule(1, 30, "prod*", since=PUSHED, action="transition")],
            [image("A", "prod-1", pushed=31), image("B", "prod-2", pushed=29), image("C", "dev", pushed=31)],
            set(),
            {"A"},
            id="archiving by age",
        ),
        pytest.param(
            [rule(1, 30, since=PUSHED, action="transition"), rule(2, 365, **ARCHIVED)],
            [
                image("A", pushed=31),
                image("B", pushed=29),
                image("C", pushed=999, archived=366),
                image("D", pushed=999, archived=364),
            ],
            {"C"},
            {"A"},
            id="archiving and expiring",
        ),
    ],
)
def test_each_example_of_awss_documentation_comes_out_as_it_says(rules, images, expired, archived):
    """By https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html.

    Where an example there has a policy and no images, these are made for what its text says.
    """
    found = simulated(rules, *images)
    assert (set(found.expire), set(found.archive)) == (expired, archived)
    assert set(found.keep) == {one.digest for one in images} - expired - archived


def test_a_prefix_list_is_all_of_its_prefixes_each_by_any_tag():
    both = rule(1, 5, "x", since=PUSHED)
    del both["selection"]["tagPatternList"]
    both["selection"]["tagPrefixList"] = ["alpha", "beta"]
    assert simulated([both], *SIX).expire == ("C",)


@pytest.mark.parametrize(("seconds", "expired"), [(0, ()), (1, ("A",)), (-1, ())])
def test_an_image_of_exactly_so_many_days_stays(seconds, expired):
    old = image("A", "a", pushed=14)
    found = simulated([rule(1, 14, since=PUSHED)], old, now=NOW + timedelta(seconds=seconds))
    assert found.expire == expired


def test_of_images_of_the_same_time_the_first_digest_is_the_older():
    assert simulated([rule(1, 1)], image("B"), image("A"), image("C")).expire == ("A", "B")


def test_more_days_than_time_has_take_nothing():
    assert simulated([rule(1, 10**12, since=PUSHED)], image("A", pushed=9999)).keep == ("A",)


def test_no_images_are_no_error():
    found = simulated([rule(1, 1)])
    assert (found.expire, found.archive, found.keep, found.reasons) == ((), (), (), {})


def test_a_restored_image_is_as_old_as_its_restoring():
    restored = image("A", pushed=99, archived=50, activated=1)
    assert simulated([rule(1, 1)], restored, image("B", pushed=2)).expire == ("B",)
    assert simulated([rule(1, 30, since=PUSHED)], restored).keep == ("A",)


@pytest.mark.parametrize(
    ("times", "taken"),
    [
        ({"pushed": 99, "pulled": 91, "archived": 60, "activated": 50}, False),
        ({"pushed": 999, "archived": 400, "activated": 91}, True),
        ({"pushed": 999, "archived": 400, "activated": 300, "pulled": 1}, False),
        # A tag that is pushed anew makes a push later than a pull.
        ({"pushed": 1, "pulled": 91}, True),
    ],
)
def test_a_pull_counts_from_the_last_one_unless_a_restoring_came_after_it(times, taken):
    found = simulated([rule(1, 90, since=PULLED, action="transition")], image("A", **times))
    assert (found.archive == ("A",)) is taken


def test_an_archived_image_of_which_no_time_is_known_stays():
    unknown = image("A", pushed=999, storage_class="archive")
    found = simulated([rule(1, 90, **ARCHIVED)], unknown)
    assert found.keep == ("A",)
    assert "when it was archived is not known" in found.reasons["A"]


def test_an_image_of_an_index_stays_in_the_very_run_that_takes_the_index_and_counts():
    rules = [rule(1, 1)]
    images = [image("A", pushed=3, referenced_by=("B",)), image("B", "b", pushed=2), image("C", pushed=1)]
    found = simulated(rules, *images)
    assert (found.expire, found.keep) == (("B",), ("A", "C"))
    assert found.reasons["A"] == (
        "the image index B refers to it: without that, rule 1 (Rule 1) would expire it"
    )


def test_an_archived_index_keeps_its_images_no_longer():
    index = image("B", "b", pushed=99, archived=5)
    assert simulated([rule(1, 1)], image("A", pushed=3, referenced_by=("B",)), image("C"), index).expire == (
        "A",
    )


def test_signatures_go_with_their_subject_and_are_not_counted():
    images = [
        image("A", "a", pushed=3),
        image("B", "b", pushed=2),
        image("S", "sig", pushed=9, subject="A"),
        image("T", pushed=9, subject="S"),
        image("U", pushed=9, subject="B"),
        image("V", pushed=9, subject="nothing"),
        image("X", pushed=9, subject="Y"),
        image("Y", pushed=9, subject="X"),
    ]
    found = simulated([rule(1, 1)], *images)
    assert found.expire == ("A", "S", "T")
    assert found.reasons["S"] == "it goes with its subject A, which rule 1 (Rule 1) expires"
    assert found.reasons["U"] == "it goes with its subject B, which is kept"
    assert found.reasons["V"] == "it goes with its subject nothing, which is not among the images"
    assert found.priorities == {"A": 1, "S": 1, "T": 1}


def test_every_reason_names_the_rule_and_why():
    rules = [
        rule(1, 1, "v*"),
        rule(2, 7, status="untagged", since=PUSHED),
        rule(3, 20, "dev*", since=PULLED, action="transition"),
        rule(4, 10, "v*-old", since=PUSHED),
    ]
    images = [
        image("A", "v1", pushed=9),
        image("B", "v2-old", pushed=8.5 + 3.0 + 0.5),
        image("B2", "v3-old", pushed=11),
        image("C", pushed=2),
        image("D", "dev", pushed=22.5),
        image("E", "other", pushed=1),
        image("F", pushed=99, archived=3),
    ]
    reasons = simulated(rules, *images).reasons
    assert reasons == {
        "A": "rule 1 (Rule 1) keeps it: it is number 1 of 3, newest first, among the newest 1 "
        "(imageCountMoreThan)",
        "B": "rule 1 (Rule 1) expires it: it is number 3 of 3, newest first, not among the newest 1 "
        "(imageCountMoreThan)",
        "B2": "rule 1 (Rule 1) expires it: it is number 2 of 3, newest first, not among the newest 1 "
        "(imageCountMoreThan)",
        "C": "rule 2 (Rule 2) keeps it: it was pushed 2 days ago, not more than 7 days (sinceImagePushed)",
        "D": "rule 3 (Rule 3) archives it: it was pushed and never pulled, 22 days 12 hours ago, more "
        "than 20 days (sinceImagePulled)",
        "E": "no rule is for it: it is standard, and no rule's tags match other",
        "F": "it is archived, and no rule is for archived images",
    }


def test_a_kept_image_says_which_rule_would_have_taken_it():
    found = simulated([rule(1, 5, "v*"), rule(2, 3, since=PUSHED)], image("A", "v1", pushed=9))
    assert found.reasons["A"].endswith(
        "; rule 2 (Rule 2) would expire it, but may not: rule 1 (Rule 1) is for it and comes first"
    )


LETTERS = st.text("ab-", max_size=4)


# What a pattern begins and ends with may not be the same characters of a tag.
@example("ab", "ab*b")
@example("aba", "ab*ba")
@example("ab", "a*b*b")
@given(LETTERS, st.text("ab-*", max_size=6))
def test_a_wildcard_matches_as_an_expression_does(tag, pattern):
    from fnmatch import fnmatchcase  # noqa: PLC0415  # the other opinion, of this test alone

    assert wildcard(pattern)(tag) is fnmatchcase(tag, pattern)


def test_a_tag_that_nearly_matches_takes_no_time():
    assert not wildcard("*a*a*a*b")("a" * 100_000)


DAYS = st.integers(0, 12)
DIGESTS = [f"sha256:{number:02}" for number in range(14)]


@st.composite
def image_lists(draw):
    digests = draw(st.lists(st.sampled_from(DIGESTS), unique=True, max_size=12))
    found = []
    for digest in digests:
        optional = st.none() | DAYS
        tags = draw(st.lists(st.sampled_from(["a", "ab", "b", "ba", "c"]), unique=True, max_size=2))
        stored = draw(st.sampled_from(["standard", "standard", "archive"]))
        found.append(
            image(
                digest,
                *tags,
                pushed=draw(DAYS) * draw(st.sampled_from([1, 1, 40])),
                pulled=draw(optional),
                activated=draw(optional),
                archived=draw(st.sampled_from([None, 1, 89, 90, 91, 200])),
                storage_class=stored,
                referenced_by=tuple(draw(st.lists(st.sampled_from(DIGESTS), max_size=1))),
                subject=draw(st.sampled_from([None, None, None, *DIGESTS])),
            )
        )
    return found


@st.composite
def documents(draw):
    """Give a document that ECR takes, its rules for any image last."""
    patterns = draw(st.lists(st.sampled_from(["a*", "b*", "*b", "*", "c"]), unique=True, min_size=1))
    last = count(1)
    rules = []
    for pattern in patterns:
        action = draw(st.sampled_from(["expire", "transition"]))
        since = draw(st.sampled_from([None, PUSHED, *([PULLED] if action == "transition" else [])]))
        rules.append(rule(next(last), draw(st.integers(1, 5)), pattern, since=since, action=action))
    if draw(st.booleans()):
        rules.append(rule(next(last), draw(st.integers(1, 5)), "c*", **ARCHIVED | {"action": "expire"}))
        rules[-1]["selection"]["countNumber"] = 90
    if draw(st.booleans()):
        rules.append(
            rule(
                next(last),
                draw(st.integers(1, 5)),
                status="untagged",
                since=draw(st.sampled_from([None, PUSHED])),
            )
        )
    if draw(st.booleans()):
        rules.append(rule(next(last), draw(st.integers(1, 5)), since=draw(st.sampled_from([None, PUSHED]))))
    if draw(st.booleans()):
        rules.append(rule(next(last), 90, **ARCHIVED))
    document = {"rules": draw(st.permutations(rules))}
    assert lifecycle_problems(document) == []
    return document


def fates_of(found):
    groups = {"expire": found.expire, "archive": found.archive, "keep": found.keep}
    return {digest: name for name, digests in groups.items() for digest in digests}


@given(documents(), image_lists())
def test_it_agrees_with_a_second_slow_implementation(document, images):
    assert fates_of(simulate_lifecycle(document, images, NOW)) == fates(document, images, NOW)


@given(documents(), image_lists())
def test_every_image_is_in_one_group_and_has_a_reason(document, images):
    found = simulate_lifecycle(document, images, NOW)
    digests = sorted(one.digest for one in images)
    assert sorted([*found.expire, *found.archive, *found.keep]) == digests
    assert sorted(digest for digest, reason in found.reasons.items() if reason) == digests
    assert set(found.priorities) == {*found.expire, *found.archive}


@given(documents(), image_lists(), st.randoms(use_true_random=False))
def test_the_order_of_images_and_rules_does_not_matter(document, images, chance):
    shuffled, rules = list(images), list(document["rules"])
    chance.shuffle(shuffled)
    chance.shuffle(rules)
    assert simulate_lifecycle({"rules": rules}, shuffled, NOW) == simulate_lifecycle(document, images, NOW)


@given(documents(), image_lists())
def test_a_rule_of_lowest_priority_saves_no_image_and_moves_none(document, images):
    before = simulate_lifecycle(document, images, NOW)
    added = {"rules": [*document["rules"], rule(99, 1)]}
    after = fates_of(simulate_lifecycle(added, images, NOW))
    for digest, fate in fates_of(before).items():
        assert fate in {"keep", after[digest]}


def test_a_hundred_thousand_images_and_fifty_rules_take_seconds():
    rules = [rule(number, 1000, f"team{number}-*-v*", since=PUSHED) for number in range(1, 50)]
    chance = random.Random(1)  # noqa: S311  # no secret
    images = [
        image(f"{number:06}", f"team{chance.randrange(80)}-x-v{number}", pushed=chance.random() * 2000)
        for number in range(100_000)
    ]
    started = datetime.now(UTC)
    found = simulated([*rules, rule(50, 100)], *images)
    assert len(found.expire) > 10_000
    # Some seconds by itself; the machine may be busy.
    assert (datetime.now(UTC) - started).total_seconds() < 60
