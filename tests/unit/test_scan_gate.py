"""The scan gate, as a specification: what counts, what fails, and where reading may stop."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.finding_summary import FindingSeverity
from ecr_warden.domain.findings import Finding, Package, Page, severity_counts
from ecr_warden.domain.policy import IgnoredVulnerability, Policy, ScanGate
from ecr_warden.domain.scan_gate import (
    MARKS_KEPT,
    WORST_SHOWN,
    Gate,
    gate_for,
    judge_counts,
    judge_findings,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SEVERITIES = [severity.value for severity in FindingSeverity]


def a_gate(**settings):
    return Gate(limits=settings.pop("limits", {"critical": 0}), now=NOW, **settings)


def critical(vulnerability="CVE-2026-1", **facts):
    return Finding(id=vulnerability, severity="critical", **facts)


findings = st.builds(
    Finding,
    id=st.sampled_from([f"CVE-2026-{n}" for n in range(8)]),
    severity=st.sampled_from([*SEVERITIES, "severe"]),
    packages=st.lists(
        st.builds(
            Package, st.sampled_from(["openssl", "zlib", "musl"]), st.just("1"), st.sampled_from([None, "2"])
        ),
        max_size=2,
    ).map(tuple),
    fix_available=st.sampled_from([None, True, False]),
    exploit_available=st.sampled_from([None, True, False]),
    epss=st.none() | st.floats(0, 1),
    first_observed_at=st.none() | st.integers(-20, 40).map(lambda days: NOW - timedelta(days=days)),
    score=st.none() | st.floats(0, 10),
    is_active=st.sampled_from([True, True, True, False]),
)
many = st.lists(findings, max_size=30)
gates = st.builds(
    Gate,
    limits=st.dictionaries(st.sampled_from(SEVERITIES), st.integers(0, 4), min_size=1),
    now=st.just(NOW),
    fixable_only=st.booleans(),
    exploitable_only=st.booleans(),
    min_epss=st.none() | st.floats(0, 1),
    ignored=st.dictionaries(
        st.sampled_from([f"CVE-2026-{n}" for n in range(8)]),
        st.frozensets(st.sampled_from([None, "openssl", "zlib"]), min_size=1),
        max_size=3,
    ),
    grace=st.dictionaries(
        st.sampled_from(SEVERITIES), st.integers(1, 30).map(lambda n: timedelta(days=n)), max_size=2
    ),
)


def pages_of(of, size):
    return [
        Page(tuple(of[start : start + size]), start + size >= len(of)) for start in range(0, len(of), size)
    ]


def in_one(of):
    return [Page(tuple(of), is_last=True)]


def totals_of(of):
    return Counter(finding.severity for finding in of)


@given(many, gates, st.integers(1, 7), st.sampled_from(["none", "all", "active"]))
def test_stopping_early_gives_the_answer_of_reading_all(of, gate, size, known):
    """Whether ECR's numbers are there, and have those that are suppressed, or not."""
    active = [finding for finding in of if finding.is_active]
    totals = {"none": None, "all": totals_of(of), "active": totals_of(active)}[known]
    early = judge_findings(pages_of(of, size), gate, totals)
    assert early.has_failed == judge_findings(in_one(of), gate, None).has_failed


@given(many, gates, findings, st.integers(0, 30))
def test_one_finding_more_never_turns_a_failure_into_a_pass(of, gate, one, place):
    before = judge_findings(in_one(of), gate, None)
    after = judge_findings(in_one([*of[:place], one, *of[place:]]), gate, None)
    assert after.has_failed or not before.has_failed


def stricter_readings(gate):
    """Give gates that read the same policy more strictly, one step each."""
    yield replace(gate, limits={name: max(limit - 1, 0) for name, limit in gate.limits.items()})
    yield replace(gate, fixable_only=False)
    yield replace(gate, exploitable_only=False)
    yield replace(gate, min_epss=None)
    yield replace(gate, ignored={})
    yield replace(gate, grace={})
    yield replace(gate, limits=dict.fromkeys(SEVERITIES, 0), ignored={}, grace={}, fixable_only=False)


@given(many, gates)
def test_what_a_gate_fails_a_stricter_one_fails_too(of, gate):
    if judge_findings(in_one(of), gate, None).has_failed:
        for stricter in stricter_readings(gate):
            assert judge_findings(in_one(of), stricter, None).has_failed


def said_for_the_image(finding):
    """Give the finding with all that the scanner left out said so that it counts."""
    return replace(
        finding,
        fix_available=finding.fix_available is not False,
        exploit_available=finding.exploit_available is not False,
        epss=1.0 if finding.epss is None else finding.epss,
        first_observed_at=finding.first_observed_at or NOW - timedelta(days=9999),
    )


@given(many, gates)
def test_what_the_scanner_does_not_say_is_read_against_the_image(of, gate):
    worst = [said_for_the_image(finding) for finding in of]
    assert (
        judge_findings(in_one(of), gate, None).has_failed
        == judge_findings(in_one(worst), gate, None).has_failed
    )


@given(many, gates)
def test_counts_that_pass_pass_with_every_filter_too(of, gate):
    """So that an event's counts can let an image pass without a call."""
    counts = totals_of(finding for finding in of if finding.is_active)
    if not judge_counts(counts, gate).has_failed:
        assert not judge_findings(in_one(of), gate, None).has_failed


@given(st.permutations([critical(f"CVE-2026-{n}", score=n % 3) for n in range(14)]))
def test_the_same_findings_in_any_order_say_the_same(of):
    assert judge_findings(in_one(of), a_gate(), None) == judge_findings(
        in_one(sorted(of, key=str)), a_gate(), None
    )


def counted_pages(pages, read):
    for page in pages:
        read.append(page)
        yield page


def test_no_page_is_asked_for_once_the_gate_has_failed():
    read = []
    pages = pages_of([critical(), critical("CVE-2"), critical("CVE-3")], 1)
    judgement = judge_findings(counted_pages(pages, read), a_gate(), None)
    assert judgement.has_failed
    assert len(read) == 1
    assert not judgement.is_complete
    assert judgement.marks is None


def test_no_page_is_asked_for_once_what_is_left_cannot_fail_it():
    read = []
    low = Finding("CVE-9", "low")
    pages = pages_of([low] * 6, 2)
    judgement = judge_findings(counted_pages(pages, read), a_gate(), {"low": 6})
    assert not judgement.has_failed
    assert len(read) == 1
    assert judgement.is_complete
    assert judgement.marks == ()
    assert judgement.counts == {"low": 6}


def test_a_last_page_that_fails_is_all_that_was_read():
    judgement = judge_findings(in_one([critical(), critical("CVE-2")]), a_gate(), None)
    assert judgement.is_complete
    assert judgement.marks == ("critical CVE-2", "critical CVE-2026-1")


def test_all_is_read_where_all_is_asked_for():
    pages = pages_of([critical(), critical("CVE-2"), critical("CVE-3")], 1)
    assert judge_findings(pages, a_gate(), None, to_the_end=True).counts == {"critical": 3}


def test_memory_stays_flat_in_the_number_of_findings():
    judgement = judge_findings(
        (Page(tuple(critical(f"CVE-{page}-{n}") for n in range(100))) for page in range(50)),
        a_gate(limits={"critical": 10**6}),
        None,
    )
    assert judgement.counted == {"critical": 5000}
    assert len(judgement.worst) == WORST_SHOWN
    assert judgement.marks is None
    assert MARKS_KEPT < 5000


def test_findings_that_the_registry_counts_and_does_not_list_are_no_clean_bill():
    judgement = judge_findings(in_one([]), a_gate(), {"critical": 2})
    assert judgement.has_failed
    assert not judgement.is_complete
    assert judgement.counted == {"critical": 2}


def test_a_suppressed_finding_that_the_registry_counts_is_left_out():
    judgement = judge_findings(in_one([critical(is_active=False)]), a_gate(), {"critical": 1})
    assert not judgement.has_failed
    assert judgement.counts == {}
    assert judgement.is_complete


@pytest.mark.parametrize(
    ("gate", "finding"),
    [
        (a_gate(), Finding("CVE-1", "high")),
        (a_gate(fixable_only=True), critical(fix_available=False)),
        (a_gate(exploitable_only=True), critical(exploit_available=False)),
        (a_gate(min_epss=0.5), critical(epss=0.4)),
        (a_gate(ignored={"CVE-2026-1": frozenset({None})}), critical("cve-2026-1")),
        (a_gate(ignored={"CVE-2026-1": frozenset({"zlib"})}), critical(packages=(Package("zlib"),))),
        (a_gate(grace={"critical": timedelta(days=7)}), critical(first_observed_at=NOW - timedelta(days=6))),
        (
            a_gate(grace={"critical": timedelta(days=7)}),
            critical(first_observed_at=NOW + timedelta(minutes=1)),
        ),
    ],
    ids=[
        "no limit",
        "no fix",
        "no exploit",
        "epss",
        "ignored",
        "ignored in its package",
        "grace",
        "clock skew",
    ],
)
def test_a_finding_that_does_not_count(gate, finding):
    assert not gate.counts(finding)


@pytest.mark.parametrize(
    ("gate", "finding"),
    [
        (a_gate(), Finding("CVE-1", "severe")),
        (a_gate(fixable_only=True), critical()),
        (a_gate(exploitable_only=True), critical()),
        (a_gate(min_epss=0.5), critical()),
        (a_gate(min_epss=0.5), critical(epss=0.5)),
        (
            a_gate(ignored={"CVE-2026-1": frozenset({"zlib"})}),
            critical(packages=(Package("zlib"), Package("musl"))),
        ),
        (a_gate(ignored={"CVE-2026-1": frozenset({"zlib"})}), critical()),
        (a_gate(grace={"critical": timedelta(days=7)}), critical()),
        (a_gate(grace={"critical": timedelta(days=7)}), critical(first_observed_at=NOW - timedelta(days=7))),
        (a_gate(grace={"critical": timedelta(days=7)}), critical(first_observed_at=NOW + timedelta(days=1))),
    ],
    ids=[
        "a severity nobody knows",
        "fix not said",
        "exploit not said",
        "epss not said",
        "epss reached",
        "one package of two excepted",
        "no package to except",
        "age not said",
        "grace is over",
        "observed in the future",
    ],
)
def test_a_finding_that_counts(gate, finding):
    assert gate.counts(finding)


def test_a_severity_that_nobody_knows_counts_against_every_limit():
    gate = a_gate(limits={"high": 1, "low": 5})
    assert gate.exceeded({"severe": 1, "high": 1}) == ("high",)
    assert gate.fails({"severe": 2})


@pytest.mark.parametrize(
    ("repository", "day", "is_ignored"),
    [
        ("prod/api", date(2026, 11, 24), True),
        ("prod/api", date(2026, 11, 23), False),
        ("dev/api", date(2026, 11, 24), False),
    ],
)
def test_an_exception_is_for_its_repositories_until_the_end_of_its_day(repository, day, is_ignored):
    entry = IgnoredVulnerability(3, "cve-2026-1", day, "not reachable", repository="prod/*")
    rules = ScanGate(2, max=((FindingSeverity.CRITICAL, 0),))
    for gate in (
        gate_for(replace(rules, ignore=(entry,)), Policy("p"), repository, NOW),
        gate_for(rules, Policy("p", vulnerability_exceptions=(entry,)), repository, NOW),
    ):
        assert gate.counts(critical()) is not is_ignored


def test_inspectors_words_for_severities_are_those_of_the_policy():
    assert severity_counts({"CRITICAL": 1, "UNTRIAGED": 2, "UNDEFINED": 3, "TOTAL": 6, "Odd": 1}) == {
        "critical": 1,
        "undefined": 5,
        "odd": 1,
    }
