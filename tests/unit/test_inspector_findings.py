"""Inspector's findings, in every form that it has had."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from event_mutations import JSON, sample
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.inspector_findings import finding_of, inspector_time
from ecr_warden.domain.findings import Finding, Package

DETAIL = sample("inspector2_finding_ecr")["detail"]
PACKAGE = {"name": "openssl", "version": "3.0.13"}


def finding(**changes):
    return finding_of(DETAIL | changes)


def about(**changes):
    return finding(packageVulnerabilityDetails=DETAIL["packageVulnerabilityDetails"] | changes)


def package(**fields):
    (only,) = about(vulnerablePackages=[PACKAGE | fields]).packages
    return only


def test_a_finding_of_today_is_read_whole():
    assert finding() == Finding(
        id="CVE-2024-6119",
        severity="medium",
        packages=(
            Package("libssl3t64", "3.0.13-0ubuntu3.2", "3.0.13-0ubuntu3.4"),
            Package("openssl", "3.0.13-0ubuntu3.2", "3.0.13-0ubuntu3.4"),
        ),
        url="https://people.canonical.com/~ubuntu-security/cve/2024/CVE-2024-6119.html",
        arn="arn:aws:inspector2:eu-central-1:123456789012:finding/FINDING_ID",
        fix_available=True,
        exploit_available=False,
        epss=0.00045,
        first_observed_at=datetime(2024, 9, 4, 16, 55, 38, 411000, tzinfo=UTC),
    )


def test_a_finding_of_2021_says_less_and_is_read_as_well():
    old = finding_of(sample("inspector2_finding_ecr_2021")["detail"])
    assert (old.id, old.severity, old.score) == ("CVE-2021-44228", "critical", 10.0)
    assert old.packages == (Package("org.apache.logging.log4j:log4j-core", "2.14.1", "2.15.0"),)
    assert old.first_observed_at == datetime(2021, 12, 10, 18, 2, 30, tzinfo=UTC)
    assert old.fix_available is True, "a package has a fixed version"
    assert (old.exploit_available, old.epss) == (None, None)


WHEN = datetime(2021, 12, 3, 18, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ("Dec 3, 2021, 6:02:30 PM", WHEN),
        ("Dec 3, 2021, 6:02:30\u202fPM", WHEN),
        ("Dec\u00a03, 2021, 6:02:30\u00a0PM", WHEN),
        ("Dec 3, 2021, 12:02:30 AM", WHEN.replace(hour=0)),
        ("Dec 3, 2021, 12:02:30 PM", WHEN.replace(hour=12)),
        ("Fri Dec 03 18:02:30.000 UTC 2021", WHEN),
        ("Fri Dec 03 18:02:30 GMT 2021", WHEN),
        ("Fri Dec 03 18:02:30.5 UTC 2021", WHEN.replace(microsecond=500000)),
        ("2021-12-03T18:02:30Z", WHEN),
        ("2021-12-03T20:02:30.000+02:00", WHEN),
        ("2021-12-03 18:02:30", WHEN),
        (WHEN, WHEN),
        (WHEN.replace(tzinfo=None), WHEN),
        (WHEN.astimezone(timezone(timedelta(hours=9))), WHEN),
    ],
)
def test_a_time_is_read_in_each_of_inspectors_forms(said, when):
    assert inspector_time(said) == when
    assert inspector_time(said).tzinfo is UTC


@pytest.mark.parametrize(
    "said",
    [
        None,
        1638554550,
        "",
        "yesterday",
        "Dez 3, 2021, 6:02:30 PM",
        "Dec 32, 2021, 6:02:30 PM",
        "Dec 3, 2021, 13:02:30 PM",
        "Dec 3, 2021, 0:02:30 AM",
        "Fri Dec 03 18:02:30.000 CET 2021",
        "Fri Dec 03 25:02:30.000 UTC 2021",
        "Fri Dec 03 18:02:30.000 UTC 0000",
        "0001-01-01T00:00:00+23:59",
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-9))),
    ],
)
def test_a_time_that_cannot_be_read_is_not_known_so_that_no_grace_rests_on_it(said):
    assert inspector_time(said) is None
    assert finding(firstObservedAt=said).first_observed_at is None


MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@given(st.integers(0, 32_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_both_forms_of_a_time_say_the_same(time):
    month, half = MONTHS[time.month - 1], "PM" if time.hour >= 12 else "AM"
    old = f"{month} {time.day}, {time.year}, {(time.hour - 1) % 12 + 1}:{time:%M:%S} {half}"
    new = f"Mon {month} {time.day:02} {time:%H:%M:%S}.000 UTC {time.year}"
    assert inspector_time(old) == inspector_time(new) == time


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ({}, "3.0.13"),
        ({"epoch": 0, "release": "1.el9"}, "3.0.13-1.el9"),
        ({"epoch": 1, "release": "1.el9"}, "1:3.0.13-1.el9"),
        ({"epoch": True}, "3.0.13"),
        ({"epoch": None, "release": ""}, "3.0.13"),
        ({"version": None, "release": "1"}, None),
        ({"version": 3}, None),
    ],
)
def test_an_installed_version_is_as_people_write_it(fields, version):
    assert package(**fields).installed_version == version


@pytest.mark.parametrize(
    ("said", "version"),
    [("0:3.0.14-1", "3.0.14-1"), ("1:3.0.14", "1:3.0.14"), ("NotAvailable", None), ("", None), (None, None)],
)
def test_a_fixed_version_is_none_where_there_is_no_fix(said, version):
    assert package(fixedInVersion=said).fixed_version == version


@pytest.mark.parametrize(
    ("said", "fixed_in", "has_fix"),
    [
        ("YES", None, True),
        ("PARTIAL", None, True),
        ("NO", "3.0.14", False),
        (None, "3.0.14", True),
        (None, "NotAvailable", None),
        ("MAYBE", None, None),
        (["YES"], None, None),
    ],
)
def test_whether_there_is_a_fix_is_known_only_where_it_is_said(said, fixed_in, has_fix):
    packages = [PACKAGE | {"fixedInVersion": fixed_in}]
    detail = DETAIL["packageVulnerabilityDetails"] | {"vulnerablePackages": packages}
    assert finding(fixAvailable=said, packageVulnerabilityDetails=detail).fix_available is has_fix


@pytest.mark.parametrize(
    ("said", "known"), [("YES", True), ("NO", False), ("", None), (None, None), (1, None)]
)
def test_whether_there_is_an_exploit_is_known_only_where_it_is_said(said, known):
    assert finding(exploitAvailable=said).exploit_available is known


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ({"score": 0}, 0.0),
        ({"score": 1}, 1.0),
        ({"score": 1.5}, None),
        ({"score": -0.1}, None),
        ({"score": float("nan")}, None),
        ({"score": True}, None),
        ({"score": "0.5"}, None),
        ({}, None),
        (None, None),
        (0.5, None),
    ],
)
def test_an_epss_score_is_a_number_from_0_to_1_or_not_known(said, score):
    assert finding(epss=said).epss == score


@pytest.mark.parametrize(
    ("details", "url"),
    [
        ({"sourceUrl": "https://a/b"}, "https://a/b"),
        ({"sourceUrl": "javascript:alert(1)", "referenceUrls": ["ftp://c", "http://d"]}, "http://d"),
        ({"sourceUrl": None, "referenceUrls": None}, None),
        ({"sourceUrl": "https://a/\nb", "referenceUrls": ["https://a b"]}, None),
    ],
)
def test_a_link_leads_to_the_web_or_nowhere(details, url):
    assert about(**details).url == url


def test_a_finding_without_a_vulnerability_has_its_title_for_an_id():
    bare = {"title": "Secret in an image", "findingArn": "arn:1", "severity": "HIGH", "type": "CODE"}
    assert finding_of(bare) == Finding(id="Secret in an image", severity="high", arn="arn:1")
    assert finding_of(bare | {"title": None}).id == "arn:1"


def test_a_package_without_a_name_stays_so_that_no_exception_for_the_others_covers_it():
    found = about(vulnerablePackages=[PACKAGE, {"version": "1"}, None])
    assert len({one.name for one in found.packages}) == 2
    assert len(found.packages) == 3


def test_a_package_that_is_there_in_many_files_is_named_once():
    twice = [PACKAGE | {"filePath": path} for path in "ab"]
    assert about(vulnerablePackages=twice).packages == (Package("openssl", "3.0.13"),)


@pytest.mark.parametrize(
    ("status", "is_active"),
    [("ACTIVE", True), (None, True), ("RENAMED", True), ("CLOSED", False), ("SUPPRESSED", False)],
)
def test_a_finding_counts_until_it_is_said_to_be_closed_or_suppressed(status, is_active):
    assert finding(status=status).is_active is is_active


@pytest.mark.parametrize(
    ("said", "severity"), [("UNTRIAGED", "undefined"), ("Weird", "weird"), (None, "unknown")]
)
def test_a_severity_is_never_taken_for_a_lesser_one(said, severity):
    assert finding(severity=said).severity == severity


def test_texts_of_others_stay_on_one_line_and_can_be_written_as_json():
    assert package(name="a\nb\x00\ud800").name == "a b\ufffd\ufffd"


@given(st.dictionaries(st.sampled_from(sorted(DETAIL)), JSON), st.dictionaries(st.text(max_size=5), JSON))
def test_whatever_a_finding_says_it_is_one(changes, details):
    found = finding_of(DETAIL | {"packageVulnerabilityDetails": details} | changes)
    assert found.id
    assert found.severity
    assert found.epss is None or 0 <= found.epss <= 1
