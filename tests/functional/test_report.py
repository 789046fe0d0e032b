"""The report command against the local AWS: what it writes, and that it changes nothing."""

import csv
import json

import pytest
from click.testing import CliRunner

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
    assert "2 repositories, 0% of them as the policy wants" in result.output
    assert "written: report.html" in result.output
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert world.ecr.describe_repositories()["repositories"] == before


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
