"""Texts that try to be more than texts, in tags, names of repositories and what scanners say."""

from dataclasses import replace

from fakes import OUTCOME
from hypothesis import strategies as st

HOSTILE = (
    "<!channel>",
    "<!here|x>",
    "<@U012AB3CD>",
    "<!subteam^S0123ABCD>",
    "<http://evil.example|text>",
    "http://evil.example",
    "&lt;!channel&gt;",
    "&lt;",
    "&amp;lt;",
    "*_~`bold`~_*",
    "```\n*x*\n```",
    "> quoted",
    "[text](http://evil.example)",
    "![x](http://evil.example/x.png)",
    "<b>x</b><script>alert(1)</script>",
    "@everyone @here",
    "\u202egnp.exe",
    "\u2066x\u2069\u200f\u061c",
    "👩\u200d👩\u200d👧\u200d👦" * 20,
    ":warning: :tada:",
    "a" * 300,
    "nul\x00nul",
    "line\nbreak\r\nand\u2028more\x0b",
    "\x1b[31mred\x1b[0m",
    "\ud7ff\ufeff\ufffd",
    "{0} {x} %s ${HOME} $(id)",
    "'\"\\",
)

# Any of them, and what nobody thought of.
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=400))


def outcome_with(text, **others):
    """Give an outcome in which all that others may have written is a text."""
    said = {
        "repository": text,
        "image_tag": text,
        "image_digest": text,
        "reason": text,
        "next_step": text,
        "owner": text,
        "created_by": text,
        "pushed_by": text,
        "event_id": text,
    }
    return replace(OUTCOME, **(said | others))
