"""A plan's file: what is written is read again, in any form, and what is no whole plan is refused."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Mode, RuleReference
from ecr_warden.domain.sweep.judgements import Judgement, Standing
from ecr_warden_cli.sweep.plan_file import (
    Document,
    PlanFileError,
    decode_judgement,
    encode_judgement,
    read_head,
    read_items,
    written_at_once,
)

HEAD = {"version": 1, "policy": "policy.yaml", "places": ["123456789012/us-east-1"]}
texts = st.text(max_size=20)
documents = st.none() | st.dictionaries(texts, texts | st.integers() | st.lists(texts), max_size=3)
judgements = st.builds(
    Judgement,
    place=st.builds(Place, texts, texts),
    repository=texts,
    section=texts,
    setting=texts,
    standing=st.sampled_from(Standing),
    mode=st.sampled_from(Mode),
    rule=st.builds(RuleReference, texts, st.integers(0, 999), st.lists(texts).map(tuple)),
    what=texts,
    next_step=texts,
    before=documents,
    after=documents,
    image_digest=st.none() | texts,
    image_tag=st.none() | texts,
)


def written(changes, violations=(), **tail):
    file = io.StringIO()
    document = Document([file])
    document.begin(HEAD)
    document.add_array("changes", map(encode_judgement, changes))
    document.add_array("violations", map(encode_judgement, violations))
    document.end({"counts": {}, **tail})
    return file.getvalue()


@given(st.lists(judgements, max_size=4), st.lists(judgements, max_size=2))
def test_what_is_written_is_read_again_line_by_line_and_in_any_other_form(tmp_path_factory, changes, others):
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    text = written(changes, others)
    parsed = json.loads(text)
    for form in (text, json.dumps(parsed), json.dumps(parsed, indent=2), json.dumps(parsed, sort_keys=True)):
        path.write_text(form, encoding="utf-8")
        assert read_head(path).places == (Place("123456789012", "us-east-1"),)
        found = [(array, decode_judgement(item)) for array, item in read_items(path)]
        assert sorted(found, key=lambda each: each[0]) == [
            *(("changes", each) for each in changes),
            *(("violations", each) for each in others),
        ]


def test_a_plan_of_our_own_is_read_without_having_it_whole(tmp_path):
    path = tmp_path / "plan.json"
    change = encode_judgement(
        Judgement(
            Place("1", "r"), "a", "tags", "tags", Standing.DIFFERS, Mode.AUDIT, RuleReference("p", 1, ())
        )
    )
    text = written([decode_judgement(change)] * 3)
    # Were it read whole, the wrong line would be found before the first change.
    path.write_text(text.replace('"counts"', '"counts'))
    items = read_items(path)
    assert next(items) == ("changes", change)
    with pytest.raises(PlanFileError, match="plan again"):
        list(items)


@given(st.data())
def test_a_plan_that_is_cut_off_anywhere_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    change = Judgement(
        Place("1", "r"), "a", "tags", "tags", Standing.DIFFERS, Mode.AUDIT, RuleReference("p", 1, ())
    )
    text = written([change, change])
    path.write_text(text[: data.draw(st.integers(0, len(text) - 2))])

    def read():
        read_head(path)
        return [*read_items(path)]

    with pytest.raises(PlanFileError):
        read()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mode", "off"),
        ("repository", None),
        ("before", "x"),
        ("standing", "bad"),
        ("rule", 1),
        ("account", 1),
    ],
)
def test_a_change_with_a_wrong_value_is_refused(field, value):
    change = Judgement(
        Place("1", "r"), "a", "tags", "tags", Standing.DIFFERS, Mode.AUDIT, RuleReference("p", 1, ())
    )
    item = encode_judgement(change)
    assert decode_judgement(item) == change
    with pytest.raises(PlanFileError, match="no change of a plan"):
        decode_judgement(item | {field: value})
    with pytest.raises(PlanFileError, match="no change of a plan"):
        decode_judgement({key: each for key, each in item.items() if key != field})


def test_a_plan_of_another_version_says_so(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(written([]).replace('"version": 1', '"version": 7'))
    with pytest.raises(PlanFileError, match="version 7, and this command reads version 1: plan again"):
        read_head(path)


def test_a_file_is_there_whole_or_as_it_was_before(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text("before")

    def fail():
        with written_at_once(path) as file:
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("plan.json", "before")]
    with written_at_once(path) as file:
        file.write("whole")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("plan.json", "whole")]


def test_a_folder_that_is_not_there_is_said_by_the_name_that_was_given(tmp_path):
    path = tmp_path / "no" / "x"
    with pytest.raises(PlanFileError) as raised, written_at_once(path):
        pass
    assert str(raised.value) == f"{path} cannot be written: No such file or directory"


def test_a_plan_says_of_which_policy_it_is_unless_an_earlier_version_made_it(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(written([]))
    assert read_head(path).policy_digest is None
    path.write_text(written([]).replace('"version": 1', '"version": 1, "policy_digest": "abc"'))
    assert read_head(path).policy_digest == "abc"
    path.write_text(written([]).replace('"version": 1', '"version": 1, "policy_digest": 1'))
    with pytest.raises(PlanFileError, match="is no plan"):
        read_head(path)
