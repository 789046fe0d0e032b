"""Rows of reports: repositories in every state."""

from datetime import UTC, datetime, timedelta

from ecr_warden.domain.policy import Mode
from ecr_warden.domain.sweep.image_totals import ImageTotals, LifecycleEffect
from ecr_warden.domain.sweep.judgements import Standing
from ecr_warden.domain.sweep.rows import RepairRow, RepositoryRow, SectionRow
from ecr_warden.domain.sweep.summary import RunSummary, Unseen
from ecr_warden.domain.sweep.visits import RepairStatus
from ecr_warden.domain.sweep.vulnerabilities import Vulnerabilities

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
GB = 1024**3
TEAMS = ("payments", "search", "platform", "data", "mobile", None)
PLACES = (("111111111111", "eu-central-1"), ("111111111111", "us-east-1"), ("222222222222", "eu-central-1"))
SECTIONS = (("tag_mutability", 4), ("lifecycle", 6), ("scanning", 9), ("tags", 12), ("encryption", 17))
BEFORE, AFTER = '{"mode": "MUTABLE", "excluded": []}', '{"mode": "IMMUTABLE", "excluded": []}'
_STANDINGS = (
    *[Standing.COMPLIANT] * 8,
    Standing.DIFFERS,
    Standing.DIFFERS,
    Standing.KEPT,
    Standing.VIOLATION,
    Standing.EXEMPT,
)


def summary(rows=(), **others):
    said = {
        "run": "sweep-2026-11-24",
        "started_at": NOW - timedelta(minutes=4),
        "ended_at": NOW,
        "places": tuple(f"{account}/{region}" for account, region in PLACES),
        "repositories": len(rows),
    }
    return RunSummary(**said | others)


PARTIAL = (
    Unseen("333333333333/eu-west-1", "the registry", "its role ecr-warden-member cannot be assumed", None),
    Unseen("111111111111/us-east-1", "a batch of repositories", "the worker ran out of time", 50),
)


def section(name="tag_mutability", standing=Standing.COMPLIANT, *, line=4, **others):
    said = {"section": name, "setting": name, "standing": standing, "mode": Mode.ENFORCE}
    return SectionRow(**said | {"rule": f"policy.yaml:{line}"} | others)


def row(name="shop/api", **others):
    said = {"account": PLACES[0][0], "region": PLACES[0][1], "repository": name, "owner": "payments"}
    return RepositoryRow(**said | others)


def some_row(number):
    """Give the repository of a number: neighbours are in different states."""
    account, region = PLACES[number % 3]
    sections = tuple(_section(number, at) for at in range(len(SECTIONS)))
    repairs = tuple(_repair(number, one) for one in sections if one.repairs)
    counts = {}
    for one in repairs:
        counts[one.status.value] = counts.get(one.status.value, 0) + 1
    images = 3 + number * 7 % 180
    size = images * (20 + number * 13 % 400) * 1024**2
    unpulled = number * 5 % images
    return RepositoryRow(
        account,
        region,
        f"{('shop', 'prod', 'team', 'cache')[number % 4]}/service-{number:05}",
        owner=TEAMS[number * 5 % 6],
        created_at=NOW - timedelta(days=number % 900 + 1),
        sections=() if number % 23 == 22 else sections,
        repairs=repairs,
        repair_counts=counts,
        images=ImageTotals(
            images,
            images - images // 4,
            number % 3,
            unpulled,
            unpulled * GB // 9,
            size,
            size // 5 * (number % 2),
        ),
        lifecycle=LifecycleEffect("policy.yaml:6", images // 3, size // 3, 1, GB // 8, number % 3),
        vulnerabilities=Vulnerabilities(
            images // 2,
            images - images // 2,
            {
                "critical": (0, 0, number % 2, 0, number % 3),
                "high": (0, 1, number % 7, 2, number % 11),
                "medium": (number % 5, 3, 9, 20, 40),
                "low": (9, 9, 20, 60, 100 + number % 50),
            },
        ),
        problem="denied: ecr:DescribeImages" if number % 47 == 46 else "",
    )


def _section(number, at):
    name, line = SECTIONS[at]
    standing = _STANDINGS[(number * 7 + at * 5) % len(_STANDINGS)]
    said = {} if standing is Standing.COMPLIANT else {"what": f"{name} is otherwise than it should be"}
    if standing is Standing.VIOLATION:
        said["next_step"] = "Ask its owner to mend it"
    if standing is Standing.DIFFERS:
        said |= {"before": BEFORE, "after": AFTER}
        said["repairs"] = ({"changed": 1}, {"failed": 1}, {}, {"changed": 1})[number % 4]
    return section(name, standing, line=line, **said)


def _repair(number, one):
    status = next(iter(one.repairs))
    return RepairRow(one.section, RepairStatus(status), f"{one.section} was set", f"change-{number}")


def some_rows(number):
    return [some_row(at) for at in range(number)]
