"""What a report says of a repository, and how it is written."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hostile import TEXTS
from hypothesis import given
from hypothesis import strategies as st
from report_world import NOW, PARTIAL, row, section, some_row, some_rows, summary

from ecr_warden.adapters.report import write_csv, write_json
from ecr_warden.adapters.report.row_file import RowFile
from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Lifecycle, Mode, Policy, Rule, RuleReference
from ecr_warden.domain.settings.current import Repository
from ecr_warden.domain.sweep.image_totals import ImageTotals, LifecycleEffect
from ecr_warden.domain.sweep.images import ListedImage
from ecr_warden.domain.sweep.judgements import Judgement, Standing
from ecr_warden.domain.sweep.rows import (
    RepairRow,
    RepositoryRow,
    SectionRow,
    State,
    decode_row,
    encode_row,
    row_of,
)
from ecr_warden.domain.sweep.storage_cost import monthly_cost_of_registry
from ecr_warden.domain.sweep.visits import Repair, RepairStatus, Visit
from ecr_warden.domain.sweep.vulnerabilities import AGES, Vulnerabilities

PLACE = Place("111111111111", "eu-central-1")
RULE = RuleReference("policy.yaml", 4, ("**",))
INDEX = "application/vnd.oci.image.index.v1+json"
TIMES = st.datetimes(timezones=st.just(UTC))
NUMBERS = st.integers(min_value=0, max_value=2**50)
COUNTS = st.dictionaries(st.sampled_from(RepairStatus).map(str), NUMBERS)
SECTIONS = st.builds(
    SectionRow,
    TEXTS,
    TEXTS,
    st.sampled_from(Standing),
    st.sampled_from(Mode),
    TEXTS,
    *[TEXTS] * 4,
    NUMBERS,
    COUNTS,
    st.booleans(),
)
FINDINGS = st.dictionaries(st.sampled_from(["critical", "low"]), st.tuples(*[NUMBERS] * len(AGES)))
ROWS = st.builds(
    RepositoryRow,
    TEXTS,
    TEXTS,
    TEXTS,
    st.none() | TEXTS,
    st.none() | TIMES,
    st.lists(SECTIONS, max_size=3).map(tuple),
    st.lists(st.builds(RepairRow, TEXTS, st.sampled_from(RepairStatus), TEXTS, st.none() | TEXTS)).map(tuple),
    COUNTS,
    st.none() | st.builds(ImageTotals, *[NUMBERS] * 7, *[st.none() | TIMES] * 3),
    st.none() | st.builds(LifecycleEffect, TEXTS, *[NUMBERS] * 5),
    st.none() | st.builds(Vulnerabilities, NUMBERS, NUMBERS, FINDINGS),
    TEXTS,
    st.booleans(),
)
OLD = NOW - timedelta(days=40)


def policy(lifecycle=None):
    rules = (Rule(3, ("**",), lifecycle=lifecycle),)
    return Policy(file="policy.yaml", mode=Mode.ENFORCE, rules=rules)


def image(digest, *tags, pushed_at=OLD, **others):
    return ListedImage(f"sha256:{digest}", tags, pushed_at, **{"size": 1_000} | others)


def judgement(standing=Standing.DIFFERS, **others):
    said = {"setting": "tag_mutability", "mode": Mode.ENFORCE, "rule": RULE, "what": "tags can move"}
    said |= {"place": PLACE, "repository": "shop/api", "section": "tag_mutability", "standing": standing}
    return Judgement(**said | others)


def made(*judgements, images=None, repairs=(), wanted=None, **others):
    visit = Visit(PLACE, Repository("shop/api"), judgements, "payments", images, **others)
    return row_of(visit, repairs, policy=policy(wanted), now=NOW)


@given(ROWS)
def test_a_row_that_was_written_is_read_as_it_was(one):
    text = encode_row(one)
    assert "\n" not in text
    assert decode_row(text) == one


def test_rows_in_a_file_are_read_as_often_as_one_likes():
    rows = some_rows(30)
    with RowFile() as file:
        for one in rows:
            file.add(one)
        assert list(file) == rows
        assert list(file) == rows


def test_what_differs_and_was_changed_is_repaired_and_what_failed_is_told_first():
    other = judgement(section="lifecycle", setting="lifecycle")
    repairs = [
        Repair(judgement(), RepairStatus.CHANGED, "set", "c1"),
        Repair(other, RepairStatus.FAILED, "denied"),
    ]
    found = made(judgement(before={"mode": "MUTABLE"}, after={"mode": "IMMUTABLE"}), other, repairs=repairs)
    assert [one.state for one in found.sections] == [State.REPAIRED, State.FAILED]
    assert json.loads(found.sections[0].before) == {"mode": "MUTABLE"}
    assert found.state is State.FAILED
    assert [one.status for one in found.repairs] == [RepairStatus.FAILED, RepairStatus.CHANGED]
    assert found.repair_counts == {"changed": 1, "failed": 1}


def test_a_thousand_tags_that_break_a_rule_are_one_section_with_some_of_them():
    tags = [judgement(section="tags", setting="tags", what=f"the tag {at} is denied") for at in range(1_000)]
    repairs = [Repair(one, RepairStatus.CHANGED) for one in tags[:999]]
    (found,) = made(*tags, repairs=repairs).sections
    assert found.count == 1_000
    assert found.what == "the tag 0 is denied; the tag 1 is denied; the tag 2 is denied; and 997 more"
    assert found.state is State.DIFFERS


@pytest.mark.parametrize(
    ("standings", "state"),
    [
        ([], State.UNDECIDED),
        ([Standing.COMPLIANT], State.COMPLIANT),
        ([Standing.COMPLIANT, Standing.EXEMPT], State.EXEMPT),
        ([Standing.KEPT, Standing.DIFFERS], State.DIFFERS),
        ([Standing.DIFFERS, Standing.VIOLATION], State.VIOLATION),
    ],
)
def test_a_repository_is_as_the_worst_of_its_sections(standings, state):
    assert row(sections=tuple(section(standing=one) for one in standings)).state is state


def test_images_are_counted_by_storage_class_and_signatures_are_not_asked_for_pulls():
    images = (
        image("a", "v1", pulled_at=NOW),
        image("b", "v2"),
        image("c", storage_class="ARCHIVE"),
        image("d", subject="sha256:b"),
    )
    totals = made(images=images).images
    assert (totals.images, totals.tagged, totals.standard_bytes, totals.archive_bytes) == (4, 2, 3_000, 1_000)
    assert (totals.never_pulled, totals.never_pulled_bytes) == (1, 1_000)
    assert (totals.oldest_push, totals.last_pull) == (OLD, NOW)


def test_findings_are_counted_by_severity_and_by_the_age_of_the_image():
    images = (
        image("a", finding_counts=(("CRITICAL", 2), ("UNTRIAGED", 1))),
        image("b", pushed_at=NOW, finding_counts=(("CRITICAL", 5),)),
        image("c"),
        image("d", storage_class="ARCHIVE", finding_counts=(("HIGH", 9),)),
    )
    found = made(images=images).vulnerabilities
    assert found == Vulnerabilities(2, 1, {"critical": (5, 0, 2, 0, 0), "undefined": (0, 0, 1, 0, 0)})


def test_what_lifecycle_would_delete_is_what_the_policy_wants_now():
    found = made(images=(image("a", "v1"), image("b")), wanted=Lifecycle(6, expire_untagged_after_days=7))
    assert found.lifecycle == LifecycleEffect("policy.yaml:6", expired=1, expired_bytes=1_000)


def test_untagged_images_are_left_out_where_an_index_may_have_them():
    images = (image("a", "v1", media_type=INDEX), image("b"))
    found = made(images=images, wanted=Lifecycle(6, expire_untagged_after_days=7))
    assert found.lifecycle == LifecycleEffect("policy.yaml:6", left_out=1)


def test_an_exempt_repository_and_one_without_a_rule_save_nothing():
    wanted = Lifecycle(6, expire_untagged_after_days=7)
    exempt = judgement(Standing.EXEMPT, section="lifecycle", setting="lifecycle")
    assert made(exempt, images=(image("b"),), wanted=wanted).lifecycle is None
    assert made(images=(image("b"),)).lifecycle is None
    assert made(wanted=wanted).lifecycle is None


def test_archived_images_cost_less_only_above_150_tb():
    tb = 1024**4
    assert monthly_cost_of_registry(tb, 150 * tb) == pytest.approx(151 * 102.4)
    assert monthly_cost_of_registry(0, 160 * tb) == pytest.approx(150 * 102.4 + 10 * 71.68)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\r=1"])
def test_no_text_is_a_formula_in_a_spreadsheet(text):
    out = io.StringIO()
    write_csv(out, [row(text, owner=text, problem=text)])
    (found,) = csv.DictReader(io.StringIO(out.getvalue(), newline=""))
    assert {found["repository"], found["owner"], found["problem"]} == {f"'{text}"}


def test_a_table_has_a_line_for_each_repository_and_numbers_as_they_are():
    rows = some_rows(5)
    out = io.StringIO()
    write_csv(out, iter(rows))
    found = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert [one["repository"] for one in found] == [one.repository for one in rows]
    assert [int(one["critical"]) for one in found] == [one.vulnerabilities.of("critical") for one in rows]
    assert [one["tags"] for one in found] == [
        next(each.state.value for each in one.sections if each.section == "tags") for one in rows
    ]
    assert None not in found[0]


def test_a_document_has_the_summary_all_rows_and_what_they_come_to():
    rows = [some_row(1), replace(some_row(2), images=None, lifecycle=None, vulnerabilities=None)]
    out = io.StringIO()
    write_json(out, iter(rows), summary(rows, unseen=PARTIAL))
    found = json.loads(out.getvalue())
    assert found["summary"]["is_partial"] is True
    assert [one["repository"] for one in found["rows"]] == [one.repository for one in rows]
    assert [one["state"] for one in found["rows"]] == [one.state for one in rows]
    assert found["totals"]["repositories"] == 2
    assert found["totals"]["bytes"] == rows[0].images.size
    assert datetime.fromisoformat(found["summary"]["ended_at"]) == NOW


def test_a_document_of_no_repository_is_a_document():
    out = io.StringIO()
    write_json(out, [], summary())
    assert json.loads(out.getvalue())["rows"] == []
