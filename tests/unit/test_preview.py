"""What a preview reads, what it shows, and that it needs nothing of the world."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner
from fakes import OUTCOME
from hostile import HOSTILE, TEXTS, outcome_with
from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.adapters.outcome_bus import outcome_as_json
from ecr_warden.domain.notices import notice
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import ChannelType
from ecr_warden.errors import MalformedEventError
from ecr_warden_cli.main import main
from ecr_warden_cli.preview.html import Html, element, joined, json_html, json_text
from ecr_warden_cli.preview.limits import Used, limits
from ecr_warden_cli.preview.messages import Gathered
from ecr_warden_cli.preview.mrkdwn import mrkdwn_html, plain_html
from ecr_warden_cli.preview.page import page
from ecr_warden_cli.preview.previews import previews
from ecr_warden_cli.preview.reading import read_outcomes
from ecr_warden_cli.preview.renderers import EXAMPLES, NothingHereError, channel_renderers, with_every_type
from ecr_warden_cli.preview.samples import sample
from ecr_warden_cli.preview.slack_view import slack_html

POLICY = """\
version: 1
rules:
  - match: ["**"]
    tags: {deny: [latest]}
channels:
  ops: {type: sns}
  team: {type: slack, secret: ecr-warden/slack/team}
routes:
  - {to: [ops, team]}
"""
SAMPLES = [sample(kind) for kind in OutcomeKind]


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "policy.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, given=None):
        return CliRunner().invoke(main, ["preview", *map(str, arguments)], input=given)

    return invoke


def lines(done):
    assert done.exit_code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Seen(HTMLParser):
    """What a browser would make of HTML: its text, its elements, where its links lead, and their names."""

    def __init__(self, html):
        super().__init__()
        self.text, self.tags, self.links, self.named = "", [], [], {}
        self.feed(html)
        self.close()

    def handle_data(self, data):
        self.text += data
        if self.links:
            self.named[self.links[-1]] = self.named.get(self.links[-1]) or data

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"href", "src"}]


# The samples


def test_there_is_a_sample_of_every_kind_each_of_its_own_kind_and_event():
    assert [one.kind for one in SAMPLES] == list(OutcomeKind)
    assert len({one.id for one in SAMPLES}) == len({one.event_id for one in SAMPLES}) == len(SAMPLES)


@pytest.mark.parametrize("kind", OutcomeKind)
def test_a_sample_is_what_the_bus_could_bring(kind):
    text = json.dumps({"detail": outcome_as_json(sample(kind))})
    assert read_outcomes(text, "bus") == (sample(kind),)


@pytest.mark.parametrize("kind", OutcomeKind)
def test_a_sample_says_what_happened_and_what_to_do(kind):
    said = notice(sample(kind))
    assert said.reason.endswith(".")
    assert said.next_step
    assert said.headline.endswith(tuple("abcdefghijklmnopqrstuvwxyz0123456789*"))


# Reading


def test_outcomes_are_read_from_whatever_has_them():
    one, other = (outcome_as_json(sample(kind)) for kind in list(OutcomeKind)[:2])
    bus = {"source": "ecr-warden", "detail-type": one["kind"], "detail": one}
    replayed = {"event_id": "e", "outcomes": [one, other], "messages": []}
    for document, expected in (
        (one, [one]),
        (bus, [one]),
        (replayed, [one, other]),
        ([one, other], [one, other]),
        ({"event_id": "e", "outcomes": []}, []),
    ):
        read = read_outcomes(json.dumps(document, indent=1), "x")
        assert [outcome_as_json(outcome) for outcome in read] == expected


def test_what_replay_prints_is_read_line_by_line():
    replayed = [json.dumps({"outcomes": [outcome_as_json(one)]}) for one in SAMPLES]
    assert read_outcomes("\ufeff" + "\n".join(replayed) + "\n\n", "-") == tuple(SAMPLES)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kind": "tag_violated"}, "kind"),
        ({"reason": 7}, "reason"),
        ({"event_time": "yesterday"}, "event_time"),
        ({"event_time": "2026-03-02T09:14:07"}, "event_time"),
        ({"changed": True, "action": "burn"}, "tag_violation"),
        ({"kind": "repository_configured", "decision": "burnt"}, "repository_configured"),
    ],
)
def test_what_is_wrong_with_an_outcome_is_said_with_the_file_and_the_field(change, named):
    with pytest.raises(MalformedEventError, match=rf"^some\.json: {named}: "):
        read_outcomes(json.dumps(outcome_as_json(OUTCOME) | change), "some.json")


@pytest.mark.parametrize("text", ["{", "{} nonsense", "[1]", '"x"', "7", "null", '{"detail": {}}', "{}"])
def test_what_is_no_outcome_is_refused(text):
    with pytest.raises(MalformedEventError, match=r"some\.json"):
        read_outcomes(text, "some.json")


def test_an_event_of_ecr_is_refused_with_what_makes_an_outcome_of_it(push_event):
    with pytest.raises(MalformedEventError, match="ecr-warden replay --json"):
        read_outcomes(json.dumps(push_event()), "some.json")


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text):
    try:
        assert isinstance(read_outcomes(text, "x"), tuple)
    except MalformedEventError as error:
        assert str(error).startswith("x")  # noqa: PT017  # either way something holds


# The channels


def test_rendering_asks_for_no_client_and_no_secret():
    for told in previews(SAMPLES, EXAMPLES, Gathered.EACH):
        assert [preview.channel for preview in told.previews] == list(EXAMPLES)


def test_what_asks_for_a_client_or_a_secret_all_the_same_is_found_out():
    (message,) = (told.previews[0].message for told in previews([OUTCOME], EXAMPLES[:1], Gathered.EACH))
    for renderer in channel_renderers(EXAMPLES).values():
        with pytest.raises(NothingHereError):
            renderer.send(message)


def test_every_type_is_added_where_the_policy_has_none_of_it():
    only_sns = tuple(channel for channel in EXAMPLES if channel.type is ChannelType.SNS)
    mine = (replace(only_sns[0], name="mine"),)
    added = with_every_type(mine)
    assert added[0].name == "mine"
    assert {channel.type for channel in added} == set(ChannelType)
    assert [channel.type for channel in added].count(ChannelType.SNS) == 1


def test_together_the_worst_comes_first_and_a_machine_gets_each_by_itself():
    (told,) = previews(SAMPLES[:4], EXAMPLES, Gathered.TOGETHER)
    by_type = [preview.channel.type for preview in told.previews]
    assert told.severity == "critical"
    assert told.headline.endswith("and 3 more")
    assert by_type.count(ChannelType.WEBHOOK) == 4
    assert by_type.count(ChannelType.SNS) == 1


def test_a_digest_counts_all_and_a_machine_gets_each_by_itself():
    many = [replace(OUTCOME, id=str(number), repository=f"team/{number}") for number in range(30)]
    (told,) = previews(many, EXAMPLES, Gathered.DIGEST)
    (mail,) = (one for one in told.previews if one.channel.type is ChannelType.SNS)
    assert "Tag quarantined: 30" in mail.text
    assert sum(one.channel.type is ChannelType.WEBHOOK for one in told.previews) == 30


def test_what_follows_up_on_an_image_stands_below_its_first_message_which_says_that_it_is_settled():
    recovered, vulnerable = sample(OutcomeKind.IMAGE_RECOVERED), sample(OutcomeKind.IMAGE_VULNERABLE)
    # In whatever order they are given, they are told as they happened.
    below, first = previews([recovered, vulnerable], EXAMPLES, Gathered.EACH)
    roots = {preview.channel.name: preview.root for preview in below.previews}
    assert "Settled" in roots.pop("example-slack-bot")["text"]
    assert set(roots.values()) == {None}
    assert {preview.root for preview in first.previews} == {None}


# The text of HTML


@given(TEXTS)
def test_a_text_is_a_text_and_no_html(text):
    seen = Seen(element("p", text, title=text))
    assert seen.tags == ["p"]
    assert re.sub(r"[\x00-\x1f\x7f-\x9f\ufffd\s]", "", seen.text) == re.sub(
        r"[\x00-\x1f\x7f-\x9f\ufffd\s]", "", text
    )


@given(st.lists(TEXTS))
def test_html_that_is_joined_stays_what_it_is(texts):
    parts = [element("b", text) for text in texts]
    assert joined(*parts) == Html("".join(parts))


@given(TEXTS)
def test_json_that_is_shown_is_the_very_same_data_and_shows_all_that_cannot_be_seen(text):
    written = json_text({"text": [text]})
    assert json.loads(written) == {"text": [text]}
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", written)
    assert Seen(json_html({"text": [text]})).text == written


def test_json_of_characters_beyond_the_first_plane_can_be_read_back():
    assert json.loads(json_text("\U000e0001 tag, 👩\u200d👩")) == "\U000e0001 tag, 👩\u200d👩"


# Slack


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a *bold* and _slanted_ ~gone~ word", "a <b>bold</b> and <i>slanted</i> <s>gone</s> word"),
        ("2 * 3 * 4, snake_case_name, a*b*c", "2 * 3 * 4, snake_case_name, a*b*c"),
        ("*_both_*", "<b><i>both</i></b>"),
        ("`*code* &lt;b&gt;`", "<code>*code* &lt;b&gt;</code>"),
        ("```\n*x*\n> y\n```", "<pre>*x*\n&gt; y</pre>"),
        ("&lt;!channel&gt; &amp;lt;", "&lt;!channel&gt; &amp;lt;"),
        ("<!channel>", '<span class="mention">@channel</span>'),
        ("<!subteam^S0123ABCD>", '<span class="mention">@S0123ABCD</span>'),
        ("<!subteam^S0123ABCD|@payments>", '<span class="mention">@payments</span>'),
        ("<@U012AB3CD>", '<span class="mention">@U012AB3CD</span>'),
        ("<!date^1392734382^{date}|2014-02-18>", "2014-02-18"),
        ("<javascript:alert(1)|x>", '<span class="link">x</span>'),
        ("&gt; quoted\n&gt; more\nnot", "<blockquote>quoted\nmore</blockquote>not"),
        ("at 09:42:07, :tada:", "at 09:42:07, <span"),
    ],
)
def test_slacks_markup_is_shown_as_slack_shows_it(text, html):
    assert mrkdwn_html(text).startswith(html)


def test_a_link_leads_where_slack_would_lead():
    assert Seen(mrkdwn_html("<https://x.example/a?b&amp;c|text>")).links == ["https://x.example/a?b&c"]
    assert Seen(mrkdwn_html("see https://x.example/a")).links == ["https://x.example/a"]
    assert Seen(mrkdwn_html("see https://x.example/a", verbatim=True)).links == []


def test_a_plain_text_has_no_markup_but_what_it_may_have():
    assert plain_html("*x* <!here> &lt;", emoji=False) == "*x* &lt;!here&gt; &lt;"
    assert "span" in plain_html(":tada:", emoji=True)
    assert "span" not in plain_html(":tada:", emoji=False)


def test_every_block_that_slack_has_for_texts_is_drawn():
    rich = [
        {"type": "text", "text": "said", "style": {"bold": True}},
        {"type": "link", "url": "https://x.example", "text": "linked"},
        {"type": "emoji", "name": "tada"},
        {"type": "usergroup", "usergroup_id": "S0123ABCD"},
        {"type": "date", "timestamp": 1},
    ]
    quoted = {"type": "rich_text_quote", "elements": [{"type": "text", "text": "quoted"}]}
    section = {"type": "rich_text_section", "elements": rich}
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "headed"}},
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "*strong*"},
            "fields": [{"type": "plain_text", "text": "label\nvalue"}],
            "accessory": {
                "type": "button",
                "url": "https://y.example",
                "text": {"type": "plain_text", "text": "go"},
            },
        },
        {"type": "divider"},
        {
            "type": "context",
            "elements": [{"type": "image", "image_url": "https://z.example", "alt_text": "seen"}],
        },
        {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "push"}}]},
        {"type": "rich_text", "elements": [section, quoted]},
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_list", "style": "ordered", "elements": [section]}],
        },
        {"type": "markdown", "text": "marked"},
        {"type": "carousel"},
    ]
    seen = Seen(slack_html({"blocks": blocks}, at="09:14"))
    for text in (
        *("headed", "strong", "label\nvalue", "go", "seen", "push", "said", "linked", ":tada:", "@S0123ABCD"),
        *("(date)", "quoted", "marked", "carousel", "09:14"),
    ):
        assert text in seen.text
    assert {"b", "hr", "ol", "li", "blockquote"} <= set(seen.tags)
    # A picture would be loaded from elsewhere.
    assert set(seen.links) == {"https://x.example", "https://y.example"}


def test_without_blocks_slack_shows_the_text():
    assert "only *this*" not in Seen(slack_html({"text": "only *this*"}, at="")).text
    assert "only this" in Seen(slack_html({"text": "only *this*"}, at="")).text


# The limits


def test_limits_are_measured_as_the_channel_measures():
    payload = {
        "text": "🔴",
        "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "abc"}}, {"type": "divider"}],
    }
    assert limits(ChannelType.SLACK, payload) == (Used("blocks", 2, 50), Used("characters", 5, 12_000))
    assert str(Used("characters", 1240, 12_000)) == "characters 1,240 of 12,000"
    assert limits(ChannelType.APPRISE, {}) == ()


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_goes_over_a_limit(text):
    # What CloudEvents recommends a machine to take is no limit of it.
    limited = [channel for channel in EXAMPLES if channel.type is not ChannelType.WEBHOOK]
    for told in previews([outcome_with(text * 40)], limited, Gathered.EACH):
        for preview in told.previews:
            for use in limits(preview.channel.type, preview.payload):
                assert use.used <= use.most, (preview.channel.name, use)


# The page


@given(TEXTS)
def test_a_page_has_the_same_elements_whatever_a_message_says(text):
    def elements(said):
        told = previews([outcome_with(said)], EXAMPLES, Gathered.EACH)
        return Seen(page(told, made_of=said)).tags

    tags = elements(text)
    assert "script" not in tags
    assert {"img", "iframe", "object", "embed", "form", "base"}.isdisjoint(tags)
    assert tags.count("title") == tags.count("style") == tags.count("main") == 1


def test_nothing_on_the_page_turns_the_direction_of_a_text_or_hides_some():
    told = previews([outcome_with("a\u202egnp.exe\u2066b\u200bc\u2028d")], EXAMPLES, Gathered.EACH)
    html = page(told, made_of="made of x\u202ey\u2069")
    assert "made of x\ufffdy\ufffd. Nothing was sent." in html
    assert not re.search("[\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]", html)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_link_of_the_page_is_one_that_a_message_forged(text):
    told = previews([outcome_with(text)], EXAMPLES, Gathered.EACH)
    named = Seen(page(told, made_of="x")).named
    ours = ("#", "data:,", "https://eu-west-1.console.aws.amazon.com/")
    # Of a bare address chats make a link: it leads where it says.
    assert {link: name for link, name in named.items() if not link.startswith(ours) and link != name} == {}


def test_a_page_names_each_message_channel_and_payload():
    html = page(previews(SAMPLES, EXAMPLES, Gathered.EACH), made_of="made of samples")
    seen = Seen(html)
    assert "12 messages in 6 channels, made of samples. Nothing was sent." in seen.text
    assert seen.tags.count("section") == len(SAMPLES)
    assert seen.tags.count("article") == len(SAMPLES) * len(EXAMPLES)
    # One for each payload, and one for the message that is changed.
    assert seen.tags.count("details") == len(SAMPLES) * len(EXAMPLES) + 1
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(set(ids)) == len(ids)
    assert {link[1:] for link in seen.links if link.startswith("#")} <= set(ids)


# The command


def test_without_anything_a_sample_of_each_kind_is_shown_in_each_channel_and_a_page_written(run, tmp_path):
    done = run()
    assert done.exit_code == 0
    for channel in ("ops (sns)", "team (slack)"):
        assert done.stdout.count(f"# {channel}: ") == len(OutcomeKind)
    assert done.stderr == "The page is in ecr-warden-preview.html: open it in a browser.\n"
    assert (tmp_path / "ecr-warden-preview.html").read_text().startswith("<!DOCTYPE html>")


def test_with_json_each_line_has_the_fields_of_a_message_and_no_page_is_written(run, tmp_path):
    found = lines(run("--json", "--kind", "tag_violation"))
    assert [(one["channel"], one["type"]) for one in found] == [("ops", "sns"), ("team", "slack")]
    assert all(set(one) == {"channel", "type", "text", "payload"} for one in found)
    assert not (tmp_path / "ecr-warden-preview.html").exists()


def test_with_json_a_page_is_written_where_one_is_asked_for(run, tmp_path):
    assert lines(run("--json", "--html", "x.html"))
    assert (tmp_path / "x.html").exists()


def test_an_outcome_comes_from_a_file_or_from_standard_input_and_each_is_told_once(run, tmp_path):
    text = json.dumps(outcome_as_json(OUTCOME))
    (tmp_path / "one.json").write_text(text)
    for done in (
        run("one.json", "--json"),
        run("-", "--json", given=text),
        run("one.json", "one.json", "--json"),
    ):
        assert len(lines(done)) == 2
        assert "team/app:latest" in done.stdout


def test_kinds_may_be_shown_beside_outcomes_and_in_one_message(run, tmp_path):
    later = replace(OUTCOME, event_time=OUTCOME.event_time + timedelta(days=1))
    (tmp_path / "one.json").write_text(json.dumps(outcome_as_json(later)))
    shown = lines(run("one.json", "--kind", "scan_failed", "--kind", "lifecycle_ran", "--together", "--json"))
    assert [one["channel"] for one in shown] == ["ops", "team"]
    assert "and 2 more" in shown[0]["text"]
    digest = lines(run("--kind", "scan_failed", "--kind", "lifecycle_ran", "--digest", "--json"))
    assert ": 1, and 1 more" in digest[0]["text"]


def test_one_channel_may_be_chosen_and_every_type_be_added(run):
    only = lines(run("--channel", "team", "--kind", "scan_failed", "--json"))
    assert [one["channel"] for one in only] == ["team"]
    every = lines(run("--every-type", "--kind", "scan_failed", "--json"))
    assert {one["type"] for one in every} == {kind.value for kind in ChannelType}


def test_a_policy_without_channels_shows_what_it_could_have(run, tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY.partition("channels:")[0])
    shown = lines(run("--kind", "scan_failed", "--json"))
    assert [one["channel"] for one in shown] == [channel.name for channel in EXAMPLES]


@pytest.mark.parametrize(
    ("arguments", "given", "status", "said"),
    [
        (["--together", "--digest"], None, 2, "give one of them"),
        (["--channel", "nobody"], None, 2, "there are ops, team"),
        (["--kind", "nothing"], None, 2, "nothing"),
        (["missing.json"], None, 2, "missing.json"),
        (["-"], "{", 1, "standard input: not JSON"),
        (["-"], '{"outcomes": []}', 1, "nobody would be told"),
        (["-"], b"\xff", 1, "not UTF-8"),
        (["--html", "no/such/folder.html"], None, 1, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(run, arguments, given, status, said):
    done = run(*arguments, given=given)
    assert done.exit_code == status
    assert said in done.stderr


def test_what_a_terminal_would_obey_is_not_printed(run):
    done = run("-", given=json.dumps(outcome_as_json(outcome_with("\x1b[31mred\x07\u202e"))))
    assert done.exit_code == 0
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout)
