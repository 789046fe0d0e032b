"""What a policy says about who hears what becomes values; what is wrong with it is said with its line."""

import json
import re
from datetime import time
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.compiled_policy import encode_policy, load_policy
from ecr_warden.domain.policy import (
    Channel,
    ChannelType,
    Digest,
    Messages,
    Mode,
    QuietHours,
    Route,
    Severity,
)
from ecr_warden_cli.policy.check import check_policy

SCHEMA = json.loads((Path(__file__).parents[2] / "policy.schema.json").read_text())
AT_PLACE = r"[{\[]?[^:,{}\[\]]*"
ALL = """\
version: 1
channels:
  secops: {type: slack, secret: ecr-warden/slack/secops, fallback: ops, mentions: {payments: S0123ABCD}}
  incidents: {type: slack, secret: ecr-warden/slack/bot, conversation: C0123ABCD}
  ops: {type: sns}
  chat: {type: amazon-q}
  pager: {type: apprise, secret: ecr-warden/apprise/pager}
  siem: {type: webhook, secret: ecr-warden/webhook/siem}
routes:
  - {outcomes: [image_vulnerable], min_severity: critical, repositories: ["prod/**"],
     except: ["prod/legacy-*"], accounts: ["012345678901"], regions: [eu-west-1], mode: enforce,
     owners: [payments], to: [secops, pager]}
  - {to: [ops, siem], digest: hourly, quiet_hours: {from: "22:00", to: "07:00", time_zone: Europe/Berlin}}
  - {to: [chat, incidents, siem, secops], digest: 15m}
messages: {gather: 2m, burst: 10, identity_wait: 300s}
"""
CHANNELS = """\
version: 1
channels:
  ops: {type: sns}
  siem: {type: webhook, secret: ecr-warden/siem}
  team: {type: slack, secret: ecr-warden/team}
routes:
  - {to: [ops, siem, team]}
"""


def said(text):
    return [str(problem) for problem in check_policy(text, "p").problems]


def said_at(text):
    """Give what stands where each problem is, up to its colon, comma or bracket, and the problem."""
    lines = text.splitlines()
    return [
        f"{re.match(AT_PLACE, lines[one.line - 1][one.column - 1 :])[0]}: {one.severity}: {one.message}"
        for one in check_policy(text, "p").problems
    ]


def policy_of(text):
    checked = check_policy(text, "p")
    assert checked.policy is not None, said(text)
    return checked.policy


def test_all_that_can_be_said_becomes_values_with_their_lines():
    assert said(ALL) == []
    policy = policy_of(ALL)
    assert policy.channels == (
        Channel(
            "secops",
            3,
            ChannelType.SLACK,
            "ecr-warden/slack/secops",
            mentions=(("payments", "S0123ABCD"),),
            fallback="ops",
        ),
        Channel("incidents", 4, ChannelType.SLACK, "ecr-warden/slack/bot", conversation="C0123ABCD"),
        Channel("ops", 5, ChannelType.SNS),
        Channel("chat", 6, ChannelType.AMAZON_Q),
        Channel("pager", 7, ChannelType.APPRISE, "ecr-warden/apprise/pager"),
        Channel("siem", 8, ChannelType.WEBHOOK, "ecr-warden/webhook/siem"),
    )
    assert policy.routes == (
        Route(
            10,
            ("secops", "pager"),
            frozenset({"image_vulnerable"}),
            Severity.CRITICAL,
            repositories=("prod/**",),
            excluded=("prod/legacy-*",),
            accounts=frozenset({"012345678901"}),
            regions=frozenset({"eu-west-1"}),
            owners=frozenset({"payments"}),
            mode=Mode.ENFORCE,
        ),
        Route(
            13,
            ("ops", "siem"),
            quiet_hours=QuietHours(time(22), time(7), "Europe/Berlin"),
            digest=Digest.HOURLY,
        ),
        Route(14, ("chat", "incidents", "siem", "secops"), digest=Digest.QUARTER_HOUR),
    )
    assert policy.messages == Messages(gather_seconds=120, burst=10, identity_wait_seconds=300)


def test_what_is_said_is_the_same_when_compiled_and_editors_take_it(tmp_path):
    path = tmp_path / "policy.json"
    path.write_bytes(encode_policy(policy_of(ALL)))
    assert load_policy(str(path)) == policy_of(ALL)
    jsonschema.validate(yaml.safe_load(ALL), SCHEMA)


def test_what_is_not_said_has_the_values_own_defaults():
    policy = policy_of(CHANNELS)
    assert policy.messages == Messages()
    assert policy.routes == (Route(7, ("ops", "siem", "team")),)
    assert policy_of("version: 1\nmessages: {}\n").messages == Messages()


@pytest.mark.parametrize(
    ("written", "clock_time"),
    [("22:00", time(22)), ('"22:00"', time(22)), ("7:05", time(7, 5)), ("07:05", time(7, 5))],
)
def test_a_time_of_day_needs_no_quotes(written, clock_time):
    # To YAML 1.1 the first is the number 1320.
    text = CHANNELS + f"  - {{to: [ops], quiet_hours: {{from: {written}, to: 0:30, time_zone: UTC}}}}\n"
    assert policy_of(text).routes[1].quiet_hours == QuietHours(clock_time, time(0, 30), "UTC")


@given(st.integers(0, 23), st.integers(0, 59))
def test_every_time_of_day_is_read_as_it_is_written(hours, minutes):
    for written in (f"{hours}:{minutes:02}", f"{hours:02}:{minutes:02}"):
        quiet = f"{{from: {written}, to: 23:59, time_zone: UTC}}"
        if (hours, minutes) != (23, 59):
            found = policy_of(CHANNELS + f"  - {{to: [ops], quiet_hours: {quiet}}}\n").routes[1].quiet_hours
            assert found == QuietHours(time(hours, minutes), time(23, 59), "UTC")


@pytest.mark.parametrize(
    ("written", "seconds"), [("0", 0), ("0s", 0), ("30s", 30), ("5m", 300), ("15m", 900), ("900s", 900)]
)
def test_durations_are_seconds_or_minutes_and_nothing_needs_no_unit(written, seconds):
    text = f"version: 1\nmessages: {{gather: {written}, identity_wait: {written}}}\n"
    assert policy_of(text).messages == Messages(gather_seconds=seconds, identity_wait_seconds=seconds)
    jsonschema.validate(yaml.safe_load(text), SCHEMA)


@pytest.mark.parametrize(
    ("channel", "problem"),
    [
        (
            "{type: slack, secret: ecr-warden/x, conversation: '#ops'}",
            "conversation: error: conversation: give its id, as in C0123ABCD, which Slack shows at the end",
        ),
        (
            "{type: slack, secret: ecr-warden/x, mentions: {pay: '@pay'}}",
            "pay: error: mentions: give the id of a Slack user group, as in S0123ABCD, or of a user",
        ),
        (
            "{type: slack, secret: ecr-warden/x, mentions: {'': S0123ABCD}}",
            "'': error: mentions: string should have at least 1 character",
        ),
        ("{type: slack, conversation: C0123ABCD}", "x: error: secret is missing"),
        ("{type: apprise}", "x: error: secret is missing"),
        ("{type: webhook}", "x: error: secret is missing"),
        ("{type: sns, secret: a}", "secret: error: secret: this channel is a topic of the stack"),
        ("{type: amazon-q, secret: a}", "secret: error: secret: this channel is a topic of the stack"),
        ("{type: sns, mentions: {}}", "mentions: error: mentions: only a channel of the type slack mentions"),
        (
            "{type: webhook, secret: ecr-warden/x, conversation: C0123ABCD}",
            "conversation: error: conversation: only a channel of the type slack has a conversation",
        ),
        ("{type: sns, fallbck: ops}", "fallbck: error: fallbck is not a known key: did you mean fallback?"),
        ("{type: sns, fallback: opps}", "fallback: error: no channel has this name: did you mean ops?"),
        ("{type: sns, fallback: zzz}", "fallback: error: no channel has this name: add it under channels"),
        ("{type: sns, fallback: x}", "fallback: error: x is its own fallback"),
        (
            "{type: pigeon}",
            "x: error: x: no channel is of this type: give one of 'slack', 'sns', 'amazon-q'",
        ),
        ("", "x: error: x has no type: give one of 'slack', 'sns', 'amazon-q', 'apprise', 'webhook'"),
        (
            "slack",
            "x: error: x: input should be a valid dictionary or object to extract fields from, got a text",
        ),
        (
            "[slack]",
            "x: error: x: input should be a valid dictionary or object to extract fields from, got a list",
        ),
        ("{type: [sns]}", "x: error: x: no channel is of this type"),
        (
            "{type: sns, fallback: [ops]}",
            "fallback: error: fallback: input should be a valid string, got a list",
        ),
        (
            "{type: sns, fallback: 7}",
            "fallback: error: fallback: put it in quotes: without them YAML takes it",
        ),
        ("{}", "x: error: x has no type: give one of 'slack', 'sns', 'amazon-q', 'apprise', 'webhook'"),
    ],
)
def test_what_is_wrong_with_a_channel_is_said(channel, problem):
    ops = "{type: slack, secret: ecr-warden/ops}"
    text = f"version: 1\nchannels:\n  ops: {ops}\n  x: {channel}\nroutes: [{{to: [ops, x]}}]\n"
    (found,) = said_at(text)
    assert found.startswith(problem)
    assert check_policy(text, "p").policy is None


@pytest.mark.parametrize(
    "channel",
    [
        "https://hooks.slack.com/services/T0/B0/hidden",
        "[https://hooks.slack.com/services/T0/B0/hidden]",
        "{https://hooks.slack.com/services/T0/B0/hidden}",
        "{type: https://hooks.slack.com/services/T0/B0/hidden}",
        "{type: slack, https://hooks.slack.com/services/T0/B0/hidden}",
        "{type: slack, url: https://hooks.slack.com/services/T0/B0/hidden}",
        "{type: slack, secret: {url: https://hooks.slack.com/services/T0/B0/hidden}}",
        "{type: apprise, secret: [tgram://hidden]}",
        "{type: slack, secret: ecr-warden/x, conversation: xoxb-hidden}",
        "{type: slack, secret: ecr-warden/x, conversation: [xoxb-hidden]}",
        "{type: slack, secret: ecr-warden/x, mentions: {pay: xoxb-hidden}}",
        "{type: slack, secret: ecr-warden/x, mentions: [xoxb-hidden]}",
        "{type: sns, fallback: xoxb-hidden}",
        "{type: sns, fallback: {a: xoxb-hidden}}",
    ],
)
def test_nothing_that_stands_where_a_secret_could_is_repeated(channel):
    for text in (f"version: 1\nchannels:\n  x: {channel}\n", f"version: 1\nchannels: [{channel}]\n"):
        assert check_policy(text, "p").policy is None
        assert "hidden" not in "\n".join(said(text))


@pytest.mark.parametrize(
    "secret",
    [
        "https://hooks.slack.com/services/T0/B0/hidden",
        "xoxb-1-hidden",
        "'a hidden thing'",
        "{url: hidden}",
        "[hidden]",
        "7",
        "",
        "ecr-warden/hidden/",
    ],
)
def test_a_secret_itself_is_refused_and_not_repeated(secret):
    text = f"version: 1\nchannels:\n  x: {{type: slack, secret: {secret}}}\n"
    (problem,) = said_at(text)
    assert problem.startswith("secret: error: secret: give the name of a secret in Secrets Manager")
    assert "hidden" not in problem


@pytest.mark.parametrize(
    ("name", "is_sound"),
    [("a", True), ("Sec_ops-2", True), ("a" * 64, True), ("a" * 65, False), ("sec.ops", False), ("ä", False)],
)
def test_a_channels_name_can_be_a_dimension_and_a_key(name, is_sound):
    text = f"version: 1\nroutes: [{{to: [{name}]}}]\nchannels:\n  {name}: {{type: sns}}\n"
    expected = [
        f"p:4:3: error: {name!r}: a channel's name has 1 to 64 letters of A to Z and a to z, digits, _ and -"
    ]
    assert said(text) == ([] if is_sound else expected)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert validator.is_valid(yaml.safe_load(text)) is is_sound


@pytest.mark.parametrize(
    ("route", "problem"),
    [
        (
            "accounts: [012345670123]",
            '012345670123: error: accounts: put the account\'s id in quotes, as in "012345678901"',
        ),
        ("accounts: [123456789012]", "123456789012: error: accounts: put the account's id in quotes"),
        ("accounts: ['1234']", "'1234': error: '1234' is no account's id: it has 12 digits"),
        ("accounts: [[]]", "[: error: accounts: input should be a valid string"),
        ("regions: [Ireland]", "Ireland: error: 'Ireland' is no Region: give its code, as in eu-west-1"),
        ("repositories: ['a**']", "'a**': error: 'a**': ** stands for whole segments"),
        ("except: ['/a']", "'/a': error: '/a': a repository's name has no empty segment"),
        ("owners: ['']", "'': error: owners: string should have at least 1 character"),
        ("owners: [' ']", "' ': error: owners: ' ' has white space around it: remove it"),
        ("owners: ['pay ']", "'pay ': error: owners: 'pay ' has white space around it: remove it"),
        (
            "owners: [yes]",
            "yes: error: owners: put it in quotes: without them YAML takes it for true or false",
        ),
        ("owners: [7]", "7: error: owners: put it in quotes: without them YAML takes it for a number"),
        ("outcomes: image_vulnerable", "outcomes: error: outcomes: give a list, as in [image_vulnerable]"),
        ("repositories: '**'", 'repositories: error: repositories: give a list, as in ["**"]'),
        ("outcomes:", "outcomes: error: outcomes is empty: remove it, or give it entries"),
        (
            "mode: off",
            "mode: error: mode: input should be 'audit' or 'enforce', got false, as which YAML takes off",
        ),
        ("mode: dry", "mode: error: mode: input should be 'audit' or 'enforce', got 'dry'"),
        ("digest: 30m", "digest: error: digest: input should be '15m', 'hourly' or 'daily', got '30m'"),
        ("ownres: [a]", "ownres: error: ownres is not a known key: did you mean owners?"),
        (
            "repositories: [prod/api], except: ['prod/*']",
            "{to: error: no repository's name matches this route that its except does not take out",
        ),
        ("except: ['**']", "{to: error: no repository's name matches this route"),
        ("quiet_hours: {from: 22:00, to: 07:00}", "quiet_hours: error: time_zone is missing"),
        ("quiet_hours: 22-7", "quiet_hours: error: quiet_hours: input should be"),
    ],
)
def test_what_is_wrong_with_a_route_is_said(route, problem):
    (found,) = said_at(CHANNELS + f"  - {{to: [ops], {route}}}\n")
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ("ops", "to: error: to: give a list, as in [ops]"),
        ("ops, team", "to: error: to: give a list, as in [ops, team]"),
        ("", "to: error: to is empty: remove it, or give it entries"),
        ("[]", "to: error: to: list should have at least 1 item after validation, not 0, got an empty list"),
        ("{ops: team}", "to: error: to: input should be a valid list, got a mapping"),
    ],
)
def test_channels_that_are_no_list_are_shown_as_one(to, problem):
    assert said_at(CHANNELS + f"  - to: {to}\n") == [problem]


@pytest.mark.parametrize("section", ["channels", "routes", "messages", "rules", "exceptions"])
def test_a_section_with_nothing_in_it_is_to_be_removed(section):
    text = f"version: 1\n{section}:\n"
    assert said(text) == [f"p:2:1: error: {section} is empty: remove it, or give it entries"]


@pytest.mark.parametrize("name", ["on", "no", "off", "Yes", "null", "~"])
def test_a_name_that_yaml_takes_for_something_else_is_to_be_put_in_quotes(name):
    channels = f"  ops: {{type: snsx}}\n  {name}: {{type: sns}}\n"
    (problem,) = said(f"version: 1\nchannels:\n{channels}")
    assert problem.startswith(
        f'p:4:3: error: put {name} in quotes, as in "{name}": without them YAML takes it'
    )
    mentions = f"mentions: {{pay: S0123ABCD, {name}: S0123ABCD}}"
    text = f"version: 1\nchannels:\n  x: {{type: slack, secret: ecr-warden/x, {mentions}}}\n"
    assert [one.partition(":")[0] for one in said_at(text)] == [name]
    quoted = channels.replace("snsx", "amazon-q").replace(f"{name}:", f'"{name}":')
    if name.isalnum():
        assert said(f'version: 1\nchannels:\n{quoted}routes: [{{to: [ops, "{name}"]}}]\n') == []


def test_a_name_that_is_a_number_is_to_be_put_in_quotes():
    channels = "  7: {type: sns}\n  x: {type: slack, secret: ecr-warden/x, mentions: {15: S0123ABCD}}\n"
    assert said_at(f"version: 1\nchannels:\n{channels}") == [
        "7: error: 7: put it in quotes: without them YAML takes it for a number",
        "15: error: 15: put it in quotes: without them YAML takes it for a number",
    ]


@pytest.mark.parametrize(
    ("quiet_hours", "problem"),
    [
        (
            "from: 22:00, to: 22:00, time_zone: UTC",
            "quiet_hours: error: quiet_hours begin and end at the same time",
        ),
        ("from: 24:00, to: 07:00, time_zone: UTC", "from: error: '24:00' is no time of day"),
        (
            "from: 22, to: 07:00, time_zone: UTC",
            "from: error: 22 is no time of day: give hours and minutes",
        ),
        ("from: 22:00, to: 07:00:30, time_zone: UTC", "to: error: '07:00:30' is no time of day"),
        ("from: 22:00, to: 7am, time_zone: UTC", "to: error: '7am' is no time of day"),
        (
            "from: 22:00, to: 07:00, time_zone: Europe/Berln",
            "time_zone: error: 'Europe/Berln' is no time zone: did you mean Europe/Berlin?",
        ),
        (
            "from: 22:00, to: 07:00, time_zone: New York",
            "time_zone: error: 'New York' is no time zone: did you mean America/New_York?",
        ),
        (
            "from: 22:00, to: 07:00, time_zone: europe/berlin",
            "time_zone: error: 'europe/berlin' is no time zone: did you mean Europe/Berlin?",
        ),
        (
            "from: 22:00, to: 07:00, time_zone: ../etc/passwd",
            "time_zone: error: '../etc/passwd' is no time zone",
        ),
        (
            "from: 22:00, to: 07:00, time_zone: qqqq",
            "time_zone: error: 'qqqq' is no time zone: give one as in Europe/Berlin",
        ),
        (
            # Only the machine that builds has one.
            "from: 22:00, to: 07:00, time_zone: localtime",
            "time_zone: error: 'localtime' is no time zone: give one as in Europe/Berlin",
        ),
        (
            "from: 22:00, to: 07:00, time_zone: UTC, tz: x",
            "tz: error: tz is not a known key: known here: from, to, time_zone",
        ),
    ],
)
def test_what_is_wrong_with_quiet_hours_is_said(quiet_hours, problem):
    (found,) = said_at(CHANNELS + f"  - {{to: [ops], quiet_hours: {{{quiet_hours}}}}}\n")
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ("gather: 60", "gather: error: gather: give seconds or minutes, as in 30s or 5m, not 60"),
        ("gather: 1h", "gather: error: gather: give seconds or minutes, as in 30s or 5m, not '1h'"),
        ("gather: false", "gather: error: gather: give seconds or minutes, as in 30s or 5m, not False"),
        ("gather: -1s", "gather: error: gather: give seconds or minutes, as in 30s or 5m, not '-1s'"),
        ("gather: 901s", "gather: error: gather: give 15m at most, not 901s"),
        ("identity_wait: 16m", "identity_wait: error: identity_wait: give 15m at most, not 16m"),
        ("burst: 0", "burst: error: messages.burst: expected a whole number from 1 to 50, got 0"),
        ("burst: 51", "burst: error: messages.burst: expected a whole number from 1 to 50, got 51"),
        ("burst: true", "burst: error: messages.burst: expected a whole number from 1 to 50, got True"),
        ("brust: 5", "brust: error: brust is not a known key: did you mean burst?"),
    ],
)
def test_what_is_wrong_with_messages_is_said(messages, problem):
    assert said_at(f"version: 1\nmessages: {{{messages}}}\n") == [problem]


def fallbacks(*ways):
    channels = "".join(
        f"  {name}: {{type: apprise, secret: ecr-warden/{name}{f', fallback: {to}' if to else ''}}}\n"
        for name, to in ways
    )
    return f"version: 1\nchannels:\n{channels}routes: [{{to: [{', '.join(name for name, _ in ways)}]}}]\n"


def test_fallbacks_that_lead_round_in_a_circle_are_one_error_and_a_way_into_it_is_none():
    assert said_at(fallbacks(("x", "a"), ("a", "b"), ("b", "c"), ("c", "a"))) == [
        "fallback: error: the fallbacks lead round in a circle, a → b → c → a: remove one of them"
    ]
    assert said_at(fallbacks(("a", "b"), ("b", "c"), ("c", None), ("d", "c"))) == []


names = st.sampled_from("abcde")


@given(st.dictionaries(names, st.none() | names, min_size=5, max_size=5))
def test_a_policy_without_errors_has_fallbacks_that_all_come_to_an_end(ways):
    checked = check_policy(fallbacks(*ways.items()), "p")
    ends = []
    for name in ways:
        following, steps = ways[name], 0
        while following is not None and steps <= len(ways):
            following, steps = ways[following], steps + 1
        ends.append(following is None)
    assert (checked.policy is not None) is all(ends)


@pytest.mark.parametrize(
    ("route", "problem"),
    [
        (
            "to: [siem], digest: daily",
            "digest: warning: digest has no effect: a webhook takes each outcome at once; remove it",
        ),
        (
            "to: [siem], quiet_hours: {from: 22:00, to: 07:00, time_zone: UTC}",
            "quiet_hours: warning: quiet_hours has no effect: a webhook takes each outcome at once",
        ),
        (
            "to: [ops], min_severity: critical, digest: daily",
            "digest: warning: digest has no effect: the route takes what is critical alone, which is",
        ),
    ],
)
def test_what_holds_nothing_is_a_warning(route, problem):
    text = CHANNELS + f"  - {{{route}}}\n"
    assert policy_of(text)
    (found,) = said_at(text)
    assert found.startswith(problem)


def test_a_digest_for_people_and_a_machine_has_an_effect():
    assert said(CHANNELS + "  - {to: [siem, ops], digest: daily}\n") == []


def test_a_channel_that_only_a_fallback_names_is_heard():
    text = fallbacks(("a", "b"), ("b", None), ("c", None)).replace("[a, b, c]", "[a]")
    assert said_at(text) == ["c: warning: no route names the channel c"]


@pytest.mark.parametrize(
    ("routes", "problems"),
    [
        ("{to: [a], owners: [pay]}", []),
        ("{to: [a]}", []),
        ("{to: [a], owners: [web]}, {to: [a]}", []),
        ("{to: [b], owners: [web]}, {to: [a, b], owners: [pay, web]}", []),
        (
            "{to: [b], owners: [pay]}, {to: [a], owners: [web]}",
            ["pay: warning: no route to the channel a is for the owner pay: nobody is mentioned"],
        ),
    ],
)
def test_a_mention_that_nothing_causes_is_a_warning(routes, problems):
    channels = "  b: {type: sns}\n  a: {type: slack, secret: ecr-warden/a, mentions: {pay: S0123ABCD}}\n"
    assert said_at(f"version: 1\nchannels:\n{channels}routes: [{{to: [b]}}, {routes}]\n") == problems


def test_a_channel_that_others_fall_back_to_may_mention_the_owners_of_theirs():
    text = """\
version: 1
channels:
  a: {type: slack, secret: ecr-warden/a, mentions: {pay: S0123ABCD}}
  b: {type: sns, fallback: a}
routes: [{to: [a], owners: [web]}, {to: [b], owners: [pay]}]
"""
    assert said(text) == []


SLACK = "type: slack, secret: ecr-warden/slack"


@pytest.mark.parametrize(
    ("one", "other", "problem"),
    [
        ("type: sns", "type: sns", "a and b are the same topic"),
        ("type: amazon-q", "type: amazon-q", "a and b are the same topic"),
        (SLACK, SLACK, "a and b have the same secret"),
        (
            "type: webhook, secret: ecr-warden/x",
            "type: webhook, secret: ecr-warden/x",
            "a and b have the same secret",
        ),
    ],
)
def test_a_channel_cannot_be_the_fallback_of_itself_by_another_name(one, other, problem):
    text = f"version: 1\nchannels:\n  a: {{{one}, fallback: b}}\n  b: {{{other}}}\nroutes: [{{to: [a]}}]\n"
    assert said_at(text) == [
        f"fallback: error: {problem}, so that both are down at once: name another channel, or remove it"
    ]


def test_a_bot_that_is_its_own_fallback_in_another_conversation_is_a_warning():
    text = f"""\
version: 1
channels:
  a: {{{SLACK}, conversation: C0123ABCD, fallback: b}}
  b: {{{SLACK}, conversation: C0123ABCE}}
routes: [{{to: [a]}}]
"""
    assert policy_of(text)
    assert said_at(text) == [
        "fallback: warning: a and b have the same secret: where the bot's token is what fails, both are down"
    ]


@pytest.mark.parametrize(
    ("one", "other", "is_sound"),
    [
        ("type: slack, conversation: C0123ABCD", "type: slack, conversation: C0123ABCE", True),
        ("type: slack, conversation: C0123ABCD", "type: slack", False),
        ("type: slack", "type: apprise", False),
        ("type: webhook", "type: apprise", False),
        ("type: webhook", "type: slack, conversation: C0123ABCD", False),
    ],
)
def test_one_secret_cannot_be_two_things(one, other, is_sound):
    channels = f"  a: {{{one}, secret: ecr-warden/x}}\n  b: {{{other}, secret: ecr-warden/x}}\n"
    found = said_at(f"version: 1\nchannels:\n{channels}routes: [{{to: [a, b]}}]\n")
    if is_sound:
        assert found == []
    else:
        (problem,) = found
        assert problem.startswith("secret: error: the channel a has the same secret, which cannot be both ")
        assert problem.endswith(": give each its own")


TWICE = "b: warning: the channel a is the same topic: what goes to both is told there twice"


@pytest.mark.parametrize("kind", ["sns", "amazon-q"])
@pytest.mark.parametrize(
    ("routes", "is_twice"),
    [
        ("{to: [a, b]}", True),
        ("{to: [a]}, {to: [b]}", True),
        ("{to: [a], outcomes: [scan_failed]}, {to: [b]}", True),
        ("{to: [a], min_severity: low}, {to: [b], min_severity: critical}", True),
        ("{to: [a], repositories: ['prod/**']}, {to: [b], repositories: ['*/api']}", True),
        ("{to: [a], repositories: ['prod/**']}, {to: [b], except: ['prod/**']}", False),
        ("{to: [a], repositories: ['prod/**']}, {to: [b], repositories: ['dev/**']}", False),
        ("{to: [a], outcomes: [scan_failed]}, {to: [b], outcomes: [tag_violation]}", False),
        # Whether a name matches both takes too long to tell.
        (f"{{to: [a], repositories: ['*a{'?' * 13}']}}, {{to: [b], repositories: ['*b{'?' * 13}']}}", True),
        ("{to: [a], owners: [pay]}, {to: [b], owners: [web]}", False),
        ("{to: [a], accounts: ['123456789012']}, {to: [b], accounts: ['210987654321']}", False),
        ("{to: [a], regions: [eu-west-1]}, {to: [b], regions: [us-east-1]}", False),
        ("{to: [a], mode: audit}, {to: [b], mode: enforce}", False),
    ],
)
def test_one_topic_that_is_told_the_same_twice_is_a_warning(kind, routes, is_twice):
    text = f"version: 1\nchannels:\n  a: {{type: {kind}}}\n  b: {{type: {kind}}}\nroutes: [{routes}]\n"
    assert policy_of(text)
    assert [one.partition(";")[0] for one in said_at(text)] == [TWICE] * is_twice


def test_one_webhook_that_two_routes_tell_different_things_is_no_problem():
    channels = f"  a: {{{SLACK}}}\n  b: {{{SLACK}}}\n"
    routes = "routes: [{to: [a], owners: [pay]}, {to: [b], owners: [web]}]\n"
    assert said_at(f"version: 1\nchannels:\n{channels}{routes}") == []


def test_one_bot_may_post_to_several_conversations_but_not_twice_to_one():
    text = """\
version: 1
channels:
  a: {type: slack, secret: ecr-warden/bot, conversation: C0123ABCD}
  b: {type: slack, secret: ecr-warden/bot, conversation: C0123ABCE}
  c: {type: slack, secret: ecr-warden/bot, conversation: C0123ABCD}
routes: [{to: [a, b, c]}]
"""
    (problem,) = said_at(text)
    assert problem.startswith("secret: warning: the channel a has the same secret and conversation")
    assert said(text)[0].startswith("p:5:")
