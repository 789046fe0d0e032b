from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.settings.lifecycle_rules import lifecycle_problems, lifecycle_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
GONE = object()
COUNT_TYPES = ("imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned")
EXPIRE = {"type": "expire"}
ARCHIVE = {"type": "transition", "targetStorageClass": "archive"}
TAGGED = {"tagStatus": "tagged", "tagPatternList": ["v*"]}
PREFIXED = {"tagStatus": "tagged", "tagPrefixList": ["v"]}
UNTAGGED = {"tagStatus": "untagged"}
ANY = {"tagStatus": "any"}
COUNT = {"countType": "imageCountMoreThan", "countNumber": 5}
PUSHED = {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": 5}
PULLED = {"countType": "sinceImagePulled", "countUnit": "days", "countNumber": 5}
ARCHIVED = {
    "storageClass": "archive",
    "countType": "sinceImageTransitioned",
    "countUnit": "days",
    "countNumber": 90,
}


def rule(priority, selection, action=EXPIRE, **more):
    return {"rulePriority": priority, "selection": selection, "action": action, **more}


def policy(*rules):
    return {"rules": list(rules)}


def changed(fields, **values):
    """Give an object with other values, without those that are GONE."""
    return {key: value for key, value in (fields | values).items() if value is not GONE}


GOOD = [
    policy(rule(1, TAGGED | COUNT)),
    policy(rule(7, PREFIXED | PUSHED, description="old ones")),
    policy(rule(1, UNTAGGED | PUSHED | {"storageClass": "standard"}), rule(2, ANY | COUNT)),
    policy(rule(1, ANY | PULLED, ARCHIVE), rule(2, ANY | ARCHIVED)),
    policy(rule(1, TAGGED | PUSHED, ARCHIVE), rule(2, TAGGED | ARCHIVED), rule(3, ANY | COUNT, ARCHIVE)),
    policy(rule(9, ANY | COUNT), rule(1, UNTAGGED | COUNT), rule(2, UNTAGGED | ARCHIVED)),
    policy(rule(1, {"tagStatus": "tagged", "tagPatternList": ["*a*b*c*", "A_1.x-*"]} | COUNT)),
    policy(*(rule(n, {"tagStatus": "tagged", "tagPrefixList": [f"v{n}"]} | COUNT) for n in range(1, 51))),
]


@pytest.mark.parametrize("document", GOOD)
def test_a_document_by_the_rules_has_no_problems(document):
    assert lifecycle_problems(document) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"rulePriority": GONE}, "the rule at place 2 has no rulePriority"),
        ({"rulePriority": 0}, "the rule at place 2 has the rulePriority 0: expected a whole number from 1"),
        (
            {"rulePriority": True},
            "the rule at place 2 has the rulePriority true: expected a whole number from 1",
        ),
        (
            {"rulePriority": "2"},
            'the rule at place 2 has the rulePriority "2": expected a whole number from 1',
        ),
        ({"rulePriority": 10}, "2 rules have the rulePriority 10: each needs its own"),
        ({"description": 5}, "rule 20 has a description that is not text"),
        ({"selection": GONE}, "rule 20 has no selection"),
        ({"selection": []}, "rule 20 has a selection that is not an object"),
        ({"action": GONE}, "rule 20 has no action"),
        ({"action": "expire"}, "rule 20 has an action that is not an object"),
        ({"priority": 1}, "rule 20 has the unknown key 'priority'"),
    ],
)
def test_a_wrong_part_of_a_rule_is_named(wrong, sentence):
    good = rule(20, PREFIXED | PUSHED)
    assert lifecycle_problems(policy(rule(10, TAGGED | COUNT), changed(good, **wrong))) == [sentence]


@pytest.mark.parametrize(
    ("good", "wrong", "said"),
    [
        (TAGGED | COUNT, {"tagStatus": GONE}, "has no tagStatus"),
        (TAGGED | COUNT, {"tagStatus": "all"}, 'has the tagStatus "all": expected tagged or untagged or any'),
        (TAGGED | COUNT, {"tags": ["v"]}, "has the unknown key 'tags'"),
        (
            TAGGED | COUNT,
            {"tagPatternList": GONE},
            "needs one of tagPatternList and tagPrefixList: tagged goes with exactly one of them",
        ),
        (
            TAGGED | COUNT,
            {"tagPrefixList": ["v"]},
            "has both tagPatternList and tagPrefixList: tagged goes with exactly one of them",
        ),
        (
            UNTAGGED | COUNT,
            {"tagPatternList": ["*"]},
            "has a tagPatternList, which goes with tagged only, not untagged",
        ),
        (ANY | COUNT, {"tagPrefixList": ["v"]}, "has a tagPrefixList, which goes with tagged only, not any"),
        (
            TAGGED | COUNT,
            {"tagPatternList": []},
            "has a tagPatternList that is not a list of at least one text",
        ),
        (
            TAGGED | COUNT,
            {"tagPatternList": "v*"},
            "has a tagPatternList that is not a list of at least one text",
        ),
        (
            PREFIXED | COUNT,
            {"tagPrefixList": [1]},
            "has a tagPrefixList that is not a list of at least one text",
        ),
        (TAGGED | COUNT, {"tagPatternList": ["v*", ""]}, "has an empty pattern"),
        (
            TAGGED | COUNT,
            {"tagPatternList": ["*a*b*c*d*"]},
            "has the pattern '*a*b*c*d*': ECR takes at most 4 '*' in one",
        ),
        (
            TAGGED | COUNT,
            {"tagPatternList": ["v?"]},
            "has the pattern 'v?': a tag has letters, digits, '_', '.', '-' only",
        ),
        (
            PREFIXED | COUNT,
            {"tagPrefixList": ["v*"]},
            "has the prefix 'v*': a tag has letters, digits, '_', '.', '-' only",
        ),
        (
            TAGGED | COUNT,
            {"storageClass": "cold"},
            'has the storageClass "cold": expected standard or archive',
        ),
        (TAGGED | COUNT, {"countType": GONE}, "has no countType"),
        (
            TAGGED | COUNT,
            {"countType": "sinceCreated"},
            f'has the countType "sinceCreated": expected {" or ".join(COUNT_TYPES)}',
        ),
        (TAGGED | PUSHED, {"countUnit": GONE}, "has no countUnit: sinceImagePushed needs days"),
        (TAGGED | PUSHED, {"countUnit": "hours"}, 'has the countUnit "hours": expected days'),
        (TAGGED | COUNT, {"countUnit": "days"}, "has a countUnit, which imageCountMoreThan does not take"),
        (TAGGED | COUNT, {"countNumber": GONE}, "has no countNumber"),
        (TAGGED | COUNT, {"countNumber": 0}, "has the countNumber 0: expected a whole number from 1"),
        (TAGGED | COUNT, {"countNumber": True}, "has the countNumber true: expected a whole number from 1"),
        (TAGGED | COUNT, {"countNumber": 2.0}, "has the countNumber 2.0: expected a whole number from 1"),
        *(
            (
                TAGGED | counted,
                {"storageClass": "archive"},
                "has the storageClass archive, which goes with sinceImageTransitioned only",
            )
            for counted in (COUNT, PUSHED)
        ),
        *(
            (
                TAGGED | ARCHIVED,
                {"storageClass": storage_class},
                "needs the storageClass archive, which sinceImageTransitioned is for",
            )
            for storage_class in (GONE, "standard")
        ),
        (
            TAGGED | ARCHIVED,
            {"countNumber": 89},
            "has the countNumber 89: archived images can be deleted after 90 days at the earliest",
        ),
    ],
)
def test_a_wrong_part_of_a_selection_is_named(good, wrong, said):
    assert lifecycle_problems(policy(rule(3, good))) == []
    assert lifecycle_problems(policy(rule(3, changed(good, **wrong)))) == [f"rule 3 {said}"]


@pytest.mark.parametrize(
    ("selection", "action", "said"),
    [
        (TAGGED | PUSHED, {}, "has no type"),
        (TAGGED | PUSHED, {"type": "delete"}, 'has the type "delete": expected expire or transition'),
        (TAGGED | PUSHED, EXPIRE | {"now": True}, "has the unknown key 'now'"),
        (
            TAGGED | PUSHED,
            EXPIRE | {"targetStorageClass": None},
            "has a targetStorageClass, which expire does not take",
        ),
        (TAGGED | PUSHED, {"type": "transition"}, "has no targetStorageClass: transition needs archive"),
        (
            TAGGED | PUSHED,
            ARCHIVE | {"targetStorageClass": "standard"},
            'has the targetStorageClass "standard": expected archive',
        ),
        (
            TAGGED | PULLED,
            EXPIRE,
            "has the countType sinceImagePulled, which goes with the action transition only",
        ),
        (
            TAGGED | PULLED | {"storageClass": "archive"},
            ARCHIVE,
            "has the storageClass archive, which goes with sinceImageTransitioned only",
        ),
        (
            TAGGED | ARCHIVED,
            ARCHIVE,
            "has the countType sinceImageTransitioned, which goes with the action expire only",
        ),
    ],
)
def test_a_wrong_action_is_named(selection, action, said):
    assert lifecycle_problems(policy(rule(3, selection, action))) == [f"rule 3 {said}"]


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        (
            [rule(1, ANY | ARCHIVED), rule(2, TAGGED | COUNT), rule(3, ANY | COUNT)],
            "rule 1 is for any image but comes before rule 2: rules for any image come last",
        ),
        (
            [rule(1, ANY | COUNT), rule(2, ANY | PUSHED)],
            "rule 1 and rule 2 have the tagStatus any: ECR takes it in one rule of a storage class",
        ),
        (
            [rule(2, UNTAGGED | COUNT), rule(1, UNTAGGED | PUSHED | {"storageClass": "standard"})],
            "rule 2 and rule 1 have the tagStatus untagged: ECR takes it in one rule of a storage class",
        ),
        (
            [rule(1, TAGGED | COUNT), rule(2, TAGGED | PUSHED | {"tagPatternList": ["a", "v*", "v*"]})],
            "rule 1 and rule 2 have the pattern 'v*': ECR takes it in one rule of a storage class",
        ),
        (
            [rule(1, PREFIXED | ARCHIVED), rule(2, PREFIXED | COUNT), rule(3, PREFIXED | ARCHIVED)],
            "rule 1 and rule 3 have the prefix 'v': ECR takes it in one rule of a storage class",
        ),
    ],
)
def test_what_is_wrong_between_rules_is_named(rules, sentence):
    assert lifecycle_problems(policy(*rules)) == [sentence]


def test_the_policy_is_an_object_of_1_to_50_rules_and_nothing_else():
    assert lifecycle_problems([]) == ["the policy is not an object"]
    assert lifecycle_problems(GOOD[0] | {"version": 1}) == ["the policy has the unknown key 'version'"]
    too_short = "the policy's text has {} characters: ECR takes 100 to 30720"
    assert lifecycle_problems({}) == ["the policy has no rules", too_short.format(2)]
    assert lifecycle_problems({"rules": {}}) == ["rules is not a list", too_short.format(12)]
    none = "the policy has 0 rules: ECR takes 1 to 50"
    assert lifecycle_problems(policy()) == [none, too_short.format(12)]
    one_more = policy(*GOOD[-1]["rules"], rule(51, ANY | COUNT))
    assert lifecycle_problems(one_more) == ["the policy has 51 rules: ECR takes 1 to 50"]
    assert lifecycle_problems(policy("r", *GOOD[0]["rules"])) == ["the rule at place 1 is not an object"]


def test_the_text_has_100_to_30720_characters_as_it_is_put():
    document = policy(rule(1, ANY | COUNT, description=""))
    document["rules"][0]["description"] = "x" * (30_720 - len(lifecycle_text(document)))
    assert lifecycle_problems(document) == []
    document["rules"][0]["description"] += "x"
    sentence = "the policy's text has 30721 characters: ECR takes 100 to 30720"
    assert lifecycle_problems(document) == [sentence]


def test_every_problem_is_told():
    document = deepcopy(GOOD[2])
    document["rules"][0]["selection"]["countUnit"] = "weeks"
    document["rules"][1]["action"] = {"type": "drop"}
    assert len(lifecycle_problems(document)) == 2


@given(JSON, JSON, JSON, JSON)
def test_no_json_makes_the_check_fail(anything, selection, action, tags):
    assert lifecycle_problems(anything)
    assert lifecycle_problems(policy(anything))
    assert lifecycle_problems(policy(rule(anything, selection, action)))
    assert lifecycle_problems(policy(rule(1, dict.fromkeys(ARCHIVED | ANY, anything))))
    assert lifecycle_problems(policy(rule(1, TAGGED | COUNT | {"tagPrefixList": tags})))
