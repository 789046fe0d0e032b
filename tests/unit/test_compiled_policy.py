import json
from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.compiled_policy import encode_policy, load_policy
from ecr_warden.domain.policy import (
    Channel,
    Digest,
    IgnoredVulnerability,
    Messages,
    Mode,
    Policy,
    QuietHours,
    Route,
    Rule,
    ScanGate,
    TagException,
    TagRules,
)
from ecr_warden.errors import PolicyError

st.register_type_strategy(date, st.dates())
st.register_type_strategy(time, st.times())
WORDS = st.text(max_size=5)
SEVERAL = st.lists(WORDS, max_size=2).map(tuple)
SETS = st.frozensets(WORDS, max_size=2)
CHANNELS = st.builds(
    Channel,
    secret=st.none() | WORDS,
    conversation=st.none() | WORDS,
    mentions=st.lists(st.tuples(WORDS, WORDS), max_size=2).map(tuple),
    fallback=st.none() | WORDS,
)
ROUTES = st.builds(
    Route,
    repositories=SEVERAL,
    excluded=SEVERAL,
    accounts=SETS,
    regions=SETS,
    owners=SETS,
    mode=st.none() | st.sampled_from(Mode),
    quiet_hours=st.none() | st.builds(QuietHours),
    digest=st.none() | st.sampled_from(Digest),
)
GATES = st.builds(
    ScanGate,
    min_epss=st.none() | st.floats(0, 1),
    ignore=st.lists(st.builds(IgnoredVulnerability), max_size=2).map(tuple),
)


@given(
    st.builds(
        Policy,
        rules=st.lists(
            st.builds(Rule, tags=st.none() | st.builds(TagRules), scan_gate=st.none() | GATES), max_size=3
        ).map(tuple),
        exceptions=st.lists(st.builds(TagException), max_size=2).map(tuple),
        vulnerability_exceptions=st.lists(st.builds(IgnoredVulnerability), max_size=2).map(tuple),
        channels=st.lists(CHANNELS, max_size=2).map(tuple),
        routes=st.lists(ROUTES, max_size=2).map(tuple),
        messages=st.builds(Messages, st.integers(0, 900), st.integers(1, 50), st.integers(0, 900)),
    )
)
def test_a_compiled_policy_is_the_policy(tmp_path_factory, policy):
    path = tmp_path_factory.mktemp("policy") / "policy.json"
    path.write_bytes(encode_policy(policy))
    assert load_policy(str(path)) == policy


def test_a_policy_that_is_not_there_or_is_of_another_version_says_what_to_do(tmp_path):
    with pytest.raises(PolicyError, match="run sam build"):
        load_policy(str(tmp_path / "none.json"))
    path = tmp_path / "policy.json"
    path.write_text(json.dumps({"file": "p", "mode": "shout"}))
    with pytest.raises(PolicyError, match=r"\$\.mode.*run sam build again"):
        load_policy(str(path))
