"""The registries that plan and apply open: how fast each is asked, and by which clients."""

import pytest

from ecr_warden.adapters.rate import SWEEP_CONFIG
from ecr_warden.domain.places import Place
from ecr_warden_cli.account import sweep
from ecr_warden_cli.account.sweep import Asked, NoRoleError, SweepAccounts

HERE, THERE = Place("123456789012", "us-east-1"), Place("123456789012", "eu-west-1")
MEMBER = Place("999999999999", "us-east-1")


def asked(**other):
    values = {
        "regions": (),
        "accounts": (),
        "organizational_units": (),
        "role_name": None,
        "external_id": None,
    }
    return Asked(**(values | other))


@pytest.fixture
def rates(monkeypatch):
    """Give the rate of each client that has one."""
    found, attach = [], sweep.attach

    def noted(client, rate):
        found.append((client, rate))
        attach(client, rate)

    monkeypatch.setattr(sweep, "attach", noted)
    return found


@pytest.mark.usefixtures("aws")
def test_all_that_look_at_a_registry_and_change_it_share_one_client_and_one_rate(rates):
    accounts = SweepAccounts(asked(regions=(HERE.region, THERE.region)))
    assert accounts.places == (HERE, THERE)
    said = []
    with accounts.changing("ecr-warden", said.append) as opened:
        for place in (HERE, THERE, HERE):
            accounts.looking(place)
            opened(place)
    clients, own = [client for client, _ in rates], [rate for _, rate in rates]
    assert [client.meta.region_name for client in clients] == [HERE.region, THERE.region]
    assert len(set(map(id, own))) == 2, "one registry that throttles makes no other slow"
    for client in clients:
        for name in ("max_pool_connections", "connect_timeout", "read_timeout"):
            assert getattr(client.meta.config, name) == getattr(SWEEP_CONFIG, name)
        assert client.meta.config.retries["total_max_attempts"] == 10
    assert said == []


@pytest.mark.usefixtures("aws")
def test_where_no_stack_is_deployed_it_is_said_once_and_only_when_something_is_changed(
    rates, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    said = []
    accounts = SweepAccounts(asked(regions=(HERE.region, THERE.region)))
    with accounts.changing("none", said.append) as opened:
        accounts.looking(HERE)
        assert (said, list(tmp_path.iterdir())) == ([], [])
        journals = {id(opened(place).journal) for place in (HERE, THERE)}
    assert len(journals) == 1
    (text,) = said
    assert f"no stack none in {HERE.region}: changes are recorded in {tmp_path}" in text
    assert len(rates) == 2


@pytest.mark.usefixtures("aws")
def test_of_a_plan_its_places_are_opened_as_far_as_they_are_asked_for():
    planned = (HERE, THERE, MEMBER)
    for more, wanted in (
        ({}, planned),
        ({"accounts": (MEMBER.account,)}, (MEMBER,)),
        ({"regions": (HERE.region,)}, (HERE, MEMBER)),
    ):
        found = SweepAccounts(asked(role_name="warden", **more), planned=planned)
        assert found.places == wanted


@pytest.mark.usefixtures("aws")
def test_without_a_role_another_account_is_refused_before_anything_is_looked_at():
    with pytest.raises(NoRoleError, match=f"--role-name, the role to take in {MEMBER.account}"):
        SweepAccounts(asked(accounts=(HERE.account, MEMBER.account)))
    with pytest.raises(NoRoleError):
        SweepAccounts(asked(), planned=(HERE, MEMBER))
