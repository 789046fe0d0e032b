from dataclasses import replace

from fakes import NOW, OUTCOME

from ecr_warden.domain.digests import message_of
from ecr_warden.domain.gathering import Parcel
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Mode, Severity
from ecr_warden.domain.waiting import Waiting

LINK = "https://example.com/all"


def digest_of(*outcomes):
    waiting = tuple(Waiting(outcome, since=NOW, due=NOW) for outcome in outcomes)
    return message_of(Parcel(waiting, is_digest=True), {}, LINK)


def test_a_digest_shows_a_few_and_has_the_traits_of_all():
    last = replace(
        OUTCOME,
        kind=OutcomeKind.REPLICATION_FAILED,
        severity=Severity.LOW,
        mode=Mode.AUDIT,
        action="none",
        changed=False,
        account="210987654321",
        region="us-east-1",
    )
    message = digest_of(*(replace(OUTCOME, repository=f"app-{number}") for number in range(9)), last)
    assert last not in message.outcomes
    assert message.total == 10
    traits = message.traits
    assert traits == message.digest.traits
    assert traits.kinds == (OutcomeKind.TAG_VIOLATION, OutcomeKind.REPLICATION_FAILED)
    assert traits.severities == (Severity.HIGH, Severity.LOW)
    assert traits.modes == (Mode.ENFORCE, Mode.AUDIT)
    assert traits.actions == ("quarantine", "none")
    assert traits.changed == (True, False)
    assert traits.accounts == ("123456789012", "210987654321")
    assert traits.regions == ("eu-west-1", "us-east-1")
    assert traits.repositories == (*(f"app-{number}" for number in range(9)), "team/app")


def test_a_digest_has_the_first_hundred_repositories_worst_first():
    outcomes = [replace(OUTCOME, repository=f"app-{number}") for number in range(150)]
    worst = replace(OUTCOME, repository="worst", severity=Severity.CRITICAL)
    repositories = digest_of(*outcomes, worst).traits.repositories
    assert repositories == ("worst", *(f"app-{number}" for number in range(99)))


def test_the_traits_of_what_is_no_digest_are_those_of_its_outcomes():
    waiting = (Waiting(OUTCOME, since=NOW, due=NOW), Waiting(OUTCOME, since=NOW, due=NOW))
    message = message_of(Parcel(waiting), {}, LINK)
    assert message.digest is None
    assert message.total == 2
    assert message.traits.kinds == (OutcomeKind.TAG_VIOLATION,)
    assert message.traits.repositories == ("team/app",)
