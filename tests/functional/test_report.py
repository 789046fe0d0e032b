"""The report command against the local AWS: what it writes, and that it changes nothing."""

import csv
import json

import pytest
from click.testing import CliRunner

from ecr_warden.domain.sweep.totals import ReportTotals
from ecr_warden.errors import RefusedError
from ecr_warden_cli.account.sweep import SweepAccounts
from ecr_warden_cli.main import main

POLICY = """\
version: 1
mode: enforce
rules:
  - match: ["**"]
    tag_mutability: {immutable: true}
    lifecycle: {expire_untagged_after_days: 7}
channels:
  ops: {type: sns}
routes:
  - {to: [ops]}
"""


@pytest.fixture
def world(open_world):
    with open_world(policy=POLICY) as found:
        found.repository("shop/api")
        found.repository("shop/web", imageTagMutability="IMMUTABLE")
        found.push("v1", repository="shop/api")
        yield found


@pytest.fixture
def report(world, tmp_path, monkeypatch):  # noqa: ARG001  # the registry that it reads
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return lambda *arguments: CliRunner().invoke(main, ["report", *arguments])


def test_a_page_is_written_and_said_where_and_nothing_is_changed(report, world, tmp_path):
    before = world.ecr.describe_repositories()["repositories"]
    result = report()
    assert result.exit_code == 0, result.output
    assert "1 image for $0.00 a month at most, of which lifecycle rules would save $0.00" in result.output
    assert "no image has a scan" in result.output
    assert "2 repositories, 0% of them as the policy wants" in result.output
    assert "written: report.html" in result.output
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert world.ecr.describe_repositories()["repositories"] == before


def test_what_costs_less_than_a_cent_is_not_said_to_cost_nothing(report, monkeypatch):
    monkeypatch.setattr(ReportTotals, "monthly_cost", 0.004)
    assert "1 image for under $0.01 a month at most" in report().output


def test_json_alone_is_printed_and_no_page_is_written(report, tmp_path):
    result = report("--json")
    found = json.loads(result.stdout)
    assert [one["repository"] for one in found["rows"]] == ["shop/api", "shop/web"]
    assert found["rows"][0]["images"]["images"] == 1
    assert not (tmp_path / "report.html").exists()


def test_a_table_has_the_repositories_that_are_asked_for_alone(report, tmp_path):
    result = report("--csv", "out.csv", "--repository", "shop/w*")
    assert result.exit_code == 0, result.output
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [one["repository"] for one in csv.DictReader(file)] == ["shop/web"]


def test_a_tables_lines_end_as_its_format_has_it_and_a_names_own_line_ends_stay(report, tmp_path):
    assert report("--csv", "out.csv").exit_code == 0
    found = (tmp_path / "out.csv").read_bytes()
    assert found.count(b"\r\n") == found.count(b"\n") == 3
    assert b"\r\r" not in found


def test_a_report_of_a_part_says_of_which(report, tmp_path):
    asked = ("--repository", "shop/w*", "--section", "lifecycle", "--mode", "enforce")
    said = "only repositories that match shop/w* and the sections lifecycle and rules in mode enforce"
    assert f"1 repository ({said}), 0% of them as the policy wants\nno images\n" in report(*asked).output
    assert said in (tmp_path / "report.html").read_text()
    assert json.loads(report(*asked, "--json").stdout)["summary"]["scope"] == said
    assert json.loads(report("--json").stdout)["summary"]["scope"] == ""


def test_a_glob_that_no_repository_matches_is_an_error_and_the_report_is_there(report):
    done = report("--repository", "shop/*", "--repository", "zzz/**")
    assert done.exit_code == 1
    assert "no repository matches zzz/**\n" in done.output
    assert "written: report.html" in done.output
    nothing = report("--repository", "zzz/**")
    assert nothing.exit_code == 1
    assert nothing.output.startswith("0 repositories (only repositories that match zzz/**)\n")
    assert report("--repository", "shop/*").exit_code == 0


def test_a_registry_that_cannot_be_reached_is_in_the_report_and_the_exit_status_says_so(report, monkeypatch):
    def refused(_self, _place):
        raise RefusedError("the role cannot be taken: access denied")

    monkeypatch.setattr(SweepAccounts, "looking", refused)
    result = report("--json")
    assert result.exit_code == 1, result.output
    (unseen,) = json.loads(result.stdout)["summary"]["unseen"]
    assert unseen["why"] == "the role cannot be taken: access denied"
    assert "not looked at" in report().output


def test_no_price_is_below_nothing(report):
    assert report("--price-per-gb-month", "-1").exit_code == 2
