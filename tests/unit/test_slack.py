"""What is posted in Slack: nothing in it is markup but our own, and all of it is within Slack's limits."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import NOW, OUTCOME
from hostile import HOSTILE, TEXTS, outcome_with
from hypothesis import example, given
from hypothesis import strategies as st

from ecr_warden.adapters.slack_blocks import mention, slack_payload
from ecr_warden.domain.finding_summary import FindingChanges, FindingShown, FindingsSummary
from ecr_warden.domain.messages import Digest, Message, Traits
from ecr_warden.domain.notices import notice
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import RuleReference, Severity
from ecr_warden.domain.texts import cut_at_word, one_line

LINK = r"<https://[!-;=?-{}~]+\|(?:Open it in the ECR console|List all \d+)>"
FAMILY = "👩\u200d👩\u200d👧\u200d👦"


def units(text):
    return len(text.encode("utf-16-le")) // 2


def texts(block):
    found = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
    return [text for text in found if text is not None]


def all_texts(payload):
    return [text["text"] for block in payload["blocks"] for text in texts(block)]


def markup(payload):
    return [text["text"] for block in payload["blocks"] for text in texts(block) if text["type"] == "mrkdwn"]


def digest_of(*outcomes, total=300, link="https://eu-west-1.console.aws.amazon.com/x?a=1&b=2", counts=None):
    counts = counts or (("Tag quarantined", total),)
    digest = Digest(
        counts, total, NOW, NOW + timedelta(minutes=5), outcomes[0].severity, link, Traits.of(outcomes)
    )
    return Message(outcomes, digest)


def is_what_slack_takes(payload):
    assert 0 < len(payload["blocks"]) <= 50
    for block in payload["blocks"]:
        limit = 150 if block["type"] == "header" else 3000
        assert len(block.get("fields", ())) <= 10
        assert len(block.get("elements", ())) <= 10
        assert block.get("fields") != []
        assert all(0 < units(text["text"]) <= limit for text in texts(block))
        assert all(units(text["text"]) <= 2000 for text in block.get("fields", ()))
    assert units(payload["text"]) + sum(map(units, all_texts(payload))) <= 12_000


def is_inert(payload):
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", payload["text"])
    assert {
        name: payload[name] for name in ("mrkdwn", "parse", "link_names", "unfurl_links", "unfurl_media")
    } == {
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    for block in payload["blocks"]:
        for text in texts(block):
            if text["type"] == "plain_text":
                assert text["emoji"] is False
            else:
                assert text["verbatim"] is True
                assert re.fullmatch(LINK + "|<!subteam\\^S[A-Z0-9]+>", text["text"])
    for text in (payload["text"], *all_texts(payload)):
        assert not re.search(
            "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", text
        )


FINDING = FindingShown("CVE-1", "critical", "openssl", "1", "2", url="https://nvd.nist.gov/vuln/detail/CVE-1")


def findings_with(text, number=10):
    shown = replace(FINDING, id=text, severity=text, package=text, fixed_version=text, url=text)
    return FindingsSummary(
        counts={text: 1},
        counted={},
        allowed={text: 0},
        worst=(shown,) * number,
        changes=FindingChanges(text, 20, 20, 1, (text,) * 5, (text,) * 5),
    )


@st.composite
def outcomes(draw):
    text = draw(TEXTS)
    kind = draw(st.sampled_from([OutcomeKind.TAG_VIOLATION, OutcomeKind.IMAGE_VULNERABLE]))
    return outcome_with(
        text * draw(st.sampled_from([1, 1, 30])),
        id=draw(st.sampled_from(["a", "b", "c"])),
        kind=kind,
        severity=draw(st.sampled_from(Severity)),
        rule=RuleReference(text, 1, (text,)),
        change_ids=(text,) * 3,
        findings=draw(st.none() | st.builds(findings_with, TEXTS)),
    )


@given(outcomes(), st.none() | TEXTS)
def test_whatever_is_told_of_one_outcome_is_inert_and_within_slacks_limits(outcome, instead_of):
    payload = slack_payload(Message((outcome,), instead_of=instead_of), mentions={outcome.owner: "S0123ABCD"})
    is_what_slack_takes(payload)
    is_inert(payload)


@given(st.lists(outcomes(), min_size=2, max_size=30), TEXTS, st.sets(st.sampled_from(["a", "b", "c"])))
def test_whatever_is_told_of_several_is_inert_and_within_slacks_limits(several, instead_of, settled):
    message = Message(tuple(several), instead_of=instead_of)
    payload = slack_payload(message, mentions={several[0].owner: "S0123ABCD"}, settled=settled)
    is_what_slack_takes(payload)
    is_inert(payload)


@given(
    st.lists(outcomes(), min_size=1, max_size=12), TEXTS, st.integers(13, 10**6), st.lists(TEXTS, max_size=12)
)
def test_whatever_is_told_in_a_digest_is_inert_and_within_slacks_limits(first, link, total, titles):
    counts = tuple((title, total) for title in titles) or None
    payload = slack_payload(
        digest_of(*first, total=total, link=f"https://console.aws.amazon.com/{link}", counts=counts)
    )
    is_what_slack_takes(payload)
    is_inert(payload)


@pytest.mark.parametrize("text", [text for text in HOSTILE if len(text) < 100])
def test_no_text_of_others_begins_a_line_of_its_own(text):
    def lines(text):
        outcome = outcome_with(text, findings=findings_with(text, 2), rule=RuleReference(text, 1, (text,)))
        messages = (Message((outcome,), instead_of=text), Message((outcome,) * 2), digest_of(outcome))
        return [said.count("\n") for message in messages for said in all_texts(slack_payload(message))]

    assert lines(text) == lines("harmless")


def test_slack_gets_blocks_for_people_and_a_text_for_their_notifications():
    payload = slack_payload(Message((OUTCOME,)))
    assert payload["text"] == "🟠 Tag quarantined: team/app:latest. The tag latest is denied."
    assert [block["type"] for block in payload["blocks"]] == [
        "header",
        "section",
        "section",
        "section",
        "context",
    ]
    assert payload["blocks"][2]["text"]["text"] == "What to do: Push it again."
    fields = [field["text"] for field in payload["blocks"][3]["fields"]]
    assert "Rule\npolicy.yaml:7 (**)" in fields
    assert markup(payload) == [f"<{notice(OUTCOME).link}|Open it in the ECR console>"]


def test_an_ampersand_of_a_link_is_escaped():
    assert markup(slack_payload(digest_of(OUTCOME))) == [
        "<https://eu-west-1.console.aws.amazon.com/x?a=1&amp;b=2|List all 300>"
    ]


def test_a_link_that_slack_would_cut_is_left_out():
    assert markup(slack_payload(Message((replace(OUTCOME, repository="x" * 3000),)))) == []


def test_several_of_one_push_have_what_they_share_once():
    other = replace(
        OUTCOME, id="2", image_tag="test", reason="The tag test is denied.", severity=Severity.LOW
    )
    payload = slack_payload(Message((OUTCOME, other)))
    said = all_texts(payload)
    assert said[0] == "🟠 Tag quarantined: team/app:latest, and 1 more"
    assert payload["text"] == said[0]
    assert "Tag quarantined: team/app:test\nThe tag test is denied.\nWhat to do: Push it again." in said
    assert [text for text in said if text.startswith("Severity")] == ["Severity\nhigh", "Severity\nlow"]
    assert said.count(f"Digest\n{OUTCOME.image_digest}") == 1


def test_what_there_is_no_room_for_is_counted_and_the_link_is_kept():
    many = tuple(
        replace(OUTCOME, id=str(one), reason="why " * 200, repository=f"r{one}") for one in range(40)
    )
    payload = slack_payload(Message(many))
    is_what_slack_takes(payload)
    shown = [text for text in all_texts(payload) if text.startswith("Tag quarantined")]
    assert f"and {40 - len(shown)} more" in all_texts(payload)
    assert 5 < len(shown) < 40
    assert len(markup(payload)) == 1


def test_the_worst_of_several_is_never_what_there_is_no_room_for():
    huge = replace(OUTCOME, reason="x " * 5000, next_step="y " * 5000, findings=findings_with("z " * 500))
    payload = slack_payload(Message((huge,) * 30))
    is_what_slack_takes(payload)
    assert all_texts(payload)[1].startswith("Tag quarantined")


def test_facts_that_there_is_no_room_for_are_counted():
    huge = replace(
        OUTCOME,
        reason="x " * 5000,
        next_step="y " * 5000,
        findings=findings_with("zzzz " * 300),
        owner="o" * 1500,
        created_by="c" * 1500,
        change_ids=("d" * 1500,),
    )
    payload = slack_payload(Message((huge,)))
    is_what_slack_takes(payload)
    (said,) = [text for text in all_texts(payload) if text.startswith("and ") and "facts" in text]
    shown = sum(len(block.get("fields", ())) for block in payload["blocks"])
    assert said == f"and {len(notice(huge).facts) - shown} facts that there is no room for"
    assert len(markup(payload)) == 1


def test_a_digest_says_how_many_of_what_shows_the_first_and_links_to_the_rest():
    other = replace(OUTCOME, id="2", repository="team/b")
    payload = slack_payload(
        digest_of(OUTCOME, other, counts=(("Tag quarantined", 299), ("Image fails the scan gate", 1)))
    )
    said = all_texts(payload)
    assert said[0] == "🟠 Tag quarantined: 299, and 1 more"
    assert said[1] == (
        "Tag quarantined: 299\nImage fails the scan gate: 1\n"
        "From 2026-11-24T03:00:00+00:00 to 2026-11-24T03:05:00+00:00"
    )
    assert said[2:4] == [
        "Tag quarantined: team/app:latest\nThe tag latest is denied.",
        "Tag quarantined: team/b:latest\nThe tag latest is denied.",
    ]
    assert said[4] == "and 298 more"


def test_a_digest_of_one_still_says_how_many_there_were():
    assert "Tag quarantined: 1" in all_texts(slack_payload(digest_of(OUTCOME, total=1)))[1]


def test_what_is_told_in_anothers_place_says_so():
    said = all_texts(slack_payload(Message((OUTCOME,), instead_of="secops, which is down")))
    assert said[1] == "Told here in place of secops, which is down"


def test_what_is_settled_says_so_first():
    one = slack_payload(Message((OUTCOME,)), settled={OUTCOME.id})
    assert one["text"].startswith("✅ Settled: Tag quarantined: team/app:latest")
    assert all_texts(one)[0] == "✅ Settled: Tag quarantined: team/app:latest"


def test_of_several_those_that_are_settled_say_so():
    said = all_texts(slack_payload(Message((OUTCOME, replace(OUTCOME, id="2"))), settled={"2"}))
    assert said[0].startswith("🟠")
    marked = [text.startswith("✅ ") for text in said if "Tag quarantined: team/app:latest\n" in text]
    assert marked == [False, True]


@pytest.mark.parametrize(
    ("slack_id", "written"),
    [("S0123ABCD", "<!subteam^S0123ABCD>"), ("U0123ABCD", "<@U0123ABCD>"), ("W0123ABCD", "<@W0123ABCD>")],
)
@pytest.mark.parametrize("severity", [Severity.CRITICAL, Severity.HIGH])
def test_the_owners_group_or_user_is_mentioned_where_it_matters(slack_id, written, severity):
    message = Message((replace(OUTCOME, owner="payments", severity=severity),))
    assert written in markup(slack_payload(message, mentions={"payments": slack_id}))


@pytest.mark.parametrize(
    "changes",
    [{"severity": Severity.MEDIUM}, {"owner": "others"}, {"owner": None}],
)
def test_nobody_is_mentioned_for_what_matters_less_or_is_not_theirs(changes):
    outcome = replace(OUTCOME, **({"owner": "payments", "severity": Severity.CRITICAL} | changes))
    assert len(markup(slack_payload(Message((outcome,)), mentions={"payments": "S0123ABCD"}))) == 1


@given(st.sampled_from(["channel", "here", "S0123ABCD>", "!channel", "C0123ABCD", "S", "s0123abcd"]) | TEXTS)
def test_what_is_no_id_of_a_group_or_a_user_is_no_mention(text):
    written = mention(text)
    assert written is None or re.fullmatch(r"[SUW][A-Z0-9]+", text)


def test_lines_are_shown_whole_or_counted():
    worst = (replace(FINDING, package="x" * 300, url="https://" + "u" * 290),) * 12
    findings = FindingsSummary(counts={}, counted={}, allowed={}, worst=worst)
    payload = slack_payload(Message((replace(OUTCOME, findings=findings),)))
    (listed,) = [text for text in all_texts(payload) if text.startswith("Worst findings")]
    lines = listed.split("\n")
    assert lines[-1] == f"and {12 + 1 - (len(lines) - 1)} more"
    assert all(line.endswith("u" * 290) for line in lines[1:-1])


@given(TEXTS, st.integers(0, 60))
@example("a" * 59 + FAMILY, 60)
@example("&" * 400, 30)
def test_a_text_that_is_cut_is_one_that_begins_as_the_whole_and_is_within_its_limit(text, length):
    shown = cut_at_word(text, length, units)
    assert units(shown) <= length
    assert shown == text or (shown == "" and length == 0) or text.startswith(shown.removesuffix("…"))
    assert shown == text or shown[-1:] in {"…", ""}


@pytest.mark.parametrize(
    ("text", "length", "shown"),
    [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two…"),
        ("one two three", 8, "one two…"),
        ("a" * 20, 10, "a" * 9 + "…"),
        ("a bcdefghijklmnop", 10, "a bcdefgh…"),
        (f"ab{FAMILY}{FAMILY}", 10, f"ab{FAMILY}…"),
        ("abc 👍🏽👍🏽", 7, "abc 👍🏽…"),
        ("ab🇩🇪🇫🇷🇪🇸", 6, "ab🇩🇪…"),
        ("cafe\u0301s", 5, "caf…"),
        ("e\u0301\u0301\u0301\u0301", 3, "e\u0301…"),
        ("long", 0, ""),
    ],
)
def test_a_text_is_cut_between_words_or_else_between_what_people_see_as_characters(text, length, shown):
    assert cut_at_word(text, length) == shown


def test_what_is_cut_from_an_escaped_text_is_never_a_part_of_an_escape():
    for padding in range(12):
        text = slack_payload(Message((replace(OUTCOME, reason="a" * padding + "<&>" * 2000),)))["text"]
        assert re.search(r"(?:&amp;|&lt;|&gt;)…$", text)
        assert units(text) <= 1000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("line\nbreak\r\nand\u2028more\x0b", "line break and more"),
        ("nul\x00nul", "nul\ufffdnul"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("\u2066x\u2069\u200f\u061c", "\ufffdx\ufffd\ufffd\ufffd"),
        ("\x1b[31mred", "\ufffd[31mred"),
        ("\ud83d", "\ufffd"),
        (FAMILY, FAMILY),
        ("", ""),
    ],
)
def test_what_would_hide_something_is_shown(text, shown):
    assert one_line(text) == shown
