"""What commands show of what an event caused."""

import io

from rich.console import Console

from ecr_warden_cli.caused import Caused, Message
from ecr_warden_cli.commands.showing import show_caused


def shown(caused, **options):
    out = Console(file=io.StringIO(), width=100, highlight=False)
    show_caused(out, caused, title="A step", **options)
    return out.file.getvalue()


def outcome(reason):
    rule = {"file": "policy.yaml", "line": 3, "match": ["**"]}
    return {"rule": rule, "mode": "enforce", "reason": reason, "severity": "high"}


def change(number):
    return {"repository": f"app{number}", "section": "lifecycle", "before": None, "after": {"number": number}}


def test_what_befell_many_alike_is_said_once_with_how_many_they_are():
    text = shown(Caused("1", "a", outcomes=[outcome("Changed."), outcome("Kept."), outcome("Changed.")]))
    assert text.count("Changed.") == 1
    assert "2 times: Changed." in text
    assert "decided   Kept." in text


def test_of_many_things_the_first_are_shown_and_the_others_counted():
    caused = Caused(
        "1",
        "a",
        outcomes=[outcome(f"reason {number}") for number in range(5)],
        changes=[change(number) for number in range(9)],
        messages=[Message("ops", "sns", f"message {number}", {"subject": "It"}) for number in range(4)],
    )
    text = shown(caused, most=3)
    for kind, left in (("decided", 2), ("changed", 6), ("told", 1)):
        assert f"{kind.ljust(10)}… and {left} more" in text
    assert ("app2" in text, "app3" in text) == (True, False)


def test_the_end_of_a_long_message_is_counted_in_lines():
    caused = Caused(
        "1", "a", messages=[Message("ops", "sns", "\n".join(map(str, range(100, 130))), {"subject": "It"})]
    )
    assert "129" in shown(caused)
    cut = shown(caused, most=2)
    # Of eight lines, two are the subject and what parts it from the text.
    assert ("105" in cut, "106" in cut, "… and 24 more lines" in cut) == (True, False, True)


def test_functions_that_no_event_reached_were_run_by_the_state_machine():
    assert "by the state machine" in shown(Caused(None, None, functions=["SweepBatchFunction"]))
    assert "no event" in shown(Caused(None, None))
