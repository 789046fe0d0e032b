"""What the commands show to people on a terminal."""

import json
import sys
from collections import Counter
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from ecr_warden.domain.policy import ChannelType
from ecr_warden_cli.caused import Caused
from ecr_warden_cli.commands import message_texts

_SHORT = 120
_INDENT = 12
# Of a message, for each thing of which there may be so many.
_LINES = 4
# What is tried again, and what never came to a function.
_NOT_DONE = {"Retried", "Repeated"}
_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "blue", "info": "dim"}


def console() -> Console:
    """Give the terminal's standard output; without a terminal, plain text of a width that logs can take."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=110)


def show_caused(out: Console, caused: Caused, *, title: str, most: int = sys.maxsize) -> None:
    """Show what one event caused: the functions, the rule, the change, the message.

    What befell many alike is one line; ``most`` is how many there are of decisions, changes and messages.
    """
    no_event = "by the state machine" if caused.functions else "no event"
    out.print(Text.assemble((title, "bold"), f"  {caused.detail_type or no_event}"))
    _line(out, "reached", ", ".join(caused.functions) or _why_none(caused))
    alike = Counter(map(_decided, caused.outcomes))
    for (rule, reason, colour), times in alike.most_common(most):
        _line(out, "rule", rule)
        _line(out, "decided", f"{times} times: {reason}" if times > 1 else reason, style=colour)
    _more(out, "decided", len(alike) - most)
    for decision in caused.decisions:
        if decision["outcome_id"] is None:
            said = "" if decision["decision"] in _NOT_DONE else "nothing to do: "
            _line(out, "decided", f"{said}{decision['reason']}", style="dim")
    for change in caused.changes[:most]:
        _line(out, "changed", f"{change['repository']} {change['section']}: {_change(change)}", style="green")
    _more(out, "changed", len(caused.changes) - most)
    _show_messages(out, caused, most)
    if caused.error is not None:
        _line(out, "failed", f"{caused.error['type']}: {caused.error['message']}", style="bold red")


def _decided(outcome: dict[str, Any]) -> tuple[str, str, str]:
    """Give the rule, the reason and its colour."""
    return (
        _rule(outcome),
        str(outcome.get("reason")),
        _COLOURS.get(outcome.get("severity", ""), ""),
    )


def _more(out: Console, label: str, left: int) -> None:
    if left > 0:
        _line(out, label, f"… and {left} more", style="dim")


def _rule(outcome: dict[str, Any]) -> str:
    rule = outcome.get("rule")
    if rule is None:
        return "none: this is told whatever the policy says"
    where = f"{rule.get('file')}:{rule.get('line')} match {', '.join(rule.get('match', ()))}"
    return f"{where}, {outcome.get('mode')} mode"


def _why_none(caused: Caused) -> str:
    if any(decision["decision"] == "Repeated" for decision in caused.decisions):
        return "no function: it is a repetition"
    return "no function: no rule of the template takes it"


def _show_messages(out: Console, caused: Caused, most: int) -> None:
    """Show the first message as people see it, and of those that say the same the channel."""
    for number, message in enumerate(caused.messages[:most]):
        channel = message_texts.heading(message, caused.messages)
        if (number and len(caused.outcomes) == 1) or message.type == ChannelType.WEBHOOK:
            _line(out, "told", f"{channel}: {message_texts.title(message)}")
            continue
        _line(out, "told", channel)
        text = _beginning(message_texts.text(message), most * _LINES)
        out.print(Padding(Panel(Text(text), expand=False), (0, 0, 0, _INDENT)))
    _more(out, "told", len(caused.messages) - most)
    if caused.outcomes and not caused.messages:
        _line(out, "told", "nobody (it was told before, or no route takes it)", style="dim")


def _beginning(text: str, most: int) -> str:
    lines = text.splitlines()
    left = len(lines) - most
    return text if left <= 0 else "\n".join((*lines[:most], f"… and {left} more lines"))


def _line(out: Console, label: str, text: str, style: str = "") -> None:
    # What does not fit into one line stays under its own beginning; a table would fill lines up with blanks.
    width = max(out.width - _INDENT, 1)
    for number, line in enumerate(Text(text, style).wrap(out, width, overflow="fold")):
        line.rstrip()
        beginning = "" if number else f"  {label}"
        out.print(Text.assemble((beginning.ljust(_INDENT), "dim"), line))


def _change(change: dict[str, object]) -> str:
    return f"{side_of_change(change['before'])} → {side_of_change(change['after'])}"


def side_of_change(value: object) -> str:
    """Say what matters of a side of a change; the whole is in the journal."""
    if isinstance(value, dict) and "image_tag" in value:
        return f"{value['image_tag']} ({value['image_digest'][:19]})"
    if isinstance(value, dict) and "storage_class" in value:
        return f"{value['storage_class']} ({value['image_digest'][:19]})"
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
