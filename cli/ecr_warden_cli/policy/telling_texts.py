"""The texts that only the sections about who hears what take, with what is said of a wrong one."""

import difflib
import re
from collections.abc import Callable
from datetime import time
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

# It is a metric's dimension and part of keys in DynamoDB.
CHANNEL_NAME: Final = "[A-Za-z0-9_-]{1,64}"
# Secrets Manager's own characters; a name that ends in a slash is a prefix without its name.
_SECRET_NAME: Final = "[A-Za-z0-9/_+=.@-]{0,511}[A-Za-z0-9_+=.@-]"  # noqa: S105  # what names look like
_CONVERSATION: Final = "[CGD][A-Z0-9]{8,}"
_MENTIONED: Final = "[SUW][A-Z0-9]{8,}"
_ACCOUNT: Final = "[0-9]{12}"
_REGION: Final = "[a-z]{2,}(-[a-z]+)+-[0-9]+"
_CLOCK_TIME: Final = "([01]?[0-9]|2[0-3]):[0-5][0-9]"
_DURATION: Final = "[0-9]{1,6}[sm]"
# Of a name that is less so, another is no help.
_ALIKE: Final = 0.7
_OWNER: Final = r"\S([\s\S]*\S)?"


def _channel_name(name: str) -> str:
    if not re.fullmatch(CHANNEL_NAME, name):
        raise ValueError(
            f"{name!r}: a channel's name has 1 to 64 letters of A to Z and a to z, digits, _ and -"
        )
    return name


# What stands below channels may be a secret itself, so that none of it is repeated.


def _secret_name(name: object) -> object:
    if not isinstance(name, str) or not re.fullmatch(_SECRET_NAME, name) or name.startswith("xox"):
        raise ValueError(
            "secret: give the name of a secret in Secrets Manager, as in ecr-warden/slack/secops; what is "
            "secret does not belong in the policy"
        )
    return name


def _conversation(text: str) -> str:
    if not re.fullmatch(_CONVERSATION, text):
        raise ValueError(
            "conversation: give its id, as in C0123ABCD, which Slack shows at the end of the conversation's "
            "details, under About"
        )
    return text


def _mentioned(text: str) -> str:
    if not re.fullmatch(_MENTIONED, text):
        raise ValueError(
            "mentions: give the id of a Slack user group, as in S0123ABCD, or of a user, as in U0123ABCD; "
            "Slack copies it from the menu of their profile"
        )
    return text


def _owner(name: str) -> str:
    if name != name.strip():
        raise ValueError(f"owners: {name!r} has white space around it: remove it")
    return name


def _account(value: object) -> object:
    if isinstance(value, int):
        raise ValueError(  # noqa: TRY004  # pydantic reports a ValueError alone
            'accounts: put the account\'s id in quotes, as in "012345678901": without them YAML takes it for '
            "a number"
        )
    if isinstance(value, str) and not re.fullmatch(_ACCOUNT, value):
        raise ValueError(f"{value!r} is no account's id: it has 12 digits")
    return value


def _region(name: str) -> str:
    if not re.fullmatch(_REGION, name):
        raise ValueError(f"{name!r} is no Region: give its code, as in eu-west-1")
    return name


def _clock_time(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(_CLOCK_TIME, value):
        raise ValueError(
            f"{value!r} is no time of day: give hours and minutes, from 00:00 to 23:59, as in 22:00"
        )
    hours, minutes = value.split(":")
    return time(int(hours), int(minutes))


@cache
def _time_zones() -> frozenset[str]:
    # Those that the functions have: the machine that checks may know others, such as localtime.
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def _time_zone(name: str) -> str:
    known = _time_zones()
    if name not in known:
        # People name a city, or write a zone in their own case.
        by_spelling = {zone.rpartition("/")[2].lower(): zone for zone in sorted(known)}
        by_spelling |= {zone.lower(): zone for zone in known}
        nearest = difflib.get_close_matches(name.lower().replace(" ", "_"), by_spelling, n=1, cutoff=_ALIKE)
        hint = f"did you mean {by_spelling[nearest[0]]}?" if nearest else "give one as in Europe/Berlin"
        raise ValueError(f"{name!r} is no time zone: {hint}")
    return name


def seconds_of(duration: str) -> int:
    """Give how many seconds a duration such as 60s or 5m has."""
    return int(duration[:-1]) * (60 if duration.endswith("m") else 1)


def duration(name: str, most: int) -> Callable[[object], object]:
    """Refuse what is no duration, or one of more seconds than the most."""

    def checked(value: object) -> object:
        # Zero is the same in every unit; True is an int to Python.
        text = "0s" if type(value) is int and value == 0 else value
        if not isinstance(text, str) or not re.fullmatch(_DURATION, text):
            raise ValueError(f"{name}: give seconds or minutes, as in 30s or 5m, not {value!r}")
        if seconds_of(text) > most:
            raise ValueError(f"{name}: give {most // 60}m at most, not {text}")
        return text

    return checked


def _pattern(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


DURATION_SCHEMA: Final = WithJsonSchema(
    {"anyOf": [{"const": 0}, {"type": "string", "pattern": f"^{_DURATION}$"}]}
)
OWNER_SCHEMA: Final = _pattern(_OWNER)
ChannelName = Annotated[str, AfterValidator(_channel_name)]
SecretName = Annotated[str, BeforeValidator(_secret_name), _pattern(_SECRET_NAME)]
ConversationId = Annotated[str, AfterValidator(_conversation), _pattern(_CONVERSATION)]
MentionedId = Annotated[str, AfterValidator(_mentioned), _pattern(_MENTIONED)]
OwnerName = Annotated[str, Field(min_length=1), AfterValidator(_owner)]
AccountId = Annotated[str, BeforeValidator(_account), _pattern(_ACCOUNT)]
Region = Annotated[str, AfterValidator(_region), _pattern(_REGION)]
ClockTime = Annotated[time, BeforeValidator(_clock_time), _pattern(_CLOCK_TIME)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
