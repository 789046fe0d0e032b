"""What a plan found and what was done, in one sentence each."""

import pytest

from ecr_warden.domain.places import Place
from ecr_warden.domain.policy import Mode, RuleReference
from ecr_warden.domain.sweep.judgements import Judgement, Standing
from ecr_warden.domain.sweep.visits import Repair, RepairStatus
from ecr_warden_cli.sweep.tally import Done, Tally

CHANGE = Judgement(
    Place("123456789012", "us-east-1"),
    "team/a",
    "lifecycle",
    "lifecycle",
    Standing.DIFFERS,
    Mode.ENFORCE,
    RuleReference("policy.yaml", 4, ("**",)),
)


@pytest.mark.parametrize(
    ("tally", "said"),
    [
        (Tally(), "Plan: nothing to change; 0 repositories looked at."),
        (
            Tally(repositories=1, changes=1, changed_repositories=1),
            "Plan: 1 setting to change in 1 repository; 1 repository looked at.",
        ),
        (
            Tally(repositories=5, changes=3, changed_tags=3, changed_repositories=2),
            "Plan: 3 tags to change in 2 repositories; 5 repositories looked at.",
        ),
        (
            Tally(is_of_file=True, changes=3, changed_tags=1, changed_registries=2, in_audit=1),
            "Plan: 2 settings and 1 tag to change in 2 registries (1 in audit mode).",
        ),
    ],
)
def test_what_is_counted_is_named_and_where_it_is_known_how_many_repositories_were_looked_at(tally, said):
    assert str(tally) == said


@pytest.mark.parametrize(
    ("status", "change_id", "has_written"),
    [
        (RepairStatus.CHANGED, "c1", True),
        # The change was made, and what was to follow was not.
        (RepairStatus.FAILED, "c1", True),
        (RepairStatus.FAILED, None, False),
        *((status, None, False) for status in RepairStatus if status not in {"changed", "failed"}),
    ],
)
def test_there_is_something_to_take_back_where_something_was_written(status, change_id, has_written):
    done = Done()
    done.add(Repair(CHANGE, status, change_id=change_id))
    assert done.has_written == has_written
    done.add(Repair(CHANGE, RepairStatus.KEPT))
    assert (done.has_written, done.known()["kept"]) == (has_written, 1 + (status is RepairStatus.KEPT))
